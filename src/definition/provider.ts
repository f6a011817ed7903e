import { show } from '../quote.ts';
import type { Backoff, BackoffOptions, Context, Issue, ProviderBase } from '../types.ts';
import {
  a,
  anything,
  check,
  count,
  defined,
  duration,
  fields,
  isDuration,
  LONGEST,
  label,
  maybe,
  method,
  once,
  orNull,
  under,
} from './check.ts';
import {
  type Breaker,
  type Doubts,
  doubtsOf,
  type HealthCheck,
  type Remembering,
  remembering,
  safetyFaults,
  safetyFields,
} from './safety.ts';

/** A provider as the engine works with it: `run` and `value` have become one. */
export interface ProviderDefinition {
  readonly name: string;
  readonly work: (input: unknown, ctx: Context) => unknown;
  readonly retries: number;
  readonly backoff: Wait;
  /** `undefined`: the engine's; `null`: none. */
  readonly timeout: number | null | undefined;
  readonly when: ((input: unknown, ctx: Context) => unknown) | undefined;
  readonly accept: ((output: unknown) => unknown) | undefined;
  readonly shouldRetry: ((error: unknown, ctx: Context) => unknown) | undefined;
  readonly breaker: Breaker | undefined;
  readonly healthcheck: HealthCheck | undefined;
  /** The most attempts in flight at once. */
  readonly concurrency: number;
  /** Whether any of these three was asked for. */
  readonly isGuarded: boolean;
  readonly tolerance: { readonly failures: number };
  /** Whether it may run twice, as it says itself. */
  readonly idempotent: boolean | undefined;
  /** Milliseconds after which the next provider starts beside it. */
  readonly hedge: number | undefined;
  readonly doubts: Doubts;
  /** It gives the last good answer once more. */
  readonly lastGood: Remembering | undefined;
  /** What it gives is an answer of last resort, and not remembered as a good one. */
  readonly isLastResort: boolean;
}

export type Wait = Required<BackoffOptions> | ((attempt: number, error: unknown) => unknown);

const backoffShape = once(() =>
  fields({
    initialDelay: maybe(duration()),
    maxDelay: maybe(duration()),
    factor: maybe(a<number>('a factor of 1 or more', (value) => Number.isFinite(value) && (value as number) >= 1)),
    jitter: maybe(
      a<'full' | 'none' | 'decorrelated'>("'full', 'none' or 'decorrelated'", (value) =>
        ['full', 'none', 'decorrelated'].includes(value as string),
      ),
    ),
  }),
);

const providerShape = once(() =>
  fields({
    name: label(),
    run: maybe(method()),
    value: maybe(anything()),
    lastGood: maybe(remembering()),
    retries: maybe(count()),
    backoff: maybe(anything()),
    timeout: maybe(orNull(duration())),
    when: maybe(method()),
    accept: maybe(method()),
    shouldRetry: maybe(method()),
    ...safetyFields(),
  }),
);

/** The provider, or `undefined`; what is wrong with it joins the faults. */
export function readProvider(
  raw: unknown,
  next: unknown,
  path: string,
  faults: Issue[],
): ProviderDefinition | undefined {
  const checked = check(providerShape(), raw);
  if (checked.issues) {
    faults.push(...under(path, checked.issues));
    return undefined;
  }
  const { name, run, value, retries = 0, timeout, when, accept, shouldRetry, backoff } = checked.value;
  const { lastGood, breaker, healthcheck, concurrency, idempotent, hedge, compensateRetries } = checked.value;
  faults.push(...safetyFaults(checked.value, next as Partial<ProviderDefinition> | undefined, path));
  const hasValue = value !== undefined || (run === undefined && 'value' in (raw as object));
  const ways = [run && 'run', hasValue && 'value', lastGood && 'lastGood'].filter(Boolean);
  if (ways.length !== 1) {
    const message = `expected exactly one of run, value and lastGood, got ${ways.join(' and ') || 'none'}`;
    faults.push({ path, message });
  }
  const wait = readBackoff(typeof backoff === 'function' ? backoff.bind(raw) : backoff, `${path}.backoff`, faults);
  const work = run ?? (typeof value === 'function' ? (value as () => unknown) : () => value);
  return {
    name,
    work: bound(work, raw) as ProviderDefinition['work'],
    retries,
    backoff: wait,
    timeout,
    when: bound(when, raw),
    accept: bound(accept, raw),
    shouldRetry: bound(shouldRetry, raw),
    breaker,
    healthcheck: healthcheck && {
      ...healthcheck,
      check: bound(healthcheck.check, (raw as ProviderBase<never, never>).healthcheck),
    },
    concurrency: concurrency ?? Number.POSITIVE_INFINITY,
    isGuarded: (breaker ?? healthcheck ?? concurrency) !== undefined,
    idempotent,
    hedge,
    lastGood: boundKey(lastGood, (raw as { lastGood?: unknown }).lastGood),
    isLastResort: run === undefined,
    doubts: doubtsOf(checked.value, (method) => bound(method, raw), compensateRetries),
    tolerance: { failures: breaker?.failures ?? Number.POSITIVE_INFINITY },
  };
}

export const DEFAULT_BACKOFF = { initialDelay: 100, maxDelay: 5_000, factor: 2, jitter: 'full' } as const;

function readBackoff(raw: unknown, path: string, faults: Issue[]): Wait {
  if (typeof raw === 'function') return raw as Exclude<Backoff, number | BackoffOptions>;
  // A constant delay is the exponential one that never grows.
  if (isDuration(raw)) return { initialDelay: raw, maxDelay: LONGEST, factor: 1, jitter: 'none' };
  if (raw === undefined) return DEFAULT_BACKOFF;
  const checked = check(backoffShape(), raw);
  if (!checked.issues) return { ...DEFAULT_BACKOFF, ...defined(checked.value) };
  for (const issue of checked.issues) {
    const whole = `expected milliseconds from 0 to ${LONGEST}, backoff options or a function, got ${show(raw)}`;
    faults.push(...(issue.path ? under(path, [issue]) : [{ path, message: whole }]));
  }
  return DEFAULT_BACKOFF;
}

export function boundKey(remembering: Remembering | undefined, owner: unknown): Remembering | undefined {
  return remembering && { ...remembering, key: bound(remembering.key, owner) };
}

/** Functions keep the object they were written on as their `this`. */
export function bound<F extends ((...args: never[]) => unknown) | undefined>(method: F, owner: unknown): F {
  return method?.bind(owner as never) as F;
}
