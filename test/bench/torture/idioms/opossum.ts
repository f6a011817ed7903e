import CircuitBreaker from 'opossum';
import { missing } from '../verdict.ts';
import type { Bus, Guard, Idiom, Limits, Plan, Run, Work, Wrapped } from './idiom.ts';

/** A statistic of this many calls is never reached here: the breakers of a chain stay closed. */
const NEVER_OPEN = { volumeThreshold: 1_000 };

/** A breaker for each provider, each the fallback of the one before it; the `AbortController` is the README's. */
function chain(plan: Plan): Run {
  if (plan.retries) missing('no retries');
  const controller = new AbortController();
  const breakers = plan.providers.map(
    (work) =>
      new CircuitBreaker(action(work, controller.signal), {
        ...NEVER_OPEN,
        abortController: controller,
        ...(plan.timeout !== undefined && { timeout: plan.timeout }),
        ...(plan.shouldRetry && { errorFilter: plan.shouldRetry }),
      }),
  );
  breakers.forEach((breaker, index) => {
    const next = breakers[index + 1];
    if (next) breaker.fallback(next);
  });
  const [first] = breakers;
  if (!first) missing('takes no list of providers');
  if (plan.onFailure) first.on('failure', plan.onFailure);
  if (plan.onSuccess) first.on('success', plan.onSuccess);
  return (signal) => {
    if (signal) missing('no signal of a call; its AbortController is the breaker’s, for timeouts');
    return first.fire();
  };
}

/** The action, typed as it wants it; nothing is done to what it returns or throws. */
function action(work: Work, signal: AbortSignal): () => Promise<unknown> {
  return () => work({ signal }) as Promise<unknown>;
}

/** Opens once one in a hundred calls fails, `failures` calls at the least. */
function guard({ failures, coolDown, probeLimit }: Limits): Guard {
  const breaker = new CircuitBreaker((work: Work) => work({}) as Promise<unknown>, {
    volumeThreshold: failures,
    errorThresholdPercentage: 1,
    resetTimeout: coolDown,
    ...(probeLimit !== undefined && { timeout: probeLimit }),
  });
  return {
    call: (work, signal) => {
      if (signal) missing('no signal of a call; its AbortController is the breaker’s, for timeouts');
      return breaker.fire(work);
    },
    reset: () => breaker.close(),
  };
}

function bus(): Bus {
  const breaker = new CircuitBreaker(async () => 'answer');
  return {
    on: (listener) => {
      breaker.on('success', listener);
      return () => breaker.off('success', listener);
    },
    tell: () => breaker.fire(),
  };
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  const breaker = new CircuitBreaker(primary, { ...NEVER_OPEN });
  breaker.fallback(backup);
  return (order) => breaker.fire(order);
}

export const opossum: Idiom = { library: 'opossum', chain, guard, bus, wrap };
