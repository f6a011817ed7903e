import pRetry from 'p-retry';
import { missing } from '../verdict.ts';
import type { Idiom, Plan, Run, Wrapped } from './idiom.ts';

/** One run of attempts over all providers: the attempt's number says whose turn it is. */
function chain({ providers, timeout, retries = 0, backoff = 0, shouldRetry, onFailure, onSuccess }: Plan): Run {
  if (timeout !== undefined) missing('no timeout of an attempt');
  if (onSuccess) missing('no listener for successes');
  if (providers.length === 0) missing('takes one function, not a list of providers');
  const each = 1 + retries;
  return (signal) =>
    pRetry((attempt) => providers[Math.floor((attempt - 1) / each)]?.({ signal }), {
      retries: providers.length * each - 1,
      minTimeout: backoff,
      factor: 1,
      signal,
      ...(shouldRetry && { shouldRetry: ({ error }) => shouldRetry(error) }),
      ...(onFailure && { onFailedAttempt: async () => void (await onFailure()) }),
    });
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  return (order) => chain({ providers: [() => primary(order), () => backup(order)] })();
}

export const pRetryIdiom: Idiom = {
  library: 'p-retry',
  chain,
  guard: () => missing('remembers nothing between calls'),
  bus: () => missing('no listeners; callbacks belong to one call'),
  wrap,
};
