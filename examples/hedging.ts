/**
 * Reads from two replicas with a slow tail, with and without a hedge: what it wins, and what it costs:
 *   npx tsx examples/hedging.ts
 *   npx tsx examples/hedging.ts 7        (another seed, other delays; each policy of a run meets the same ones)
 */
import { createDuctape, defineFallback } from 'ductape-fallback';
import { virtualClock } from 'ductape-fallback/testing';

const READS = 2_000;
const seed = Number(process.argv[2] ?? 1);

/** What one policy did with all its reads. */
interface Measured {
  readonly name: string;
  /** Milliseconds for each read, the shortest first. */
  readonly durations: readonly number[];
  readonly calls: number;
  readonly aborted: number;
}

const measured: Measured[] = [];
for (const hedge of [undefined, 150, 60, 20]) measured.push(await measure(hedge));

console.log(`\n${READS} reads each; 1 in 25 is slow (seed ${seed})\n`);
row('', 'p50', 'p95', 'p99', 'calls', 'aborted');
for (const { name, durations, calls, aborted } of measured) {
  const [p50, p95, p99] = [50, 95, 99].map((percent) => `${percentile(durations, percent).toFixed(0)} ms`);
  row(name, p50, p95, p99, `+${((100 * calls) / READS - 100).toFixed(1)} %`, String(aborted));
}
for (const percent of [50, 99]) {
  console.log(`\n   p${percent}`);
  const longest = Math.max(...measured.map(({ durations }) => percentile(durations, percent)));
  for (const { name, durations } of measured) {
    const length = Math.round((50 * percentile(durations, percent)) / longest);
    console.log(`   ${name.padEnd(17)}${'█'.repeat(length)} ${percentile(durations, percent).toFixed(0)} ms`);
  }
}

/** Time is virtual: the delays are waited for in no time, and are the same on every machine. */
async function measure(hedge: number | undefined): Promise<Measured> {
  const clock = virtualClock();
  let calls = 0;
  let aborted = 0;
  /** A replica that takes some 20 ms, and now and then half a second: a pause for garbage, a full queue, a lost packet. */
  const replica = (number: number) => {
    const random = randomFrom(seed * 1_000 + number);
    return (_input: unknown, { signal }: { readonly signal: AbortSignal }) =>
      new Promise<string>((resolve, reject) => {
        calls++;
        const delay = random() < 1 / 25 ? 300 + 300 * random() : 10 - 15 * Math.log(1 - random());
        const timer = clock.setTimeout(() => resolve(`read from replica ${number}`), delay);
        signal.addEventListener('abort', () => {
          aborted++;
          clock.clearTimeout(timer);
          reject(signal.reason);
        });
      });
  };
  const reading = defineFallback({
    tag: 'reading',
    providers: [
      // A read may run twice: without `idempotent: true` on both sides, a hedge is refused.
      { name: 'replica-1', run: replica(1), idempotent: true, ...(hedge !== undefined && { hedge }) },
      { name: 'replica-2', run: replica(2), idempotent: true },
    ],
  });
  const { fallback } = createDuctape({ env: 'prd', product: 'shop', clock, fallbacks: [reading] });
  const durations: number[] = [];
  for (let read = 0; read < READS; read++) {
    const running = fallback.run({ fallback_tag: 'reading', action: 'trigger' });
    await clock.runUntilIdle();
    durations.push((await running).duration);
  }
  const name = hedge === undefined ? 'no hedge' : `hedge after ${hedge}`;
  return { name, durations: durations.sort((a, b) => a - b), calls, aborted };
}

function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? Number.NaN;
}

/** Numbers in [0, 1), the same for the same seed: mulberry32. */
function randomFrom(start: number) {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function row(name: string, ...cells: readonly (string | undefined)[]) {
  console.log(`   ${name.padEnd(17)}${cells.map((cell = '') => cell.padStart(9)).join('')}`);
}
