import type { Clock } from '../types.ts';
import type { Attempt } from './attempt.ts';

/** Pending until one of these attempts has ended, or `ms` have passed: whichever is first. */
export function race(
  attempts: readonly (Attempt | undefined)[],
  clock: Clock,
  ms?: number,
): { onEnd(resume: () => void): void } {
  return {
    onEnd(resume) {
      let timer: unknown;
      const end = () => {
        for (const attempt of attempts) attempt?.onEnd(undefined);
        if (timer !== undefined) clock.clearTimeout(timer);
        resume();
      };
      if (ms !== undefined) timer = clock.setTimeout(end, ms);
      for (const attempt of attempts) attempt?.onEnd(end);
    },
  };
}
