import { child } from '../child.ts';
import type { Idiom } from '../idioms/idiom.ts';
import { type Row, row } from '../row.ts';
import { judge, notOffered, type Verdict } from '../verdict.ts';

async function ends({ library }: Idiom): Promise<Verdict> {
  const { code, output, errors } = await child('exit', library);
  const [, timers] = /^over; timers for: (.*)$/m.exec(output) ?? [];
  return judge(
    timers === undefined && `the process did not come to its end: ${firstLine(errors)}`,
    timers !== undefined && code === undefined && `the process lived on for ${timers}`,
    timers !== undefined && code !== undefined && code !== 0 && `the process died: ${firstLine(errors)}`,
  );
}

async function survives({ library }: Idiom): Promise<Verdict> {
  const { code, output, errors } = await child('late', library);
  const [, why] = /^not offered: (.*)$/m.exec(output) ?? [];
  if (why !== undefined) return notOffered(why);
  return judge(code !== 0 && `the process died: ${firstLine(errors)}`);
}

/** The error that a dying process prints, without the paths around it. */
function firstLine(errors: string): string {
  return errors.split('\n').find((line) => /^\w+: /.test(line)) ?? 'it said nothing';
}

export const processes: readonly Row[] = [
  row(
    'A timer keeps the process alive',
    'In a process of its own: an attempt with a timeout of a minute answers, a wait of a minute is aborted, a cool-down of a minute begins, as far as the library has them; then nothing is left to do. Safe: the process ends by itself.',
    ends,
    { cockatiel: '`dangerouslyUnref` lets the process end' },
  ),
  row(
    'A late rejection is left unhandled',
    'In a process of its own: an attempt times out, another is aborted, as far as the library has that; their providers reject later. Safe: the process lives on; Node would end it for an unhandled rejection.',
    survives,
  ),
];
