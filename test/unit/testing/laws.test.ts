import { describe, expect, it } from 'vitest';
import { DeadlineError, FallbackFailedError, InDoubtError } from '../../../src/index.ts';
import { alwaysRecovers, Broken, type Invariant } from '../../../src/testing/invariants.ts';
import { judge } from '../../../src/testing/laws.ts';
import type { RawProvider } from '../../../src/testing/raw.ts';
import type { Call, Outcome } from '../../../src/testing/simulate.ts';
import type { TraceEntry } from '../../../src/testing/trace.ts';

type Line = string | TraceEntry;
type Case = [what: string, trace: readonly Line[], breach?: string];

const providers: readonly RawProvider[] = [{ name: 'one' }, { name: 'two' }, { name: 'three' }];
const config: Call['config'] = { providers: { one: { retries: 2 }, two: { retries: 1 } } };

/** What came of a history: one entry a line, its time, its type, its provider, #trigger.attempt, and its outcome. */
function outcomeOf(lines: readonly Line[], facts: Partial<Outcome> = {}, limits = config): Outcome {
  const trace = lines.map((line) => {
    if (typeof line !== 'string') return line;
    const [at, type, provider, id, outcome] = line.split(' ');
    const [trigger, attempt] = (id?.slice(1) || undefined)?.split('.').map(Number) ?? [];
    return { at: Number(at), type, provider, trigger, attempt, outcome } as TraceEntry;
  });
  const calls = trace
    .filter(({ type }) => type === 'call')
    .map(({ at, trigger = 0, provider = '', attempt = 0 }) => ({ at, trigger, provider, attempt, config: limits }));
  const definition = { tag: 'x', providers };
  const nothing = { faults: [], unsettled: [], leaks: [], refusedInput: undefined, edges: [] };
  return { trace, calls, definition, ...nothing, answers: [], undoings: [], verdicts: [], ...facts };
}

describe('a history', () => {
  const healthy = ['0 trigger - #1', '0 call one #1.1', '5 ended one #1.1 succeeded', '5 recovered one #1'];
  const crowded = ['0 trigger - #1', '0 trigger - #2', '0 call one #1.1', '0 call one #2.1'];
  const definition = { tag: 'x', providers: [{ name: 'one', concurrency: 1 }, { name: 'two' }] };

  it('breaks nothing where all went well', async () => {
    const outcome = outcomeOf(healthy);
    expect(await judge(outcome, outcome.definition, [alwaysRecovers()])).toBeUndefined();
  });

  it.each<[string, readonly Line[], Partial<Outcome>, breach: string]>([
    ['what its machines did', crowded, { faults: ['law 5: a', 'law 6: b'], unsettled: [2] }, 'law 5: a'],
    ['a trigger that never settled', crowded, { unsettled: [2, 1], leaks: ['a'] }, 'law 1: trigger #2 never settled'],
    [
      'what is left behind',
      crowded,
      { leaks: ['2 timers are left'] },
      'law 9: 2 timers are left with nothing in flight',
    ],
    [
      'the order of its calls',
      [...crowded, '1 call two #3.1', '2 call one #3.1'],
      {},
      'law 2: trigger #3 tried one after two',
    ],
    ['safety', crowded, {}, 'safety 1: 2 attempts on one were under way at once, and 1 are allowed'],
  ])('is judged by the laws before the invariants: %s', async (_, trace, facts, message) => {
    const outcome = outcomeOf(trace, { definition, ...facts });
    const [invariant] = message.split(':');
    expect(await judge(outcome, definition, [{ name: 'no', judge: () => false }])).toEqual({
      invariant,
      message,
      entry: undefined,
    });
  });
});

describe('an invariant', () => {
  const outcome = outcomeOf(['0 trigger - #1', '5 recovered one #1']);
  const [, entry] = outcome.trace;

  it.each<[string, Invariant['judge'], breach?: { message: string; entry: TraceEntry | undefined }]>([
    ['returns nothing', () => undefined],
    ['returns null', () => null],
    ['returns true', () => true],
    ['keeps its promise', async () => 0],
    ['returns false', () => false, { message: 'it returned false', entry: undefined }],
    ['promises false', async () => false, { message: 'it returned false', entry: undefined }],
    [
      'returns an invariant',
      () => alwaysRecovers(),
      { message: 'it returned an invariant: did you mean mine()?', entry: undefined },
    ],
    [
      'returns a function',
      () => () => true,
      { message: 'it returned an invariant: did you mean mine()?', entry: undefined },
    ],
    [
      'says where it broke',
      ([, second]) => Promise.reject(new Broken('too late', second)),
      { message: 'too late', entry },
    ],
    [
      'throws an error of its own, whatever hangs on it',
      () => {
        throw Object.assign(new Error('too much'), { entry });
      },
      { message: 'too much', entry: undefined },
    ],
    ['rejects with a text', () => Promise.reject('too little'), { message: 'too little', entry: undefined }],
  ])('%s', async (_, invariant, breach) => {
    const last = { name: 'last', judge: () => false };
    const expected = breach
      ? { invariant: 'mine', ...breach }
      : { invariant: 'last', message: 'it returned false', entry: undefined };
    expect(await judge(outcome, outcome.definition, [{ name: 'mine', judge: invariant }, last])).toEqual(expected);
  });
});

describe('law 2, the order of providers', () => {
  it.each<Case>([
    [
      'each in its turn',
      ['0 call one #1.1', '1 ended one #1.1', '1 call one #1.2', '2 ended one #1.2', '2 call two #1.1'],
    ],
    ['one left out', ['0 call one #1.1', '1 ended one #1.1', '1 call three #1.1']],
    [
      'one before another',
      ['0 call two #1.1', '1 ended two #1.1', '1 call one #1.1'],
      'law 2: trigger #1 tried one after two',
    ],
    [
      'a retry before its attempt',
      ['0 call one #1.2', '1 ended one #1.2', '1 call one #1.1'],
      'law 2: trigger #1 tried one after one',
    ],
    [
      'an attempt made twice',
      ['0 call one #1.1', '1 ended one #1.1', '1 call one #1.1'],
      'law 2: trigger #1 tried one after one',
    ],
    ['each trigger by itself', ['0 call two #1.1', '0 call one #2.1']],
    [
      'each of them to its end',
      [
        '0 call one #2.1',
        '0 call one #1.1',
        '1 ended one #2.1',
        '1 call two #2.1',
        '2 ended two #2.1',
        '2 call one #2.2',
      ],
      'law 2: trigger #2 tried one after two',
    ],
  ])('%s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace);
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });

  it.each<Case>([
    [
      'it comes first',
      ['0 call two #1.1', '1 ended two #1.1', '1 call two #1.2', '2 ended two #1.2', '2 call one #1.1'],
    ],
    ['it may be left out', ['0 call one #1.1', '1 ended one #1.1', '1 call three #1.1']],
    [
      'it comes after another',
      ['0 call one #1.1', '1 ended one #1.1', '1 call two #1.1'],
      'law 2: trigger #1 tried two after one',
    ],
  ])('with a fallbackProvider: %s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace, {}, { ...config, fallbackProvider: 'two' });
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });

  it('is the same however many attempts a provider may have', async () => {
    const trace = ['0 call one #1.1001', '1 ended one #1.1001', '1 call two #1.1'];
    const outcome = outcomeOf(trace, {}, { providers: { one: { retries: 2_000 } } });
    expect(await judge(outcome, outcome.definition, [])).toBeUndefined();
  });
});

describe('law 2, one attempt at a time', () => {
  const hedging: readonly RawProvider[] = [
    { name: 'one', hedge: 10, idempotent: true },
    { name: 'two', idempotent: true },
    { name: 'three', idempotent: true },
    { name: 'risky', idempotent: false },
    { name: 'unsaid' },
  ];
  const two = 'law 2: trigger #1 had two attempts under way at once';
  const three = 'law 2: trigger #1 had three attempts under way at once';

  it.each<Case>([
    ['one after another', ['0 call one #1.1', '5 ended one #1.1', '5 call two #1.1']],
    ['of different triggers', ['0 call one #1.1', '0 call one #2.1', '0 call two #3.1']],
    ['the end of another', ['0 call two #1.1', '5 ended two #2.1', '5 call three #1.1'], two],
    ['what else is told', ['0 call two #1.1', '5 effect two #1.1', '5 call three #1.1'], two],
    ['a hedge', ['0 call one #1.1', '10 call two #1.1']],
    ['a hedge of a later attempt', ['0 call one #1.1', '5 ended one #1.1', '7 call one #1.2', '17 call two #1.1']],
    ['a hedge too early', ['0 call one #1.1', '9 call two #1.1'], two],
    ['a hedge of a later attempt too early', ['5 call one #1.1', '14 call two #1.1'], two],
    ['its own hedge', ['0 call one #1.1', '10 call one #1.2'], two],
    ['a hedge of one without', ['0 call two #1.1', '10 call three #1.1'], two],
    ['a hedge by one that must not be called twice', ['0 call one #1.1', '10 call risky #1.1'], two],
    ['a hedge by one that says nothing of it', ['0 call one #1.1', '10 call unsaid #1.1'], two],
    [
      'a hedge by the next, the hedge over',
      ['0 call one #1.1', '10 call two #1.1', '15 ended two #1.1', '15 call three #1.1'],
    ],
    ['a hedge beside a hedge', ['0 call one #1.1', '10 call two #1.1', '20 call three #1.1'], three],
  ])('%s', async (_, trace, breach) => {
    const definition = { tag: 'x', providers: hedging };
    expect((await judge(outcomeOf(trace), definition, []))?.message).toBe(breach);
  });

  it.each<Case>([
    ['beside it', ['0 call ghost #1.1', '10 call two #1.1'], two],
    ['as a hedge', ['0 call ghost #1.1', '10 call ghost #1.2'], two],
  ])('knows no more of a provider than the definition: %s', async (_, trace, breach) => {
    const definition = { tag: 'x', providers: hedging };
    expect((await judge(outcomeOf(trace), definition, []))?.message).toBe(breach);
  });

  it('has no place in the order for one that the definition does not know', async () => {
    const definition = { tag: 'x', providers: hedging };
    const outcome = outcomeOf(['0 call one #1.1', '10 call ghost #1.1']);
    expect((await judge(outcome, definition, []))?.message).toBe('law 2: trigger #1 tried ghost after one');
  });
});

describe('law 3, the bounds of a trigger', () => {
  const over = 'law 3: trigger #1 called a provider after it was over';

  it.each<Case>([
    ['its answer', ['0 call one #1.1', '5 ended one #1.1', '5 recovered one #1', '5 call two #1.1'], over],
    ['its failure', ['0 call one #1.1', '5 ended one #1.1', '5 failed - #1', '5 call two #1.1'], over],
    ['its refusal', ['0 refused - #1', '5 call two #1.1'], over],
    ['its rejection', ['0 rejected - #1', '5 call two #1.1'], over],
    ['the end of an attempt', ['0 call one #1.1', '5 ended one #1.1', '5 call two #1.1', '5 recovered two #1']],
    ["another's end", ['0 recovered one #2', '5 call one #1.1']],
  ])('nobody is called after %s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace);
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });

  it.each<Case>([
    ['as many as are allowed', ['0 call one #1.3', '1 ended one #1.3', '1 call two #1.2']],
    ['one more', ['0 call one #1.4'], 'law 3: trigger #1 made attempt 4 on one, and 3 are allowed'],
    ['one more on another', ['0 call two #1.3'], 'law 3: trigger #1 made attempt 3 on two, and 2 are allowed'],
    ['one, where nothing is said of retries', ['0 call three #1.1']],
    ['two, the same', ['0 call three #1.2'], 'law 3: trigger #1 made attempt 2 on three, and 1 are allowed'],
  ])('attempts are counted: %s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace);
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });

  it.each<Case>([
    ['just in time', ['0 trigger - #2', '5 trigger - #1', '14 call one #1.1']],
    [
      'just too late',
      ['0 trigger - #2', '5 trigger - #1', '15 call one #1.1'],
      'law 3: trigger #1 called one after its deadline',
    ],
    ['from the beginning, if its own is not known', ['9 call two #1.1']],
    ['from the beginning, too late', ['10 call two #1.1'], 'law 3: trigger #1 called two after its deadline'],
  ])('its deadline stands: %s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace, {}, { ...config, deadline: 10 });
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });

  it.each<Case>([
    ['an answer', ['0 abort - #1', '1 recovered one #1'], 'law 3: trigger #1 went on after its caller aborted'],
    ['a failure', ['0 abort - #1', '1 failed - #1'], 'law 3: trigger #1 went on after its caller aborted'],
    ["its abort's reason", ['0 abort - #1', '1 rejected - #1']],
    ['a refusal', ['0 abort - #1', '1 refused - #1']],
    ["another's answer", ['0 abort - #2', '1 recovered one #1']],
    ['an answer before it', ['0 recovered one #1', '1 abort - #1']],
  ])('an abort is the end of it, and of nothing else: %s', async (_, trace, breach) => {
    const outcome = outcomeOf(trace);
    expect((await judge(outcome, outcome.definition, []))?.message).toBe(breach);
  });
});

describe('law 10, the errors thrown', () => {
  const [down, slow, late] = [new Error('503'), new Error('too slow'), new DeadlineError(50, { tag: 'x' })];
  const met = (outcome: string, error: unknown, trigger = 1): TraceEntry => ({
    at: 5,
    type: 'ended',
    trigger,
    provider: 'one',
    attempt: 1,
    outcome,
    error,
  });
  const failed = (...errors: unknown[]): TraceEntry => ({
    at: 9,
    type: 'failed',
    trigger: 1,
    error: new FallbackFailedError(errors, [], 'triggered', { tag: 'x' }),
  });
  const inDoubt = (...errors: unknown[]): TraceEntry => ({
    at: 9,
    type: 'failed',
    trigger: 1,
    error: new InDoubtError('one', errors, [], { tag: 'x' }),
  });
  const missing = 'law 10: an error that trigger #1 met is not in the error thrown, or not in order';

  it.each<Case>([
    ['all that was met', [met('failed', down), failed(down)]],
    ['all that was met, and more', [met('failed', down), failed(slow, down)]],
    ['a failure left out', [met('failed', down), failed()], missing],
    ['the first of two left out', [met('failed', down), met('failed', slow), failed(slow)], missing],
    ['the last of two left out', [met('failed', down), met('failed', slow), failed(down)], missing],
    [
      'two in order, and more between',
      [met('failed', down), met('failed', slow), failed(down, new Error('when'), slow)],
    ],
    ['two in another order', [met('failed', down), met('failed', slow), failed(slow, down)], missing],
    ['another in its place', [met('failed', down), failed(new Error('503'))], missing],
    ['a timeout left out', [met('timed-out', slow), failed()], missing],
    ['an attempt that was aborted', [met('aborted', slow), failed()]],
    ['an attempt that succeeded', [met('succeeded', undefined), failed()]],
    ['what was met on the way to a doubt', [met('timed-out', slow), inDoubt(slow)]],
    ['a timeout left out of a doubt', [met('timed-out', slow), inDoubt()], missing],
    [
      'the deadline, which may be told otherwise',
      [met('timed-out', late), failed(new DeadlineError(50, { tag: 'x' }))],
    ],
    ['a failure beside the deadline left out', [met('failed', down), met('timed-out', late), failed(late)], missing],
    ["another trigger's", [met('failed', down, 2), failed()]],
    ['an error of another kind', [met('failed', down), { at: 9, type: 'failed', trigger: 1, error: slow }]],
    [
      'a failure of a fallback within a provider',
      [met('failed', failed(down).error), met('failed', slow), { at: 9, type: 'recovered', trigger: 1 }],
    ],
    [
      'a doubt, which is told apart from the attempt that it is about',
      [{ ...met('timed-out', slow), type: 'in-doubt' }, failed()],
    ],
  ])('%s', async (_, trace, breach) => {
    const definition = { tag: 'x', providers: [{ name: 'two' }] };
    expect((await judge(outcomeOf(trace, { definition }), definition, []))?.message).toBe(breach);
  });
});
