import { show, spelt } from '../quote.ts';
import type { BaseConfig, Issue, ProviderConfig } from '../types.ts';
import {
  a,
  type Checked,
  check,
  count,
  duration,
  fields,
  flag,
  isObject,
  maybe,
  once,
  orNull,
  pathText,
  text,
  under,
  unknownName,
  unreadable,
} from './check.ts';
import { type Definition, neverIsNull, RESERVED, resetAfter } from './definition.ts';
import { frozen, frozenCopy, isJson, isPlain } from './json.ts';
import { nearest } from './nearest.ts';
import type { ProviderDefinition } from './provider.ts';
import { isThenable, validate } from './standard.ts';

/** A configuration in force. Frozen, and shared by every machine that it holds for. */
export interface Configuration {
  readonly maxRetries: number;
  readonly resetAfter: number | null;
  readonly deadline: number | undefined;
  /** What providers and callers see. */
  readonly values: BaseConfig;
  /** What updates say of the settings: their schema made of it what `values` holds. */
  readonly given: Updates;
  /** The providers in the order they are tried, disabled ones left out. */
  readonly plan: readonly PlannedProvider[];
}

export interface PlannedProvider {
  readonly provider: ProviderDefinition;
  readonly retries: number;
  readonly timeout: number | null;
}

/** What updates have set so far, as they set it: plain, frozen JSON. */
export type Updates = Readonly<Record<string, unknown>>;

export const NO_UPDATES: Updates = Object.freeze({});

interface Amendments {
  readonly maxRetries?: number;
  readonly fallbackProvider?: string;
  readonly deadline?: number;
  readonly resetAfter?: number | 'never';
  readonly providers?: Readonly<Record<string, Partial<ProviderConfig>>>;
}

/** The definition's values with `layers` of updates merged in, the later ones winning. */
export function configure(
  definition: Definition,
  layers: readonly Updates[],
  timeout: number | null,
): Checked<Configuration> {
  const updates = layers.reduce(merge, NO_UPDATES);
  const { providers: amended = {}, ...amendments } = updates as Amendments;
  const given = Object.fromEntries(Object.entries(updates).filter(([key]) => !isReserved(key)));
  const settings = readSettings(definition, given);
  if (settings.issues) return settings;
  const plan = definition.providers.map((provider) => {
    const own = Object.hasOwn(amended, provider.name) ? amended[provider.name] : undefined;
    return {
      provider,
      enabled: own?.enabled ?? true,
      retries: own?.retries ?? provider.retries,
      timeout: own?.timeout ?? (provider.timeout === undefined ? timeout : provider.timeout),
    };
  });
  const { maxRetries = definition.maxRetries, fallbackProvider = definition.fallbackProvider } = amendments;
  const { deadline = definition.deadline } = amendments;
  const resetAfter = neverIsNull(amendments.resetAfter ?? definition.resetAfter);
  const values: BaseConfig = {
    maxRetries,
    ...(fallbackProvider !== undefined && { fallbackProvider }),
    ...(deadline !== undefined && { deadline }),
    resetAfter,
    providers: Object.fromEntries(
      plan.map(({ provider, enabled, retries, timeout }) => [provider.name, { enabled, retries, timeout }]),
    ),
    ...settings.value,
  };
  const isFirst = ({ provider }: PlannedProvider) => provider.name === fallbackProvider;
  const enabled = plan.filter((step) => step.enabled);
  return {
    value: Object.freeze({
      maxRetries,
      resetAfter,
      deadline,
      values: frozen(values),
      given,
      plan: [...enabled.filter(isFirst), ...enabled.filter((step) => !isFirst(step))],
    }),
  };
}

/** An update's input as plain frozen JSON, checked as far as it can be without the settings' schema. */
export function readUpdate(definition: Definition, input: Readonly<Record<string, unknown>>): Checked<Updates> {
  let update: Updates;
  try {
    // Whatever kind of object it is, its own fields are the update.
    update = frozenCopy({ ...input });
  } catch (error) {
    return unreadable(error);
  }
  const { providers } = update;
  const base = Object.fromEntries(Object.entries(update).filter(([key]) => isReserved(key) && key !== 'providers'));
  const names = definition.providers.map(({ name }) => name);
  const issues: Issue[] = [...(check(baseShape(), base).issues ?? [])];
  if (typeof update.fallbackProvider === 'string' && !names.includes(update.fallbackProvider)) {
    issues.push({ path: 'fallbackProvider', message: unknownName('provider', update.fallbackProvider, names) });
  }
  if (isPlain(providers))
    issues.push(...Object.entries(providers).flatMap(([name, value]) => providerIssues(names, name, value)));
  else if (providers !== undefined && providers !== null) {
    issues.push({ path: 'providers', message: `expected an object keyed by provider, got ${show(providers)}` });
  }
  for (const [key, value] of Object.entries(update)) {
    if (Object.hasOwn(base, key)) continue;
    if (key !== 'providers' && !definition.settings)
      issues.push({ path: key, message: unknownName('key', key, RESERVED) });
    else if (value !== undefined && !isJson(value) && !issues.some(({ path }) => startsWith(path, key)))
      issues.push({ path: key, message: `expected plain JSON, which a snapshot can hold, got ${show(value)}` });
  }
  return issues.length > 0 ? { issues } : { value: update };
}

/** What an update says of providers' health: no configuration, but a verdict by hand. */
export type ByHand = readonly (readonly [provider: string, health: 'healthy' | 'unhealthy'])[];

/** The configuration in an update, and what it says by hand. */
export function parted(update: Updates): { readonly updates: Updates; readonly byHand: ByHand } {
  const providers = Object.entries(Object(update.providers) as Readonly<Record<string, Updates | null>>);
  const byHand = providers.flatMap(([name, own]) => (own?.health === undefined ? [] : [[name, own.health] as const]));
  if (byHand.length === 0) return { updates: update, byHand: [] };
  const rest = providers.map(([name, own]) => [name, own && without(own, 'health')] as const);
  const updates = { ...update, providers: Object.fromEntries(rest) };
  return { updates: Object.freeze(updates), byHand: byHand as unknown as ByHand };
}

function without(updates: Updates, key: string): Updates {
  return Object.freeze(Object.fromEntries(Object.entries(updates).filter(([name]) => name !== key)));
}

export interface Amended {
  readonly updates: Updates;
  readonly configuration: Configuration;
}

/**
 * What one more `update` makes of the `own` updates that lie over `below`, or why the settings' schema refuses it: also for
 * a key that it knows nothing of.
 */
export function amend(
  definition: Definition,
  below: readonly Updates[],
  own: Updates,
  update: Updates,
  timeout: number | null,
): Checked<Amended> {
  const updates = merge(own, update);
  const before = configure(definition, [...below, own], timeout);
  const after = configure(definition, [...below, updates], timeout);
  const known = new Set([...RESERVED, ...keysOf(before), ...keysOf(after)]);
  const issues = (after.issues ?? []).map((issue) => {
    const near = issue.path && !known.has(issue.path) && issue.path in update && nearest(issue.path, [...known]);
    return near ? { ...issue, message: `${issue.message}; did you mean ${spelt(near)}?` } : issue;
  });
  for (const [key, value] of Object.entries(update)) {
    if (value === undefined || known.has(key) || issues.some(({ path }) => startsWith(path, key))) continue;
    issues.push({ path: key, message: unknownName('key', key, [...known]) });
  }
  if (after.issues) return { ...after, issues };
  return issues.length > 0 ? { issues } : { value: { updates, configuration: after.value } };
}

function keysOf(checked: Checked<Configuration>): readonly string[] {
  return checked.issues ? [] : Object.keys(checked.value.values);
}

const baseShape = once(() =>
  fields({
    maxRetries: maybe(orNull(count())),
    fallbackProvider: maybe(orNull(text())),
    deadline: maybe(orNull(duration())),
    resetAfter: maybe(resetAfter()),
  }),
);

const providerUpdateShape = once(() =>
  fields({
    enabled: maybe(orNull(flag())),
    retries: maybe(orNull(count())),
    timeout: maybe(orNull(duration())),
    health: maybe(
      a<'healthy' | 'unhealthy'>("'healthy' or 'unhealthy'", (value) => value === 'healthy' || value === 'unhealthy'),
    ),
  }),
);

function providerIssues(names: readonly string[], name: string, value: unknown): readonly Issue[] {
  const path = pathText(['providers', name]);
  if (!names.includes(name)) return [{ path, message: unknownName('provider', name, names) }];
  return under(path, check(maybe(orNull(providerUpdateShape())), value).issues ?? []);
}

/** The settings' own values, as their schema puts them out; `{}` without a schema. */
function readSettings(definition: Definition, given: Updates): Checked<object> {
  if (!definition.settings) return { value: NO_UPDATES };
  const settings = validate(definition.settings, given);
  if (isThenable(settings))
    return { issues: [{ path: '', message: 'expected a synchronous settings schema, got a promise' }] };
  if (settings.issues) return settings;
  const value: object = Object(settings.value);
  const taken = Object.keys(value).filter(isReserved);
  if (taken.length === 0) return { value };
  return {
    issues: taken.map((path) => ({
      path,
      message: `expected settings with keys of their own, got ${spelt(path)} of their schema`,
    })),
  };
}

/** `update` over `updates`: key by key, `providers` two levels deeper, `null` taking a value back. */
function merge(updates: Updates, update: Updates): Updates {
  const field = (_: unknown, value: unknown) => value;
  const provider = (before: unknown, value: unknown) =>
    isObject(value) ? mergeWith(Object(before), value, field) : value;
  return mergeWith(updates, update, (before, value, key) =>
    key === 'providers' && isObject(value) ? mergeWith(Object(before), value, provider) : value,
  );
}

function mergeWith(
  updates: Updates,
  update: Updates,
  join: (before: unknown, value: unknown, key: string) => unknown,
): Updates {
  const merged = new Map(Object.entries(updates));
  for (const [key, value] of Object.entries(update)) {
    const joined = value === undefined ? merged.get(key) : join(merged.get(key), value, key);
    if (joined === null || joined === undefined || joined === NO_UPDATES) merged.delete(key);
    else merged.set(key, joined);
  }
  return merged.size === 0 ? NO_UPDATES : Object.freeze(Object.fromEntries(merged));
}

function startsWith(path: string, key: string): boolean {
  return path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`);
}

function isReserved(key: string): boolean {
  return (RESERVED as readonly string[]).includes(key);
}
