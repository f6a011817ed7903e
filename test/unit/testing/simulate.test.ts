import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  defineFallback,
  type Fallback,
  FallbackExhaustedError,
  InvalidInputError,
} from '../../../src/index.ts';
import type { Command, Fault } from '../../../src/testing/history.ts';
import { settlesWithin } from '../../../src/testing/invariants.ts';
import { type CheckOptions, prepare } from '../../../src/testing/options.ts';
import { type Create, simulate } from '../../../src/testing/simulate.ts';
import type { FaultKind, TraceEntry } from '../../../src/testing/trace.ts';

type Engine = ReturnType<Create>['fallback'];
type Providers = Parameters<typeof defineFallback>[0]['providers'];

const run = async () => 'its own';
const input = { order: 1 };
const usual = 'paid';
const evict: Command = { type: 'evict' };
const restart: Command = { type: 'restart' };
const wait = (ms: number): Command => ({ type: 'wait', ms });
const abort = (which = 0): Command => ({ type: 'abort', which });
const fault = (kind: FaultKind, delay = 0): Fault => ({ kind, delay, output: 'given' });
const trigger = (faults: Record<string, Fault[]> = {}, key = 0, aftermath = {}): Command => ({
  type: 'trigger',
  key,
  input,
  faults,
  aftermath,
});
const update = (input: Record<string, unknown>, key = 0): Command => ({ type: 'update', key, input });

/** What these commands come to, for a policy of these providers. */
async function played(
  providers: Providers,
  commands: readonly Command[],
  { create, ...options }: Partial<CheckOptions> & { create?: Create } = {},
  whole: object = {},
) {
  const definition = defineFallback({ tag: 'x', maxRetries: 0, resetAfter: 100, ...whole, providers } as never);
  const all = { input: fc.constant(input), output: fc.constant(usual), ...options };
  const { play } = await prepare(definition as Fallback, all, create);
  return simulate(play, commands);
}

/** The trace without what is not asked for. */
const told = ({ trace }: { trace: readonly TraceEntry[] }, ...types: readonly TraceEntry['type'][]) =>
  trace.filter(({ type }) => types.length === 0 || types.includes(type));

/** An engine with a fault: ours, but for what `spoil` makes of it. */
const spoilt =
  (spoil: (engine: Engine, options: Parameters<Create>[0]) => Partial<Engine>): Create =>
  (options) => {
    const engine = createDuctape(options).fallback as unknown as Engine;
    return { fallback: { ...engine, ...spoil(engine, options) } };
  };

const one = { name: 'one', run, timeout: 50 };

describe('a trigger', () => {
  it('is told from its call to its answer, which is what its provider was to give', async () => {
    const outcome = await played([one], [trigger({ one: [fault('ok', 3)] })]);
    const { trace, calls, unsettled, leaks, faults, edges, answers } = outcome;
    const about = { trigger: 1, provider: 'one', attempt: 1 };
    expect(trace).toEqual([
      { at: 0, type: 'trigger', trigger: 1, input },
      { at: 0, type: 'state', state: 'triggered' },
      { at: 0, type: 'call', ...about, fault: 'ok', input },
      { at: 0, type: 'effect', ...about },
      { at: 3, type: 'ended', ...about, outcome: 'succeeded' },
      { at: 3, type: 'recovered', trigger: 1, provider: 'one', output: 'given' },
    ]);
    expect(calls).toMatchObject([{ ...about, at: 0, config: { maxRetries: 0 } }]);
    expect([unsettled, leaks, faults, answers, edges]).toEqual([[], [], [], [], ['idle → triggered']]);
  });

  it('has its key in all that is told of it', async () => {
    const outcome = await played([one], [trigger({ one: [fault('throw')] }, 2)]);
    expect(new Set(outcome.trace.map(({ key }) => key))).toEqual(new Set(['key-2']));
  });

  it('meets the faults meant for it, call by call, and after them none: the usual output', async () => {
    const twice = { ...one, retries: 1, backoff: 0 };
    const outcome = await played([twice], [trigger({ one: [fault('throw')] }), trigger({ two: [fault('throw')] })]);
    expect(told(outcome, 'call').map(({ trigger, attempt, fault }) => [trigger, attempt, fault])).toEqual([
      [1, 1, 'throw'],
      [1, 2, 'ok'],
      [2, 1, 'ok'],
    ]);
    expect(told(outcome, 'recovered').map(({ output }) => output)).toEqual([usual, usual]);
  });

  it('meets those of each provider from the first', async () => {
    const two = { ...one, name: 'two' };
    const outcome = await played(
      [one, two],
      [trigger({ one: [fault('throw')], two: [fault('throw'), fault('hang')] })],
    );
    expect(told(outcome, 'call').map(({ provider, fault }) => [provider, fault])).toEqual([
      ['one', 'throw'],
      ['two', 'throw'],
    ]);
    expect(told(outcome, 'ended')).toMatchObject([{ error: { message: 'thrown' } }, { error: { message: 'thrown' } }]);
    expect(outcome.refusedInput).toBeUndefined();
  });

  it('waits for its retry as long as half of the jitter makes it', async () => {
    const outcome = await played(
      [{ ...one, retries: 1, backoff: { initialDelay: 40 } }],
      [trigger({ one: [fault('throw')] })],
    );
    expect(told(outcome, 'call').map(({ at }) => at)).toEqual([0, 20]);
  });

  it.each<[string, Command[], TraceEntry['type']]>([
    ['fails', [trigger({ one: [fault('throw')] })], 'failed'],
    ['is in doubt', [trigger({ one: [fault('hang')] }), wait(50)], 'failed'],
    ['is refused', [trigger({ one: [fault('throw')] }), trigger()], 'refused'],
    ['is aborted', [trigger({ one: [fault('hang')] }), abort()], 'rejected'],
  ])('that %s is told to its caller so, with the error', async (what, commands, type) => {
    const stopping = what === 'is in doubt' ? { ...one, inDoubt: 'stop' as const } : one;
    const end = told(await played([stopping], commands)).findLast((entry) => entry.type === type);
    expect(end).toMatchObject({ trigger: commands.filter(({ type }) => type === 'trigger').length });
    expect(end?.error).toBeInstanceOf(Error);
  });

  it('that was given an answer again says so', async () => {
    const again = await played([one], [trigger(), trigger()], {}, { reuse: { maxAge: 10 } });
    expect(told(again, 'recovered').map(({ reused }) => reused)).toEqual([undefined, true]);
    const old = { name: 'old', lastGood: { maxAge: 10 } };
    const stale = await played([one, old], [trigger(), trigger({ one: [fault('throw')] })]);
    expect(told(stale, 'recovered').map(({ provider, stale }) => [provider, stale])).toEqual([
      ['one', undefined],
      ['old', true],
    ]);
  });

  it('whose input the schema refuses is the fault of the arbitrary: the first is kept', async () => {
    const schema = z.object({ order: z.number().refine((order) => order === 1) });
    const bad = (order: number): Command => ({ ...trigger(), input: { order } }) as Command;
    const { refusedInput } = await played([one], [trigger(), bad(2), bad(3)], {}, { input: schema });
    expect(refusedInput).toBeInstanceOf(InvalidInputError);
    expect((await played([one], [trigger()])).refusedInput).toBeUndefined();
  });

  it('lands one effect however often, where its provider is idempotent', async () => {
    const outcome = await played([{ ...one, idempotent: true }], [trigger()]);
    expect(told(outcome, 'effect')).toMatchObject([{ idempotent: true }]);
  });

  it('may be given what the schema refuses', async () => {
    const accept = (output: unknown) => output === usual || output === 'given';
    const outcome = await played([{ ...one, accept }], [trigger({ one: [fault('invalid')] })]);
    expect(told(outcome, 'ended')).toMatchObject([{ outcome: 'failed' }]);
  });

  it('is late by the timeout of the provider that answers, or by a second', async () => {
    const slow = { faults: [fault('slow')], wait: wait(2_000) };
    const timed = await played([one], [trigger({ one: slow.faults }), slow.wait]);
    expect(told(timed, 'ended')).toMatchObject([{ at: 50, outcome: 'timed-out' }]);
    const patient = await played([{ name: 'one', run }], [trigger({ one: slow.faults }), slow.wait]);
    expect(told(patient, 'ended')).toMatchObject([{ at: 1_001, outcome: 'succeeded' }]);
  });
});

describe('an abort', () => {
  const hanging = trigger({ one: [fault('hang')] });

  it.each([
    [0, 1],
    [1, 2],
    [2, 1],
    [3, 2],
  ])('of number %i of those in flight, counted round, is of trigger #%i', async (which, number) => {
    const outcome = await played([{ name: 'one', run }], [hanging, { ...hanging, key: 1 } as Command, abort(which)]);
    const key = number === 2 ? { key: 'key-1' } : {};
    expect(told(outcome, 'abort')).toEqual([{ at: 0, type: 'abort', trigger: number, ...key }]);
    const [first] = told(outcome, 'rejected');
    expect(first).toMatchObject({ trigger: number, error: { message: 'the caller gave up' } });
  });

  it('of a probe leaves the machine where the model says', async () => {
    const commands = [trigger({ one: [fault('throw')] }), wait(100), hanging, abort(), wait(1)];
    const { faults, edges } = await played([one], commands);
    expect([faults, edges]).toEqual([[], ['idle → triggered', 'triggered → exhausted']]);
  });

  it('is of nobody where nobody is in flight: neither the over nor the aborted', async () => {
    const over = await played([one], [trigger(), abort()]);
    expect(told(over, 'abort')).toEqual([]);
    const twice = await played([{ name: 'one', run }], [hanging, abort(), abort(), abort(1)]);
    expect(told(twice, 'abort')).toHaveLength(1);
  });
});

describe('a change', () => {
  it('is told with its input, and with the error where it is refused', async () => {
    const outcome = await played([one], [update({ maxRetries: 3 }), update({ maxRetries: -1 }, 1)]);
    expect(told(outcome, 'update')).toStrictEqual([
      { at: 0, type: 'update', input: { maxRetries: 3 } },
      { at: 0, type: 'update', key: 'key-1', input: { maxRetries: -1 }, error: expect.any(Error) },
    ]);
    expect(outcome.faults).toEqual([]);
  });

  it('by an update moves the machine where the model says', async () => {
    const outcome = await played([one], [trigger({ one: [fault('throw')] }), update({ maxRetries: 1 })]);
    expect(told(outcome, 'state').map(({ state }) => state)).toEqual(['triggered', 'exhausted', 'triggered']);
    expect(outcome.faults).toEqual([]);
  });

  it('by a reset brings an exhausted machine back, of the key that it names', async () => {
    const reset: Command = { type: 'reset', key: 1, input: { config: false, keys: false } };
    const failing = trigger({ one: [fault('throw')] });
    const commands = [failing, { ...failing, key: 1 } as Command, reset];
    const outcome = await played([one], commands);
    expect(told(outcome, 'state').map(({ key, state }) => [key, state])).toEqual([
      [undefined, 'triggered'],
      [undefined, 'exhausted'],
      ['key-1', 'triggered'],
      ['key-1', 'exhausted'],
      ['key-1', 'idle'],
    ]);
    expect(told(outcome, 'reset')).toEqual([{ at: 0, type: 'reset', key: 'key-1', input: reset.input }]);
  });
});

describe('an eviction', () => {
  it('forgets every key that nothing holds, and no unkeyed machine', async () => {
    const failing = (key: number) => trigger({ one: [fault('throw')] }, key);
    const outcome = await played([one], [failing(0), failing(1), evict, trigger({}, 1), trigger()], { keys: 2 });
    expect(told(outcome, 'refused').map(({ trigger }) => trigger)).toEqual([4]);
    expect(told(outcome, 'recovered').map(({ trigger }) => trigger)).toEqual([3]);
    expect(told(outcome, 'evict')).toEqual([{ at: 0, type: 'evict' }]);
  });

  it('leaves a trigger in flight its key, and tells nothing of those who push', async () => {
    const outcome = await played([one], [trigger({ one: [fault('ok', 9)] }, 1), evict, wait(9)], { keys: 1 });
    expect(told(outcome, 'recovered')).toMatchObject([{ trigger: 1, key: 'key-1' }]);
    expect(told(outcome, 'call', 'ended', 'state').every(({ key }) => key === 'key-1')).toBe(true);
    expect(outcome.faults).toEqual([]);
  });

  it.each([
    [0, 1],
    [3, 3],
  ])('with %i keys in play is by %i others, each new', async (keys, count) => {
    const asked: object[] = [];
    const create = spoilt((engine) => ({
      run: (...args) => {
        asked.push(args);
        return engine.run(...args);
      },
    }));
    await played([one], [trigger(), evict, evict], { keys, create });
    expect(asked.slice(1)).toEqual(
      Array.from({ length: 2 * count }, (_, index) => [
        { fallback_tag: 'x', action: 'trigger', input, cache: `filler-${index + 1}` },
        { id: 'filler' },
      ]),
    );
  });

  it('is nothing before the first trigger, whose input it needs', async () => {
    expect((await played([one], [evict])).trace).toEqual([]);
  });
});

describe('a restart', () => {
  it('keeps what is remembered, through JSON, and closes the engine before', async () => {
    const closed = vi.fn();
    const create = spoilt((engine) => ({
      close: () => {
        closed();
        return engine.close();
      },
    }));
    const commands = [trigger({ one: [fault('throw')] }), wait(40), restart, trigger(), wait(60), trigger()];
    const outcome = await played([one], commands, { create });
    expect(told(outcome, 'restart')).toEqual([{ at: 40, type: 'restart' }]);
    expect(told(outcome, 'refused').map(({ trigger }) => trigger)).toEqual([2]);
    expect(told(outcome, 'recovered').map(({ trigger }) => trigger)).toEqual([3]);
    expect([outcome.faults, closed.mock.calls.length]).toEqual([[], 2]);
  });

  it('ends what is in flight', async () => {
    const outcome = await played([one], [trigger({ one: [fault('hang')] }), restart]);
    expect(told(outcome, 'rejected')).toMatchObject([{ at: 0, trigger: 1, error: { code: 'ERR_CLOSED' } }]);
    expect(outcome.faults).toEqual([]);
  });

  it('ends a probe: the machine stands where the model says', async () => {
    const commands = [
      trigger({ one: [fault('throw')] }),
      wait(100),
      trigger({ one: [fault('hang')] }),
      restart,
      wait(1),
    ];
    expect((await played([one], commands)).faults).toEqual([]);
  });

  const compensate = () => {};

  it('waits for what is being undone, as close would with a grace', async () => {
    const slowly = { compensate: { one: [fault('reject', 20), fault('ok', 20)] } };
    const undone = trigger({ one: [fault('stubborn')] }, 0, slowly);
    const outcome = await played([{ ...one, compensate, backoff: 0 }], [undone, wait(52), restart]);
    const [first, second] = told(outcome, 'compensate', 'compensated', 'restart');
    expect(first).toMatchObject({ type: 'compensate', fault: 'reject' });
    expect(second).toMatchObject({ type: 'compensate', fault: 'ok' });
    expect(told(outcome, 'restart')[0]?.at).toBeGreaterThan(second?.at ?? Number.NaN);
    expect(outcome.verdicts).toMatchObject([{ type: 'compensated', trigger: 1, provider: 'one', attempt: 1 }]);
    expect(outcome.answers).toMatchObject([{ trigger: 1, provider: 'one', attempt: 1, output: 'given' }]);
    expect(outcome.undoings).toMatchObject([{ output: 'given' }, { output: 'given' }]);
  });
});

describe('what comes after a call', () => {
  it('is waited for until there is no hope', async () => {
    const forEver = { compensate: { one: [fault('hang')] } };
    const unlimited = { name: 'one', run, compensate: () => {} };
    const last = { name: 'last', value: 'queued' };
    const accept = (output: unknown) => output !== 'refused';
    const refused = { kind: 'ok', delay: 0, output: 'refused' } as const;
    const commands = [trigger({ one: [refused] }, 0, forEver), restart];
    const outcome = await played([{ ...unlimited, accept }, last], commands);
    expect(told(outcome, 'compensate', 'restart')).toMatchObject([{ at: 0 }, { at: 50_000 }]);
    expect(outcome.verdicts).toMatchObject([{ type: 'compensation-failed', trigger: 1 }]);
  });

  it('asks whether it has worked, and takes its word', async () => {
    const verify = () => ({ done: false }) as const;
    const asking = { ...one, inDoubt: 'verify' as const, verify };
    const outcome = await played([asking], [trigger({ one: [fault('stubborn')] }), wait(50)]);
    expect(told(outcome, 'verify')).toMatchObject([{ provider: 'one', fault: 'ok', outcome: 'it was done' }]);
    expect(told(outcome, 'recovered')).toMatchObject([{ output: usual }]);
  });

  it('comes within the timeout of its provider, unless it is slow', async () => {
    const asking = { ...one, inDoubt: 'verify' as const, verify: () => ({ done: false }) as const };
    const verify = (kind: FaultKind) =>
      trigger({ one: [fault('stubborn')] }, 0, { verify: { one: [fault(kind, 70)] } });
    const inTime = await played([asking], [verify('ok'), wait(100)]);
    expect(told(inTime, 'recovered')).toMatchObject([{ at: 99, output: usual }]);
    const late = await played([asking], [verify('slow'), wait(100)]);
    expect(told(late, 'failed')).toMatchObject([{ at: 100, error: { code: 'ERR_IN_DOUBT' } }]);
  });

  it('is how a provider says it is, from now on', async () => {
    const checked = { ...one, healthcheck: { check: async () => true, interval: 10 } };
    const last = { name: 'last', value: 'queued' };
    const sick: Command = { type: 'health', provider: 'one', answer: 'sick' };
    const outcome = await played([checked, last], [sick, trigger(), wait(10), trigger()]);
    expect(told(outcome, 'health', 'check')).toMatchObject([
      { type: 'health', provider: 'one', outcome: 'sick' },
      { type: 'check', provider: 'one', outcome: 'sick' },
      { type: 'check', provider: 'one', outcome: 'sick' },
    ]);
    expect(told(outcome, 'recovered').map(({ provider }) => provider)).toContain('last');
    expect(told(outcome, 'provider')).toMatchObject([{ provider: 'one', outcome: 'unhealthy' }]);
  });
});

describe('the end', () => {
  it('comes once all is over, however long that takes', async () => {
    const outcome = await played([{ name: 'one', run }], [trigger({ one: [fault('slow', 5_000)] })]);
    expect([told(outcome, 'recovered')[0]?.at, outcome.unsettled]).toEqual([6_001, []]);
  });

  it('comes at the longest time that an invariant allows, where one does', async () => {
    const invariants = [settlesWithin(100), settlesWithin(300)];
    const slow = (delay: number) => trigger({ one: [{ ...fault('slow'), delay }] });
    const commands = [slow(0), wait(1_001), slow(0)];
    const outcome = await played([{ name: 'one', run }], commands, { invariants });
    expect(told(outcome, 'recovered', 'rejected')).toMatchObject([
      { at: 1_001, type: 'recovered' },
      { at: 1_302, type: 'rejected', error: { code: 'ERR_CLOSED' } },
    ]);
  });

  it('tells of a trigger that never settled, and of what is left behind', async () => {
    const create = spoilt((_, options) => ({
      run: (_, given) => {
        const { signal } = given as { signal: AbortSignal };
        signal.addEventListener('abort', () => {});
        options?.clock?.setTimeout(() => options.clock?.setTimeout(() => {}, 10), 10);
        return new Promise(() => {});
      },
    }));
    const { unsettled, leaks } = await played([one], [trigger(), trigger()], { create });
    expect([unsettled, leaks]).toEqual([[1, 2], ['2 abort listeners are left']]);
  });

  it('tells of timers that an engine sets again and again after it is closed', async () => {
    let isClosed = false;
    const create = spoilt((engine, options) => ({
      close: async () => {
        isClosed = true;
        await engine.close();
        // Once the clock has come to rest.
        setImmediate(() => setImmediate(() => options?.clock?.setTimeout(() => {}, 10)));
      },
    }));
    const { leaks } = await played([one], [trigger()], { create });
    expect(isClosed).toBe(true);
    expect(leaks).toEqual(['1 timers are left']);
  });

  it('tells what an engine does against the model, law by law', async () => {
    const create = spoilt((engine) => ({ inspect: (request) => ({ ...engine.inspect(request), failures: 7 }) }));
    const { faults } = await played([one], [trigger()], { create, keys: 0 });
    expect(faults).toEqual([
      'laws 4 to 8: after trigger, the machine stands at {"state":"triggered","failures":7}, and should at {"state":"triggered","failures":0}',
    ]);
  });

  const answering = (answer: object): Create =>
    spoilt(() => ({ run: async () => ({ provider: 'one', output: 1, state: 'triggered', ...answer }) }));

  it.each<[string, Create, string[]]>([
    [
      'hears something else than was said',
      spoilt((engine) => ({
        run: async (...asked) => {
          await engine.run(...asked).catch(() => {});
          return { provider: 'one', output: 1, state: 'triggered' };
        },
      })),
      ['law 1: trigger #1 failed, but its caller was told recovered'],
    ],
    [
      'is refused without need',
      spoilt(() => ({ run: () => Promise.reject(new FallbackExhaustedError(undefined, undefined, {})) })),
      ['law 5: trigger #1 was refused, and should not be'],
    ],
    [
      'gets a stale answer without need',
      answering({ stale: true }),
      ['law 5: trigger #1 got a stale answer, and should have been let in'],
    ],
    ['is answered, and nothing is said of it', answering({}), []],
    ['shares a stale answer', answering({ stale: true, reused: true }), []],
  ])('tells of a caller who %s', async (_what, create, faults) => {
    const { faults: found } = await played([one], [trigger({ one: [fault('throw')] })], { create });
    // What the model then expects is another matter.
    expect(found.slice(0, 1)).toEqual(faults);
  });
});
