import { parseArgs } from 'node:util';

/** What one soak is to do. The same plan gives the same run. */
export interface Plan {
  readonly calls: number;
  readonly seed: number;
  /** How many cache keys there are: few enough that all have been used before the first tenth is over. */
  readonly keys: number;
  /** Whether its figures are worth keeping. */
  readonly isFull: boolean;
}

const FULL = 5_000_000;
const MOST_KEYS = 50_000;
const USAGE = 'usage: node --expose-gc test/bench/soak.ts [calls] [--calls=5000000] [--seed=1]';

export function readPlan(args: readonly string[]): Plan {
  const options = { calls: { type: 'string' }, seed: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const calls = wholeNumber(values.calls ?? positionals[0], FULL);
  const seed = wholeNumber(values.seed, 1);
  if (!globalThis.gc) throw new Error(`the heap cannot be measured; ${USAGE}`);
  return { calls, seed, keys: Math.min(MOST_KEYS, Math.max(500, Math.ceil(calls / 100))), isFull: calls >= FULL };
}

function wholeNumber(given: string | undefined, otherwise: number): number {
  const number = given === undefined ? otherwise : Number(given);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`${given} is no number of calls, and no seed; ${USAGE}`);
  return number;
}
