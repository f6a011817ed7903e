import {
  type Clock,
  type Context,
  defineFallback,
  type Fallback,
  InvalidRequestError,
  type Issue,
  systemClock,
} from '../index.ts';
import { after } from './script.ts';
import { json } from './trace.ts';

const FAULTS = ['reject', 'throw', 'slow', 'hang', 'lost'] as const;

/**
 * What chaos makes a provider do:
 *
 * - `reject`: rejects, and is not called
 * - `throw`: throws at once, and is not called
 * - `slow`: is called late, unless it was given up on before
 * - `hang`: never answers, and is not called
 * - `lost`: is called and does its work, and then the answer is lost: a rejection
 */
export type ChaosFault = (typeof FAULTS)[number];

/** The probability of each fault at each call, from 0 to 1; together at most 1. Default of each: 0. */
export type ChaosRates = { readonly [K in ChaosFault]?: number };

/** Milliseconds: always these, or evenly between two bounds. */
export type ChaosLatency = number | { readonly min: number; readonly max: number };

export interface ChaosOptions<N extends string = string> {
  /** A whole number. The same seed gives the nth call of a provider the same fault, however calls interleave. */
  readonly seed: number;
  /** For all providers, or by name. A provider without `run` is a value: it cannot fail, and is left alone. */
  readonly rates: ChaosRates | { readonly [K in N]?: ChaosRates };
  /** How much later a `slow` call begins. Default: 100 to 1 000 ms. */
  readonly latency?: ChaosLatency;
  /** Which calls may be tampered with: `true` lets chaos in, all else keeps it out, a throw too. Default: all calls. */
  when?(input: unknown, ctx: Context): boolean;
  /** How many injections there may be in all. Default: no limit. */
  readonly limit?: number;
  /** Whether there is any chaos at all; a function is asked at each call, and `true` is a yes. Default: `false`. */
  readonly enabled?: boolean | (() => boolean);
  /** Hears of every injection. What it throws is ignored. */
  readonly onInject?: (injection: ChaosInjection) => unknown;
  /** The clock of `slow`: the engine's, if that has one of its own. Default: `systemClock`. */
  readonly clock?: Clock;
}

/** One fault, as it was injected. Frozen. */
export interface ChaosInjection {
  readonly fault: ChaosFault;
  readonly tag: string;
  readonly provider: string;
  /** The trigger's id. */
  readonly id: string;
  /** 1-based, within the trigger. */
  readonly attempt: number;
  /** 1-based: which of the provider's calls open to chaos this was. With the seed it decides the fault. */
  readonly call: number;
  /** Milliseconds; of `slow` only. */
  readonly latency?: number;
}

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

type Run = (input: unknown, ctx: Context) => unknown;

interface RawProvider {
  readonly name: string;
  readonly run?: Run;
}

interface RawDefinition {
  readonly tag: string;
  readonly providers: readonly RawProvider[];
  readonly handle?: (error: unknown) => boolean;
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
  const handle = raw.handle && { handle: raw.handle.bind(raw) };
  return defineFallback({ ...raw, ...handle, providers } as never) as unknown as F;
}

/** What a provider may have on its class rather than on itself. */
const INHERITED = ['name', 'retries', 'timeout', 'backoff', 'when', 'accept', 'shouldRetry'];

/** A copy whose functions keep the provider they were written on as their `this`. */
function owned(provider: RawProvider): object {
  const fields = [...INHERITED, ...Object.keys(provider)].map((key) => {
    const field = (provider as unknown as Record<string, unknown>)[key];
    return [key, typeof field === 'function' ? field.bind(provider) : field] as const;
  });
  return Object.fromEntries(fields.filter(([, field]) => field !== undefined));
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

function ratesFor(rates: ChaosOptions['rates'], provider: string): ChaosRates {
  return isByName(rates) ? (Object.entries(rates).find(([name]) => name === provider)?.[1] ?? {}) : rates;
}

function isByName(rates: object): rates is Readonly<Record<string, ChaosRates>> {
  return Object.values(rates).some((value) => typeof value === 'object');
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

const OPTIONS = ['seed', 'rates', 'latency', 'when', 'limit', 'enabled', 'onInject', 'clock'];

function faultsOf(options: unknown, providers: readonly RawProvider[]): Issue[] {
  const given = Object(options) as Record<string, unknown>;
  const { seed, rates, latency, limit, enabled, clock } = given;
  const { min, max } = Object(latency) as Record<string, unknown>;
  const isRange = isMs(min) && isMs(max) && min <= max;
  const expect = (path: string, isRight: boolean, expected: string): Issue[] =>
    isRight ? [] : [{ path, message: `expected ${expected}, got ${show(given[path])}` }];
  const optional = (path: string, isRight: boolean, expected: string) =>
    expect(path, given[path] === undefined || isRight, expected);
  return [
    ...unknown('option', '', Object.keys(given), OPTIONS),
    ...expect('seed', Number.isSafeInteger(seed), 'a whole number'),
    ...(isObject(rates) ? rateFaults(rates, providers) : expect('rates', false, 'rates by fault, or by provider')),
    ...optional('latency', isMs(latency) || isRange, `milliseconds from 0 to ${LONGEST}, or { min, max } of them`),
    ...optional('when', typeof given.when === 'function', 'a function'),
    ...optional('limit', isCount(limit), 'a whole number of 0 or more'),
    ...optional('enabled', ['boolean', 'function'].includes(typeof enabled), 'true, false or a function'),
    ...optional('onInject', typeof given.onInject === 'function', 'a function'),
    ...optional('clock', typeof Object(clock).setTimeout === 'function', 'a clock'),
  ];
}

function rateFaults(rates: Record<string, unknown>, providers: readonly RawProvider[]): Issue[] {
  if (!isByName(rates)) return rateFaultsAt('rates', rates);
  const names = providers.filter(({ run }) => run).map(({ name }) => name);
  return [
    ...unknown('provider with a run', 'rates.', Object.keys(rates), names),
    ...Object.entries(rates).flatMap(([name, own]) => rateFaultsAt(`rates.${name}`, own)),
  ];
}

function rateFaultsAt(path: string, rates: unknown): Issue[] {
  if (!isObject(rates)) return [{ path, message: `expected rates by fault, got ${show(rates)}` }];
  const values = Object.entries(rates);
  const bad = values.filter(([, rate]) => rate !== undefined && !(typeof rate === 'number' && rate >= 0 && rate <= 1));
  const sum = values.reduce((total, [, rate]) => total + Number(rate ?? 0), 0);
  const isTooMuch = bad.length === 0 && sum > 1 + 1e-9;
  return [
    ...unknown('fault', `${path}.`, Object.keys(rates), FAULTS),
    ...bad.map(([fault, rate]) => ({
      path: `${path}.${fault}`,
      message: `expected a probability from 0 to 1, got ${show(rate)}`,
    })),
    ...(isTooMuch ? [{ path, message: `expected probabilities of 1 at most together, got ${sum}` }] : []),
  ];
}

function unknown(kind: string, path: string, names: readonly string[], known: readonly string[]): Issue[] {
  return names
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: path + name, message: `unknown ${kind}; expected one of ${known.join(', ')}` }));
}

/** The longest delay a timer can take. @see https://nodejs.org/api/timers.html */
const LONGEST = 2_147_483_647;
const show = (value: unknown) => (['number', 'function'].includes(typeof value) ? String(value) : json(value));
const isMs = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= LONGEST;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
