import { DEFAULT_BACKOFF } from '../definition/provider.ts';
import { show } from '../quote.ts';
import { Attempt, succeeded } from './attempt.ts';
import { compensate } from './compensation.ts';
import { Effect } from './effect.ts';
import type { Args, Protected } from './risk.ts';
import { Verification } from './verification.ts';

/** The risky call itself: any answer of it will do. */
export class PrimaryAttempt extends Attempt {
  readonly #call: Protected;
  readonly #self: unknown;

  constructor(call: Protected, self: unknown) {
    super(call.flight);
    this.#call = call;
    this.#self = self;
    this.effect = call.risk.doubts.compensate && new Effect();
  }

  /** Asks whether it has done its work, which it has not told. */
  verification(): Verification {
    const { flight, risk, args } = this.#call;
    const ask = () => risk.doubts.verify?.(...args);
    return new Verification(flight, 'primary', ask, succeeded, (output) => this.landed(output));
  }

  protected override get who(): string {
    return show('primary');
  }

  protected override work(): unknown {
    return this.#call.risk.work(this, this.#self, this.#call.args);
  }

  protected override undo(output: unknown): void {
    const { engine, flight, risk, args } = this.#call;
    const { doubts, timeout } = risk;
    compensate({
      ...engine,
      of: flight,
      provider: 'primary',
      attempt: 1,
      input: inputOf(args),
      output,
      retries: doubts.compensateRetries,
      backoff: DEFAULT_BACKOFF,
      timeout,
      work: () => doubts.compensate?.(output, ...args),
    });
  }
}

/** What events tell of a primary's input: its arguments. */
export function inputOf(args: Args): unknown {
  return [...args];
}

/** What the primary of `call` is given. */
export class PrimaryContext {
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get id(): string {
    return this.#attempt.flight.id;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }
}
