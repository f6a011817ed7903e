import type { AttemptRecord, BaseConfig, Context, Session } from '../types.ts';
import type { Flight } from './flight.ts';

/** Something whose `signal` is made when first read. */
export class Abortable {
  #controller: AbortController | undefined;
  #over: { readonly reason: unknown } | undefined;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#over) this.#controller.abort(this.#over.reason);
    }
    return this.#controller.signal;
  }

  /** Not a method: users hold these objects. */
  static abort(abortable: Abortable, reason: unknown): void {
    abortable.#over = { reason };
    abortable.#controller?.abort(reason);
  }
}

/** What a provider knows of the attempt it is making. */
export class AttemptContext extends Abortable implements Context {
  static {
    // What console.log calls it, minified or not.
    Object.defineProperty(AttemptContext, 'name', { value: 'Context' });
  }

  readonly id: string;
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly provider: string;
  readonly attempt: number;
  readonly config: BaseConfig;
  readonly session: Session | undefined;
  readonly #flight: Flight;
  readonly #attempts: readonly AttemptRecord[];
  readonly #before: number;

  constructor(
    flight: Flight,
    address: { readonly env: string; readonly product: string; readonly tag: string },
    provider: string,
    attempt: number,
    config: BaseConfig,
    session: Session | undefined,
    attempts: readonly AttemptRecord[],
  ) {
    super();
    this.id = flight.id;
    this.env = address.env;
    this.product = address.product;
    this.tag = address.tag;
    this.provider = provider;
    this.attempt = attempt;
    this.config = config;
    this.session = session;
    this.#flight = flight;
    this.#attempts = attempts;
    this.#before = attempts.length;
  }

  get previous(): readonly AttemptRecord[] {
    return this.#attempts.slice(0, this.#before);
  }

  /** A function that needs no `this`: contexts are taken apart. */
  get remaining(): () => number {
    return () => this.#flight.remaining();
  }
}

/** What the primary of `call` is given. */
export class PrimaryContext extends Abortable {
  readonly #flight: Flight;

  constructor(flight: Flight) {
    super();
    this.#flight = flight;
  }

  get id(): string {
    return this.#flight.id;
  }
}
