import { LONGEST } from '../definition/check.ts';
import { isThenable } from '../definition/standard.ts';
import { AttemptTimeoutError } from '../errors.ts';
import { show } from '../quote.ts';
import { Abortable } from './context.ts';
import type { Flight, Interruption, Waiter } from './flight.ts';

/** What became of one guarded call. Failure is a value here; only the face throws. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  /** `by`: who failed. `work` threw; `output` is not acceptable; a `predicate` is at fault, which no retry would mend. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly by: 'work' | 'output' | 'predicate' }
  | { readonly kind: 'timed-out'; readonly error: unknown }
  | { readonly kind: 'aborted'; readonly error: unknown };

export const succeeded = (output: unknown): Outcome => ({ kind: 'succeeded', output });
export type Failure = Exclude<Outcome, { readonly kind: 'succeeded' }>;
export const failed = (error: unknown, by: 'work' | 'output' | 'predicate' = 'work'): Failure => ({
  kind: 'failed',
  error,
  by,
});

/** How an attempt that was given up on settled later. */
export type OnLate = (outcome: 'fulfilled' | 'rejected', error: unknown) => void;

/**
 * One call that can end in more ways than its own: by its timeout, or with its flight. What `work` does after that is
 * swallowed, and told to `onLate`.
 */
export class Attempt implements Waiter {
  readonly #flight: Flight;
  readonly #context: Abortable;
  readonly #who: string;
  readonly #onLate: OnLate | undefined;
  #outcome: Outcome | undefined;
  #done: ((outcome: Outcome) => void) | undefined;
  #timer: unknown;

  constructor(flight: Flight, context: Abortable, who: string, onLate?: OnLate) {
    this.#flight = flight;
    this.#context = context;
    this.#who = who;
    this.#onLate = onLate;
    flight.waiter = this;
  }

  /** How it has ended, if it has: before it began, even, where its flight is over. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** The outcome of what `work` returned, at once where nothing had to be waited for. */
  settle(
    result: unknown,
    judge: (output: unknown) => Outcome | PromiseLike<Outcome>,
    timeout: number | null,
    start: number,
  ) {
    try {
      if (isThenable(result)) return this.#pend(result, judge, timeout, start);
      if (this.#outcome) return this.#outcome;
      const verdict = judge(result);
      if (isThenable(verdict)) return this.#pend(verdict, asJudged, timeout, start);
      return this.end(verdict as Outcome);
    } catch (error) {
      return this.end(failed(error));
    }
  }

  /** The first outcome stands. */
  end(outcome: Outcome): Outcome {
    if (this.#outcome) return this.#outcome;
    this.#outcome = outcome;
    if (this.#flight.waiter === this) this.#flight.waiter = undefined;
    if (this.#timer !== undefined) this.#flight.flights.clock.clearTimeout(this.#timer);
    this.#done?.(outcome);
    return outcome;
  }

  wake({ kind, error }: Interruption): void {
    this.#giveUp({ kind: kind === 'deadline' ? 'timed-out' : 'aborted', error });
  }

  #giveUp(outcome: Outcome & { readonly error: unknown }): void {
    if (this.#outcome) return;
    this.end(outcome);
    Abortable.abort(this.#context, outcome.error);
  }

  #pend(
    work: PromiseLike<unknown>,
    judge: (output: unknown) => Outcome | PromiseLike<Outcome>,
    timeout: number | null,
    start: number,
  ): Outcome | Promise<Outcome> {
    this.#follow(work, judge);
    if (this.#outcome) return this.#outcome;
    this.#flight.arm();
    if (timeout !== null) this.#limit(timeout, start);
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  #follow(work: PromiseLike<unknown>, judge: (output: unknown) => Outcome | PromiseLike<Outcome>): void {
    const fulfil = (output: unknown) => {
      if (this.#outcome) return this.#onLate?.('fulfilled', undefined);
      const verdict = judge(output);
      if (isThenable(verdict)) this.#follow(verdict, asJudged);
      else this.end(verdict as Outcome);
    };
    const reject = (error: unknown) => {
      if (this.#outcome) this.#onLate?.('rejected', error);
      else this.end(failed(error));
    };
    follow(work, fulfil, reject);
  }

  #limit(timeout: number, start: number): void {
    const { clock } = this.#flight.flights;
    const expire = () => {
      const error = new AttemptTimeoutError(timeout, show(this.#who), this.#flight);
      this.#giveUp({ kind: 'timed-out', error });
    };
    this.#timer = clock.setTimeout(expire, Math.min(LONGEST, Math.max(0, timeout - (clock.now() - start))));
  }
}

/** Any thenable but a plain promise may settle twice, or at once, or with another: a promise in between makes it behave. */
export function follow(
  work: PromiseLike<unknown>,
  fulfil: (value: unknown) => void,
  reject: (error: unknown) => void,
): void {
  if (work instanceof Promise && work.then === Promise.prototype.then) work.then(fulfil, reject);
  else new Promise((resolve) => resolve(work)).then(fulfil, reject);
}

function asJudged(verdict: unknown): Outcome {
  return verdict as Outcome;
}
