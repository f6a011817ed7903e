import type { PlannedProvider } from '../definition/config.ts';
import { FallbackFailedError } from '../errors.ts';
import type { Given } from '../memory/answers.ts';
import type { Leave } from '../memory/health.ts';
import type { AttemptRecord } from '../types.ts';
import type { Admission } from './admission.ts';
import { type Failure, failed } from './attempt.ts';
import { waitAfter } from './backoff.ts';
import type { Pending } from './drive.ts';
import { affordsRetry, isShut, pass } from './gate.ts';
import { Lanes, type Walking } from './lanes.ts';
import type { Answer } from './predicate.ts';
import { ProviderAttempt } from './provider-attempt.ts';
import { race } from './race.ts';
import { lastGood, remember } from './recollection.ts';

/**
 * The way of an admitted trigger through its plan, provider by provider, to an answer.
 *
 * @throws what the trigger ends with: FallbackFailedError, InDoubtError, or an error that is its caller's own
 */
export function* walk(trigger: Walking, admission: Admission): Generator<Pending, Given, void> {
  const lanes = new Lanes(trigger, admission);
  let isDesperate = false;
  try {
    for (let { plan } = trigger.config; plan.length > 0; isDesperate = true) {
      for (let index = 0; index < plan.length; index++) {
        const step = plan[index] as PlannedProvider;
        // Only what may run twice is started beside another.
        while (lanes.straggler && step.provider.idempotent !== true) yield* straggling(lanes, lanes.straggler);
        if (lanes.found) return succeed(lanes, lanes.found);
        let wait: number | undefined = 0;
        for (let number = 1; wait !== undefined && !lanes.isOver(); number++) {
          const lane = begin(lanes, step, number, isDesperate);
          if (!lane) break;
          if (lanes.isAlone(lane)) {
            if (!lane.outcome) yield lane;
          } else if (yield* beside(lanes, lane, plan[index + 1])) break;
          const failure = lanes.conclude(lane);
          while (!lane.isOver) {
            yield* beside(lanes, lane);
            lanes.conclude(lane);
          }
          if (lanes.found) return succeed(lanes, lanes.found);
          wait = failure && delay(lanes, lane, failure, wait);
          if (wait) yield* pause(lanes, wait);
          if (lanes.found) return succeed(lanes, lanes.found);
        }
      }
      while (lanes.straggler) yield* straggling(lanes, lanes.straggler);
      if (lanes.found) return succeed(lanes, lanes.found);
      plan = isDesperate ? [] : lastResort(trigger);
    }
    throw lanes.fail((state) => new FallbackFailedError(lanes.errors, trigger.attempts, state, trigger.flight));
  } finally {
    lanes.end();
  }
}

/**
 * An attempt on a provider whose turn it is, under way or over; `undefined`: it is passed over.
 *
 * @param isDesperate health does not matter: there is no other provider
 */
function begin(lanes: Lanes, step: PlannedProvider, number: number, isDesperate: boolean): ProviderAttempt | undefined {
  const { trigger } = lanes;
  const { provider, timeout } = step;
  const { name, when } = provider;
  const { tools, flight } = trigger;
  if (number === 1) lanes.turnTo(provider);
  const turn = new ProviderAttempt(trigger, step, number);
  const answer = when && number === 1 ? lanes.consult('when', when, trigger.input, turn.context) : YES;
  let { fault } = answer;
  let leave: Leave | undefined;
  if (!fault && !answer.says) return skip(trigger, name, number);
  if (!fault && provider.lastGood) {
    const recalled = lastGood(trigger.home, trigger.keys, provider, flight.now());
    if (!recalled.kept && !recalled.fault) return skip(trigger, name, number, 'no-answer');
    turn.kept = recalled.kept;
    fault = recalled.fault;
  }
  if (!fault) {
    if (lanes.isOver()) return undefined;
    const passed = pass(tools.memory, lanes.admission.unit, flight, provider, number, flight.now(), isDesperate);
    if (typeof passed === 'string') return skip(trigger, name, number, passed);
    leave = passed;
    if (tools.events.wants('provider-probing')) flight.pass();
    turn.watch();
  }
  announce(trigger, name, number);
  // A listener may have used up the time, or ended the call: what was announced ends, and is not begun.
  lanes.isOver();
  turn.leave = leave;
  turn.effect = lanes.effectOf(provider);
  turn.start = flight.now();
  lanes.current = turn;
  if (fault) turn.end(failed(fault.error, 'predicate'));
  else if (!turn.outcome) turn.begin(timeout, turn.start);
  return turn;
}

const YES: Answer = { says: true };

function skip({ attempts }: Walking, provider: string, attempt: number, reason?: AttemptRecord['reason']): undefined {
  attempts.push({ provider, attempt, outcome: 'skipped', ...(reason && { reason }), duration: 0 });
}

function announce({ tools: { events }, flight }: Walking, provider: string, attempt: number): void {
  if (!events.wants('attempt-started')) return;
  events.emit('attempt-started', flight, { provider, attempt });
  flight.pass();
}

/** Until the lane is over, or another has answered; `true`: until it was left behind for a hedge, `next`. */
function* beside(lanes: Lanes, lane: ProviderAttempt, next?: PlannedProvider): Generator<Pending, boolean, void> {
  const { flight, tools } = lanes.trigger;
  const { hedge } = lane.planned.provider;
  while (!lane.asked.outcome) {
    const { straggler } = lanes;
    if (straggler?.asked.outcome) {
      lanes.concludeStraggler(straggler);
      if (lanes.found) lane.asked.lose();
      continue;
    }
    const isToHedge = hedge !== undefined && !lane.verification && !straggler && next?.provider.idempotent === true;
    const left = isToHedge ? lane.start + hedge - flight.now() : undefined;
    if (left !== undefined && left <= 0) {
      lanes.leaveBehind(lane);
      return true;
    }
    yield race([lane.asked, straggler?.asked], tools.clock, left);
    lanes.isOver(true);
  }
  return false;
}

/** Until the one left behind is over. */
function* straggling(lanes: Lanes, { asked }: ProviderAttempt): Generator<Pending, void, void> {
  if (!asked.outcome) yield race([asked], lanes.trigger.tools.clock);
  lanes.isOver(true);
  if (lanes.straggler?.asked.outcome) lanes.concludeStraggler(lanes.straggler);
}

/** Milliseconds until the next attempt on this provider; `undefined`: there is none. */
function delay(lanes: Lanes, lane: ProviderAttempt, outcome: Failure, previous: number): number | undefined {
  const { error } = outcome;
  const { context, planned } = lane;
  const { provider, retries } = planned;
  const { flight, tools } = lanes.trigger;
  const { unit } = lanes.admission;
  if (outcome.kind === 'failed' && outcome.by === 'predicate') return undefined;
  if (context.attempt > retries || flight.interruption) return undefined;
  const { shouldRetry, backoff } = provider;
  if (shouldRetry && !lanes.heard(lanes.consult('shouldRetry', shouldRetry, error, context))) return undefined;
  if (typeof backoff === 'function') flight.pass();
  const { delay, fault } = waitAfter(backoff, context.attempt, error, previous, tools.random, flight.token);
  if (fault) lanes.errors.push(fault.error);
  const now = flight.now();
  if (delay === undefined || delay >= flight.remainingAt(now)) return undefined;
  // What will not be made need not be waited for.
  return affordsRetry(tools.memory, unit, provider, now) && !isShut(unit, provider, now + delay) ? delay : 0;
}

/** For so long, or until the one left behind has answered. */
function* pause(lanes: Lanes, ms: number): Generator<Pending, void, void> {
  const { tools, flight } = lanes.trigger;
  const end = flight.now() + ms;
  // What it has come to counts, though the time be over.
  while (lanes.straggler && (lanes.straggler.asked.outcome || flight.now() < end)) {
    if (lanes.straggler.asked.outcome) lanes.concludeStraggler(lanes.straggler);
    else yield race([lanes.straggler.asked], tools.clock, end - flight.now());
    lanes.isOver(true);
  }
  if (lanes.found || flight.now() >= end) return;
  yield flight.pause(end - flight.now());
  lanes.isOver(true);
}

/** The providers passed over as unhealthy, once more, where no other could be tried. */
function lastResort({ attempts, config, home }: Walking): readonly PlannedProvider[] {
  if (!home.definition.triesUnhealthy) return [];
  if (attempts.some(({ outcome, reason }) => outcome !== 'skipped' || reason === 'busy')) return [];
  const unhealthy = attempts.filter(({ reason }) => reason === 'unhealthy').map(({ provider }) => provider);
  return config.plan.filter(({ provider }) => unhealthy.includes(provider.name));
}

function succeed(lanes: Lanes, { planned, output, kept }: ProviderAttempt): Given {
  const { trigger, admission } = lanes;
  const { tools, flight, start, home, keys } = trigger;
  const { name: provider, isLastResort } = planned.provider;
  if (home.definition.remembers && !isLastResort) remember(tools, home, keys, { provider, output, at: flight.now() });
  lanes.abandon(lanes.straggler);
  admission.recovered();
  const { state } = admission.machine.place;
  trigger.state = state;
  const { events } = tools;
  if (events.wants('recovered')) events.emit('recovered', flight, { state, provider, duration: flight.now() - start });
  return kept ? { provider, output, stale: true, age: flight.now() - kept.at } : { provider, output };
}
