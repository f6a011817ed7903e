import { describe, expect, it } from 'vitest';
import type { FallbackEvent } from '../../../src/index.ts';
import { Aftermath } from '../../../src/testing/aftermath.ts';
import type { Fault, Faults } from '../../../src/testing/history.ts';
import type { TraceEntry } from '../../../src/testing/trace.ts';
import { flush, virtualClock } from '../../../src/testing/virtual-clock.ts';

const SLOW: Fault = { kind: 'slow', delay: 5, output: undefined };
const FINE: Fault = { kind: 'ok', delay: 30, output: undefined };
const THROWN: Fault = { kind: 'throw', delay: 0, output: undefined };
const LOST: Fault = { kind: 'lost', delay: 5, output: undefined };
const STUBBORN: Fault = { kind: 'stubborn', delay: 0, output: undefined };
const EFFECT: TraceEntry = { at: 0, type: 'effect', trigger: 1, provider: 'one', attempt: 1 };

/** A world with two triggers, `t1` without a key and `t2` for key 3; each provider has 50 ms, and usually says its name. */
function world(of: { verify?: Faults; compensate?: Faults } = {}, before: readonly TraceEntry[] = []) {
  const clock = virtualClock(100);
  const trace: TraceEntry[] = [...before];
  const notes: object[] = [];
  const triggers = new Map([
    ['t1', { number: 1, key: 0, aftermath: of }],
    ['t2', { number: 2, key: 3 }],
  ]);
  const aftermath = new Aftermath({
    clock,
    trace,
    limitOf: () => 50,
    usualOf: (provider) => `usual of ${provider}`,
    triggerOf: (id) => triggers.get(id),
    note: (type, { key, ...facts }) => {
      trace.push({ at: clock.now(), type, ...facts });
      notes.push({ type, ...(key !== undefined && { key }), ...facts });
    },
  });
  const controller = new AbortController();
  const call = (id: string, attempt = 1) => ({ id, attempt, signal: controller.signal, config: { providers: {} } });
  return { aftermath, clock, trace, notes, controller, call };
}

const AT = { at: 0, env: 'e', product: 'p', tag: 't', id: 't1' };

describe('verify', () => {
  it.each([
    { why: 'of that trigger and provider', effect: EFFECT, provider: 'one', done: true },
    { why: 'of another attempt of it', effect: { ...EFFECT, attempt: 2 }, provider: 'one', done: true },
    { why: 'of another provider', effect: EFFECT, provider: 'two', done: false },
    { why: 'of another trigger', effect: { ...EFFECT, trigger: 2 }, provider: 'one', done: false },
  ])('knows the truth where there is an effect $why', ({ effect, provider, done }) => {
    const { aftermath, notes, call } = world({}, [effect]);
    expect(aftermath.verify(provider, call('t1'))).toEqual(done ? { done, output: `usual of ${provider}` } : { done });
    const outcome = done ? 'it was done' : 'it was not done';
    expect(notes).toEqual([{ type: 'verify', trigger: 1, key: 0, provider, attempt: 1, fault: 'ok', outcome }]);
  });

  it('does not find an effect that was undone', () => {
    const { aftermath, call } = world({}, [EFFECT, { ...EFFECT, type: 'compensated' }]);
    expect(aftermath.verify('one', call('t1'))).toEqual({ done: false });
  });

  it('says that nothing was done of a trigger nobody knows, and tells nobody', () => {
    const { aftermath, notes, call } = world({}, [EFFECT]);
    expect(aftermath.verify('one', call('filler'))).toEqual({ done: false });
    expect(notes).toEqual([]);
  });

  it('tells its key, and is well where nothing was said about it', () => {
    const { aftermath, notes, call } = world({ verify: { one: [THROWN] } });
    expect(aftermath.verify('one', call('t2', 4))).toEqual({ done: false });
    expect(notes).toEqual([
      { type: 'verify', trigger: 2, key: 3, provider: 'one', attempt: 4, fault: 'ok', outcome: 'it was not done' },
    ]);
  });

  it('plays its faults call by call, whatever the attempt, provider by provider, then is well', async () => {
    const faults = { one: [THROWN, FINE], two: [THROWN] };
    const { aftermath, clock, notes, call } = world({ verify: faults, compensate: { one: [FINE] } }, [EFFECT]);
    expect(() => aftermath.verify('one', call('t1', 1))).toThrow(new Error('thrown'));
    expect(() => aftermath.verify('two', call('t1', 1))).toThrow(new Error('thrown'));
    const slower = aftermath.verify('one', call('t1', 2));
    await clock.advance(29);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(clock.pending).toBe(0);
    expect(await slower).toEqual({ done: true, output: 'usual of one' });
    expect(aftermath.verify('one', call('t1', 2))).toEqual({ done: true, output: 'usual of one' });
    const told = { type: 'verify', trigger: 1, key: 0 };
    expect(notes).toEqual([
      { ...told, provider: 'one', attempt: 1, fault: 'throw', outcome: 'it was done' },
      { ...told, provider: 'two', attempt: 1, fault: 'throw', outcome: 'it was not done' },
      { ...told, provider: 'one', attempt: 2, fault: 'ok', outcome: 'it was done' },
      { ...told, provider: 'one', attempt: 2, fault: 'ok', outcome: 'it was done' },
    ]);
  });

  it('has no effect of its own', () => {
    const { aftermath, trace, call } = world();
    aftermath.verify('one', call('t1'));
    expect(trace.map(({ type }) => type)).toEqual(['verify']);
  });
});

describe('compensate', () => {
  const told = { trigger: 1, provider: 'one', attempt: 1 };

  it('undoes the effect at once, and is over then', () => {
    const { aftermath, notes, call } = world();
    expect(aftermath.compensate('one', 'receipt', call('t1'))).toBeUndefined();
    expect(notes).toEqual([
      { type: 'compensate', ...told, key: 0, fault: 'ok' },
      { type: 'compensated', ...told, key: 0 },
    ]);
    expect(aftermath.undoings).toEqual([{ ...told, output: 'receipt', doneAt: 100 }]);
  });

  it('undoes nothing of a trigger nobody knows', () => {
    const { aftermath, notes, call } = world();
    expect(aftermath.compensate('one', 'receipt', call('filler'))).toBeUndefined();
    expect([notes, aftermath.undoings]).toEqual([[], []]);
  });

  it('does no harm once more', () => {
    const { aftermath, notes, call } = world();
    aftermath.compensate('one', 'receipt', call('t1'));
    aftermath.compensate('one', 'receipt', call('t1'));
    expect(notes.slice(2)).toEqual([{ type: 'compensate', ...told, key: 0, fault: 'ok' }]);
    expect(aftermath.undoings).toHaveLength(2);
  });

  it.each([
    { id: 't1', provider: 'one', attempt: 2, about: { trigger: 1, provider: 'one', attempt: 2, key: 0 } },
    { id: 't1', provider: 'two', attempt: 1, about: { trigger: 1, provider: 'two', attempt: 1, key: 0 } },
    { id: 't2', provider: 'one', attempt: 1, about: { trigger: 2, provider: 'one', attempt: 1, key: 3 } },
  ])('undoes each attempt’s effect apart: $about', ({ id, provider, attempt, about }) => {
    const { aftermath, notes, call } = world();
    aftermath.compensate('one', 'receipt', call('t1'));
    aftermath.compensate(provider, 'receipt', call(id, attempt));
    expect(notes.at(-1)).toEqual({ type: 'compensated', ...about });
  });

  it('plays its faults attempt by attempt, then is well', () => {
    const { aftermath, notes, call } = world({ compensate: { one: [THROWN] }, verify: { one: [FINE] } });
    expect(() => aftermath.compensate('one', 'a', call('t1', 1))).toThrow(new Error('thrown'));
    expect(() => aftermath.compensate('one', 'b', call('t1', 2))).toThrow(new Error('thrown'));
    aftermath.verify('one', call('t1', 1));
    aftermath.compensate('one', 'a', call('t1', 1));
    expect(notes.map((note) => ('fault' in note ? note.fault : undefined))).toEqual([
      'throw',
      'throw',
      'ok',
      'ok',
      undefined,
    ]);
    expect(aftermath.undoings).toEqual([
      { trigger: 1, provider: 'one', attempt: 1, output: 'a', doneAt: undefined },
      { trigger: 1, provider: 'one', attempt: 2, output: 'b', doneAt: undefined },
      { trigger: 1, provider: 'one', attempt: 1, output: 'a', doneAt: 100 },
    ]);
  });

  it('that takes its time is over when it has answered', async () => {
    const { aftermath, clock, call } = world({ compensate: { one: [FINE] } });
    void aftermath.compensate('one', 'receipt', call('t1'));
    await clock.advance(29);
    expect(aftermath.undoings[0]?.doneAt).toBeUndefined();
    await clock.advance(1);
    expect(aftermath.undoings[0]?.doneAt).toBe(130);
  });

  it('whose answer is lost has undone the effect, and is not over', async () => {
    const { aftermath, clock, notes, call } = world({ compensate: { one: [LOST] } });
    const lost = expect(aftermath.compensate('one', 'receipt', call('t1'))).rejects.toThrow('answer lost');
    await clock.advance(5);
    await lost;
    expect(notes.at(-1)).toEqual({ type: 'compensated', ...told, key: 0 });
    expect(aftermath.undoings[0]?.doneAt).toBeUndefined();
  });

  it.each([
    { abortAt: 30, doneAt: undefined },
    { abortAt: 60, doneAt: 151 },
  ])('that answers at 51 ms and was given up on at $abortAt is over at $doneAt', async ({ abortAt, doneAt }) => {
    const { aftermath, clock, controller, call } = world({ compensate: { one: [STUBBORN] } });
    void aftermath.compensate('one', 'receipt', call('t1'));
    clock.setTimeout(() => controller.abort(), abortAt);
    await clock.runUntilIdle();
    expect(aftermath.undoings[0]?.doneAt).toBe(doneAt);
  });

  it('undoes the effect late where it is slow', async () => {
    const { aftermath, clock, trace, call } = world({ compensate: { one: [SLOW] } });
    void aftermath.compensate('one', 'receipt', call('t1'));
    await clock.advance(55);
    expect(trace.map(({ type }) => type)).toEqual(['compensate']);
    await clock.advance(1);
    expect(trace.map(({ type }) => type)).toEqual(['compensate', 'compensated']);
  });
});

describe('what is being undone', () => {
  const verdict = { ...AT, provider: 'one', input: {}, output: 'a' };

  it.each([
    { ...verdict, type: 'compensated', attempt: 1 },
    { ...verdict, type: 'compensation-failed', attempt: 1, errors: [] },
  ] as const)('is open, attempt by attempt, until the engine says: $type', (event) => {
    const { aftermath, call } = world();
    expect(aftermath.open).toBe(0);
    aftermath.compensate('one', 'a', call('t1', 1));
    aftermath.compensate('one', 'a', call('t1', 1));
    expect(aftermath.open).toBe(1);
    aftermath.compensate('one', 'b', call('t1', 2));
    expect(aftermath.open).toBe(2);
    aftermath.hear(event, 1, 0);
    expect(aftermath.open).toBe(1);
    expect(aftermath.verdicts).toEqual([{ type: event.type, trigger: 1, provider: 'one', attempt: 1 }]);
  });
});

describe('a health check', () => {
  it.each([
    { answer: undefined, healthy: true },
    { answer: 'well', healthy: true },
    { answer: 'sick', healthy: false },
  ] as const)('answers $healthy where it was told $answer', ({ answer, healthy }) => {
    const { aftermath, notes, controller } = world();
    if (answer) aftermath.say('one', answer);
    expect(aftermath.check('one', controller.signal)).toBe(healthy);
    expect(notes.at(-1)).toEqual({ type: 'check', provider: 'one', outcome: answer ?? 'well' });
  });

  it('answers what it was told last, for that provider alone, and all of it is noted', () => {
    const { aftermath, notes, controller } = world();
    aftermath.say('one', 'well');
    aftermath.say('one', 'throw');
    expect(aftermath.check('two', controller.signal)).toBe(true);
    expect(() => aftermath.check('one', controller.signal)).toThrow(new Error('the check broke'));
    expect(notes).toEqual([
      { type: 'health', provider: 'one', outcome: 'well' },
      { type: 'health', provider: 'one', outcome: 'throw' },
      { type: 'check', provider: 'two', outcome: 'well' },
      { type: 'check', provider: 'one', outcome: 'throw' },
    ]);
  });

  it('hangs until it is given up on', async () => {
    const { aftermath, clock, controller } = world();
    aftermath.say('one', 'hang');
    const ended: string[] = [];
    const hanging = (aftermath.check('one', controller.signal) as Promise<void>).catch(({ message }) => {
      ended.push(message);
    });
    await clock.advance(1_000_000);
    expect(ended).toEqual([]);
    controller.abort(new Error('gone'));
    await hanging;
    expect(ended).toEqual(['gone']);
  });
});

describe('the answers of calls', () => {
  it('are kept in the order in which they come, without those that fail', async () => {
    const { aftermath, clock } = world();
    const after = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const about = { trigger: 1, provider: 'one' };
    aftermath.answered(
      { ...about, attempt: 1 },
      after(20).then(() => 'late'),
    );
    aftermath.answered({ ...about, attempt: 2 }, Promise.reject(new Error('503')));
    aftermath.answered({ ...about, attempt: 3 }, 'at once');
    expect(aftermath.answers).toEqual([{ ...about, attempt: 3, output: 'at once' }]);
    await clock.advance(20);
    await flush();
    expect(aftermath.answers).toEqual([
      { ...about, attempt: 3, output: 'at once' },
      { ...about, attempt: 1, output: 'late' },
    ]);
  });
});

describe('an event of the engine', () => {
  const error = new Error('lost');
  const doubt = { ...AT, type: 'in-doubt', provider: 'one', attempt: 2, because: 'error', input: {}, error } as const;
  const undone = { ...AT, type: 'compensated', provider: 'one', attempt: 2, input: {}, output: 'a' } as const;
  const stands = { ...undone, type: 'compensation-failed', errors: [] } as const;
  const about = { trigger: 1, provider: 'one', attempt: 2 };

  it.each<{ event: FallbackEvent; note?: object; verdict?: object }>([
    {
      event: { ...AT, type: 'provider-unhealthy', provider: 'one', failures: 3 },
      note: { type: 'provider', provider: 'one', outcome: 'unhealthy' },
    },
    {
      event: { ...AT, type: 'provider-probing', provider: 'one', failures: 3 },
      note: { type: 'provider', provider: 'one', outcome: 'probing' },
    },
    {
      event: { ...AT, type: 'provider-healthy', provider: 'one', failures: 0 },
      note: { type: 'provider', provider: 'one', outcome: 'healthy' },
    },
    { event: doubt, note: { type: 'in-doubt', ...about, key: 3, outcome: 'error', error } },
    // That an effect is undone the provider itself has told.
    { event: undone, verdict: { type: 'compensated', ...about } },
    {
      event: stands,
      note: { type: 'compensation-failed', ...about, key: 3 },
      verdict: { type: 'compensation-failed', ...about },
    },
  ])('is about what comes after a call: $event.type', ({ event, note, verdict }) => {
    const { aftermath, notes } = world();
    expect(aftermath.hear(event, 1, 3)).toBe(true);
    expect(notes).toEqual(note ? [note] : []);
    expect(aftermath.verdicts).toEqual(verdict ? [verdict] : []);
  });

  it.each([doubt, undone, stands])('of a trigger that does not count is told nobody: $type', (event) => {
    for (const number of [0, Number.NaN]) {
      const { aftermath, notes } = world();
      expect(aftermath.hear(event, number, 0)).toBe(true);
      expect([notes, aftermath.verdicts]).toEqual([[], []]);
    }
  });

  it.each<FallbackEvent>([
    { ...AT, type: 'recovered', state: 'triggered', provider: 'one', duration: 1 },
    { ...AT, type: 'attempt-started', provider: 'one', attempt: 1 },
    { ...AT, type: 'updated', state: 'idle', config: {} as never, revision: 1 },
  ])('may be about something else: $type', (event) => {
    const { aftermath, notes } = world();
    expect(aftermath.hear(event, 1, 3)).toBe(false);
    expect([notes, aftermath.verdicts]).toEqual([[], []]);
  });
});
