import type { FallbackEvent } from '../../../dist/index.js';
import type { Call } from './call.ts';
import { configFrom } from './config-model.ts';
import { labelOf } from './machine-laws.ts';
import type { Stage } from './stage.ts';

/** A trigger begins: its configuration is fixed from now on, and so is its deadline. */
export function begin(stage: Stage, call: Call): void {
  const { now, host } = stage;
  const { machine } = call;
  stage.calls.starting = call;
  if (call.begunAt !== undefined) return;
  call.begunAt = now;
  if (call.host === host) {
    call.config = machine.config;
    machine.unit.home.uses++;
    if (!call.isAsyncChecked) foresee(stage, call);
  } else call.config = configFrom(machine.unit.home.facts, call.host.api.inspect(machine.address).config);
  call.deadlineAt = Math.min(call.deadlineAt, now + call.config.deadline);
  if (call.forecast === 'refused' && call.abortedAt === undefined && now < call.deadlineAt) call.decision = 'refused';
}

/** With checks that answer at once, admission is now. */
function foresee(stage: Stage, call: Call): void {
  const { machine } = call;
  call.forecast = machine.forecast(stage.now);
  call.retryAfter = machine.retryAfter(stage.now);
}

/** A probe was let in. Listeners hear of it first, and may change all before `triggered` is told. */
export function probing(stage: Stage, call: Call): void {
  begin(stage, call);
  call.isProbe = true;
  stage.figures.add('and', 'probes');
  letIn(stage, call);
}

/** A trigger was let in. The model would have let it in, and in the same way. */
export function admitted(stage: Stage, call: Call, event: FallbackEvent<'triggered'>): void {
  const { watch, figures } = stage;
  // Nothing tells when the trigger of `call` begins, unless it has checks: at its admission then.
  begin(stage, call);
  figures.add('and', 'triggers admitted');
  if (!call.isProbe) letIn(stage, call);
  const state = call.isProbe ? 'exhausted' : 'triggered';
  if (!watch.holds('events', event.probe === call.isProbe && event.state === state)) {
    throw watch.broken('events', `triggered tells of ${event.state}, and ${event.probe ? 'a' : 'no'} probe`, call);
  }
}

function letIn(stage: Stage, call: Call): void {
  const { watch, now } = stage;
  if (!watch.holds('events', !call.isAdmitted && !call.isSettled)) {
    throw watch.broken('events', 'admitted twice, or after it was over', call);
  }
  if (!watch.holds('bounds', call.abortedAt === undefined && now < call.deadlineAt)) {
    throw watch.broken('bounds', 'admitted after its abort or its deadline', call);
  }
  // What was foreseen may be past: a listener has heard that it is exhausted, and has reset it.
  if (call.decision === 'refused') call.decision = undefined;
  call.isAdmitted = true;
  call.life = call.host.life;
  if (call.host === stage.host) admit(stage, call);
}

function admit(stage: Stage, call: Call): void {
  const { watch } = stage;
  const { machine } = call;
  const { home } = machine.unit;
  const { phase, since } = machine;
  const admission = machine.admit(stage.now);
  const isProbe = admission === 'probe' || admission === 'either';
  if (!watch.holds('probes', admission !== 'refused' && call.isProbe === isProbe)) {
    const how = call.isProbe ? 'as a probe' : 'as if all were well';
    const expected = `${admission}, ${phase} since ${since}`;
    throw watch.broken('probes', `${labelOf(machine)} let it in ${how}, expected ${expected}`, call);
  }
  call.generation = machine.generation;
  machine.isRemembered = true;
  machine.usedAt = ++home.uses;
}

/** The machine lets go of a call: it is no longer in flight there. */
export function release(stage: Stage, call: Call): void {
  if (!call.isAdmitted || call.isReleased) return;
  call.isReleased = true;
  const { machine } = call;
  if (call.host !== stage.host) return;
  machine.inFlight--;
  if (call.isInLimbo) machine.inLimbo--;
  machine.unit.home.uses++;
}

/** It ended without a verdict: a probe's place is free again. */
export function abandon(stage: Stage, call: Call): void {
  if (!call.isAdmitted || call.isReleased) return;
  if (call.host === stage.host) call.machine.settle(call.generation, 'none', stage.now);
  release(stage, call);
}

/** The caller aborts. Nothing need tell when the engine lets go of it: until the call settles, it may have. */
export function abort(stage: Stage, call: Call, reason?: unknown): void {
  const { machine } = call;
  if (!call.isSettled && call.abortedAt === undefined && call.decision === undefined) {
    call.abortedAt = stage.now;
    stage.figures.add('abort', circumstance(call));
    stage.note('aborts', call);
    if (call.isAdmitted && !call.isReleased && call.host === stage.host) {
      call.isInLimbo = true;
      machine.inLimbo++;
      if (machine.phase === 'probing' && machine.generation === call.generation) machine.probeInLimbo = true;
    }
  }
  if (reason === undefined) call.controller?.abort();
  else call.controller?.abort(reason);
}

function circumstance(call: Call): string {
  if (call.open) return 'during an attempt';
  if (call.isAdmitted) return 'during a backoff';
  return call.primary === undefined ? 'during the checks' : 'during the primary';
}

/** It was aborted in the very millisecond in which its deadline passed: what came first counts. */
export function isTooLate(stage: Stage, { abortedAt, deadlineAt }: Call): boolean {
  return abortedAt === stage.now && abortedAt === deadlineAt;
}
