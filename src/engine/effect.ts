/**
 * What attempts may have done to the world, and what becomes of it: it is used as the answer, or undone, once. It may
 * land before its fate is known, or long after. It has one holder at first, and is unused once none is left.
 */
export class Effect {
  #undo: (() => void) | undefined = undefined;
  #holders = 1;
  #isUsed = false;
  #isUndone = false;

  /** The work was done. */
  land(undo: () => void): void {
    this.#undo ??= undo;
    this.#settle();
  }

  /** One more, for whom it may become the answer. */
  hold(): void {
    this.#holders++;
  }

  /** It is the answer. */
  use(): void {
    if (this.#holders > 0) this.#isUsed = true;
  }

  /** For one of its holders, it will never be the answer. */
  drop(): void {
    this.#holders--;
    this.#settle();
  }

  #settle(): void {
    if (this.#holders > 0 || this.#isUsed || this.#isUndone || !this.#undo) return;
    this.#isUndone = true;
    this.#undo();
  }
}
