import pRetry from 'p-retry';
import type { Work } from '../work.ts';

/** One provider an attempt, without a wait between them. */
export function attempts(...works: readonly Work[]): Work {
  const options = { retries: works.length - 1, minTimeout: 0 };
  const attempt = (number: number) => {
    const work = works[number - 1];
    if (!work) throw new Error(`there is no provider ${number}`);
    return work();
  };
  return () => pRetry(attempt, options);
}
