import { InvalidRequestError } from '../index.ts';
import { standing } from './effects.ts';
import { json, type Trace, type TraceEntry } from './trace.ts';

/** What must hold of every history, besides the engine's laws. */
export interface Invariant {
  readonly name: string;
  /** Neither throws nor returns `false`. May be async. */
  readonly judge: (trace: Trace) => unknown;
  /** Milliseconds by which every trigger must be over. */
  readonly within?: number;
  /** Providers each of which must have been the winner at least once, over all histories. */
  readonly reaches?: readonly string[];
  /** The providers that it is about: a misspelt one would hold for ever. */
  readonly providers?: readonly string[];
}

/** What makes an invariant is none: asked to judge, it would give one, and break nothing. */
export function isInvariant(value: unknown): value is Invariant | Invariant['judge'] {
  return typeof value === 'function' || typeof (value as Partial<Invariant> | undefined | null)?.judge === 'function';
}

/** Thrown by an invariant: what broke it, and where in the trace. */
export class Broken extends Error {
  readonly entry: TraceEntry | undefined;
  constructor(message: string, entry?: TraceEntry) {
    super(message);
    this.entry = entry;
  }
}

/** A bound that nothing can break would hold for ever. */
function refuse(path: string, expected: string, value: unknown): never {
  throw new InvalidRequestError([{ path, message: `${expected}, got ${json(value)}` }]);
}

const ENDS: readonly string[] = ['recovered', 'failed', 'refused', 'rejected'];

/** Every trigger is over that fast, in virtual time. @throws InvalidRequestError for what is no time */
export function settlesWithin(ms: number): Invariant {
  if (!(ms >= 0)) refuse('settlesWithin', 'expected milliseconds of 0 or more', ms);
  return {
    name: `settlesWithin(${ms})`,
    within: ms,
    judge(trace) {
      for (const start of trace.filter(({ type }) => type === 'trigger')) {
        const end = trace.find(({ type, trigger }) => trigger === start.trigger && ENDS.includes(type));
        if (!end) throw new Broken(`trigger #${start.trigger} was not over after ${ms} ms`, start);
        if (end.at - start.at > ms) throw new Broken(`trigger #${start.trigger} took ${end.at - start.at} ms`, end);
      }
    },
  };
}

/**
 * No trigger lands its effect more than once: the double charge. What counts is what stands in the end: not effects that
 * `compensate` has undone, nor repeats on a provider marked `idempotent: true`.
 *
 * @param options `of`: only the effects of these providers count
 */
export function atMostOneEffect({ of }: { readonly of?: readonly string[] } = {}): Invariant {
  return {
    name: 'atMostOneEffect',
    ...(of && { providers: of }),
    judge(trace) {
      const landed = new Map<number | undefined, TraceEntry>();
      for (const entry of standing(trace)) {
        if (of && !of.includes(entry.provider as string)) continue;
        if (landed.has(entry.trigger)) throw new Broken(`second effect of trigger #${entry.trigger}`, entry);
        landed.set(entry.trigger, entry);
      }
    },
  };
}

/** No trigger ever fails, whatever the faults: there is a last resort. */
export function alwaysRecovers(): Invariant {
  return {
    name: 'alwaysRecovers',
    judge(trace) {
      const end = trace.find(({ type }) => type === 'failed' || type === 'refused');
      if (end) throw new Broken(`trigger #${end.trigger} ${end.type}`, end);
    },
  };
}

/** Calls that run something are bounded, per trigger; `value`s do not count. @throws InvalidRequestError for what is no number */
export function attemptsAtMost(n: number): Invariant {
  if (!(n >= 0)) refuse('attemptsAtMost', 'expected a number of 0 or more', n);
  return {
    name: `attemptsAtMost(${n})`,
    judge(trace) {
      const counts = new Map<number | undefined, number>();
      for (const entry of trace.filter(({ type }) => type === 'call')) {
        const count = (counts.get(entry.trigger) ?? 0) + 1;
        counts.set(entry.trigger, count);
        if (count > n) throw new Broken(`attempt ${count} of trigger #${entry.trigger}`, entry);
      }
    },
  };
}

/** Over all histories, each of these providers was the winner at least once. */
export function reaches(...names: readonly string[]): Invariant {
  return { name: `reaches(${names.join(', ')})`, reaches: names, providers: names, judge: () => true };
}

/** That provider is not called while `when(trace)` holds of what has happened so far. */
export function neverCalls(name: string, when: (trace: Trace) => boolean): Invariant {
  return {
    name: `neverCalls(${name})`,
    providers: [name],
    judge(trace) {
      trace.forEach((entry, index) => {
        if (entry.type !== 'call' || entry.provider !== name) return;
        if (when(trace.slice(0, index))) throw new Broken(`${name} is called`, entry);
      });
    },
  };
}
