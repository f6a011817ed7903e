import type { Clock, FallbackEvent } from '../index.ts';
import { behave } from './behave.ts';
import type { CallContext } from './cast.ts';
import { attemptOf, standing } from './effects.ts';
import type { Aftercare, Fault, Faults, HealthAnswer } from './history.ts';
import { after } from './script.ts';
import type { Trace, TraceEntry, TraceType } from './trace.ts';

/** An attempt, and what its provider has told of it: `output` is what it answered, or was asked to undo. */
export interface Told {
  readonly trigger: number;
  readonly provider: string;
  readonly attempt: number;
  readonly output: unknown;
}

/** A call of `compensate`, and whether it was over in time. */
export interface Undoing extends Told {
  /** It has answered, at this moment, and not after it was given up on. */
  doneAt: number | undefined;
}

/** What the engine said has become of an effect to be undone. */
export interface Verdict {
  readonly type: 'compensated' | 'compensation-failed';
  readonly trigger: number;
  readonly provider: string;
  readonly attempt: number;
}

interface Surroundings {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly limitOf: (provider: string) => number;
  readonly usualOf: (provider: string) => unknown;
  readonly triggerOf: (
    id: string,
  ) =>
    | { readonly number: number; readonly key: number; readonly aftermath?: Partial<Record<Aftercare, Faults>> }
    | undefined;
  readonly note: (type: TraceType, facts: Omit<Partial<TraceEntry>, 'key' | 'state'> & { key?: number }) => void;
}

const WELL: Fault = { kind: 'ok', delay: 0, output: undefined };

/** What comes after a call: whether it has worked is asked, its effect undone; and beside all calls, how providers are. */
export class Aftermath {
  readonly #world: Surroundings;
  readonly #health = new Map<string, HealthAnswer>();
  readonly #asked = new Map<string, number>();
  readonly answers: Told[] = [];
  readonly undoings: Undoing[] = [];
  readonly verdicts: Verdict[] = [];

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** How many effects are being undone now. */
  get open(): number {
    const begun = new Set(this.undoings.map(attemptOf));
    for (const verdict of this.verdicts) begun.delete(attemptOf(verdict));
    return begun.size;
  }

  /** Knows the truth: whether an effect of that trigger, on that provider, stands. */
  verify(provider: string, { id, attempt, signal }: CallContext): unknown {
    const { triggerOf, trace, note, usualOf } = this.#world;
    const trigger = triggerOf(id);
    if (!trigger) return { done: false };
    const { number, key } = trigger;
    const fault = this.#next('verify', JSON.stringify([number, provider]), trigger.aftermath?.verify?.[provider]);
    const done = standing(trace).some((effect) => effect.trigger === number && effect.provider === provider);
    const about = { trigger: number, key, provider, attempt, fault: fault.kind };
    note('verify', { ...about, outcome: done ? 'it was done' : 'it was not done' });
    const output = done ? { done, output: usualOf(provider) } : { done };
    return this.#behave(provider, { ...fault, output }, signal, () => {});
  }

  /** Undoes the effect; once more does no harm. */
  compensate(provider: string, output: unknown, { id, attempt, signal }: CallContext): unknown {
    const { triggerOf, clock, note } = this.#world;
    const trigger = triggerOf(id);
    if (!trigger) return undefined;
    const { number, key } = trigger;
    const about = { trigger: number, provider, attempt };
    const fault = this.#next('compensate', attemptOf(about), trigger.aftermath?.compensate?.[provider]);
    const undoing: Undoing = { ...about, output, doneAt: undefined };
    const isFirst = () => !this.#world.trace.some((e) => e.type === 'compensated' && attemptOf(e) === attemptOf(about));
    this.undoings.push(undoing);
    note('compensate', { ...about, key, fault: fault.kind });
    const undo = () => {
      if (isFirst()) note('compensated', { ...about, key });
    };
    const result = this.#behave(provider, fault, signal, undo);
    whenDone(result, () => {
      if (!signal.aborted) undoing.doneAt = clock.now();
    });
    return result;
  }

  /** Says how the provider is. */
  check(provider: string, signal: AbortSignal): unknown {
    const answer = this.#health.get(provider) ?? 'well';
    this.#world.note('check', { provider, outcome: answer });
    if (answer === 'throw') throw new Error('the check broke');
    return answer === 'hang' ? after(this.#world.clock, undefined, signal) : answer === 'well';
  }

  say(provider: string, answer: HealthAnswer): void {
    this.#health.set(provider, answer);
    this.#world.note('health', { provider, outcome: answer });
  }

  /** A call has answered, early or late. */
  answered(told: Omit<Told, 'output'>, result: unknown): void {
    whenDone(result, (output) => this.answers.push({ ...told, output }));
  }

  /** @returns whether this is all that the event is about */
  hear(event: FallbackEvent, number: number, key: number): boolean {
    const { note } = this.#world;
    switch (event.type) {
      case 'provider-unhealthy':
      case 'provider-probing':
      case 'provider-healthy':
        note('provider', { provider: event.provider, outcome: event.type.slice('provider-'.length) });
        return true;
      case 'in-doubt': {
        const { provider, attempt, because, error } = event;
        if (number > 0) note('in-doubt', { trigger: number, key, provider, attempt, outcome: because, error });
        return true;
      }
      case 'compensated':
      case 'compensation-failed': {
        const { type, provider, attempt } = event;
        if (number > 0) this.verdicts.push({ type, trigger: number, provider, attempt });
        if (number > 0 && type === 'compensation-failed') note(type, { trigger: number, key, provider, attempt });
        return true;
      }
      default:
        return false;
    }
  }

  #next(of: Aftercare, whom: string, faults: readonly Fault[] = []): Fault {
    const asked = this.#asked.get(of + whom) ?? 0;
    this.#asked.set(of + whom, asked + 1);
    return faults[asked] ?? WELL;
  }

  #behave(provider: string, fault: Fault, signal: AbortSignal, land: () => void): unknown {
    const { clock, limitOf } = this.#world;
    return behave(fault, { clock, signal, limit: limitOf(provider), invalid: undefined, land });
  }
}

function whenDone(result: unknown, done: (value: unknown) => void): void {
  if (result instanceof Promise) result.then(done, () => {});
  else done(result);
}
