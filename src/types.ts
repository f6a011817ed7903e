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
  /** 1-based; for one that was skipped, which it would have been. */
  readonly attempt: number;
  readonly outcome: 'succeeded' | 'failed' | 'timed-out' | 'aborted' | 'skipped';
  /** Why it was skipped, where it was not `when` that said no. */
  readonly reason?: 'unhealthy' | 'busy' | 'budget' | 'no-answer';
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

/**
 * The wait between two attempts on one provider, in milliseconds: constant, exponential with jitter, or your own, of the number
 * of the attempt that failed (from 1) and its error.
 */
export type Backoff = number | BackoffOptions | ((attempt: number, error: unknown) => number);

/** Exponential backoff. @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export interface BackoffOptions {
  /** Milliseconds. Default: 100. */
  readonly initialDelay?: number;
  /** Milliseconds; caps every delay. Default: 5 000. */
  readonly maxDelay?: number;
  /** What each delay is times the one before. At least 1. Default: 2. */
  readonly factor?: number;
  /**
   * `'full'`: anything between 0 and the delay; `'none'`: the delay itself; `'decorrelated'`: between `initialDelay` and
   * three times the wait before. Default: `'full'`.
   */
  readonly jitter?: 'full' | 'none' | 'decorrelated';
}

/** After `failures` failed attempts in a row a provider is unhealthy, and skipped for `cooldown` ms; then one attempt probes it. */
export interface BreakerOptions {
  /** 1 or more. */
  readonly failures: number;
  /** Milliseconds. */
  readonly cooldown: number;
}

/**
 * Over a sliding 10 s, the retries on a provider are at most `ratio` of its first attempts, and `minPerSecond` of them
 * whatever their share. Beyond that a retry is not made, and the trigger moves on.
 */
export interface RetryBudgetOptions {
  /** 0 or more; 0.2, say. */
  readonly ratio: number;
  /** 0 or more. */
  readonly minPerSecond: number;
}

/** Whether an attempt in doubt has done its work, and with what output. */
export type Verified<O = unknown> = { readonly done: true; readonly output: O } | { readonly done: false };

/** Asks a provider how it is, beside the triggers and never on their time. */
export interface HealthCheckOptions {
  /** Whether it is well. A throw, a rejection and a timeout count as a no. */
  check(ctx: HealthContext): boolean | PromiseLike<boolean>;
  /** Milliseconds for which a verdict holds; the trigger that meets an older one has it renewed. */
  readonly interval: number;
  /** Milliseconds for one check. Default: the `interval`, at least 1 000. */
  readonly timeout?: number;
}

/** What a health check knows. */
export interface HealthContext {
  readonly env: string;
  readonly product: string;
  readonly tag: string;
  readonly provider: string;
  /** Aborts on timeout and on `close()`. */
  readonly signal: AbortSignal;
}

/** How a provider, or the primary of `wrap` and `call`, is doing. */
export interface ProviderHealth {
  readonly health: 'healthy' | 'unhealthy' | 'probing';
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Attempts in flight; absent where nobody counts them. */
  readonly inFlight?: number;
  /** Milliseconds until an attempt may probe it; absent where none ever will. */
  readonly retryAfter?: number;
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
  /** Leaves a provider alone that keeps failing. Default: none. */
  readonly breaker?: BreakerOptions;
  /** Asks the provider itself how it is. Default: none. */
  readonly healthcheck?: HealthCheckOptions;
  /** Whether it may run twice without doing its work twice. `false` asks for an `inDoubt` or a `compensate`. Default: unsaid. */
  readonly idempotent?: boolean;
  /** Milliseconds after which the next provider starts beside it; both have to be `idempotent: true`. Default: never. */
  readonly hedge?: number;
  /**
   * What an attempt leads to that timed out, or had its output refused, or of whose error `inDoubtWhen` says so: `'next'`
   * tries on, `'stop'` fails with an InDoubtError, `'verify'` asks `verify` first. Default: `'next'`.
   */
  readonly inDoubt?: 'next' | 'stop' | 'verify';
  /** Whether the work may have been done although the call failed so: a connection reset, say. Synchronous. Default: no. */
  readonly inDoubtWhen?: (error: unknown) => boolean;
  /** Whether it has worked; a throw and a timeout count as `inDoubt: 'stop'`. Has this provider's `timeout`. */
  readonly verify?: (input: I, ctx: Context<S>) => Verified | PromiseLike<Verified>;
  /** Undoes an effect that was not used: of an attempt that succeeded after it was given up on, or whose output was refused. */
  compensate?(output: unknown, input: I, ctx: Context<S>): unknown;
  /** Extra attempts of `compensate`, with this provider's `backoff`. Default: 3. */
  readonly compensateRetries?: number;
  /** The most attempts on this provider in flight at once, over all keys; above it the trigger moves on. Default: no limit. */
  readonly concurrency?: number;
}

/** How long an answer may be given again, and to which inputs. */
export interface RememberOptions<I> {
  /** Milliseconds. */
  readonly maxAge: number;
  /** What an input has to have in common with that of the answer: deeply equal. Default: all of it. */
  key?(input: I): unknown;
}

type VerifiedAs<O> = NoInfer<Verified<Awaited<O>> | PromiseLike<Verified<Awaited<O>>>>;

/** One way to do the work: a call, a value of last resort, or the last good answer once more. */
export type Provider<I, S, O> = ProviderBase<I, S> &
  (
    | {
        readonly run: (input: I, ctx: Context<S>) => O;
        readonly value?: undefined;
        readonly lastGood?: undefined;
        readonly verify?: (input: I, ctx: Context<S>) => VerifiedAs<O>;
      }
    | {
        readonly value: O | ((input: I, ctx: Context<S>) => O);
        readonly run?: undefined;
        readonly lastGood?: undefined;
      }
    | { readonly lastGood: RememberOptions<I>; readonly run?: undefined; readonly value?: undefined }
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
  /** The last good answer, given once more. */
  readonly stale?: true;
  /** Milliseconds since a stale answer was given first. */
  readonly age?: number;
  /** The answer of an equal trigger, given again: nobody was called. */
  readonly reused?: true;
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
  /** The health of each provider; absent where no provider has a breaker, a health check or a limit, and none was set by hand. */
  readonly providers?: Readonly<Record<string, ProviderHealth>>;
  /**
   * The health of the primary of `wrap` and `call`; absent until one with a breaker has been called: in this engine, or before
   * the snapshot, where it was not as new.
   */
  readonly primary?: ProviderHealth;
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
  /** The providers that are not as new. */
  readonly health?: readonly HealthEntry[];
  /** The primary of `wrap` and `call`, where it is not as new. */
  readonly primary?: HealthEntry;
}

/** A provider's health, as plain JSON. */
export interface HealthEntry {
  readonly provider: string;
  /** XState's persisted snapshot; its context holds the failures only. */
  readonly snapshot: Readonly<Record<string, unknown>>;
  /** Milliseconds an unhealthy provider has waited; `null`: its probe is due at once. Absent unless unhealthy. */
  readonly waited?: number | null;
  /** Of the primary: the breaker that it was judged by. */
  readonly breaker?: BreakerOptions;
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
  /**
   * The `ctx.id` that providers get: an order's id, say, to be one idempotency key however often the order is tried. The engine
   * itself does not deduplicate by it. Default: a new one for each trigger.
   */
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
