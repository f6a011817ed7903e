import { type Backoff, type BackoffOptions, defineFallback, type Fallback, InvalidRequestError } from '../index.ts';
import type { Entry, LintFinding, LintSeverity } from './lint-finding.ts';
import { safetyOf } from './lint-safety.ts';
import type { RawDefinition } from './raw.ts';

export type { LintCode, LintFinding, LintSeverity } from './lint-finding.ts';

export interface LintOptions {
  /** Milliseconds: the `timeout` of the engine it is meant for, for providers that name none. Default: none. */
  readonly timeout?: number | null;
  /**
   * Whether providers do what must not be done twice, a charge, say: then each that might is found. Default: yes, where any
   * of them says `idempotent`, `inDoubt`, `inDoubtWhen`, `verify` or `compensate`.
   */
  readonly effects?: boolean;
}

/**
 * What is likely to be a mistake in a fallback's definition, the gravest first. Nothing of it is run: no provider, no
 * predicate, no schema.
 *
 * A policy is judged as it is written; updates may change it. Times are judged provider by provider, as though each were
 * the first to be tried.
 *
 * @throws InvalidDefinitionError where it is no fallback at all; InvalidRequestError on a bad option.
 * @example
 * expect(lintFallback(paymentFailure)).toEqual([]);
 */
export function lintFallback(definition: Fallback, options: LintOptions = {}): readonly LintFinding[] {
  const raw = defineFallback(definition as never) as unknown as RawDefinition;
  const { timeout: engines, effects } = readOptions(options);
  const entries = raw.providers.map((provider, index): Entry => {
    const limit = (provider.timeout === undefined ? engines : provider.timeout) ?? undefined;
    return { provider, path: `providers[${index}]`, limit };
  });
  const isFirst = ({ provider }: Entry) => provider.name === raw.fallbackProvider;
  const plan = [...entries.filter(isFirst), ...entries.filter((entry) => !isFirst(entry))];
  const findings = [
    ...unreachable(raw, plan),
    ...entries.flatMap((entry) => [...limits(entry, raw.deadline), ...retries(entry, raw.deadline)]),
    ...lastResort(entries),
    ...lockOut(raw),
    ...safetyOf(raw, entries, plan, effects),
  ];
  const rank = ['error', 'warning', 'info'];
  return findings.sort((one, other) => rank.indexOf(one.severity) - rank.indexOf(other.severity));
}

function unreachable({ output, fallbackProvider }: RawDefinition, plan: readonly Entry[]): LintFinding[] {
  const last = plan.findIndex(
    ({ provider: { run, when, accept, lastGood } }) => !(run || when || accept || lastGood || output),
  );
  const blocker = plan[last];
  if (!blocker) return [];
  const { name, value } = blocker.provider;
  // A function may throw, a promise reject: then, and only then, those behind it have their turn.
  const mayFail = typeof value === 'function' || typeof (value as PromiseLike<unknown> | null)?.then === 'function';
  return plan.slice(last + 1).map(({ provider, path }) => ({
    code: 'unreachable-provider',
    severity: mayFail ? 'warning' : 'error',
    path,
    message: mayFail
      ? `"${provider.name}" is reached only if the value of "${name}", tried before it, fails to be made`
      : `"${provider.name}" is never reached: "${name}", tried before it, always answers`,
    suggestion:
      name === fallbackProvider
        ? `choose another fallbackProvider than "${name}", or give "${name}" a when`
        : `move "${name}" behind "${provider.name}", or give it a when`,
  }));
}

function limits({ provider, path, limit }: Entry, deadline: number | undefined): LintFinding[] {
  const { name, run, value } = provider;
  if (run !== undefined && limit === undefined && deadline === undefined) {
    return [
      {
        code: 'unlimited-provider',
        severity: 'warning',
        path: `${path}.timeout`,
        message: `"${name}" may hang for ever, and its caller with it: it has no timeout, and the fallback no deadline`,
        suggestion: 'give it a timeout, or the fallback a deadline',
      },
    ];
  }
  const isInstant = run === undefined && typeof value !== 'function';
  if (isInstant || limit === undefined || deadline === undefined || limit <= deadline) return [];
  return [
    {
      code: 'deadline-below-timeout',
      severity: 'warning',
      path: `${path}.timeout`,
      message: `the timeout of "${name}" (${limit} ms) never strikes: the deadline of ${deadline} ms ends everything before`,
      suggestion: `lower the timeout below ${deadline} ms, so that what comes after "${name}" still has its turn, or raise the deadline above ${limit} ms`,
    },
  ];
}

function retries({ provider, path, limit = 0 }: Entry, deadline: number | undefined): LintFinding[] {
  const { name, retries = 0 } = provider;
  if (deadline === undefined || retries === 0) return [];
  const waits = waitsOf(provider.backoff);
  const judge = (severity: LintSeverity, attempt: number, wait: Waits, how: string): LintFinding[] => {
    const needs = (count: number) => Math.ceil((count + 1) * attempt + sumOf(wait, count));
    // The engine begins no wait that would reach the deadline.
    const fits = (count: number) => needs(count) <= deadline && sumOf(wait, count) < deadline;
    if (fits(retries)) return [];
    const message = `the ${retries + 1} attempts of "${name}" need ${needs(retries)} ms ${how}; the deadline is ${deadline} ms`;
    const suggestion = `lower retries to ${most(retries, fits)}, shorten the backoff or the timeout, or raise the deadline above ${needs(retries)} ms`;
    return [{ code: 'retries-beyond-deadline', severity, path: `${path}.retries`, message, suggestion }];
  };
  const isJittered = waits.usual !== waits.most;
  const how = limit > 0 ? 'if each times out' : 'for the waits between them';
  const judgements = [
    judge('error', 0, waits.least, 'even if each fails at once'),
    // A timeout beyond the deadline is a finding of its own; what follows from it is not told again.
    limit > deadline ? [] : judge('warning', limit, waits.usual, isJittered ? `${how}, the jitter being average` : how),
    limit > deadline ? [] : judge('info', limit, waits.most, `${how}, the jitter being at its longest`),
  ];
  return judgements.find((findings) => findings.length > 0) ?? [];
}

/** The wait before the retry of this number (1-based), of the wait before it. */
type Waits = (retry: number, previous: number) => number;

/** The shortest, usual and longest waits of a backoff. Those of a function of the user's own are not known: nothing. */
function waitsOf(backoff: Backoff | undefined): Record<'least' | 'usual' | 'most', Waits> {
  const same = (waits: Waits) => ({ least: waits, usual: waits, most: waits });
  if (typeof backoff === 'function') return same(() => 0);
  if (typeof backoff === 'number') return same(() => backoff);
  const { initialDelay = 100, maxDelay = 5_000, factor = 2, jitter = 'full' }: BackoffOptions = backoff ?? {};
  const capped = (wait: number) => Math.min(maxDelay, wait);
  if (jitter === 'decorrelated') {
    const between = (share: number): Waits => {
      return (_, previous) => capped(initialDelay + share * Math.max(0, previous * 3 - initialDelay));
    };
    return { least: between(0), usual: between(0.5), most: between(1) };
  }
  const ceiling: Waits = (retry) => capped(initialDelay * factor ** (retry - 1));
  if (jitter === 'none') return same(ceiling);
  return { least: () => 0, usual: (...which) => ceiling(...which) / 2, most: ceiling };
}

/** Retries may be a billion, but waits soon stop growing: from there on it is a multiplication. */
function sumOf(wait: Waits, retries: number): number {
  let sum = 0;
  let previous = 0;
  for (let retry = 1; retry <= retries; retry++) {
    const next = wait(retry, previous);
    // Waits that still grow after a thousand steps hardly do: the rest is taken as even, which is never too much.
    if (next === previous || retry === 1_000) return sum + next * (retries - retry + 1);
    sum += next;
    previous = next;
  }
  return sum;
}

/** The greatest count up to `limit` that still fits; 0 where none does. */
function most(limit: number, fits: (count: number) => boolean): number {
  let low = 0;
  let high = limit;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function lastResort(entries: readonly Entry[]): LintFinding[] {
  // A last good answer there may not be.
  if (entries.some(({ provider: { run, lastGood, when } }) => !(run || lastGood || when))) return [];
  return [
    {
      code: 'no-last-resort',
      severity: 'info',
      path: 'providers',
      message: 'if every provider fails, so does the trigger: there is no value that always answers',
      suggestion: "end the list with one that cannot fail, such as { name: 'later', value: { status: 'queued' } }",
    },
  ];
}

function lockOut({ maxRetries, resetAfter }: RawDefinition): LintFinding[] {
  if (maxRetries !== 0 || (resetAfter !== null && resetAfter !== 'never')) return [];
  return [
    {
      code: 'locked-by-one-failure',
      severity: 'warning',
      path: 'resetAfter',
      message: 'a single failed trigger exhausts it (maxRetries is 0), and it stays so until it is reset by hand',
      suggestion:
        'give resetAfter some milliseconds, after which one probe is let through, or tolerate a failure or two',
    },
  ];
}

function readOptions(options: LintOptions): { timeout: number | null; effects: boolean | undefined } {
  const { timeout = null, effects, ...others } = Object(options) as LintOptions;
  const issues = Object.keys(others).map((key) => ({
    path: key,
    message: 'unknown option; expected timeout or effects',
  }));
  if (effects !== undefined && typeof effects !== 'boolean') {
    issues.push({ path: 'effects', message: 'expected true or false' });
  }
  if (timeout !== null && !(typeof timeout === 'number' && timeout >= 0 && timeout <= 2_147_483_647)) {
    issues.push({ path: 'timeout', message: 'expected milliseconds from 0 to 2147483647, or null for none' });
  }
  if (issues.length > 0) throw new InvalidRequestError(issues);
  return { timeout, effects };
}
