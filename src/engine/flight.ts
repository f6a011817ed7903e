import { LONGEST } from '../definition/check.ts';
import { DeadlineError, EngineClosedError, FallbackFailedError, type Where } from '../errors.ts';
import type { State } from '../types.ts';
import type { Call, Flights } from './flights.ts';

/** What ended a call before its time. */
export interface Interruption {
  readonly kind: 'aborted' | 'deadline' | 'closed';
  /** The caller's own reason, a DeadlineError or an EngineClosedError. */
  readonly error: unknown;
}

/** Who is told at once when a flight is interrupted. */
export interface Waiter {
  wake(interruption: Interruption): void;
}

/** One call in flight: whose it is, its time, and what can end it early. It is the {@link Where} of its errors and events. */
export class Flight implements Call, Where {
  readonly flights: Flights;
  env: string | undefined = undefined;
  product: string | undefined = undefined;
  tag: string | undefined = undefined;
  cache: string | undefined = undefined;
  token: string | undefined = undefined;
  primary: { readonly error: unknown } | undefined = undefined;
  met: readonly unknown[] | undefined = undefined;
  interruption: Interruption | undefined = undefined;
  waiter: Waiter | undefined = undefined;
  /** A second one, told after the first. */
  bystander: Waiter | undefined = undefined;
  /** By the clock; no attempt starts at it or after. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** NaN until it is read. */
  #now = Number.NaN;
  #deadline = Number.POSITIVE_INFINITY;
  #id: string | undefined;
  #slot: number | undefined;
  #timer: unknown;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  /** `slot`: that of the call it is part of; without it, its own. */
  constructor(flights: Flights, id?: string, slot?: number) {
    this.flights = flights;
    this.#id = id;
    if (slot !== undefined) flights.handOver(slot, this);
    this.#slot = slot ?? flights.enter(this);
  }

  get id(): string {
    this.#id ??= this.flights.nextId();
    return this.#id;
  }

  /** Read when it is asked for, and the same until someone else may have taken their time. */
  now(): number {
    if (Number.isNaN(this.#now)) this.#now = this.flights.clock.now();
    return this.#now;
  }

  /** Someone has been asked, or waited for: it is later now. */
  pass(): void {
    this.#now = Number.NaN;
  }

  /** Whose call this is. */
  locate({ env, product, tag, cache, token }: Where): void {
    this.env = env;
    this.product = product;
    this.tag = tag;
    this.cache = cache;
    this.token = token;
  }

  /** Ends when the caller's signal aborts, with its reason. */
  heed(signal: AbortSignal | undefined): void {
    if (!signal) return;
    const onAbort = () => this.interrupt({ kind: 'aborted', error: signal.reason });
    if (signal.aborted) onAbort();
    else {
      this.#signal = signal;
      this.#onAbort = onAbort;
      signal.addEventListener('abort', onAbort);
    }
  }

  /** Ends `ms` after `start`, unless it is to end earlier already. */
  limit(ms: number | undefined, start: number): void {
    if (ms === undefined || start + ms >= this.deadlineAt) return;
    this.#disarm();
    this.deadlineAt = start + ms;
    this.#deadline = ms;
  }

  /** Whether it is over by now; the time is asked for only if that depends on it. */
  isOver(): boolean {
    const mayExpire = this.deadlineAt !== Number.POSITIVE_INFINITY && !this.interruption;
    if (mayExpire && this.now() >= this.deadlineAt) this.#expire();
    return this.interruption !== undefined;
  }

  /** What an interruption comes to for a caller who has no verdict to get; `errors` are those met so far. */
  refusal({ kind, error }: Interruption, state: State = 'idle', errors: readonly unknown[] = []): unknown {
    if (kind === 'aborted') return error;
    if (kind === 'deadline') return new FallbackFailedError([error], [], state, this);
    return new EngineClosedError(this, errors.length > 0 ? errors : undefined);
  }

  throwIfOver(state?: State): void {
    if (this.isOver() && this.interruption) throw this.refusal(this.interruption, state);
  }

  /** Milliseconds left. */
  remaining(): number {
    return this.remainingAt(this.flights.clock.now());
  }

  remainingAt(now: number): number {
    return Math.max(0, this.deadlineAt - now);
  }

  interrupt(interruption: Interruption): void {
    if (this.interruption) return;
    this.interruption = interruption;
    this.waiter?.wake(interruption);
    this.bystander?.wake(interruption);
  }

  close(): void {
    this.interrupt({ kind: 'closed', error: new EngineClosedError(this) });
  }

  /** Before waiting for anything: from now on the deadline is kept by a timer. */
  arm(): void {
    if (this.#timer !== undefined || this.deadlineAt === Number.POSITIVE_INFINITY) return;
    const { clock } = this.flights;
    this.#timer = clock.setTimeout(() => this.#expire(), Math.min(LONGEST, Math.max(0, this.deadlineAt - clock.now())));
  }

  /** What `work` comes to; or `undefined`, at once, when the flight is interrupted. */
  wait<T>(work: PromiseLike<T>): Promise<T | undefined> {
    // Followed whether or not anyone still waits: its rejection is never unhandled.
    const followed = new Promise<T>((settle) => settle(work));
    followed.catch(() => {});
    return this.#until((resolve, reject) => {
      followed.then(resolve, reject);
      return () => {};
    });
  }

  /** Resolves after `ms`; or at once, when the flight is interrupted. */
  pause(ms: number): Promise<void> {
    const { clock } = this.flights;
    return this.#until<void>((resolve) => {
      const timer = clock.setTimeout(() => resolve(undefined), ms);
      return () => clock.clearTimeout(timer);
    });
  }

  end(): void {
    if (this.#slot === undefined) return;
    this.#disarm();
    this.flights.leave(this.#slot);
    this.#slot = undefined;
    if (this.#signal && this.#onAbort) this.#signal.removeEventListener('abort', this.#onAbort);
    this.#signal = undefined;
  }

  #until<T>(
    start: (resolve: (value: T | undefined) => void, reject: (error: unknown) => void) => () => void,
  ): Promise<T | undefined> {
    if (this.interruption) return Promise.resolve(undefined);
    this.arm();
    return new Promise((resolve, reject) => {
      const stop = start(resolve, reject);
      const wake = () => {
        stop();
        resolve(undefined);
      };
      // It may stay when the wait is over: what settles a second time settles nothing.
      this.waiter = { wake };
    });
  }

  #expire(): void {
    this.interrupt({ kind: 'deadline', error: new DeadlineError(this.#deadline, this) });
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.flights.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
