import { describe, expect, it } from 'vitest';
import type { StandardSchema } from '../../../src/index.ts';
import type { RawDefinition, RawProvider } from '../../../src/testing/raw.ts';
import { safety } from '../../../src/testing/safety-laws.ts';
import type { Outcome } from '../../../src/testing/simulate.ts';
import type { TraceEntry } from '../../../src/testing/trace.ts';

type Facts = Partial<Omit<Outcome, 'trace' | 'definition'>>;
type Line = string | TraceEntry;
type Case = [what: string, definition: Partial<RawDefinition>, trace: readonly Line[], told?: string];

/**
 * What the laws tell of a history. One entry a line: its time, its type, its provider, #trigger.attempt, and in the end
 * what a call or a question is going to do, or how another thing ended.
 */
function told(definition: Partial<RawDefinition>, lines: readonly Line[], facts: Facts = {}): string[] {
  const trace = lines.map((line) => {
    if (typeof line !== 'string') return line;
    const [at, type, provider, id, what] = line.split(' ');
    const [trigger, attempt] = (id?.slice(1) || undefined)?.split('.').map(Number) ?? [];
    const isPlan = type === 'call' || type === 'verify';
    return { at: Number(at), type, provider, trigger, attempt, [isPlan ? 'fault' : 'outcome']: what } as TraceEntry;
  });
  const nothing = { calls: [], faults: [], unsettled: [], leaks: [], refusedInput: undefined, edges: [] };
  const none = { ...nothing, answers: [], undoings: [], verdicts: [], ...facts };
  return [...safety({ ...none, trace, definition: { tag: 'x', providers: [], ...definition } })];
}

const schema = {} as StandardSchema;
const works = () => true;

describe('concurrency', () => {
  const alone: Partial<RawDefinition> = { providers: [{ name: 'one', concurrency: 1 }, { name: 'two' }] };
  const pair: Partial<RawDefinition> = { providers: [{ name: 'one', concurrency: 2 }] };

  it.each<Case>([
    [
      'is broken by one attempt too many',
      alone,
      ['0 call one #1.1 ok', '1 call one #2.1 ok'],
      'safety 1: 2 attempts on one were under way at once, and 1 are allowed',
    ],
    [
      'is told of once, whatever follows',
      pair,
      ['0 call one #1.1 ok', '0 call one #2.1 ok', '0 call one #3.1 ok', '0 call one #4.1 ok'],
      'safety 1: 3 attempts on one were under way at once, and 2 are allowed',
    ],
    [
      'is kept by as many as are allowed, one after another',
      alone,
      ['0 call one #1.1 ok', '1 ended one #1.1 succeeded', '1 call one #2.1 ok', '2 ended one #2.1 succeeded'],
    ],
    [
      'knows attempts by their trigger and number',
      pair,
      ['0 call one #1.1 ok', '1 ended one #1.1 failed', '1 call one #1.2 ok', '1 call one #2.1 ok'],
    ],
    ['does not count those on others', alone, ['0 call one #1.1 ok', '0 call two #2.1 ok', '0 call two #3.1 ok']],
    [
      'does not count what comes after an attempt',
      alone,
      ['0 call one #1.1 ok', '1 ended one #1.1 failed', '2 effect one #1.1', '3 call one #2.1 ok'],
    ],
    ['is not asked for by all', { providers: [{ name: 'one' }] }, ['0 call one #1.1 ok', '1 call one #2.1 ok']],
  ])('%s', (_, definition, trace, message) => expect(told(definition, trace)).toEqual(message ? [message] : []));
});

describe('a breaker', () => {
  const one = { name: 'one', breaker: { failures: 2, cooldown: 100 } };
  const brittle = { name: 'one', breaker: { failures: 1, cooldown: 100 } };
  const two = { name: 'two' };
  const guarded = { name: 'two', breaker: { failures: 9, cooldown: 1 } };
  const both = { providers: [one, two] };
  const first = ['0 call one #1.1 reject', '5 ended one #1.1 failed'];
  const second = ['6 call one #2.1 reject', '10 ended one #2.1 failed'];
  const failing = [...first, ...second];
  const again = (trigger: number) =>
    `safety 1: trigger #${trigger} called one, which had failed 2 times in a row, within its cooldown`;
  const atOnce = (trigger: number) =>
    `safety 1: trigger #${trigger} called one, which had failed 1 times in a row, within its cooldown`;

  it.each<Case>([
    ['lets nobody through at once', both, [...failing, '10 call one #3.1 ok'], again(3)],
    ['lets nobody through just before its cooldown is over', both, [...failing, '109 call one #3.1 ok'], again(3)],
    ['lets one through when its cooldown is over', both, [...failing, '110 call one #3.1 ok']],
    ['is told of once', both, [...failing, '11 call one #3.1 ok', '12 call one #4.1 ok'], again(3)],
    ['lets one through after one failure less', both, [...first, '5 call one #2.1 ok']],
    [
      'counts what timed out',
      both,
      [
        ...first,
        '6 call one #2.1 hang',
        '10 ended one #2.1 timed-out',
        '10 in-doubt one #2.1 timed-out',
        '11 call one #3.1 ok',
      ],
      again(3),
    ],
    [
      'counts what timed out once, though it is told of twice',
      both,
      ['0 call one #1.1 hang', '5 ended one #1.1 timed-out', '5 in-doubt one #1.1 timed-out', '6 call one #2.1 ok'],
    ],
    [
      'does not count what was aborted',
      both,
      [
        ...first,
        '6 call one #2.1 hang',
        '10 ended one #2.1 aborted',
        '10 in-doubt one #2.1 aborted',
        '11 call one #3.1 ok',
      ],
    ],
    [
      'counts only failures in a row',
      both,
      [
        ...first,
        '6 call one #2.1 ok',
        '6 ended one #2.1 succeeded',
        '7 call one #3.1 reject',
        '8 ended one #3.1 failed',
        '9 call one #4.1 ok',
      ],
    ],
    [
      'does not count the failures of others',
      both,
      [
        '0 call two #1.1 reject',
        '1 ended two #1.1 failed',
        '2 call two #2.1 reject',
        '3 ended two #2.1 failed',
        ...first,
        '6 call one #3.1 ok',
      ],
    ],
  ])('%s', (_, definition, trace, message) => expect(told(definition, trace)).toEqual(message ? [message] : []));

  it.each<Case>([
    ['an accept of its own', { providers: [{ ...one, accept: works }, two] }, failing],
    ['a schema of outputs', { ...both, output: schema }, failing],
  ])('may forgive a failure where the user judges outputs: %s', (_, definition, trace) => {
    expect(told(definition, [...trace, '11 call one #3.1 ok'])).toEqual([]);
  });

  it('counts a timeout even where the user judges outputs', () => {
    const trace = ['0 call one #1.1 hang', '5 ended one #1.1 timed-out', '5 in-doubt one #1.1 timed-out'];
    const definition = { output: schema, providers: [brittle, two] };
    expect(told(definition, [...trace, '6 call one #2.1 ok'])).toEqual([atOnce(2)]);
  });

  it.each([
    ['a health check beside it', { providers: [{ ...one, healthcheck: { check: works, interval: 5 } }, two] }],
    ['a handle', { ...both, handle: works }],
    ['none at all', { providers: [{ name: 'one' }, two] }],
  ])('is not judged with %s', (_, definition: Partial<RawDefinition>) => {
    expect(told(definition, [...failing, '11 call one #3.1 ok'])).toEqual([]);
  });

  it.each<Partial<RawProvider>>([
    { breaker: { failures: 9, cooldown: 1 } },
    { healthcheck: { check: works, interval: 5 } },
    { concurrency: 9 },
    { when: works },
    { lastGood: { maxAge: 5 } },
  ])('may be passed over where it is not sure that the other could be tried: %o', (facts) => {
    const definition = { providers: [one, { name: 'two', ...facts }] };
    expect(told(definition, [...failing, '11 call one #3.1 ok'])).toEqual([]);
  });

  it('may be passed over where there is no other, unless that is forbidden', () => {
    const trace = [...failing, '11 call one #3.1 ok'];
    expect(told({ providers: [one] }, trace)).toEqual([]);
    expect(told({ providers: [one], whenAllUnhealthy: 'try' }, trace)).toEqual([]);
    expect(told({ providers: [one], whenAllUnhealthy: 'fail' }, trace)).toEqual([again(3)]);
  });

  it('may be passed over by a trigger that has tried it alone', () => {
    const trace = ['0 call one #1.1 reject', '5 ended one #1.1 failed', '6 call one #1.2 ok'];
    expect(told({ providers: [brittle] }, trace)).toEqual([]);
  });

  it.each<[string, readonly string[], string?]>([
    ['has tried another', ['10 call two #3.1 ok', '11 ended two #3.1 failed', '12 call one #3.1 ok'], again(3)],
    [
      'has tried another that was called unhealthy before, and healthy since',
      ['10 provider two # unhealthy', '10 provider two # healthy', '10 call two #3.1 ok', '12 call one #3.1 ok'],
      again(3),
    ],
    ['is not the one that has tried another', ['10 call two #3.1 ok', '12 call one #4.1 ok']],
    [
      'has tried another that was unhealthy',
      ['10 provider two # unhealthy', '10 call two #3.1 ok', '12 call one #3.1 ok'],
    ],
    [
      'has tried another that has become well only since',
      [
        '10 provider two # unhealthy',
        '10 call two #3.1 ok',
        '11 provider two # healthy',
        '11 ended two #3.1 succeeded',
        '12 call one #3.1 ok',
      ],
    ],
    ['has been reset itself', ['10 provider one # healthy', '12 call one #3.1 ok']],
  ])('is judged by whom its trigger could turn to: it %s', (_, trace, message) => {
    expect(told({ providers: [one, guarded] }, [...failing, ...trace])).toEqual(message ? [message] : []);
  });

  it.each<[string, readonly string[], string?]>([
    ['unhealthy', ['10 provider two # unhealthy', '11 call one #3.1 ok']],
    [
      'unhealthy, and called all the same',
      ['10 provider two # unhealthy', '10 call two #3.1 ok', '10 ended two #3.1 failed', '11 call one #3.1 ok'],
    ],
    ['well again', ['10 provider two # unhealthy', '10 provider two # probing', '11 call one #3.1 ok'], again(3)],
  ])('is judged by how the only other provider is: %s', (_, trace, message) => {
    expect(told(both, [...failing, ...trace])).toEqual(message ? [message] : []);
  });

  it('forbids a call as long as one of the others is well', () => {
    const trace = [...failing, '10 provider two # unhealthy', '11 call one #3.1 ok'];
    expect(told({ providers: [one, two, { name: 'three' }] }, trace)).toEqual([again(3)]);
  });

  it.each<[string, Line, string?]>([
    ['an update that switches', { at: 0, type: 'update', input: { providers: { two: { enabled: false } } } }],
    ['an update of something else', { at: 0, type: 'update', input: { maxRetries: 1 } }, again(3)],
    ['a trigger that says so', { at: 0, type: 'trigger', trigger: 1, input: { enabled: false } }, again(3)],
  ])('knows that others may be switched off: %s', (_, line, message) => {
    expect(told(both, [line, ...failing, '11 call one #3.1 ok'])).toEqual(message ? [message] : []);
  });

  it.each([
    '10 evict',
    '10 restart',
    '10 reset',
    '10 update',
    '10 provider one # healthy',
    '10 provider one # probing',
  ])('starts anew: %s', (line) => {
    expect(told(both, [...failing, line, '11 call one #3.1 ok'])).toEqual([]);
    expect(told(both, [...first, line, ...second, '11 call one #3.1 ok'])).toEqual([]);
    expect(told(both, [line, ...failing, '11 call one #3.1 ok'])).toEqual([again(3)]);
  });

  it.each(['10 provider one # unhealthy', '10 provider two # healthy', '10 abort one #9'])(
    'does not start anew: %s',
    (line) => {
      expect(told(both, [...failing, line, '11 call one #3.1 ok'])).toEqual([again(3)]);
    },
  );

  it.each<Case>([
    [
      'that began before all was forgotten',
      { providers: [brittle, two] },
      ['0 call one #1.1 reject', '1 restart', '2 ended one #1.1 failed', '3 call one #2.1 ok'],
    ],
    [
      'that began before it tripped',
      { providers: [brittle, two] },
      [
        '0 call one #1.1 reject',
        '0 call one #2.1 reject',
        '10 ended one #1.1 failed',
        '60 ended one #2.1 failed',
        '115 call one #3.1 ok',
      ],
    ],
    [
      'that began within the cooldown, for want of any other',
      { providers: [one, two] },
      [
        ...failing,
        '10 provider two # unhealthy',
        '50 call one #3.1 reject',
        '110 call one #4.1 reject',
        '111 ended one #3.1 failed',
        '112 ended one #4.1 failed',
        '113 provider two # healthy',
        '114 call one #5.1 ok',
      ],
    ],
  ])('does not count a failure %s', (_, definition, trace) => expect(told(definition, trace)).toEqual([]));

  it('counts a failure that began before another attempt succeeded', () => {
    const trace = [
      '0 call one #1.1 ok',
      '0 call one #2.1 reject',
      '1 ended one #1.1 succeeded',
      '2 ended one #2.1 failed',
    ];
    expect(told({ providers: [brittle, two] }, [...trace, '3 call one #3.1 ok'])).toEqual([atOnce(3)]);
  });

  it('is over once an attempt succeeds, whenever that began', () => {
    const trace = [
      '0 call one #1.1 ok',
      '0 call one #2.1 reject',
      '1 ended one #2.1 failed',
      '2 ended one #1.1 succeeded',
    ];
    expect(told({ providers: [brittle, two] }, [...trace, '3 call one #3.1 ok'])).toEqual([]);
    const later = ['3 call one #3.1 reject', '4 ended one #3.1 failed', '5 call one #4.1 ok'];
    expect(told({ providers: [brittle, two] }, [...trace, ...later])).toEqual([atOnce(4)]);
  });
});

describe('inDoubt', () => {
  const two = { name: 'two' };
  const stopping: Partial<RawDefinition> = { providers: [{ name: 'one', inDoubt: 'stop', inDoubtWhen: works }, two] };
  const asking: Partial<RawDefinition> = { providers: [{ name: 'one', inDoubt: 'verify' }, two] };
  const hedged: Partial<RawDefinition> = {
    providers: [
      { name: 'one', inDoubt: 'verify' },
      { ...two, hedge: 5 },
    ],
  };
  const late = ['0 call one #1.1 hang', '5 ended one #1.1 timed-out', '5 in-doubt one #1.1 timed-out'];
  const refused = ['0 call one #1.1 invalid', '5 ended one #1.1 failed'];
  const next = '6 call two #1.1 ok';
  const stopped = 'safety 3: trigger #1 called two although one was in doubt';
  const unasked = 'safety 3: trigger #1 called two although one was in doubt, and not asked';
  const unanswered = 'safety 3: trigger #1 called two although one gave no answer to verify';

  it.each<Case>([
    ['stop: nothing is tried after a timeout', stopping, [...late, next], stopped],
    ['stop: told of once', stopping, [...late, next, '7 call two #1.2 ok'], stopped],
    ['stop: nor is the same provider', stopping, [...late, '6 call one #1.2 ok'], stopped.replace('two', 'one')],
    ['stop: a timeout that nobody calls a doubt is one', stopping, ['5 ended one #1.1 timed-out', next], stopped],
    ['stop: nor after an answer refused', stopping, [...refused, '5 in-doubt one #1.1 refused', next], stopped],
    ['verify: an answer refused is a doubt, whatever is told of it', asking, [...refused, next], unasked],
    [
      'stop: nor after an error in doubt',
      stopping,
      ['0 call one #1.1 lost', '5 ended one #1.1 failed', '5 in-doubt one #1.1 error', next],
      stopped,
    ],
    ['stop: an error beyond doubt', stopping, ['0 call one #1.1 reject', '5 ended one #1.1 failed', next]],
    ['stop: an odd answer that will do', stopping, ['0 call one #1.1 invalid', '5 ended one #1.1 succeeded', next]],
    [
      'stop: an abort',
      stopping,
      ['0 call one #1.1 hang', '5 ended one #1.1 aborted', '5 in-doubt one #1.1 aborted', next],
    ],
    ['stop: another trigger', stopping, [...late, '6 call two #2.1 ok']],
    ['stop: what the trigger comes to', stopping, [...late, '6 failed - #1']],
    [
      'stop: the doubt of a provider that lets others try',
      stopping,
      ['0 call two #1.1 hang', '5 ended two #1.1 timed-out', '5 in-doubt two #1.1 timed-out', '6 call one #1.1 ok'],
    ],
    ['verify: nothing is tried before it was asked', asking, [...late, next], unasked],
    ['verify: nor without an answer', asking, [...late, '5 verify one #1.1 hang', next], unanswered],
    ['verify: an answer', asking, [...late, '5 verify one #1.1 ok', next]],
    ['verify: another is asked', asking, [...late, '5 verify two #1.1 ok', next], unasked],
    ['verify: no answer beside a hedge', hedged, [...late, '5 verify one #1.1 hang', next]],
    ['verify: not asked beside a hedge', hedged, [...late, next], unasked],
    ['next: all may be tried', { providers: [{ name: 'one', inDoubt: 'next' }, two] }, [...late, next]],
    ['nothing said: all may be tried', { providers: [{ name: 'one' }, two] }, [...late, next]],
  ])('%s', (_, definition, trace, message) => {
    const broken = told(definition, trace).filter((text) => !text.includes('was told to be in doubt'));
    expect(broken).toEqual(message ? [message] : []);
  });
});

describe('what is told to be in doubt', () => {
  const plain: Partial<RawDefinition> = { providers: [{ name: 'one' }, { name: 'two' }] };
  const knowing: Partial<RawDefinition> = { providers: [{ name: 'one', inDoubtWhen: works }] };
  const judging: Partial<RawDefinition> = { providers: [{ name: 'one', accept: works }] };
  const checked: Partial<RawDefinition> = { providers: [{ name: 'one' }], output: schema };
  const ending = (outcome: string, doubts: string, due: string, attempt = 1) =>
    `safety 3: one, attempt ${attempt} of trigger #1, ended as ${outcome}, and was told to be in doubt for ${doubts}, not ${due}`;
  const late = ['0 call one #1.1 hang', '5 ended one #1.1 timed-out'];
  const aborted = ['0 call one #1.1 hang', '5 ended one #1.1 aborted'];
  const invalid = ['0 call one #1.1 invalid', '5 ended one #1.1 failed'];
  const failed = ['0 call one #1.1 reject', '5 ended one #1.1 failed'];
  const succeeded = ['0 call one #1.1 ok', '5 ended one #1.1 succeeded'];

  it.each<Case>([
    ['a timeout', plain, [...late, '5 in-doubt one #1.1 timed-out']],
    ['a timeout of which nobody is told', plain, late, ending('timed-out', '[]', '["timed-out"]')],
    [
      'a timeout told twice',
      plain,
      [...late, '5 in-doubt one #1.1 timed-out', '5 in-doubt one #1.1 timed-out'],
      ending('timed-out', '["timed-out","timed-out"]', '["timed-out"]'),
    ],
    [
      'a timeout told as something else',
      plain,
      [...late, '5 in-doubt one #1.1 aborted'],
      ending('timed-out', '["aborted"]', '["timed-out"]'),
    ],
    [
      'a timeout of another attempt',
      plain,
      [...late, '5 in-doubt one #1.1 timed-out', '6 call one #1.2 hang', '9 ended one #1.2 timed-out'],
      ending('timed-out', '[]', '["timed-out"]', 2),
    ],
    ['a timeout before its call', plain, ['5 ended one #1.1 timed-out']],
    [
      'a timeout told before its end, an effect on the way',
      plain,
      ['0 call one #1.1 hang', '1 effect one #1.1', '5 in-doubt one #1.1 timed-out', '5 ended one #1.1 timed-out'],
    ],
    ['an abort', plain, [...aborted, '5 in-doubt one #1.1 aborted']],
    ['an abort of which nobody is told', plain, aborted, ending('aborted', '[]', '["aborted"]')],
    ['an abort before its call', plain, ['5 ended one #1.1 aborted']],
    [
      'an abort before its call, told all the same',
      plain,
      ['5 ended one #1.1 aborted', '5 in-doubt one #1.1 aborted'],
      ending('aborted', '["aborted"]', '[]'),
    ],
    ['an answer refused', plain, [...invalid, '5 in-doubt one #1.1 refused']],
    ['an answer refused of which nobody is told', plain, invalid, ending('failed', '[]', '["refused"]')],
    ['the same where answers are judged', judging, invalid, ending('failed', '[]', '["refused"]')],
    ['an odd answer that will do', plain, ['0 call one #1.1 invalid', '5 ended one #1.1 succeeded']],
    ['a failure', plain, failed],
    ['a failure, an error that may be in doubt', knowing, [...failed, '5 in-doubt one #1.1 error']],
    ['a failure, an error beyond doubt', knowing, failed],
    [
      'a failure, an error that nobody asked about',
      plain,
      [...failed, '5 in-doubt one #1.1 error'],
      ending('failed', '["error"]', '[]'),
    ],
    ['a failure, refused by accept', judging, [...failed, '5 in-doubt one #1.1 refused']],
    ['a failure, refused by the schema', checked, [...failed, '5 in-doubt one #1.1 refused']],
    [
      'a failure, refused by nobody',
      knowing,
      [...failed, '5 in-doubt one #1.1 refused'],
      ending('failed', '["refused"]', '[]'),
    ],
    [
      'a failure, an error where only answers are judged',
      judging,
      [...failed, '5 in-doubt one #1.1 error'],
      ending('failed', '["error"]', '[]'),
    ],
    ['a success', plain, succeeded],
    [
      'a success told to be in doubt',
      knowing,
      [...succeeded, '5 in-doubt one #1.1 error'],
      ending('succeeded', '["error"]', '[]'),
    ],
    ['an attempt without an end', plain, ['5 in-doubt one #1.1 error'], ending('undefined', '["error"]', '[]')],
    [
      'two of them: the first is told',
      plain,
      [...late, '9 in-doubt one #2.1 error'],
      ending('timed-out', '[]', '["timed-out"]'),
    ],
  ])('%s', (_, definition, trace, message) => expect(told(definition, trace)).toEqual(message ? [message] : []));

  it('is said of each provider by its name', () => {
    expect(told(plain, ['5 in-doubt two #1.1 error', '6 in-doubt one #2.3 error'])).toEqual([
      'safety 3: one, attempt 3 of trigger #2, ended as undefined, and was told to be in doubt for ["error"], not []',
      'safety 3: two, attempt 1 of trigger #1, ended as undefined, and was told to be in doubt for ["error"], not []',
    ]);
  });
});

describe('compensate', () => {
  const undoing: Partial<RawDefinition> = { providers: [{ name: 'one', compensate: works }, { name: 'two' }] };
  const once: Partial<RawDefinition> = { providers: [{ name: 'one', compensate: works, compensateRetries: 0 }] };
  const repeating: Partial<RawDefinition> = { providers: [{ name: 'one', compensate: works, idempotent: true }] };
  const one = { trigger: 1, provider: 'one', attempt: 1, output: 'receipt' };
  const other = { ...one, attempt: 2 };
  const tried = { ...one, doneAt: undefined };
  const undone = { ...one, doneAt: 9 };
  const verdict = { ...one, type: 'compensated' } as const;
  const used = ['0 call one #1.1 ok', '5 ended one #1.1 succeeded', '5 recovered one #1'];
  const effect = 'safety 3: the effect of one, attempt 1 of trigger #1,';

  it.each<[string, Partial<RawDefinition>, readonly Line[], Facts, ...told: string[]]>([
    ['an effect that is undone', undoing, [], { answers: [one], undoings: [undone], verdicts: [verdict] }],
    ['an effect that stays', undoing, [], { answers: [one] }, `${effect} is not the answer, and was never undone`],
    ['an effect that nobody can undo', { providers: [{ name: 'one' }] }, [], { answers: [one] }],
    ['an effect on another', undoing, [], { answers: [{ ...one, provider: 'two' }] }],
    [
      'two effects, of which one is undone',
      undoing,
      [],
      { answers: [one, other], undoings: [{ ...other, doneAt: 9 }], verdicts: [{ ...other, type: 'compensated' }] },
      `${effect} is not the answer, and was never undone`,
    ],
    ['the answer', undoing, used, { answers: [one] }],
    [
      'the answer, undone',
      undoing,
      used,
      { answers: [one], undoings: [undone], verdicts: [verdict] },
      `${effect} is the answer, and was undone`,
    ],
    [
      'as many tries as are allowed, the last of them good',
      undoing,
      [],
      { answers: [one], undoings: [tried, tried, tried, undone], verdicts: [verdict] },
    ],
    [
      'a try more than is allowed',
      undoing,
      [],
      { answers: [one], undoings: [tried, tried, tried, tried, tried], verdicts: [verdict] },
      `${effect} was to be undone 5 times`,
    ],
    ['a single try', once, [], { answers: [one], undoings: [tried], verdicts: [verdict] }],
    [
      'a try more than a single one',
      once,
      [],
      { answers: [one], undoings: [tried, undone], verdicts: [verdict] },
      `${effect} was to be undone 2 times`,
    ],
    [
      'an effect that is undone twice',
      undoing,
      [],
      { answers: [one], undoings: [tried, undone, tried], verdicts: [verdict] },
      `${effect} was undone twice`,
    ],
    [
      'an effect that is undone with what it did not give',
      undoing,
      [],
      { answers: [one], undoings: [{ ...undone, output: 'bill' }], verdicts: [verdict] },
      `${effect} was to be undone with "bill", and had given "receipt"`,
    ],
    [
      'an effect that is undone with what it did not give, on a further try',
      undoing,
      [],
      { answers: [one], undoings: [tried, { ...undone, output: 'bill' }], verdicts: [verdict] },
      `${effect} was to be undone with "bill", and had given "receipt"`,
    ],
    [
      'an effect that gave no number, and is undone with that',
      undoing,
      [],
      {
        answers: [{ ...one, output: Number.NaN }],
        undoings: [{ ...undone, output: Number.NaN }],
        verdicts: [verdict],
      },
    ],
    [
      'what was never done is undone',
      undoing,
      [],
      { undoings: [undone], verdicts: [verdict] },
      'safety 3: one, attempt 1 of trigger #1, never answered, and was undone',
    ],
    [
      'nobody is told of it',
      undoing,
      [],
      { answers: [one], undoings: [undone], verdicts: [{ ...verdict, trigger: 2 }] },
      'safety 3: what became of undoing one, attempt 1 of trigger #1, was told 0 times',
    ],
    [
      'it is told of twice',
      undoing,
      [],
      { answers: [one], undoings: [undone], verdicts: [verdict, verdict] },
      'safety 3: what became of undoing one, attempt 1 of trigger #1, was told 2 times',
    ],
    [
      'one effect of an idempotent provider, whatever its attempts',
      repeating,
      [],
      { answers: [one, other], undoings: [undone], verdicts: [verdict] },
    ],
    [
      'that effect in another trigger',
      repeating,
      [],
      { answers: [one, { ...one, trigger: 2 }], undoings: [undone], verdicts: [verdict] },
      'safety 3: the effect of one, attempt 1 of trigger #2, is not the answer, and was never undone',
    ],
    ['that effect as the answer', repeating, used, { answers: [other] }],
  ])('%s', (_, definition, trace, facts, ...messages) => {
    expect(told(definition, trace, facts)).toEqual(messages);
  });

  it.each<[string, readonly Line[], 'is the answer' | 'is not']>([
    ['its attempt succeeded', used, 'is the answer'],
    ['its trigger has none', used.slice(0, 2), 'is not'],
    ['another provider gave it', [...used.slice(0, 2), '5 recovered two #1'], 'is not'],
    ['another trigger has one', [...used.slice(0, 2), '5 recovered one #2'], 'is not'],
    [
      'it was given before',
      [{ at: 5, type: 'recovered', trigger: 1, provider: 'one', reused: true }, ...used.slice(0, 2)],
      'is not',
    ],
    ['no attempt gave it', ['5 recovered one #1'], 'is not'],
    [
      'another attempt gave it',
      ['0 call one #1.1 reject', '1 ended one #1.1 failed', '2 ended one #1.2 succeeded', '5 recovered one #1'],
      'is not',
    ],
    [
      'others had succeeded before',
      ['0 ended one #2.1 succeeded', '0 ended two #1.1 succeeded', ...used],
      'is the answer',
    ],
    ['it was asked about', ['0 verify one #1.1 ok', '5 recovered one #1'], 'is the answer'],
    [
      'it was asked about last',
      ['0 verify one #1.2 ok', '1 verify one #1.1 ok', '2 call two #1.1 ok', '5 recovered one #1'],
      'is the answer',
    ],
    ['another was asked about last', ['0 verify one #1.1 ok', '1 verify one #1.2 ok', '5 recovered one #1'], 'is not'],
  ])('knows whether an effect is the answer: %s', (_, trace, what) => {
    const isReused = typeof trace[0] === 'object';
    const definition = isReused ? { ...undoing, reuse: { maxAge: 100 } } : undoing;
    const broken = told(definition, trace, { answers: [one] }).filter((text) => text.startsWith('safety 3'));
    expect(broken).toEqual(what === 'is not' ? [`${effect} is not the answer, and was never undone`] : []);
  });
});

describe('an answer given again', () => {
  const reusing: Partial<RawDefinition> = { reuse: { maxAge: 100 } };
  const keeping: Partial<RawDefinition> = { providers: [{ name: 'old', lastGood: { maxAge: 100 } }] };
  const asked = (trigger: number, input: unknown = { a: 1 }): TraceEntry => ({
    at: 0,
    type: 'trigger',
    trigger,
    input,
  });
  const given = (trigger: number, at: number, facts: Partial<TraceEntry> = {}): TraceEntry => ({
    at,
    type: 'recovered',
    trigger,
    provider: 'one',
    output: 'receipt',
    ...facts,
  });
  const reused = (at: number, facts: Partial<TraceEntry> = {}) => given(2, at, { reused: true, ...facts });
  const stale = (at: number, facts: Partial<TraceEntry> = {}) =>
    given(2, at, { stale: true, provider: 'old', ...facts });
  const unasked = 'safety 4: trigger #2 was given an answer again, which nobody asked for';
  const unequal = 'safety 4: trigger #2 was given an answer again that no equal one had been given within 100 ms';

  it.each<Case>([
    ['by reuse', reusing, [asked(1), given(1, 0), asked(2), reused(50)]],
    ['by reuse, just young enough', reusing, [asked(1), given(1, 0), asked(2), reused(100)]],
    ['by reuse, just too old', reusing, [asked(1), given(1, 0), asked(2), reused(101)], unequal],
    ['by no reuse', keeping, [asked(1), given(1, 0), asked(2), reused(50, { provider: 'old' })], unasked],
    ['by lastGood', keeping, [asked(1), given(1, 0), asked(2), stale(100)]],
    ['by lastGood, too old', keeping, [asked(1), given(1, 0), asked(2), stale(101)], unequal],
    ['by no lastGood', reusing, [asked(1), given(1, 0), asked(2), stale(50)], unasked],
    ['by a provider without', { providers: [{ name: 'old' }] }, [asked(1), given(1, 0), asked(2), stale(50)], unasked],
    ['that nobody had been given', reusing, [asked(1), asked(2), reused(50)], unequal],
    ['that is another', reusing, [asked(1), given(1, 0), asked(2), reused(50, { output: 'bill' })], unequal],
    [
      'that is no number',
      reusing,
      [asked(1), given(1, 0, { output: Number.NaN }), asked(2), reused(50, { output: Number.NaN })],
    ],
    ['under the same key', reusing, [asked(1), given(1, 0, { key: 'a' }), asked(2), reused(50, { key: 'a' })]],
    ['of another key', reusing, [asked(1), given(1, 0, { key: 'a' }), asked(2), reused(50, { key: 'b' })], unequal],
    ['before it was given', reusing, [asked(1), asked(2), reused(50), given(1, 51)], unequal],
    ['in the flight that it was given in', reusing, [asked(1), asked(2), reused(50), given(1, 50)]],
    ['after a restart', reusing, [asked(1), given(1, 0), '1 restart', asked(2), reused(50)], unequal],
    ['before a restart', reusing, [asked(1), given(1, 0), asked(2), reused(50), '51 restart']],
    ['after a restart, and an answer since', reusing, [asked(1), '1 restart', given(1, 2), asked(2), reused(50)]],
    [
      'that had been given again itself',
      reusing,
      [asked(1), given(1, 0), asked(2), reused(90), asked(3), given(3, 180, { reused: true })],
      unequal.replace('#2', '#3'),
    ],
    [
      'that is nothing, and nobody had been given',
      reusing,
      [asked(1), asked(2), reused(50, { output: undefined })],
      unequal,
    ],
    [
      'by lastGood, among other providers',
      { providers: [{ name: 'one' }, ...(keeping.providers ?? [])] },
      [asked(1), given(1, 0), asked(2), stale(50)],
    ],
    [
      'that is an old one',
      { ...keeping, reuse: { maxAge: 50 } },
      [asked(3), given(3, 0), asked(1), given(1, 90, { stale: true, provider: 'old' }), asked(2), reused(91)],
      unequal.replace('100', '50'),
    ],
    [
      'that is an old one, in the same flight',
      { ...keeping, reuse: { maxAge: 50 } },
      [asked(3), given(3, 0), asked(1), given(1, 90, { stale: true, provider: 'old' }), asked(2), reused(90)],
    ],
    [
      'an old one that was old already',
      keeping,
      [asked(3), given(3, 0), asked(1), given(1, 90, { stale: true, provider: 'old' }), asked(2), stale(120)],
      unequal,
    ],
  ])('%s', (_, definition, trace, message) => expect(told(definition, trace)).toEqual(message ? [message] : []));

  it('is told of each time', () => {
    const trace = [asked(1), given(1, 90, { stale: true, provider: 'old' }), asked(2), stale(90)];
    expect(told(keeping, trace)).toEqual([unequal.replace('#2', '#1'), unequal]);
  });

  const endless: Record<string, unknown> = {};
  endless.itself = endless;

  it.each<[string, Partial<RawDefinition>, unknown, unknown, 'equal' | 'other']>([
    ['the same', reusing, { a: 1, b: 'x' }, { a: 1, b: 'x' }, 'equal'],
    ['in another order', reusing, { a: 1, b: 2, c: 3 }, { c: 3, a: 1, b: 2 }, 'equal'],
    ['in another order within', reusing, { a: [{ b: 1, c: 2 }] }, { a: [{ c: 2, b: 1 }] }, 'equal'],
    ['another number', reusing, { a: 1 }, { a: 2 }, 'other'],
    ['another text', reusing, { a: 'x' }, { a: 'y' }, 'other'],
    ['another value beside null', reusing, { a: null, b: 1 }, { a: null, b: 2 }, 'other'],
    ['a list in another order', reusing, { a: [1, 2] }, { a: [2, 1] }, 'other'],
    ['a list, and no list', reusing, { a: ['x'] }, { a: { 0: 'x' } }, 'other'],
    ['a text, and no text', reusing, { a: 'x' }, { a: { 0: 'x' } }, 'other'],
    ['what has no JSON', reusing, endless, endless, 'equal'],
    ['read by a schema', { ...reusing, input: schema }, { a: 1 }, { a: 2 }, 'equal'],
    [
      'by a key of its own',
      { reuse: { maxAge: 100, key: (input) => Object(input).a } },
      { a: 1, b: 1 },
      { a: 1 },
      'equal',
    ],
    ['by another key', { reuse: { maxAge: 100, key: (input) => Object(input).a } }, { a: 1 }, { a: 2 }, 'other'],
  ])('knows equal inputs: %s', (_, definition, one, two, what) => {
    const trace = [asked(1, one), given(1, 0), asked(2, two), reused(50)];
    expect(told(definition, trace)).toEqual(what === 'equal' ? [] : [unequal]);
  });
});

describe('a budget of retries', () => {
  const half: Partial<RawDefinition> = {
    providers: [{ name: 'one' }, { name: 'two' }],
    retryBudget: { ratio: 0.5, minPerSecond: 0 },
  };
  const floor: Partial<RawDefinition> = {
    providers: [{ name: 'one' }],
    retryBudget: { ratio: 0, minPerSecond: 0.1 },
  };
  const [first, other] = ['0 call one #1.1 ok', '0 call one #2.1 ok'];
  const over = (retries: number, firsts: number) =>
    `safety 5: one was retried ${retries} times for ${firsts} first attempts within 10 s`;

  it.each<Case>([
    ['one for two first attempts', half, [first, other, '1 call one #1.2 ok']],
    ['one for one', half, [first, '1 call one #1.2 ok'], over(1, 1)],
    ['two for two', half, [first, other, '1 call one #1.2 ok', '2 call one #2.2 ok'], over(2, 2)],
    ['one for one, another later', half, [first, '1 call one #1.2 ok', '2 call one #2.1 ok'], over(1, 1)],
    ['one for two, one of them in the same moment', half, [first, '1 call one #1.2 ok', '1 call one #2.1 ok']],
    ['one for two on different providers', half, [first, '0 call two #2.1 ok', '1 call one #1.2 ok'], over(1, 1)],
    ['one for one, and nothing but it', half, [first, '0 effect one #2.1', '1 call one #1.2 ok'], over(1, 1)],
    ['one for two just within the window', half, [first, other, '10000 call one #1.2 ok']],
    ['one for two, one just out of it', half, ['1 call one #1.1 ok', other, '10001 call one #1.2 ok'], over(1, 1)],
    ['no first attempt within the window', half, [first, other, '10001 call one #1.2 ok'], over(1, 0)],
    [
      'as many as a ratio of fractions allows, which no sum of them quite comes to',
      { providers: [{ name: 'one' }], retryBudget: { ratio: 0.3, minPerSecond: 0.01 } },
      [first, other, '0 call one #3.1 throw', '0 call one #3.2 ok'],
    ],
    ['the floor', floor, [first, '1 call one #1.2 ok']],
    ['the floor once more, in the next window', floor, [first, '1 call one #1.2 ok', '10002 call one #1.3 ok']],
    ['beyond the floor', floor, [first, '1 call one #1.2 ok', '2 call one #1.3 ok'], over(2, 1)],
    [
      'beyond the floor just within the window',
      floor,
      [first, '1 call one #1.2 ok', '10001 call one #1.3 ok'],
      over(2, 0),
    ],
    [
      'beyond the floor at once: told of the first that is',
      floor,
      [first, '1 call one #1.2 ok', '1 call one #1.3 ok', '1 call one #1.4 ok'],
      over(2, 1),
    ],
    [
      'a first attempt, when those before have left the window',
      half,
      [first, other, '10000 call one #1.2 ok', '10001 call one #3.1 ok'],
    ],
    ['after keys were forgotten', half, [first, '1 evict', '2 call one #1.2 ok']],
    ['before a restart', half, [first, '1 call one #1.2 ok', '2 restart']],
    ['after a restart', half, [first, '1 restart', '2 call one #2.1 ok', '3 call one #2.2 ok'], over(1, 1)],
    ['first attempts before a restart', half, [first, other, '1 restart', '2 call one #2.2 ok'], over(1, 0)],
    ['no budget', { providers: [{ name: 'one' }] }, [first, '1 call one #1.2 ok']],
  ])('%s', (_, definition, trace, message) => expect(told(definition, trace)).toEqual(message ? [message] : []));
});
