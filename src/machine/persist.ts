import { show } from '../quote.ts';
import type { Limits } from './fallback-machine.ts';
import type { Phase, Place, Stepper } from './step.ts';

/** A place as XState persists it, as plain JSON and without the configuration; a probe under way is taken as abandoned. */
export function persist<C extends Limits>(stepper: Stepper<C>, place: Place<C>): Record<string, unknown> {
  const { snapshot } = place.phase === 'probing' ? stepper.place('cooling', place.failures, place.config) : place;
  const persisted = stepper.machine.getPersistedSnapshot(snapshot as never);
  return JSON.parse(JSON.stringify({ ...persisted, context: { failures: place.failures } }));
}

/**
 * What a persisted snapshot says, or what is wrong with it. XState would take `idle` with three failures, a count that is no
 * number, or a state that does not exist, without a word.
 */
export function revive(persisted: unknown): { readonly phase: Phase; readonly failures: number } | string {
  const { status, value, context } = Object(persisted) as { status?: unknown; value?: unknown; context?: unknown };
  const { failures } = Object(context) as { failures?: unknown };
  const phase = phaseOf(value);
  if (status !== 'active') return `expected the status "active", got ${show(status)}`;
  if (!Number.isSafeInteger(failures) || (failures as number) < 0) {
    return `expected failures to be a whole number of 0 or more, got ${show(failures)}`;
  }
  if (!phase) return `expected the value "idle", "triggered" or { "exhausted": "cooling" }, got ${show(value)}`;
  if (phase === 'idle' && failures !== 0) return `expected no failures in idle, got ${show(failures)}`;
  if (phase === 'cooling' && failures === 0) return 'expected failures in exhausted, got none';
  return { phase, failures: failures as number };
}

function phaseOf(value: unknown): Phase | undefined {
  if (value === 'idle' || value === 'triggered') return value;
  const keys = Object.keys(Object(value));
  return keys.length === 1 && (value as { exhausted?: unknown }).exhausted === 'cooling' ? 'cooling' : undefined;
}
