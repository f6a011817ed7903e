import { custom, nullable, object, optional, safeParse, strictObject, type ZodMiniType } from 'zod/mini';
import { quote, show, spelt } from '../quote.ts';
import type { Issue } from '../types.ts';
import { nearest } from './nearest.ts';

/**
 * The shapes of all that comes in, in zod. Every error text given to zod says only what would have been right
 * (for an object, its keys); the sentence around it (what came, the nearest valid name) is made here, once.
 */
export type Shape<T> = ZodMiniType<T>;
export type Infer<S> = S extends ZodMiniType<infer T> ? T : never;

/** A value that passes `test`; `expected` names it: 'a function', say. */
export function a<T>(expected: string, test: (value: unknown) => boolean): Shape<T> {
  return custom<T>(test, expected);
}

/** An object of these keys and no others. */
export function fields<S extends Record<string, ZodMiniType>>(shape: S): Shape<{ [K in keyof S]: Infer<S[K]> }> {
  const keys = Object.keys(shape).join(' ');
  const error = (issue: { readonly code?: string }) => (issue.code === 'unrecognized_keys' ? keys : 'an object');
  return strictObject(shape, { error }) as ZodMiniType as Shape<{ [K in keyof S]: Infer<S[K]> }>;
}

/** An object of these keys, whatever others it has. */
export function open<S extends Record<string, ZodMiniType>>(shape: S): Shape<{ [K in keyof S]: Infer<S[K]> }> {
  return object(shape, 'an object') as ZodMiniType as Shape<{ [K in keyof S]: Infer<S[K]> }>;
}

/** A key that may be left out, or `undefined`. */
export function maybe<T>(shape: Shape<T>): Shape<T | undefined> {
  return optional(shape);
}

/** A key whose value may be `null`. */
export function orNull<T>(shape: Shape<T>): Shape<T | null> {
  return nullable(shape);
}

/** The longest delay a timer can take: a longer one would fire at once. @see https://nodejs.org/api/timers.html */
export const LONGEST = 2_147_483_647;

export const isDuration = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= LONGEST;
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
export type AnyFunction = (...args: unknown[]) => unknown;
export const isFunction = (value: unknown): value is AnyFunction => typeof value === 'function';
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** No control characters, no lone surrogates, no line or paragraph separators. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u;

/** Made at the first call: importing the package does no work. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export const duration = once(() => a<number>(`milliseconds from 0 to ${LONGEST}`, isDuration));
export const count = once(() => a<number>('a whole number of 0 or more', isCount));
export const flag = once(() => a<boolean>('true or false', (value) => typeof value === 'boolean'));
export const text = once(() => a<string>('a string that is not empty', isText));
export const label = once(() =>
  a<string>('1 to 128 printable characters', (value) => isText(value) && PRINTABLE.test(value)),
);
export const method = once(() => a<AnyFunction>('a function', isFunction));
export const anything = once(() => a<unknown>('anything', () => true));
export const record = once(() => a<Record<string, unknown>>('an object', isObject));

/** `value` as its shape has it, read once; or every complaint about it. */
export type Checked<T> = { readonly value: T; readonly issues?: undefined } | Refusal;

export interface Refusal {
  readonly issues: readonly Issue[];
  /** What reading the value threw. */
  readonly thrown?: readonly unknown[];
}

export function check<T>(shape: Shape<T>, value: unknown): Checked<T> {
  try {
    const result = safeParse(shape, value);
    if (result.success) return { value: result.data };
    return { issues: result.error.issues.flatMap((issue) => complaints(issue, value)) };
  } catch (error) {
    return unreadable(error);
  }
}

/** The refusal of what cannot even be read: a getter or a proxy that throws. */
export function unreadable(error: unknown): Refusal {
  return {
    issues: [{ path: '', message: `expected what can be read, got what throws ${quote(error)}` }],
    thrown: [error],
  };
}

interface Complaint {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function complaints({ path, message, keys }: Complaint, root: unknown): Issue[] {
  if (keys) {
    const known = message.split(' ');
    return keys.map((key) => ({ path: pathText([...path, key]), message: unknownName('key', key, known) }));
  }
  return [{ path: pathText(path), message: `expected ${message}, got ${came(path, root)}` }];
}

export function unknownName(kind: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  const hint = near === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${spelt(near)}?`;
  return `unknown ${kind} ${spelt(name)}; ${hint}`;
}

/** What stands at a path. Of a session only the kind of value is told. */
export function came(path: readonly PropertyKey[], root: unknown): string {
  return path[0] === 'session' ? kindAt(path, root) : show(valueAt(path, root));
}

/** What kind of value stands at a path. */
export function kindAt(path: readonly PropertyKey[], root: unknown): string {
  const value = valueAt(path, root);
  if (typeof value === 'string') return value === '' ? 'an empty string' : 'a string';
  return typeof value === 'number' || typeof value === 'bigint' ? `a ${typeof value}` : show(value);
}

function valueAt(path: readonly PropertyKey[], root: unknown): unknown {
  try {
    return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], root);
  } catch {
    return undefined;
  }
}

/** Complaints about a part, told of the whole. */
export function under(path: string, issues: readonly Issue[]): Issue[] {
  return issues.map((issue) => ({ ...issue, path: [path, issue.path].filter(Boolean).join('.') }));
}

export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text ? `${text}.${String(key)}` : String(key);
  }, '');
}

/** The keys that have a value. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
