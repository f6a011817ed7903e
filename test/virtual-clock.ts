import type { Clock } from '../src/index.ts';

/** A clock that goes only when told to; timers fire in order of their time, then of their making. */
export interface VirtualClock extends Clock {
  /** Lets everything happen that can happen within `ms`, promises included. */
  advance(ms: number): Promise<void>;
  /** Advances from timer to timer until none is left. */
  runUntilIdle(): Promise<void>;
  /** How many timers are set. */
  readonly pending: number;
}

export function virtualClock(start = 0): VirtualClock {
  let now = start;
  let made = 0;
  const timers = new Map<number, { readonly at: number; readonly callback: () => void }>();
  const next = () => [...timers].sort(([a, one], [b, other]) => one.at - other.at || a - b)[0];
  return {
    now: () => now,
    setTimeout(callback, ms) {
      timers.set(++made, { at: now + ms, callback });
      return made;
    },
    clearTimeout: (handle) => void timers.delete(handle as number),
    async advance(ms) {
      const end = now + ms;
      await settled();
      for (let timer = next(); timer && timer[1].at <= end; timer = next()) {
        timers.delete(timer[0]);
        now = Math.max(now, timer[1].at);
        timer[1].callback();
        await settled();
      }
      now = end;
    },
    async runUntilIdle() {
      await settled();
      for (let timer = next(); timer; timer = next()) await this.advance(timer[1].at - now);
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Every promise that can settle without time passing has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How many runs a law gets. */
export const RUNS = process.env.DEEP ? 100_000 : 1_000;
