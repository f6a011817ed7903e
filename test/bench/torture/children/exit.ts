/** A process that has nothing left to do, when its calls are over: see rows/process.ts. */
import type { Idiom, Library } from '../idioms/idiom.ts';
import { load } from '../idioms/load.ts';
import { pause, settle } from '../settle.ts';
import { NotOffered } from '../verdict.ts';

/** Longer than the parent waits: milliseconds. */
const FAR = 60_000;
const down = () => Promise.reject(new Error('503'));

const PARTS: Readonly<Record<string, (idiom: Idiom) => Promise<unknown>>> = {
  'the timeout of an attempt that is over': async (idiom) =>
    settle(idiom.chain({ providers: [async () => 'answer'], timeout: FAR })),
  'a wait whose caller has aborted': async (idiom) => {
    const controller = new AbortController();
    const result = idiom.chain({ providers: [down], retries: 1, backoff: FAR })(controller.signal);
    result.catch(() => {});
    await pause(20);
    controller.abort();
    await settle(() => result, 100);
  },
  'the end of a cool-down': async (idiom) => {
    const guard = idiom.guard({ failures: 1, coolDown: FAR });
    await settle(() => guard.call(down));
  },
};

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

const idiom = await load(process.argv[2] as Library);
const kept: string[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  const before = timers();
  await part(idiom).catch((error: unknown) => {
    if (!(error instanceof NotOffered)) throw error;
  });
  if (timers() > before) kept.push(name);
}
process.stdout.write(`over; timers for: ${kept.join(', ') || 'nothing'}\n`);
