/**
 * The public shapes: what a caller writes, and what a caller gets. Times are milliseconds everywhere.
 */

/** One call of {@link FallbackApi.run}: which fallback, and what to do with it. */
export interface IFallbackProcessorInput {
  /** The environment: `dev`, `staging`, `prd` … Never empty. */
  env: string;
  /** The product's unique identifier. Never empty. */
  product: string;
  /** Which fallback: the `tag` of its definition. */
  fallback_tag: string;
  /** `trigger` tries the providers, `update` reconfigures, `reset` forgets the state. */
  action: 'trigger' | 'update' | 'reset';
  /** The trigger's input, the update's new values, or the reset's options. Default: `{}`. */
  input?: Record<string, unknown>;
  /** Who calls; verified when the engine was given `sessions`. */
  session?: ISession;
  /** The cache key: which remembered machine. Default: the machine of the env and product themselves. */
  cache?: string;
}

/** A caller's session. Neither is ever empty; the token appears in no text that the engine writes. */
export interface ISession {
  /** Which verifier: a key of `createDuctape({ sessions })`. */
  tag: string;
  /** The secret itself, a JWT say. */
  token: string;
}

/** Any schema library's schema, zod, valibot and arktype among them. @see https://standardschema.dev */
export interface StandardSchema<In = unknown, Out = In> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Out> | Promise<StandardResult<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** What a Standard Schema answers: a value, or why there is none. */
export type StandardResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One complaint of a Standard Schema. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** One complaint: where, and what was expected, what came, and the nearest valid name. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Time, as the engine knows it. Milliseconds, on a scale of your own; it should never go back. */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** Where a fallback stands. */
export type State = 'idle' | 'triggered' | 'exhausted';

/** What became of one attempt, or of a provider's turn. */
export interface AttemptRecord {
  readonly provider: string;
  /** 1-based; 1 for a provider that was skipped. */
  readonly attempt: number;
  readonly outcome: 'succeeded' | 'failed' | 'timed-out' | 'aborted' | 'skipped';
  /** What was thrown, whatever it was; absent for `succeeded` and `skipped`. */
  readonly error?: unknown;
  /** Milliseconds. */
  readonly duration: number;
}

/** The configuration in force: the definition's values with the updates merged in. Frozen. */
export interface BaseConfig {
  readonly maxRetries: number;
  readonly fallbackProvider?: string;
  readonly deadline?: number;
  /** `null`: an exhausted fallback stays so until it is reset. */
  readonly resetAfter: number | null;
  readonly providers: Readonly<Record<string, ProviderConfig>>;
}

/** One provider's part of the configuration in force. */
export interface ProviderConfig {
  readonly enabled: boolean;
  readonly retries: number;
  /** `null`: no limit. */
  readonly timeout: number | null;
}

/** A session as providers see it. `JSON.stringify` and `console.log` of it show no token. */
export interface Session {
  readonly tag: string;
  /** What the verifier returned; `undefined` where the engine has no `sessions`. */
  readonly data: unknown;
  readonly verified: boolean;
  readonly token: string;
}

/** What a provider knows of the attempt it is making. */
export interface Context<S = unknown> {
  /** One string per trigger: the same in its result, events and errors. Fit to be an idempotency key. */
  readonly id: string;
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly provider: string;
  /** 1-based, anew for each provider. */
  readonly attempt: number;
  /** The configuration this trigger started with, the fallback's own settings included. */
  readonly config: BaseConfig & S;
  readonly session: Session | undefined;
  /** The attempts already over in this trigger. */
  readonly previous: readonly AttemptRecord[];
  /** Aborts on timeout, deadline, the caller's abort and `close()`. Made when first read. */
  readonly signal: AbortSignal;
  /** Milliseconds left before the deadline; `Infinity` without one. */
  remaining(): number;
}

/** The wait between two attempts on one provider: constant, exponential with jitter, or your own. */
export type Backoff = number | BackoffOptions | ((attempt: number, error: unknown) => number);

/** @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export interface BackoffOptions {
  /** Milliseconds. Default: 100. */
  readonly initialDelay?: number;
  /** Milliseconds; caps every delay. Default: 5 000. */
  readonly maxDelay?: number;
  /** At least 1. Default: 2. */
  readonly factor?: number;
  /** Default: `'full'`. */
  readonly jitter?: 'full' | 'none' | 'decorrelated';
}

/** The fields every provider may have, besides its `run` or its `value`. */
export interface ProviderBase<I, S> {
  /** 1–128 printable characters, unique within the fallback. */
  readonly name: string;
  /** Extra attempts on this provider within one trigger. Default: 0. */
  readonly retries?: number;
  /** The wait between its attempts. Default: 100 ms doubling up to 5 000 ms, full jitter. */
  readonly backoff?: Backoff;
  /** Milliseconds for one attempt; `null`: none. Default: the engine's. */
  readonly timeout?: number | null;
  /** Asked at the provider's turn; `false` skips it for this trigger. Synchronous. */
  readonly when?: (input: I, ctx: Context<S>) => boolean;
  /** `false` makes the output a failed attempt. Synchronous. */
  accept?(output: unknown): boolean;
  /** `false` moves straight on to the next provider. Synchronous. */
  readonly shouldRetry?: (error: unknown, ctx: Context<S>) => boolean;
}

/** One way to do the work: a call, or a value of last resort. */
export type Provider<I, S, O> = ProviderBase<I, S> &
  (
    | { readonly run: (input: I, ctx: Context<S>) => O; readonly value?: undefined }
    | { readonly value: O | ((input: I, ctx: Context<S>) => O); readonly run?: undefined }
  );

/** A checked fallback, as {@link defineFallback} returns it. Immutable, and belonging to no engine. */
export interface Fallback<
  T extends string = string,
  In = never,
  Out = unknown,
  N extends string = string,
  S = unknown,
> {
  readonly tag: T;
  /** Types only; never present at run time. */
  readonly '~types'?: (input: In) => { readonly output: Out; readonly name: N; readonly settings: S };
}

/**
 * `T` itself, and yet nothing to infer `T` from (`NoInfer` would stay visible in the result): a definition's types come from
 * the definition, not from the engine it is written into; a primary's arguments from the primary, not from its options.
 */
export type Given<T> = [T][T extends unknown ? 0 : never];

/** `unknown` rather than `any`. */
export type Known<T> = 0 extends 1 & T ? unknown : T;

/** What a trigger resolves to. */
export interface TriggerResult<O = unknown> {
  readonly action: 'trigger';
  readonly id: string;
  /** The machine's state after the outcome. */
  readonly state: State;
  /** The provider that answered. */
  readonly provider: string;
  readonly output: O;
  readonly attempts: readonly AttemptRecord[];
  /** Milliseconds, checks and waits included. */
  readonly duration: number;
}

/** What an update resolves to. */
export interface UpdateResult<C = BaseConfig> {
  readonly action: 'update';
  readonly state: State;
  /** The configuration now in force. */
  readonly config: C;
  /** How many updates have changed anything so far. */
  readonly revision: number;
}

/** What a reset resolves to. */
export interface ResetResult {
  readonly action: 'reset';
  readonly state: 'idle';
}

/** What {@link FallbackApi.inspect} tells. */
export interface Inspection<C = BaseConfig> {
  readonly state: State;
  /** Failed triggers in a row. */
  readonly failures: number;
  readonly config: C;
  readonly revision: number;
  /** Triggers admitted so far; resets do not clear it. */
  readonly triggers: number;
  /** Triggers that got an answer so far. */
  readonly recoveries: number;
  readonly inFlight: number;
  /** The last provider error, as it was thrown. */
  readonly lastError?: unknown;
  /** Milliseconds until a probe may be admitted; absent unless exhausted, and where `resetAfter` is `null`. */
  readonly retryAfter?: number;
}

/** One defined fallback, as `list()` tells it. */
export interface FallbackInfo {
  readonly tag: string;
  readonly name?: string;
  readonly description?: string;
  readonly product?: string | readonly string[];
  readonly env?: string | readonly string[];
  readonly providers: readonly string[];
}

/** Plain JSON, to be written anywhere and given back to `restore`. */
export interface Snapshot {
  readonly version: 1;
  /** By the engine's clock. */
  readonly takenAt: number;
  readonly machines: readonly MachineEntry[];
}

/** One remembered machine, as plain JSON. */
export interface MachineEntry {
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly cache?: string;
  /** XState's persisted snapshot; its context holds the failures only. */
  readonly snapshot: Readonly<Record<string, unknown>>;
  readonly triggers: number;
  readonly recoveries: number;
  /** Effective updates of this entry's own. */
  readonly revision: number;
  /** This entry's own updates, as they were given. */
  readonly updates?: Readonly<Record<string, unknown>>;
  /** Milliseconds an exhausted machine has waited; `null`: its probe is due at once. Absent unless exhausted. */
  readonly waited?: number | null;
  /** Milliseconds since the key was last used; only where the engine's cache has a `ttl`. */
  readonly age?: number;
}

/** What `restore` did. */
export interface RestoreResult {
  readonly restored: number;
  readonly skipped: ReadonlyArray<{ env: string; product: string; tag: string; cache?: string; reason: string }>;
}

/** Options of one `run`. */
export interface RunOptions {
  /** The caller's abort: the call rejects promptly with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; the tighter of this and the fallback's own holds. */
  readonly deadline?: number | undefined;
  /** An id of the caller's own. Equal ids do not deduplicate. */
  readonly id?: string | undefined;
}

/** Checks a session's token and returns (or resolves) the session's data, or throws to refuse it. */
export type SessionVerifier = (token: string, about: { env: string; product: string; tag: string }) => unknown;

/** Options of {@link createDuctape}. */
export interface DuctapeOptions<Fs> {
  /** The fallbacks to start with. Without them the engine takes any request, and `define` adds them. */
  readonly fallbacks?: Fs | undefined;
  /** The env of calls that name none. */
  readonly env?: string | undefined;
  /** The product of calls that name none. */
  readonly product?: string | undefined;
  /** A verifier for each session tag. With it, any other session is refused; without it, sessions pass unverified. */
  readonly sessions?: Readonly<Record<string, SessionVerifier>> | undefined;
  /** Each definition's LRU of keyed machines. `max` defaults to 10 000; `ttl` (ms since the last use) to none. */
  readonly cache?: { readonly max?: number; readonly ttl?: number } | undefined;
  /** Milliseconds for one attempt of providers that name no timeout. Default: none. */
  readonly timeout?: number | null | undefined;
  /** How many env and product pairs are remembered. Default: 1 000. */
  readonly maxScopes?: number | undefined;
  /** Default: {@link systemClock}. */
  readonly clock?: Clock | undefined;
  /** In [0, 1). Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** What makes this engine's ids unlike any other's. Default: 128 random bits. */
  readonly nonce?: string | undefined;
}
