import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import CircuitBreaker from 'opossum';
import { createDuctape, defineFallback } from './engine.ts';
import type { Guard, Work } from './idioms/idiom.ts';

/** A guard whose state can be written out. It refuses calls after two failures, for `coolDown` ms. */
export interface Saved extends Guard {
  save(): unknown;
}

/** Makes one, afresh or of what another saved. */
export type Make = (coolDown: number, saved?: unknown) => Saved;

export const ourSaved: Make = (coolDown, saved) => {
  const tag = 'hazard';
  const run = ({ work }: Record<string, unknown>) => (work as Work)({});
  const definition = defineFallback({
    tag,
    maxRetries: 1,
    resetAfter: coolDown,
    providers: [{ name: 'only', run }],
  });
  const { fallback } = createDuctape({ env: 'test', product: 'torture', fallbacks: [definition] });
  if (saved !== undefined) fallback.restore(saved);
  return {
    call: (work) => fallback.run({ fallback_tag: tag, action: 'trigger', input: { work } }),
    save: () => fallback.snapshot(),
  };
};

export const cockatielSaved: Make = (coolDown, saved) => {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: coolDown,
    breaker: new ConsecutiveBreaker(2),
    initialState: saved,
  });
  return { call: (work) => breaker.execute(work), save: () => breaker.toJSON() };
};

export const opossumSaved: Make = (coolDown, saved) => {
  // `state` and `status` are what its README gives back to the constructor; its types lag behind.
  const given = saved as { readonly state: unknown; readonly status: CircuitBreaker.Status } | undefined;
  const options = { volumeThreshold: 2, errorThresholdPercentage: 1, resetTimeout: coolDown, ...given };
  const breaker = new CircuitBreaker((work: Work) => work({}) as Promise<unknown>, options);
  return { call: (work) => breaker.fire(work), save: () => breaker.toJSON() };
};
