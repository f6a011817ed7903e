import { createDuctape, defineFallback } from '../engine.ts';
import type { Bus, Guard, Idiom, Limits, Plan, Run, Work, Wrapped } from './idiom.ts';

const PLACE = { env: 'test', product: 'torture' };
const TAG = 'hazard';

function chain({ providers, timeout = null, retries = 0, backoff = 0, ...rest }: ForOurs): Run {
  const { shouldRetry, onFailure, onSuccess } = rest;
  const definition = defineFallback({
    tag: TAG,
    providers: providers.map((work, index) => ({
      name: `provider ${index + 1}`,
      run: (_input: unknown, context: { readonly signal: AbortSignal }) => work(context),
      timeout,
      retries,
      backoff,
      ...(shouldRetry && { shouldRetry }),
    })),
  });
  const { fallback } = createDuctape({ ...PLACE, fallbacks: [definition] });
  if (onFailure) fallback.on('attempt-ended', ({ outcome }) => (outcome === 'succeeded' ? undefined : onFailure()));
  if (onSuccess) fallback.on('recovered', onSuccess);
  return async (signal) => (await fallback.run({ fallback_tag: TAG, action: 'trigger' }, { signal })).output;
}

type ForOurs = Omit<Plan, 'timeout'> & { readonly timeout?: number | null };

function guard({ failures, coolDown }: Limits): Guard {
  const definition = defineFallback({
    tag: TAG,
    maxRetries: failures - 1,
    resetAfter: coolDown,
    providers: [{ name: 'only', run: ({ work }: Record<string, unknown>, context) => (work as Work)(context) }],
  });
  const { fallback } = createDuctape({ ...PLACE, fallbacks: [definition] });
  return {
    call: async (work, signal) =>
      (await fallback.run({ fallback_tag: TAG, action: 'trigger', input: { work } }, { signal })).output,
    reset: () => fallback.run({ fallback_tag: TAG, action: 'reset' }),
  };
}

function bus(): Bus {
  const definition = defineFallback({ tag: TAG, providers: [{ name: 'only', value: 'answer' }] });
  const { fallback } = createDuctape({ ...PLACE, fallbacks: [definition] });
  return {
    on: (listener) => fallback.on('recovered', listener),
    tell: () => fallback.run({ fallback_tag: TAG, action: 'trigger' }),
  };
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  const definition = defineFallback({
    tag: TAG,
    providers: [{ name: 'backup', run: ({ order }: Record<string, unknown>) => backup(String(order)) }],
  });
  const { fallback } = createDuctape({ ...PLACE, fallbacks: [definition] });
  return fallback.wrap(TAG, primary, { input: (_error, order) => ({ order }) });
}

/** One engine, one definition; the providers are its own. */
export const ours: Idiom = { library: 'ours', chain, guard, bus, wrap };
