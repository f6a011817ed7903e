import type { Clock, Context, Issue } from '../index.ts';
import { isObject } from './raw.ts';
import { json } from './trace.ts';

export const FAULTS = ['reject', 'throw', 'slow', 'hang', 'lost'] as const;

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

export type Run = (input: unknown, ctx: Context) => unknown;

export interface RawProvider {
  readonly name: string;
  readonly run?: Run;
}

export function ratesFor(rates: ChaosOptions['rates'], provider: string): ChaosRates {
  return isByName(rates) ? (Object.entries(rates).find(([name]) => name === provider)?.[1] ?? {}) : rates;
}

function isByName(rates: object): rates is Readonly<Record<string, ChaosRates>> {
  return Object.values(rates).some((value) => typeof value === 'object');
}

const OPTIONS = ['seed', 'rates', 'latency', 'when', 'limit', 'enabled', 'onInject', 'clock'];

export function faultsOf(options: unknown, providers: readonly RawProvider[]): Issue[] {
  const given = Object(options) as Record<string, unknown>;
  const { seed, rates, latency, limit, enabled, clock } = given;
  const { min, max } = Object(latency) as Record<string, unknown>;
  const isRange = isMs(min) && isMs(max) && min <= max;
  const expect = (path: string, isRight: boolean, expected: string): Issue[] =>
    isRight ? [] : [{ path, message: `expected ${expected}, got ${json(given[path])}` }];
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
  if (!isObject(rates)) return [{ path, message: `expected rates by fault, got ${json(rates)}` }];
  const values = Object.entries(rates);
  const bad = values.filter(([, rate]) => rate !== undefined && !(typeof rate === 'number' && rate >= 0 && rate <= 1));
  const sum = values.reduce((total, [, rate]) => total + Number(rate ?? 0), 0);
  const isTooMuch = bad.length === 0 && sum > 1 + 1e-9;
  return [
    ...unknown('fault', `${path}.`, Object.keys(rates), FAULTS),
    ...bad.map(([fault, rate]) => ({
      path: `${path}.${fault}`,
      message: `expected a probability from 0 to 1, got ${json(rate)}`,
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
const isMs = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= LONGEST;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
