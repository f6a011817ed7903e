import type { Address } from '../definition/request.ts';
import { errorText } from '../quote.ts';
import type { Inspection } from '../types.ts';
import { retryAfter } from './machine.ts';
import type { Machines } from './machines.ts';
import type { Registry } from './registry.ts';

/** How a fallback, or one key of it, is doing. */
export function inspect(memory: Machines, registry: Registry, address: Address, now: number): Inspection {
  const home = registry.find(address);
  const config = memory.configuration(address, home).values;
  const machine = memory.look(address);
  const revision = machine?.revision ?? memory.unit(address)?.revisions ?? 0;
  if (!machine) return { state: 'idle', failures: 0, config, revision, triggers: 0, recoveries: 0, inFlight: 0 };
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
  };
  // As JSON the last error is text, without the token of whoever met it.
  const toJSON = () => ({ ...inspection, ...(lastError && { lastError: errorText(lastError) }) });
  return Object.defineProperty(inspection, 'toJSON', { value: toJSON });
}
