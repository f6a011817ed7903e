import type { Configuration, PlannedProvider } from '../definition/config.ts';
import type { Request } from '../definition/request.ts';
import type { Kept } from '../memory/answers.ts';
import type { Leave } from '../memory/health.ts';
import type { Home } from '../memory/machine.ts';
import { spelt } from '../quote.ts';
import type { AttemptRecord, Session } from '../types.ts';
import { Attempt, type Outcome, succeeded } from './attempt.ts';
import { compensate } from './compensation.ts';
import { AttemptContext, type Making } from './context.ts';
import type { Flight } from './flight.ts';
import { judge } from './judge.ts';
import type { Tools } from './tools.ts';
import { Verification } from './verification.ts';

/** What all attempts of a trigger have in common. */
export interface Attempted {
  readonly tools: Tools;
  readonly flight: Flight;
  readonly request: Request;
  readonly home: Home;
  readonly config: Configuration;
  readonly session: Session | undefined;
  readonly input: unknown;
  /** Those that are over. */
  readonly attempts: readonly AttemptRecord[];
}

/** An attempt on a provider of the fallback. */
export class ProviderAttempt extends Attempt {
  readonly context: AttemptContext;
  readonly planned: PlannedProvider;
  /** Given back when it is over. */
  leave: Leave | undefined = undefined;
  /** When it began. */
  start = 0;
  /** The question whether it has worked, where that is in doubt. */
  verification: Verification | undefined = undefined;
  /** Its fate is known: it is the answer, or never will be. */
  isOver = false;
  /** Its own, or that of its verification, where it is the answer. */
  output: unknown = undefined;
  /** The last good answer, where that is to be given once more. */
  kept: Kept | undefined = undefined;
  readonly #trigger: Attempted;

  readonly #before: number;

  constructor(trigger: Attempted, planned: PlannedProvider, number: number) {
    super(trigger.flight);
    this.#trigger = trigger;
    this.planned = planned;
    this.#before = trigger.attempts.length;
    this.context = this.#contextOf(this, number);
  }

  get previous(): readonly AttemptRecord[] {
    // They are the trigger's own, which its caller is to get as they were.
    return this.#trigger.attempts.slice(0, this.#before).map((record) => Object.freeze(record));
  }

  /** What is under way of it. */
  get asked(): Attempt {
    return this.verification ?? this;
  }

  /** Makes the question whether it has done its work, which it has not told. */
  verify(): Verification {
    const { flight, input } = this.#trigger;
    const { name, doubts } = this.planned.provider;
    const ask = (attempt: Attempt) => doubts.verify?.(input, this.#viewOf(attempt));
    const judge = (output: unknown) => this.judge(output);
    this.verification = new Verification(flight, name, ask, judge, (output) => this.landed(output));
    return this.verification;
  }

  protected override get who(): string {
    return spelt(this.planned.provider.name);
  }

  protected override work(): unknown {
    return this.kept ? this.kept.output : this.planned.provider.work(this.#trigger.input, this.context);
  }

  protected override judge(output: unknown): Outcome | PromiseLike<Outcome> {
    // What was good once is not judged again: a schema may have made it what it is.
    if (this.kept) return succeeded(output);
    return judge(this.planned.provider, this.#trigger.home.definition.output, output, this.flight.token);
  }

  protected override late(outcome: 'fulfilled' | 'rejected', error: unknown): void {
    const { events } = this.#trigger.tools;
    if (!events.wants('late')) return;
    const { provider, attempt } = this.context;
    events.emit('late', this.flight, { provider, attempt, outcome, ...(outcome === 'rejected' && { error }) });
  }

  protected override undo(output: unknown): void {
    const { tools, flight, input } = this.#trigger;
    const { provider, timeout } = this.planned;
    const { name, doubts, backoff } = provider;
    compensate({
      ...tools,
      of: flight,
      provider: name,
      attempt: this.context.attempt,
      input,
      output,
      retries: doubts.compensateRetries,
      backoff,
      timeout,
      work: (undo) => doubts.compensate?.(output, input, this.#viewOf(undo)),
    });
  }

  /** The same context, with another's signal and time. */
  #viewOf(attempt: Attempt): AttemptContext {
    const { previous } = this;
    const { flight } = attempt;
    return this.#contextOf(
      {
        flight,
        previous,
        get signal() {
          return attempt.signal;
        },
      },
      this.context.attempt,
    );
  }

  #contextOf(making: Making, number: number): AttemptContext {
    const { request, config, session } = this.#trigger;
    return new AttemptContext(making, request, this.planned.provider.name, number, config.values, session);
  }
}
