import type { Address } from '../definition/request.ts';
import { errorText } from '../quote.ts';
import type { Inspection, ProviderHealth } from '../types.ts';
import type { Health } from './health.ts';
import { type Home, retryAfter, type Unit } from './machine.ts';
import type { Machines } from './machines.ts';
import type { Registry } from './registry.ts';

/** How a fallback, or one key of it, is doing. */
export function inspect(memory: Machines, registry: Registry, address: Address, now: number): Inspection {
  const home = registry.find(address);
  const config = memory.configuration(address, home).values;
  const machine = memory.look(address);
  const revision = machine?.revision ?? memory.unit(address)?.revisions ?? 0;
  const health = healthOf(home, memory.unit(address), now);
  if (!machine)
    return { state: 'idle', failures: 0, config, revision, triggers: 0, recoveries: 0, inFlight: 0, ...health };
  const { place, since, triggers, recoveries, inFlight, lastError } = machine;
  const after = retryAfter(place, since, now);
  const inspection: Inspection = {
    state: place.state,
    failures: place.failures,
    config,
    revision,
    triggers,
    recoveries,
    inFlight,
    ...(lastError && { lastError: lastError.error }),
    ...(after !== undefined && { retryAfter: after }),
    ...health,
  };
  // As JSON the last error is text, without the token of whoever met it.
  const toJSON = () => ({ ...inspection, ...(lastError && { lastError: errorText(lastError) }) });
  return Object.defineProperty(inspection, 'toJSON', { value: toJSON });
}

/** The health of the providers and of the primary, where anything asks for it. */
function healthOf(
  { definition }: Home,
  unit: Unit | undefined,
  now: number,
): Pick<Inspection, 'providers' | 'primary'> {
  const primary = unit?.primary && told(unit.primary, now);
  const isAsked = definition.providers.some(({ isGuarded }) => isGuarded) || unit?.health;
  if (!isAsked) return { ...(primary && { primary }) };
  const entries = definition.providers.map(({ name, isGuarded }) => {
    const health = unit?.health?.get(name);
    const counted = isGuarded ? { inFlight: 0 } : {};
    return [name, health ? told(health, now) : ({ health: 'healthy', failures: 0, ...counted } as const)] as const;
  });
  return { providers: Object.fromEntries(entries), ...(primary && { primary }) };
}

function told(health: Health, now: number): ProviderHealth {
  const { place, inFlight } = health;
  const retryAfter = health.retryAfter(now);
  return { health: place.state, failures: place.failures, inFlight, ...(retryAfter !== undefined && { retryAfter }) };
}
