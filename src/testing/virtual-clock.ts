import type { Clock } from '../index.ts';

/** A clock that goes only when told to. Timers fire in the order of their time, then of their making. */
export interface VirtualClock extends Clock {
  /** Lets everything happen that can happen within `ms`, promises included. @throws RangeError where that is less than 0, or NaN */
  advance(ms: number): Promise<void>;
  /** Advances from timer to timer until none is left. */
  runUntilIdle(): Promise<void>;
  /** How many timers are set. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Virtual time for `createDuctape({ clock })`.
 *
 * @param start what `now()` tells at first, in milliseconds; default: 0
 */
export function virtualClock(start = 0): VirtualClock {
  let now = start;
  let made = 0;
  const timers = new Map<number, Timer>();
  const first = () => {
    let next: Timer | undefined;
    for (const timer of timers.values()) if (!next || timer.at < next.at) next = timer;
    return next;
  };
  const fire = async (timer: Timer) => {
    timers.delete(timer.order);
    now = Math.max(now, timer.at);
    timer.callback();
    await flush();
  };
  return {
    now: () => now,
    setTimeout(callback, ms) {
      const order = ++made;
      timers.set(order, { at: now + ms, order, callback });
      return order;
    },
    clearTimeout: (handle) => void timers.delete(handle as number),
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`expected milliseconds of 0 or more, got ${ms}`);
      const end = now + ms;
      await flush();
      for (let timer = first(); timer && timer.at <= end; timer = first()) await fire(timer);
      // Another advance may have gone further meanwhile.
      now = Math.max(now, end);
    },
    async runUntilIdle() {
      await flush();
      for (let timer = first(); timer; timer = first()) await fire(timer);
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Taken at import, before a test runner's fake timers can take its place. */
const nextTurn = typeof setImmediate === 'function' ? setImmediate : undefined;

/** Resolves once every promise has settled that can settle without time passing. */
export function flush(): Promise<void> {
  // A turn of the event loop, not a timer: it takes no time.
  return new Promise((resolve) => {
    if (nextTurn) nextTurn(resolve);
    else messageTurn(resolve);
  });
}

function messageTurn(resolve: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(undefined);
}
