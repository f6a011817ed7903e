import type { AbortableWork, Work } from '../work.ts';

const LONG = 2_147_483_647;

/** What most teams write. */
export function loop(...works: readonly Work[]): Work {
  return async () => {
    const errors: unknown[] = [];
    for (const work of works) {
      try {
        return await work();
      } catch (error) {
        errors.push(error);
      }
    }
    throw new AggregateError(errors);
  };
}

/** What is known of one call while it lasts, and what its owner is told. */
interface Call {
  readonly id: string;
  readonly attempts: { provider: string; attempt: number; outcome: string; error?: unknown; duration: number }[];
  readonly errors: unknown[];
  readonly resolve: (output: number) => void;
  readonly reject: (error: unknown) => void;
}

const CONFIG = Object.freeze({});

/** What a provider is told of its attempt. */
class Context {
  readonly id: string;
  readonly env = 'prd';
  readonly product = 'payments';
  readonly tag = 'payment-failure';
  readonly provider: string;
  readonly attempt = 1;
  readonly config = CONFIG;
  readonly session = undefined;
  readonly #call: Call;
  readonly #before: number;
  #controller: AbortController | undefined;

  constructor(call: Call, provider: string) {
    this.id = call.id;
    this.provider = provider;
    this.#call = call;
    this.#before = call.attempts.length;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get previous(): Call['attempts'] {
    return this.#call.attempts.slice(0, this.#before);
  }
}

/**
 * The same loop, if it is to tell as much as ours of what ran: an id, a context for each provider, a record of each attempt
 * with its duration, and a promise of its own, which something like `close()` can reject while the call lasts. It has no
 * state, and decides nothing that the plain loop does not.
 */
export function recordingLoop(first: Work, ...others: readonly Work[]): Work {
  const providers = others.map((run: (input: unknown, context: Context) => Promise<number>, index) => ({
    name: `provider-${index}`,
    run,
  }));
  const inFlight = new Set<Call>();
  const prefix = `${crypto.randomUUID()}-`;
  let calls = 0;

  const go = async (call: Call, input: unknown): Promise<void> => {
    const { attempts, errors } = call;
    try {
      try {
        call.resolve(await first());
        return;
      } catch (error) {
        errors.push(error);
      }
      for (const { name: provider, run } of providers) {
        const context = new Context(call, provider);
        const start = performance.now();
        try {
          const output = await run(input, context);
          attempts.push({ provider, attempt: 1, outcome: 'succeeded', duration: performance.now() - start });
          call.resolve(output);
          return;
        } catch (error) {
          attempts.push({ provider, attempt: 1, outcome: 'failed', error, duration: performance.now() - start });
          errors.push(error);
        }
      }
      call.reject(new AggregateError(errors));
    } finally {
      inFlight.delete(call);
    }
  };

  return () =>
    new Promise((resolve, reject) => {
      const call = { id: `${prefix}${++calls}`, attempts: [], errors: [], resolve, reject };
      inFlight.add(call);
      void go(call, CONFIG);
    });
}

/** With a controller, a timer and a race for each provider. */
export function loopWithin(ms: number, ...works: readonly AbortableWork[]): Work {
  return loop(...works.map((work) => () => within(ms, work)));
}

async function within(ms: number, work: AbortableWork): Promise<number> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`timed out after ${ms} ms`);
      controller.abort(error);
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}

export class OpenError extends Error {}

/** A flag and a time, looked at before the call. */
export function open(work: Work, refusal = () => new OpenError('the circuit is open')): Work {
  const openUntil = Date.now() + LONG;
  return async () => {
    if (Date.now() < openUntil) throw refusal();
    return work();
  };
}

/** The same, with the error as cheap as it can be: without its stack. */
export function openWithoutStack(work: Work): Work {
  return open(work, () => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const error = new OpenError('the circuit is open');
    Error.stackTraceLimit = stackTraceLimit;
    return error;
  });
}

/** Failures in a row, and until when nothing is to be called. */
export interface Counter {
  failures: number;
  openUntil: number;
}

export function counter(): Counter {
  return { failures: 0, openUntil: 0 };
}

/** A breaker as it is written when no library is at hand; its limit is never reached here. */
export async function guarded(counter: Counter, primary: Work, provider: Work): Promise<number> {
  if (Date.now() >= counter.openUntil) {
    try {
      const output = await primary();
      counter.failures = 0;
      return output;
    } catch {
      if (++counter.failures > LONG) counter.openUntil = Date.now() + LONG;
    }
  }
  return provider();
}
