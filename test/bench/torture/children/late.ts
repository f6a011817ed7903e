/** Attempts that are given up on, and reject afterwards: see rows/process.ts. Node ends a process for an unhandled rejection. */
import type { Idiom, Library } from '../idioms/idiom.ts';
import { load } from '../idioms/load.ts';
import { pause, settle } from '../settle.ts';
import { NotOffered } from '../verdict.ts';

const GIVEN_UP_AFTER = 20;
const LATE = 80;

const rejectsLate = () => pause(LATE).then(() => Promise.reject(new Error('too late')));

async function timedOut(idiom: Idiom): Promise<void> {
  await settle(idiom.chain({ providers: [rejectsLate, async () => 'backup'], timeout: GIVEN_UP_AFTER }));
}

async function aborted(idiom: Idiom): Promise<void> {
  const controller = new AbortController();
  const result = idiom.chain({ providers: [rejectsLate] })(controller.signal);
  result.catch(() => {});
  await pause(GIVEN_UP_AFTER);
  controller.abort();
  await settle(() => result);
}

const idiom = await load(process.argv[2] as Library);
const reasons: string[] = [];
for (const part of [timedOut, aborted]) {
  await part(idiom).catch((error: unknown) => {
    if (!(error instanceof NotOffered)) throw error;
    reasons.push(error.message);
  });
}
await pause(2 * LATE);
process.stdout.write(reasons.length === 2 ? `not offered: ${reasons.join('; ')}\n` : 'over\n');
