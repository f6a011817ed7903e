import type { Clock } from '../../../dist/index.js';

/** The longest delay that the engine may ask of a timer. */
const LONGEST = 2_147_483_647;

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly owner: ClockPort;
  /** `undefined` once it is cleared; it leaves the heap when its turn comes. */
  callback: (() => void) | undefined;
}

/**
 * Virtual time made for millions of timers: a binary heap, and whole milliseconds (a delay is rounded up, as real timers
 * do), so that sums and differences of times are exact.
 */
export class HeapClock {
  readonly #heap: Timer[] = [];
  readonly start = 1_000_000;
  #now = this.start;
  #made = 0;

  get now(): number {
    return this.#now;
  }

  /** A view of this clock that counts its own timers. `onFault` hears of a delay that no timer may be given. */
  port(onFault: (ms: number) => void): ClockPort {
    return new ClockPort(this, onFault);
  }

  add(owner: ClockPort, callback: () => void, ms: number): Timer {
    const timer = { at: this.#now + Math.ceil(ms), order: ++this.#made, owner, callback };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  /** Fires the next timer, time going on to it; `false` when none is left. */
  fire(): boolean {
    const timer = this.#next();
    const { callback } = timer ?? {};
    if (!timer || !callback) return false;
    this.#take();
    timer.callback = undefined;
    timer.owner.pending--;
    this.#now = Math.max(this.#now, timer.at);
    callback();
    return true;
  }

  /** Whether another timer is due at this very millisecond. */
  get isDue(): boolean {
    const next = this.#next();
    return next !== undefined && next.at <= this.#now;
  }

  /** The next timer that has not been cleared. */
  #next(): Timer | undefined {
    while (this.#heap[0] && !this.#heap[0].callback) this.#take();
    return this.#heap[0];
  }

  #take(): void {
    const last = this.#heap.pop();
    if (last && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const timer = heap[from] as Timer;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Timer;
      if (!isBefore(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #sink(): void {
    const heap = this.#heap;
    const timer = heap[0] as Timer;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Timer, heap[below] as Timer)) below++;
      if (!isBefore(heap[below] as Timer, timer)) break;
      heap[at] = heap[below] as Timer;
      at = below;
    }
    heap[at] = timer;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** The clock as one owner sees it: an engine, or the soak itself. */
export class ClockPort implements Clock {
  readonly #clock: HeapClock;
  readonly #onFault: (ms: number) => void;
  /** How many timers of this owner are set. */
  pending = 0;

  constructor(clock: HeapClock, onFault: (ms: number) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  now(): number {
    return this.#clock.now;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    if (!(ms >= 0 && ms <= LONGEST)) this.#onFault(ms);
    this.pending++;
    return this.#clock.add(this, callback, ms);
  }

  clearTimeout(handle: unknown): void {
    const timer = handle as Timer;
    if (timer.callback) this.pending--;
    timer.callback = undefined;
  }
}
