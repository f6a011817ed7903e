import type { Trace, TraceEntry } from './trace.ts';

/**
 * The effects that stand at the end of a trace, in the order in which they landed: those that were undone do not, and of
 * those of an idempotent provider in one trigger, which are one and the same, the first does.
 */
export function standing(trace: Trace): readonly TraceEntry[] {
  const undone = new Set(trace.filter(({ type }) => type === 'compensated').map(attemptOf));
  const gone = new Set<string>();
  const first = new Map<string, TraceEntry>();
  const effects = trace.filter(({ type }) => type === 'effect');
  for (const effect of effects.filter(({ idempotent }) => idempotent)) {
    const work = workOf(effect);
    if (!first.has(work)) first.set(work, effect);
    if (undone.has(attemptOf(effect))) gone.add(work);
  }
  return effects.filter((effect) => {
    if (!effect.idempotent) return !undone.has(attemptOf(effect));
    return first.get(workOf(effect)) === effect && !gone.has(workOf(effect));
  });
}

function workOf({ trigger, provider }: TraceEntry): string {
  return JSON.stringify([trigger, provider]);
}

export type Attempted = Pick<TraceEntry, 'trigger' | 'provider' | 'attempt'>;

/** Tells attempts apart. */
export function attemptOf({ trigger, provider, attempt }: Attempted): string {
  return JSON.stringify([trigger, provider, attempt]);
}
