import { EngineClosedError, type MachineEntry, type RestoreResult, type Snapshot } from '../../../dist/index.js';
import type { EngineRoom } from './engine-room.ts';
import type { Host } from './host.ts';
import { labelOf, touch } from './machine-laws.ts';
import type { Stage } from './stage.ts';

/** A new process with nothing in flight, or with calls cut short; or a snapshot restored into the engine it was taken of. */
export type Restart = 'quiet' | 'in flight' | 'in place';

/** Restarts the engine: snapshot → JSON → restore, law 8 in between, then the old one is closed. Resolves once it is. */
export function restart(stage: Stage, room: EngineRoom, kind: Restart): Promise<unknown> {
  const { figures, machines } = stage;
  const old = stage.host;
  stage.note(`restart, ${kind}`);
  figures.add('restart', kind);
  stage.isRestarting = true;
  const text = JSON.stringify(taken(stage));
  const next = kind === 'in place' ? old : room.make();
  next.life++;
  const result = next.api.restore(JSON.parse(text));
  for (const machine of machines) {
    machine.restore();
    if (kind !== 'in place') machine.inFlight = machine.inLimbo = 0;
  }
  const skipped = skip(stage, result);
  compare(stage, kind, JSON.parse(text), next.api.snapshot(), skipped);
  stage.isRestarting = false;
  if (next === old) return Promise.resolve();
  stage.host = next;
  return Promise.all([close(stage, old, kind === 'quiet' ? 0 : stage.random.pick([0, 20, 60])), refuses(stage, old)]);
}

/** A snapshot catches all up with their newest configuration, and tells of those that this exhausts. */
function taken(stage: Stage): Snapshot {
  const { host, machines, watch } = stage;
  for (const machine of machines) {
    // Whether it is worth an entry of its own depends on its revision.
    if (machine.isRevisionUnknown) touch(stage, machine);
    else machine.catchUp();
  }
  const snapshot = host.api.snapshot();
  const silent = machines.find(({ isUnheard }) => isUnheard);
  if (!watch.holds('events', !silent)) {
    throw watch.broken('events', `${silent && labelOf(silent)} was exhausted by a snapshot, without an event`);
  }
  return snapshot;
}

/** Only keys beyond the LRU's `max` may be skipped: those that were in flight stood outside it. */
function skip(stage: Stage, { skipped }: RestoreResult): ReadonlySet<string> {
  const { watch, figures, most } = stage;
  for (const { env, product, tag, cache, reason } of skipped) {
    const machine = stage.machineAt(env, product, tag, cache);
    if (!watch.holds('restore', machine.isKey && !machine.own && reason === `more than ${most} keys`)) {
      throw watch.broken('restore', `${labelOf(machine)} was not restored: ${reason}`);
    }
    machine.forget();
    machine.isRemembered = machine.inFlight > 0;
    figures.add('and', 'keys skipped by a restore');
  }
  return new Set(skipped.map(nameOf));
}

/**
 * The snapshot of what was restored is the snapshot that it was restored from. Its order too, but for keys with updates of
 * their own, which stand outside the LRU, and for what is in flight in an engine that lives on.
 */
function compare(stage: Stage, kind: Restart, before: Snapshot, after: Snapshot, skipped: ReadonlySet<string>): void {
  const { watch } = stage;
  const listed = ({ machines }: Snapshot) => {
    const entries = machines.filter((entry) => !skipped.has(nameOf(entry)));
    const isPinned = ({ cache, updates }: MachineEntry) => cache !== undefined && updates !== undefined;
    const pinned = entries.filter(isPinned).map((entry) => JSON.stringify(entry));
    const others = entries.filter((entry) => !isPinned(entry)).map((entry) => JSON.stringify(entry));
    return [...(kind === 'in place' ? others.sort() : others), ...pinned.sort()];
  };
  const expected = listed(before);
  const restored = listed(after);
  const at = expected.findIndex((entry, index) => entry !== restored[index]);
  if (!watch.holds('restore', at === -1 && expected.length === restored.length)) {
    const entry = `entry ${at} of ${expected.length} was ${expected[at]}`;
    throw watch.broken('restore', `${entry}, and of ${restored.length} is restored as ${restored[at]}`);
  }
}

function nameOf({
  env,
  product,
  tag,
  cache = '',
}: {
  env: string;
  product: string;
  tag: string;
  cache?: string;
}): string {
  return [env, product, tag, cache].join('|');
}

/** Its calls in flight have `grace` milliseconds left. Nothing of it is then left behind. */
async function close(stage: Stage, old: Host, grace: number): Promise<void> {
  const { watch, now, figures } = stage;
  old.endsAt = now + grace;
  old.isInterrupted = grace === 0;
  const inFlight = [...stage.calls].filter(({ host, isSettled }) => host === old && !isSettled);
  figures.add('and', 'calls in flight at a close', inFlight.length);
  stage.closing++;
  await (grace === 0 ? old.api.close() : old.api.close({ grace }));
  const isPrompt = stage.now <= now + grace;
  await new Promise((resolve) => setImmediate(resolve));
  const left = inFlight.find(({ isSettled }) => !isSettled);
  if (!watch.holds('settles', !left)) throw watch.broken('settles', 'its engine is closed, and it goes on', left);
  if (!watch.holds('leaks', old.port.pending === 0 && isPrompt)) {
    throw watch.broken('leaks', `closed, due by ${now + grace}, with ${old.port.pending} timers set`);
  }
  stage.closing--;
  figures.add('and', 'engines closed');
}

async function refuses({ watch, homes }: Stage, { api }: Host): Promise<void> {
  const { tag = '' } = homes[0]?.facts ?? {};
  const request = { env: 'prd', product: 'payments', fallback_tag: tag, action: 'reset' } as const;
  const error: unknown = await api.run(request).catch((thrown: unknown) => thrown);
  if (!watch.holds('refusals', error instanceof EngineClosedError && api.list().length === homes.length)) {
    throw watch.broken('refusals', `closed, it answered ${String(error)}`);
  }
}
