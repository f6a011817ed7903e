import { defineFallback, type Fallback, InvalidRequestError, systemClock } from '../index.ts';
import {
  type ChaosFault,
  type ChaosInjection,
  type ChaosOptions,
  type ChaosRates,
  FAULTS,
  faultsOf,
  type RawProvider,
  type Run,
  ratesFor,
} from './chaos-options.ts';
import { owned } from './raw.ts';
import { after } from './script.ts';

export type { ChaosFault, ChaosInjection, ChaosLatency, ChaosOptions, ChaosRates } from './chaos-options.ts';

/**
 * Every error that chaos injects, and nothing else: in `attempt-ended` events, in the attempts of a result, in the `errors`
 * of a failure; in a `late` event where the provider was given up on. (`cause` is then why.)
 */
export class ChaosError extends Error {
  static {
    // On the prototype, so that the stack's first line reads right, minified or not.
    Object.defineProperty(ChaosError.prototype, 'name', { value: 'ChaosError', configurable: true, writable: true });
  }
  readonly code = 'ERR_CHAOS';
  /** Tells it apart even where two copies of this package meet. */
  readonly isChaos = true;
  readonly fault: ChaosFault;
  readonly provider: string;
  readonly injection: ChaosInjection;
  constructor(injection: ChaosInjection, options?: ErrorOptions) {
    super(`chaos: ${injection.fault} injected into "${injection.provider}", call ${injection.call}`, options);
    this.fault = injection.fault;
    this.provider = injection.provider;
    this.injection = injection;
  }
}

type NameOf<F> = F extends { readonly '~types'?: infer Types }
  ? NonNullable<Types> extends (...args: never[]) => { readonly name: infer N extends string }
    ? N
    : string
  : string;

interface RawDefinition {
  readonly tag: string;
  readonly providers: readonly RawProvider[];
}

/**
 * The same fallback with seeded faults, for a staging system. Off unless `enabled`: then it is the very fallback given.
 *
 * Names, order, `when`, `retries`, timeouts and schemas stay as they are; only calls of `run` are tampered with. A `handle` or
 * `shouldRetry` that knows its errors by class should let `isChaos` pass for a failure.
 *
 * @throws InvalidDefinitionError where it is no fallback; InvalidRequestError naming each bad option.
 * @example
 * const payments = chaos(paymentFailure, { seed: 42, rates: { stripe: { hang: 0.05, lost: 0.01 } }, enabled: env === 'staging' });
 */
export function chaos<F extends Fallback>(definition: F, options: ChaosOptions<NameOf<F>>): F {
  const raw = defineFallback(definition as never) as unknown as RawDefinition;
  const issues = faultsOf(options, raw.providers);
  if (issues.length > 0) throw new InvalidRequestError(issues);
  if (!options.enabled) return definition;
  const inject = injector(raw.tag, options);
  const providers = raw.providers.map((provider) => {
    const { name, run } = provider;
    return run ? { ...owned(provider), run: inject(name, run.bind(provider)) } : provider;
  });
  return defineFallback({ ...raw, providers } as never) as unknown as F;
}

/** What wraps each provider's `run`; `limit` is common to them, the count of calls is each one's own. */
function injector(tag: string, options: ChaosOptions): (provider: string, run: Run) => Run {
  const { seed, latency = { min: 100, max: 1_000 }, limit = Number.POSITIVE_INFINITY } = options;
  const { enabled, clock = systemClock } = options;
  let injected = 0;
  const isOpen: Run = (input, ctx) => {
    try {
      if (typeof enabled === 'function' && (enabled() as unknown) !== true) return false;
      return injected < limit && (!options.when || (options.when(input, ctx) as unknown) === true);
    } catch {
      // A switch that is broken is off: chaos adds no error that it does not mark.
      return false;
    }
  };
  return (provider, run) => {
    const rates = ratesFor(options.rates, provider);
    let calls = 0;
    return (input, ctx) => {
      if (!isOpen(input, ctx)) return run(input, ctx);
      const call = ++calls;
      const random = mulberry32(fnv1a(JSON.stringify([seed, tag, provider, call])));
      const fault = draw(rates, random());
      if (!fault) return run(input, ctx);
      const ms = typeof latency === 'number' ? latency : latency.min + random() * (latency.max - latency.min);
      const facts = { fault, tag, provider, id: ctx.id, attempt: ctx.attempt, call };
      const injection: ChaosInjection = Object.freeze(fault === 'slow' ? { ...facts, latency: ms } : facts);
      const work = () => run(input, ctx);
      const failure: Failure = (reason) => new ChaosError(injection, reason);
      const told = () => tell(options.onInject, injection);
      injected++;
      if (fault === 'lost') return lose(work, failure, told, () => injected--);
      told();
      if (fault === 'throw') throw failure();
      if (fault === 'reject') return Promise.reject(failure());
      return delay(after(clock, fault === 'slow' ? ms : undefined, ctx.signal), work, failure, ctx.signal);
    };
  };
}

type Failure = (reason?: ErrorOptions) => ChaosError;

/** The work begins once the wait is over, and not at all where it was given up on. */
async function delay(wait: Promise<void>, work: () => unknown, failure: Failure, signal: AbortSignal) {
  try {
    await wait;
    signal.throwIfAborted();
  } catch (cause) {
    throw failure({ cause });
  }
  return work();
}

/** What failed by itself has no answer to lose: it keeps its own error, and counts as no injection. */
async function lose(work: () => unknown, failure: Failure, told: () => void, giveBack: () => void): Promise<never> {
  try {
    await work();
  } catch (error) {
    giveBack();
    throw error;
  }
  told();
  throw failure();
}

function tell(onInject: ChaosOptions['onInject'], injection: ChaosInjection): void {
  try {
    Promise.resolve(onInject?.(injection)).catch(() => undefined);
  } catch {
    // An observer changes nothing.
  }
}

function draw(rates: ChaosRates, chance: number): ChaosFault | undefined {
  let left = chance;
  return FAULTS.find((fault) => {
    left -= rates[fault] ?? 0;
    return left < 0;
  });
}

/** @see http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md#mulberry32 */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
