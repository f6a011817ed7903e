import type { Clock } from '../types.ts';

/** The time of a trigger: read when it is asked for, and the same until someone else may have taken theirs. */
export class Time {
  readonly #clock: Clock;
  /** NaN until it is read. */
  #now = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    if (Number.isNaN(this.#now)) this.#now = this.#clock.now();
    return this.#now;
  }

  /** Someone has been asked, or waited for: it is later now. */
  pass(): void {
    this.#now = Number.NaN;
  }
}
