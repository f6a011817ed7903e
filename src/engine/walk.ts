import type { PlannedProvider } from '../definition/config.ts';
import type { ProviderDefinition } from '../definition/definition.ts';
import { FallbackFailedError, InDoubtError } from '../errors.ts';
import type { Given } from '../memory/answers.ts';
import type { Leave } from '../memory/health.ts';
import { discreet } from '../quote.ts';
import type { AttemptRecord, State } from '../types.ts';
import type { Admission } from './admission.ts';
import { type Failure, failed, type Outcome } from './attempt.ts';
import { waitAfter } from './backoff.ts';
import { type Because, doubtOf } from './doubt.ts';
import type { Pending } from './drive.ts';
import { Effect } from './effect.ts';
import { affordsRetry, isShut, pass } from './gate.ts';
import { type Answer, ask } from './predicate.ts';
import { type Attempted, ProviderAttempt } from './provider-attempt.ts';
import { race } from './race.ts';
import { type Keys, lastGood, remember } from './recollection.ts';
import type { Time } from './time.ts';
import { NOT_DONE } from './verification.ts';

/** What a trigger knows of itself; and where it keeps what has become of its attempts. */
export interface Walking extends Attempted {
  readonly attempts: AttemptRecord[];
  readonly start: number;
  readonly time: Time;
  state: State;
  /** Whether anyone is told more of its answer than the output. */
  readonly isReported: boolean;
  readonly keys: Keys | undefined;
}

/** The way of an admitted trigger through its plan: provider by provider, to an answer or to its end. */
export class Walk {
  readonly #trigger: Walking;
  readonly #admission: Admission;
  readonly #errors: unknown[] = [];
  readonly #time: Time;
  /** The one that gave the answer. */
  #found: ProviderAttempt | undefined = undefined;
  /** Left behind for a hedge, and still under way: its answer will do. */
  #straggler: ProviderAttempt | undefined = undefined;
  #current: ProviderAttempt | undefined = undefined;
  /** What all attempts on the present provider do together, where that may run twice: the same, however often. */
  #repeatable: Effect | undefined = undefined;
  /** Health does not matter any more: there is no other provider. */
  #isDesperate = false;

  constructor(trigger: Walking, admission: Admission) {
    this.#trigger = trigger;
    this.#admission = admission;
    this.#time = trigger.time;
  }

  *steps(): Generator<Pending, Given, void> {
    try {
      for (let plan = this.#trigger.config.plan; plan.length > 0; plan = this.#lastResort()) {
        for (let index = 0; index < plan.length; index++) {
          const step = plan[index] as PlannedProvider;
          // Only what may run twice is started beside another.
          while (this.#straggler && step.provider.idempotent !== true) yield* this.#straggling(this.#straggler);
          if (this.#found) return this.#succeed(this.#found);
          let wait: number | undefined = 0;
          for (let number = 1; wait !== undefined && !this.#isOver(); number++) {
            const lane = this.#begin(step, number);
            if (!lane) break;
            if (this.#isAlone(lane)) {
              if (!lane.outcome) yield lane;
            } else if (yield* this.#beside(lane, plan[index + 1])) break;
            const failure = this.#conclude(lane);
            while (!lane.isOver) {
              yield* this.#beside(lane);
              this.#conclude(lane);
            }
            if (this.#found) return this.#succeed(this.#found);
            wait = failure && this.#delay(step, lane, failure, wait);
            if (wait) yield* this.#pause(wait);
            if (this.#found) return this.#succeed(this.#found);
          }
        }
      }
      while (this.#straggler) yield* this.#straggling(this.#straggler);
      if (this.#found) return this.#succeed(this.#found);
      throw this.#fail(
        (state) => new FallbackFailedError(this.#errors, this.#trigger.attempts, state, this.#trigger.flight),
      );
    } finally {
      this.#abandonAll();
      this.#repeatable?.drop();
      this.#admission.end();
      this.#trigger.flight.end();
    }
  }

  /** An attempt on a provider whose turn it is, under way or over; `undefined`: it is passed over. */
  #begin(step: PlannedProvider, number: number): ProviderAttempt | undefined {
    const { provider, timeout } = step;
    if (number === 1) this.#turnTo(provider);
    const turn = new ProviderAttempt(this.#trigger, step, number);
    const { when } = provider;
    // Asked once: those of the last resort have been passed by it already.
    const isAsked = when && number === 1 && !this.#isDesperate;
    const answer = isAsked ? this.#consult('when', when, this.#trigger.input, turn.context) : YES;
    let { fault } = answer;
    let leave: Leave | undefined;
    if (!fault && !answer.says) return this.#skip(provider.name, number);
    if (!fault && provider.lastGood) {
      const recalled = lastGood(this.#trigger.home, this.#trigger.keys, provider, this.#time.now());
      if (!recalled.kept && !recalled.fault) return this.#skip(provider.name, number, 'no-answer');
      turn.kept = recalled.kept;
      fault = recalled.fault;
    }
    if (!fault) {
      if (this.#isOver()) return undefined;
      const passed = this.#pass(provider, number);
      if (typeof passed === 'string') return this.#skip(provider.name, number, passed);
      leave = passed;
      turn.watch();
    }
    this.#announce(turn);
    // A listener may have used up the time, or ended the call: what was announced ends, and is not begun.
    this.#isOver();
    turn.leave = leave;
    turn.effect = this.#effectOf(provider);
    turn.start = this.#time.now();
    this.#current = turn;
    if (fault) turn.end(failed(fault.error, 'predicate'));
    else if (!turn.outcome) turn.begin(timeout, this.#time.now());
    return turn;
  }

  #pass(provider: ProviderDefinition, number: number): ReturnType<typeof pass> {
    const { tools, flight } = this.#trigger;
    return pass(tools.memory, this.#admission.unit, flight, provider, number, this.#time.now(), this.#isDesperate);
  }

  /** What the provider's health is told of an attempt that is over. */
  #tell({ leave }: ProviderAttempt, verdict: 'SUCCEEDED' | 'FAILED' | 'ABANDONED'): void {
    const { tools, flight } = this.#trigger;
    if (leave) tools.memory.healths.settle(leave, verdict, this.#time.now(), flight);
  }

  #skip(provider: string, attempt: number, reason?: AttemptRecord['reason']): undefined {
    this.#trigger.attempts.push({ provider, attempt, outcome: 'skipped', ...(reason && { reason }), duration: 0 });
  }

  #announce({ context: { provider, attempt } }: ProviderAttempt): void {
    const { events } = this.#trigger.tools;
    if (!events.wants('attempt-started')) return;
    events.emit('attempt-started', this.#trigger.flight, { provider, attempt });
    this.#time.pass();
  }

  /** No further attempt on the provider before this one can use what that has done. */
  #turnTo({ idempotent, doubts }: ProviderDefinition): void {
    this.#repeatable?.drop();
    this.#repeatable = idempotent === true && doubts?.compensate ? new Effect() : undefined;
  }

  #effectOf({ doubts }: ProviderDefinition): Effect | undefined {
    if (!doubts?.compensate) return undefined;
    if (!this.#repeatable) return new Effect();
    this.#repeatable.hold();
    return this.#repeatable;
  }

  /** Nobody is under way beside it, nor will be. */
  #isAlone({ planned }: ProviderAttempt): boolean {
    return !this.#straggler && planned.provider.hedge === undefined;
  }

  /** Until the lane is over, or another has answered; `true`: until it was left behind for a hedge, `next`. */
  *#beside(lane: ProviderAttempt, next?: PlannedProvider): Generator<Pending, boolean, void> {
    const { hedge } = lane.planned.provider;
    while (!lane.asked.outcome) {
      const straggler = this.#straggler;
      if (straggler?.asked.outcome) {
        this.#concludeStraggler(straggler);
        if (this.#found) lane.asked.lose();
        continue;
      }
      const isToHedge = hedge !== undefined && !lane.verification && !straggler && next?.provider.idempotent === true;
      const left = isToHedge ? lane.start + hedge - this.#time.now() : undefined;
      if (left !== undefined && left <= 0) {
        this.#leaveBehind(lane);
        return true;
      }
      yield race([lane.asked, straggler?.asked], this.#trigger.tools.clock, left);
      this.#isOver(true);
    }
    return false;
  }

  #leaveBehind(lane: ProviderAttempt): void {
    this.#straggler = lane;
    this.#current = undefined;
    this.#trigger.flight.bystander = lane.asked;
  }

  /** Until the one left behind is over. */
  *#straggling({ asked }: ProviderAttempt): Generator<Pending, void, void> {
    if (!asked.outcome) yield race([asked], this.#trigger.tools.clock);
    this.#isOver(true);
    if (this.#straggler?.asked.outcome) this.#concludeStraggler(this.#straggler);
  }

  #concludeStraggler(lane: ProviderAttempt): void {
    this.#straggler = undefined;
    this.#trigger.flight.bystander = undefined;
    this.#conclude(lane);
    // It may be asked whether it has worked: beside the others, as before.
    if (!lane.isOver) {
      const { flight } = this.#trigger;
      this.#straggler = lane;
      flight.bystander = lane.asked;
      if (flight.interruption) lane.asked.wake(flight.interruption);
    }
  }

  *#pause(ms: number): Generator<Pending, void, void> {
    const end = this.#time.now() + ms;
    const { flight, tools } = this.#trigger;
    while (this.#straggler && this.#time.now() < end && !this.#found) {
      if (this.#straggler.asked.outcome) this.#concludeStraggler(this.#straggler);
      else yield race([this.#straggler.asked], tools.clock, end - this.#time.now());
      this.#isOver(true);
    }
    if (this.#found || this.#time.now() >= end) return;
    yield flight.pause(end - this.#time.now());
    this.#isOver(true);
  }

  /**
   * What has become of the lane: an answer, a failure, or a doubt, which may leave it open.
   *
   * @returns the failure of its attempt
   * @throws what ends the trigger: an error that is the caller's own, an InDoubtError
   */
  #conclude(lane: ProviderAttempt): Failure | undefined {
    const outcome = lane.asked.outcome as Outcome;
    if (lane.verification) {
      this.#concludeVerification(lane, outcome);
      return undefined;
    }
    if (outcome.kind === 'succeeded') {
      if (this.#isSeen) this.#record(lane, outcome);
      else this.#time.pass();
      this.#tell(lane, 'SUCCEEDED');
      this.#use(lane, outcome.output);
      return undefined;
    }
    this.#record(lane, outcome);
    const isTheirs = outcome.kind === 'failed' && outcome.by === 'work' && this.#disowns(outcome.error);
    this.#tell(lane, isTheirs || !lane.isBegun ? 'ABANDONED' : verdictOn(outcome));
    if (isTheirs) {
      this.#drop(lane);
      throw outcome.error;
    }
    this.#doubt(lane, outcome);
    return outcome;
  }

  /** Whether anyone will hear of an attempt that has given the answer: to `wrap`, its output is all. */
  get #isSeen(): boolean {
    return this.#trigger.isReported || this.#trigger.tools.events.wants('attempt-ended');
  }

  #use(lane: ProviderAttempt, output: unknown): void {
    lane.isOver = true;
    lane.output = output;
    // Of two that have ended at once, the first.
    if (this.#found) lane.effect?.drop();
    else {
      lane.effect?.use();
      this.#found = lane;
    }
  }

  #drop(lane: ProviderAttempt): void {
    lane.isOver = true;
    lane.effect?.drop();
  }

  #doubt(lane: ProviderAttempt, outcome: Failure): void {
    const { doubts } = lane.planned.provider;
    if (!doubts) {
      this.#drop(lane);
      return;
    }
    const { because, fault } = doubtOf(outcome, doubts);
    if (doubts.inDoubtWhen) this.#time.pass();
    if (fault) this.#errors.push(fault.error);
    if (because) this.#tellDoubt(lane, because, outcome.error);
    if (!because || because === 'aborted' || doubts.inDoubt === 'next') this.#drop(lane);
    else if (doubts.inDoubt === 'verify' && !this.#isOver()) this.#verify(lane);
    else {
      this.#drop(lane);
      throw this.#inDoubt(lane);
    }
  }

  #tellDoubt({ context }: ProviderAttempt, because: Because, error: unknown): void {
    const { tools, flight, input } = this.#trigger;
    if (!tools.events.wants('in-doubt')) return;
    const { provider, attempt } = context;
    tools.events.emit('in-doubt', flight, { provider, attempt, because, input, error });
    this.#time.pass();
  }

  #verify(lane: ProviderAttempt): void {
    const verification = lane.verify();
    if (lane === this.#current) verification.watch();
    verification.begin(lane.planned.timeout, this.#time.now());
  }

  #concludeVerification(lane: ProviderAttempt, outcome: Outcome): void {
    this.#isOver(true);
    if (outcome.kind === 'succeeded' && outcome.output !== NOT_DONE) this.#use(lane, outcome.output);
    else this.#drop(lane);
    if (outcome.kind === 'succeeded' || outcome.kind === 'aborted') return;
    this.#errors.push(outcome.error);
    throw this.#inDoubt(lane);
  }

  #inDoubt({ planned: { provider } }: ProviderAttempt): unknown {
    const { attempts, flight } = this.#trigger;
    this.#abandonAll();
    return this.#fail(() => new InDoubtError(provider.name, this.#errors, attempts, flight));
  }

  #abandonAll(): void {
    this.#abandon(this.#current);
    this.#abandon(this.#straggler);
  }

  /** Ends a lane that nobody waits for any more: whatever it may still come to, it is not the answer. */
  #abandon(lane: ProviderAttempt | undefined): void {
    if (!lane || lane.isOver) return;
    const { interruption } = this.#trigger.flight;
    if (interruption) lane.asked.wake(interruption);
    else lane.asked.lose();
    const outcome = lane.asked.outcome as Outcome;
    if (!lane.verification) {
      this.#record(lane, outcome);
      this.#tell(lane, verdictOn(outcome));
      const because = outcome.kind === 'timed-out' ? outcome.kind : 'aborted';
      if (lane.planned.provider.doubts && outcome.kind !== 'succeeded') this.#tellDoubt(lane, because, outcome.error);
    }
    this.#drop(lane);
  }

  #record({ context, start }: ProviderAttempt, outcome: Outcome): void {
    const { provider, attempt } = context;
    const { attempts, flight, tools } = this.#trigger;
    const { events } = tools;
    this.#time.pass();
    const duration = this.#time.now() - start;
    let record: AttemptRecord;
    if (outcome.kind === 'succeeded') record = { provider, attempt, outcome: outcome.kind, duration };
    else {
      const { kind, error } = outcome;
      const { token } = flight;
      record = { provider, attempt, outcome: kind, error, duration };
      if (token !== undefined) discreet(record, token);
      if (kind !== 'aborted') {
        this.#errors.push(error);
        if (this.#admission.isCurrent) this.#admission.machine.lastError = { error, token };
      }
    }
    attempts.push(record);
    if (!events.wants('attempt-ended')) return;
    events.emit('attempt-ended', flight, record);
    this.#time.pass();
  }

  /** Milliseconds until the next attempt on this provider; `undefined`: there is none. */
  #delay(
    { provider, retries }: PlannedProvider,
    { context }: ProviderAttempt,
    outcome: Failure,
    previous: number,
  ): number | undefined {
    const { error } = outcome;
    const { flight, tools } = this.#trigger;
    if (outcome.kind === 'failed' && outcome.by === 'predicate') return undefined;
    if (context.attempt > retries || flight.interruption) return undefined;
    if (provider.shouldRetry && !this.#heard(this.#consult('shouldRetry', provider.shouldRetry, error, context)))
      return undefined;
    const { backoff } = provider;
    if (typeof backoff === 'function') this.#time.pass();
    const { delay, fault } = waitAfter(backoff, context.attempt, error, previous, tools.random, flight.token);
    if (fault) this.#errors.push(fault.error);
    if (delay === undefined || delay >= flight.remainingAt(this.#time.now())) return undefined;
    // What will not be made need not be waited for.
    const { unit } = this.#admission;
    return affordsRetry(tools.memory, unit, provider, this.#time.now()) &&
      !isShut(unit, provider, this.#time.now() + delay)
      ? delay
      : 0;
  }

  /** Asks a predicate, which may take its time over the answer. */
  #consult<A extends readonly unknown[]>(name: string, predicate: (...args: A) => unknown, ...args: A): Answer {
    this.#time.pass();
    return ask(name, predicate, ...args);
  }

  /** What a predicate said; its fault joins the errors, after that of the attempt. */
  #heard(answer: Answer): unknown {
    if (answer.fault) this.#errors.push(answer.fault.error);
    return answer.says;
  }

  /** Whether an error is the caller's own, who is to have it as it is. */
  #disowns(error: unknown): boolean {
    const { home, flight } = this.#trigger;
    const { handle } = home.definition;
    if (!handle || flight.interruption) return false;
    const answer = this.#consult('handle', handle, error);
    this.#heard(answer);
    return !answer.fault && !answer.says;
  }

  /** The providers passed over as unhealthy, once more, where no other could be tried. */
  #lastResort(): readonly PlannedProvider[] {
    const { attempts, config, home } = this.#trigger;
    if (this.#isDesperate || !home.definition.triesUnhealthy) return [];
    if (attempts.some(({ outcome, reason }) => outcome !== 'skipped' || reason === 'busy')) return [];
    this.#isDesperate = true;
    const unhealthy = attempts.filter(({ reason }) => reason === 'unhealthy').map(({ provider }) => provider);
    return config.plan.filter(({ provider }) => unhealthy.includes(provider.name));
  }

  #isOver(isLater = false): boolean {
    if (isLater) this.#time.pass();
    return this.#trigger.flight.isOver(this.#time);
  }

  #succeed({ planned, output, kept }: ProviderAttempt): Given {
    const { name: provider, isLastResort } = planned.provider;
    const { tools, flight, start, home } = this.#trigger;
    if (home.definition.remembers && !isLastResort) {
      remember(tools, home, this.#trigger.keys, { provider, output, at: this.#time.now() });
    }
    this.#abandon(this.#straggler);
    this.#admission.recovered();
    const { state } = this.#admission.machine.place;
    this.#trigger.state = state;
    if (tools.events.wants('recovered')) {
      tools.events.emit('recovered', flight, { state, provider, duration: this.#time.now() - start });
    }
    return kept ? { provider, output, stale: true, age: this.#time.now() - kept.at } : { provider, output };
  }

  /** The error that the trigger ends with; a verdict, unless its caller or `close()` has ended it. */
  #fail(make: (state: State) => unknown): unknown {
    const { tools, flight, start } = this.#trigger;
    const { interruption } = flight;
    if (interruption && interruption.kind !== 'deadline') return flight.refusal(interruption, undefined, this.#errors);
    if (interruption && !this.#errors.includes(interruption.error)) this.#errors.push(interruption.error);
    const { events, memory } = tools;
    const state = memory.quietly(() => {
      this.#admission.failed();
      const { state } = this.#admission.machine.place;
      if (events.wants('failed')) {
        events.emit('failed', flight, { state, errors: [...this.#errors], duration: this.#time.now() - start });
      }
      return state;
    });
    return make(state);
  }
}

/** What a provider's health is told of an attempt. */
function verdictOn(outcome: Outcome): 'SUCCEEDED' | 'FAILED' | 'ABANDONED' {
  if (outcome.kind === 'succeeded') return 'SUCCEEDED';
  const isNone = outcome.kind === 'aborted' || (outcome.kind === 'failed' && outcome.by === 'predicate');
  return isNone ? 'ABANDONED' : 'FAILED';
}

const YES: Answer = { says: true };
