import type { Checked } from '../definition/check.ts';
import type { Configuration } from '../definition/config.ts';
import type { Request } from '../definition/request.ts';
import { isThenable, validate } from '../definition/standard.ts';
import { exhausted, InvalidInputError, toldTo } from '../errors.ts';
import type { Given, Shared } from '../memory/answers.ts';
import { type Home, retryAfter } from '../memory/machine.ts';
import { openSession } from '../session.ts';
import type { AttemptRecord, Session, State, TriggerResult } from '../types.ts';
import { Admission } from './admission.ts';
import type { Flight } from './flight.ts';
import type { Walking } from './lanes.ts';
import { ask, YES } from './predicate.ts';
import { ProviderAttempt } from './provider-attempt.ts';
import { type Keys, keysOf, lastGood } from './recollection.ts';
import { rejectLater } from './rejected.ts';
import { led, type Reject, type Resolve, reuseKey } from './sharing.ts';
import type { Tools } from './tools.ts';
import { Walk } from './walk.ts';

/** One trigger: check → admit → walk the plan → settle. */
export class Trigger implements Walking {
  readonly tools: Tools;
  readonly flight: Flight;
  readonly request: Request;
  readonly home: Home;
  readonly start: number;
  /** The configuration it started with. */
  readonly config: Configuration;
  readonly attempts: AttemptRecord[] = [];
  session: Session | undefined = undefined;
  input: unknown;
  /** Made before any provider can change the input. */
  keys: Keys | undefined = undefined;
  state: State = 'idle';
  inDoubt: string | undefined = undefined;
  /** Whether anyone is told more of its answer than the output. */
  isReported = false;
  #isReused = false;

  constructor(tools: Tools, flight: Flight, request: Request, input: unknown, home: Home) {
    this.tools = tools;
    this.flight = flight;
    this.request = request;
    this.input = input;
    this.home = home;
    this.start = flight.now();
    this.config = tools.memory.configuration(request, home);
  }

  run(): Promise<TriggerResult> {
    this.isReported = true;
    return new Promise((resolve, reject) => this.settle((given) => resolve(this.#report(given)), reject));
  }

  /**
   * As {@link run}, for those who need no promise. Nothing is awaited that has not to be: with synchronous checks the first
   * provider is called before this returns. The flight is over before the caller hears of it.
   */
  settle(resolve: Resolve, reject: Reject): void {
    try {
      this.flight.limit(this.config.deadline, this.start);
      this.#throwIfOver();
      const checks = this.#check();
      if (checks) checks.then(() => this.#enter(resolve, reject)).catch((error) => this.#refuse(reject, error));
      else this.#enter(resolve, reject);
    } catch (error) {
      this.#refuse(reject, error);
    }
  }

  #report({ provider, output, stale, age }: Given): TriggerResult {
    const { state, attempts, flight } = this;
    const duration = this.flight.now() - this.start;
    const result: TriggerResult = { action: 'trigger', id: flight.id, state, provider, output, attempts, duration };
    if (!stale && !this.#isReused) return result;
    return { ...result, ...(stale && age !== undefined && { stale, age }), ...(this.#isReused && { reused: true }) };
  }

  #refuse(reject: Reject, error: unknown): void {
    this.flight.end();
    rejectLater(reject, error);
  }

  #check(): Promise<void> | undefined {
    if (this.request.session || this.home.definition.input) this.flight.pass();
    const session = openSession(this.tools.sessions, this.request, this.home.definition.sessionRequired, this.flight);
    if (!isThenable(session)) return this.#parse(session);
    return this.flight.wait(session).then((opened) => (this.flight.interruption ? undefined : this.#parse(opened)));
  }

  #parse(session: Session | undefined): Promise<void> | undefined {
    this.session = session;
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
    const { reuse, remembers } = this.home.definition;
    if (remembers) this.keys ??= keysOf(this);
    const key = reuse && reuseKey(this, reuse);
    if (remembers || reuse) {
      // Functions of the user's have made these.
      this.flight.pass();
      this.#throwIfOver();
    }
    if (key === undefined) this.#proceed(resolve, reject);
    else this.#share(key, resolve, reject);
  }

  /** Gives the answer of an equal trigger, over or under way; or leads those to come. */
  #share(key: string, resolve: Resolve, reject: Reject): void {
    const { home, flight } = this;
    const again = (given: Given): void => {
      flight.end();
      this.state = this.tools.memory.look(this.request)?.place.state ?? 'idle';
      this.#isReused = true;
      resolve(given);
    };
    const kept = home.reused?.find(key, home.definition.reuse?.maxAge ?? 0, this.flight.now());
    const leader = home.shared?.get(key);
    if (kept) again(kept);
    else if (leader) {
      const follow = (outcome: Shared | undefined) => {
        this.flight.pass();
        if (outcome?.error) this.#refuse(reject, toldTo(flight, outcome.error.thrown));
        else if (outcome?.result) again(outcome.result);
        else this.#enter(resolve, reject);
      };
      flight
        .wait(leader)
        .then(follow)
        .catch((error) => this.#refuse(reject, error));
    } else {
      const [resolveAll, rejectAll] = led(this, key, resolve, reject);
      try {
        this.#proceed(resolveAll, rejectAll);
      } catch (error) {
        this.#refuse(rejectAll, error);
      }
    }
  }

  #proceed(resolve: Resolve, reject: Reject): void {
    const { memory, events } = this.tools;
    const machine = memory.hold(this.request, this.home, this.flight);
    if (events.wants('evicted')) this.flight.pass();
    const admission = Admission.of(memory, machine, this.flight);
    if (admission) {
      this.#tell(admission);
      new Walk(this, admission, resolve, reject).go();
    } else {
      const { place, since, lastError } = machine;
      memory.release(machine);
      const faults: unknown[] = [];
      const stale = this.#lastGood(faults);
      if (stale) {
        this.flight.end();
        resolve(stale);
        return;
      }
      this.#refuse(reject, exhausted(retryAfter(place, since, this.flight.now()), lastError, this.flight, faults));
    }
  }

  /** What an exhausted fallback gives rather than refuse, if it has it; what asking for it met joins the faults. */
  #lastGood(faults: unknown[]): Given | undefined {
    if (!this.home.definition.remembers) return undefined;
    for (const step of this.config.plan) {
      const { provider } = step;
      const { kept, fault } = lastGood(this.home, this.keys, provider, this.flight.now());
      if (fault) faults.push(fault.error);
      if (!kept) continue;
      const { name, when } = provider;
      const answer = when ? ask('when', when, this.input, new ProviderAttempt(this, step, 1).context) : YES;
      if (answer.fault) faults.push(answer.fault.error);
      if (!answer.says) continue;
      this.state = 'exhausted';
      this.attempts.push({ provider: name, attempt: 1, outcome: 'succeeded', duration: 0 });
      return { provider: name, output: kept.output, stale: true, age: this.flight.now() - kept.at };
    }
    return undefined;
  }

  #tell({ machine }: Admission): void {
    const { events } = this.tools;
    const { state, phase, failures } = machine.place;
    if (phase === 'probing' && events.wants('probing')) {
      events.emit('probing', this.flight, { failures });
      this.flight.pass();
    }
    if (!events.wants('triggered')) return;
    const { primary } = this.flight;
    events.emit('triggered', this.flight, {
      state,
      probe: phase === 'probing',
      ...(primary && { cause: primary.error }),
    });
    this.flight.pass();
  }

  /** Before admission: neither an attempt nor a verdict. */
  #throwIfOver(): void {
    if (this.flight.isOver()) {
      this.flight.throwIfOver(this.tools.memory.look(this.request)?.place.state);
    }
  }
}
