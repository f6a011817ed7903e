import { LONGEST } from '../definition/check.ts';
import { isThenable } from '../definition/standard.ts';
import { AttemptTimeoutError } from '../errors.ts';
import type { Effect } from './effect.ts';
import type { Flight, Interruption, Waiter } from './flight.ts';

/** What became of one guarded call. Failure is a value here; only the face throws. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly output: unknown }
  /** `by`: who failed. `work` threw; `output` is not acceptable; a `predicate` is at fault, which no retry would mend. */
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      readonly by: 'work' | 'output' | 'predicate';
      /** The work was done, and its output refused. */
      readonly isDone: boolean;
    }
  | { readonly kind: 'timed-out'; readonly error: unknown }
  | { readonly kind: 'aborted'; readonly error: unknown };

export const succeeded = (output: unknown): Outcome => ({ kind: 'succeeded', output });
export type Failure = Exclude<Outcome, { readonly kind: 'succeeded' }>;
export const failed = (error: unknown, by: 'work' | 'output' | 'predicate' = 'work', isDone = false): Failure => ({
  kind: 'failed',
  error,
  by,
  isDone,
});

/** Who waits for the end of an attempt. */
export interface Listener {
  resume(): void;
}

/**
 * One call that can end in more ways than its own: by its timeout, or with its flight. What its work does after that is
 * swallowed, and told to {@link late}.
 */
export abstract class Attempt implements Waiter {
  /** How it has ended, if it has: before it began, even, where its flight is over. */
  outcome: Outcome | undefined = undefined;
  /** Where what it may have done to the world matters. */
  effect: Effect | undefined = undefined;
  /** Its work has been asked for. */
  isBegun = false;
  readonly flight: Flight;
  #listener: Listener | undefined = undefined;
  #timer: unknown = undefined;
  #controller: AbortController | undefined = undefined;

  constructor(flight: Flight) {
    this.flight = flight;
  }

  /** Aborts when it is given up on. Made when first read. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.outcome?.kind === 'timed-out' || this.outcome?.kind === 'aborted')
        this.#controller.abort(this.outcome.error);
    }
    return this.#controller.signal;
  }

  protected abstract work(): unknown;

  /** Whether an output will do; any will, where nothing else is said. */
  protected judge(output: unknown): Outcome | PromiseLike<Outcome> {
    return succeeded(output);
  }

  /** It settled after it was given up on; which is its own affair, where nothing else is said. */
  protected late(_outcome: 'fulfilled' | 'rejected', _error: unknown): void {}

  /** Its work has come to something: done, where nothing else is said, so that it is to be undone unless it is used. */
  protected landed(output: unknown): void {
    this.effect?.land(() => this.undo(output));
  }

  /** Undoes what it has done to the world, where something else is said. */
  protected undo(_output: unknown): void {}

  /** Who is to answer. */
  protected abstract get who(): string;

  /** From now on it ends with its flight, if that ends first. */
  watch(): void {
    const { interruption } = this.flight;
    this.flight.waiter = this;
    if (interruption) this.wake(interruption);
  }

  /** Does the work; `start` is now. It ends at once where nothing has to be waited for. */
  begin(timeout: number | null, start: number): void {
    this.isBegun = true;
    try {
      const result = this.work();
      if (isThenable(result)) this.#followWork(result);
      else this.#weigh(result);
      this.#pend(timeout, start);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** It has come to something. Only of one that had not yet. */
  end(outcome: Outcome): void {
    this.#settle(outcome);
    this.#listener?.resume();
  }

  wake({ kind, error }: Interruption): void {
    this.#giveUp({ kind: kind === 'deadline' ? 'timed-out' : 'aborted', error });
  }

  /** Another has answered first. */
  lose(): void {
    this.#giveUp({ kind: 'aborted', error: new DOMException('Another provider answered first', 'AbortError') });
  }

  /** Resumes whoever waits for its end, which is still to come. */
  onEnd(listener: Listener | undefined): void {
    this.#listener = listener;
  }

  #settle(outcome: Outcome): void {
    this.outcome = outcome;
    if (this.flight.waiter === this) this.flight.waiter = undefined;
    if (this.#timer !== undefined) this.flight.flights.clock.clearTimeout(this.#timer);
  }

  #giveUp(outcome: Outcome & { readonly error: unknown }): void {
    if (this.outcome) return;
    this.#settle(outcome);
    // Before anything else is tried.
    this.#controller?.abort(outcome.error);
    this.#listener?.resume();
  }

  #followWork(work: PromiseLike<unknown>): void {
    follow(
      work,
      (output) => this.#weigh(output),
      (error) => this.#fail(error),
    );
  }

  #followVerdict(verdict: PromiseLike<Outcome>): void {
    follow(
      verdict,
      (judged) => this.#take(judged),
      (error) => this.#fail(error),
    );
  }

  #pend(timeout: number | null, start: number): void {
    if (this.outcome) return;
    this.flight.arm();
    if (timeout !== null) this.#limit(timeout, start);
  }

  #weigh(output: unknown): void {
    try {
      this.landed(output);
      if (this.outcome) {
        this.late('fulfilled', undefined);
        return;
      }
      const verdict = this.judge(output);
      if (isThenable(verdict)) this.#followVerdict(verdict);
      else this.#take(verdict);
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(verdict: unknown): void {
    if (this.outcome) this.late('fulfilled', undefined);
    else this.end(verdict as Outcome);
  }

  #fail(error: unknown): void {
    if (this.outcome) this.late('rejected', error);
    else this.end(failed(error));
  }

  #limit(timeout: number, start: number): void {
    const { clock } = this.flight.flights;
    const expire = () => {
      const error = new AttemptTimeoutError(timeout, this.who, this.flight);
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
  if (isPlainPromise(work)) work.then(fulfil, reject);
  else new Promise((resolve) => resolve(work)).then(fulfil, reject);
}

export function isPlainPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise && value.then === Promise.prototype.then;
}
