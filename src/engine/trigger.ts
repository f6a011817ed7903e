import { type Checked, isDuration, LONGEST } from '../definition/check.ts';
import type { Configuration, PlannedProvider } from '../definition/config.ts';
import type { Request } from '../definition/request.ts';
import { isThenable, validate } from '../definition/standard.ts';
import { FallbackExhaustedError, FallbackFailedError, InvalidInputError } from '../errors.ts';
import type { Events } from '../events.ts';
import { type Home, type Machine, retryAfter } from '../memory/machine.ts';
import type { Machines } from '../memory/machines.ts';

import { conceal, discreet, show } from '../quote.ts';
import { openSession } from '../session.ts';
import type { AttemptRecord, Clock, Session, SessionVerifier, TriggerResult } from '../types.ts';
import { Attempt, type Failure, failed, type Outcome } from './attempt.ts';
import { backoffDelay } from './backoff.ts';
import { AttemptContext } from './context.ts';
import type { Flight } from './flight.ts';
import { judge } from './judge.ts';
import { type Answer, ask, fault } from './predicate.ts';

/** What a trigger works with. */
export interface Tools {
  readonly memory: Machines;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sessions: ReadonlyMap<string, SessionVerifier> | undefined;
}

/** As what a trigger was let in: its outcome counts only in this generation. */
interface Admitted {
  readonly machine: Machine;
  readonly generation: number;
  /** A restore begins another. */
  readonly life: number;
}

/** One trigger: check → admit → walk the plan → settle. */
export class Trigger {
  readonly #tools: Tools;
  readonly #flight: Flight;
  readonly #request: Request;
  readonly #home: Home;
  readonly #start: number;
  /** The configuration it started with. */
  readonly #config: Configuration;
  readonly #attempts: AttemptRecord[] = [];
  readonly #errors: unknown[] = [];
  /** The time last read, and whether anyone has been asked since who may have taken theirs. */
  #now: number;
  #isStale = false;
  #admitted: Admitted | undefined;
  #session: Session | undefined;
  #input: unknown;

  constructor(tools: Tools, flight: Flight, request: Request, home: Home, now: number) {
    this.#tools = tools;
    this.#flight = flight;
    this.#request = request;
    this.#home = home;
    this.#start = this.#now = now;
    this.#config = tools.memory.configuration(request, home);
  }

  /** Nothing is awaited that has not to be: with synchronous checks the first provider is called before this returns. */
  run(): Promise<TriggerResult> {
    this.#flight.limit(this.#config.deadline, this.#start);
    this.#throwIfOver();
    const checks = this.#check();
    return checks ? checks.then(() => this.#walk()) : this.#walk();
  }

  #check(): Promise<void> | undefined {
    this.#isStale = this.#request.session !== undefined || this.#home.definition.input !== undefined;
    const session = openSession(
      this.#tools.sessions,
      this.#request,
      this.#home.definition.sessionRequired,
      this.#flight,
    );
    if (!isThenable(session)) return this.#parse(session);
    return this.#flight.wait(session).then((opened) => (this.#flight.interruption ? undefined : this.#parse(opened)));
  }

  #parse(session: Session | undefined): Promise<void> | undefined {
    this.#session = session;
    this.#input = this.#request.input;
    const { input } = this.#home.definition;
    if (!input) return undefined;
    const parsed = validate(input, this.#input);
    if (isThenable(parsed)) return this.#flight.wait(parsed).then((settled) => settled && this.#accept(settled));
    this.#accept(parsed);
    return undefined;
  }

  #accept(parsed: Checked<unknown>): void {
    if (parsed.issues) throw new InvalidInputError(parsed.issues, this.#flight, parsed.thrown);
    this.#input = parsed.value;
  }

  async #walk(): Promise<TriggerResult> {
    this.#throwIfOver();
    const machine = this.#tools.memory.hold(this.#request, this.#home, this.#flight);
    try {
      const admitted = this.#admit(machine);
      for (const step of this.#config.plan) {
        let wait: number | undefined = 0;
        for (let attempt = 1; wait !== undefined && !this.#isOver(); attempt++) {
          const context = this.#context(step, attempt);
          const turn = attempt === 1 ? this.#ask(step, context) : undefined;
          if (turn === 'skip') break;
          let outcome = turn ?? this.#attempt(step, context);
          if (outcome instanceof Promise) outcome = await outcome;
          this.#record(admitted, context, outcome);
          if (outcome.kind === 'succeeded') return this.#succeed(admitted, step, outcome.output);
          wait = this.#delay(step, context, outcome, wait);
          if (wait) await this.#pause(wait);
        }
      }
      throw this.#fail(admitted);
    } finally {
      // A trigger without a verdict leaves its place, if it was the probe, to another.
      if (this.#admitted) this.#move(this.#admitted, 'ABANDONED');
      this.#tools.memory.release(machine);
    }
  }

  #admit(machine: Machine): Admitted {
    const { memory, events } = this.#tools;
    const { generation, place } = machine;
    if (place.state === 'exhausted') {
      memory.move(machine, { type: 'PROBE', due: machine.isDue(this.#now) }, this.#now);
      if (machine.generation === generation) {
        throw new FallbackExhaustedError(
          retryAfter(place, machine.since, this.#now),
          machine.lastFailure,
          this.#flight,
        );
      }
    } else memory.move(machine, EVENTS.TRIGGER, this.#now);
    machine.triggers++;
    const admitted = { machine, generation: machine.generation, life: machine.life };
    this.#admitted = admitted;
    const { state, phase, failures } = machine.place;
    if (phase === 'probing' && events.wants('probing')) events.emit('probing', this.#flight, { failures });
    if (events.wants('triggered')) {
      events.emit('triggered', this.#flight, { state, probe: phase === 'probing' });
      this.#isStale = true;
    }
    return admitted;
  }

  #context({ provider }: PlannedProvider, attempt: number): AttemptContext {
    const { values } = this.#config;
    return new AttemptContext(
      this.#flight,
      this.#request,
      provider.name,
      attempt,
      values,
      this.#session,
      this.#attempts,
    );
  }

  /** Whether it is this provider's turn at all. A fault of its `when` is the outcome of its turn. */
  #ask({ provider }: PlannedProvider, context: AttemptContext): 'skip' | Outcome | undefined {
    if (!provider.when) return undefined;
    const answer = this.#consult('when', provider.when, this.#input, context);
    if (answer.fault) {
      this.#announce(context);
      return failed(answer.fault.error, 'predicate');
    }
    if (answer.says && !this.#isOver()) return undefined;
    if (!answer.says) this.#attempts.push({ provider: provider.name, attempt: 1, outcome: 'skipped', duration: 0 });
    return 'skip';
  }

  #attempt({ provider, timeout }: PlannedProvider, context: AttemptContext): Outcome | Promise<Outcome> {
    const late = (outcome: 'fulfilled' | 'rejected', error: unknown) => this.#late(context, outcome, error);
    const attempt = new Attempt(this.#flight, context, provider.name, late);
    // A listener may have used up the time, or ended the call: what was announced ends, and is not begun.
    this.#announce(context);
    this.#isOver();
    if (attempt.outcome) return attempt.outcome;
    let result: unknown;
    try {
      result = provider.work(this.#input, context);
    } catch (error) {
      return attempt.end(failed(error));
    }
    const schema = this.#home.definition.output;
    const { token } = this.#flight;
    return attempt.settle(result, (output) => judge(provider, schema, output, token), timeout, this.#now);
  }

  #announce({ provider, attempt }: AttemptContext): void {
    const { events } = this.#tools;
    if (!events.wants('attempt-started')) return;
    events.emit('attempt-started', this.#flight, { provider, attempt });
    this.#isStale = true;
  }

  /** Asks a predicate, which may take its time over the answer. */
  #consult<A extends readonly unknown[]>(name: string, predicate: (...args: A) => unknown, ...args: A): Answer {
    this.#isStale = true;
    return ask(name, predicate, ...args);
  }

  #record(admitted: Admitted, { provider, attempt }: AttemptContext, outcome: Outcome): void {
    const { events, clock } = this.#tools;
    const start = this.#now;
    this.#now = clock.now();
    const duration = this.#now - start;
    let record: AttemptRecord;
    if (outcome.kind === 'succeeded') record = { provider, attempt, outcome: outcome.kind, duration };
    else {
      const { kind, error } = outcome;
      const { token } = this.#flight;
      record = { provider, attempt, outcome: kind, error, duration };
      if (token !== undefined) discreet(record, token);
      if (kind !== 'aborted') {
        this.#errors.push(error);
        if (this.#isCurrent(admitted)) admitted.machine.lastFailure = Object.freeze(record);
      }
    }
    this.#attempts.push(record);
    if (!events.wants('attempt-ended')) return;
    events.emit('attempt-ended', this.#flight, record);
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
    if (by === 'predicate' || context.attempt > retries || this.#flight.interruption) return undefined;
    if (provider.shouldRetry && !this.#heard(this.#consult('shouldRetry', provider.shouldRetry, error, context)))
      return undefined;
    const { random } = this.#tools;
    const { backoff } = provider;
    const answer =
      typeof backoff === 'function'
        ? this.#consult('backoff', backoff, context.attempt, error)
        : ask('backoff', () => backoffDelay(backoff, context.attempt, previous, random));
    const wait = this.#heard(answer);
    if (!isDuration(wait)) {
      const expected = `milliseconds from 0 to ${LONGEST}, got ${show(wait)}`;
      if (!answer.fault) this.#heard(fault('backoff', conceal(expected, this.#flight.token)));
      return undefined;
    }
    return wait < this.#flight.remainingAt(this.#now) ? wait : undefined;
  }

  /** What a predicate said; its fault joins the errors, after that of the attempt. */
  #heard(answer: Answer): unknown {
    if (answer.fault) this.#errors.push(answer.fault.error);
    return answer.says;
  }

  /** An error that is the caller's own is the caller's to have, as it is. */
  #disown(error: unknown): void {
    const { handle } = this.#home.definition;
    if (!handle || this.#flight.interruption) return;
    const answer = this.#consult('handle', handle, error);
    if (!answer.fault && !answer.says) throw error;
    this.#heard(answer);
  }

  async #pause(ms: number): Promise<void> {
    await this.#flight.pause(ms);
    this.#now = this.#tools.clock.now();
  }

  #isOver(): boolean {
    if (this.#isStale) this.#now = this.#tools.clock.now();
    this.#isStale = false;
    return this.#flight.isOver(this.#now);
  }

  #succeed(admitted: Admitted, { provider }: PlannedProvider, output: unknown): TriggerResult {
    const { machine } = admitted;
    const { events } = this.#tools;
    if (machine.life === admitted.life) machine.recoveries++;
    this.#move(admitted, 'RECOVERED');
    const { state } = machine.place;
    const duration = this.#now - this.#start;
    if (events.wants('recovered')) events.emit('recovered', this.#flight, { state, provider: provider.name, duration });
    return {
      action: 'trigger',
      id: this.#flight.id,
      state,
      provider: provider.name,
      output,
      attempts: this.#attempts,
      duration,
    };
  }

  #fail(admitted: Admitted): unknown {
    const { events } = this.#tools;
    const { interruption } = this.#flight;
    if (interruption && interruption.kind !== 'deadline')
      return this.#flight.refusal(interruption, undefined, this.#errors);
    if (interruption && !this.#errors.includes(interruption.error)) this.#errors.push(interruption.error);
    const state = this.#tools.memory.quietly(() => {
      this.#move(admitted, 'FAILED');
      const { state } = admitted.machine.place;
      if (events.wants('failed')) {
        events.emit('failed', this.#flight, { state, errors: [...this.#errors], duration: this.#now - this.#start });
      }
      return state;
    });
    return new FallbackFailedError(this.#errors, this.#attempts, state, this.#flight);
  }

  /** Before admission: neither an attempt nor a verdict. */
  #throwIfOver(): void {
    if (this.#isOver()) this.#flight.throwIfOver(this.#now, this.#tools.memory.look(this.#request)?.place.state);
  }

  #move(admitted: Admitted, type: 'RECOVERED' | 'FAILED' | 'ABANDONED'): void {
    if (this.#isCurrent(admitted)) this.#tools.memory.move(admitted.machine, EVENTS[type], this.#now, this.#flight);
  }

  /** The outcome of a trigger admitted in an older generation moves no machine; an update may have begun a new one. */
  #isCurrent({ machine, generation }: Admitted): boolean {
    this.#tools.memory.catchUp(machine, machine.unit.limitedAt);
    return machine.generation === generation;
  }

  #late({ provider, attempt }: AttemptContext, outcome: 'fulfilled' | 'rejected', error: unknown): void {
    const { events } = this.#tools;
    if (!events.wants('late')) return;
    events.emit('late', this.#flight, { provider, attempt, outcome, ...(outcome === 'rejected' && { error }) });
  }
}

/** Made once: a step's event is looked up, never built. */
const EVENTS = {
  TRIGGER: { type: 'TRIGGER' },
  RECOVERED: { type: 'RECOVERED' },
  FAILED: { type: 'FAILED' },
  ABANDONED: { type: 'ABANDONED' },
} as const;
