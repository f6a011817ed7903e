import type { Settled } from './settle.ts';

/** Whether this error, or whatever was thrown, can be reached from what a call was rejected with. */
export function leadsTo(settled: Settled, error: unknown): boolean {
  return settled.kind === 'rejected' && reach(settled.reason).some((met) => Object.is(met, error));
}

/** Everything that an error leads to: itself, its causes, the errors it holds. */
function reach(error: unknown): unknown[] {
  const found: unknown[] = [];
  const visit = (value: unknown) => {
    if (found.some((known) => Object.is(known, value))) return;
    found.push(value);
    if (typeof value !== 'object' || value === null) return;
    if ('cause' in value) visit(value.cause);
    if ('errors' in value && Array.isArray(value.errors)) value.errors.forEach(visit);
  };
  visit(error);
  return found;
}
