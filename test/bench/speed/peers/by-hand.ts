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
export function open(work: Work): Work {
  const openUntil = Date.now() + LONG;
  return async () => {
    if (Date.now() < openUntil) throw new OpenError('the circuit is open');
    return work();
  };
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
