type Provider<I> = (input: I, context: { readonly signal: AbortSignal }) => unknown;

export interface LoopOptions<I> {
  providers: readonly Provider<I>[];
  /** Milliseconds for one attempt. */
  timeout?: number;
  retries?: number;
  /** Milliseconds between attempts. */
  backoff?: number;
  shouldRetry?: (error: unknown) => boolean;
  /** After so many failed calls in a row nobody is called for `resetAfter` ms. */
  maxFailures?: number;
  resetAfter?: number;
}

type Listener = (event: 'success' | 'failure') => unknown;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Providers in order with timeouts, retries and a pause when all is down: what a good team writes in an afternoon. */
export function createLoop<I>(options: LoopOptions<I>) {
  const listeners = new Set<Listener>();
  const states = new Map<string, { failures: number; openUntil: number }>();
  // Stay with the provider that works.
  let current = 0;

  const emit = (event: 'success' | 'failure') => {
    for (const listener of listeners) listener(event);
  };

  async function attempt(provider: Provider<I>, input: I, caller?: AbortSignal) {
    const controller = new AbortController();
    const signal = caller ? AbortSignal.any([caller, controller.signal]) : controller.signal;
    const work = provider(input, { signal });
    if (options.timeout === undefined) return work;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => {
        controller.abort();
        reject(new Error(`timed out after ${options.timeout} ms`));
      }, options.timeout);
    });
    return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
  }

  async function tryAll(input: I, signal?: AbortSignal) {
    let lastError: unknown;
    for (let turn = 0; turn < options.providers.length; turn++) {
      const provider = options.providers[current] as Provider<I>;
      for (let retry = 0; retry <= (options.retries ?? 0); retry++) {
        try {
          if (retry > 0) await sleep(options.backoff ?? 0);
          const result = await attempt(provider, input, signal);
          emit('success');
          return result;
        } catch (error) {
          lastError = error;
          emit('failure');
          if (options.shouldRetry && !options.shouldRetry(error)) break;
        }
      }
      current = (current + 1) % options.providers.length;
    }
    throw lastError;
  }

  async function run(input: I, { signal, tenant = '', key = '' }: RunOptions = {}) {
    const id = `${tenant}:${key}`;
    const state = states.get(id) ?? { failures: 0, openUntil: 0 };
    states.set(id, state);
    if (Date.now() < state.openUntil) throw new Error('all providers are down');
    try {
      const result = await tryAll(input, signal);
      state.failures = 0;
      state.openUntil = 0;
      return result;
    } catch (error) {
      state.failures++;
      if (state.failures >= (options.maxFailures ?? 5)) state.openUntil = Date.now() + (options.resetAfter ?? 30_000);
      throw error;
    }
  }

  return {
    run,
    reset: () => states.clear(),
    on(listener: Listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export interface RunOptions {
  signal?: AbortSignal | undefined;
  tenant?: string;
  key?: string;
}
