import { ConsecutiveBreaker, circuitBreaker, fallback, handleAll, TimeoutStrategy, timeout, wrap } from 'cockatiel';
import { type AbortableWork, rejects, type Work } from '../work.ts';

const LONG = 2_147_483_647;

/** Each fallback inside the one before it, made once: `fallback(handleAll, () => …).execute(first)`. */
export function nested(...works: readonly Work[]): Work {
  const last = works.at(-1);
  if (!last) throw new Error('expected one or more');
  return works.slice(0, -1).reduceRight<Work>((next, work) => {
    const policy = fallback(handleAll, next);
    return () => policy.execute(work);
  }, last);
}

/** The same policies composed by `wrap`, as its documentation has it; the last resort is the outermost. */
export function composed(first: Work, ...rest: readonly Work[]): Work {
  const policy = wrap(...rest.map((work) => fallback(handleAll, work)).reverse());
  return () => policy.execute(first);
}

/** A fallback around a breaker that keeps count of the primary and does not open on the way. */
export function guarded(primary: Work, provider: Work): Work {
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: LONG, breaker: new ConsecutiveBreaker(LONG) });
  const policy = wrap(fallback(handleAll, provider), breaker);
  return () => policy.execute(primary);
}

/** Each work with a cooperative timeout, in nested fallbacks. It aborts the signal on return unless told not to. */
export function nestedWithin(ms: number, abortOnReturn: boolean, ...works: readonly AbortableWork[]): Work {
  const limited = works.map((work) => {
    const policy = timeout(ms, { strategy: TimeoutStrategy.Cooperative, abortOnReturn });
    return () => policy.execute(({ signal }) => work(signal));
  });
  return nested(...limited);
}

/** Opened by one failure. */
export async function open(): Promise<Work> {
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: LONG, breaker: new ConsecutiveBreaker(1) });
  await breaker.execute(rejects).catch(() => {});
  return () => breaker.execute(rejects);
}
