import type { Where } from './errors.ts';
import { discreet } from './quote.ts';
import type { AttemptRecord, BaseConfig, Clock, State } from './types.ts';

/** What each type of event tells, besides {@link EventBase}. */
export interface EventFacts {
  /**
   * A trigger was admitted; `probe` says whether as the probe of an exhausted fallback. `cause`: what the primary of `wrap`
   * or `call` failed with, there only if one has failed.
   */
  readonly triggered: { readonly state: State; readonly probe: boolean; readonly cause?: unknown };
  readonly 'attempt-started': { readonly provider: string; readonly attempt: number };
  readonly 'attempt-ended': AttemptRecord;
  /** A provider answered. */
  readonly recovered: { readonly state: State; readonly provider: string; readonly duration: number };
  /** No provider did. */
  readonly failed: { readonly state: State; readonly errors: readonly unknown[]; readonly duration: number };
  /** The fallback has just become exhausted. */
  readonly exhausted: { readonly failures: number; readonly retryAfter?: number };
  /** A probe was admitted. */
  readonly probing: { readonly failures: number };
  readonly updated: { readonly state: State; readonly config: BaseConfig; readonly revision: number };
  readonly reset: { readonly config: boolean; readonly keys: boolean };
  /** The LRU forgot a key. */
  readonly evicted: { readonly reason: 'full' | 'expired' };
  /** A provider is left alone from now on; `failures` in a row, by then. */
  readonly 'provider-unhealthy': { readonly provider: string; readonly failures: number; readonly retryAfter?: number };
  /** One attempt finds out whether it is well again. */
  readonly 'provider-probing': { readonly provider: string; readonly failures: number };
  readonly 'provider-healthy': { readonly provider: string; readonly failures: number };
  /** An attempt may have done its work, although it gave no answer that will do. */
  readonly 'in-doubt': {
    readonly provider: string;
    readonly attempt: number;
    readonly because: 'timed-out' | 'aborted' | 'error' | 'refused';
    readonly input: unknown;
    readonly error: unknown;
  };
  /** An effect that was not used has been undone. */
  readonly compensated: {
    readonly provider: string;
    readonly attempt: number;
    readonly input: unknown;
    readonly output: unknown;
  };
  /** An effect that was not used still stands: someone has to see to it. */
  readonly 'compensation-failed': {
    readonly provider: string;
    readonly attempt: number;
    readonly input: unknown;
    readonly output: unknown;
    readonly errors: readonly unknown[];
  };
  /** An attempt settled after it was given up on. */
  readonly late: {
    readonly provider: string;
    readonly attempt: number;
    readonly outcome: 'fulfilled' | 'rejected';
    readonly error?: unknown;
  };
}

export type EventType = keyof EventFacts;

/** What every event tells. */
export interface EventBase<T extends EventType> {
  readonly type: T;
  /** By the engine's clock. */
  readonly at: number;
  readonly id?: string;
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly cache?: string;
}

/** An event, told apart by its `type`. Frozen. */
export type FallbackEvent<T extends EventType = EventType> = { [K in T]: EventBase<K> & EventFacts[K] }[T];

/** May be async; what it throws or rejects with is ignored. */
export type Listener<T extends EventType = EventType> = (event: FallbackEvent<T>) => unknown;

interface Subscription {
  readonly listener: Listener;
}

/** The listeners of one engine. Ask {@link wants} before building an event's facts: unheard events cost nothing. */
export class Events {
  readonly #clock: Clock;
  /** Copied on write, so that an emission under way is not disturbed. */
  readonly #subscriptions: Record<EventType, readonly Subscription[]> = {
    triggered: [],
    'attempt-started': [],
    'attempt-ended': [],
    recovered: [],
    failed: [],
    exhausted: [],
    probing: [],
    updated: [],
    reset: [],
    evicted: [],
    late: [],
    'provider-unhealthy': [],
    'provider-probing': [],
    'provider-healthy': [],
    'in-doubt': [],
    compensated: [],
    'compensation-failed': [],
  };

  /** Whether anyone has ever listened: most engines are asked seven times a trigger, and need not look. */
  #isHeard = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get types(): readonly EventType[] {
    return Object.keys(this.#subscriptions) as EventType[];
  }

  wants(type: EventType): boolean {
    return this.#isHeard && this.#subscriptions[type].length > 0;
  }

  subscribe(types: readonly EventType[], listener: Listener): () => void {
    const subscription = { listener };
    this.#isHeard = true;
    for (const type of types) this.#subscriptions[type] = [...this.#subscriptions[type], subscription];
    return () => {
      for (const type of types) {
        this.#subscriptions[type] = this.#subscriptions[type].filter((other) => other !== subscription);
      }
    };
  }

  emit<T extends EventType>(type: T, where: Where, facts: EventFacts[T]): void {
    const { id, env, product, tag, cache, token } = where;
    const base = { type, at: this.#clock.now(), ...(id !== undefined && { id }), env, product, tag };
    const event = { ...base, ...(cache !== undefined && { cache }), ...facts } as unknown as FallbackEvent;
    Object.freeze(discreet(event, token));
    for (const { listener } of this.#subscriptions[type]) {
      try {
        Promise.resolve(listener(event)).then(undefined, ignore);
      } catch {
        // A listener changes nothing: neither the outcome, nor what other listeners hear.
      }
    }
  }
}

function ignore(): void {}
