import type { Configuration } from '../definition/config.ts';
import type { ProviderDefinition } from '../definition/definition.ts';
import type { Request } from '../definition/request.ts';
import type { Events } from '../events.ts';
import type { Home } from '../memory/machine.ts';
import { show } from '../quote.ts';
import type { AttemptRecord, Session } from '../types.ts';
import { Attempt, type Outcome } from './attempt.ts';
import { AttemptContext } from './context.ts';
import type { Flight } from './flight.ts';
import { judge } from './judge.ts';

/** What all attempts of a trigger have in common. */
export interface Attempted {
  readonly tools: { readonly events: Events };
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
  readonly #trigger: Attempted;
  readonly #provider: ProviderDefinition;
  readonly #before: number;

  constructor(trigger: Attempted, provider: ProviderDefinition, number: number) {
    super(trigger.flight);
    this.#trigger = trigger;
    this.#provider = provider;
    this.#before = trigger.attempts.length;
    this.context = new AttemptContext(
      this,
      trigger.request,
      provider.name,
      number,
      trigger.config.values,
      trigger.session,
    );
  }

  get previous(): readonly AttemptRecord[] {
    return this.#trigger.attempts.slice(0, this.#before);
  }

  protected override get who(): string {
    return show(this.#provider.name);
  }

  protected override work(): unknown {
    return this.#provider.work(this.#trigger.input, this.context);
  }

  protected override judge(output: unknown): Outcome | PromiseLike<Outcome> {
    return judge(this.#provider, this.#trigger.home.definition.output, output, this.flight.token);
  }

  protected override late(outcome: 'fulfilled' | 'rejected', error: unknown): void {
    const { events } = this.#trigger.tools;
    if (!events.wants('late')) return;
    const { provider, attempt } = this.context;
    events.emit('late', this.flight, { provider, attempt, outcome, ...(outcome === 'rejected' && { error }) });
  }
}
