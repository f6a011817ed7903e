import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  type FallbackEvent,
  FallbackExhaustedError,
  FallbackFailedError,
  type TriggerResult,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'rates' };
const trigger = { ...place, action: 'trigger' } as const;
const old = { name: 'old', lastGood: { maxAge: 1_000 } };
const wait = (clock: { setTimeout(callback: () => void, ms: number): unknown }, ms: number) =>
  new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));

/** A fallback whose first provider is up until told otherwise, with the last good answer behind it. */
function engine(
  more: { [field: string]: unknown } = {},
  options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks' | 'clock'> = {},
  clock = virtualClock(50_000),
) {
  const bank = { isUp: true, calls: 0 };
  const ask = async (input: Record<string, unknown>): Promise<unknown> => {
    bank.calls++;
    if (!bank.isUp) throw new Error('down');
    return { of: input.of, call: bank.calls };
  };
  const { fallback: api } = createDuctape({ env: 'prd', product: 'shop', clock, ...options });
  api.define(defineFallback({ tag: 'rates', providers: [{ name: 'bank', run: ask }, old], ...more } as never));
  const run = (input: Record<string, unknown> = {}, at: object = {}) => api.run({ ...trigger, input, ...at });
  const refused = (input: Record<string, unknown> = {}, at: object = {}) =>
    run(input, at).then(
      (result) => expect.fail(`expected an error, got ${JSON.stringify(result)}`),
      (error: unknown) => error,
    );
  return { api, clock, bank, run, refused };
}

const told = ({ attempts }: Pick<TriggerResult, 'attempts'>) =>
  attempts.map(({ provider, outcome, reason }) => [provider, outcome, ...(reason ? [reason] : [])].join(' '));

describe('a lastGood provider', () => {
  it('gives the last good answer once more, and says how old it is', async () => {
    const { run, bank, clock } = engine();
    const fresh = await run({ of: 'usd' });
    expect(fresh).not.toHaveProperty('stale');
    expect(fresh).not.toHaveProperty('age');
    bank.isUp = false;
    await clock.advance(400);
    const stale = await run({ of: 'usd' });
    expect(stale).toMatchObject({ provider: 'old', output: { of: 'usd', call: 1 }, stale: true, age: 400 });
    expect(told(stale)).toEqual(['bank failed', 'old succeeded']);
  });

  it('is skipped where there is no answer yet: reason no-answer', async () => {
    const { refused, bank } = engine();
    bank.isUp = false;
    const error = await refused();
    expect(error).toBeInstanceOf(FallbackFailedError);
    expect(told(error as FallbackFailedError)).toEqual(['bank failed', 'old skipped no-answer']);
  });

  it('gives an answer of exactly maxAge, and none that is older', async () => {
    const { run, refused, bank, clock } = engine();
    await run();
    bank.isUp = false;
    await clock.advance(1_000);
    expect(await run()).toMatchObject({ stale: true, age: 1_000 });
    await clock.advance(1);
    expect(await refused()).toBeInstanceOf(FallbackFailedError);
  });

  it('gives the newest of the good answers', async () => {
    const { run, bank } = engine();
    await run();
    await run();
    bank.isUp = false;
    expect((await run()).output).toMatchObject({ call: 2 });
  });

  it('lets no stale answer become younger by being given', async () => {
    const { run, refused, bank, clock } = engine();
    await run();
    bank.isUp = false;
    for (const age of [600, 900]) {
      await clock.advance(age === 600 ? 600 : 300);
      expect(await run()).toMatchObject({ stale: true, age });
    }
    await clock.advance(200);
    expect(await refused()).toBeInstanceOf(FallbackFailedError);
  });

  it('remembers no value, neither as it stands nor of a function', async () => {
    let isOn = true;
    const on = () => isOn;
    const values = [
      { name: 'queue', value: 'queued', when: on },
      { name: 'made', value: () => 'made', when: () => isOn },
    ];
    for (const value of values) {
      isOn = true;
      const { run, refused } = engine({ providers: [value, old] });
      expect(await run()).not.toHaveProperty('stale');
      isOn = false;
      expect(await refused()).toBeInstanceOf(FallbackFailedError);
    }
  });

  it('keeps falsy answers as they are', async () => {
    for (const output of [undefined, null, 0, '', false, Number.NaN]) {
      let isUp = true;
      const run = () => (isUp ? output : Promise.reject(new Error('down')));
      const { run: go } = engine({ providers: [{ name: 'bank', run }, old] });
      await go();
      isUp = false;
      const stale = await go();
      expect(stale).toMatchObject({ stale: true, age: 0 });
      expect(Object.is(stale.output, output)).toBe(true);
    }
  });

  it('gives what the schema made of an answer, without judging it again', async () => {
    const judged = vi.fn((text: string) => text.length);
    let isUp = true;
    const { run } = engine({
      output: z.string().transform(judged),
      providers: [{ name: 'bank', run: () => (isUp ? 'four' : Promise.reject(new Error('down'))) }, old],
    });
    expect((await run()).output).toBe(4);
    isUp = false;
    expect(await run()).toMatchObject({ output: 4, stale: true });
    expect(judged).toHaveBeenCalledTimes(1);
  });

  it('remembers no answer that was refused', async () => {
    let isUp = true;
    const run = () => (isUp ? 'bad' : Promise.reject(new Error('down')));
    const { refused } = engine({ providers: [{ name: 'bank', run, accept: () => false }, old] });
    await refused();
    isUp = false;
    expect(told((await refused()) as FallbackFailedError)).toEqual(['bank failed', 'old skipped no-answer']);
  });

  it('remembers no answer that came too late', async () => {
    const clock = virtualClock();
    const run = () => wait(clock, 80).then(() => 'late');
    const { refused } = engine({ providers: [{ name: 'bank', run, timeout: 50 }, old] }, {}, clock);
    for (let count = 0; count < 2; count++) {
      const error = refused();
      await clock.runUntilIdle();
      expect(told((await error) as FallbackFailedError)).toEqual(['bank timed-out', 'old skipped no-answer']);
    }
  });

  it('remembers the answers of whichever provider gave them', async () => {
    let isUp = true;
    const give = (name: string, isFirst: boolean) => ({
      name,
      run: () => (isUp && !isFirst ? name : Promise.reject(new Error('down'))),
    });
    const { run } = engine({ providers: [give('one', true), give('two', false), old] });
    await run();
    isUp = false;
    expect(await run()).toMatchObject({ provider: 'old', output: 'two', stale: true });
  });

  it('may stand first, and then answers as long as it can', async () => {
    const { run, bank, clock } = engine({
      providers: [old, { name: 'bank', run: async () => ++bank.calls }],
    });
    const answers: unknown[] = [];
    for (const ms of [0, 600, 600, 0]) {
      await clock.advance(ms);
      const { output, stale, attempts } = await run();
      answers.push([output, stale === true, told({ attempts })[0]]);
    }
    expect(answers).toEqual([
      [1, false, 'old skipped no-answer'],
      [1, true, 'old succeeded'],
      [2, false, 'old skipped no-answer'],
      [2, true, 'old succeeded'],
    ]);
  });

  it('has when and events like any other', async () => {
    let isAllowed = false;
    const { api, run, refused, bank } = engine({
      providers: [
        {
          name: 'bank',
          run: async (): Promise<string> => {
            if (!bank.isUp) throw new Error('down');
            return 'A';
          },
        },
        { ...old, when: () => isAllowed },
      ],
    });
    await run();
    bank.isUp = false;
    const error = await refused();
    expect((error as FallbackFailedError).attempts[1]).toEqual({
      provider: 'old',
      attempt: 1,
      outcome: 'skipped',
      duration: 0,
    });
    isAllowed = true;
    const events: FallbackEvent[] = [];
    api.on('*', (event) => events.push(event));
    await run();
    expect(events.map(({ type, ...event }) => ('provider' in event ? `${type} ${event.provider}` : type))).toEqual([
      'triggered',
      'attempt-started bank',
      'attempt-ended bank',
      'attempt-started old',
      'attempt-ended old',
      'recovered old',
    ]);
  });

  it('counts as a recovery', async () => {
    const { api, run, bank } = engine();
    await run({ of: 'usd' });
    bank.isUp = false;
    await run({ of: 'eur' }).catch(() => {});
    expect(api.inspect(place)).toMatchObject({ failures: 1, recoveries: 1 });
    expect((await run({ of: 'usd' })).state).toBe('triggered');
    expect(api.inspect(place)).toMatchObject({ failures: 0, recoveries: 2, triggers: 3 });
  });

  it('may be several, each of an age of its own', async () => {
    const younger = { name: 'young', lastGood: { maxAge: 100 } };
    const { run, bank, clock } = engine({
      providers: [
        {
          name: 'bank',
          run: async (): Promise<string> => {
            if (!bank.isUp) throw new Error('down');
            return 'A';
          },
        },
        younger,
        old,
      ],
    });
    await run();
    bank.isUp = false;
    await clock.advance(100);
    expect(await run()).toMatchObject({ provider: 'young', age: 100 });
    await clock.advance(1);
    expect(await run()).toMatchObject({ provider: 'old', age: 101 });
  });
});

describe('a stale answer', () => {
  it('never crosses env, product, cache key or input', async () => {
    const { run, refused, bank } = engine();
    await run({ of: 'usd' }, { cache: 'k' });
    bank.isUp = false;
    expect(await run({ of: 'usd' }, { cache: 'k' })).toMatchObject({ stale: true });
    for (const [input, at] of [
      [{ of: 'usd' }, {}],
      [{ of: 'usd' }, { cache: 'k2' }],
      [{ of: 'usd' }, { cache: 'k', env: 'dev' }],
      [{ of: 'usd' }, { cache: 'k', product: 'till' }],
      [{ of: 'eur' }, { cache: 'k' }],
      [{ of: 'usd', more: undefined }, { cache: 'k' }],
    ] as const) {
      expect(await refused(input, at)).toBeInstanceOf(FallbackFailedError);
    }
  });

  it('never crosses sessions', async () => {
    const { run, refused, bank } = engine();
    const session = { tag: 'user', token: 'one' };
    await run({ of: 'usd' }, { session });
    bank.isUp = false;
    expect(await run({ of: 'usd' }, { session: { ...session } })).toMatchObject({ stale: true });
    for (const other of [undefined, { ...session, token: 'two' }, { ...session, tag: 'admin' }]) {
      expect(await refused({ of: 'usd' }, { session: other })).toBeInstanceOf(FallbackFailedError);
    }
  });

  it('never crosses tags or engines', async () => {
    const { api, run, bank } = engine();
    const down = { name: 'bank', run: () => Promise.reject(new Error('down')) };
    api.define(defineFallback({ tag: 'other', providers: [down, old] }));
    await run({ of: 'usd' });
    bank.isUp = false;
    const other = api.run({ fallback_tag: 'other', action: 'trigger', input: { of: 'usd' } });
    await expect(other).rejects.toThrow(FallbackFailedError);
    await expect(engine({ providers: [down, old] }).run({ of: 'usd' })).rejects.toThrow(FallbackFailedError);
  });

  it('is found again by an input that is deeply equal, as the schema has it', async () => {
    const { run, refused, bank } = engine({
      input: z.object({ of: z.string().toLowerCase(), on: z.coerce.date().optional() }),
    });
    await run({ of: 'USD', on: '2026-01-01' });
    bank.isUp = false;
    expect(await run({ on: new Date('2026-01-01'), of: 'usd', noise: 1 })).toMatchObject({ stale: true });
    expect(await refused({ of: 'usd', on: '2026-01-02' })).toBeInstanceOf(FallbackFailedError);
  });
});

describe('key', () => {
  const keyed = (key: (input: Record<string, unknown>) => unknown) => ({
    name: 'old',
    lastGood: { maxAge: 1_000, key },
  });

  /** The bank, and behind it last good answers by this key. */
  function keyedEngine(key: (input: Record<string, unknown>) => unknown) {
    const bank = { isUp: true };
    const run = async (input: Record<string, unknown>): Promise<unknown> => {
      if (!bank.isUp) throw new Error('down');
      return input.of;
    };
    return { ...engine({ providers: [{ name: 'bank', run }, keyed(key)] }), bank };
  }

  it('says what inputs must have in common', async () => {
    const { run, refused, bank } = keyedEngine(({ of }) => ({ of }));
    await run({ of: 'usd', at: 1 });
    bank.isUp = false;
    expect(await run({ of: 'usd', at: 2 })).toMatchObject({ output: 'usd', stale: true });
    expect(await refused({ of: 'eur', at: 1 })).toBeInstanceOf(FallbackFailedError);
  });

  it('that is none makes the input like no other: nothing is remembered by it, nothing found', async () => {
    const { run, refused, bank } = keyedEngine(({ of }) => (of === 'usd' ? undefined : of));
    await run({ of: 'usd' });
    await run({ of: 'undefined' });
    bank.isUp = false;
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackFailedError);
    expect(await run({ of: 'undefined' })).toMatchObject({ output: 'undefined', stale: true });
  });

  it('that is always the same makes the cache key alone decide', async () => {
    const { run, refused, bank } = keyedEngine(() => '');
    await run({ of: 'usd' }, { cache: 'k' });
    bank.isUp = false;
    expect(await run({ of: 'eur' }, { cache: 'k' })).toMatchObject({ output: 'usd', stale: true });
    expect(await refused({ of: 'usd' }, { cache: 'k2' })).toBeInstanceOf(FallbackFailedError);
  });

  it('that throws, or gives a promise, is a failed attempt with its error, and no retry', async () => {
    const oops = new Error('oops');
    let isBad = false;
    const throwing = keyedEngine(() => {
      if (isBad) throw oops;
      return '';
    });
    await throwing.run();
    throwing.bank.isUp = false;
    isBad = true;
    const error = (await throwing.refused()) as FallbackFailedError;
    expect(told(error)).toEqual(['bank failed', 'old failed']);
    expect(error.errors[1]).toBe(oops);

    const late = keyedEngine(() => (isBad ? Promise.reject(oops) : ''));
    isBad = false;
    await late.run();
    late.bank.isUp = false;
    isBad = true;
    const other = (await late.refused()) as FallbackFailedError;
    expect(told(other)).toEqual(['bank failed', 'old failed']);
    expect(String(other.errors[1])).toMatch(/key: expected a synchronous answer, got a promise/);
  });

  it('that throws while a good answer is remembered costs that answer its place, and nothing else', async () => {
    const { run } = keyedEngine(() => {
      throw new Error('oops');
    });
    expect(await run({ of: 'usd' })).toMatchObject({ output: 'usd' });
  });

  it('that cannot be read equals nothing', async () => {
    const { run, refused, bank } = keyedEngine(() => Symbol('key'));
    await run({ of: 'usd' });
    bank.isUp = false;
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackFailedError);
  });
});

describe('an exhausted fallback', () => {
  it('gives no answer that its when forbids, nor where when throws', async () => {
    const when = vi.fn((input: { may?: unknown }) => {
      if (input.may === 'throw') throw new Error('when is broken');
      return input.may === true;
    });
    const asked = vi.fn(() => true);
    const down = { name: 'bank', run: () => Promise.reject(new Error('down')), when: asked };
    const providers = [down, { ...old, lastGood: { maxAge: 1_000, key: () => '' }, when }];
    const { api, run, refused } = engine({ maxRetries: 0, providers });
    await api.call('rates', async () => 'fresh', { input: {} } as never);
    expect(await refused({})).toBeInstanceOf(FallbackFailedError);
    asked.mockClear();
    expect(await refused({})).toBeInstanceOf(FallbackExhaustedError);
    // Nobody else has a turn.
    expect(asked).not.toHaveBeenCalled();
    const broken = await refused({ may: 'throw' });
    expect(broken).toBeInstanceOf(FallbackExhaustedError);
    expect(broken).toMatchObject({ errors: [{ message: 'when is broken' }], cause: { message: 'when is broken' } });
    expect(await refused({})).not.toHaveProperty('errors');
    expect(await run({ may: true })).toMatchObject({ output: 'fresh', stale: true });
  });

  it('tells of a key that throws, in the refusal', async () => {
    const key = ({ of }: { of?: unknown }) => {
      if (of === 'broken') throw new Error('key is broken');
      return 'any';
    };
    const down = { name: 'bank', run: () => Promise.reject(new Error('down')) };
    const providers = [down, { ...old, lastGood: { maxAge: 1_000, key } }];
    const { refused } = engine({ maxRetries: 0, providers });
    await refused({});
    expect(await refused({ of: 'broken' })).toMatchObject({
      code: 'ERR_FALLBACK_EXHAUSTED',
      errors: [{ message: 'key is broken' }],
    });
  });

  const exhausting = { maxRetries: 0, resetAfter: 'never' };

  it('gives the last good answer rather than refuse: without admission, event, attempt or step', async () => {
    const { api, run, bank, clock } = engine(exhausting);
    await run({ of: 'usd' });
    bank.isUp = false;
    await run({ of: 'eur' }).catch(() => {});
    const before = api.inspect(place);
    expect(before.state).toBe('exhausted');
    const heard = vi.fn();
    api.on('*', heard);
    await clock.advance(250);
    const calls = bank.calls;
    expect(await run({ of: 'usd' })).toEqual({
      action: 'trigger',
      id: expect.any(String),
      state: 'exhausted',
      provider: 'old',
      output: { of: 'usd', call: 1 },
      attempts: [{ provider: 'old', attempt: 1, outcome: 'succeeded', duration: 0 }],
      duration: 0,
      stale: true,
      age: 250,
    });
    expect(bank.calls).toBe(calls);
    expect(heard).not.toHaveBeenCalled();
    expect(api.inspect(place)).toEqual(before);
  });

  it('has nothing in flight then: close does not wait', async () => {
    const { api, run, refused, bank } = engine(exhausting);
    await run({ of: 'usd' });
    bank.isUp = false;
    await refused({ of: 'eur' });
    expect(await run({ of: 'usd' })).toMatchObject({ state: 'exhausted', stale: true });
    let isClosed = false;
    api.close({ grace: 1_000 }).then(() => {
      isClosed = true;
    });
    await settled();
    expect(isClosed).toBe(true);
  });

  it('still refuses where it has none, or none young enough', async () => {
    const { run, refused, bank, clock } = engine(exhausting);
    await run({ of: 'usd' });
    bank.isUp = false;
    await refused({ of: 'eur' });
    expect(await refused({ of: 'eur' })).toBeInstanceOf(FallbackExhaustedError);
    await clock.advance(1_001);
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackExhaustedError);
  });

  it('still admits its probe, which asks the providers', async () => {
    const { api, run, bank, clock } = engine({ maxRetries: 0, resetAfter: 100 });
    await run({ of: 'usd' });
    bank.isUp = false;
    await run({ of: 'eur' }).catch(() => {});
    expect(await run({ of: 'usd' })).toMatchObject({ stale: true, state: 'exhausted' });
    await clock.advance(100);
    bank.isUp = true;
    expect(await run({ of: 'usd' })).toMatchObject({ provider: 'bank', state: 'triggered' });
    expect(api.inspect(place).state).toBe('triggered');
  });

  it('asks no provider for it that is disabled', async () => {
    const { api, run, refused, bank } = engine(exhausting);
    await run({ of: 'usd' });
    bank.isUp = false;
    await refused({ of: 'eur' });
    await api.run({ ...place, action: 'update', input: { providers: { old: { enabled: false } } } });
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackExhaustedError);
  });

  it('refuses where a key throws', async () => {
    let isBad = false;
    const bank = { isUp: true };
    const key = () => {
      if (isBad) throw new Error('oops');
      return '';
    };
    const run = async (): Promise<string> => {
      if (!bank.isUp) throw new Error('down');
      return 'A';
    };
    const { run: go, refused } = engine({
      ...exhausting,
      providers: [
        { name: 'bank', run },
        { name: 'old', lastGood: { maxAge: 1, key } },
      ],
    });
    await go();
    bank.isUp = false;
    isBad = true;
    await refused();
    expect(await refused()).toBeInstanceOf(FallbackExhaustedError);
  });
});

describe('a primary', () => {
  const only = { providers: [old] };

  it('that succeeds is remembered by the input its trigger would have had', async () => {
    const { api, clock } = engine(only);
    let isUp = true;
    const ask = async (of: string): Promise<string> => {
      if (!isUp) throw new Error('down');
      return `rate of ${of}`;
    };
    const rate = api.wrap('rates', ask, { input: (_error, of) => ({ of }) });
    await rate('usd');
    isUp = false;
    await clock.advance(10);
    expect(await rate('usd')).toBe('rate of usd');
    await expect(rate('eur')).rejects.toThrow(FallbackFailedError);
  });

  it.each([
    ['at once', z.object({ usd: z.number() })],
    ['in its time', z.object({ usd: z.number() }).refine(async () => true)],
  ])(
    'is remembered as the schema of outputs gives it, asked %s, and not at all where that refuses it',
    async (_, output) => {
      const { api } = engine({ providers: [old], output });
      let answer: unknown = { usd: 1, more: 'dropped' };
      const rate = api.wrap('rates', async (_: object) => {
        if (answer === undefined) throw new Error('down');
        return answer;
      });
      expect(await rate({})).toEqual({ usd: 1, more: 'dropped' });
      await settled();
      answer = { usd: 'dear' };
      expect(await rate({})).toEqual({ usd: 'dear' });
      await settled();
      answer = undefined;
      expect(await rate({})).toEqual({ usd: 1 });
    },
  );

  it('is remembered by its first argument, where that is the input', async () => {
    const { api } = engine(only);
    let isUp = true;
    const rate = api.wrap('rates', async ({ of }: { of: string }) => {
      if (!isUp) throw new Error('down');
      return `rate of ${of}`;
    });
    await rate({ of: 'usd' });
    isUp = false;
    expect(await rate({ of: 'usd' })).toBe('rate of usd');
    await expect(rate({ of: 'eur' })).rejects.toThrow(FallbackFailedError);
  });

  it('of call is remembered by its input, env, product and cache key', async () => {
    const { api } = engine(only);
    const down = () => Promise.reject(new Error('down'));
    await api.call('rates', async () => 'A', { input: { of: 'usd' }, cache: 'k' });
    expect(await api.call('rates', down, { input: { of: 'usd' }, cache: 'k' })).toBe('A');
    for (const more of [{}, { cache: 'k', env: 'dev' }, { cache: 'k', product: 'till' }]) {
      await expect(api.call('rates', down, { input: { of: 'usd' }, ...more })).rejects.toThrow(FallbackFailedError);
    }
  });

  it('is remembered as parsed by an async schema, once that is done', async () => {
    const { api } = engine({ ...only, input: z.object({ of: z.string().transform(async (of) => of.toLowerCase()) }) });
    await api.call('rates', async () => 'A', { input: { of: 'USD' } });
    await settled();
    expect(await api.call('rates', () => Promise.reject(new Error('down')), { input: { of: 'usd' } })).toBe('A');
  });

  it('shares its answers with the triggers of the fallback', async () => {
    const { api, run } = engine(only);
    await api.call('rates', async () => 'A', { input: { of: 'usd' } });
    expect(await run({ of: 'usd' })).toMatchObject({ output: 'A', stale: true });
  });

  it('succeeds all the same where its input cannot be made, and is not remembered', async () => {
    const { api, refused } = engine({ ...only, input: z.object({ of: z.string() }) });
    const inputs = [
      () => {
        throw new Error('no order yet');
      },
      () => Promise.reject(new Error('later')),
      () => ({ of: 5 }),
    ];
    for (const input of inputs) {
      const rate = api.wrap('rates', async (of: string) => of, { input: input as () => never });
      expect(await rate('usd')).toBe('usd');
    }
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackFailedError);
  });

  it('that failed is not remembered', async () => {
    const { api, refused } = engine(only);
    const failing = api.call('rates', () => Promise.reject(new Error('down')), { input: { of: 'usd' } });
    await expect(failing).rejects.toThrow(FallbackFailedError);
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackFailedError);
  });

  it('makes no input for success where nothing is remembered', async () => {
    const input = vi.fn(() => ({}));
    const { api } = engine({ providers: [{ name: 'queue', value: 1 }] });
    expect(await api.wrap('rates', async () => 'A', { input })()).toBe('A');
    expect(input).not.toHaveBeenCalled();
  });

  it('moves no machine by being remembered, and leaves no timer', async () => {
    const { api, clock } = engine(only);
    await api.call('rates', async () => 'A', { input: {}, timeout: 50, deadline: 90 });
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0, recoveries: 0, inFlight: 0 });
    expect(clock.pending).toBe(0);
  });
});

describe('the memory of last good answers', () => {
  it('is bounded: the least recently used goes', async () => {
    const { run, refused, bank } = engine({}, { cache: { max: 2 } });
    for (const of of ['usd', 'eur', 'gbp']) await run({ of });
    bank.isUp = false;
    expect(await refused({ of: 'usd' })).toBeInstanceOf(FallbackFailedError);
    expect(await run({ of: 'eur' })).toMatchObject({ stale: true });
    expect(await run({ of: 'gbp' })).toMatchObject({ stale: true });
  });

  it('is beside that of the machines: a key that is evicted costs no answer', async () => {
    const { api, run, bank } = engine({}, { cache: { max: 2 } });
    await run({}, { cache: 'a' });
    bank.isUp = false;
    for (const cache of ['b', 'c']) await run({}, { cache }).catch(() => {});
    expect(api.inspect({ ...place, cache: 'a' }).triggers).toBe(0);
    expect(await run({}, { cache: 'a' })).toMatchObject({ stale: true });
  });

  it('is no part of a snapshot', async () => {
    const { api, run } = engine();
    await run({ of: 'secret' });
    expect(JSON.stringify(api.snapshot())).not.toContain('secret');
  });
});

/** Each of these was wrong once. */
describe('last good answers', () => {
  it('are remembered of a plain primary that was wrapped before the fallback that remembers was defined', async () => {
    const { fallback: api } = createDuctape({ product: 'shop', clock: virtualClock() });
    api.define(defineFallback({ tag: 'rates', env: 'dev', providers: [{ name: 'none', value: 0 }] }));
    let isUp = true;
    const ask = async (_: object): Promise<string> => {
      if (!isUp) throw new Error('down');
      return 'A';
    };
    const rate = api.wrap('rates', ask, { env: () => 'prd' });
    api.define(defineFallback({ tag: 'rates', env: 'prd', providers: [old] }));
    await rate({ of: 'usd' });
    isUp = false;
    expect(await rate({ of: 'usd' })).toBe('A');
  });

  it('are remembered of a primary whose work was verified', async () => {
    const { api, clock } = engine({ providers: [old] });
    const verify = async () => ({ done: true, output: 'A' }) as const;
    const options = { input: { of: 'usd' }, timeout: 5, inDoubt: 'verify', verify } as const;
    const first = api.call('rates', () => new Promise(() => {}), options);
    await clock.runUntilIdle();
    expect(await first).toBe('A');
    expect(await api.call('rates', () => Promise.reject(new Error('down')), { input: { of: 'usd' } })).toBe('A');
  });

  it('are as old as the answer, however long its input took to be parsed', async () => {
    const clock = virtualClock();
    let isSlow = true;
    const input = z.object({}).transform(async () => {
      if (isSlow) await wait(clock, 800);
      return 'same';
    });
    const { api, refused } = engine({ providers: [old], input }, {}, clock);
    await api.call('rates', async () => 'A', { input: {} });
    await clock.runUntilIdle();
    isSlow = false;
    await clock.advance(300);
    expect(await refused()).toBeInstanceOf(FallbackFailedError);
  });

  it('have a key that keeps the object it was written on as its this', async () => {
    class Terms {
      readonly #field = 'of';
      readonly maxAge = 1_000;
      key(input: Record<string, unknown>): unknown {
        return input[this.#field];
      }
    }
    const bank = { isUp: true };
    const run = async (): Promise<string> => {
      if (!bank.isUp) throw new Error('down');
      return 'A';
    };
    const providers = [
      { name: 'bank', run },
      { name: 'old', lastGood: new Terms() },
    ];
    const { run: go } = engine({ providers });
    await go({ of: 'usd', at: 1 });
    bank.isUp = false;
    expect(await go({ of: 'usd', at: 2 })).toMatchObject({ stale: true });
  });

  it('belong to the input as it came, whatever a provider has made of it', async () => {
    const bank = { isUp: true };
    const run = async (input: Record<string, unknown>): Promise<string> => {
      if (!bank.isUp) throw new Error('down');
      const receipt = `receipt of ${input.order}`;
      input.order = 'B';
      return receipt;
    };
    const { run: go, refused } = engine({ providers: [{ name: 'bank', run }, old] });
    await go({ order: 'A' });
    bank.isUp = false;
    expect(await refused({ order: 'B' })).toBeInstanceOf(FallbackFailedError);
  });
});
