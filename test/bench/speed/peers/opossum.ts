import CircuitBreaker from 'opossum';
import type { AbortableWork, Work } from '../work.ts';

const LONG = 2_147_483_647;

/**
 * No more than 100 % of the calls can fail, so it never opens. Percentiles and snapshots, on by default, are off, in its
 * favour: each failing call sums up its statistics, and sorts every latency of ten seconds where percentiles are on.
 */
export const NEVER_OPENS = {
  timeout: false,
  errorThresholdPercentage: 100,
  resetTimeout: LONG,
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
} as const satisfies CircuitBreaker.Options;

export interface Guarded {
  readonly call: Work;
  readonly dispose: () => void;
}

/** Breakers that fall back on one another; the last resort is a plain function. */
export function chained(...works: readonly Work[]): Guarded {
  return chain(works, (work) => new CircuitBreaker(work, { ...NEVER_OPENS }));
}

/** Its signal is one for all calls of a breaker, until it has timed out. */
export function chainedWithin(ms: number, ...works: readonly AbortableWork[]): Guarded {
  const controllers = new Map<Work, AbortController>();
  const bound = works.map((work) => {
    const abortController = new AbortController();
    const own = () => work(abortController.signal);
    controllers.set(own, abortController);
    return own;
  });
  const guard = (work: Work) =>
    new CircuitBreaker(work, { ...NEVER_OPENS, timeout: ms, abortController: controllers.get(work) });
  // The last one too: it has a timeout of its own.
  return chain(bound, guard, bound.map(guard).at(-1));
}

type Breaker = CircuitBreaker<[], number>;

function chain(works: readonly Work[], guard: (work: Work) => Breaker, last?: Breaker): Guarded {
  const breakers = works.slice(0, -1).map(guard);
  if (last) breakers.push(last);
  for (const [index, breaker] of breakers.entries()) {
    const next = breakers[index + 1] ?? works[index + 1];
    if (next) breaker.fallback(next);
  }
  const [first] = breakers;
  if (!first) throw new Error('expected two or more');
  return {
    call: () => first.fire(),
    dispose: () => {
      for (const breaker of breakers) breaker.shutdown();
    },
  };
}

export function open(work: Work): Guarded {
  const breaker = new CircuitBreaker(work, { ...NEVER_OPENS });
  breaker.open();
  return { call: () => breaker.fire(), dispose: () => breaker.shutdown() };
}
