import { setTimeout as pause } from 'node:timers/promises';
import type { Contender, Manner, Result, Samples, Settings, TimedRow } from './shapes.ts';
import { done } from './work.ts';

/** A contender that does not do the work it claims: its figures would mean nothing. */
export class WrongAnswer extends Error {}

/** Verify each once, warm all up, then per round one sample of each, in a rotated order. */
export async function measure(row: TimedRow, settings: Settings): Promise<Result> {
  const contenders = await row.contenders();
  const { warmUpRounds, rounds } = settings;
  try {
    for (const contender of contenders) await sample(row, contender, 3);
    const entries: Entry[] = [];
    for (const contender of contenders) entries.push({ contender, calls: await callsOf(row, contender, settings) });
    // The first rounds are thrown away: Node compiles a function anew when it meets what another contender does with it.
    const all: ReadonlyMap<Contender, number>[] = [];
    for (let round = 0; round < warmUpRounds + rounds; round++) all.push(await sampleAll(row, rotated(entries, round)));
    const kept = all.slice(warmUpRounds);
    return { ...described(row), contenders: contenders.map((contender) => samplesOf(contender, kept)) };
  } finally {
    for (const { dispose } of contenders) dispose?.();
  }
}

interface Entry {
  readonly contender: Contender;
  /** How many make a sample. */
  readonly calls: number;
}

async function sampleAll(row: TimedRow, entries: readonly Entry[]): Promise<ReadonlyMap<Contender, number>> {
  const round = new Map<Contender, number>();
  for (const { contender, calls } of entries) round.set(contender, await undisturbed(row, contender, calls));
  return round;
}

/** A sample in which the system gave the processor to someone else says little, and is taken again, if not for ever. */
async function undisturbed(row: TimedRow, contender: Contender, calls: number): Promise<number> {
  for (let retakes = 0; ; retakes++) {
    const { ns, isDisturbed } = await sample(row, contender, calls);
    if (!isDisturbed || retakes === MOST_RETAKES) return ns;
  }
}

const MOST_RETAKES = 2;

function samplesOf(contender: Contender, rounds: readonly ReadonlyMap<Contender, number>[]): Samples {
  return { name: contender.name, samples: rounds.map((round) => round.get(contender) ?? Number.NaN) };
}

function described({ name, how, unit, targets }: TimedRow): Omit<Result, 'contenders'> {
  return { row: name, how, unit, targets };
}

/** Every other round backwards as well, so that nobody always follows the same other. */
function rotated<T>(entries: readonly T[], round: number): readonly T[] {
  const first = round % entries.length;
  const order = [...entries.slice(first), ...entries.slice(0, first)];
  return Math.floor(round / entries.length) % 2 === 0 ? order : order.reverse();
}

/** How many calls make a sample, learned in a first, short warm-up. */
async function callsOf(row: TimedRow, contender: Contender, { warmUpMs, sampleMs }: Settings): Promise<number> {
  const fixed = row.leaving ?? row.first;
  if (fixed !== undefined) return fixed;
  let calls = 8;
  for (let spent = 0, made = 0; spent < warmUpMs || (made < COMPILED_AFTER && spent < 5 * warmUpMs); made += calls) {
    const { ns } = await sample(row, contender, calls);
    spent += (ns * calls * (contender.operations ?? 1)) / 1e6;
    calls = callsFor(ns, sampleMs, contender);
  }
  return calls;
}

/** Calls that Node may need to see before it compiles a slow contender in full. */
const COMPILED_AFTER = 3_000;

function callsFor(ns: number, sampleMs: number, { operations = 1 }: Contender): number {
  return Math.max(8, Math.round((sampleMs * 1e6) / (ns * operations)));
}

interface Sample {
  /** Nanoseconds per operation. */
  readonly ns: number;
  readonly isDisturbed: boolean;
}

/** So many calls, one after another. @throws WrongAnswer */
async function sample(
  { name, manner, leaving, first }: TimedRow,
  contender: Contender,
  calls: number,
): Promise<Sample> {
  // Timers fire (opossum forgets by timers), and nobody sweeps up what another left.
  await pause(0);
  if (first === undefined) globalThis.gc?.({ type: 'minor' });
  else globalThis.gc?.();
  const before = done();
  const switches = switchesSoFar();
  const start = performance.now();
  const outcome = await LOOPS[manner](contender.call, calls);
  // What outlives its call costs its maker most when the young are collected: nobody leaves that to another.
  if (leaving !== undefined) globalThis.gc?.({ type: 'minor' });
  const end = performance.now();
  const isDisturbed = switchesSoFar() > switches;
  const after = done();
  const did = { answered: after.answered - before.answered, rejected: after.rejected - before.rejected };
  const { does, isRight, operations = 1 } = contender;
  const isDone = did.answered === does.answered * calls && did.rejected === does.rejected * calls;
  if (!isDone || !isRight(outcome)) {
    const told = `${calls} calls did ${JSON.stringify(did)}, the last came to ${String(outcome)}`;
    throw new WrongAnswer(`${name}: ${contender.name}: expected ${JSON.stringify(does)} per call, but ${told}`);
  }
  contender.tidy?.();
  return { ns: ((end - start) * 1e6) / (calls * operations), isDisturbed };
}

function switchesSoFar(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

type Loop = (call: () => unknown, calls: number) => unknown;

const LOOPS: Readonly<Record<Manner, Loop>> = {
  async awaited(call, calls) {
    let outcome: unknown;
    for (let made = 0; made < calls; made++) outcome = await call();
    return outcome;
  },
  async caught(call, calls) {
    let outcome: unknown;
    for (let made = 0; made < calls; made++) {
      try {
        await call();
        outcome = undefined;
      } catch (error) {
        outcome = error;
      }
    }
    return outcome;
  },
  'at once'(call, calls) {
    let outcome: unknown;
    for (let made = 0; made < calls; made++) outcome = call();
    return outcome;
  },
};
