import { isDuration, LONGEST } from '../definition/check.ts';
import type { Wait } from '../definition/provider.ts';
import { conceal, show } from '../quote.ts';
import type { BackoffOptions } from '../types.ts';
import { type Answer, ask, fault } from './predicate.ts';

/**
 * Milliseconds to wait after the attempt of this number (1-based) failed, `previous` being the wait before that attempt.
 *
 * - `none`: `initialDelay · factor^(attempt − 1)`, at most `maxDelay`
 * - `full`: evenly between 0 and that
 * - `decorrelated`: evenly between `initialDelay` and three times the previous wait (itself, at first), at most `maxDelay`
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffDelay(
  { initialDelay, maxDelay, factor, jitter }: Required<BackoffOptions>,
  attempt: number,
  previous: number,
  random: () => number,
): number {
  if (jitter === 'decorrelated') {
    const most = 3 * Math.max(initialDelay, previous);
    return Math.min(maxDelay, initialDelay + random() * (most - initialDelay));
  }
  // A factor's power may be infinite; no delay times that is still no delay.
  const ceiling = initialDelay === 0 ? 0 : Math.min(maxDelay, initialDelay * factor ** (attempt - 1));
  return jitter === 'full' ? random() * ceiling : ceiling;
}

/** The wait that a backoff of either kind asks for; none, and why, where its answer is no duration. */
export function waitAfter(
  backoff: Wait,
  attempt: number,
  error: unknown,
  previous: number,
  random: () => number,
  token: string | undefined,
): { readonly delay?: number; readonly fault?: Answer['fault'] } {
  const answer = ask('backoff', () =>
    typeof backoff === 'function' ? backoff(attempt, error) : backoffDelay(backoff, attempt, previous, random),
  );
  if (answer.fault) return { fault: answer.fault };
  const { says } = answer;
  if (isDuration(says)) return { delay: says };
  return { fault: fault('backoff', conceal(`milliseconds from 0 to ${LONGEST}, got ${show(says)}`, token)).fault };
}
