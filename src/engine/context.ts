import type { AttemptRecord, BaseConfig, Context, Session } from '../types.ts';
import type { Flight } from './flight.ts';

/** What a context is the view of. */
export interface Making {
  readonly flight: Flight;
  readonly signal: AbortSignal;
  readonly previous: readonly AttemptRecord[];
}

/** What a provider knows of the attempt it is making. */
export class AttemptContext implements Context {
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
  /** Private: users hold these objects. */
  readonly #attempt: Making;

  constructor(
    attempt: Making,
    address: { readonly env: string; readonly product: string; readonly tag: string },
    provider: string,
    number: number,
    config: BaseConfig,
    session: Session | undefined,
  ) {
    this.id = attempt.flight.id;
    this.env = address.env;
    this.product = address.product;
    this.tag = address.tag;
    this.provider = provider;
    this.attempt = number;
    this.config = config;
    this.session = session;
    this.#attempt = attempt;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get previous(): readonly AttemptRecord[] {
    return this.#attempt.previous;
  }

  /** A function that needs no `this`: contexts are taken apart. */
  get remaining(): () => number {
    return () => this.#attempt.flight.remaining();
  }
}
