import type { ProviderDefinition } from '../definition/provider.ts';
import { InDoubtError } from '../errors.ts';
import { discreet } from '../quote.ts';
import type { AttemptRecord, State } from '../types.ts';
import type { Admission } from './admission.ts';
import type { Failure, Outcome } from './attempt.ts';
import { type Because, doubtOf } from './doubt.ts';
import { Effect } from './effect.ts';
import { type Answer, ask } from './predicate.ts';
import type { Attempted, ProviderAttempt } from './provider-attempt.ts';
import type { Keys } from './recollection.ts';
import { NOT_DONE } from './verification.ts';

/** What a trigger knows of itself; and where it keeps what has become of its attempts. */
export interface Walking extends Attempted {
  readonly attempts: AttemptRecord[];
  readonly start: number;
  state: State;
  /** Whether anyone is told more of its answer than the output. */
  readonly isReported: boolean;
  readonly keys: Keys | undefined;
  /** The provider of an attempt that was cut short, and after which nobody may try unasked. */
  inDoubt: string | undefined;
}

/** The attempts of an admitted trigger: at most two under way, each in its lane, and what has become of the others. */
export class Lanes {
  readonly trigger: Walking;
  readonly admission: Admission;
  readonly errors: unknown[] = [];
  current: ProviderAttempt | undefined = undefined;
  /** Left behind for a hedge, and still under way: its answer will do. */
  straggler: ProviderAttempt | undefined = undefined;
  /** The one that gave the answer. */
  found: ProviderAttempt | undefined = undefined;
  /** What all attempts on the present provider do together, where that may run twice: the same, however often. */
  #repeatable: Effect | undefined = undefined;

  constructor(trigger: Walking, admission: Admission) {
    this.trigger = trigger;
    this.admission = admission;
  }

  /** Whether the trigger's time is over; `isLater`: others have run since that was last asked. */
  isOver(isLater = false): boolean {
    if (isLater) this.trigger.flight.pass();
    return this.trigger.flight.isOver();
  }

  /** No further attempt on the provider before this one can use what that has done. */
  turnTo({ idempotent, doubts }: ProviderDefinition): void {
    this.#repeatable?.drop();
    this.#repeatable = idempotent === true && doubts.compensate ? new Effect() : undefined;
  }

  /** What an attempt on the present provider may do to the world. */
  effectOf({ doubts }: ProviderDefinition): Effect | undefined {
    if (!doubts.compensate) return undefined;
    if (!this.#repeatable) return new Effect();
    this.#repeatable.hold();
    return this.#repeatable;
  }

  leaveBehind(lane: ProviderAttempt): void {
    this.straggler = lane;
    this.current = undefined;
    this.trigger.flight.bystander = lane.asked;
  }

  concludeStraggler(lane: ProviderAttempt): void {
    const { flight } = this.trigger;
    this.straggler = undefined;
    flight.bystander = undefined;
    this.conclude(lane);
    if (lane.isOver) return;
    // It may be asked whether it has worked: beside the others, as before.
    this.straggler = lane;
    flight.bystander = lane.asked;
    if (flight.interruption) lane.asked.wake(flight.interruption);
  }

  /**
   * What has become of the lane: an answer, a failure, or a doubt, which may leave it open.
   *
   * @throws what ends the trigger: an error that is the caller's own, an InDoubtError
   */
  conclude(lane: ProviderAttempt): void {
    const outcome = lane.asked.outcome as Outcome;
    if (lane.verification) {
      this.#concludeVerification(lane, outcome);
      return;
    }
    if (outcome.kind === 'succeeded') {
      if (this.#isSeen) this.#record(lane, outcome);
      else this.trigger.flight.pass();
      this.#tell(lane, 'SUCCEEDED');
      this.#use(lane, outcome.output);
      return;
    }
    this.#record(lane, outcome);
    const isTheirs = outcome.kind === 'failed' && outcome.by === 'work' && this.#disowns(outcome.error);
    this.#tell(lane, isTheirs || !lane.isBegun ? 'ABANDONED' : verdictOn(outcome));
    if (isTheirs) {
      this.#drop(lane);
      throw outcome.error;
    }
    this.#doubt(lane, outcome);
  }

  /** Ends a lane that nobody waits for any more: whatever it may still come to, it is not the answer. */
  abandon(lane: ProviderAttempt | undefined): void {
    if (!lane || lane.isOver) return;
    const { interruption } = this.trigger.flight;
    if (interruption) lane.asked.wake(interruption);
    else lane.asked.lose();
    // No answer: what has answered is told of at once, and ends the walk.
    const outcome = lane.asked.outcome as Failure;
    if (!lane.verification) {
      this.#record(lane, outcome);
      this.#tell(lane, verdictOn(outcome));
      if (this.#doubtAbout(lane, outcome)) this.#leaveInDoubt(lane);
    }
    this.#drop(lane);
  }

  abandonAll(): void {
    this.abandon(this.current);
    this.abandon(this.straggler);
  }

  /** The trigger is over: nothing that is under way is waited for, and its place is given back. */
  end(): void {
    this.abandonAll();
    this.#repeatable?.drop();
    this.admission.end();
    this.trigger.flight.end();
  }

  /** The error that the trigger ends with; a verdict, unless its caller or `close()` has ended it. */
  fail(make: (state: State) => unknown): unknown {
    const { admission, errors } = this;
    const { tools, flight, start } = this.trigger;
    const { interruption } = flight;
    if (interruption && interruption.kind !== 'deadline') return flight.refusal(interruption, undefined, errors);
    if (interruption && !errors.includes(interruption.error)) errors.push(interruption.error);
    const { events, memory } = tools;
    const state = memory.quietly(() => {
      admission.failed();
      const { state } = admission.machine.place;
      if (events.wants('failed')) {
        events.emit('failed', flight, { state, errors: [...errors], duration: flight.now() - start });
      }
      return state;
    });
    return make(state);
  }

  /** Asks a predicate, which may take its time over the answer. */
  consult<A extends readonly unknown[]>(name: string, predicate: (...args: A) => unknown, ...args: A): Answer {
    this.trigger.flight.pass();
    return ask(name, predicate, ...args);
  }

  /** What a predicate said; its fault joins the errors, after that of the attempt. */
  heard(answer: Answer): unknown {
    if (answer.fault) this.errors.push(answer.fault.error);
    return answer.says;
  }

  /** Whether an error is the caller's own, who is to have it as it is. */
  #disowns(error: unknown): boolean {
    const { home, flight } = this.trigger;
    const { handle } = home.definition;
    if (!handle || flight.interruption) return false;
    const answer = this.consult('handle', handle, error);
    this.heard(answer);
    return !answer.fault && !answer.says;
  }

  /** Whether anyone will hear of an attempt that has given the answer: to `wrap`, its output is all. */
  get #isSeen(): boolean {
    return this.trigger.isReported || this.trigger.tools.events.wants('attempt-ended');
  }

  #use(lane: ProviderAttempt, output: unknown): void {
    lane.isOver = true;
    lane.output = output;
    lane.effect?.use();
    this.found = lane;
  }

  #drop(lane: ProviderAttempt): void {
    lane.isOver = true;
    lane.effect?.drop();
  }

  #doubt(lane: ProviderAttempt, outcome: Failure): void {
    const { inDoubt } = lane.planned.provider.doubts;
    const because = this.#doubtAbout(lane, outcome);
    if (because === 'aborted') this.#leaveInDoubt(lane);
    if (!because || because === 'aborted' || inDoubt === 'next') this.#drop(lane);
    else if (inDoubt === 'verify' && !this.isOver()) this.#verify(lane);
    else {
      this.#drop(lane);
      throw this.#inDoubt(lane);
    }
  }

  /** Why the lane's attempt is in doubt, if it is; whoever listens has been told. */
  #doubtAbout(lane: ProviderAttempt, outcome: Failure): Because | undefined {
    // What was never asked for has done nothing.
    if (!lane.isBegun) return undefined;
    const { doubts } = lane.planned.provider;
    const { because, fault } = doubtOf(outcome, doubts);
    if (doubts.inDoubtWhen) this.trigger.flight.pass();
    if (fault) this.errors.push(fault.error);
    if (because) this.#tellDoubt(lane, because, outcome.error);
    return because;
  }

  #leaveInDoubt({ planned: { provider } }: ProviderAttempt): void {
    if (provider.doubts.inDoubt !== 'next') this.trigger.inDoubt ??= provider.name;
  }

  #verify(lane: ProviderAttempt): void {
    const verification = lane.verify();
    if (lane === this.current) verification.watch();
    verification.begin(lane.planned.timeout, this.trigger.flight.now());
  }

  #concludeVerification(lane: ProviderAttempt, outcome: Outcome): void {
    this.isOver(true);
    if (outcome.kind === 'succeeded' && outcome.output !== NOT_DONE) this.#use(lane, outcome.output);
    else this.#drop(lane);
    if (outcome.kind === 'succeeded' || outcome.kind === 'aborted') return;
    this.errors.push(outcome.error);
    throw this.#inDoubt(lane);
  }

  #inDoubt({ planned: { provider } }: ProviderAttempt): unknown {
    const { attempts, flight } = this.trigger;
    this.abandonAll();
    return this.fail(() => new InDoubtError(provider.name, this.errors, attempts, flight));
  }

  #record({ context, start }: ProviderAttempt, outcome: Outcome): void {
    const { provider, attempt } = context;
    const { attempts, flight, tools } = this.trigger;
    const { events } = tools;
    this.trigger.flight.pass();
    const duration = this.trigger.flight.now() - start;
    let record: AttemptRecord;
    if (outcome.kind === 'succeeded') record = { provider, attempt, outcome: outcome.kind, duration };
    else {
      const { kind, error } = outcome;
      const { token } = flight;
      record = { provider, attempt, outcome: kind, error, duration };
      if (token !== undefined) discreet(record, token);
      if (kind !== 'aborted') {
        // Of the deadline, with which two attempts may end, the trigger's failure tells once.
        const isDeadline = flight.interruption && error === flight.interruption.error;
        if (!isDeadline) this.errors.push(error);
        if (this.admission.isCurrent) this.admission.machine.lastError = { error, token };
      }
    }
    attempts.push(record);
    if (!events.wants('attempt-ended')) return;
    events.emit('attempt-ended', flight, record);
    this.trigger.flight.pass();
  }

  /** What the provider's health is told of an attempt that is over. */
  #tell({ leave }: ProviderAttempt, verdict: 'SUCCEEDED' | 'FAILED' | 'ABANDONED'): void {
    const { tools, flight } = this.trigger;
    if (leave) tools.memory.healths.settle(leave, verdict, this.trigger.flight.now(), flight);
  }

  #tellDoubt({ context }: ProviderAttempt, because: Because, error: unknown): void {
    const { tools, flight, input } = this.trigger;
    if (!tools.events.wants('in-doubt')) return;
    const { provider, attempt } = context;
    tools.events.emit('in-doubt', flight, { provider, attempt, because, input, error });
    this.trigger.flight.pass();
  }
}

/** What a provider's health is told of an attempt that gave no answer. */
function verdictOn(outcome: Failure): 'FAILED' | 'ABANDONED' {
  const isNone = outcome.kind === 'aborted' || (outcome.kind === 'failed' && outcome.by === 'predicate');
  return isNone ? 'ABANDONED' : 'FAILED';
}
