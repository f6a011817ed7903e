import { DeadlineError, type FallbackEvent, InvalidDefinitionError } from '../../../dist/index.js';
import { isTooLate, release } from './admission-laws.ts';
import { endPlan } from './attempt-laws.ts';
import { BAD_BACKOFF, type Call } from './call.ts';
import { labelOf } from './machine-laws.ts';
import type { Stage } from './stage.ts';

export function recovered(stage: Stage, call: Call, event: FallbackEvent<'recovered'>): void {
  const { watch } = stage;
  conclude(stage, call, event);
  const last = call.attempts.at(-1);
  const isWinner = last?.provider === event.provider && call.records.at(-1)?.outcome === 'succeeded';
  if (!last || !watch.holds('events', isWinner)) {
    throw watch.broken(
      'events',
      `${event.provider} is said to have answered, and ${last?.provider} was the last`,
      call,
    );
  }
  call.winner = last;
  call.verdict = 'recovered';
  // The answer was there first: what the caller aborts now comes too late.
  call.abortedAt = undefined;
  call.decision = 'answered';
  if (isOfModel(stage, call) && call.life === call.host.life) call.machine.recoveries++;
  settleModel(stage, call, 'recovered', event.state);
}

export function failed(stage: Stage, call: Call, event: FallbackEvent<'failed'>): void {
  const { watch } = stage;
  conclude(stage, call, event);
  if (!watch.holds('bounds', call.abortedAt === undefined || isTooLate(stage, call)))
    throw watch.broken('bounds', 'it failed after its abort', call);
  endPlan(stage, call);
  checkErrors(stage, call, event.errors, []);
  call.verdict = 'failed';
  call.abortedAt = undefined;
  call.decision = 'failed';
  settleModel(stage, call, 'failed', event.state);
}

/** What holds of every verdict: there is one, after all attempts, and it tells the time the trigger took. */
function conclude(stage: Stage, call: Call, { duration }: { readonly duration: number }): void {
  const { watch, now } = stage;
  const isDue = call.isAdmitted && !call.isSettled && call.verdict === undefined && call.decision === undefined;
  if (!watch.holds('settles', isDue))
    throw watch.broken('settles', `a verdict, after ${call.verdict ?? call.decision}`, call);
  if (!watch.holds('attempts', !call.open)) throw watch.broken('attempts', 'a verdict with an attempt under way', call);
  if (!watch.holds('events', duration === now - (call.begunAt ?? now))) {
    throw watch.broken('events', `it took ${now - (call.begunAt ?? now)} ms, and ${duration} are told`, call);
  }
}

function settleModel(stage: Stage, call: Call, verdict: 'recovered' | 'failed', state: string): void {
  const { watch, now } = stage;
  const { machine } = call;
  call.verdictState = state;
  if (!isOfModel(stage, call)) return;
  const before = machine.generation;
  machine.settle(call.generation, verdict, now);
  if (before !== call.generation) stage.figures.add('and', 'verdicts of an older generation');
  if (!watch.holds('model', state === machine.state)) {
    throw watch.broken('model', `${labelOf(machine)} is ${state} once it ${verdict}, expected ${machine.state}`, call);
  }
  release(stage, call);
}

function isOfModel(stage: Stage, call: Call): boolean {
  return call.host === stage.host;
}

/** Every error met is there, as it was thrown, in order; a deadline that fell into a wait adds its own. */
export function checkErrors(
  stage: Stage,
  call: Call,
  told: readonly unknown[] | undefined,
  met: readonly unknown[],
): void {
  const { watch, now } = stage;
  const expected = [...met, ...call.errors];
  const extra = told?.[expected.length];
  const isWhole =
    told !== undefined &&
    expected.every((error, index) => isSame(error, told[index])) &&
    (told.length === expected.length ||
      (told.length === expected.length + 1 && extra instanceof DeadlineError && now >= call.deadlineAt));
  if (!watch.holds('errors', isWhole)) {
    throw watch.broken('errors', `met were [${expected.map(String)}], and told are [${told?.map(String)}]`, call);
  }
}

function isSame(expected: unknown, told: unknown): boolean {
  return expected === BAD_BACKOFF ? told instanceof InvalidDefinitionError : Object.is(expected, told);
}
