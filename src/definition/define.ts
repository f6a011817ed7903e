import type {
  Fallback,
  Given,
  Known,
  Provider,
  ProviderBase,
  RememberOptions,
  RetryBudgetOptions,
  StandardSchema,
} from '../types.ts';
import { fallbackOf } from './definition.ts';

// biome-ignore lint/suspicious/noConfusingVoidType: a provider may answer nothing; and `unknown` would leave value functions untyped.
type Any = {} | null | undefined | void;
type Named<N> = { readonly name: N } & {
  readonly [K in 'run' | 'value' | 'lastGood' | Exclude<keyof ProviderBase<never, never>, 'name'>]?: unknown;
};
/** The same type, and not only one that each can be assigned to. */
type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false;
/** The answers of those providers that say of what type theirs is: a last good answer is one of the others'. */
type Said<Os extends readonly Any[]> = { [K in keyof Os]: Same<Os[K], Any> extends true ? never : Os[K] }[number];
/** What a provider's answer comes to, unwrapped. */
type Output<O> = Awaited<O extends (...args: never[]) => unknown ? never : O>;

/**
 * Checks a fallback's definition and freezes it. The types of its input and output are inferred: write them once, in
 * the schemas and the providers.
 *
 * @throws InvalidDefinitionError naming each fault, and the nearest valid name of an unknown field.
 * @example
 * const smsFailure = defineFallback({
 *   tag: 'sms-failure',
 *   providers: [
 *     { name: 'vonage', run: (input, ctx) => vonage.send(input, { signal: ctx.signal }), retries: 1, timeout: 2_000 },
 *     { name: 'later', value: { status: 'queued' } },
 *   ],
 * });
 */
export function defineFallback<
  const T extends string,
  const N extends string,
  Os extends readonly Any[],
  I = Record<string, unknown>,
  // A schema that does not say what it takes takes what it gives.
  In = I,
  SIn = unknown,
  S = unknown,
  Out = Output<Said<Os>>,
>(definition: {
  /** 1–128 printable characters. */
  readonly tag: T;
  /** For people. */
  readonly name?: string;
  /** For people. */
  readonly description?: string;
  /** Where this fallback exists. Default: in every product. */
  readonly product?: string | readonly string[];
  /** Where this fallback exists. Default: in every env. */
  readonly env?: string | readonly string[];
  /** Schema of a trigger's input; providers receive its output. Default: any record. */
  readonly input?: StandardSchema<In, I>;
  /** Schema every provider's output must meet; a mismatch is a failed attempt. The caller receives its output. */
  // biome-ignore lint/suspicious/noExplicitAny: a schema's input side has to accept whatever its providers make.
  readonly output?: StandardSchema<any, Out>;
  /** Schema of the fallback's own reconfigurable keys. Synchronous; must accept `{}`; read as `ctx.config`. */
  readonly settings?: StandardSchema<SIn, S>;
  /** Failed triggers in a row that are tolerated before the fallback is exhausted. Default: 10. */
  readonly maxRetries?: number;
  /** The provider tried first. Default: the first. */
  readonly fallbackProvider?: NoInfer<N>;
  /** Milliseconds for a whole trigger: checks, attempts and waits together. Default: none. */
  readonly deadline?: number;
  /** Milliseconds an exhausted fallback waits before it admits one probe; `'never'`: until reset. Default: 30 000. */
  readonly resetAfter?: number | 'never' | null;
  /** `false`: the error is the caller's own, not a provider's failure; it is rethrown at once. Default: all are failures. */
  readonly handle?: (error: unknown) => boolean;
  /** Bounds the retries on each provider, over all triggers, so that an outage makes no storm. Default: no bound. */
  readonly retryBudget?: RetryBudgetOptions;
  /** Gives a repeated trigger (same cache key, equal `key`) the same answer, and lets equal concurrent ones share one. Default: off. */
  readonly reuse?: RememberOptions<NoInfer<I>>;
  /** What to do when every provider is unhealthy: `'try'` them in order all the same, or `'fail'` at once. Default: `'try'`. */
  readonly whenAllUnhealthy?: 'try' | 'fail';
  /** `'required'` refuses a trigger without a session. Default: `'optional'`. */
  readonly session?: 'optional' | 'required';
  /** Tried in this order; 1 to 64, of unique names. */
  readonly providers: readonly [...{ [K in keyof Os]: Provider<NoInfer<I>, NoInfer<S>, Os[K]> }] & readonly Named<N>[];
}): Fallback<T, Given<In>, Given<Known<Out>>, N, Given<SIn>> {
  return fallbackOf(definition) as Fallback<T, Given<In>, Given<Known<Out>>, N, Given<SIn>>;
}
