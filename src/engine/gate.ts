import type { ProviderDefinition } from '../definition/provider.ts';
import type { Leave } from '../memory/health.ts';
import type { Unit } from '../memory/machine.ts';
import type { Machines } from '../memory/machines.ts';
import type { AttemptRecord } from '../types.ts';
import type { Flight } from './flight.ts';
import { checkUp } from './health-check.ts';

type Refusal = NonNullable<AttemptRecord['reason']>;

/**
 * Leave to make an attempt, where the triggers together have a say in it (health, concurrency, the budget of retries); or
 * why not.
 *
 * @param isDesperate health does not matter: there is nobody else to ask
 */
export function pass(
  memory: Machines,
  unit: Unit,
  flight: Flight,
  provider: ProviderDefinition,
  number: number,
  now: number,
  isDesperate: boolean,
): Leave | Refusal | undefined {
  const { retryBudget } = unit.home.definition;
  if (!retryBudget && !provider.isGuarded && !unit.health) return undefined;
  if (number > 1 && !affordsRetry(memory, unit, provider, now)) return 'budget';
  const health = memory.healths.of(unit, provider);
  if (health) checkUp(memory.healths, flight.flights, unit, provider, health, now);
  const leave = health && memory.healths.admit(health, provider.concurrency, now, flight, isDesperate);
  if (retryBudget && typeof leave !== 'string') memory.budget(unit, provider.name).spend(number > 1, now);
  return leave;
}

/** Whether the budget allows one more retry. */
export function affordsRetry(memory: Machines, unit: Unit, { name }: ProviderDefinition, now: number): boolean {
  const { retryBudget } = unit.home.definition;
  return !retryBudget || memory.budget(unit, name).affords(retryBudget, now);
}

/** Whether it is clear already that an attempt at that time would be passed over: the breaker has just tripped. */
export function isShut(unit: Unit, { name }: ProviderDefinition, at: number): boolean {
  const health = unit.health?.get(name);
  return health !== undefined && health.place.state !== 'healthy' && !health.hasWaited(health.cooldown, at);
}
