import { type Attempted, attemptOf } from './effects.ts';
import type { RawDefinition, RawProvider } from './raw.ts';
import type { Outcome } from './simulate.ts';
import { json, type Trace, type TraceEntry } from './trace.ts';

/** What the engine owes to those who use the fields of provider safety; each is told with its section of the contract. */
export function* safety(outcome: Outcome): Generator<string> {
  const { trace, definition } = outcome;
  for (const provider of definition.providers) {
    yield* crowd(trace, provider);
    if (provider.breaker && !provider.healthcheck && !definition.handle) yield* rest(trace, provider, definition);
    yield* doubt(trace, provider, definition);
    yield* telling(trace, provider, definition);
    if (provider.compensate !== undefined) yield* compensation(outcome, provider);
    if (definition.retryBudget) yield* budget(trace, provider.name, definition.retryBudget);
  }
  yield* memory(trace, definition);
}

/** Section 1: `concurrency`. */
function* crowd(trace: Trace, { name, concurrency }: RawProvider): Generator<string> {
  if (concurrency === undefined) return;
  const open = new Set<string>();
  for (const entry of trace) {
    if (entry.provider !== name) continue;
    if (entry.type === 'call') open.add(attemptOf(entry));
    if (entry.type === 'ended') open.delete(attemptOf(entry));
    if (open.size > concurrency) {
      yield `safety 1: ${open.size} attempts on ${name} were under way at once, and ${concurrency} are allowed`;
      return;
    }
  }
}

/**
 * Section 1: `breaker`. Only what is beyond doubt is held against the engine: that failures in a row were followed by
 * another attempt within the cooldown, although another provider, known to be well, could be turned to.
 */
function* rest(trace: Trace, { name, breaker, accept }: RawProvider, definition: RawDefinition): Generator<string> {
  const { failures, cooldown } = breaker as NonNullable<RawProvider['breaker']>;
  const others = trace.some(isSwitch)
    ? []
    : definition.providers.filter((other) => other.name !== name && isOpen(other));
  const isJudged = accept !== undefined || definition.output !== undefined;
  const unwell = new Set<string>();
  const hadOthers = new Set<number | undefined>();
  let begun = new Set<string>();
  let [count, since] = [0, Number.NEGATIVE_INFINITY];
  const forget = () => {
    begun = new Set();
    [count, since] = [0, Number.NEGATIVE_INFINITY];
  };
  for (const entry of trace) {
    const { type, provider = '', outcome, at, trigger } = entry;
    if (type === 'evict' || type === 'restart' || type === 'reset' || type === 'update') forget();
    // A snapshot may bring an unhealthy one back, of which nobody hears.
    if (type === 'provider') outcome === 'unhealthy' ? unwell.add(provider) : unwell.delete(provider);
    if (type === 'call' && provider !== name && !unwell.has(provider)) hadOthers.add(trigger);
    if (provider !== name) continue;
    if (type === 'provider' && outcome !== 'unhealthy') forget();
    if (type === 'call') {
      if (at >= since + cooldown) forgetIf(since > Number.NEGATIVE_INFINITY);
      else if (since > Number.NEGATIVE_INFINITY && isForbidden(trigger)) {
        yield `safety 1: trigger #${trigger} called ${name}, which had failed ${failures} times in a row, within its cooldown`;
        return;
      }
      begun.add(attemptOf(entry));
    }
    if (type !== 'ended') continue;
    // Whenever it had begun; the failures of attempts that began when all was otherwise are not sure to count.
    if (outcome === 'succeeded') {
      if (since > Number.NEGATIVE_INFINITY) forget();
      else count = 0;
    }
    if (!begun.has(attemptOf(entry))) continue;
    const isCounted = outcome === 'timed-out' || (outcome === 'failed' && !isJudged);
    if (isCounted && ++count >= failures) {
      begun = new Set();
      [count, since] = [0, at];
    }
  }
  function isForbidden(trigger: number | undefined): boolean {
    return (
      definition.whenAllUnhealthy === 'fail' ||
      hadOthers.has(trigger) ||
      others.some((other) => !unwell.has(other.name))
    );
  }
  function forgetIf(isDue: boolean): void {
    if (isDue) forget();
  }
}

/** Whether nothing but a word by hand keeps a provider from being tried. */
function isOpen({ breaker, healthcheck, concurrency, when, lastGood }: RawProvider): boolean {
  return !(breaker || healthcheck || concurrency || when || lastGood);
}

/** Whether providers may be switched off by it. */
function isSwitch({ type, input }: TraceEntry): boolean {
  return type === 'update' && json(input).includes('"enabled"');
}

/** Section 3: nothing is tried after 'stop', nor after 'verify' before it was asked. */
function* doubt(trace: Trace, { name, inDoubt }: RawProvider, { providers }: RawDefinition): Generator<string> {
  if (inDoubt === undefined || inDoubt === 'next') return;
  const isHedged = providers.some(({ hedge }) => hedge !== undefined);
  const faults = new Map<string, TraceEntry['fault']>();
  const inQuestion = new Map<number | undefined, 'stop' | 'verify' | 'unanswered'>();
  for (const entry of trace) {
    const { type, trigger, provider, outcome, fault } = entry;
    if (type === 'call' && inQuestion.has(trigger)) {
      const why = {
        stop: 'was in doubt',
        verify: 'was in doubt, and not asked',
        unanswered: 'gave no answer to verify',
      };
      yield `safety 3: trigger #${trigger} called ${provider} although ${name} ${why[inQuestion.get(trigger) ?? 'stop']}`;
      return;
    }
    if (provider !== name) continue;
    if (type === 'call') faults.set(attemptOf(entry), fault);
    const isRefused = outcome === 'failed' && faults.get(attemptOf(entry)) === 'invalid';
    const isInDoubt = type === 'in-doubt' && outcome !== 'aborted';
    if (isInDoubt || (type === 'ended' && (outcome === 'timed-out' || isRefused))) inQuestion.set(trigger, inDoubt);
    if (type !== 'verify') continue;
    // Beside a hedge others go on while it is asked.
    if (fault === 'ok' || isHedged) inQuestion.delete(trigger);
    else inQuestion.set(trigger, 'unanswered');
  }
}

/** Section 3: that an attempt is in doubt is told once, for the reason that its end has; and of no other attempt. */
function* telling(
  trace: Trace,
  { name, accept, inDoubtWhen }: RawProvider,
  { output }: RawDefinition,
): Generator<string> {
  // What the user's own functions make of a failure is not known here.
  const mayBe = [json([])];
  if (inDoubtWhen !== undefined) mayBe.push(json(['error']));
  if (accept !== undefined || output !== undefined) mayBe.push(json(['refused']));
  const reasons = new Map<string, unknown[]>();
  const calls = new Map<string, TraceEntry['fault']>();
  const ends = new Map<string, TraceEntry>();
  for (const entry of trace) {
    if (entry.provider !== name) continue;
    const { type, fault, outcome } = entry;
    const attempt = attemptOf(entry);
    if (type === 'call') calls.set(attempt, fault);
    else if (type === 'ended') ends.set(attempt, entry);
    else if (type === 'in-doubt') reasons.set(attempt, [...(reasons.get(attempt) ?? []), outcome]);
  }
  for (const attempt of new Set([...ends.keys(), ...reasons.keys()])) {
    const [trigger, , number] = JSON.parse(attempt);
    const told = reasons.get(attempt) ?? [];
    const outcome = ends.get(attempt)?.outcome;
    // What was never called has done nothing.
    const isCutShort = calls.has(attempt) && (outcome === 'timed-out' || outcome === 'aborted');
    const isRefused = outcome === 'failed' && calls.get(attempt) === 'invalid';
    const due = isCutShort ? [outcome] : isRefused ? ['refused'] : [];
    const isOwn = outcome === 'failed' && !isRefused && mayBe.includes(json(told));
    if (isOwn || json(told) === json(due)) continue;
    yield `safety 3: ${name}, attempt ${number} of trigger #${trigger}, ended as ${outcome}, and was told to be in doubt for ${json(told)}, not ${json(due)}`;
    return;
  }
}

/** Section 3: an effect that is not the answer is undone, once; that of the answer is not. */
function* compensation(outcome: Outcome, { name, idempotent, compensateRetries = 3 }: RawProvider): Generator<string> {
  const { trace, answers, undoings, verdicts } = outcome;
  const effectOf = idempotent ? ({ trigger }: Attempted) => String(trigger) : attemptOf;
  const ofEffects = <T extends Attempted>(list: readonly T[]) => {
    const grouped = new Map<string, T[]>();
    for (const one of list.filter(({ provider }) => provider === name)) {
      grouped.set(effectOf(one), [...(grouped.get(effectOf(one)) ?? []), one]);
    }
    return grouped;
  };
  const [done, undone, told] = [ofEffects(answers), ofEffects(undoings), ofEffects(verdicts)];
  const used = new Set(usedAttempts(trace, name).map(effectOf));
  for (const [effect, [first]] of done) {
    if (!first) continue;
    const what = `the effect of ${name}, attempt ${first.attempt} of trigger #${first.trigger},`;
    const calls = undone.get(effect) ?? [];
    if (used.has(effect)) {
      if (calls.length > 0) yield `safety 3: ${what} is the answer, and was undone`;
      continue;
    }
    if (calls.length === 0) yield `safety 3: ${what} is not the answer, and was never undone`;
    if (calls.length > 1 + compensateRetries) yield `safety 3: ${what} was to be undone ${calls.length} times`;
    if (calls.slice(0, -1).some(({ doneAt }) => doneAt !== undefined)) yield `safety 3: ${what} was undone twice`;
    const wrong = calls.find(({ output }) => !Object.is(output, first.output));
    if (wrong)
      yield `safety 3: ${what} was to be undone with ${json(wrong.output)}, and had given ${json(first.output)}`;
  }
  for (const [effect, [undoing]] of undone) {
    if (!undoing) continue;
    const what = `${name}, attempt ${undoing.attempt} of trigger #${undoing.trigger},`;
    if (!done.has(effect)) yield `safety 3: ${what} never answered, and was undone`;
    const times = told.get(effect)?.length ?? 0;
    if (times !== 1) yield `safety 3: what became of undoing ${what} was told ${times} times`;
  }
}

/** The attempts on a provider whose effect is their trigger's answer. */
function usedAttempts(trace: Trace, name: string): readonly TraceEntry[] {
  const winners = trace.filter(({ type, provider, reused }) => type === 'recovered' && provider === name && !reused);
  return winners.flatMap(({ trigger }) => {
    const mine = trace.filter((entry) => entry.trigger === trigger && entry.provider === name);
    // Where no attempt gave it, the last one asked about had done it.
    const used =
      mine.find(({ type, outcome }) => type === 'ended' && outcome === 'succeeded') ??
      mine.findLast(({ type }) => type === 'verify');
    return used ? [used] : [];
  });
}

/** Section 4: an answer given again was given before, to the same key and an equal input, and not too long ago. */
function* memory(trace: Trace, { providers, reuse, input: schema }: RawDefinition): Generator<string> {
  const inputs = new Map(trace.filter(({ type }) => type === 'trigger').map((entry) => [entry.trigger, entry.input]));
  const answers = trace.filter(({ type }) => type === 'recovered');
  for (const again of answers.filter(({ stale, reused }) => stale ?? reused)) {
    const by = again.reused ? reuse : providers.find(({ name }) => name === again.provider)?.lastGood;
    if (!by) {
      yield `safety 4: trigger #${again.trigger} was given an answer again, which nobody asked for`;
      continue;
    }
    // What a schema makes of an input is not known here.
    const keyOf = (entry: TraceEntry) => {
      const input = inputs.get(entry.trigger);
      return schema ? '' : inOrder(by.key ? by.key(input) : input);
    };
    // A restart forgets all answers. Of those that share a flight any may be told of first.
    const since = trace.slice(0, trace.indexOf(again)).findLastIndex(({ type }) => type === 'restart');
    const isSource = (answer: TraceEntry) => {
      const isFresh = !answer.reused && (!answer.stale || (again.reused === true && answer.at === again.at));
      const isInTime = answer.at <= again.at && answer.at >= again.at - by.maxAge && trace.indexOf(answer) > since;
      return isFresh && isInTime && answer !== again && answer.key === again.key;
    };
    const isSame = (answer: TraceEntry) => Object.is(answer.output, again.output) && keyOf(answer) === keyOf(again);
    if (!answers.some((answer) => isSource(answer) && isSame(answer)))
      yield `safety 4: trigger #${again.trigger} was given an answer again that no equal one had been given within ${by.maxAge} ms`;
  }
}

/** As JSON, the keys of objects in order: equal values have equal texts. */
function inOrder(value: unknown): string {
  try {
    return json(JSON.parse(JSON.stringify(value, sorted)));
  } catch {
    return '';
  }
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Milliseconds over which retries are counted. */
const WINDOW = 10_000;

/** What a sum of fractions may be off by. */
const ROUNDING = 1e-9;

/** Section 5. */
function* budget(
  trace: Trace,
  name: string,
  { ratio, minPerSecond }: NonNullable<RawDefinition['retryBudget']>,
): Generator<string> {
  // The forgotten keys were pushed out by calls that are not told of.
  if (trace.some(({ type }) => type === 'evict')) return;
  const start = trace.findLastIndex(({ type }) => type === 'restart') + 1;
  const calls = trace.slice(start).filter(({ type, provider }) => type === 'call' && provider === name);
  for (const retry of calls.filter(({ attempt = 1 }) => attempt > 1)) {
    const inWindow = calls.filter(({ at }) => at <= retry.at && at >= retry.at - WINDOW);
    const retries = inWindow.slice(0, inWindow.indexOf(retry) + 1).filter(({ attempt = 1 }) => attempt > 1).length;
    const firsts = inWindow.filter(({ attempt }) => attempt === 1).length;
    if (retries > ratio * firsts + (minPerSecond * WINDOW) / 1_000 + ROUNDING) {
      yield `safety 5: ${name} was retried ${retries} times for ${firsts} first attempts within 10 s`;
      return;
    }
  }
}
