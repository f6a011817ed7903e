import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LIBRARIES, type Library } from './idioms/idiom.ts';
import type { Notes, Row } from './row.ts';
import { unsafe, type Verdict } from './verdict.ts';

/** One row with what came out of it. */
export interface Judged {
  readonly hazard: string;
  readonly how: string;
  readonly notes: Notes;
  readonly verdicts: Readonly<Record<Library, Verdict>>;
}

const SCRIPT = fileURLToPath(new URL('children/library.ts', import.meta.url));
/** Most of their time is waiting; more at once would make them wait for each other. */
const AT_A_TIME = 4;

/** The rows whose hazard contains these words, in any case. */
export function chosen(rows: readonly Row[], words: string): readonly Row[] {
  return rows.filter(({ hazard }) => hazard.toLowerCase().includes(words.toLowerCase()));
}

/** Every library in a process of its own, so that none can disturb another. */
export async function run(rows: readonly Row[], words: string): Promise<Judged[]> {
  const columns = new Map<Library, readonly Verdict[]>();
  const waiting = [...LIBRARIES];
  const work = async () => {
    for (let library = waiting.shift(); library !== undefined; library = waiting.shift()) {
      columns.set(library, await column(library, words));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return chosen(rows, words).map(({ hazard, how, notes }, index) => {
    const verdictOf = (library: Library) =>
      columns.get(library)?.[index] ?? unsafe('the process died before this row was judged');
    const verdicts = Object.fromEntries(LIBRARIES.map((library) => [library, verdictOf(library)]));
    return { hazard, how, notes, verdicts: verdicts as Record<Library, Verdict> };
  });
}

/** One library's verdicts, row by row, as far as its process came. */
function column(library: Library, words: string): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  return new Promise((resolve, reject) => {
    fork(SCRIPT, [library, words])
      .on('message', (verdict) => verdicts.push(verdict as Verdict))
      .on('error', reject)
      .on('close', () => resolve(verdicts));
  });
}
