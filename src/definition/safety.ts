import { show } from '../quote.ts';
import type { Issue } from '../types.ts';
import {
  type AnyFunction,
  a,
  count,
  duration,
  fields,
  flag,
  type Infer,
  isCount,
  maybe,
  method,
  once,
} from './check.ts';

/** After so many failed attempts in a row a provider is left alone for `cooldown` ms. */
export interface Breaker {
  readonly failures: number;
  readonly cooldown: number;
}

export interface HealthCheck {
  readonly check: AnyFunction;
  readonly interval: number;
  readonly timeout: number | undefined;
}

/** How many retries all triggers together may make on a provider. */
export interface RetryBudget {
  /** Retries per first attempt. */
  readonly ratio: number;
  readonly minPerSecond: number;
}

/** What to do about an attempt that may have done its work although it gave no answer. */
export interface Doubts {
  readonly inDoubt: 'next' | 'stop' | 'verify';
  readonly inDoubtWhen: AnyFunction | undefined;
  readonly verify: AnyFunction | undefined;
  readonly compensate: AnyFunction | undefined;
  readonly compensateRetries: number;
}

/** How long an answer may be given again, and to which inputs. */
export interface Remembering {
  readonly maxAge: number;
  /** Of the input; without it, inputs that are deeply equal. */
  readonly key: AnyFunction | undefined;
}

export const remembering = once(() => fields({ maxAge: duration(), key: maybe(method()) }));

const share = once(() =>
  a<number>('a number of 0 or more', (value) => Number.isFinite(value) && (value as number) >= 0),
);

export const retryBudget = once(() => fields({ ratio: share(), minPerSecond: share() }));

const atLeastOne = once(() => a<number>('a whole number of 1 or more', (value) => isCount(value) && value > 0));

export const breaker = once(() => fields({ failures: atLeastOne(), cooldown: duration() }));

const healthcheck = once(() => fields({ check: method(), interval: duration(), timeout: maybe(duration()) }));

/** The fields that `wrap` and `call` take for the primary, too. */
export const doubtFields = once(() => ({
  inDoubt: maybe(
    a<Doubts['inDoubt']>("'next', 'stop' or 'verify'", (value) => ['next', 'stop', 'verify'].includes(value as string)),
  ),
  inDoubtWhen: maybe(method()),
  verify: maybe(method()),
  compensate: maybe(method()),
}));

export const safetyFields = once(() => ({
  breaker: maybe(breaker()),
  healthcheck: maybe(healthcheck()),
  concurrency: maybe(atLeastOne()),
  idempotent: maybe(flag()),
  hedge: maybe(duration()),
  ...doubtFields(),
  compensateRetries: maybe(count()),
}));

type GivenDoubts = { [K in keyof ReturnType<typeof doubtFields>]?: Infer<ReturnType<typeof doubtFields>[K]> };

/** Those of a provider, or a primary, that says nothing of them. */
export const NO_DOUBTS: Doubts = {
  inDoubt: 'next',
  inDoubtWhen: undefined,
  verify: undefined,
  compensate: undefined,
  compensateRetries: 0,
};

/** What a provider, or a primary, says of its doubts. */
export function doubtsOf(
  { inDoubt = 'next', inDoubtWhen, verify, compensate }: GivenDoubts,
  bind: (method: AnyFunction | undefined) => AnyFunction | undefined,
  compensateRetries = 3,
): Doubts {
  if (inDoubt === 'next' && !(inDoubtWhen ?? compensate)) return NO_DOUBTS;
  return {
    inDoubt,
    inDoubtWhen: bind(inDoubtWhen),
    verify: bind(verify),
    compensate: bind(compensate),
    compensateRetries,
  };
}

/** What cannot work together. */
export function doubtFaults({ inDoubt, verify }: GivenDoubts, path: string): Issue[] {
  if (verify && inDoubt !== 'verify') {
    const message = `expected inDoubt: 'verify' beside it, got ${show(inDoubt)}: without it nobody would ask`;
    return [{ path: `${path}verify`, message }];
  }
  if (!verify && inDoubt === 'verify') {
    return [{ path: `${path}inDoubt`, message: "expected a function verify beside 'verify', got none" }];
  }
  return [];
}

interface GivenSafety extends GivenDoubts {
  readonly name: string;
  readonly idempotent?: boolean | undefined;
  readonly hedge?: number | undefined;
  readonly compensateRetries?: number | undefined;
}

export function safetyFaults(given: GivenSafety, next: Partial<GivenSafety> | undefined, path: string): Issue[] {
  const { idempotent, hedge, inDoubt, compensate, compensateRetries } = given;
  const issues = doubtFaults(given, `${path}.`);
  if (idempotent === false && (inDoubt ?? 'next') === 'next' && !compensate) {
    const message =
      "expected inDoubt: 'stop' or 'verify', or a compensate, beside it, got neither: a timed-out attempt may have worked, and the next one would do it again";
    issues.push({ path: `${path}.idempotent`, message });
  }
  if (compensateRetries !== undefined && !compensate) {
    issues.push({ path: `${path}.compensateRetries`, message: 'expected a function compensate beside it, got none' });
  }
  if (hedge === undefined) return issues;
  if (idempotent !== true) {
    const message = `expected idempotent: true beside it, got ${show(idempotent)}: a hedged provider and the next one may both do the work`;
    issues.push({ path: `${path}.hedge`, message });
  }
  if (!next) {
    issues.push({
      path: `${path}.hedge`,
      message: 'expected a provider after it, got the last: nobody could start beside it',
    });
  } else if (next.idempotent !== true) {
    const message = `expected idempotent: true on ${show(next.name)}, too, which starts beside it, got ${show(next.idempotent)}`;
    issues.push({ path: `${path}.hedge`, message });
  }
  return issues;
}
