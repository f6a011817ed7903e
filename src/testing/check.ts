import fc from 'fast-check';
import type { Fallback } from '../index.ts';
import { type History, histories, minimal } from './history.ts';
import { type Breach, judge } from './laws.ts';
import { type CheckOptions, prepare } from './options.ts';
import { type Create, type Outcome, simulate } from './simulate.ts';
import { FAULTS, type Trace, type TraceEntry, timeline } from './trace.ts';

/** What was really explored. */
export interface Report {
  readonly runs: number;
  /** How often each state was entered. */
  readonly states: Readonly<Record<string, number>>;
  /** How often each edge of the machine was taken. */
  readonly transitions: Readonly<Record<string, number>>;
  /** How often each provider was the winner; 0 for one that never was. */
  readonly winners: Readonly<Record<string, number>>;
  /** How often each fault was met. */
  readonly faults: Readonly<Record<string, number>>;
  /** Faults that no way was found to make: `provider: fault`. */
  readonly leftOut: readonly string[];
  /** The longest trigger, in virtual milliseconds. */
  readonly longest: number;
}

/** A history that breaks a promise: the shortest that was found, of which no part can be spared. */
export class PolicyViolation extends Error {
  override readonly name = 'PolicyViolation';
  /** What broke: one of the invariants, or a law of the engine. */
  readonly invariant: string;
  /** The history as a person reads it. */
  readonly timeline: string;
  readonly trace: Trace;
  readonly seed: number;
  readonly path: string;
  /** How many histories were tried. */
  readonly runs: number;

  constructor(
    breach: Breach,
    outcome: Outcome,
    { seed, path, runs, shrunk }: { seed: number; path: string; runs: number; shrunk: number },
  ) {
    const marks = new Map<TraceEntry, string>(breach.entry ? [[breach.entry, breach.message]] : []);
    const lines = timeline(outcome.trace, marks);
    const after = `after ${inWords(runs)} (shrunk ${shrunk} times)`;
    const why = breach.entry ? '' : `${breach.message}\n`;
    super(
      `${breach.invariant} broke ${after}\nreplay with { seed: ${seed}, ${path === '' ? `runs: ${runs}` : `path: "${path}"`} }\n${why}\n${lines}`,
    );
    this.invariant = breach.invariant;
    this.timeline = lines;
    this.trace = outcome.trace;
    this.seed = seed;
    this.path = path;
    this.runs = runs;
  }
}

/**
 * Searches for a history of faults, delays, aborts, updates and restarts that breaks a fallback's promises. The definition
 * is the real one; only what its providers would do to the world is replaced. Time is virtual. Works under any test runner.
 *
 * @returns what was explored, once every history has kept every promise
 * @throws PolicyViolation with the shortest history found that breaks one
 * @throws InvalidRequestError for options that cannot work, with how to mend them
 * @example
 * test('payment-failure keeps its promises', () =>
 *   checkFallback(paymentFailure, {
 *     input: fc.record({ orderId: fc.uuid(), reason: fc.constant('gateway_timeout') }),
 *     invariants: [settlesWithin(5_000), atMostOneEffect()],
 *   }));
 */
export function checkFallback(definition: Fallback, options: CheckOptions): Promise<Report> {
  return search(definition, options);
}

/** {@link checkFallback} on an engine that may be another. */
export async function search(definition: Fallback, options: CheckOptions, create?: Create): Promise<Report> {
  const { play, stage, invariants, names, runs, seed, path, leftOut } = await prepare(definition, options, create);
  const tally = new Tally(names, leftOut);
  const breachOf = async (history: History) => {
    const outcome = await simulate(play, history);
    if (outcome.refusedInput) throw outcome.refusedInput;
    return { outcome, breach: await judge(outcome, play.definition, invariants) };
  };
  let isSearching = true;
  let fatal: { readonly error: unknown } | undefined;
  const property = fc.asyncProperty(histories(stage), async (history) => {
    try {
      const { outcome, breach } = await breachOf(history);
      if (breach) isSearching = false;
      else if (isSearching) tally.add(outcome);
      return breach === undefined;
    } catch (error) {
      fatal ??= { error };
      return false;
    }
  });
  const details = await fc.check(property, {
    numRuns: runs,
    ...(seed !== undefined && { seed }),
    ...(path !== undefined && { path }),
  });
  if (fatal) throw (fatal as { readonly error: unknown }).error;
  if (details.counterexample) {
    const [found] = details.counterexample;
    const again = async (history: History) => {
      const { outcome, breach } = await breachOf(history);
      if (breach) return { outcome, breach };
      throw new Error(
        `A history of ${play.tag} broke a promise, and kept it when it was played again: does an invariant, or the policy, depend on more than the history?`,
      );
    };
    const { breach: first } = await again(found);
    const history = await minimal(
      found,
      async (candidate) => (await breachOf(candidate)).breach?.invariant === first.invariant,
    );
    const { outcome, breach } = await again(history);
    const where = {
      seed: details.seed,
      path: details.counterexamplePath as string,
      runs: details.numRuns,
      shrunk: details.numShrinks,
    };
    throw new PolicyViolation(breach, outcome, where);
  }
  const report = tally.report();
  for (const { name, reaches = [] } of invariants) {
    const missed = reaches.filter((provider) => !report.winners[provider]);
    if (missed.length === 0) continue;
    const message = `${missed.join(', ')} never won in ${inWords(report.runs)}`;
    const nothing = { trace: [] } as unknown as Outcome;
    throw new PolicyViolation({ invariant: name, message, entry: undefined }, nothing, {
      seed: details.seed,
      path: '',
      runs: report.runs,
      shrunk: 0,
    });
  }
  if (tally.calls === 0) {
    throw new Error(
      `No provider of ${play.tag} was ever called in ${inWords(report.runs)}: nothing was checked. Do its inputs, and its session, pass every \`when\`?`,
    );
  }
  return report;
}

function inWords(runs: number): string {
  return runs === 1 ? '1 history' : `${runs} histories`;
}

class Tally {
  readonly #states: Record<string, number> = { idle: 0, triggered: 0, exhausted: 0 };
  readonly #transitions: Record<string, number> = {};
  readonly #winners: Record<string, number>;
  readonly #faults: Record<string, number> = Object.fromEntries(FAULTS.map((fault) => [fault, 0]));
  readonly #leftOut: readonly string[];
  #runs = 0;
  #longest = 0;
  calls = 0;

  constructor(names: readonly string[], leftOut: readonly string[]) {
    this.#winners = Object.fromEntries(names.map((name) => [name, 0]));
    this.#leftOut = leftOut;
  }

  add({ trace, edges, calls }: Outcome): void {
    this.#runs++;
    this.calls += calls.length;
    for (const edge of edges) count(this.#transitions, edge);
    const starts = new Map<number | undefined, number>();
    for (const { type, trigger, at, state, provider, fault } of trace) {
      if (type === 'trigger') starts.set(trigger, at);
      else if (type === 'state') count(this.#states, state);
      else if (type === 'call') count(this.#faults, fault);
      else if (type === 'recovered' || type === 'failed' || type === 'refused' || type === 'rejected') {
        if (type === 'recovered') count(this.#winners, provider);
        this.#longest = Math.max(this.#longest, at - (starts.get(trigger) ?? at));
      }
    }
  }

  report(): Report {
    return {
      runs: this.#runs,
      states: this.#states,
      transitions: this.#transitions,
      winners: this.#winners,
      faults: this.#faults,
      leftOut: this.#leftOut,
      longest: this.#longest,
    };
  }
}

function count(counts: Record<string, number>, name: string | undefined): void {
  if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
}
