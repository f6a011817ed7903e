/** A seeded generator (sfc32): the same seed gives the same run, on any machine. @see https://pracrand.sourceforge.net */
export class Random {
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c: number;
  #count = 1;

  constructor(seed: number) {
    this.#c = seed | 0;
    for (let i = 0; i < 15; i++) this.next();
  }

  /** In [0, 1). A function of its own, so that it can be an engine's `random`. */
  readonly next = (): number => {
    const result = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    return (result >>> 0) / 2 ** 32;
  };

  /** A whole number from 0 to `n − 1`. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** A choice among several, some more likely than others. */
export class Choice<T> {
  readonly #values: readonly T[];
  readonly #bounds: readonly number[];
  readonly #total: number;

  constructor(weighted: readonly (readonly [weight: number, value: T])[]) {
    let total = 0;
    this.#bounds = weighted.map(([weight]) => {
      total += weight;
      return total;
    });
    this.#values = weighted.map(([, value]) => value);
    this.#total = total;
  }

  draw(random: Random): T {
    const at = random.next() * this.#total;
    return this.#values[this.#bounds.findIndex((bound) => at < bound)] as T;
  }
}
