/**
 * What an attempt may have done to the world, and what becomes of it: it is used as the answer, or undone, once. It may
 * land before its fate is known, or long after.
 */
export class Effect {
  readonly #undo: (output: unknown) => void;
  #landed: { readonly output: unknown } | undefined = undefined;
  #fate: 'open' | 'used' | 'unused' | 'undone' = 'open';

  constructor(undo: (output: unknown) => void) {
    this.#undo = undo;
  }

  /** The work was done. */
  land(output: unknown): void {
    this.#landed ??= { output };
    this.#settle();
  }

  /** It is the answer. */
  use(): void {
    if (this.#fate === 'open') this.#fate = 'used';
  }

  /** It will never be the answer. */
  drop(): void {
    if (this.#fate === 'open') this.#fate = 'unused';
    this.#settle();
  }

  #settle(): void {
    if (this.#fate !== 'unused' || !this.#landed) return;
    this.#fate = 'undone';
    this.#undo(this.#landed.output);
  }
}
