import type { FallbackEvent, Inspection } from '../../../dist/index.js';
import type { Call } from './call.ts';
import { configFrom } from './config-model.ts';
import type { MachineModel } from './machine-model.ts';
import type { Stage } from './stage.ts';

/** Holds a machine against its model, and law 4 against the machine. Both catch up with the newest configuration. */
export function touch(stage: Stage, machine: MachineModel): void {
  const { watch } = stage;
  const seen = stage.host.api.inspect(machine.address);
  machine.catchUp();
  const { state, failures, config, triggers, recoveries, inFlight, retryAfter } = seen;
  if (!watch.holds('exhausted', (state === 'exhausted') === failures > config.maxRetries)) {
    throw watch.broken(
      'exhausted',
      `${labelOf(machine)} is ${state} with ${failures} failures and maxRetries ${config.maxRetries}`,
      { machine },
    );
  }
  const isAsModelled =
    state === machine.state &&
    failures === machine.failures &&
    triggers === machine.triggers &&
    recoveries === machine.recoveries &&
    inFlight <= machine.inFlight &&
    inFlight >= machine.inFlight - machine.inLimbo;
  if (!watch.holds('model', isAsModelled)) {
    const { state, failures, triggers, recoveries, inFlight } = machine;
    const expected = { state, failures, triggers, recoveries, inFlight };
    const { lastError: _, config: __, ...told } = seen;
    throw watch.broken(
      'model',
      `${labelOf(machine)}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(told)}`,
      { machine },
    );
  }
  const due = machine.retryAfter(stage.now);
  if (!watch.holds('probes', machine.probeInLimbo || retryAfter === due)) {
    throw watch.broken('probes', `${labelOf(machine)}: expected a probe in ${due} ms, got ${retryAfter}`, { machine });
  }
  if (!watch.holds('events', !machine.isUnheard))
    throw watch.broken('events', `${labelOf(machine)} was exhausted without an event`, { machine });
  touchConfig(stage, machine, seen);
  const isSameError = 'lastError' in seen === machine.hasLastError && Object.is(seen.lastError, machine.lastError);
  if (!watch.holds('errors', isSameError)) {
    throw watch.broken(
      'errors',
      `${labelOf(machine)}: expected lastError ${String(machine.lastError)}, got ${String(seen.lastError)}`,
      { machine },
    );
  }
}

function touchConfig(stage: Stage, machine: MachineModel, { config, revision }: Inspection): void {
  const { watch, sameConfigs } = stage;
  if (machine.isRevisionUnknown) machine.revisions = revision - machine.unit.revisions;
  machine.isRevisionUnknown = false;
  if (!watch.holds('config', revision === machine.revision)) {
    throw watch.broken('config', `${labelOf(machine)}: expected revision ${machine.revision}, got ${revision}`, {
      machine,
    });
  }
  const known = sameConfigs.get(config);
  if (known === machine.config) return;
  const { signature } = configFrom(machine.unit.home.facts, config);
  if (!watch.holds('config', signature === machine.config.signature)) {
    throw watch.broken('config', `${labelOf(machine)}: expected ${machine.config.signature}, got ${signature}`, {
      machine,
    });
  }
  sameConfigs.set(config, machine.config);
}

export function labelOf({ address, index }: MachineModel): string {
  return `machine ${index} (${Object.values(address).join(' ')})`;
}

/** A machine has just become exhausted: the model says so too. */
export function heardExhausted(stage: Stage, event: FallbackEvent<'exhausted'>): void {
  const { watch, figures } = stage;
  const machine = stage.machineAt(event.env, event.product, event.tag, event.cache);
  machine.catchUp();
  figures.add('and', 'fallbacks and keys exhausted');
  const isTrue = machine.state === 'exhausted' && machine.isUnheard && event.failures === machine.failures;
  if (!watch.holds('events', isTrue)) {
    throw watch.broken('events', `${labelOf(machine)} is said to be exhausted, and the model has it ${machine.phase}`);
  }
  if (!watch.holds('probes', event.retryAfter === machine.retryAfter(stage.now))) {
    throw watch.broken('probes', `${labelOf(machine)} is exhausted for ${event.retryAfter} ms, by its event`);
  }
  machine.isUnheard = false;
}

/** A key was forgotten. It may have been: no call of it is in flight, nothing pins it, and it was the last in the row. */
export function heardEvicted(stage: Stage, event: FallbackEvent<'evicted'>): void {
  const { watch, figures, most } = stage;
  const machine = stage.machineAt(event.env, event.product, event.tag, event.cache);
  const { home } = machine.unit;
  if (!watch.holds('eviction', machine.isKey && machine.isRemembered && event.reason === 'full')) {
    throw watch.broken('eviction', `${labelOf(machine)} was evicted, and was not remembered`);
  }
  if (!watch.holds('eviction', machine.inFlight <= machine.inLimbo && !machine.own)) {
    throw watch.broken(
      'eviction',
      `${labelOf(machine)} was evicted with ${machine.inFlight} calls in flight, or updates of its own`,
    );
  }
  if (!watch.holds('eviction', home.uses - machine.usedAt >= most - 1)) {
    throw watch.broken(
      'eviction',
      `${labelOf(machine)} was evicted after ${home.uses - machine.usedAt} uses of others`,
    );
  }
  machine.forget();
  figures.add('and', 'evictions');
}

export function heardUpdated(stage: Stage, event: FallbackEvent<'updated'>, call: Call | undefined): void {
  const { watch } = stage;
  if (call?.kind !== 'update') throw watch.broken('events', 'an update that nobody asked for');
  const { machine } = call;
  const { signature } = configFrom(machine.unit.home.facts, event.config);
  const isTrue = event.state === machine.state && event.revision === machine.revision;
  if (!watch.holds('config', isTrue && signature === machine.config.signature)) {
    const said = `${event.state}, revision ${event.revision}, ${signature}`;
    const expected = `${machine.state}, revision ${machine.revision}, ${machine.config.signature}`;
    throw watch.broken('config', `${labelOf(machine)} was updated to ${said}; expected ${expected}`, call);
  }
}

export function heardReset(stage: Stage, event: FallbackEvent<'reset'>, call: Call | undefined): void {
  const { watch } = stage;
  if (call?.kind !== 'reset') throw watch.broken('events', 'a reset that nobody asked for');
  const { state, failures, address } = call.machine;
  const isTrue = state === 'idle' && failures === 0 && address.cache === event.cache;
  if (!watch.holds('events', isTrue))
    throw watch.broken('events', `a reset left ${labelOf(call.machine)} ${state}`, call);
}
