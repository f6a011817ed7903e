import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineFallback, InvalidInputError } from '../../../src/index.ts';
import { checkFallback, PolicyViolation, type Report } from '../../../src/testing/check.ts';
import { reaches } from '../../../src/testing/invariants.ts';
import type { Outcome } from '../../../src/testing/simulate.ts';
import { FAULTS, type Trace, type TraceEntry } from '../../../src/testing/trace.ts';

const run = async () => 'paid';
const input = fc.constant({ order: 1 });
const one = { name: 'one', run, timeout: 50 };
const two = { name: 'two', run };

/** What comes of few and short histories of a definition that differs from a usual one only in this. */
const checked = (definition: object, options: object = {}): Promise<Report> =>
  checkFallback(defineFallback({ tag: 'pay', providers: [one, two], ...definition } as never) as never, {
    input,
    runs: 20,
    commands: 4,
    keys: 0,
    seed: 7,
    ...options,
  });

async function thrown(definition: object, options: object): Promise<PolicyViolation> {
  const error = await checked(definition, options).catch((error) => error);
  expect(error).toBeInstanceOf(PolicyViolation);
  return error;
}

const only = (kind: string) => Object.fromEntries(FAULTS.map((fault) => [fault, fault === kind ? 1 : 0]));

/** How long each trigger took. */
const durations = (trace: Trace) =>
  trace
    .filter(({ type }) => ['recovered', 'failed', 'refused', 'rejected'].includes(type))
    .map(({ trigger, at }) => at - (trace.find((entry) => entry.trigger === trigger)?.at ?? 0));

describe('a report', () => {
  it('counts what every history came to', async () => {
    const traces: Trace[] = [];
    const invariants = [(trace: Trace) => void traces.push(trace)];
    const definition = { maxRetries: 0, resetAfter: 100 };
    const report = await checked(definition, { invariants, runs: 40, commands: 8 });
    const all = traces.flat();
    const countOf = (isMeant: (entry: TraceEntry) => boolean) => all.filter(isMeant).length;
    const most = (names: readonly string[], isMeant: (entry: TraceEntry, name: string) => boolean) =>
      Object.fromEntries(names.map((name) => [name, countOf((entry) => isMeant(entry, name))]));
    const edges = traces.flatMap((trace) => {
      const states = ['idle', ...trace.filter(({ type }) => type === 'state').map(({ state }) => state)];
      return states.slice(1).map((state, index) => `${states[index]} → ${state}`);
    });
    expect(report).toEqual({
      runs: 40,
      states: most(['idle', 'triggered', 'exhausted'], ({ type, state }, name) => type === 'state' && state === name),
      transitions: Object.fromEntries(edges.map((edge) => [edge, edges.filter((other) => other === edge).length])),
      winners: most(['one', 'two'], ({ type, provider }, name) => type === 'recovered' && provider === name),
      faults: most(FAULTS, ({ type, fault }, name) => type === 'call' && fault === name),
      leftOut: ['one: invalid', 'two: invalid'],
      longest: Math.max(...traces.flatMap(durations)),
    });
    expect(report.longest).toBeGreaterThan(50);
    expect(report.states.exhausted).toBeGreaterThan(0);
  });

  it.each<[string, object, string, number]>([
    ['recovers', { providers: [one] }, 'ok', 49],
    ['fails', { providers: [one] }, 'hang', 50],
    ['is rejected', { providers: [one], handle: () => false }, 'reject', 49],
    ['is over before what it did is undone', { providers: [{ ...one, compensate: () => {} }] }, 'stubborn', 50],
  ])('tells how long the longest trigger took, be it one that %s', async (_, definition, kind, longest) => {
    expect((await checked(definition, { faults: only(kind), commands: 1 })).longest).toBe(longest);
  });

  // Histories of one wait and one trigger.
  it.each([51, 56, 70, 92])('measures a trigger from its own start (seed %i)', async (seed) => {
    const traces: Trace[] = [];
    const invariants = [(trace: Trace) => void traces.push(trace)];
    const options = { invariants, faults: only('hang'), runs: 1, commands: 2, seed };
    const { longest } = await checked({ providers: [one] }, options);
    expect([longest]).toEqual(traces.flatMap(durations));
  });

  it('names what never happened, too', async () => {
    const nothing = Object.fromEntries(FAULTS.filter((fault) => fault !== 'ok').map((fault) => [fault, 0]));
    const report = await checked({}, { faults: nothing, commands: 1 });
    expect(report).toMatchObject({ winners: { two: 0 }, states: { exhausted: 0 }, faults: nothing });
    expect(report.winners.one).toBe(report.faults.ok);
  });
});

describe('a check', () => {
  it('of histories in which nobody is called fails', async () => {
    const providers = [{ ...one, when: () => false }];
    await expect(checked({ providers })).rejects.toThrow(
      new Error(
        'No provider of pay was ever called in 20 histories: nothing was checked. Do its inputs, and its session, pass every `when`?',
      ),
    );
  });

  it('of histories that reach nobody who is to be reached fails', async () => {
    const faults = { ok: 50 };
    const later = { name: 'later', value: 'queued' };
    const providers = [one, { ...two, when: () => false }, { ...later, when: () => false }];
    const invariants = [reaches('one'), reaches('two', 'one', 'later')];
    const found = await thrown({ providers }, { invariants, faults });
    expect(found).toMatchObject({ invariant: 'reaches(two, one, later)', seed: 7, path: '', runs: 20, trace: [] });
    expect(found.message).toBe(
      'reaches(two, one, later) broke after 20 histories (shrunk 0 times)\n' +
        'replay with { seed: 7, runs: 20 }\ntwo, later never won in 20 histories\n\n',
    );
    expect((await checked({ providers }, { invariants: [reaches('one')], faults })).runs).toBe(20);
  });

  it('ends with the shortest history that breaks the same invariant', async () => {
    const updated = (trace: Trace) => trace.every(({ type }) => type !== 'update');
    const limited = (trace: Trace) =>
      trace.every(({ type, input }) => type !== 'update' || !('maxRetries' in Object(input)));
    const updates = fc.constant({ maxRetries: 1, resetAfter: 5 });
    const least = async (...invariants: readonly ((trace: Trace) => boolean)[]) => {
      const { invariant, trace, seed, path } = await thrown({}, { invariants, updates });
      expect(await thrown({}, { invariants, updates, seed, path })).toMatchObject({ invariant, trace, path, runs: 1 });
      expect(seed).toBe(7);
      return [invariant, trace.map(({ type, input }) => [type, input])];
    };
    expect(await least(updated)).toEqual(['updated', [['update', {}]]]);
    expect(await least(limited, updated)).toEqual(['limited', [['update', { maxRetries: 1 }]]]);
  });

  it('says so where an invariant breaks once, and not when it is asked again', async () => {
    let asked = 0;
    const fickle = () => ++asked !== 7;
    await expect(checked({}, { invariants: [fickle] })).rejects.toThrow(
      new Error(
        'A history of pay broke a promise, and kept it when it was played again: does an invariant, or the policy, depend on more than the history?',
      ),
    );
  });

  it('of one history counts it as one', async () => {
    const options = { runs: 1, faults: { ok: 50 } };
    const providers = [{ ...one, when: () => false }];
    await expect(checked({ providers }, options)).rejects.toThrow('was ever called in 1 history: nothing');
    await expect(checked({ providers }, { ...options, invariants: [reaches('one')] })).rejects.toThrow(
      'one never won in 1 history\n',
    );
  });

  it('tells of the first input that the schema refuses, and no violation', async () => {
    let tried = 0;
    const refused: unknown[] = [];
    const isText = (value: unknown) => typeof value === 'string' || refused.push(value) === 0;
    const schema = z.object({ order: z.custom(isText, { error: ({ input }) => `order ${input}` }) });
    // A few inputs are tried out before any history is played.
    const input = fc.integer({ min: 1, max: 9_999 }).map((order) => ({ order: ++tried > 20 ? order : 'a text' }));
    const error = await checked({ input: schema }, { input, seed: 3 }).catch((error) => error);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error.issues).toEqual([{ path: 'order', message: `order ${refused[0]}, got a number` }]);
    expect(new Set(refused).size).toBeGreaterThan(1);
  });
});

describe('a violation', () => {
  const trigger: TraceEntry = { at: 0, type: 'trigger', trigger: 1, input: { order: 1 } };
  const failed: TraceEntry = { at: 7, type: 'failed', trigger: 1, error: new Error('nobody is left') };
  const outcome = { trace: [trigger, failed] } as unknown as Outcome;
  const lines = '     0 ms  #1 trigger  {"order":1}\n     7 ms  #1 failed: nobody is left';

  it('marks the entry that breaks the promise', () => {
    const breach = { invariant: 'alwaysRecovers', message: 'trigger #1 failed', entry: failed };
    const found = new PolicyViolation(breach, outcome, { seed: 5, path: '0:1', runs: 1, shrunk: 3 });
    expect(found.message).toBe(
      'alwaysRecovers broke after 1 history (shrunk 3 times)\n' +
        `replay with { seed: 5, path: "0:1" }\n\n${lines}   ← trigger #1 failed`,
    );
    expect(found).toMatchObject({
      name: 'PolicyViolation',
      invariant: 'alwaysRecovers',
      timeline: `${lines}   ← trigger #1 failed`,
      trace: [trigger, failed],
      seed: 5,
      path: '0:1',
      runs: 1,
    });
  });

  it('says what broke above the timeline where that is no one entry', () => {
    const breach = { invariant: 'law 1', message: 'law 1: trigger #1 settled twice', entry: undefined };
    const found = new PolicyViolation(breach, outcome, { seed: 5, path: '0:1', runs: 2, shrunk: 0 });
    expect(found.message).toBe(
      'law 1 broke after 2 histories (shrunk 0 times)\n' +
        `replay with { seed: 5, path: "0:1" }\nlaw 1: trigger #1 settled twice\n\n${lines}`,
    );
    expect(found.timeline).toBe(lines);
  });
});
