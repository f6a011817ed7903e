import { InvalidDefinitionError } from '../errors.ts';
import { show, spelt } from '../quote.ts';
import type { FallbackInfo, Issue, StandardSchema } from '../types.ts';
import {
  a,
  check,
  count,
  defined,
  duration,
  fields,
  type Infer,
  isDuration,
  isFunction,
  isText,
  LONGEST,
  label,
  maybe,
  method,
  once,
  type Refusal,
  text,
  unknownName,
  unreadable,
} from './check.ts';
import { bound, boundKey, type ProviderDefinition, readProvider } from './provider.ts';
import { type Remembering, type RetryBudget, remembering, retryBudget } from './safety.ts';
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

/** The keys of `update` that every fallback has; its own `settings` may not use them. */
export const RESERVED = ['maxRetries', 'fallbackProvider', 'deadline', 'resetAfter', 'providers'] as const;

/** `'never'` and `null` say the same. */
export const resetAfter = once(() =>
  a<number | 'never' | null>(
    `milliseconds from 0 to ${LONGEST}, or 'never'`,
    (value) => value === null || value === 'never' || isDuration(value),
  ),
);

const definitionFields = once(() => {
  const schema = maybe(
    a<StandardSchema<unknown, unknown>>('a Standard Schema (zod, valibot, arktype …)', isStandardSchema),
  );
  const places = maybe(
    a<string | readonly string[]>(
      'a string that is not empty, or a list of them',
      (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
    ),
  );
  return {
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
  };
});

const definitionShape = once(() => fields(definitionFields()));

const CHECKED = Symbol('ductape-fallback: checked definition');

/** A definition as its user holds it: what was written, frozen, and out of sight what it was found to mean. */
export function fallbackOf(raw: object): object {
  const checked = definitionOf(raw);
  try {
    return Object.freeze(Object.defineProperty({ ...inherited(raw), ...raw }, CHECKED, { value: checked }));
  } catch (error) {
    return refuse(unreadable(error));
  }
}

/** What a definition has of its class, which a copy would lose. */
function inherited(raw: object): object {
  const written = raw as Record<string, unknown>;
  const keys = Object.keys(definitionFields()).filter((key) => key in raw && !Object.hasOwn(raw, key));
  const values = Object.fromEntries(keys.map((key) => [key, written[key]]));
  return isFunction(values.handle) ? { ...values, handle: bound(values.handle, raw) } : values;
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

function isProviderList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0 && value.length <= 64;
}

function readDefinition(raw: unknown): Definition {
  const checked = check(definitionShape(), raw);
  // Whoever mends one fault hears of the others at once.
  if (checked.issues) return refuse({ ...checked, issues: [...checked.issues, ...providerFaults(raw)] }, raw);
  const given = checked.value;
  const faults: Issue[] = [];
  const providers = readProviders(given.providers, faults);
  const names = providers.map((provider) => provider?.name);
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

/** The providers in their order, `undefined` for each that is not right; what is wrong joins the faults. */
function readProviders(raw: readonly unknown[], faults: Issue[]): (ProviderDefinition | undefined)[] {
  const listed = [...raw];
  const providers = listed.map((provider, index) =>
    readProvider(provider, listed[index + 1], `providers[${index}]`, faults),
  );
  const names = providers.map((provider) => provider?.name);
  names.forEach((name, index) => {
    if (name !== undefined && names.indexOf(name) < index) {
      faults.push({
        path: `providers[${index}].name`,
        message: `expected a name of its own, got ${spelt(name)} again`,
      });
    }
  });
  return providers;
}

/** What is wrong with the providers of a definition that is refused already. */
function providerFaults(raw: unknown): readonly Issue[] {
  const faults: Issue[] = [];
  try {
    const { providers } = Object(raw) as { readonly providers?: unknown };
    if (isProviderList(providers)) readProviders(providers, faults);
  } catch {
    // What cannot be read a second time has its faults told as far as they were read.
  }
  return faults;
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

export function neverIsNull(value: number | 'never' | null): number | null {
  return value === 'never' ? null : value;
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
