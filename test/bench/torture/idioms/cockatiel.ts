import {
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  type FallbackPolicy,
  fallback,
  handleAll,
  handleWhen,
  type IPolicy,
  noop,
  type RetryPolicy,
  retry,
  TimeoutStrategy,
  timeout,
  wrap as wrapPolicies,
} from 'cockatiel';
import { missing } from '../verdict.ts';
import type { Bus, Guard, Idiom, Limits, Plan, Run, Wrapped } from './idiom.ts';

/** What one provider is tried under: `wrap(retry, timeout)`, as far as the plan asks for them. */
function attempts(plan: Plan): IPolicy {
  const policies: IPolicy[] = [];
  if (plan.retries !== undefined || isAlone(plan)) {
    const tries = retry(plan.shouldRetry ? handleWhen(plan.shouldRetry) : handleAll, {
      maxAttempts: plan.retries ?? 0,
      backoff: new ConstantBackoff(plan.backoff ?? 0),
    });
    policies.push(isAlone(plan) ? heard(tries, plan) : tries);
  }
  // Aggressive: the strategy that holds for a provider that does not heed its signal, too.
  if (plan.timeout !== undefined) policies.push(timeout(plan.timeout, TimeoutStrategy.Aggressive));
  return policies.length > 0 ? wrapPolicies(...policies) : noop;
}

/** The listeners hear of the whole: of the outermost fallback, or of the only provider's attempts. */
const isAlone = ({ providers }: Plan) => providers.length === 1;

function heard<P extends RetryPolicy | FallbackPolicy<unknown>>(policy: P, { onFailure, onSuccess }: Plan): P {
  if (onFailure) policy.onFailure(onFailure);
  if (onSuccess) policy.onSuccess(onSuccess);
  return policy;
}

/** Nested fallbacks, made for each call so that every provider gets the caller's signal. */
function chain(plan: Plan): Run {
  const policy = attempts(plan);
  const from = (index: number, signal?: AbortSignal): Promise<unknown> => {
    const work = plan.providers[index] ?? missing('takes one function and its fallback, not a list');
    if (index === plan.providers.length - 1) return policy.execute(work, signal);
    const next = fallback(handleAll, () => from(index + 1, signal));
    return wrapPolicies(index === 0 ? heard(next, plan) : next, policy).execute(work, signal);
  };
  return (signal) => from(0, signal);
}

function guard({ failures, coolDown }: Limits): Guard {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: coolDown,
    breaker: new ConsecutiveBreaker(failures),
  });
  return { call: (work, signal) => breaker.execute(work, signal) };
}

function bus(): Bus {
  const policy = fallback(handleAll, 'fallback');
  return {
    on: (listener) => {
      const { dispose } = policy.onSuccess(listener);
      return dispose;
    },
    tell: () => policy.execute(() => 'answer'),
  };
}

/** A fallback's factory gets no arguments: the policy that needs them is made for each call. */
function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  return (order) => fallback(handleAll, () => backup(order)).execute(() => primary(order));
}

/** Policies of `handleAll`, as in its README. */
export const cockatiel: Idiom = { library: 'cockatiel', chain, guard, bus, wrap };
