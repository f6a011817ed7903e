import type { PlannedProvider } from '../definition/config.ts';
import { FallbackFailedError } from '../errors.ts';
import type { Given } from '../memory/answers.ts';
import type { Leave } from '../memory/health.ts';
import type { AttemptRecord } from '../types.ts';
import type { Admission } from './admission.ts';
import { type Failure, failed, type Listener } from './attempt.ts';
import { waitAfter } from './backoff.ts';
import type { Waiter } from './flight.ts';
import { affordsRetry, isShut, pass } from './gate.ts';
import { Lanes, type Walking } from './lanes.ts';
import { YES } from './predicate.ts';
import { ProviderAttempt } from './provider-attempt.ts';
import { lastGood, remember } from './recollection.ts';
import type { Reject, Resolve } from './sharing.ts';

/**
 * The way of an admitted trigger through its plan, provider by provider, to an answer. It goes on when anything that it
 * waits for has ended: first comes what has ended, then what is next.
 */
export class Walk implements Listener, Waiter {
  readonly #lanes: Lanes;
  readonly #resolve: Resolve;
  readonly #reject: Reject;
  #plan: readonly PlannedProvider[];
  /** Those that had been passed over, once more: health does not matter, for there is nobody else. */
  #isDesperate = false;
  /** In the plan, of the provider whose turn it is; after it, the number of its next attempt. */
  #index = 0;
  #number = 1;
  /** Milliseconds that its next attempt waits, and until when. */
  #delay = 0;
  #readyAt: number | undefined = undefined;
  #timer: unknown = undefined;

  /** `reject` is told an error that is its caller's own, an InDoubtError or a FallbackFailedError. */
  constructor(trigger: Walking, admission: Admission, resolve: Resolve, reject: Reject) {
    this.#lanes = new Lanes(trigger, admission);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#plan = trigger.config.plan;
  }

  /** Until something has to be waited for. */
  go(): void {
    try {
      const given = this.#end();
      if (given) this.#resolve(given);
    } catch (error) {
      this.#reject(error);
    }
  }

  resume(): void {
    const { current, straggler, trigger } = this.#lanes;
    const { flight, tools } = trigger;
    current?.asked.onEnd(undefined);
    straggler?.asked.onEnd(undefined);
    if (flight.waiter === this) flight.waiter = undefined;
    if (this.#timer !== undefined) tools.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    flight.pass();
    this.go();
  }

  wake(): void {
    this.resume();
  }

  #end(): Given | undefined {
    let given: Given | undefined;
    try {
      given = this.#advance();
    } catch (error) {
      this.#lanes.end();
      throw error;
    }
    if (given) this.#lanes.end();
    return given;
  }

  #advance(): Given | undefined {
    const lanes = this.#lanes;
    while (!lanes.found) {
      const { current, straggler } = lanes;
      if (current?.asked.outcome) this.#conclude(current);
      else if (straggler?.asked.outcome) lanes.concludeStraggler(straggler);
      else if (current ? this.#stay(current) : this.#next()) return undefined;
    }
    return succeed(lanes, lanes.found);
  }

  #conclude(lane: ProviderAttempt): void {
    const lanes = this.#lanes;
    lanes.conclude(lane);
    // It may be asked whether it has worked.
    if (!lane.isOver || lanes.found) return;
    lanes.current = undefined;
    const delay = delayAfter(lanes, lane, lane.outcome as Failure, this.#delay);
    if (delay === undefined) this.#turn();
    else {
      this.#number++;
      this.#delay = delay;
      this.#readyAt = delay > 0 ? lanes.trigger.flight.now() + delay : undefined;
    }
  }

  /** Waits for the attempt under way, which is `true`; unless it is time to leave it behind for a hedge. */
  #stay(lane: ProviderAttempt): boolean {
    const lanes = this.#lanes;
    const { hedge } = lane.planned.provider;
    const next = this.#plan[this.#index + 1];
    const mayHedge = hedge !== undefined && !lane.verification && !lanes.straggler;
    if (!mayHedge || next?.provider.idempotent !== true) return this.#wait();
    const left = lane.start + hedge - lanes.trigger.flight.now();
    if (left > 0) return this.#wait(left);
    lanes.leaveBehind(lane);
    this.#turn();
    return false;
  }

  /** Begins the next attempt, once its time has come and only what may run beside it is under way; `true`: it is waited for. */
  #next(): boolean {
    const lanes = this.#lanes;
    const { straggler, trigger } = lanes;
    // Where nobody is left to be tried, it does not matter that the time is over.
    const left = this.#step();
    const step = left && !lanes.isOver() ? left : undefined;
    if (!step || (straggler && step.provider.idempotent !== true)) {
      if (straggler) return this.#wait();
      throw lanes.fail((state) => new FallbackFailedError(lanes.errors, trigger.attempts, state, trigger.flight));
    }
    if (this.#readyAt !== undefined) {
      const wait = this.#readyAt - trigger.flight.now();
      if (wait > 0) return this.#wait(wait);
    }
    if (!begin(lanes, step, this.#number, this.#isDesperate)) this.#turn();
    return false;
  }

  /** The provider whose turn it is; after the last, those passed over as unhealthy. */
  #step(): PlannedProvider | undefined {
    if (this.#index === this.#plan.length && !this.#isDesperate && !this.#lanes.straggler) {
      this.#isDesperate = true;
      this.#plan = lastResort(this.#lanes.trigger);
      this.#index = 0;
    }
    return this.#plan[this.#index];
  }

  /** It is the next provider's turn. */
  #turn(): void {
    this.#index++;
    this.#number = 1;
    this.#delay = 0;
    this.#readyAt = undefined;
  }

  /** For the attempts under way, whichever ends first; or for so long. `false`: one has ended already, with its flight. */
  #wait(ms?: number): boolean {
    const { current, straggler, trigger } = this.#lanes;
    if (current?.asked.outcome || straggler?.asked.outcome) return false;
    const { flight, tools } = trigger;
    current?.asked.onEnd(this);
    straggler?.asked.onEnd(this);
    if (!current) {
      flight.waiter = this;
      flight.arm();
    }
    if (ms !== undefined) this.#timer = tools.clock.setTimeout(() => this.resume(), ms);
    return true;
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

function skip({ attempts }: Walking, provider: string, attempt: number, reason?: AttemptRecord['reason']): undefined {
  attempts.push({ provider, attempt, outcome: 'skipped', ...(reason && { reason }), duration: 0 });
}

function announce({ tools: { events }, flight }: Walking, provider: string, attempt: number): void {
  if (!events.wants('attempt-started')) return;
  events.emit('attempt-started', flight, { provider, attempt });
  flight.pass();
}

/** Milliseconds until the next attempt on this provider; `undefined`: there is none. */
function delayAfter(lanes: Lanes, lane: ProviderAttempt, outcome: Failure, previous: number): number | undefined {
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
  lanes.abandonAll();
  admission.recovered();
  const { state } = admission.machine.place;
  trigger.state = state;
  const { events } = tools;
  if (events.wants('recovered')) events.emit('recovered', flight, { state, provider, duration: flight.now() - start });
  return kept ? { provider, output, stale: true, age: flight.now() - kept.at } : { provider, output };
}
