import type { Checked } from '../definition/check.ts';
import { type Amended, amend, NO_UPDATES, parted, readUpdate, type Updates } from '../definition/config.ts';
import type { ProviderDefinition } from '../definition/provider.ts';
import type { Address } from '../definition/request.ts';
import { readSnapshot, type SnapshotEntry } from '../definition/snapshot-shape.ts';
import { InvalidSnapshotError } from '../errors.ts';
import { revive, reviveHealth } from '../machine/persist.ts';
import type { Phase } from '../machine/step.ts';
import { spelt } from '../quote.ts';
import type { Issue, RestoreResult } from '../types.ts';
import { clear, pin, reconfigure } from './changes.ts';
import type { RevivedHealth } from './healths.ts';
import type { Home, Unit } from './machine.ts';
import type { Machines } from './machines.ts';
import type { Registry } from './registry.ts';

interface Revived extends Omit<SnapshotEntry, 'health' | 'primary'> {
  readonly phase: Phase;
  readonly failures: number;
  readonly health: readonly RevivedHealth[];
  readonly primary: RevivedHealth | undefined;
}

/**
 * Replaces the whole memory by a snapshot's.
 *
 * @throws InvalidSnapshotError, before anything has changed
 */
export function restoreSnapshot(memory: Machines, registry: Registry, raw: unknown, now: number): RestoreResult {
  const entries = reviveAll(raw);
  const reasons = new Map<Revived, string[]>(entries.map((entry) => [entry, []]));
  const skip: Skip = (entry, reason) => reasons.get(entry)?.push(reason);
  const restored = memory.quietly(() => {
    clear(memory);
    const housed = housedIn(memory, registry, entries, skip);
    // The updates of a unit come first: its keys are restored under them.
    const units = housed.filter(({ entry }) => entry.cache === undefined);
    for (const { entry, home } of units) amendUnit(memory, home, entry, now, skip);
    const keys = keysWithRoom(memory, housed, skip);
    for (const key of keys) restoreMachine(memory, key, now, skip);
    // Last, and in order: an env and product is as recently used as it was.
    for (const unit of units) restoreMachine(memory, unit, now, skip);
    return units.length + keys.length;
  });
  return { restored, skipped: [...reasons].flatMap(([entry, all]) => all.map((reason) => skippedFor(entry, reason))) };
}

function skippedFor({ env, product, tag, cache }: Revived, reason: string): RestoreResult['skipped'][number] {
  return { env, product, tag, ...(cache !== undefined && { cache }), reason };
}

/** Tells why an entry, or a part of it, is not taken over. */
type Skip = (entry: Revived, reason: string) => void;
interface Housed {
  readonly entry: Revived;
  readonly home: Home;
  /** A key's own updates, where they are still right. */
  readonly own?: Amended | undefined;
}

function reviveAll(raw: unknown): readonly Revived[] {
  const checked = readSnapshot(raw);
  if (checked.issues) throw new InvalidSnapshotError(checked.issues, checked.thrown);
  const issues: Issue[] = [];
  const addresses = new Set<string>();
  const revived = checked.value.flatMap((entry, index) => {
    const { env, product, tag, cache } = entry;
    const address = JSON.stringify([env, product, tag, cache]);
    const path = `machines[${index}]`;
    const machine = revive(entry.snapshot);
    const problem = addresses.has(address) ? 'expected each machine once, got it again' : machine;
    addresses.add(address);
    const healths = reviveHealths(entry, path, issues);
    if (typeof problem !== 'string') return [{ ...entry, ...problem, ...healths }];
    issues.push({ path: `${path}${problem === machine ? '.snapshot' : ''}`, message: problem });
    return [];
  });
  if (issues.length > 0) throw new InvalidSnapshotError(issues);
  return revived;
}

function reviveHealths(
  { health = [], primary, cache }: SnapshotEntry,
  path: string,
  issues: Issue[],
): Pick<Revived, 'health' | 'primary'> {
  const read = ({ provider, snapshot, waited, breaker }: NonNullable<typeof primary>, at: string): RevivedHealth[] => {
    const revived = reviveHealth(snapshot);
    if (typeof revived !== 'string') return [{ provider, waited, breaker, ...revived }];
    issues.push({ path: `${path}.${at}.snapshot`, message: revived });
    return [];
  };
  const names = health.map(({ provider }) => provider);
  names.forEach((name, index) => {
    if (names.indexOf(name) === index) return;
    issues.push({ path: `${path}.health[${index}]`, message: `expected each provider once, got ${spelt(name)} again` });
  });
  if (cache !== undefined && (health.length > 0 || primary)) {
    issues.push({ path, message: 'expected no health beside a cache key, on which it does not depend' });
  }
  return {
    health: health.flatMap((one, index) => read(one, `health[${index}]`)),
    primary: primary && read(primary, 'primary')[0],
  };
}

/** The entries that there is a definition for, and room in its env and product. */
function housedIn(memory: Machines, registry: Registry, entries: readonly Revived[], skip: Skip): readonly Housed[] {
  const { maxScopes } = memory.options;
  const scopes = new Set(memory.units().map(({ env, product }) => JSON.stringify([env, product])));
  return latestFirst(entries, (entry) => {
    const home = registry.seek(entry.tag, entry.env, entry.product);
    if (!home) return skipped(skip, entry, 'no such fallback is defined in this env and product');
    const scope = JSON.stringify([entry.env, entry.product]);
    if (!scopes.has(scope) && scopes.size >= maxScopes)
      return skipped(skip, entry, `more than ${maxScopes} env and product pairs`);
    scopes.add(scope);
    return [{ entry, home }];
  });
}

/** The keys that there is room for: in the LRU or, with updates of their own, beside it. */
function keysWithRoom(memory: Machines, housed: readonly Housed[], skip: Skip): readonly Housed[] {
  const { max } = memory.options.cache;
  const counts = new Map<Home, { inLru: number; pinned: number }>();
  const keys = housed.filter(({ entry }) => entry.cache !== undefined);
  return latestFirst(keys, ({ entry, home }) => {
    const count = counts.get(home) ?? { inLru: 0, pinned: 0 };
    counts.set(home, count);
    const own = entry.updates && ownUpdates(memory, home, entry, count.pinned < max, skip);
    if (own) count.pinned++;
    else if (++count.inLru > max) return skipped(skip, entry, `more than ${max} keys`);
    return [{ entry, home, own }];
  });
}

/** The most recently used come last, and are the ones to keep. */
function latestFirst<T>(items: readonly T[], kept: (item: T) => Housed[]): readonly Housed[] {
  return [...items].reverse().flatMap(kept).reverse();
}

/** What a key's own updates make of it, unless they are refused. */
function ownUpdates(memory: Machines, home: Home, entry: Revived, hasRoom: boolean, skip: Skip): Amended | undefined {
  const below = memory.unit(entry)?.updates ?? NO_UPDATES;
  const amended = amendedBy(memory, home, [below], entry);
  const refusal = hasRoom ? reasonsOf(amended) : 'too many keys have some';
  if (!amended.issues && !refusal) return amended.value;
  skip(entry, `its updates are refused: ${refusal}`);
  return undefined;
}

function skipped(skip: Skip, entry: Parameters<Skip>[0], reason: string): [] {
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

function restoreMachine(memory: Machines, { entry, home, own }: Housed, now: number, skip: Skip): void {
  const address = addressOf(entry);
  // What is to be pinned costs no other key its place.
  const machine = memory.hold(address, home, address, own !== undefined);
  const { unit } = machine;
  if (own) pin(machine, own.updates, own.configuration);
  if (entry.cache !== undefined) machine.revisions = entry.revision;
  machine.triggers = entry.triggers;
  machine.recoveries = entry.recoveries;
  memory.catchUp(machine, now);
  machine.resume(memory.stepper, entry, { type: 'UPDATE', config: machine.place.config }, now);
  if (entry.cache === undefined) restoreHealth(memory, unit, entry, now, skip);
  memory.release(machine, entry.age);
}

/** Of a provider that nothing would make healthy again, only what was done by hand is taken over. */
function restoreHealth({ healths }: Machines, unit: Unit, entry: Revived, now: number, skip: Skip): void {
  for (const revived of entry.health) {
    const provider = unit.home.definition.providers.find(({ name }) => name === revived.provider);
    if (provider && isTakenOver(provider, revived)) {
      healths.restore(healths.made(unit, provider), revived, now);
    } else if (revived.phase === 'unhealthy')
      skip(
        entry,
        `the health of ${spelt(revived.provider)}, which ${provider ? 'has neither breaker nor health check' : 'is no provider'} here, is left out`,
      );
  }
  const { primary } = entry;
  if (primary) healths.restore(healths.primary(unit, primary.breaker ?? NO_BREAKER, now), primary, now);
}

function isTakenOver({ isGuarded, breaker, healthcheck }: ProviderDefinition, { phase }: RevivedHealth): boolean {
  return phase === 'unhealthy' ? (breaker ?? healthcheck) !== undefined : isGuarded || phase === 'held';
}

/** Until `wrap` or `call` says which. */
const NO_BREAKER = { failures: Number.POSITIVE_INFINITY, cooldown: 0 };

function amendedBy(
  memory: Machines,
  home: Home,
  below: readonly Updates[],
  { updates = NO_UPDATES }: Revived,
): Checked<Amended> {
  const read = readUpdate(home.definition, updates);
  if (read.issues) return read;
  const { updates: amending, byHand } = parted(read.value);
  if (byHand.length === 0) return amend(home.definition, below, NO_UPDATES, amending, memory.options.timeout);
  const message = 'expected it in the health of the entry, not among its updates';
  return { issues: byHand.map(([name]) => ({ path: `providers.${name}.health`, message })) };
}

function reasonsOf({ issues = [] }: Checked<unknown>): string {
  return issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
}

function addressOf({ env, product, tag, cache }: Revived): Address {
  return { env, product, tag, cache };
}
