import { DeadlineError, FallbackFailedError, InDoubtError } from '../index.ts';
import { attemptOf } from './effects.ts';
import { Broken, type Invariant, isInvariant } from './invariants.ts';
import type { RawDefinition, RawProvider } from './raw.ts';
import { safety } from './safety-laws.ts';
import type { Call, Outcome } from './simulate.ts';
import type { Trace, TraceEntry } from './trace.ts';

/** What broke in a history, if anything. */
export interface Breach {
  readonly invariant: string;
  readonly message: string;
  readonly entry: TraceEntry | undefined;
}

/** Judges a history by the engine's laws first, then by the user's own invariants. */
export async function judge(
  outcome: Outcome,
  definition: RawDefinition,
  invariants: readonly Invariant[],
): Promise<Breach | undefined> {
  const fault = [...outcome.faults, ...breaches(outcome, definition), ...safety(outcome)][0];
  if (fault) return { invariant: fault.split(':')[0] as string, message: fault, entry: undefined };
  for (const { name, judge } of invariants) {
    try {
      const verdict = await judge(outcome.trace);
      if (verdict === false) return { invariant: name, message: 'it returned false', entry: undefined };
      if (isInvariant(verdict))
        return { invariant: name, message: `it returned an invariant: did you mean ${name}()?`, entry: undefined };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { invariant: name, message, entry: error instanceof Broken ? error.entry : undefined };
    }
  }
  return undefined;
}

function* breaches({ trace, calls, unsettled, leaks }: Outcome, { providers }: RawDefinition): Generator<string> {
  const names = providers.map(({ name }) => name);
  for (const number of unsettled) yield `law 1: trigger #${number} never settled`;
  for (const leak of leaks) yield `law 9: ${leak} with nothing in flight`;
  const triggers = new Map<number, Call[]>();
  for (const call of calls) triggers.set(call.trigger, [...(triggers.get(call.trigger) ?? []), call]);
  for (const [number, mine] of triggers) {
    yield* order(number, mine, names);
    yield* bounds(number, mine, trace, providers);
  }
  yield* errors(trace);
}

/** Law 2. */
function* order(number: number, calls: readonly Call[], names: readonly string[]): Generator<string> {
  const place = ({ provider, config }: Call) => (provider === config.fallbackProvider ? -1 : names.indexOf(provider));
  for (const [index, call] of calls.entries()) {
    const before = calls[index - 1];
    if (!before || place(before) < place(call)) continue;
    if (place(before) > place(call) || before.attempt >= call.attempt)
      yield `law 2: trigger #${number} tried ${call.provider} after ${before.provider}`;
  }
}

/** Law 3, and that one attempt is over before the next begins, but for a hedge. */
function* bounds(
  number: number,
  calls: readonly Call[],
  trace: Trace,
  providers: readonly RawProvider[],
): Generator<string> {
  const open = new Map<string, TraceEntry>();
  let isOver = false;
  for (const entry of trace) {
    const { type, trigger } = entry;
    if (trigger !== number) continue;
    if (type === 'call') {
      if (isOver) yield `law 3: trigger #${number} called a provider after it was over`;
      if (open.size > 1) yield `law 2: trigger #${number} had three attempts under way at once`;
      else if (open.size > 0 && ![...open.values()].every((other) => mayStandBeside(other, entry, providers)))
        yield `law 2: trigger #${number} had two attempts under way at once`;
      open.set(attemptOf(entry), entry);
    }
    if (type === 'ended') open.delete(attemptOf(entry));
    if (type === 'recovered' || type === 'failed' || type === 'refused' || type === 'rejected') isOver = true;
  }
  const start = trace.find(({ type, trigger }) => type === 'trigger' && trigger === number)?.at ?? 0;
  for (const { provider, attempt, at, config } of calls) {
    const most = 1 + (config.providers[provider]?.retries ?? 0);
    if (attempt > most)
      yield `law 3: trigger #${number} made attempt ${attempt} on ${provider}, and ${most} are allowed`;
    if (config.deadline !== undefined && at >= start + config.deadline)
      yield `law 3: trigger #${number} called ${provider} after its deadline`;
  }
}

/** Whether a call begins as the hedge of another. */
function mayStandBeside(other: TraceEntry, call: TraceEntry, providers: readonly RawProvider[]): boolean {
  const [hedged, next] = [other, call].map(({ provider }) => providers.find(({ name }) => name === provider));
  return (
    hedged?.hedge !== undefined && hedged !== next && next?.idempotent === true && call.at >= other.at + hedged.hedge
  );
}

/** Law 10, and that an abort never falls back. */
function* errors(trace: Trace): Generator<string> {
  const met = new Map<number | undefined, unknown[]>();
  const aborted = new Set<number | undefined>();
  for (const { type, trigger, outcome, error } of trace) {
    if (type === 'ended' && (outcome === 'failed' || outcome === 'timed-out'))
      met.set(trigger, [...(met.get(trigger) ?? []), error]);
    if (type === 'abort') aborted.add(trigger);
    if ((type === 'recovered' || type === 'failed') && aborted.has(trigger))
      yield `law 3: trigger #${trigger} went on after its caller aborted`;
    if (type !== 'failed' || !(error instanceof FallbackFailedError || error instanceof InDoubtError)) continue;
    const told = error.errors.filter((one) => !(one instanceof DeadlineError));
    const due = (met.get(trigger) ?? []).filter((one) => !(one instanceof DeadlineError));
    // Errors of shouldRetry and backoff come between; those of the attempts are all there, in order.
    const theirs = told.filter((one) => due.includes(one));
    if (due.some((one, index) => theirs[index] !== one))
      yield `law 10: an error that trigger #${trigger} met is not in the error thrown, or not in order`;
  }
}
