import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../src/index.ts';
import {
  alwaysRecovers,
  atMostOneEffect,
  attemptsAtMost,
  Broken,
  type Invariant,
  isInvariant,
  neverCalls,
  reaches,
  settlesWithin,
} from '../../../src/testing/invariants.ts';
import type { TraceEntry } from '../../../src/testing/trace.ts';

type Case = [what: string, invariant: Invariant, trace: readonly string[], broken?: [message: string, index: number]];

/** What broke it, and which entry of the trace did: `at type provider #trigger.attempt`. */
function brokenBy({ judge }: Invariant, lines: readonly string[]): [message: string, index: number] | undefined {
  const trace = lines.map((line) => {
    const [at, type, provider, id = ''] = line.replace('!', '').split(' ');
    const [trigger, attempt] = id.slice(1).split('.').map(Number);
    return {
      at: Number(at),
      type,
      provider,
      trigger,
      attempt,
      idempotent: line.endsWith('!'),
    } as unknown as TraceEntry;
  });
  try {
    judge(trace);
    return undefined;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return [error.message, trace.indexOf(error.entry as TraceEntry)];
  }
}

describe('settlesWithin', () => {
  it.each<Case>([
    ['just in time', settlesWithin(10), ['5 trigger - #1', '15 recovered one #1']],
    ['just too late', settlesWithin(10), ['5 trigger - #1', '16 recovered one #1'], ['trigger #1 took 11 ms', 1]],
    ['at once', settlesWithin(0), ['5 trigger - #1', '5 rejected one #1']],
    ['at once, too late', settlesWithin(0), ['5 trigger - #1', '6 refused - #1'], ['trigger #1 took 1 ms', 1]],
    [
      'never over',
      settlesWithin(10),
      ['0 trigger - #1', '0 call one #1.1'],
      ['trigger #1 was not over after 10 ms', 0],
    ],
    [
      'another is over',
      settlesWithin(10),
      ['0 trigger - #1', '0 trigger - #2', '5 failed - #1', '9 ended one #2.1'],
      ['trigger #2 was not over after 10 ms', 1],
    ],
    ['a failure too late', settlesWithin(10), ['0 trigger - #1', '11 failed - #1'], ['trigger #1 took 11 ms', 1]],
    ['a rejection too late', settlesWithin(10), ['0 trigger - #1', '12 rejected - #1'], ['trigger #1 took 12 ms', 1]],
    ['an attempt that ends too late', settlesWithin(10), ['0 trigger - #1', '9 recovered one #1', '20 ended two #1.1']],
    ['what is no trigger', settlesWithin(10), ['0 trigger - #1', '9 recovered one #1', '20 restart']],
    ['an end without a trigger', settlesWithin(10), ['20 recovered one #1']],
  ])('%s', (_, invariant, trace, broken) => expect(brokenBy(invariant, trace)).toEqual(broken));

  it('says its name and its bound, and takes any time of 0 or more', () => {
    expect(settlesWithin(10)).toMatchObject({ name: 'settlesWithin(10)', within: 10 });
    expect(settlesWithin(0).within).toBe(0);
    expect(settlesWithin(Number.POSITIVE_INFINITY).within).toBe(Number.POSITIVE_INFINITY);
  });

  it.each<[number, string]>([
    [-1, '-1'],
    [Number.NaN, 'NaN'],
  ])('refuses what is no time: %s', (ms, got) => {
    const message = `expected milliseconds of 0 or more, got ${got}`;
    expect(() => settlesWithin(ms)).toThrow(new InvalidRequestError([{ path: 'settlesWithin', message }]));
  });
});

describe('atMostOneEffect', () => {
  it.each<Case>([
    ['no effect', atMostOneEffect(), ['0 call one #1.1', '5 ended one #1.1']],
    ['one effect', atMostOneEffect(), ['0 effect one #1.1']],
    ['one of each trigger', atMostOneEffect(), ['0 effect one #1.1', '0 effect one #2.1']],
    ['two', atMostOneEffect(), ['0 effect one #1.1', '1 effect two #1.1'], ['second effect of trigger #1', 1]],
    [
      'two of one provider',
      atMostOneEffect(),
      ['0 effect one #2.1', '1 effect one #1.1', '2 effect one #2.2'],
      ['second effect of trigger #2', 2],
    ],
    [
      'two, one of them undone',
      atMostOneEffect(),
      ['0 effect one #1.1', '1 effect two #1.1', '2 compensated one #1.1'],
    ],
    ['a repeat of an idempotent one', atMostOneEffect(), ['0 effect one #1.1!', '1 effect one #1.2!']],
    ['of one: another has the other', atMostOneEffect({ of: ['one'] }), ['0 effect one #1.1', '1 effect two #1.1']],
    [
      'of one: it has both',
      atMostOneEffect({ of: ['one'] }),
      ['0 effect one #1.1', '1 effect two #1.1', '2 effect one #1.2'],
      ['second effect of trigger #1', 2],
    ],
    ['of nobody', atMostOneEffect({ of: [] }), ['0 effect one #1.1', '1 effect one #1.2']],
  ])('%s', (_, invariant, trace, broken) => expect(brokenBy(invariant, trace)).toEqual(broken));

  it('says its name, and whom it is about', () => {
    expect(atMostOneEffect()).toEqual({ name: 'atMostOneEffect', judge: expect.any(Function) });
    expect(atMostOneEffect({ of: ['one'] })).toMatchObject({ name: 'atMostOneEffect', providers: ['one'] });
  });
});

describe('alwaysRecovers', () => {
  it.each<Case>([
    ['a recovery', alwaysRecovers(), ['0 trigger - #1', '1 ended one #1.1', '2 recovered two #1']],
    ['an abort', alwaysRecovers(), ['0 trigger - #1', '1 rejected - #1']],
    ['a failure', alwaysRecovers(), ['0 recovered one #1', '1 failed - #2'], ['trigger #2 failed', 1]],
    ['a refusal', alwaysRecovers(), ['0 refused - #1', '1 failed - #2'], ['trigger #1 refused', 0]],
  ])('%s', (_, invariant, trace, broken) => expect(brokenBy(invariant, trace)).toEqual(broken));

  it('says its name', () => expect(alwaysRecovers().name).toBe('alwaysRecovers'));
});

describe('attemptsAtMost', () => {
  it.each<Case>([
    ['as many as are allowed', attemptsAtMost(2), ['0 call one #1.1', '1 call two #1.1']],
    [
      'one more',
      attemptsAtMost(2),
      ['0 call one #1.1', '1 call one #1.2', '2 call two #1.1'],
      ['attempt 3 of trigger #1', 2],
    ],
    ['as many for each trigger', attemptsAtMost(1), ['0 call one #1.1', '1 call one #2.1']],
    ['what is no call', attemptsAtMost(1), ['0 call one #1.1', '1 effect one #1.1', '1 ended one #1.1']],
    ['none', attemptsAtMost(0), ['0 call one #1.1'], ['attempt 1 of trigger #1', 0]],
  ])('%s', (_, invariant, trace, broken) => expect(brokenBy(invariant, trace)).toEqual(broken));

  it('says its name and its bound', () => {
    expect(attemptsAtMost(2).name).toBe('attemptsAtMost(2)');
    expect(attemptsAtMost(0).name).toBe('attemptsAtMost(0)');
  });

  it.each<[number, string]>([
    [-1, '-1'],
    [Number.NaN, 'NaN'],
  ])('refuses what is no number of them: %s', (n, got) => {
    const message = `expected a number of 0 or more, got ${got}`;
    expect(() => attemptsAtMost(n)).toThrow(new InvalidRequestError([{ path: 'attemptsAtMost', message }]));
  });
});

describe('reaches', () => {
  it('says whom, and holds of any one history', () => {
    const invariant = reaches('one', 'two');
    expect(invariant).toMatchObject({
      name: 'reaches(one, two)',
      reaches: ['one', 'two'],
      providers: ['one', 'two'],
    });
    expect(invariant.judge([])).toBe(true);
  });
});

describe('neverCalls', () => {
  const once = neverCalls('one', (trace) => trace.some(({ type }) => type === 'call'));

  it.each<Case>([
    ['before it holds', once, ['0 trigger - #1', '0 call one #1.1']],
    ['while it holds', once, ['0 call two #1.1', '1 call one #1.1'], ['one is called', 1]],
    ['another', once, ['0 call one #1.1', '1 call two #1.1']],
    ['no call', once, ['0 call one #1.1', '1 effect one #1.1', '2 ended one #1.1']],
  ])('%s', (_, invariant, trace, broken) => expect(brokenBy(invariant, trace)).toEqual(broken));

  it('says whom it is about', () => {
    expect(once).toMatchObject({ name: 'neverCalls(one)', providers: ['one'] });
  });
});

describe('an invariant', () => {
  it.each<[string, unknown, boolean]>([
    ['one of ours', alwaysRecovers(), true],
    ['a function', () => true, true],
    ['one made by hand', { name: 'mine', judge: () => true }, true],
    ['one without a judge', { name: 'mine' }, false],
    ['one whose judge is none', { name: 'mine', judge: true }, false],
    ['nothing', undefined, false],
    ['null', null, false],
    ['a verdict', true, false],
    ['a text', 'alwaysRecovers', false],
  ])('is known by what it can do: %s', (_, value, is) => expect(isInvariant(value)).toBe(is));
});
