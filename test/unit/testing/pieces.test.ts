import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback } from '../../../src/index.ts';
import { neverCalls, settlesWithin } from '../../../src/testing/invariants.ts';
import { hang, ok, reject, script, slow, slowReject, stubborn } from '../../../src/testing/script.ts';
import { type TraceEntry, timeline } from '../../../src/testing/trace.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';

describe('virtual time', () => {
  it('fires timers in the order of their time, then of their making, promises in between', async () => {
    const clock = virtualClock(100);
    const told: string[] = [];
    clock.setTimeout(() => told.push(`b at ${clock.now()}`), 20);
    clock.setTimeout(() => {
      told.push(`a at ${clock.now()}`);
      Promise.resolve().then(() => told.push('after a'));
    }, 10);
    clock.setTimeout(() => told.push(`c at ${clock.now()}`), 20);
    clock.clearTimeout(clock.setTimeout(() => told.push('never'), 5));
    expect(clock.pending).toBe(3);
    await clock.advance(20);
    expect(told).toEqual(['a at 110', 'after a', 'b at 120', 'c at 120']);
    expect([clock.now(), clock.pending]).toEqual([120, 0]);
  });

  it('runs until no timer is left, those set on the way included', async () => {
    const clock = virtualClock();
    let left = 3;
    const again = () => {
      if (--left > 0) clock.setTimeout(again, 1_000);
    };
    clock.setTimeout(again, 1_000);
    await clock.runUntilIdle();
    expect([left, clock.now()]).toEqual([0, 3_000]);
  });
});

describe('a scripted provider', () => {
  it('plays its behaviours in order, the last one ever after, and keeps its calls', async () => {
    const clock = virtualClock();
    const down = new Error('503');
    const run = script(
      reject(down),
      slow(30, 'late'),
      slowReject(10, down),
      hang(),
      stubborn(50, 'too late'),
      ok('fine'),
    ).on(clock);
    const provider = { name: 'scripted', run, retries: 5, timeout: 40, backoff: 0 };
    const fallback = defineFallback({ tag: 'x', providers: [provider] });
    const { fallback: engine } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [fallback] as const });
    const trigger = async () => {
      const result = engine.run({ fallback_tag: 'x', action: 'trigger', input: { n: run.calls.length } });
      await clock.runUntilIdle();
      return result;
    };
    const first = await trigger();
    expect(first.output).toBe('late');
    expect(first.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded']);
    const second = await trigger();
    expect(second.output).toBe('fine');
    expect(second.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'timed-out', 'timed-out', 'succeeded']);
    expect((await trigger()).output).toBe('fine');
    expect(run.calls.map(({ input }) => input)).toEqual([0, 0, 2, 2, 2, 2, 6].map((n) => ({ n })));
  });

  it('hears a signal that has aborted already', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(script(slow(5))({}, { id: '1', attempt: 1, signal })).rejects.toThrow('gone');
  });
});

describe('invariants', () => {
  const at = (type: TraceEntry['type'], facts: Partial<TraceEntry> = {}, at = 0): TraceEntry => ({
    at,
    type,
    trigger: 1,
    ...facts,
  });

  it('see a trigger that is never over', () => {
    expect(() => settlesWithin(10).judge([at('trigger')])).toThrow('trigger #1 was not over after 10 ms');
    expect(() => settlesWithin(10).judge([at('trigger'), at('failed', {}, 11)])).toThrow('took 11 ms');
    expect(settlesWithin(10).judge([at('trigger'), at('failed', {}, 10)])).toBeUndefined();
  });

  it('know what had happened when a provider was called', () => {
    const isDown = neverCalls('one', (trace) => trace.some(({ type }) => type === 'failed'));
    expect(() => isDown.judge([at('failed'), at('call', { provider: 'one' })])).toThrow('one is called');
    expect(isDown.judge([at('call', { provider: 'one' }), at('failed')])).toBeUndefined();
  });
});

describe('a timeline', () => {
  it('tells every kind of thing that happens', () => {
    const error = new Error('no');
    const trace: TraceEntry[] = [
      { at: 0, type: 'trigger', trigger: 1, key: 'key-1', input: { a: 1 } },
      { at: 0, type: 'call', trigger: 1, provider: 'one', attempt: 1, fault: 'lost' },
      { at: 0, type: 'effect', trigger: 1, provider: 'one', attempt: 1 },
      { at: 1, type: 'ended', trigger: 1, provider: 'one', attempt: 1, outcome: 'failed', error },
      { at: 1, type: 'in-doubt', trigger: 1, provider: 'one', attempt: 1, outcome: 'error', error },
      { at: 1, type: 'call', trigger: 1, provider: 'twelve', attempt: 1, fault: 'slow' },
      { at: 9, type: 'effect', trigger: 1, provider: 'twelve', attempt: 1 },
      { at: 9, type: 'ended', trigger: 1, provider: 'twelve', attempt: 1, outcome: 'succeeded' },
      { at: 9, type: 'recovered', trigger: 1, provider: 'twelve' },
      { at: 9, type: 'state', key: 'key-1', state: 'triggered' },
      { at: 9, type: 'call', trigger: 2, provider: 'one', attempt: 1, fault: 'hang' },
      { at: 10, type: 'abort', trigger: 2 },
      { at: 10, type: 'ended', trigger: 2, provider: 'one', attempt: 1, outcome: 'aborted', error: 'gone' },
      { at: 10, type: 'in-doubt', trigger: 2, provider: 'one', attempt: 1, outcome: 'aborted', error: 'gone' },
      { at: 10, type: 'rejected', trigger: 2, error: 'gone' },
      { at: 11, type: 'update', input: { maxRetries: 1 } },
      { at: 11, type: 'update', input: {}, error },
      { at: 12, type: 'reset', key: 'key-2', input: {} },
      { at: 13, type: 'evict' },
      { at: 1_014, type: 'restart' },
    ];
    const mark = new Map([[trace[8] as TraceEntry, 'too late']]);
    expect(timeline(trace, mark).split('\n')).toEqual([
      '     0 ms  #1 trigger [key-1]  {"a":1}',
      '     0 ms  #1 one     attempt 1 → lost         effect landed',
      '     1 ms  #1 one     attempt 1 ✗ failed: no',
      '     1 ms  #1 one     attempt 1 is in doubt: error',
      '     1 ms  #1 twelve  attempt 1 → slow',
      '     9 ms  #1 twelve  attempt 1   effect landed',
      '     9 ms  #1 recovered by twelve   ← too late',
      '     9 ms  state [key-1] is triggered',
      '     9 ms  #2 one     attempt 1 → hang',
      '    10 ms  #2 aborted by its caller',
      '    10 ms  #2 one     attempt 1 ✗ aborted: "gone"',
      '    10 ms  #2 rejected: "gone"',
      '    11 ms  update  {"maxRetries":1}',
      '    11 ms  update  {} refused: no',
      '    12 ms  reset [key-2]  {}',
      '    13 ms  every key not in use is forgotten',
      '  1014 ms  restart: snapshot → JSON → a new engine → restore',
    ]);
  });
});
