/**
 * What the compiler knows of each tag: inferred from the tuple of definitions, never written twice.
 */
import type { EventType, Listener } from './events.ts';
import type {
  BreakerOptions,
  Fallback,
  FallbackInfo,
  Given,
  IFallbackProcessorInput,
  Inspection,
  ISession,
  Known,
  ResetResult,
  RestoreResult,
  RunOptions,
  Snapshot,
  TriggerResult,
  UpdateResult,
  Verified,
} from './types.ts';

type Action = IFallbackProcessorInput['action'];
type AnyRecord = Record<string, unknown>;
type Fallbacks = readonly Fallback[];

/** The tags of a tuple of definitions. */
export type TagOf<Fs extends Fallbacks> = Fs[number]['tag'];

type Find<Fs extends Fallbacks, T> = Extract<Fs[number], { readonly tag: T }>;
type Facts<F> = F extends { readonly '~types'?: infer Types } ? NonNullable<Types> : never;

/** What a trigger of this tag takes. */
export type InputOf<Fs extends Fallbacks, T> = Facts<Find<Fs, T>> extends (input: infer In) => unknown ? In : never;
/** What a trigger of this tag gives: the union of its providers' outputs. */
export type OutputOf<Fs extends Fallbacks, T> =
  Facts<Find<Fs, T>> extends (...args: never[]) => { readonly output: infer Out } ? Out : never;
/** What an update of this tag takes. */
export type UpdateOf<Fs extends Fallbacks, T> =
  Facts<Find<Fs, T>> extends (...args: never[]) => { readonly name: infer N extends string; readonly settings: infer S }
    ? UpdateInput<N, S>
    : never;

/** `null` brings the definition's value back. */
export type UpdateInput<N extends string = string, S = unknown> = { readonly [K in keyof S]?: S[K] | null } & {
  /** Failed triggers in a row before the fallback is exhausted by one more. */
  readonly maxRetries?: number | null;
  /** The provider that is tried first. */
  readonly fallbackProvider?: N | null;
  /** Milliseconds for a whole trigger. */
  readonly deadline?: number | null;
  /** Milliseconds after which an exhausted fallback lets a probe through. */
  readonly resetAfter?: number | 'never' | null;
  /** By name. What is not named stays as it is. */
  readonly providers?:
    | {
        readonly [K in N]?: {
          /** `false`: left out. */
          readonly enabled?: boolean | null;
          /** Extra attempts within one trigger. */
          readonly retries?: number | null;
          /** Milliseconds for one attempt. */
          readonly timeout?: number | null;
          /** By hand, for all cache keys: unhealthy until set healthy or reset. */
          readonly health?: 'healthy' | 'unhealthy';
        } | null;
      }
    | null;
};

export interface ResetInput {
  /** Also drops the updates. */
  readonly config?: boolean;
  /** Also forgets the state of every cache key of the fallback in this env and product. */
  readonly keys?: boolean;
}

interface Place {
  readonly env?: string | undefined;
  readonly product?: string | undefined;
  readonly session?: ISession | undefined;
  readonly cache?: string | undefined;
}

type TriggerInput<In> = {} extends In ? { readonly input?: In | undefined } : { readonly input: In };

type InputFor<Fs extends Fallbacks, T, A> = A extends 'trigger'
  ? TriggerInput<InputOf<Fs, T>>
  : A extends 'update'
    ? { readonly input?: UpdateOf<Fs, T> }
    : { readonly input?: ResetInput };

type ResultFor<Fs extends Fallbacks, T, A> = A extends 'trigger'
  ? TriggerResult<OutputOf<Fs, T>>
  : A extends 'update'
    ? UpdateResult
    : ResetResult;

type PerCall<V, A extends readonly unknown[]> = V | ((...args: A) => V);

interface Guarding<A extends readonly unknown[], R> {
  /** Milliseconds for the primary; `null` or nothing: none. Then the fallback is triggered; a primary of `wrap` runs on. */
  readonly timeout?: number | null | undefined;
  /** `false`: the error is the caller's own; it is rethrown and nothing falls back. Default: the definition's. */
  readonly handle?: ((error: unknown) => boolean) | undefined;
  /** Leaves a primary alone that keeps failing: the fallback is triggered at once. One per env, product and tag. Default: none. */
  readonly breaker?: BreakerOptions | undefined;
  /** What a primary that timed out leads to, or of whose error `inDoubtWhen` says so. Default: `'next'`, the fallback. */
  readonly inDoubt?: 'next' | 'stop' | 'verify' | undefined;
  /** Whether the work may have been done although the call failed so. Default: no. */
  readonly inDoubtWhen?: ((error: unknown) => boolean) | undefined;
  /** Whether it has worked: then that is the answer. Has the primary's `timeout`. */
  readonly verify?: ((...args: A) => Verified<R> | PromiseLike<Verified<R>>) | undefined;
  /** Undoes what a primary did after it was given up on. */
  compensate?(output: R, ...args: A): unknown;
}

/** Options of `wrap`: each a value, or a function that makes one of each call's arguments. */
export interface WrapOptions<In, A extends readonly unknown[], R = unknown> extends Guarding<A, R> {
  /** Makes the trigger's input. Default: the first argument. */
  readonly input?: ((error: unknown, ...args: A) => In) | undefined;
  /** Default: the engine's. */
  readonly env?: PerCall<string, A> | undefined;
  /** Default: the engine's. */
  readonly product?: PerCall<string, A> | undefined;
  /** The key whose state counts. Default: the fallback's own. */
  readonly cache?: PerCall<string | undefined, A> | undefined;
  /** Guards the fallback, not the primary, which runs first. */
  readonly session?: PerCall<ISession | undefined, A> | undefined;
  /** The caller's abort: the call rejects promptly with its reason. */
  readonly signal?: PerCall<AbortSignal | undefined, A> | undefined;
  /** The `ctx.id` of the fallback's providers. Default: a new one for each call. */
  readonly id?: PerCall<string | undefined, A> | undefined;
  /** Milliseconds for the primary and the fallback together. */
  readonly deadline?: PerCall<number | undefined, A> | undefined;
}

/** Options of `call`. */
export interface CallOptions<R = unknown> extends Guarding<[], R>, Place, RunOptions {}

/** An object of any kind, where any will do: an interface has no index signature, and is one all the same. */
type AnyObject<T> = T extends readonly unknown[] | ((...args: never[]) => unknown)
  ? T
  : T extends object
    ? AnyRecord
    : T;

type FirstOf<A extends readonly unknown[]> = A extends readonly [infer First, ...unknown[]] ? First : {};
type Fits<First, In> = [First] extends [In] ? true : [AnyObject<First>] extends [In] ? true : false;

/** The options of `wrap` may be left out where the first argument already fits as input. */
type WrapArguments<In, A extends readonly unknown[], R> =
  Fits<FirstOf<A>, In> extends true
    ? [options?: WrapOptions<In, A, R>]
    : [optionsWithInput: WrapOptions<In, A, R> & { readonly input: NonNullable<unknown> }];

/** The primary's arguments as they are: options that ask for fewer of them do not take the others away. */
type Settled<A extends readonly unknown[]> = Extract<Given<A>, readonly unknown[]>;

interface Typed<Fs extends Fallbacks> {
  /**
   * `trigger` tries a fallback's providers in order, `update` reconfigures it, `reset` forgets its state.
   *
   * @throws FallbackError, its `code` telling which; and, as they are, what `handle` disowns and the reason of an abort
   */
  run<const T extends TagOf<Fs>, const A extends Action>(
    request: Place & { readonly fallback_tag: T; readonly action: A } & InputFor<Fs, NoInfer<T>, NoInfer<A>>,
    options?: RunOptions,
  ): Promise<ResultFor<Fs, T, A>>;
  /**
   * A function like `primary` that triggers the fallback where the primary fails, and gives what either answers.
   *
   * @throws UnknownFallbackError, InvalidRequestError at once, not on the day the primary fails
   */
  wrap<const T extends TagOf<Fs>, This, A extends readonly unknown[], R>(
    tag: T,
    primary: (this: This, ...args: A) => R,
    ...options: WrapArguments<InputOf<Fs, T>, Settled<A>, NoInfer<Known<Awaited<R>>>>
  ): (this: This, ...args: A) => Promise<Known<Awaited<R>> | OutputOf<Fs, T>>;
  /** Calls `primary` once, with a `signal` that its timeout, the deadline and the caller abort, and the fallback where it fails. */
  call<const T extends TagOf<Fs>, R>(
    tag: T,
    primary: (context: { readonly signal: AbortSignal; readonly id: string }) => R,
    ...options: {} extends InputOf<Fs, T>
      ? [options?: CallOptions<NoInfer<Known<Awaited<R>>>> & TriggerInput<InputOf<Fs, T>>]
      : [optionsWithInput: CallOptions<NoInfer<Known<Awaited<R>>>> & TriggerInput<InputOf<Fs, T>>]
  ): Promise<Known<Awaited<R>> | OutputOf<Fs, T>>;
}

type DynamicRequest = Place & { readonly fallback_tag: string; readonly input?: AnyRecord | undefined };

interface Dynamic {
  /** `trigger` tries a fallback's providers in order, `update` reconfigures it, `reset` forgets its state. */
  run<const A extends Action>(
    request: DynamicRequest & { readonly action: A },
    options?: RunOptions,
  ): Promise<A extends 'trigger' ? TriggerResult : A extends 'update' ? UpdateResult : ResetResult>;
  /** A function like `primary` that triggers the fallback where the primary fails, and gives what either answers. */
  wrap<This, A extends readonly unknown[], R>(
    tag: string,
    primary: (this: This, ...args: A) => R,
    options?: WrapOptions<AnyRecord, Settled<A>>,
  ): (this: This, ...args: A) => Promise<unknown>;
  /** Calls `primary` once, with a `signal` that its timeout, the deadline and the caller abort, and the fallback where it fails. */
  call(
    tag: string,
    primary: (context: { readonly signal: AbortSignal; readonly id: string }) => unknown,
    options?: CallOptions & { readonly input?: AnyRecord | undefined },
  ): Promise<unknown>;
}

interface Common<T extends string> {
  /** Adds a fallback. @throws InvalidDefinitionError where its tag is taken in one of its envs and products */
  define(fallback: Fallback): void;
  /** Whether there is such a fallback: the tag anywhere, or the request's tag in its env and product. Never throws. */
  has(tag: string): tag is T;
  has<R extends { readonly fallback_tag: string }>(request: R): request is R & { readonly fallback_tag: T };
  /** What each fallback is called, where it exists and who provides, in the order of their definition. */
  list(): FallbackInfo[];
  /** How a fallback, or one key of it, is doing. Creates nothing, renews nothing. */
  inspect(request: Omit<Place, 'session'> & { readonly fallback_tag: T }): Inspection;
  /** All that is remembered, as plain JSON; what is in flight is taken as abandoned. Works after `close`, too. */
  snapshot(): Snapshot;
  /** Replaces all that is remembered. @throws InvalidSnapshotError, and then nothing has changed */
  restore(snapshot: unknown): RestoreResult;
  /** Subscribes to one type of event, or to all; returns the function that unsubscribes. What a listener throws is ignored. */
  on<E extends EventType>(type: E, listener: Listener<E>): () => void;
  on(type: '*', listener: Listener): () => void;
  /** Refuses what comes, waits up to `grace` ms (default: 0) for what is in flight, then aborts it. */
  close(options?: { readonly grace?: number }): Promise<void>;
}

/** `ductape.fallback`: typed by the engine's definitions, or open to any request where it was made without. */
export type FallbackApi<Fs extends Fallbacks> = ([TagOf<Fs>] extends [never]
  ? Dynamic
  : string extends TagOf<Fs>
    ? Dynamic
    : Typed<Fs>) &
  Common<[TagOf<Fs>] extends [never] ? string : TagOf<Fs>>;

export interface Ductape<Fs extends Fallbacks> {
  readonly fallback: FallbackApi<Fs>;
}
