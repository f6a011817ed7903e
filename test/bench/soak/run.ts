import { growth, heapUsed, mebibytes } from './heap.ts';
import type { Plan } from './plan.ts';
import { SEGMENTS, Soak } from './soak.ts';
import type { Stage } from './stage.ts';
import { Violation } from './watch.ts';

export interface Outcome {
  readonly plan: Plan;
  readonly stage: Stage;
  /** Bytes in use after each tenth. */
  readonly heap: readonly number[];
  /** Of the traffic and its checks, collections apart. */
  readonly seconds: number;
  /** Seconds of processor time, collections and compilation included: what a busy machine tells more truly. */
  readonly processor: number;
  readonly isWhole: boolean;
  readonly violation: Violation | undefined;
  /** What else went wrong. */
  readonly fault: string | undefined;
}

/** A soak from its first call to its last, or to the first thing that goes wrong. */
export async function soak(plan: Plan): Promise<Outcome> {
  // A stack for each of millions of errors is half the work, and tells nothing here.
  Error.stackTraceLimit = 0;
  const run = new Soak(plan);
  const { watch } = run.stage;
  const unhandled = (error: unknown) => watch.keep(new Violation('errors', `left unhandled: ${String(error)}`));
  process.on('unhandledRejection', unhandled);
  const heap: number[] = [];
  let seconds = 0;
  let fault: string | undefined;
  try {
    for (let tenth = 1; tenth <= 10 && !fault; tenth++) {
      const start = performance.now();
      for (let segment = 0; segment < SEGMENTS / 10; segment++) await run.segment();
      seconds += (performance.now() - start) / 1_000;
      heap.push(await heapUsed());
      fault = growth(heap);
      console.error(
        `${tenth * 10} %: ${run.stage.calls.made} calls, ${seconds.toFixed(0)} s, ${mebibytes(heap.at(-1) ?? 0)}`,
      );
    }
    fault ??= unseen(run.stage);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
  }
  const { violation } = watch;
  const { user, system } = process.cpuUsage();
  const processor = (user + system) / 1e6;
  return { plan, stage: run.stage, heap, seconds, processor, isWhole: !violation && !fault, violation, fault };
}

/** What a soak that is worth its name has met. */
const DUE: Readonly<Record<string, readonly string[]>> = {
  call: ['trigger', 'wrap', 'call', 'update', 'reset', 'invalid'],
  outcome: ['recovered', 'failed', 'refused while exhausted', "the caller's own error", 'cut short by close()'],
  abort: ['before the call', 'during the checks', 'during the primary', 'during an attempt', 'during a backoff'],
  attempt: ['succeeded', 'failed', 'timed-out', 'aborted'],
  restart: ['quiet', 'in flight', 'in place'],
  and: ['probes', 'evictions', 'late settlements', 'verdicts of an older generation', 'listeners that meddled'],
};

/** Something that never happened: then nothing has been proved of it. */
function unseen({ figures, watch }: Stage): string | undefined {
  const missing = Object.entries(DUE).flatMap(([group, names]) =>
    names.filter((name) => figures.get(group, name) === 0),
  );
  const idle = Object.entries(watch.checks).flatMap(([law, count]) => (count === 0 ? [`a check of ${law}`] : []));
  const all = [...missing, ...idle];
  return all.length > 0 ? `too short, or one-sided: it never met ${all.join(', ')}` : undefined;
}
