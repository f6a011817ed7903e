import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { collect } from './collect.ts';
import { BENCH, environment, ROOT } from './environment.ts';
import { rows } from './rows.ts';
import type { Report, Settings } from './shapes.ts';
import { missed, toMarkdown } from './table.ts';

const FULL: Settings = {
  processes: 3,
  rounds: 25,
  // Long enough that the caches, which others have filled meanwhile, weigh little.
  sampleMs: 5,
  warmUpMs: 50,
  warmUpRounds: 25,
  imports: 21,
  heaps: 3,
  keys: 100_000,
};
const QUICK: Settings = {
  processes: 1,
  rounds: 31,
  sampleMs: 2,
  warmUpMs: 40,
  warmUpRounds: 40,
  imports: 5,
  heaps: 1,
  keys: 20_000,
};

/** Measures, prints the table, and keeps it where all was measured in full. Rejects where an answer is wrong. */
export async function run(args: readonly string[]): Promise<void> {
  const { quick, only } = parseArgs({
    args: [...args],
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
  }).values;
  const settings = quick ? QUICK : FULL;
  const chosen = rows.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  if (chosen.length === 0)
    throw new Error(`no row has "${only}" in its name: ${rows.map(({ name }) => name).join('; ')}`);
  const report = rounded({ ...environment(), settings, results: await collect(chosen, settings) });
  const page = toMarkdown(report);
  process.stdout.write(page);
  for (const text of missed(report)) process.stderr.write(`missed: ${text}\n`);
  if (!quick && only === '') keep(report, page);
}

/** Four digits are more than the figures are good for; what is shown is made of what is kept. */
function rounded(report: Report): Report {
  const round = (value: number) => Number(value.toPrecision(4));
  const results = report.results.map((result) => ({
    ...result,
    contenders: result.contenders.map(({ name, samples }) => ({ name, samples: samples.map(round) })),
  }));
  return { ...report, results };
}

function keep(report: Report, page: string): void {
  const folder = join(BENCH, 'results');
  mkdirSync(folder, { recursive: true });
  const raw = join(folder, 'speed.json');
  writeFileSync(raw, JSON.stringify(report));
  // It is committed, and checked with all that is.
  execFileSync(process.execPath, [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', raw], {
    cwd: ROOT,
    stdio: 'pipe',
  });
  writeFileSync(join(folder, 'speed.md'), page);
}
