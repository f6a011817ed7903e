import { describe, expect, it } from 'vitest';
import { json, type TraceEntry, timeline, words } from '../../../src/testing/trace.ts';

const ONE = { at: 5, trigger: 1, provider: 'one', attempt: 1 } as const;
const CALL: TraceEntry = { ...ONE, type: 'call', fault: 'slow' };
const EFFECT: TraceEntry = { ...ONE, type: 'effect' };
const ERROR = new Error('no');

/** The lines of a timeline, without the time that each begins with. */
function lines(...trace: readonly TraceEntry[]): readonly string[] {
  const text = timeline(trace);
  return text === '' ? [] : text.split('\n').map((line) => line.replace('     5 ms  ', ''));
}

describe('a line of a timeline', () => {
  it.each<{ entry: TraceEntry; line: string }>([
    { entry: { at: 5, type: 'trigger', trigger: 1, input: 1 }, line: '#1 trigger  1' },
    { entry: { at: 5, type: 'trigger', trigger: 1, key: 'key-1', input: 1 }, line: '#1 trigger [key-1]  1' },
    { entry: CALL, line: '#1 one     attempt 1 → slow' },
    { entry: { ...ONE, type: 'ended', outcome: 'failed', error: ERROR }, line: '#1 one     attempt 1 ✗ failed: no' },
    { entry: { ...ONE, type: 'recovered' }, line: '#1 recovered by one' },
    { entry: { ...ONE, type: 'recovered', stale: true }, line: '#1 recovered by one (its last good answer)' },
    { entry: { ...ONE, type: 'recovered', reused: true }, line: '#1 recovered by one (an answer given before)' },
    {
      entry: { ...ONE, type: 'recovered', stale: true, reused: true },
      line: '#1 recovered by one (its last good answer) (an answer given before)',
    },
    { entry: { at: 5, type: 'failed', trigger: 1, error: ERROR }, line: '#1 failed: no' },
    { entry: { at: 5, type: 'refused', trigger: 1, error: ERROR }, line: '#1 refused: no' },
    { entry: { at: 5, type: 'rejected', trigger: 1, error: 'gone' }, line: '#1 rejected: "gone"' },
    { entry: { at: 5, type: 'state', state: 'exhausted' }, line: 'state is exhausted' },
    { entry: { at: 5, type: 'state', key: 'key-1', state: 'idle' }, line: 'state [key-1] is idle' },
    { entry: { at: 5, type: 'update', input: {} }, line: 'update  {}' },
    { entry: { at: 5, type: 'update', key: 'key-1', input: {}, error: ERROR }, line: 'update [key-1]  {} refused: no' },
    { entry: { at: 5, type: 'reset', input: {} }, line: 'reset  {}' },
    { entry: { at: 5, type: 'abort', trigger: 1 }, line: '#1 aborted by its caller' },
    { entry: { at: 5, type: 'evict' }, line: 'every key not in use is forgotten' },
    { entry: { at: 5, type: 'restart' }, line: 'restart: snapshot → JSON → a new engine → restore' },
    { entry: { ...ONE, type: 'in-doubt', outcome: 'error' }, line: '#1 one     attempt 1 is in doubt: error' },
    { entry: { ...ONE, type: 'in-doubt', outcome: 'refused' }, line: '#1 one     attempt 1 is in doubt: refused' },
    {
      entry: { ...ONE, type: 'verify', fault: 'ok', outcome: 'it was done' },
      line: '#1 one     attempt 1 → verify: it was done',
    },
    {
      entry: { ...ONE, type: 'verify', fault: 'hang', outcome: 'it was done' },
      line: '#1 one     attempt 1 → verify: hang',
    },
    { entry: { ...ONE, type: 'compensate', fault: 'ok' }, line: '#1 one     attempt 1 → compensate: ok' },
    { entry: { ...ONE, type: 'compensated' }, line: '#1 one     attempt 1   effect undone' },
    { entry: { ...ONE, type: 'compensation-failed' }, line: '#1 one     attempt 1 ✗ its effect could not be undone' },
    {
      entry: { at: 5, type: 'health', provider: 'one', outcome: 'sick' },
      line: 'the health check of one: sick from now on',
    },
    { entry: { at: 5, type: 'provider', provider: 'one', outcome: 'unhealthy' }, line: 'one is unhealthy' },
  ])('reads: $line', ({ entry, line }) => {
    expect(lines(entry)).toEqual([line]);
  });

  it.each<TraceEntry>([
    { ...ONE, type: 'ended', outcome: 'succeeded' },
    { ...ONE, type: 'in-doubt', outcome: 'timed-out' },
    { ...ONE, type: 'in-doubt', outcome: 'aborted' },
    { at: 5, type: 'check', provider: 'one', outcome: 'well' },
  ])('is none for what is plain without: $type, $outcome', (entry) => {
    expect(lines(entry)).toEqual([]);
  });

  it('names nobody where nobody is known', () => {
    expect(lines({ at: 5, type: 'call', attempt: 1, fault: 'ok' })).toEqual(['        attempt 1 → ok']);
    expect(lines({ at: 5, type: 'recovered' })).toEqual(['recovered by']);
    expect(lines({ at: 5, type: 'provider', outcome: 'healthy' })).toEqual([' is healthy']);
  });
});

describe('an effect', () => {
  it('at the moment of its call is told with it', () => {
    expect(lines(CALL, EFFECT)).toEqual(['#1 one     attempt 1 → slow         effect landed']);
  });

  it.each([
    { why: 'later', effect: { ...EFFECT, at: 6 }, line: '     6 ms  #1 one     attempt 1   effect landed' },
    { why: 'of another trigger', effect: { ...EFFECT, trigger: 2 }, line: '#2 one     attempt 1   effect landed' },
    {
      why: 'of another provider',
      effect: { ...EFFECT, provider: 'two' },
      line: '#1 two     attempt 1   effect landed',
    },
    { why: 'of another attempt', effect: { ...EFFECT, attempt: 2 }, line: '#1 one     attempt 2   effect landed' },
  ])('$why has a line of its own', ({ effect, line }) => {
    expect(lines(CALL, effect)).toEqual(['#1 one     attempt 1 → slow', line]);
  });

  it('is no part of another thing that the same attempt met at that moment', () => {
    expect(lines({ ...ONE, type: 'verify', fault: 'hang' }, EFFECT)).toEqual([
      '#1 one     attempt 1 → verify: hang',
      '#1 one     attempt 1   effect landed',
    ]);
    expect(lines(CALL, { ...ONE, type: 'recovered' })).toEqual(['#1 one     attempt 1 → slow', '#1 recovered by one']);
  });
});

describe('the columns of a timeline', () => {
  it.each([
    { name: 'sixsix', line: '#1 sixsix  attempt 1 → slow' },
    { name: 'sevenths', line: '#1 sevenths  attempt 1 → slow' },
  ])('are as wide as the longest name, and six at least: $name', ({ name, line }) => {
    const short = line.replace(name, 'one'.padEnd(name.length));
    expect(lines({ ...CALL, provider: name }, CALL, { at: 5, type: 'evict' }).slice(0, 2)).toEqual([line, short]);
  });

  it('tell the time first', () => {
    const at = (ms: number): TraceEntry => ({ at: ms, type: 'evict' });
    expect(timeline([at(0), at(123_456), at(1_234_567)])).toBe(
      [
        '     0 ms  every key not in use is forgotten',
        '123456 ms  every key not in use is forgotten',
        '1234567 ms  every key not in use is forgotten',
      ].join('\n'),
    );
  });

  it('are none where nothing happened', () => {
    expect(timeline([])).toBe('');
  });
});

describe('a mark', () => {
  const other: TraceEntry = { at: 9, type: 'abort', trigger: 1 };

  it('stands behind the line of its entry, and of no other', () => {
    expect(timeline([CALL, other], new Map([[other, 'too late']]))).toBe(
      ['     5 ms  #1 one     attempt 1 → slow', '     9 ms  #1 aborted by its caller   ← too late'].join('\n'),
    );
  });

  it('of an effect stands behind the call that is told with it, and behind nothing else', () => {
    const ended: TraceEntry = { ...ONE, type: 'ended', outcome: 'failed', error: ERROR };
    expect(timeline([CALL, EFFECT, ended, other], new Map([[EFFECT, 'second effect']]))).toBe(
      [
        '     5 ms  #1 one     attempt 1 → slow         effect landed   ← second effect',
        '     5 ms  #1 one     attempt 1 ✗ failed: no',
        '     9 ms  #1 aborted by its caller',
      ].join('\n'),
    );
  });

  it('of a call goes before that of its effect', () => {
    const marks = new Map([
      [EFFECT, 'of the effect'],
      [CALL, 'of the call'],
    ]);
    expect(timeline([CALL, EFFECT], marks)).toBe(
      '     5 ms  #1 one     attempt 1 → slow         effect landed   ← of the call',
    );
  });

  it('of an effect that landed later stands behind its own line', () => {
    const late = { ...EFFECT, at: 6 };
    expect(timeline([CALL, late], new Map([[late, 'second effect']]))).toBe(
      [
        '     5 ms  #1 one     attempt 1 → slow',
        '     6 ms  #1 one     attempt 1   effect landed   ← second effect',
      ].join('\n'),
    );
  });

  it('of what has no line is not told', () => {
    const check: TraceEntry = { at: 5, type: 'check', provider: 'one' };
    expect(timeline([check], new Map([[check, 'sick']]))).toBe('');
  });
});

describe('a value in words', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;

  it.each([
    { value: { a: [1, 'b', null] }, text: '{"a":[1,"b",null]}' },
    { value: undefined, text: 'undefined' },
    { value: null, text: 'null' },
    { value: Symbol('x'), text: 'Symbol(x)' },
    { value: 12n, text: '12n' },
    { value: circle, text: '{"self":[cyclic]}' },
    { value: Object.assign(Object.create(null), circle), text: '{__proto__:null,"self":{"self":[cyclic]}}' },
  ])('is JSON, or whatever there is: $text', ({ value, text }) => {
    expect(json(value)).toBe(text);
    expect(words(value)).toBe(text);
  });

  it('is the message, where it is an error', () => {
    expect(words(new TypeError('no'))).toBe('no');
    expect(words({ message: 'no' })).toBe('{"message":"no"}');
  });
});
