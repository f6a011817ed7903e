/** The libraries, in the order of the table's columns. */
export const LIBRARIES = ['ours', 'cockatiel', 'opossum', 'mollitia', 'p-retry', 'effect', 'loop'] as const;
export type Library = (typeof LIBRARIES)[number];

/** What a provider is told; `signal` where the library passes one. */
export interface Context {
  readonly signal?: AbortSignal | undefined;
}

export type Work = (context: Context) => unknown;

/** Providers in order, each with its own attempts. What a library has no word for, its idiom refuses with {@link NotOffered}. */
export interface Plan {
  readonly providers: readonly Work[];
  /** Milliseconds for one attempt. Default: whatever the library does unasked. */
  readonly timeout?: number;
  /** Extra attempts on each provider. Default: 0. */
  readonly retries?: number;
  /** Milliseconds between the attempts on one provider. Default: 0. */
  readonly backoff?: number;
  /** Asked whether an error is worth another attempt. */
  readonly shouldRetry?: (error: unknown) => boolean;
  readonly onFailure?: () => unknown;
  readonly onSuccess?: () => unknown;
}

/** One call through a plan. */
export type Run = (signal?: AbortSignal) => Promise<unknown>;

/** When calls are refused, and when they are let in again. */
export interface Limits {
  /** After this many failures in a row. */
  readonly failures: number;
  /** Milliseconds of refusal before a probe is let in. */
  readonly coolDown: number;
  /** Milliseconds a probe may take, for the libraries that limit it of their own accord. */
  readonly probeLimit?: number;
}

/** What remembers failures between calls: a fallback's state, a circuit breaker. */
export interface Guard {
  call(work: Work, signal?: AbortSignal): Promise<unknown>;
  /** Forgets the state, where there is such a call. */
  reset?(): unknown;
}

/** Something that tells listeners. */
export interface Bus {
  /** Subscribes; returns what unsubscribes. */
  on(listener: () => unknown): () => unknown;
  /** Makes it tell its listeners once. */
  tell(): Promise<unknown>;
}

/** One library, used as its own documentation says. */
export interface Idiom {
  readonly library: Library;
  chain(plan: Plan): Run;
  guard(limits: Limits): Guard;
  bus(): Bus;
  /** The function behind the library's protection, called again and again with arguments and a fallback that sees them. */
  wrap(primary: (order: string) => Promise<string>, backup: (order: string) => Promise<string>): Wrapped;
}

export type Wrapped = (order: string) => Promise<unknown>;
