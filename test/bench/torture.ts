/**
 * One hazard a row, the same hazard in each library's own idiom, run and judged: `npm run torture [-- words of a hazard]`.
 * Ends with 1 unless this package is safe in every row.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { isOursSafe, report } from './torture/report.ts';
import { rows } from './torture/rows.ts';
import { run } from './torture/run.ts';

const RESULTS = new URL('results/', import.meta.url);

const words = process.argv.slice(2).join(' ');
const judged = await run(rows, words);
const text = report(judged);
console.log(text);
if (words === '') {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('torture.md', RESULTS), text);
}
process.exitCode = isOursSafe(judged) ? 0 : 1;
