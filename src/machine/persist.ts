import type { AnyStateMachine } from 'xstate';
import { show } from '../quote.ts';
import type { Limits } from './fallback-machine.ts';
import type { HealthPhase, HealthPlace, HealthStepper } from './health-machine.ts';
import type { Phase, Place, Stepper } from './step.ts';

/** A place as XState persists it, as plain JSON and without the configuration; a probe under way is taken as abandoned. */
export function persist<C extends Limits>(stepper: Stepper<C>, place: Place<C>): Record<string, unknown> {
  return written(stepper, place.phase === 'probing' ? stepper.place('cooling', place.failures, place.config) : place);
}

/** The same of a provider's health. */
export function persistHealth(stepper: HealthStepper, place: HealthPlace): Record<string, unknown> {
  return written(stepper, place.phase === 'probing' ? stepper.place('unhealthy', place.failures, place.config) : place);
}

function written(
  { machine }: { readonly machine: AnyStateMachine },
  { snapshot, failures }: { readonly snapshot: ReturnType<AnyStateMachine['resolveState']>; readonly failures: number },
): Record<string, unknown> {
  // Without the configuration, which XState would write out as well, only for it to be left out.
  return JSON.parse(JSON.stringify(machine.getPersistedSnapshot({ ...snapshot, context: { failures } })));
}

/**
 * What a persisted snapshot says, or what is wrong with it. XState would take `idle` with three failures, a count that is no
 * number, or a state that does not exist, without a word.
 */
export function revive(persisted: unknown): { readonly phase: Phase; readonly failures: number } | string {
  const read = readPersisted(persisted);
  if (typeof read === 'string') return read;
  const { value, failures } = read;
  const phase = phaseOf(value);
  if (!phase) return `expected the value "idle", "triggered" or { "exhausted": "cooling" }, got ${show(value)}`;
  if (phase === 'idle' && failures !== 0) return `expected no failures in idle, got ${show(failures)}`;
  if (phase === 'cooling' && failures === 0) return 'expected failures in exhausted, got none';
  return { phase, failures };
}

const HEALTH_PHASES: readonly unknown[] = ['healthy', 'unhealthy', 'held'];

/** The same of a provider's health. */
export function reviveHealth(persisted: unknown): { readonly phase: HealthPhase; readonly failures: number } | string {
  const read = readPersisted(persisted);
  if (typeof read === 'string') return read;
  const { value, failures } = read;
  if (HEALTH_PHASES.includes(value)) return { phase: value as HealthPhase, failures };
  return `expected the value "healthy", "unhealthy" or "held", got ${show(value)}`;
}

function readPersisted(persisted: unknown): { readonly value: unknown; readonly failures: number } | string {
  const { status, value, context } = Object(persisted) as { status?: unknown; value?: unknown; context?: unknown };
  const { failures } = Object(context) as { failures?: unknown };
  if (status !== 'active') return `expected the status "active", got ${show(status)}`;
  if (Number.isSafeInteger(failures) && (failures as number) >= 0) return { value, failures: failures as number };
  return `expected failures to be a whole number of 0 or more, got ${show(failures)}`;
}

function phaseOf(value: unknown): Phase | undefined {
  if (value === 'idle' || value === 'triggered') return value;
  const keys = Object.keys(Object(value));
  return keys.length === 1 && (value as { exhausted?: unknown }).exhausted === 'cooling' ? 'cooling' : undefined;
}
