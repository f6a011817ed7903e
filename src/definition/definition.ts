import { InvalidDefinitionError } from '../errors.ts';
import { show } from '../quote.ts';
import type { Backoff, BackoffOptions, Context, FallbackInfo, Issue, ProviderBase, StandardSchema } from '../types.ts';
import {
  a,
  anything,
  check,
  count,
  duration,
  fields,
  type Infer,
  isDuration,
  isText,
  LONGEST,
  label,
  maybe,
  method,
  once,
  orNull,
  type Refusal,
  text,
  under,
  unknownName,
  unreadable,
} from './check.ts';
import {
  type Breaker,
  type Doubts,
  doubtsOf,
  type HealthCheck,
  type Remembering,
  type RetryBudget,
  remembering,
  retryBudget,
  safetyFaults,
  safetyFields,
} from './safety.ts';

export type { Breaker, Doubts, HealthCheck, Remembering };

import { isStandardSchema, isThenable, validate } from './standard.ts';

/** A definition as the engine works with it: checked, its defaults filled in. */
export interface Definition {
  readonly tag: string;
  readonly info: FallbackInfo;
  readonly products: ReadonlySet<string> | undefined;
  readonly envs: ReadonlySet<string> | undefined;
  readonly input: StandardSchema<unknown, unknown> | undefined;
  readonly output: StandardSchema<unknown, unknown> | undefined;
  readonly settings: StandardSchema<unknown, unknown> | undefined;
  readonly providers: readonly ProviderDefinition[];
  readonly maxRetries: number;
  readonly fallbackProvider: string | undefined;
  readonly deadline: number | undefined;
  readonly resetAfter: number | null;
  readonly handle: ((error: unknown) => unknown) | undefined;
  readonly sessionRequired: boolean;
  readonly retryBudget: RetryBudget | undefined;
  /** A repeated trigger is given the same answer. */
  readonly reuse: Remembering | undefined;
  /** Whether any provider gives last good answers. */
  readonly remembers: boolean;
  /** Whether providers are tried although all are unhealthy. */
  readonly triesUnhealthy: boolean;
}

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

/** The keys of `update` that every fallback has; its own `settings` may not use them. */
export const RESERVED = ['maxRetries', 'fallbackProvider', 'deadline', 'resetAfter', 'providers'] as const;

/** `'never'` and `null` say the same. */
export const resetAfter = once(() =>
  a<number | 'never' | null>(
    `milliseconds from 0 to ${LONGEST}, or 'never'`,
    (value) => value === null || value === 'never' || isDuration(value),
  ),
);

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

const definitionShape = once(() => {
  const schema = maybe(
    a<StandardSchema<unknown, unknown>>('a Standard Schema (zod, valibot, arktype …)', isStandardSchema),
  );
  const places = maybe(
    a<string | readonly string[]>(
      'a string that is not empty, or a list of them',
      (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
    ),
  );
  return fields({
    tag: label(),
    name: maybe(text()),
    description: maybe(text()),
    product: places,
    env: places,
    input: schema,
    output: schema,
    settings: schema,
    providers: a<readonly unknown[]>('a list of 1 to 64 providers', isProviderList),
    maxRetries: maybe(count()),
    fallbackProvider: maybe(text()),
    deadline: maybe(duration()),
    resetAfter: maybe(resetAfter()),
    handle: maybe(method()),
    retryBudget: maybe(retryBudget()),
    reuse: maybe(remembering()),
    whenAllUnhealthy: maybe(a<string>("'try' or 'fail'", (value) => value === 'try' || value === 'fail')),
    session: maybe(a<string>("'optional' or 'required'", (value) => value === 'optional' || value === 'required')),
  });
});

const CHECKED = Symbol('ductape-fallback: checked definition');

/** A definition as its user holds it: what was written, frozen, and out of sight what it was found to mean. */
export function fallbackOf(raw: object): object {
  const checked = definitionOf(raw);
  try {
    return Object.freeze(Object.defineProperty({ ...raw }, CHECKED, { value: checked }));
  } catch (error) {
    return refuse(unreadable(error));
  }
}

/** The definition inside a fallback. A plain object, or the fallback of another copy of this package, is checked anew. */
export function definitionOf(fallback: unknown): Definition {
  try {
    return (Object(fallback) as { readonly [CHECKED]?: Definition })[CHECKED] ?? readDefinition(fallback);
  } catch (error) {
    if (error instanceof InvalidDefinitionError) throw error;
    return refuse(unreadable(error));
  }
}

function isProviderList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= 64;
}

function readDefinition(raw: unknown): Definition {
  const checked = check(definitionShape(), raw);
  if (checked.issues) return refuse(checked, raw);
  const given = checked.value;
  const faults: Issue[] = [];
  const listed = [...given.providers];
  const providers = listed.map((provider, index) =>
    readProvider(provider, listed[index + 1], `providers[${index}]`, faults),
  );
  const names = providers.map((provider) => provider?.name);
  names.forEach((name, index) => {
    if (name !== undefined && names.indexOf(name) < index) {
      faults.push({ path: `providers[${index}].name`, message: `expected a name of its own, got ${show(name)} again` });
    }
  });
  const { fallbackProvider, settings } = given;
  if (fallbackProvider !== undefined && !names.includes(fallbackProvider)) {
    const known = names.filter((name) => name !== undefined);
    faults.push({ path: 'fallbackProvider', message: unknownName('provider', fallbackProvider, known) });
  }
  const settingsThrew: unknown[] = [];
  if (settings) faults.push(...settingsFaults(settings, settingsThrew));
  if (faults.length > 0) {
    return refuse({ issues: faults, ...(settingsThrew.length > 0 && { thrown: settingsThrew }) }, raw);
  }
  return {
    tag: given.tag,
    info: infoOf(given, names as string[]),
    products: placesOf(given.product),
    envs: placesOf(given.env),
    input: given.input,
    output: given.output,
    settings,
    providers: providers as ProviderDefinition[],
    maxRetries: given.maxRetries ?? 10,
    fallbackProvider,
    deadline: given.deadline,
    resetAfter: neverIsNull(given.resetAfter ?? (given.resetAfter === null ? null : 30_000)),
    handle: bound(given.handle, raw),
    sessionRequired: given.session === 'required',
    retryBudget: given.retryBudget,
    reuse: boundKey(given.reuse, (raw as { reuse?: unknown }).reuse),
    remembers: providers.some((provider) => provider?.lastGood),
    triesUnhealthy: given.whenAllUnhealthy !== 'fail',
  };
}

function readProvider(raw: unknown, next: unknown, path: string, faults: Issue[]): ProviderDefinition | undefined {
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
    const message = lastGood
      ? `expected lastGood alone, or one of run and value, got ${ways.join(' and ')}`
      : `expected exactly one of run and value, got ${run ? 'both' : 'neither'}`;
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

function settingsFaults(settings: StandardSchema<unknown, unknown>, thrown: unknown[]): Issue[] {
  const defaults = validate(settings, {});
  if (isThenable(defaults))
    return [{ path: 'settings', message: 'expected a synchronous schema, got an asynchronous one' }];
  if (defaults.issues) {
    thrown.push(...(defaults.thrown ?? []));
    return defaults.issues.map(({ path, message }) => ({
      path: path ? `settings.${path}` : 'settings',
      message: `expected a schema that accepts {}, got ${message}`,
    }));
  }
  return Object.keys(Object(defaults.value))
    .filter((key) => (RESERVED as readonly string[]).includes(key))
    .map((key) => ({
      path: `settings.${key}`,
      message: `expected a key of its own, got ${show(key)}, which every fallback has`,
    }));
}

function infoOf(given: Infer<ReturnType<typeof definitionShape>>, providers: readonly string[]): FallbackInfo {
  const { tag, name, description, product, env } = given;
  const copy = (places: string | readonly string[] | undefined) => (typeof places === 'object' ? [...places] : places);
  return { tag, ...defined({ name, description, product: copy(product), env: copy(env) }), providers };
}

function placesOf(places: string | readonly string[] | undefined): ReadonlySet<string> | undefined {
  return places === undefined ? undefined : new Set(typeof places === 'string' ? [places] : places);
}

function boundKey(remembering: Remembering | undefined, owner: unknown): Remembering | undefined {
  return remembering && { ...remembering, key: bound(remembering.key, owner) };
}

/** Functions keep the object they were written on as their `this`. */
function bound<F extends ((...args: never[]) => unknown) | undefined>(method: F, owner: unknown): F {
  return method?.bind(owner as never) as F;
}

export function neverIsNull(value: number | 'never' | null): number | null {
  return value === 'never' ? null : value;
}

/** The keys that have a value. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

function refuse({ issues, thrown }: Refusal, raw?: unknown): never {
  let tag: unknown;
  try {
    tag = (raw as { tag?: unknown } | undefined)?.tag;
  } catch {
    // The tag only says which definition it was; one that cannot be read is told by the issues.
  }
  throw new InvalidDefinitionError(issues, typeof tag === 'string' ? { tag } : {}, thrown);
}
