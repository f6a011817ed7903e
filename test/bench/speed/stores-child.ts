// One library remembers so many keys, in a process of its own: what a new key costs in time and in heap.
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { type Store, storeOf } from './stores.ts';
import { answers, done, isAnswer, rejects } from './work.ts';

/** What is told to the parent, as JSON. */
export interface Told {
  readonly nsPerCall: number;
  readonly bytesPerKey: number;
}

const [name = '', keys = '0', provider = 'answers'] = process.argv.slice(2);

async function use({ call }: Store, names: readonly string[]): Promise<void> {
  for (const [index, key] of names.entries()) {
    const outcome = provider === 'answers' ? await call(key) : await call(key).catch(() => 1);
    if (!isAnswer(outcome)) throw new Error(`the call came to ${String(outcome)}`);
    if (index % 1_000 === 999) await yieldToEvents();
  }
}

/** Heap in use once nothing more can be collected. LRUs keep some of their books outside the heap. */
async function settled(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await yieldToEvents();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Flat strings, so that the keys weigh the same before as after. */
const namesOf = (count: number, text: string) =>
  Array.from({ length: count }, (_, index) =>
    Buffer.from(`${text}-${String(index).padStart(6, '0')}`).toString('latin1'),
  );

const count = Number(keys);
const work = provider === 'answers' ? answers : rejects;
const warmUp = storeOf(name, rejects, work, count);
await use(warmUp, namesOf(count / 5, 'warm-up'));
warmUp.clear?.();

const names = namesOf(count, 'customer');
const before = await settled();
const doneBefore = done();
const store = storeOf(name, rejects, work, count);
const start = performance.now();
await use(store, names);
const end = performance.now();
const after = await settled();
const { answered, rejected } = done();
const didRight =
  provider === 'answers'
    ? answered - doneBefore.answered === count && rejected - doneBefore.rejected === count
    : rejected - doneBefore.rejected === 2 * count;
if (!didRight) throw new Error('the work was not done once per call');
if (store.size() !== count) throw new Error(`remembers ${store.size()} of ${count} keys`);
const told: Told = { nsPerCall: ((end - start) * 1e6) / count, bytesPerKey: (after - before) / count };
process.stdout.write(JSON.stringify(told), () => process.exit());
