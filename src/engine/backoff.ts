import type { BackoffOptions } from '../types.ts';

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
