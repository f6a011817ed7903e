/** One library through all rows, each verdict sent to the parent as it falls: see run.ts. */
import { Cells } from '../cell.ts';
import type { Library } from '../idioms/idiom.ts';
import { rows } from '../rows.ts';
import { chosen } from '../run.ts';

const [library, words = ''] = process.argv.slice(2);
const cells = new Cells();
for (const row of chosen(rows, words)) {
  const verdict = await cells.judge(row.cells[library as Library]);
  await new Promise((sent) => process.send?.(verdict, sent));
}
// Some of what was provoked would keep the process alive for days.
process.exit();
