import { isObject } from '../definition/check.ts';
import { conceal, show, spelt } from '../quote.ts';
import { Attempt, failed, type Outcome, succeeded } from './attempt.ts';
import type { Flight } from './flight.ts';

/** What a verification succeeds with when the work was not done. */
export const NOT_DONE = Symbol('not done');

/** Asks whether an attempt in doubt has done its work. It succeeds with the answer, or with {@link NOT_DONE}. */
export class Verification extends Attempt {
  readonly #provider: string;
  readonly #ask: (attempt: Attempt) => unknown;
  readonly #judge: (output: unknown) => Outcome | PromiseLike<Outcome>;
  readonly #done: (output: unknown) => void;

  /** `done` hears of an output whenever there is one; `judge` says whether it will do, if it comes in time. */
  constructor(
    flight: Flight,
    provider: string,
    ask: (attempt: Attempt) => unknown,
    judge: (output: unknown) => Outcome | PromiseLike<Outcome>,
    done: (output: unknown) => void,
  ) {
    super(flight);
    this.#provider = provider;
    this.#ask = ask;
    this.#judge = judge;
    this.#done = done;
  }

  protected override get who(): string {
    return `the verify of ${spelt(this.#provider)}`;
  }

  protected override work(): unknown {
    return this.#ask(this);
  }

  protected override landed(answer: unknown): void {
    const { done, output } = said(answer);
    if (done === true) this.#done(output);
  }

  protected override judge(answer: unknown): Outcome | PromiseLike<Outcome> {
    const { done, output } = said(answer);
    if (done === true) return this.#judge(output);
    if (done === false) return succeeded(NOT_DONE);
    const got = conceal(show(answer), this.flight.token);
    return failed(new TypeError(`expected { done: true, output } or { done: false } of ${this.who}, got ${got}`));
  }
}

function said(answer: unknown): { readonly done?: unknown; readonly output?: unknown } {
  return isObject(answer) ? answer : {};
}
