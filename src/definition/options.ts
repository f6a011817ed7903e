import { InvalidRequestError, type Where } from '../errors.ts';
import { show } from '../quote.ts';
import type { Clock, Issue, RunOptions, SessionVerifier } from '../types.ts';
import {
  type AnyFunction,
  a,
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
  record,
  type Shape,
  text,
  under,
  unknownName,
  unreadable,
} from './check.ts';
import { bound } from './provider.ts';
import { sessionShape } from './request.ts';
import { breaker, doubtFaults, doubtFields } from './safety.ts';

function isSignal(value: unknown): boolean {
  const signal = value as AbortSignal | null | undefined;
  return (
    typeof signal?.aborted === 'boolean' && [signal.addEventListener, signal.removeEventListener].every(isFunction)
  );
}

const signal = once(() => a<AbortSignal>('an AbortSignal', isSignal));

const runOptionsShape = once(() => fields({ signal: maybe(signal()), deadline: maybe(duration()), id: maybe(text()) }));

const NO_OPTIONS: RunOptions = Object.freeze({});

export function readRunOptions(raw: unknown, where: Where): RunOptions {
  if (raw === undefined) return NO_OPTIONS;
  const checked = check(runOptionsShape(), raw);
  if (!checked.issues) return checked.value;
  const { tag, env, product, cache, token } = where;
  return accepted(checked, { id: new Asked(raw).id, tag, env, product, cache, token });
}

/** What is known of a call whose options are not read yet, right or wrong: its id, and which fallback it names. */
export class Asked implements Where {
  readonly tag: string | undefined;
  readonly #options: unknown;

  constructor(options: unknown, tag?: unknown) {
    this.tag = isText(tag) ? tag : undefined;
    this.#options = options;
  }

  get id(): string | undefined {
    try {
      const { id } = Object(this.#options) as { readonly id?: unknown };
      return isText(id) ? id : undefined;
    } catch {
      return undefined;
    }
  }
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
  if (typeof type !== 'string') {
    issues.push({ path: 'type', message: `expected one of ${known.join(', ')}, got ${show(type)}` });
  } else if (!known.includes(type)) issues.push({ path: 'type', message: unknownName('event', type, known) });
  if (!isFunction(listener)) issues.push({ path: 'listener', message: `expected a function, got ${show(listener)}` });
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
  throw new InvalidRequestError(under(root, checked.issues), where, checked.thrown);
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

/** With the lists in it read once, for good. */
export function readEngineOptions(raw: unknown) {
  const checked = check(engineShape(), raw === undefined ? {} : raw);
  const { fallbacks = [], sessions, ...options } = accepted(checked, {});
  try {
    const verifiers =
      sessions && Object.entries(sessions).map(([tag, verify]) => [tag, bound(verify, sessions)] as const);
    return { ...options, fallbacks: [...fallbacks], sessions: verifiers && new Map(verifiers) };
  } catch (error) {
    throw new InvalidRequestError(unreadable(error).issues, {}, [error]);
  }
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
    breaker: maybe(breaker()),
    ...doubtFields(),
  });
});

export type WrapSettings = {
  readonly [K in keyof Infer<ReturnType<typeof wrapShape>>]?: Infer<ReturnType<typeof wrapShape>>[K];
};

/** A session that is the same for every call. */
const sessionField = once(() => fields({ session: sessionShape() }));

export function readWrapOptions(raw: unknown, where: Where = {}): WrapSettings {
  const options = undoubtful(accepted(check(wrapShape(), raw === undefined ? {} : raw), where), where);
  const { session } = options;
  if (session !== undefined && !isFunction(session)) accepted(check(sessionField(), { session }), where);
  return options;
}

const callShape = once(() =>
  fields({
    input: maybe(record()),
    env: maybe(text()),
    product: maybe(text()),
    cache: maybe(text()),
    session: maybe(sessionShape()),
    signal: maybe(signal()),
    id: maybe(text()),
    deadline: maybe(duration()),
    timeout: maybe(orNull(duration())),
    handle: maybe(method()),
    breaker: maybe(breaker()),
    ...doubtFields(),
  }),
);

export type CallSettings = {
  readonly [K in keyof Infer<ReturnType<typeof callShape>>]?: Infer<ReturnType<typeof callShape>>[K];
};

export function readCallOptions(raw: unknown, where: Where = {}): CallSettings {
  return undoubtful(accepted(check(callShape(), raw === undefined ? {} : raw), where), where);
}

/** Options whose parts fit together. @throws InvalidRequestError */
function undoubtful<T extends Parameters<typeof doubtFaults>[0]>(options: T, where: Where): T {
  const issues = doubtFaults(options, '');
  if (issues.length > 0) throw new InvalidRequestError(issues, where);
  return options;
}
