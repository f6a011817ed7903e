import type { Context } from '../../../dist/index.js';
import { abandon } from './admission-laws.ts';
import { entered, turn } from './attempt-laws.ts';
import {
  ABORTING,
  BADLY,
  type Behaviour,
  DECLINING,
  Declined,
  Refusable,
  UNACCEPTABLE,
  UNFIT,
  WELL,
} from './behaviours.ts';
import { BAD_BACKOFF, type Call } from './call.ts';
import type { FallbackFacts, ProviderFacts } from './facts.ts';
import { Health } from './health.ts';
import type { Stage } from './stage.ts';

/** All that providers and predicates do, well or badly. */
export class Faults {
  readonly stage: Stage;
  readonly #health: Health;
  /** Who was last asked `shouldRetry`: `backoff` is asked next, and is not told of whom. */
  #waiting: Call | undefined;

  constructor(stage: Stage) {
    this.stage = stage;
    this.#health = new Health(stage);
  }

  /** The work of a provider. */
  run(fallback: FallbackFacts, provider: ProviderFacts, ctx: Context): unknown {
    const call = this.callOf(ctx);
    const attempt = entered(this.stage, call, ctx);
    const { random } = this.stage;
    if (call.abortsOn === 'inside' && random.chance(0.5)) return ABORTING(this.stage, call, attempt, ctx);
    return this.#behaviour(fallback, provider)(this.stage, call, attempt, ctx);
  }

  #behaviour(fallback: FallbackFacts, provider: ProviderFacts): Behaviour {
    const { random } = this.stage;
    if (!random.chance(this.#health.failureRate(provider))) return WELL.draw(random);
    if (fallback.hasHandle && random.chance(0.03)) return DECLINING;
    const isJudged = provider.asksAccept || fallback.output !== undefined;
    if (isJudged && random.chance(0.3)) return provider.asksAccept ? UNACCEPTABLE : UNFIT;
    return BADLY.draw(random);
  }

  /** `when`: mostly yes, at times no, now and then no answer at all. */
  when(ctx: Context): boolean {
    const call = this.callOf(ctx);
    const { random } = this.stage;
    if (random.chance(0.9)) return true;
    if (random.chance(0.2)) throw this.#fault(call);
    turn(this.stage, call, ctx.provider);
    call.isTurnCut = true;
    call.records.push({ provider: ctx.provider, attempt: 1, outcome: 'skipped' });
    return false;
  }

  accept(output: unknown): boolean {
    if (!(output instanceof Refusable)) return true;
    if (!output.fault) return false;
    output.call.fault = { error: output.fault };
    throw output.fault;
  }

  shouldRetry(ctx: Context): boolean {
    const call = this.callOf(ctx);
    this.#waiting = call;
    const { random } = this.stage;
    if (random.chance(0.8)) return true;
    call.isTurnCut = true;
    if (random.chance(0.8)) return false;
    const error = new Error('shouldRetry is broken');
    call.errors.push(error);
    throw error;
  }

  backoff(): number {
    const { random, watch } = this.stage;
    const call = this.#waiting ?? watch.broken('order', 'backoff was asked before shouldRetry');
    call.ownWait = random.between(0, 20);
    if (random.chance(0.9)) return call.ownWait;
    call.isTurnCut = true;
    if (random.chance(0.5)) {
      call.errors.push(BAD_BACKOFF);
      return random.pick([Number.NaN, -1, 2 ** 31, Number.POSITIVE_INFINITY]);
    }
    const error = new Error('backoff is broken');
    call.errors.push(error);
    throw error;
  }

  /** `handle`, of an error of the primary's or of a provider's. */
  handle(error: unknown): boolean {
    if (!(error instanceof Declined)) return true;
    const { calls, random } = this.stage;
    const call = calls.numbered(error.number);
    if (!call) return this.stage.watch.broken('events', 'handle was asked after the call was over');
    if (random.chance(0.1)) {
      const fault = new Error('handle is broken');
      // Asked about the primary, its fault comes before all errors of the providers.
      (call.isAdmitted ? call.errors : call.met).push(fault);
      throw fault;
    }
    call.abortedAt = undefined;
    call.decision = 'disowned';
    call.disowned = error;
    // Thrown on at once: with nothing in between, the machine has let go of it.
    abandon(this.stage, call);
    return false;
  }

  /** Whose context this is. */
  callOf(ctx: Context): Call {
    const call = this.stage.calls.named(ctx.id);
    return call ?? this.stage.watch.broken('ids', `a provider was called for the unknown id ${ctx.id}`);
  }

  #fault(call: Call): Error {
    const error = new Error('when is broken');
    call.fault = { error };
    return error;
  }
}
