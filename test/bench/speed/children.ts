import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Samples } from './shapes.ts';

const execute = promisify(execFile);

/** What a process of its own, run by this Node, wrote to its standard output. */
export async function told(args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await execute(process.execPath, [...args], { cwd, encoding: 'utf8' });
  return stdout;
}

/** Interleaved as the timed calls are: per round one process of each name, beginning with another in each round. */
export async function interleaved<T>(
  names: readonly string[],
  rounds: number,
  sample: (name: string) => Promise<T>,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const all = new Map<string, T[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) all.get(name)?.push(await sample(name));
  }
  return all;
}

/** One figure of each. */
export function figures<T>(all: ReadonlyMap<string, readonly T[]>, figure: (sample: T) => number): readonly Samples[] {
  return [...all].map(([name, samples]) => ({ name, samples: samples.map(figure) }));
}
