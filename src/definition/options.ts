import { InvalidRequestError, type Where } from '../errors.ts';
import type { Clock, Issue, RunOptions, SessionVerifier } from '../types.ts';
import {
  type AnyFunction,
  a,
  anything,
  check,
  duration,
  fields,
  flag,
  type Infer,
  isDuration,
  isFunction,
  isObject,
  isText,
  maybe,
  method,
  once,
  orNull,
  type Refusal,
  type Shape,
  text,
  unknownName,
} from './check.ts';

function isSignal(value: unknown): boolean {
  const signal = value as AbortSignal | null | undefined;
  return typeof signal?.aborted === 'boolean' && isFunction(signal.addEventListener);
}

const signal = once(() => a<AbortSignal>('an AbortSignal', isSignal));

const runOptionsShape = once(() => fields({ signal: maybe(signal()), deadline: maybe(duration()), id: maybe(text()) }));

const NO_OPTIONS: RunOptions = Object.freeze({});

export function readRunOptions(raw: unknown, where: Where): RunOptions {
  return raw === undefined ? NO_OPTIONS : accepted(check(runOptionsShape(), raw), where);
}

const resetShape = once(() => fields({ config: maybe(flag()), keys: maybe(flag()) }));

export function readReset(input: unknown, where: Where): Infer<ReturnType<typeof resetShape>> {
  return accepted(check(resetShape(), input), where, 'input');
}

const closeShape = once(() => fields({ grace: maybe(duration()) }));

export function readGrace(raw: unknown): number {
  return accepted(check(maybe(closeShape()), raw), {})?.grace ?? 0;
}

export function readListener<T extends string>(
  type: unknown,
  listener: unknown,
  types: readonly T[],
): [types: readonly T[], listener: AnyFunction] {
  const known = ['*', ...types];
  const issues: Issue[] = [];
  if (!known.includes(type as string)) {
    const name = typeof type === 'string' ? type : '';
    issues.push({
      path: 'type',
      message: name ? unknownName('event', name, known) : `expected one of ${known.join(', ')}`,
    });
  }
  if (!isFunction(listener)) issues.push({ path: 'listener', message: 'expected a function' });
  if (issues.length > 0) throw new InvalidRequestError(issues);
  return [type === '*' ? types : [type as T], listener as AnyFunction];
}

/** The value, or the error that says what is wrong with it. @throws InvalidRequestError */
export function accepted<T>(
  checked: { readonly value: T; readonly issues?: undefined } | Refusal,
  where: Where,
  root = '',
): T {
  if (!checked.issues) return checked.value;
  const issues = checked.issues.map(({ path, message }) => ({ path: [root, path].filter(Boolean).join('.'), message }));
  throw new InvalidRequestError(issues, where, checked.thrown);
}

const MOST_KEYS = 2 ** 24;

const whole = (from: number, to: number) =>
  a<number>(
    `a whole number from ${from} to ${to}`,
    (value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to,
  );

const engineShape = once(() =>
  fields({
    fallbacks: maybe(a<readonly unknown[]>('a list of fallbacks', Array.isArray)),
    env: maybe(text()),
    product: maybe(text()),
    sessions: maybe(a<Record<string, SessionVerifier>>('an object of functions by session tag', isVerifiers)),
    cache: maybe(fields({ max: maybe(whole(1, MOST_KEYS)), ttl: maybe(whole(1, 2_147_483_647)) })),
    timeout: maybe(orNull(duration())),
    maxScopes: maybe(whole(1, MOST_KEYS)),
    clock: maybe(a<Clock>('a clock with now, setTimeout and clearTimeout', isClock)),
    random: maybe(method() as Shape<AnyFunction> as Shape<() => number>),
    nonce: maybe(text()),
  }),
);

function isVerifiers(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isFunction);
}

function isClock(value: unknown): boolean {
  const clock = Object(value) as Record<string, unknown>;
  return [clock.now, clock.setTimeout, clock.clearTimeout].every(isFunction);
}

export type EngineOptions = Infer<ReturnType<typeof engineShape>>;

export function readEngineOptions(raw: unknown): EngineOptions {
  return accepted(check(engineShape(), raw === undefined ? {} : raw), {});
}

/** An option of `wrap`: a value, or a function that makes one of each call's arguments. */
function perCall<T>(expected: string, test: (value: unknown) => boolean): Shape<T | AnyFunction | undefined> {
  return maybe(a<T | AnyFunction>(`${expected}, or a function`, (value) => isFunction(value) || test(value)));
}

const wrapShape = once(() => {
  const name = perCall<string>('a string that is not empty', isText);
  return fields({
    input: maybe(method()),
    env: name,
    product: name,
    cache: name,
    session: perCall('a session', isObject),
    signal: perCall('an AbortSignal', isSignal),
    id: name,
    deadline: perCall('milliseconds', isDuration),
    timeout: maybe(orNull(duration())),
    handle: maybe(method()),
  });
});

export type WrapSettings = {
  readonly [K in keyof Infer<ReturnType<typeof wrapShape>>]?: Infer<ReturnType<typeof wrapShape>>[K];
};

export function readWrapOptions(raw: unknown): WrapSettings {
  return accepted(check(wrapShape(), raw === undefined ? {} : raw), {});
}

const callShape = once(() =>
  fields({
    input: maybe(anything()),
    env: maybe(text()),
    product: maybe(text()),
    cache: maybe(text()),
    session: maybe(anything()),
    signal: maybe(signal()),
    id: maybe(text()),
    deadline: maybe(duration()),
    timeout: maybe(orNull(duration())),
    handle: maybe(method()),
  }),
);

export type CallSettings = {
  readonly [K in keyof Infer<ReturnType<typeof callShape>>]?: Infer<ReturnType<typeof callShape>>[K];
};

export function readCallOptions(raw: unknown): CallSettings {
  return accepted(check(callShape(), raw === undefined ? {} : raw), {});
}
