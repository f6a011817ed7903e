import type { Checked } from '../definition/check.ts';
import { type Amended, amend, NO_UPDATES, readUpdate, type Updates } from '../definition/config.ts';
import type { Address } from '../definition/request.ts';
import { readSnapshot, type SnapshotEntry } from '../definition/snapshot-shape.ts';
import { InvalidSnapshotError } from '../errors.ts';
import { persist, revive } from '../machine/persist.ts';
import type { Phase } from '../machine/step.ts';
import type { Issue, MachineEntry, RestoreResult, Snapshot } from '../types.ts';
import { clear, pin, reconfigure } from './changes.ts';
import type { Home, Machine } from './machine.ts';
import { type Machines, whereOf } from './machines.ts';
import type { Registry } from './registry.ts';

/**
 * The whole memory as plain JSON: first the units' own machines, those of the least recently used env and product first,
 * then the keyed ones, the least recently used first. What is in flight is taken as abandoned.
 */
export function takeSnapshot(memory: Machines, now: number): Snapshot {
  const machines = memory.quietly(() => [
    ...memory.units().flatMap(({ machine }) => entry(memory, machine, now)),
    ...[...memory.keyed()].flatMap(([machine, age]) => entry(memory, machine, now, age)),
  ]);
  return { version: 1, takenAt: now, machines };
}

function entry(memory: Machines, machine: Machine, now: number, age?: number): MachineEntry[] {
  const { triggers, recoveries, unit } = machine;
  memory.catchUp(machine, unit.limitedAt);
  const isKey = machine.key !== undefined;
  const revision = isKey ? machine.revisions : unit.revisions;
  const updates = isKey ? machine.own?.updates : given(unit.updates);
  const { place, since } = machine;
  // A key that is pinned stays so, whatever has become of its updates; among several envs and products, a unit's own machine
  // tells by its place when it was last used.
  const isFresh = place.state === 'idle' && triggers + recoveries + revision === 0 && !updates;
  if (isFresh && (isKey || unit.keys === 0 || memory.scopeCount === 1)) return [];
  const { cache, ...where } = whereOf(machine);
  const isDue = place.phase === 'probing' || since === Number.NEGATIVE_INFINITY;
  return [
    {
      ...where,
      ...(cache !== undefined && { cache }),
      snapshot: persist(memory.stepper, place),
      triggers,
      recoveries,
      revision,
      ...(updates && { updates }),
      ...(place.state === 'exhausted' && { waited: isDue ? null : Math.max(0, now - since) }),
      ...(age !== undefined && { age }),
    },
  ];
}

function given(updates: Updates): Updates | undefined {
  return Object.keys(updates).length > 0 ? updates : undefined;
}

interface Revived extends SnapshotEntry {
  readonly phase: Phase;
  readonly failures: number;
}

/**
 * Replaces the whole memory by a snapshot's.
 *
 * @throws InvalidSnapshotError, before anything has changed
 */
export function restoreSnapshot(memory: Machines, registry: Registry, raw: unknown, now: number): RestoreResult {
  const entries = reviveAll(raw);
  const skipped: RestoreResult['skipped'][number][] = [];
  const skip = ({ env, product, tag, cache }: SnapshotEntry, reason: string) => {
    skipped.push({ env, product, tag, ...(cache !== undefined && { cache }), reason });
  };
  const restored = memory.quietly(() => {
    clear(memory);
    const housed = roomFor(memory, registry, entries, skip);
    // The updates of a unit come first: its keys are restored under them.
    const units = housed.filter(([entry]) => entry.cache === undefined);
    for (const [entry, home] of units) amendUnit(memory, home, entry, now, skip);
    for (const [entry, home] of housed) if (entry.cache !== undefined) restoreMachine(memory, home, entry, now, skip);
    // Last, and in order: an env and product is as recently used as it was.
    for (const [entry, home] of units) restoreMachine(memory, home, entry, now, skip);
    return housed.length;
  });
  return { restored, skipped };
}

type Skip = (entry: SnapshotEntry, reason: string) => void;
type Housed = readonly [entry: Revived, home: Home];

function reviveAll(raw: unknown): readonly Revived[] {
  const checked = readSnapshot(raw);
  if (checked.issues) throw new InvalidSnapshotError(checked.issues, checked.thrown);
  const issues: Issue[] = [];
  const addresses = new Set<string>();
  const revived = checked.value.flatMap((entry, index) => {
    const { env, product, tag, cache } = entry;
    const address = JSON.stringify([env, product, tag, cache]);
    const machine = revive(entry.snapshot);
    const problem = addresses.has(address) ? 'expected each machine once, got it again' : machine;
    addresses.add(address);
    if (typeof problem !== 'string') return [{ ...entry, ...problem }];
    issues.push({ path: `machines[${index}]${problem === machine ? '.snapshot' : ''}`, message: problem });
    return [];
  });
  if (issues.length > 0) throw new InvalidSnapshotError(issues);
  return revived;
}

/** The entries that there is a definition and room for. */
function roomFor(memory: Machines, registry: Registry, entries: readonly Revived[], skip: Skip): readonly Housed[] {
  const { cache, maxScopes } = memory.options;
  const scopes = new Set(memory.units().map(({ env, product }) => JSON.stringify([env, product])));
  const keys = new Map<Home, number>();
  // The most recently used come last; they are the ones to keep.
  return [...entries]
    .reverse()
    .flatMap((entry): Housed[] => {
      const home = registry.seek(entry.tag, entry.env, entry.product);
      if (!home) return skipped(skip, entry, 'no such fallback is defined in this env and product');
      const scope = JSON.stringify([entry.env, entry.product]);
      if (!scopes.has(scope) && scopes.size >= maxScopes)
        return skipped(skip, entry, `more than ${maxScopes} env and product pairs`);
      scopes.add(scope);
      const count = (keys.get(home) ?? 0) + Number(entry.cache !== undefined && !entry.updates);
      if (count > cache.max) return skipped(skip, entry, `more than ${cache.max} keys`);
      keys.set(home, count);
      return [[entry, home]];
    })
    .reverse();
}

function skipped(skip: Skip, entry: SnapshotEntry, reason: string): [] {
  skip(entry, reason);
  return [];
}

function amendUnit(memory: Machines, home: Home, entry: Revived, now: number, skip: Skip): void {
  const machine = memory.hold(addressOf(entry), home);
  const { unit } = machine;
  const amended = amendedBy(memory, home, [], entry);
  if (amended.issues) skip(entry, `its updates are refused: ${reasonsOf(amended)}`);
  else {
    unit.updates = amended.value.updates;
    reconfigure(unit, amended.value.configuration, now);
  }
  unit.revisions = entry.revision;
  memory.release(machine);
}

function restoreMachine(memory: Machines, home: Home, entry: Revived, now: number, skip: Skip): void {
  const machine = memory.hold(addressOf(entry), home);
  const { unit } = machine;
  if (entry.cache !== undefined && entry.updates) {
    const amended = amendedBy(memory, home, [unit.updates], entry);
    const refusal = memory.canPin(home) ? reasonsOf(amended) : 'too many keys have some';
    if (amended.issues || refusal) skip(entry, `its updates are refused: ${refusal}`);
    else pin(machine, amended.value.updates, amended.value.configuration);
  }
  if (entry.cache !== undefined) machine.revisions = entry.revision;
  machine.triggers = entry.triggers;
  machine.recoveries = entry.recoveries;
  memory.catchUp(machine, now);
  stand(memory, machine, entry, now);
  memory.release(machine, entry.age);
}

/** Takes the machine to where it stood, as by UPDATE to the configuration now in force. */
function stand(memory: Machines, machine: Machine, { phase, failures, waited }: Revived, now: number): void {
  const { config } = machine.place;
  const step = memory.stepper.step(memory.stepper.place(phase, failures, config), { type: 'UPDATE', config });
  machine.stand(step.to);
  if (step.to.state !== 'exhausted') return;
  const isNew = step.wait === 'anew' || waited === undefined;
  machine.since = isNew ? now : waited === null ? Number.NEGATIVE_INFINITY : now - waited;
}

function amendedBy(
  memory: Machines,
  home: Home,
  below: readonly Updates[],
  { updates = NO_UPDATES }: Revived,
): Checked<Amended> {
  const read = readUpdate(home.definition, updates);
  return read.issues ? read : amend(home.definition, below, NO_UPDATES, read.value, memory.options.timeout);
}

function reasonsOf({ issues = [] }: Checked<unknown>): string {
  return issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
}

function addressOf({ env, product, tag, cache }: Revived): Address {
  return { env, product, tag, cache };
}
