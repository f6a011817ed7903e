import type { Checked } from '../definition/check.ts';
import { amend, type ByHand, type Configuration, NO_UPDATES, type Updates } from '../definition/config.ts';
import type { Address } from '../definition/request.ts';
import type { Where } from '../errors.ts';
import { canon } from './canon.ts';
import { type Home, healthsOf, limit, type Machine, type Unit } from './machine.ts';
import type { Machines } from './machines.ts';

/**
 * Applies an update: to a key alone, or to a whole unit, whose keys follow when next used. What is refused touches nothing,
 * not even the order in which keys are forgotten.
 */
export function update(
  memory: Machines,
  address: Address,
  home: Home,
  change: Updates,
  now: number,
  where?: Where,
): Checked<Machine | undefined> {
  const { timeout, cache } = memory.options;
  const isKey = address.cache !== undefined;
  const whole = memory.unit(address)?.updates ?? NO_UPDATES;
  const own = isKey ? memory.peek(address)?.own : undefined;
  const [below, before] = isKey ? [[whole], own?.updates ?? NO_UPDATES] : [[], whole];
  const amended = amend(home.definition, below, before, change, timeout);
  if (amended.issues) return amended;
  const { updates, configuration } = amended.value;
  if (isKey && !own) {
    if (Object.keys(updates).length === 0) return { value: memory.look(address) };
    if (!memory.canPin(home)) return { issues: [{ path: 'cache', message: tooMany(cache.max) }] };
  }
  // Nobody hears of it before it is done: a listener may update, too.
  return memory.quietly(() => {
    const machine = memory.hold(address, home, where, isKey);
    if (isKey) pin(machine, updates, configuration);
    else {
      machine.unit.updates = updates;
      reconfigure(machine.unit, configuration, now);
    }
    memory.catchUp(machine, now);
    memory.release(machine);
    return { value: machine };
  });
}

/** What `reset` forgets: the state; with `config` the updates; with `keys` the same of every key of the fallback. */
export function reset(
  memory: Machines,
  address: Address,
  { config = false, keys = false },
  now: number,
  where: Where = address,
): void {
  const unit = memory.unit(address);
  if (!unit) return;
  memory.quietly(() => {
    if (config && address.cache === undefined) {
      unit.updates = NO_UPDATES;
      reconfigure(unit, unit.home.configuration, now);
    }
    const machines = new Set(keys ? memory.keysOf(unit) : []);
    const addressed = memory.peek(address);
    if (addressed) machines.add(addressed);
    for (const machine of machines) renew(memory, machine, config, now);
  });
  if (address.cache === undefined) {
    for (const health of healthsOf(unit)) memory.healths.move(health, { type: 'HEAL' }, now, where);
  }
}

/** Makes providers healthy, or unhealthy until they are made healthy or reset. */
export function setHealth(
  memory: Machines,
  address: Address,
  home: Home,
  byHand: ByHand,
  now: number,
  where: Where,
): void {
  const unit = memory.unit(address);
  for (const [name, verdict] of byHand) {
    const provider = home.definition.providers.find((one) => one.name === name);
    if (!unit || !provider) continue;
    const health = memory.healths.made(unit, provider);
    memory.healths.move(health, { type: verdict === 'healthy' ? 'HEAL' : 'HOLD' }, now, where);
  }
}

/** Forgets all that is not in flight; what is becomes as good as new, and its outcome will count for nothing. */
export function clear(memory: Machines): void {
  memory.forgetExpired();
  for (const [machine] of [...memory.keyed()]) if (machine.inFlight === 0) memory.delete(machine);
  for (const unit of memory.units()) {
    unit.updates = NO_UPDATES;
    unit.configuration = unit.home.configuration;
    for (const machine of [unit.machine, ...memory.keysOf(unit)]) {
      renew(memory, machine, true, 0);
      machine.life++;
      machine.revisions = machine.triggers = machine.recoveries = 0;
    }
    unit.revisions = 0;
    unit.limits.length = 0;
    for (const health of healthsOf(unit)) memory.healths.renew(health);
  }
  memory.dropClean();
}

function renew(memory: Machines, machine: Machine, config: boolean, now: number): void {
  if (config) unpin(machine);
  memory.move(machine, { type: 'RESET' }, now);
  memory.catchUp(machine, now);
  machine.lastError = undefined;
}

/** Gives a keyed machine updates of its own, which last until they are dropped. */
export function pin(machine: Machine, updates: Updates, configuration: Configuration): void {
  const { unit, own } = machine;
  const now = own?.configuration ?? unit.configuration;
  const changed = !sameConfiguration(now, configuration);
  machine.revisions += Number(changed);
  machine.own = { updates, configuration: changed ? configuration : now, base: unit.configuration };
  if (own) return;
  unit.amended++;
  unit.home.keyed?.pin(machine.key as string, machine);
}

function unpin(machine: Machine): void {
  const { unit, own, key } = machine;
  if (!own || key === undefined) return;
  machine.own = undefined;
  machine.revisions += Number(!sameConfiguration(own.configuration, unit.configuration));
  unit.amended--;
  unit.home.keyed?.unpin(key, machine);
}

export function reconfigure(unit: Unit, configuration: Configuration, now: number): void {
  if (sameConfiguration(unit.configuration, configuration)) return;
  if (unit.configuration.maxRetries !== configuration.maxRetries) limit(unit, now);
  unit.configuration = sameConfiguration(unit.home.configuration, configuration)
    ? unit.home.configuration
    : configuration;
  unit.revisions++;
}

/** Whether two configurations are the same to everyone. A setting that may hide anything is, if it was made of the same. */
export function sameConfiguration(one: Configuration, other: Configuration): boolean {
  const keys = Object.keys({ ...one.values, ...other.values }) as (keyof Configuration['values'])[];
  return keys.every((key) => {
    const [value, counterpart] = [one.values[key], other.values[key]];
    if (value === counterpart) return true;
    const text = canon(value);
    return text === canon(counterpart) && (text !== undefined || canon(one.given) === canon(other.given));
  });
}

function tooMany(max: number): string {
  return `expected at most ${max} keys with updates of their own (the cache's max), got one more; reset one with config: true`;
}
