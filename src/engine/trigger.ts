import { type Checked, isDuration, LONGEST } from '../definition/check.ts';
import type { Configuration, PlannedProvider } from '../definition/config.ts';
import type { Request } from '../definition/request.ts';
import { isThenable, validate } from '../definition/standard.ts';
import { exhausted, FallbackFailedError, InvalidInputError } from '../errors.ts';
import type { Events } from '../events.ts';
import { type Home, type Machine, retryAfter } from '../memory/machine.ts';
import type { Machines } from '../memory/machines.ts';

import { conceal, discreet, show } from '../quote.ts';
import { openSession } from '../session.ts';
import type { AttemptRecord, Clock, Session, SessionVerifier, TriggerResult } from '../types.ts';
import { type Failure, failed, type Outcome } from './attempt.ts';
import { backoffDelay } from './backoff.ts';
import type { AttemptContext } from './context.ts';
import { drive, type Pending } from './drive.ts';
import type { Flight } from './flight.ts';
import { type Answer, ask, fault } from './predicate.ts';
import { type Attempted, ProviderAttempt } from './provider-attempt.ts';
import { rejectLater } from './rejected.ts';

/** What a trigger works with. */
export interface Tools {
  readonly memory: Machines;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sessions: ReadonlyMap<string, SessionVerifier> | undefined;
}

type Resolve = (result: TriggerResult) => void;
type Reject = (error: unknown) => void;

/** As what a trigger was let in: its outcome counts only in this generation. */
interface Admitted {
  readonly machine: Machine;
  readonly generation: number;
  /** A restore begins another. */
  readonly life: number;
}

/** One trigger: check → admit → walk the plan → settle. */
export class Trigger implements Attempted {
  readonly tools: Tools;
  readonly flight: Flight;
  readonly request: Request;
  readonly home: Home;
  readonly #start: number;
  /** The configuration it started with. */
  readonly config: Configuration;
  readonly attempts: AttemptRecord[] = [];
  readonly #errors: unknown[] = [];
  /** The time last read, and whether anyone has been asked since who may have taken theirs. */
  #now: number;
  #isStale = false;
  #hasVerdict = false;
  session: Session | undefined;
  input: unknown;

  constructor(tools: Tools, flight: Flight, request: Request, home: Home, now: number) {
    this.tools = tools;
    this.flight = flight;
    this.request = request;
    this.home = home;
    this.#start = this.#now = now;
    this.config = tools.memory.configuration(request, home);
  }

  run(): Promise<TriggerResult> {
    return new Promise((resolve, reject) => this.settle(resolve, reject));
  }

  /**
   * As {@link run}, for those who need no promise. Nothing is awaited that has not to be: with synchronous checks the first
   * provider is called before this returns. The flight is over before the caller hears of it.
   */
  settle(resolve: Resolve, reject: Reject): void {
    try {
      this.flight.limit(this.config.deadline, this.#start);
      this.#throwIfOver();
      const checks = this.#check();
      if (checks) checks.then(() => this.#enter(resolve, reject)).catch((error) => this.#refuse(reject, error));
      else this.#enter(resolve, reject);
    } catch (error) {
      this.#refuse(reject, error);
    }
  }

  #refuse(reject: Reject, error: unknown): void {
    this.flight.end();
    rejectLater(reject, error);
  }

  #check(): Promise<void> | undefined {
    this.#isStale = this.request.session !== undefined || this.home.definition.input !== undefined;
    const session = openSession(this.tools.sessions, this.request, this.home.definition.sessionRequired, this.flight);
    if (!isThenable(session)) return this.#parse(session);
    return this.flight.wait(session).then((opened) => (this.flight.interruption ? undefined : this.#parse(opened)));
  }

  #parse(session: Session | undefined): Promise<void> | undefined {
    this.session = session;
    this.input = this.request.input;
    const { input } = this.home.definition;
    if (!input) return undefined;
    const parsed = validate(input, this.input);
    if (isThenable(parsed)) return this.flight.wait(parsed).then((settled) => settled && this.#accept(settled));
    this.#accept(parsed);
    return undefined;
  }

  #accept(parsed: Checked<unknown>): void {
    if (parsed.issues) throw new InvalidInputError(parsed.issues, this.flight, parsed.thrown);
    this.input = parsed.value;
  }

  #enter(resolve: Resolve, reject: Reject): void {
    this.#throwIfOver();
    const machine = this.tools.memory.hold(this.request, this.home, this.flight);
    const admitted = this.#admit(machine);
    if (admitted) drive(this.#walk(admitted), resolve, reject);
    else {
      const { place, since, lastError } = machine;
      this.tools.memory.release(machine);
      this.#refuse(reject, exhausted(retryAfter(place, since, this.#now), lastError, this.flight));
    }
  }

  /** `undefined`: it is exhausted, and this trigger is not the probe. */
  #admit(machine: Machine): Admitted | undefined {
    const { memory, events } = this.tools;
    const { generation, place } = machine;
    if (place.state === 'exhausted') {
      memory.move(machine, { type: 'PROBE', due: machine.isDue(this.#now) }, this.#now);
      if (machine.generation === generation) return undefined;
    } else memory.move(machine, EVENTS.TRIGGER, this.#now);
    machine.triggers++;
    const admitted = { machine, generation: machine.generation, life: machine.life };
    const { state, phase, failures } = machine.place;
    if (phase === 'probing' && events.wants('probing')) events.emit('probing', this.flight, { failures });
    if (events.wants('triggered')) {
      events.emit('triggered', this.flight, { state, probe: phase === 'probing' });
      this.#isStale = true;
    }
    return admitted;
  }

  *#walk(admitted: Admitted): Generator<Pending, TriggerResult, void> {
    try {
      for (const step of this.config.plan) {
        let wait: number | undefined = 0;
        for (let attempt = 1; wait !== undefined && !this.#isOver(); attempt++) {
          const turn = this.#turn(step, attempt);
          if (!turn) break;
          if (!turn.outcome) yield turn;
          const { context } = turn;
          const outcome = turn.outcome as Outcome;
          this.#record(admitted, context, outcome);
          if (outcome.kind === 'succeeded') return this.#succeed(admitted, step, outcome.output);
          wait = this.#delay(step, context, outcome, wait);
          if (wait) yield this.#pause(wait);
        }
      }
      throw this.#fail(admitted);
    } finally {
      // A trigger without a verdict leaves its place, if it was the probe, to another.
      if (!this.#hasVerdict) this.#move(admitted, 'ABANDONED');
      this.tools.memory.release(admitted.machine);
      this.flight.end();
    }
  }

  /** An attempt on a provider whose turn it is, under way or over; `undefined`: its `when` says no. */
  #turn({ provider, timeout }: PlannedProvider, number: number): ProviderAttempt | undefined {
    const attempt = new ProviderAttempt(this, provider, number);
    const { context } = attempt;
    const { name, when } = provider;
    const answer = when && number === 1 ? this.#consult('when', when, this.input, context) : YES;
    if (!answer.fault) {
      if (!answer.says) this.attempts.push({ provider: name, attempt: 1, outcome: 'skipped', duration: 0 });
      if (!answer.says || this.#isOver()) return undefined;
      attempt.watch();
    }
    this.#announce(context);
    // A listener may have used up the time, or ended the call: what was announced ends, and is not begun.
    this.#isOver();
    if (answer.fault) attempt.end(failed(answer.fault.error, 'predicate'));
    else if (!attempt.outcome) attempt.begin(timeout, this.#now);
    return attempt;
  }

  #announce({ provider, attempt }: AttemptContext): void {
    const { events } = this.tools;
    if (!events.wants('attempt-started')) return;
    events.emit('attempt-started', this.flight, { provider, attempt });
    this.#isStale = true;
  }

  /** Asks a predicate, which may take its time over the answer. */
  #consult<A extends readonly unknown[]>(name: string, predicate: (...args: A) => unknown, ...args: A): Answer {
    this.#isStale = true;
    return ask(name, predicate, ...args);
  }

  #record(admitted: Admitted, { provider, attempt }: AttemptContext, outcome: Outcome): void {
    const { events, clock } = this.tools;
    const start = this.#now;
    this.#now = clock.now();
    const duration = this.#now - start;
    let record: AttemptRecord;
    if (outcome.kind === 'succeeded') record = { provider, attempt, outcome: outcome.kind, duration };
    else {
      const { kind, error } = outcome;
      const { token } = this.flight;
      record = { provider, attempt, outcome: kind, error, duration };
      if (token !== undefined) discreet(record, token);
      if (kind !== 'aborted') {
        this.#errors.push(error);
        if (this.#isCurrent(admitted)) admitted.machine.lastError = { error, token };
      }
    }
    this.attempts.push(record);
    if (!events.wants('attempt-ended')) return;
    events.emit('attempt-ended', this.flight, record);
    this.#isStale = true;
  }

  /** Milliseconds until the next attempt on this provider; `undefined`: there is none. */
  #delay(
    { provider, retries }: PlannedProvider,
    context: AttemptContext,
    outcome: Failure,
    previous: number,
  ): number | undefined {
    const { error } = outcome;
    const by = outcome.kind === 'failed' ? outcome.by : undefined;
    if (by === 'work') this.#disown(error);
    if (by === 'predicate' || context.attempt > retries || this.flight.interruption) return undefined;
    if (provider.shouldRetry && !this.#heard(this.#consult('shouldRetry', provider.shouldRetry, error, context)))
      return undefined;
    const { random } = this.tools;
    const { backoff } = provider;
    const answer =
      typeof backoff === 'function'
        ? this.#consult('backoff', backoff, context.attempt, error)
        : ask('backoff', () => backoffDelay(backoff, context.attempt, previous, random));
    const wait = this.#heard(answer);
    if (!isDuration(wait)) {
      const expected = `milliseconds from 0 to ${LONGEST}, got ${show(wait)}`;
      if (!answer.fault) this.#heard(fault('backoff', conceal(expected, this.flight.token)));
      return undefined;
    }
    return wait < this.flight.remainingAt(this.#now) ? wait : undefined;
  }

  /** What a predicate said; its fault joins the errors, after that of the attempt. */
  #heard(answer: Answer): unknown {
    if (answer.fault) this.#errors.push(answer.fault.error);
    return answer.says;
  }

  /** An error that is the caller's own is the caller's to have, as it is. */
  #disown(error: unknown): void {
    const { handle } = this.home.definition;
    if (!handle || this.flight.interruption) return;
    const answer = this.#consult('handle', handle, error);
    if (!answer.fault && !answer.says) throw error;
    this.#heard(answer);
  }

  async #pause(ms: number): Promise<void> {
    await this.flight.pause(ms);
    this.#now = this.tools.clock.now();
  }

  #isOver(): boolean {
    if (this.#isStale) this.#now = this.tools.clock.now();
    this.#isStale = false;
    return this.flight.isOver(this.#now);
  }

  #succeed(admitted: Admitted, { provider }: PlannedProvider, output: unknown): TriggerResult {
    const { machine } = admitted;
    const { events } = this.tools;
    if (machine.life === admitted.life) machine.recoveries++;
    this.#move(admitted, 'RECOVERED');
    const { state } = machine.place;
    const duration = this.#now - this.#start;
    if (events.wants('recovered')) events.emit('recovered', this.flight, { state, provider: provider.name, duration });
    return {
      action: 'trigger',
      id: this.flight.id,
      state,
      provider: provider.name,
      output,
      attempts: this.attempts,
      duration,
    };
  }

  #fail(admitted: Admitted): unknown {
    const { events } = this.tools;
    const { interruption } = this.flight;
    if (interruption && interruption.kind !== 'deadline')
      return this.flight.refusal(interruption, undefined, this.#errors);
    if (interruption && !this.#errors.includes(interruption.error)) this.#errors.push(interruption.error);
    const state = this.tools.memory.quietly(() => {
      this.#move(admitted, 'FAILED');
      const { state } = admitted.machine.place;
      if (events.wants('failed')) {
        events.emit('failed', this.flight, { state, errors: [...this.#errors], duration: this.#now - this.#start });
      }
      return state;
    });
    return new FallbackFailedError(this.#errors, this.attempts, state, this.flight);
  }

  /** Before admission: neither an attempt nor a verdict. */
  #throwIfOver(): void {
    if (this.#isOver()) this.flight.throwIfOver(this.#now, this.tools.memory.look(this.request)?.place.state);
  }

  #move(admitted: Admitted, type: 'RECOVERED' | 'FAILED' | 'ABANDONED'): void {
    this.#hasVerdict = true;
    if (this.#isCurrent(admitted)) this.tools.memory.move(admitted.machine, EVENTS[type], this.#now, this.flight);
  }

  /** The outcome of a trigger admitted in an older generation moves no machine; an update may have begun a new one. */
  #isCurrent({ machine, generation }: Admitted): boolean {
    this.tools.memory.catchUp(machine, machine.unit.limitedAt);
    return machine.generation === generation;
  }
}

const YES: Answer = { says: true };

/** Made once: a step's event is looked up, never built. */
const EVENTS = {
  TRIGGER: { type: 'TRIGGER' },
  RECOVERED: { type: 'RECOVERED' },
  FAILED: { type: 'FAILED' },
  ABANDONED: { type: 'ABANDONED' },
} as const;
