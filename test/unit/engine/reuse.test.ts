import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  EngineClosedError,
  type Fallback,
  FallbackExhaustedError,
  FallbackFailedError,
  InDoubtError,
  InvalidInputError,
  type RunOptions,
  type TriggerResult,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;

/** A fallback whose charges take 100 ms, and fail when told to. */
function engine(
  more: { [field: string]: unknown } = {},
  options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks' | 'clock'> = {},
) {
  const clock = virtualClock(50_000);
  const bank = { isUp: true, takes: 100, calls: [] as unknown[] };
  const wait = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
  const charge = async (input: Record<string, unknown>): Promise<unknown> => {
    bank.calls.push(input.order);
    const count = bank.calls.length;
    if (bank.takes > 0) await wait(bank.takes);
    if (!bank.isUp) throw new Error(`down ${count}`);
    return `receipt ${count} of ${input.order}`;
  };
  const { fallback: api } = createDuctape({ env: 'prd', product: 'shop', clock, ...options });
  const fields = { reuse: { maxAge: 1_000 }, providers: [{ name: 'bank', run: charge }], ...more };
  api.define(defineFallback({ tag: 'pay', ...fields } as never));
  const run = (input: Record<string, unknown> = {}, at: object = {}, options?: RunOptions) =>
    api.run({ ...trigger, input, ...at }, options);
  /** What a call comes to, without time passing for it. */
  const going = (input: Record<string, unknown> = {}, at: object = {}, options?: RunOptions) => {
    const end: { result?: TriggerResult; error?: unknown; at?: number } = {};
    run(input, at, options).then(
      (result) => Object.assign(end, { result, at: clock.now() }),
      (error: unknown) => Object.assign(end, { error, at: clock.now() }),
    );
    return end;
  };
  const done = async (input: Record<string, unknown> = {}, at: object = {}) => {
    const end = going(input, at);
    await clock.runUntilIdle();
    return end;
  };
  return { api, clock, bank, run, going, done };
}

describe('a repeated trigger', () => {
  it('is given the same answer again: nobody is called, and no machine moves', async () => {
    const { api, bank, done, clock } = engine();
    const { result } = await done({ order: 'A' });
    expect(result).not.toHaveProperty('reused');
    const before = api.inspect(place);
    const heard = vi.fn();
    api.on('*', heard);
    await clock.advance(300);
    expect((await done({ order: 'A' })).result).toEqual({
      action: 'trigger',
      id: expect.any(String),
      state: 'triggered',
      provider: 'bank',
      output: 'receipt 1 of A',
      attempts: [],
      duration: 0,
      reused: true,
    });
    expect(bank.calls).toEqual(['A']);
    expect(heard).not.toHaveBeenCalled();
    expect(api.inspect(place)).toEqual(before);
  });

  it('has an id of its own, or the caller’s', async () => {
    const { done, run } = engine();
    const { result } = await done({ order: 'A' });
    const again = await run({ order: 'A' });
    expect(again.id).not.toBe(result?.id);
    expect((await run({ order: 'A' }, {}, { id: 'mine' })).id).toBe('mine');
  });

  it('A, B, A charges twice, not three times', async () => {
    const { bank, done } = engine();
    const answers = [];
    for (const order of ['A', 'B', 'A', 'B']) answers.push((await done({ order })).result?.output);
    expect(answers).toEqual(['receipt 1 of A', 'receipt 2 of B', 'receipt 1 of A', 'receipt 2 of B']);
    expect(bank.calls).toEqual(['A', 'B']);
  });

  it('calls anew once the answer is older than maxAge, counted from when it was given', async () => {
    const { bank, done, clock } = engine();
    await done({ order: 'A' });
    await clock.advance(1_000);
    expect((await done({ order: 'A' })).result).toHaveProperty('reused', true);
    await clock.advance(1);
    expect((await done({ order: 'A' })).result).not.toHaveProperty('reused');
    expect(bank.calls).toEqual(['A', 'A']);
  });

  it('makes no answer younger', async () => {
    const { bank, done, clock } = engine();
    await done({ order: 'A' });
    for (const ms of [600, 300, 200]) {
      await clock.advance(ms);
      await done({ order: 'A' });
    }
    expect(bank.calls).toEqual(['A', 'A']);
  });

  it('with maxAge 0 is reused only at the moment of the answer', async () => {
    const { bank, done, clock } = engine({ reuse: { maxAge: 0 } });
    await done({ order: 'A' });
    await done({ order: 'A' });
    expect(bank.calls).toHaveLength(1);
    await clock.advance(1);
    await done({ order: 'A' });
    expect(bank.calls).toHaveLength(2);
  });

  it('calls anew after a failure: failures are not remembered', async () => {
    const { bank, done } = engine();
    bank.isUp = false;
    expect((await done({ order: 'A' })).error).toBeInstanceOf(FallbackFailedError);
    bank.isUp = true;
    expect((await done({ order: 'A' })).result?.output).toBe('receipt 2 of A');
  });

  it('is never given the answer of another env, product, tag, cache key or input', async () => {
    const { api, bank, done, clock } = engine();
    const other = { tag: 'other', reuse: { maxAge: 1_000 }, providers: [{ name: 'bank', run: () => 'other' }] };
    api.define(defineFallback(other));
    await done({ order: 'A' }, { cache: 'k' });
    for (const [input, at] of [
      [{ order: 'A' }, {}],
      [{ order: 'A' }, { cache: 'k2' }],
      [{ order: 'A' }, { cache: 'k', env: 'dev' }],
      [{ order: 'A' }, { cache: 'k', product: 'till' }],
      [{ order: 'B' }, { cache: 'k' }],
      [{ order: 'A', more: null }, { cache: 'k' }],
    ] as const) {
      expect((await done(input, at)).result).not.toHaveProperty('reused');
    }
    expect(bank.calls).toHaveLength(7);
    const foreign = api.run({ fallback_tag: 'other', action: 'trigger', input: { order: 'A' }, cache: 'k' });
    await clock.runUntilIdle();
    expect(await foreign).toMatchObject({ output: 'other' });
  });

  it('is told apart by the input as its schema has it', async () => {
    const { bank, done } = engine({ input: z.object({ order: z.string().trim() }) });
    await done({ order: 'A' });
    expect((await done({ order: ' A ', noise: 1 })).result).toHaveProperty('reused', true);
    expect((await done({ order: 5 })).error).toBeInstanceOf(InvalidInputError);
    expect(bank.calls).toEqual(['A']);
  });

  it('is still checked: its session above all', async () => {
    const { api, run, done } = engine(
      { session: 'required' },
      { sessions: { user: (token) => token === 'good' || fail() } },
    );
    const fail = () => {
      throw new Error('refused');
    };
    const session = { tag: 'user', token: 'good' };
    await done({ order: 'A' }, { session });
    expect(await run({ order: 'A' }, { session })).toHaveProperty('reused', true);
    await expect(run({ order: 'A' }, { session: { ...session, token: 'bad' } })).rejects.toThrow(/session/i);
    await expect(run({ order: 'A' })).rejects.toThrow(/session/i);
    await api.close();
    await expect(run({ order: 'A' }, { session })).rejects.toThrow(EngineClosedError);
  });

  it('is never given the answer of another session, nor waits for it', async () => {
    const { bank, clock, going } = engine();
    const sessions = [
      undefined,
      { tag: 'user', token: 'one' },
      { tag: 'user', token: 'two' },
      { tag: 'admin', token: 'one' },
    ];
    for (let round = 0; round < 2; round++) {
      for (const session of sessions) going({ order: 'A' }, { session });
      await clock.advance(200);
      expect(bank.calls).toHaveLength(4);
    }
  });

  it('of an aborted caller rejects with its reason, though there is an answer', async () => {
    const { run, done } = engine();
    await done({ order: 'A' });
    const reason = new Error('gone');
    await expect(run({ order: 'A' }, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(run({ order: 'A' }, {}, { deadline: 0 })).rejects.toThrow(FallbackFailedError);
  });

  it('is answered although the fallback is exhausted by now', async () => {
    const { api, bank, done } = engine({ maxRetries: 0, resetAfter: 'never' });
    await done({ order: 'A' });
    bank.isUp = false;
    await done({ order: 'B' });
    expect(api.inspect(place).state).toBe('exhausted');
    expect((await done({ order: 'A' })).result).toMatchObject({ reused: true, state: 'exhausted' });
    expect((await done({ order: 'B' })).error).toBeInstanceOf(FallbackExhaustedError);
  });

  it('keeps falsy answers, and those of value providers', async () => {
    for (const value of [0, '', false, null, 'queued', () => undefined]) {
      const { done } = engine({ providers: [{ name: 'value', value }] });
      const { result } = await done();
      const again = (await done()).result;
      expect(again).toMatchObject({ reused: true, provider: 'value' });
      expect(again?.output).toBe(result?.output);
    }
  });

  it('of a wrapped primary triggers once: the primary is asked each time, its fallback is not', async () => {
    const { api, bank, clock } = engine();
    const primary = vi.fn(() => Promise.reject(new Error('primary')));
    const outputs = [];
    for (let count = 0; count < 2; count++) {
      const output = api.call('pay', primary, { input: { order: 'A' } });
      await clock.runUntilIdle();
      outputs.push(await output);
    }
    expect(outputs).toEqual(['receipt 1 of A', 'receipt 1 of A']);
    expect(primary).toHaveBeenCalledTimes(2);
    expect(bank.calls).toEqual(['A']);
  });

  it('calls anew where reuse is off', async () => {
    const { bank, done } = engine({ reuse: undefined });
    await done({ order: 'A' });
    await done({ order: 'A' });
    expect(bank.calls).toEqual(['A', 'A']);
  });

  it('calls anew where its answer has made room for others: the least recently used goes', async () => {
    const { bank, done } = engine({}, { cache: { max: 2 } });
    for (const order of ['A', 'B', 'A', 'C', 'A', 'B']) await done({ order });
    expect(bank.calls).toEqual(['A', 'B', 'C', 'B']);
  });
});

describe('equal concurrent triggers', () => {
  it('share one flight: one call, one admission, the same output', async () => {
    const { api, bank, clock, going } = engine();
    const ends = [0, 1, 2, 3].map(() => going({ order: 'A' }));
    await clock.runUntilIdle();
    expect(bank.calls).toEqual(['A']);
    expect(ends.map(({ result }) => [result?.output, result?.reused ?? false, result?.attempts.length])).toEqual([
      ['receipt 1 of A', false, 1],
      ['receipt 1 of A', true, 0],
      ['receipt 1 of A', true, 0],
      ['receipt 1 of A', true, 0],
    ]);
    expect(new Set(ends.map(({ result }) => result?.id)).size).toBe(4);
    expect(api.inspect(place)).toMatchObject({ triggers: 1, recoveries: 1, inFlight: 0 });
  });

  it('that come later wait only for the rest, and say so', async () => {
    const { clock, going } = engine();
    going({ order: 'A' });
    await clock.advance(70);
    const late = going({ order: 'A' });
    await clock.advance(30);
    expect(late.result).toMatchObject({ reused: true, duration: 30 });
  });

  it('that are not equal do not wait for each other', async () => {
    const { bank, clock, going } = engine();
    const ends = [going({ order: 'A' }), going({ order: 'B' }), going({ order: 'A' }, { cache: 'k' })];
    await clock.advance(100);
    expect(bank.calls).toEqual(['A', 'B', 'A']);
    expect(ends.map(({ result }) => result?.output)).toEqual(['receipt 1 of A', 'receipt 2 of B', 'receipt 3 of A']);
  });

  it('share a failure, counted once: the same errors, each with its own id', async () => {
    const { api, bank, clock, going } = engine();
    bank.isUp = false;
    const ends = [going({ order: 'A' }), going({ order: 'A' })];
    await clock.runUntilIdle();
    const [one, two] = ends.map(({ error }) => error as FallbackFailedError);
    expect([one, two].every((error) => error instanceof FallbackFailedError)).toBe(true);
    expect([two?.errors, two?.attempts, two?.state]).toEqual([one?.errors, one?.attempts, one?.state]);
    expect(two?.errors[0]).toBe(one?.errors[0]);
    expect(two?.id).not.toBe(one?.id);
    expect(bank.calls).toHaveLength(1);
    expect(api.inspect(place).failures).toBe(1);
  });

  it('share an error that is the caller’s own, and a doubt', async () => {
    const declined = new Error('declined');
    const own = engine({ handle: () => false, providers: [{ name: 'bank', run: () => Promise.reject(declined) }] });
    const ends = [own.going(), own.going()];
    await own.clock.runUntilIdle();
    expect(ends.map(({ error }) => error)).toEqual([declined, declined]);

    const hanging = { name: 'bank', run: () => new Promise(() => {}), timeout: 50, inDoubt: 'stop' };
    const doubtful = engine({ providers: [hanging] });
    const doubts = [doubtful.going(), doubtful.going()];
    await doubtful.clock.runUntilIdle();
    const told = doubts.map(({ error }) => error as InDoubtError);
    expect(told.map((error) => [error instanceof InDoubtError, error.provider])).toEqual([
      [true, 'bank'],
      [true, 'bank'],
    ]);
    expect(told[1]?.errors).toEqual(told[0]?.errors);
    expect(told[1]?.attempts).toEqual(told[0]?.attempts);
    expect(told[1]?.id).not.toBe(told[0]?.id);
  });

  it.each(['deadline', 'abort'])('try nobody where a leader left a doubt behind at its %s', async (how) => {
    for (const inDoubt of ['stop', 'verify', 'next'] as const) {
      const run = vi.fn(() => new Promise(() => {}));
      const verify = inDoubt === 'verify' && { verify: () => ({ done: false }) };
      const { clock, going } = engine({ providers: [{ name: 'bank', run, inDoubt, ...verify }] });
      const controller = new AbortController();
      const limits = how === 'deadline' ? { deadline: 50 } : { signal: controller.signal };
      const ends = [going({ order: 'A' }, {}, limits), going({ order: 'A' }, {}, { deadline: 200 })];
      await clock.advance(50);
      controller.abort('gone');
      await clock.runUntilIdle();
      expect(run).toHaveBeenCalledTimes(inDoubt === 'next' ? 2 : 1);
      expect(ends[1]?.error instanceof InDoubtError).toBe(inDoubt !== 'next');
    }
  });

  it('tell each caller of call and wrap of its own primary', async () => {
    const { api, clock } = engine({ providers: [{ name: 'bank', run: () => Promise.reject(new Error('down')) }] });
    const ends = ['one', 'two'].map((name) =>
      api.call('pay', () => Promise.reject(new Error(name)), { input: {}, id: name } as never).catch((error) => error),
    );
    await clock.runUntilIdle();
    const told = (await Promise.all(ends)) as FallbackFailedError[];
    expect(told.map(({ id, cause }) => [id, String(cause)])).toEqual([
      ['one', 'Error: one'],
      ['two', 'Error: two'],
    ]);
  });

  it('each keep their own abort: a follower’s ends it alone, promptly, with its reason', async () => {
    const { bank, clock, going } = engine();
    const controller = new AbortController();
    const leader = going({ order: 'A' });
    const follower = going({ order: 'A' }, {}, { signal: controller.signal });
    const other = going({ order: 'A' });
    await clock.advance(40);
    const reason = new Error('gone');
    controller.abort(reason);
    await settled();
    expect(follower).toEqual({ error: reason, at: 50_040 });
    await clock.runUntilIdle();
    expect(leader.result?.output).toBe('receipt 1 of A');
    expect(other.result?.output).toBe('receipt 1 of A');
    expect(bank.calls).toHaveLength(1);
  });

  it('each keep their own deadline: a follower’s ends it alone, without a verdict', async () => {
    const { api, clock, going } = engine();
    const leader = going({ order: 'A' });
    const follower = going({ order: 'A' }, {}, { deadline: 30 });
    await clock.runUntilIdle();
    expect(follower).toMatchObject({ error: { code: 'ERR_FALLBACK_FAILED', attempts: [] }, at: 50_030 });
    expect((follower.error as FallbackFailedError).errors[0]).toMatchObject({ code: 'ERR_DEADLINE', deadline: 30 });
    expect(leader.result?.output).toBe('receipt 1 of A');
    expect(api.inspect(place).failures).toBe(0);
  });

  it('try anew where the leader’s caller aborted it: one of them leads, the others follow', async () => {
    const { bank, clock, going } = engine();
    const controller = new AbortController();
    const leader = going({ order: 'A' }, {}, { signal: controller.signal });
    const followers = [going({ order: 'A' }), going({ order: 'A' }), going({ order: 'A' })];
    await clock.advance(40);
    controller.abort(new Error('gone'));
    await clock.runUntilIdle();
    expect(leader.error).toBe(controller.signal.reason);
    expect(bank.calls).toHaveLength(2);
    expect(followers.map(({ result }) => [result?.output, result?.reused ?? false])).toEqual([
      ['receipt 2 of A', false],
      ['receipt 2 of A', true],
      ['receipt 2 of A', true],
    ]);
    expect(followers[0]?.at).toBe(50_140);
  });

  it('try anew where the leader’s deadline has passed', async () => {
    const { bank, clock, going } = engine();
    const leader = going({ order: 'A' }, {}, { deadline: 40 });
    const follower = going({ order: 'A' });
    await clock.runUntilIdle();
    expect(leader.error).toBeInstanceOf(FallbackFailedError);
    expect(follower.result).toMatchObject({ output: 'receipt 2 of A', duration: 140 });
    expect(bank.calls).toHaveLength(2);
  });

  it('that try anew keep what is left of their deadline', async () => {
    const { clock, going } = engine();
    going({ order: 'A' }, {}, { deadline: 40 });
    const follower = going({ order: 'A' }, {}, { deadline: 90 });
    await clock.runUntilIdle();
    expect(follower).toMatchObject({ error: { code: 'ERR_FALLBACK_FAILED' }, at: 50_090 });
  });

  it('share a refusal, too', async () => {
    const { bank, done, clock, going } = engine({ maxRetries: 0, resetAfter: 'never' });
    bank.isUp = false;
    await done({ order: 'A' });
    const ends = [going({ order: 'A' }), going({ order: 'A' })];
    await clock.runUntilIdle();
    for (const { error } of ends) expect(error).toBeInstanceOf(FallbackExhaustedError);
    expect(bank.calls).toHaveLength(1);
  });

  it('are all ended by close, and leave no timer', async () => {
    const { api, clock, going } = engine({ providers: [{ name: 'bank', run: () => new Promise(() => {}) }] });
    const ends = [going({}, {}, { deadline: 900 }), going({}, {}, { deadline: 900 }), going()];
    await settled();
    await api.close();
    await settled();
    for (const { error } of ends) expect(error).toBeInstanceOf(EngineClosedError);
    expect(clock.pending).toBe(0);
    expect(api.inspect(place)).toMatchObject({ inFlight: 0, failures: 0 });
  });

  it('leave no listener on the signals of their callers', async () => {
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const { clock, going } = engine();
    for (let count = 0; count < 3; count++) going({ order: 'A' }, {}, { signal });
    await clock.runUntilIdle();
    expect(added).toHaveBeenCalledTimes(3);
    expect(removed).toHaveBeenCalledTimes(3);
  });

  it('of a synchronous provider need no sharing: the second is given the answer of the first', async () => {
    const run = vi.fn(() => 'at once');
    const { going } = engine({ providers: [{ name: 'bank', run }] });
    const ends = [going(), going()];
    await settled();
    expect(ends.map(({ result }) => result?.reused ?? false)).toEqual([false, true]);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('through wrap and call share the flight of the fallback as well', async () => {
    const { api, bank, clock } = engine();
    const charge = api.wrap('pay', (_: { order: string }) => Promise.reject(new Error('primary')));
    const outputs = Promise.all([charge({ order: 'A' }), charge({ order: 'A' }), charge({ order: 'B' })]);
    await clock.runUntilIdle();
    expect(await outputs).toEqual(['receipt 1 of A', 'receipt 1 of A', 'receipt 2 of B']);
    expect(bank.calls).toEqual(['A', 'B']);
  });
});

describe('key', () => {
  const keyed = (key: (input: Record<string, unknown>) => unknown) => ({ reuse: { maxAge: 1_000, key } });

  it('says what inputs must have in common', async () => {
    const { bank, done } = engine(keyed(({ order }) => order));
    await done({ order: 'A', at: 1 });
    expect((await done({ order: 'A', at: 2 })).result).toHaveProperty('reused', true);
    expect((await done({ order: 'B', at: 1 })).result).not.toHaveProperty('reused');
    expect(bank.calls).toEqual(['A', 'B']);
  });

  it('is compared deeply', async () => {
    const { bank, done } = engine(keyed(({ order }) => new Map([['order', [order]]])));
    await done({ order: 'A', at: 1 });
    await done({ order: 'A', at: 2 });
    expect(bank.calls).toEqual(['A']);
  });

  it('that throws, or gives a promise, is an InvalidInputError before admission', async () => {
    const oops = new Error('oops');
    const keys = [
      () => {
        throw oops;
      },
      () => Promise.reject(oops),
    ];
    for (const key of keys) {
      const { api, bank, done, clock } = engine(keyed(key));
      const { error } = await done({ order: 'A' });
      expect(error).toBeInstanceOf(InvalidInputError);
      expect((error as InvalidInputError).issues).toEqual([
        { path: 'reuse.key', message: expect.stringMatching(/^expected a function that makes a key .+, got one that/) },
      ]);
      expect(bank.calls).toEqual([]);
      expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0, inFlight: 0 });
      expect(clock.pending).toBe(0);
    }
  });

  it('that cannot be read equals nothing: no answer is shared, none is reused', async () => {
    const { bank, clock, going, done } = engine(keyed(() => Symbol('key')));
    going({ order: 'A' });
    going({ order: 'A' });
    await clock.runUntilIdle();
    expect((await done({ order: 'A' })).result).not.toHaveProperty('reused');
    expect(bank.calls).toHaveLength(3);
  });

  it('is asked once for each trigger, also for one that tries anew', async () => {
    const key = vi.fn(({ order }: Record<string, unknown>) => order);
    const { clock, going } = engine({ reuse: { maxAge: 1_000, key } });
    going({ order: 'A' });
    going({ order: 'A' });
    await clock.runUntilIdle();
    expect(key).toHaveBeenCalledTimes(2);
  });
});

describe('reuse beside lastGood', () => {
  /** The bank, and the last good answer behind it. */
  function both() {
    const made = engine();
    made.api.define(
      defineFallback({
        tag: 'rates',
        reuse: { maxAge: 50 },
        maxRetries: 0,
        resetAfter: 'never',
        providers: [
          {
            name: 'bank',
            run: async (): Promise<string> => {
              const { isUp } = made.bank;
              await new Promise<void>((resolve) => void made.clock.setTimeout(resolve, 10));
              if (!isUp) throw new Error('down');
              return 'rate';
            },
          },
          { name: 'old', lastGood: { maxAge: 1_000 } },
        ],
      }),
    );
    const go = (input: Record<string, unknown> = {}) => made.going(input, { fallback_tag: 'rates' });
    return { ...made, go };
  }

  it('does not keep a stale answer for reuse', async () => {
    const { clock, bank, go } = both();
    go();
    await clock.advance(100);
    bank.isUp = false;
    for (const age of [100, 110]) {
      const end = go();
      await clock.advance(10);
      expect(end.result).toMatchObject({ provider: 'old', stale: true, age });
      expect(end.result).not.toHaveProperty('reused');
    }
  });

  it('gives the fresh one first', async () => {
    const { clock, bank, go } = both();
    go();
    await clock.advance(40);
    bank.isUp = false;
    const end = go();
    await settled();
    expect(end.result).toMatchObject({ provider: 'bank', reused: true });
    expect(end.result).not.toHaveProperty('stale');
  });

  it('tells those who shared the flight that the answer is stale, and of what age', async () => {
    const { clock, bank, go } = both();
    go();
    await clock.advance(100);
    bank.isUp = false;
    const [leader, follower] = [go(), go()];
    await clock.advance(10);
    expect(leader.result).toMatchObject({ stale: true, age: 100 });
    expect(follower.result).toMatchObject({ stale: true, age: 100 });
  });
});
