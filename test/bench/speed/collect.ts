import { join } from 'node:path';
import { told } from './children.ts';
import type { Result, Row, Settings, TimedRow } from './shapes.ts';

const CHILD = join(import.meta.dirname, 'row-child.ts');

/**
 * What all rows come to. A timed row is measured by several processes, since what Node makes of the same code differs
 * from one process to the next; and in several passes, so that a busy minute of the machine is not all one row's.
 */
export async function collect(rows: readonly Row[], settings: Settings): Promise<readonly Result[]> {
  const results = new Map<Row, readonly Result[]>();
  for (let pass = 1; pass <= settings.processes; pass++) {
    for (const row of rows) {
      if ('measure' in row) continue;
      process.stderr.write(`${pass} of ${settings.processes}: ${row.name} …\n`);
      const [before] = results.get(row) ?? [];
      results.set(row, [joined(before, await measureApart(row, settings))]);
    }
  }
  for (const row of rows) {
    if (!('measure' in row)) continue;
    process.stderr.write(`${row.name} …\n`);
    results.set(row, await row.measure(settings));
  }
  return rows.flatMap((row) => results.get(row) ?? []);
}

async function measureApart({ name }: TimedRow, settings: Settings): Promise<Result> {
  const text = await told(['--expose-gc', CHILD, name, JSON.stringify(settings)], import.meta.dirname);
  return JSON.parse(text) as Result;
}

/** The rounds of the one, then those of the other. */
function joined(before: Result | undefined, after: Result): Result {
  if (!before) return after;
  const contenders = before.contenders.map(({ name, samples }, index) => ({
    name,
    samples: [...samples, ...(after.contenders[index]?.samples ?? [])],
  }));
  return { ...before, contenders };
}
