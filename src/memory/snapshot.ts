import type { Updates } from '../definition/config.ts';
import { persist, persistHealth } from '../machine/persist.ts';
import type { MachineEntry, Snapshot } from '../types.ts';
import { healthsOf, type Machine, type Unit } from './machine.ts';
import { type Machines, whereOf } from './machines.ts';

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
  memory.catchUp(machine);
  const isKey = machine.key !== undefined;
  const revision = isKey ? machine.revisions : unit.revisions;
  const updates = isKey ? machine.own?.updates : given(unit.updates);
  const { place } = machine;
  const health = isKey ? {} : healthEntries(memory, unit, now);
  // A key that is pinned stays so, whatever has become of its updates; among several envs and products, a unit's own machine
  // tells by its place when it was last used.
  const isFresh =
    place.state === 'idle' && triggers + recoveries + revision + Object.keys(health).length === 0 && !updates;
  // A key has its place in the LRU, used or not.
  if (isFresh && !isKey && (unit.keys === 0 || memory.scopeCount === 1)) return [];
  const { cache, ...where } = whereOf(machine);
  return [
    {
      ...where,
      ...(cache !== undefined && { cache }),
      snapshot: persist(memory.stepper, place),
      triggers,
      recoveries,
      revision,
      ...(updates && { updates }),
      ...(place.state === 'exhausted' && { waited: machine.waited(now) }),
      ...(age !== undefined && { age }),
      ...health,
    },
  ];
}

/** The health of a unit's providers and of its primary, where it is not as new. */
function healthEntries({ healths }: Machines, unit: Unit, now: number): Pick<MachineEntry, 'health' | 'primary'> {
  const { primary } = unit;
  const written = healthsOf(unit).flatMap((one) => {
    const { place, provider, cooldown } = one;
    if (place.phase === 'healthy' && place.failures === 0) return [];
    // Who is held by hand waits for nothing.
    const waited = place.phase === 'healthy' || place.phase === 'held' ? undefined : one.waited(now);
    const snapshot = persistHealth(healths.stepper, place);
    const { failures } = place.config;
    // One that is still to be told by `wrap` or `call` is none, and Infinity no JSON.
    const isKnown = one === primary && cooldown !== null && Number.isFinite(failures);
    const breaker = isKnown ? { breaker: { failures, cooldown } } : {};
    return [{ one, entry: { provider, snapshot, ...(waited !== undefined && { waited }), ...breaker } }];
  });
  const providers = written.filter(({ one }) => one !== primary).map(({ entry }) => entry);
  const own = written.find(({ one }) => one === primary)?.entry;
  return { ...(providers.length > 0 && { health: providers }), ...(own && { primary: own }) };
}

function given(updates: Updates): Updates | undefined {
  return Object.keys(updates).length > 0 ? updates : undefined;
}
