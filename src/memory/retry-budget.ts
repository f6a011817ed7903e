import type { RetryBudget as Terms } from '../definition/safety.ts';

const WINDOW = 10_000;
const SLICE = 100;
/** Those of a window, and the one that it begins in. */
const SLICES = WINDOW / SLICE + 1;

interface Slice {
  index: number;
  firsts: number;
  retries: number;
}

/**
 * How many retries a provider may have: over any 10 s that end now, at most `ratio` of its first attempts, and the floor.
 * Counted in slices of a tenth of a second, always to the careful side: of a slice that the window cuts in two, the
 * retries count and the first attempts do not.
 *
 * @see https://sre.google/sre-book/handling-overload/ "per-client retry budget"
 */
export class RetryBudget {
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({
    index: Number.NEGATIVE_INFINITY,
    firsts: 0,
    retries: 0,
  }));

  /** An attempt is made. */
  spend(isRetry: boolean, now: number): void {
    const slice = this.#at(now);
    if (isRetry) slice.retries++;
    else slice.firsts++;
  }

  /** Whether one more retry stays within the budget. */
  affords({ ratio, minPerSecond }: Terms, now: number): boolean {
    const oldest = Math.floor((now - WINDOW) / SLICE);
    let [firsts, retries] = [0, 1];
    for (const slice of this.#slices) {
      if (slice.index >= oldest) retries += slice.retries;
      if (slice.index > oldest) firsts += slice.firsts;
    }
    // 0.29 × 100 is a little less than 29.
    return retries <= ratio * firsts + (minPerSecond * WINDOW) / 1_000 + 1e-9;
  }

  #at(now: number): Slice {
    const index = Math.floor(now / SLICE);
    const slot = ((index % SLICES) + SLICES) % SLICES;
    const known = this.#slices[slot];
    if (known?.index === index) return known;
    const slice = { index, firsts: 0, retries: 0 };
    this.#slices[slot] = slice;
    return slice;
  }
}
