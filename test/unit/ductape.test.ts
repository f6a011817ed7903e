import { describe, expect, it, vi } from 'vitest';
import {
  createDuctape,
  defineFallback,
  type FallbackEvent,
  InvalidDefinitionError,
  InvalidRequestError,
  systemClock,
} from '../../src/index.ts';
import { settled, virtualClock } from '../virtual-clock.ts';

const pay = defineFallback({ tag: 'pay', providers: [{ name: 'one', value: 1 }] });
const place = { fallback_tag: 'pay' } as const;
const trigger = { ...place, action: 'trigger' } as const;
const engine = (options: object = {}) =>
  createDuctape({ env: 'prd', product: 'payments', clock: virtualClock(), ...options }).fallback;

describe('createDuctape', () => {
  it('hands out the eleven methods, which need no this', async () => {
    const ductape = createDuctape({ env: 'prd', product: 'payments', clock: virtualClock(), fallbacks: [pay] });
    expect(Object.keys(ductape)).toEqual(['fallback']);
    expect(Object.keys(ductape.fallback).sort()).toEqual(
      ['run', 'define', 'has', 'list', 'wrap', 'call', 'inspect', 'snapshot', 'restore', 'on', 'close'].sort(),
    );
    const { run } = ductape.fallback;
    expect(await run(trigger)).toMatchObject({ output: 1 });
  });

  it('works without any option', async () => {
    const { fallback } = createDuctape();
    fallback.define(pay);
    expect(await fallback.run({ ...trigger, env: 'prd', product: 'payments' })).toMatchObject({ output: 1 });
  });

  it.each<[string, unknown]>([
    ['fallbacks', { fallbacks: 3 }],
    ['env', { env: '' }],
    ['product', { product: 3 }],
    ['sessions', { sessions: { user: 'verify' } }],
    ['cache', { cache: 3 }],
    ['cache.maxx', { cache: { maxx: 3 } }],
    ['timeout', { timeout: -1 }],
    ['timeout', { timeout: Number.NaN }],
    ['timeout', { timeout: 2_147_483_648 }],
    ['maxScopes', { maxScopes: 0 }],
    ['clock', { clock: { now: () => 0 } }],
    ['random', { random: 0.5 }],
    ['nonce', { nonce: '' }],
    ['fallback', { fallback: [] }],
  ])('refuses a bad %s', (path, options) => {
    expect(() => createDuctape(options as never)).toThrow(InvalidRequestError);
    expect(() => createDuctape(options as never)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path })] }),
    );
  });

  it.each([null, 3, 'prd'])('refuses %s for options', (options) => {
    expect(() => createDuctape(options as never)).toThrow(InvalidRequestError);
  });

  it('names the nearest of an unknown option', () => {
    expect(() => createDuctape({ maxScope: 3 } as never)).toThrow('"maxScopes"');
  });

  it('refuses a bad fallback, and a tag given twice', () => {
    expect(() => createDuctape({ fallbacks: [{ tag: 'pay' }] } as never)).toThrow(InvalidDefinitionError);
    expect(() => createDuctape({ fallbacks: [pay, pay] as never })).toThrow(InvalidDefinitionError);
  });

  it('calls neither clock nor chance until it is used', () => {
    const clock = { now: vi.fn(() => 0), setTimeout: vi.fn(), clearTimeout: vi.fn() };
    const random = vi.fn(() => 0);
    createDuctape({ clock, random, env: 'prd', product: 'payments', fallbacks: [pay] });
    expect(clock.setTimeout).not.toHaveBeenCalled();
    expect(random).not.toHaveBeenCalled();
  });
});

describe('time and chance', () => {
  it('are the clock’s and the option’s alone', async () => {
    const spies = [
      vi.spyOn(Date, 'now'),
      vi.spyOn(performance, 'now'),
      vi.spyOn(Math, 'random'),
      vi.spyOn(globalThis, 'setTimeout'),
    ];
    const clock = virtualClock(7);
    const random = vi.fn(() => 0.5);
    const fallback = engine({ clock, random, cache: { ttl: 5 } });
    const down = () => Promise.reject(new Error('down'));
    fallback.define(
      defineFallback({ tag: 'pay', deadline: 500, providers: [{ name: 'one', run: down, retries: 1, timeout: 50 }] }),
    );
    const at: number[] = [];
    fallback.on('*', (event) => void at.push(event.at));
    const failed = fallback.run({ ...trigger, cache: 'k' }).catch(() => 'failed');
    await clock.runUntilIdle();
    expect(await failed).toBe('failed');
    expect([at[0], at.at(-1)]).toEqual([7, 57]);
    expect(random).toHaveBeenCalledTimes(1);
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });

  it('are the system’s by default', async () => {
    const { fallback } = createDuctape({ env: 'prd', product: 'payments' });
    fallback.define(pay);
    const before = systemClock.now();
    const { takenAt } = fallback.snapshot();
    expect(takenAt).toBeGreaterThanOrEqual(before);
    expect(takenAt).toBeLessThanOrEqual(systemClock.now());
  });
});

describe('ids', () => {
  it('are one per trigger, made of the nonce and a counter', async () => {
    const fallback = engine({ nonce: 'mine' });
    fallback.define(pay);
    const ids = [(await fallback.run(trigger)).id, (await fallback.run(trigger)).id];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^mine/);
  });

  it('begin with 128 random bits of each engine where there is no nonce', async () => {
    const ids = await Promise.all(
      [engine(), engine()].map(async (fallback) => {
        fallback.define(pay);
        return (await fallback.run(trigger)).id;
      }),
    );
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}/);
    expect(ids[0]?.slice(0, 32)).not.toBe(ids[1]?.slice(0, 32));
  });
});

describe('define', () => {
  it('adds a fallback later', async () => {
    const fallback = engine();
    await expect(fallback.run(trigger)).rejects.toMatchObject({ code: 'ERR_UNKNOWN_FALLBACK', known: [] });
    fallback.define(pay);
    expect(await fallback.run(trigger)).toMatchObject({ output: 1 });
  });

  it('refuses a taken tag, and nothing changes', async () => {
    const fallback = engine({ fallbacks: [pay] });
    const again = defineFallback({ tag: 'pay', env: 'prd', providers: [{ name: 'two', value: 2 }] });
    expect(() => fallback.define(again)).toThrow(InvalidDefinitionError);
    expect(fallback.list()).toEqual([{ tag: 'pay', providers: ['one'] }]);
    expect(await fallback.run(trigger)).toMatchObject({ output: 1 });
  });

  it('refuses what is no fallback', () => {
    for (const bad of [undefined, null, 3, {}, { tag: 'x', providers: [] }]) {
      expect(() => engine().define(bad as never)).toThrow(InvalidDefinitionError);
    }
  });
});

describe('has', () => {
  const fallback = engine({
    fallbacks: [pay, defineFallback({ tag: 'ship', env: 'dev', providers: [{ name: 'one', value: 1 }] })],
  });

  it('says of a tag whether it is defined anywhere', () => {
    expect(['pay', 'ship', 'other', '', '__proto__'].map((tag) => fallback.has(tag))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('says of a request whether its tag is defined in its env and product', () => {
    expect(fallback.has({ fallback_tag: 'ship' })).toBe(false);
    expect(fallback.has({ fallback_tag: 'ship', env: 'dev' } as { fallback_tag: string })).toBe(true);
    expect(fallback.has({ fallback_tag: 'pay', action: 'trigger' } as { fallback_tag: string })).toBe(true);
  });

  it('never throws', () => {
    const hostile = new Proxy({}, { get: () => expect.fail('hostile') });
    for (const asked of [undefined, null, 3, {}, [], { fallback_tag: 3 }, hostile])
      expect(fallback.has(asked as never)).toBe(false);
  });
});

describe('list', () => {
  it('tells the fallbacks in the order they were defined', () => {
    const fallback = engine({ fallbacks: [pay] });
    fallback.define(
      defineFallback({
        tag: 'ship',
        name: 'Shipping',
        description: 'Later',
        product: ['a', 'b'],
        env: 'dev',
        providers: [
          { name: 'x', value: 0 },
          { name: 'y', value: 0 },
        ],
      }),
    );
    expect(fallback.list()).toEqual([
      { tag: 'pay', providers: ['one'] },
      { tag: 'ship', name: 'Shipping', description: 'Later', product: ['a', 'b'], env: 'dev', providers: ['x', 'y'] },
    ]);
  });
});

describe('on', () => {
  it('tells in order what happened, with type, time, place and facts', async () => {
    const clock = virtualClock(3);
    const fallback = engine({ clock, nonce: 'n' });
    fallback.define(
      defineFallback({
        tag: 'pay',
        maxRetries: 0,
        resetAfter: 100,
        providers: [{ name: 'one', run: (input) => (input.ok ? 'back' : Promise.reject(new Error('down'))) }],
      }),
    );
    const events: FallbackEvent[] = [];
    fallback.on('*', (event) => void events.push(event));
    await fallback.run({ ...trigger, cache: 'k' }).catch(() => {});
    expect(events.map(({ type }) => type)).toEqual([
      'triggered',
      'attempt-started',
      'attempt-ended',
      'failed',
      'exhausted',
    ]);
    expect(events[0]).toEqual({
      type: 'triggered',
      at: 3,
      id: 'n-1',
      env: 'prd',
      product: 'payments',
      tag: 'pay',
      cache: 'k',
      state: 'triggered',
      probe: false,
    });
    expect(events[2]).toMatchObject({
      provider: 'one',
      attempt: 1,
      outcome: 'failed',
      error: { message: 'down' },
      duration: 0,
    });
    expect(events[4]).toMatchObject({ failures: 1, retryAfter: 100, cache: 'k' });
    await clock.advance(100);
    events.length = 0;
    await fallback.run({ ...trigger, cache: 'k', input: { ok: true } });
    expect(events.map(({ type }) => type)).toEqual([
      'probing',
      'triggered',
      'attempt-started',
      'attempt-ended',
      'recovered',
    ]);
    expect(events[1]).toMatchObject({ state: 'exhausted', probe: true, at: 103 });
    expect(events[4]).toMatchObject({ state: 'triggered', provider: 'one' });
    events.length = 0;
    await fallback.run({ ...place, action: 'update', input: { maxRetries: 4 } });
    await fallback.run({ ...place, action: 'reset', input: { keys: true } });
    expect(events).toMatchObject([
      { type: 'updated', revision: 1, config: { maxRetries: 4 } },
      { type: 'reset', config: false, keys: true },
    ]);
    expect(events[0]).not.toHaveProperty('cache');
  });

  it('is emitted after the machine has moved, and before the caller hears', async () => {
    const fallback = engine();
    const order: unknown[] = [];
    fallback.define(defineFallback({ tag: 'pay', providers: [{ name: 'one', run: async () => 1 }] }));
    fallback.on('recovered', () => void order.push(fallback.inspect(place).recoveries));
    fallback.on('triggered', () => void order.push(fallback.inspect(place).state));
    await fallback.run(trigger).then(() => order.push('caller'));
    expect(order).toEqual(['triggered', 1, 'caller']);
  });

  it('gives every attempt-started exactly one attempt-ended, skips none', async () => {
    const clock = virtualClock();
    const fallback = engine({ clock });
    const never = () => new Promise(() => {});
    const providers = [
      { name: 'skipped', value: 1, when: () => false },
      { name: 'faulty', value: 1, when: () => expect.fail('when') },
      { name: 'slow', run: never, timeout: 5, retries: 1, backoff: 0 },
      { name: 'refused', value: 1, accept: () => false },
      { name: 'right', value: 1 },
    ];
    fallback.define(defineFallback({ tag: 'pay', providers }));
    const heard: string[] = [];
    for (const type of ['attempt-started', 'attempt-ended'] as const) {
      fallback.on(type, ({ provider, attempt }) => void heard.push(`${type} ${provider} ${attempt}`));
    }
    const call = fallback.run(trigger);
    await clock.runUntilIdle();
    await call;
    expect(heard).toEqual(
      ['faulty 1', 'slow 1', 'slow 2', 'refused 1', 'right 1'].flatMap((one) => [
        `attempt-started ${one}`,
        `attempt-ended ${one}`,
      ]),
    );
  });

  it('ends an attempt that an abort or close ends, too', async () => {
    const fallback = engine();
    fallback.define(defineFallback({ tag: 'pay', providers: [{ name: 'one', run: () => new Promise(() => {}) }] }));
    const ended = vi.fn();
    fallback.on('attempt-ended', ({ outcome }) => ended(outcome));
    const controller = new AbortController();
    const aborted = fallback.run(trigger, { signal: controller.signal }).catch(() => {});
    controller.abort();
    await aborted;
    const closed = fallback.run(trigger).catch(() => {});
    await fallback.close();
    await closed;
    expect(ended.mock.calls).toEqual([['aborted'], ['aborted']]);
  });

  it('changes nothing by a listener that throws or rejects, and stops no other', async () => {
    const fallback = engine({ fallbacks: [pay] });
    const heard = vi.fn();
    fallback.on('*', () => {
      throw new Error('listener');
    });
    fallback.on('*', () => Promise.reject(new Error('listener')));
    fallback.on('*', heard);
    expect(await fallback.run(trigger)).toMatchObject({ output: 1, state: 'triggered' });
    await settled();
    expect(heard).toHaveBeenCalledTimes(4);
  });

  it('returns what unsubscribes, that subscription alone', async () => {
    const fallback = engine({ fallbacks: [pay] });
    const heard = vi.fn();
    const off = fallback.on('triggered', heard);
    fallback.on('triggered', heard);
    off();
    off();
    await fallback.run(trigger);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('may unsubscribe while it is being told', async () => {
    const fallback = engine({ fallbacks: [pay] });
    const heard: string[] = [];
    const off = fallback.on('triggered', () => {
      heard.push('first');
      off();
    });
    fallback.on('triggered', () => void heard.push('second'));
    await fallback.run(trigger);
    await fallback.run(trigger);
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  it.each([
    ['trigered', () => {}],
    ['', () => {}],
    [undefined, () => {}],
    ['triggered', undefined],
    ['toString', () => {}],
  ])('refuses %s and %s', (type, listener) => {
    expect(() => engine().on(type as never, listener as never)).toThrow(InvalidRequestError);
  });

  it('costs nothing where nobody listens: not even the clock is asked', async () => {
    const clock = virtualClock();
    const now = vi.fn(clock.now);
    const fallback = engine({ clock: { ...clock, now }, fallbacks: [pay] });
    await fallback.run(trigger);
    const quiet = now.mock.calls.length;
    now.mockClear();
    const off = fallback.on('*', () => {});
    await fallback.run(trigger);
    expect(now.mock.calls.length).toBeGreaterThan(quiet);
    off();
    now.mockClear();
    await fallback.run(trigger);
    expect(now.mock.calls.length).toBe(quiet);
  });
});

describe('a fallback', () => {
  it('belongs to no engine', async () => {
    const [one, other] = [engine({ fallbacks: [pay] }), engine({ fallbacks: [pay] })];
    await one.run(trigger);
    await one.run({ ...place, action: 'update', input: { maxRetries: 3 } });
    expect(other.inspect(place)).toMatchObject({ state: 'idle', triggers: 0, config: { maxRetries: 10 } });
  });
});

describe('with nothing in flight', () => {
  it('there is no timer, however the calls ended', async () => {
    const clock = virtualClock();
    const fallback = engine({ clock, cache: { ttl: 50 } });
    const run = (input: Record<string, unknown>) => (input.ok ? Promise.resolve(1) : Promise.reject(new Error('down')));
    fallback.define(
      defineFallback({
        tag: 'pay',
        deadline: 1_000,
        resetAfter: 10,
        maxRetries: 0,
        providers: [{ name: 'one', run, timeout: 100 }],
      }),
    );
    for (const ok of [true, false, false])
      await fallback.run({ ...trigger, cache: 'k', input: { ok } }).catch(() => {});
    await fallback.call('pay', () => 1, { timeout: 50, deadline: 70 });
    await fallback
      .call('pay', () => Promise.reject(new Error('primary')), { timeout: 50, deadline: 70, input: { ok: true } })
      .catch(() => {});
    expect(clock.pending).toBe(0);
    await fallback.close({ grace: 1_000 });
    expect(clock.pending).toBe(0);
  });
});
