import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { createDuctape, type DuctapeOptions, defineFallback, type Fallback } from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const update = { ...place, action: 'update' } as const;
const reset = { ...place, action: 'reset' } as const;
const pay = defineFallback({
  tag: 'pay',
  maxRetries: 1,
  settings: z.object({ region: z.string().default('eu'), limits: z.object({ a: z.number() }).optional() }),
  providers: [
    { name: 'stripe', run: async () => Promise.reject(new Error('down')), timeout: 500 },
    { name: 'paypal', run: async () => Promise.reject(new Error('down')), retries: 2, backoff: 0 },
  ],
});

function engine(options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {}) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  api.define(pay);
  const fail = async (cache?: string) => {
    const call = api.run({ ...trigger, ...(cache !== undefined && { cache }) }).catch(() => {});
    await clock.runUntilIdle();
    await call;
  };
  return { api, clock, fail };
}

describe('the documented calls', () => {
  it('run exactly as written', async () => {
    const payment = defineFallback({
      tag: 'payment-failure',
      input: z.object({ orderId: z.string(), reason: z.string(), attemptedProvider: z.string().optional() }),
      providers: [
        { name: 'stripe', run: () => 'charged', when: (input) => input.attemptedProvider !== 'stripe' },
        { name: 'paypal', run: (input) => `captured ${input.orderId}` },
      ],
    });
    const checkout = defineFallback({
      tag: 'checkout-failure',
      providers: [{ name: 'queue', run: (_input, ctx) => ctx.session?.data }],
    });
    const verify = vi.fn((token: string) => ({ user: token.length }));
    const sessions = { 'user-session': verify };
    const ductape = createDuctape({ sessions, clock: virtualClock(), fallbacks: [payment, checkout] });
    expect(
      await ductape.fallback.run({
        env: 'prd',
        product: 'payments',
        fallback_tag: 'payment-failure',
        action: 'trigger',
        input: { orderId: '12345', reason: 'gateway_timeout', attemptedProvider: 'stripe' },
      }),
    ).toMatchObject({ action: 'trigger', provider: 'paypal', output: 'captured 12345', state: 'triggered' });
    expect(
      await ductape.fallback.run({
        env: 'prd',
        product: 'payments',
        fallback_tag: 'payment-failure',
        action: 'update',
        input: { maxRetries: 3, fallbackProvider: 'paypal' },
      }),
    ).toMatchObject({
      action: 'update',
      state: 'triggered',
      revision: 1,
      config: { maxRetries: 3, fallbackProvider: 'paypal' },
    });
    expect(
      await ductape.fallback.run({ env: 'prd', product: 'payments', fallback_tag: 'payment-failure', action: 'reset' }),
    ).toEqual({ action: 'reset', state: 'idle' });
    expect(
      await ductape.fallback.run({
        env: 'prd',
        product: 'checkout',
        fallback_tag: 'checkout-failure',
        action: 'trigger',
        input: { cartId: 'cart_456', step: 'payment' },
        session: { tag: 'user-session', token: 'eyJhbGciOi...' },
      }),
    ).toMatchObject({ output: { user: 13 } });
    expect(verify).toHaveBeenCalledExactlyOnceWith('eyJhbGciOi...', {
      env: 'prd',
      product: 'checkout',
      tag: 'checkout-failure',
    });
  });
});

describe('a request', () => {
  it.each([
    ['env', { env: '' }],
    ['product', { product: '' }],
    ['fallback_tag', { fallback_tag: '' }],
    ['cache', { cache: '' }],
    ['action', { action: 'Trigger' }],
    ['input', { input: [] }],
    ['session', { session: { tag: 'user' } }],
    ['cach', { cach: 'k' }],
  ])('of a bad %s is refused, and the fault is named', async (path, fault) => {
    const { api } = engine();
    await expect(api.run({ ...trigger, ...fault } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
      issues: [{ path: expect.stringContaining(path) }],
    });
  });

  it('of an unknown key is told the nearest', async () => {
    await expect(engine().api.run({ ...trigger, cach: 'k' } as never)).rejects.toThrow('"cache"');
  });

  it('of __proto__ as a key is refused like any other', async () => {
    const { api } = engine();
    const request = JSON.parse('{ "fallback_tag": "pay", "action": "reset", "__proto__": {} }');
    await expect(api.run(request)).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
      issues: [{ path: '__proto__' }],
    });
  });

  it.each([[undefined], [null], [3], ['pay'], [[]]])(
    'that is %s is refused, never thrown synchronously',
    async (request) => {
      const { api } = engine();
      await expect(api.run(request as never)).rejects.toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    },
  );

  it('may leave out env and product only where the engine has defaults', async () => {
    const { fallback: api } = createDuctape({ clock: virtualClock(), product: 'payments' });
    api.define(pay);
    await expect(api.run(reset)).rejects.toMatchObject({ code: 'ERR_INVALID_REQUEST', issues: [{ path: 'env' }] });
    expect(await api.run({ ...reset, env: 'dev' })).toEqual({ action: 'reset', state: 'idle' });
  });

  it('goes where it says, whatever the defaults', async () => {
    const { api } = engine();
    await api.run({ ...update, env: 'dev', product: 'other', input: { maxRetries: 4 } });
    expect(api.inspect({ ...place, env: 'dev', product: 'other' }).config.maxRetries).toBe(4);
    expect(api.inspect(place).config.maxRetries).toBe(1);
  });
});

describe('the options of a call', () => {
  it.each([
    ['deadline', { deadline: -1 }],
    ['deadline', { deadline: Number.NaN }],
    ['deadline', { deadline: 2_147_483_648 }],
    ['signal', { signal: {} }],
    ['id', { id: '' }],
    ['singal', { singal: undefined }],
  ])('of a bad %s are refused', async (path, options) => {
    await expect(engine().api.run(trigger, options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
      issues: [{ path }],
    });
  });

  it('give a trigger an id of the caller, in its result, its ctx, its events and its errors', async () => {
    const { api, clock } = engine();
    const ids = new Set<unknown>();
    api.on('*', ({ id }) => void ids.add(id));
    const call = api.run(trigger, { id: 'mine' }).catch((error: { id: string }) => error);
    await clock.runUntilIdle();
    expect((await call).id).toBe('mine');
    expect([...ids]).toEqual(['mine']);
  });

  it.each<[string, object, object]>([
    ['a request', { cach: 'k' }, {}],
    ['another option', {}, { deadline: -1 }],
    ['an unknown option', {}, { timeout: 5 }],
  ])('give their id to the error that refuses %s', async (_what, request, options) => {
    const error = await engine()
      .api.run({ ...trigger, ...request } as never, { id: 'mine', ...options } as never)
      .catch((error) => error);
    expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST', id: 'mine', tag: 'pay' });
  });

  it.each([
    [{ id: '' }],
    [{ id: 5 }],
    [null],
    [
      {
        get id() {
          return expect.fail('no');
        },
      },
    ],
  ])('give no id that is none to an error: %#', async (options) => {
    const refused = engine().api.run({ ...trigger, cach: 'k' } as never, options as never);
    const error = await refused.catch((error) => error);
    expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    expect(error).not.toHaveProperty('id');
  });

  it('of equal ids deduplicate nothing', async () => {
    const run = vi.fn(() => 1);
    const { api } = engine();
    api.define(defineFallback({ tag: 'other', providers: [{ name: 'one', run }] }));
    await Promise.all([1, 2].map(() => api.run({ fallback_tag: 'other', action: 'trigger' }, { id: 'same' })));
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('hold for update and reset, too', async () => {
    const { api } = engine();
    for (const request of [{ ...update, input: { maxRetries: 9 } }, reset]) {
      await expect(api.run(request, { signal: AbortSignal.abort('gone') })).rejects.toBe('gone');
      await expect(api.run(request, { deadline: 0 })).rejects.toMatchObject({ errors: [{ code: 'ERR_DEADLINE' }] });
    }
    expect(api.inspect(place).config.maxRetries).toBe(1);
  });

  it('end an update whose session is never verified', async () => {
    const { api, clock } = engine({ sessions: { user: () => new Promise(() => {}) } });
    const request = { ...update, input: { maxRetries: 9 }, session: { tag: 'user', token: 't' } };
    const error = api.run(request, { deadline: 10 }).catch((error: unknown) => error);
    await clock.advance(10);
    expect(await error).toMatchObject({ code: 'ERR_FALLBACK_FAILED', errors: [{ code: 'ERR_DEADLINE' }] });
    await settled();
    expect(api.inspect(place).config.maxRetries).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe('update', () => {
  it('merges, providers one level deep, and tells the configuration in force', async () => {
    const { api } = engine();
    await api.run({ ...update, input: { maxRetries: 3, providers: { paypal: { retries: 5 } } } });
    await api.run({
      ...update,
      input: { resetAfter: 'never', region: 'us', providers: { paypal: { enabled: false }, stripe: { timeout: 7 } } },
    });
    const result = await api.run({ ...update, input: { deadline: 900 } });
    expect(result).toEqual({
      action: 'update',
      state: 'idle',
      revision: 3,
      config: {
        maxRetries: 3,
        deadline: 900,
        resetAfter: null,
        region: 'us',
        providers: {
          stripe: { enabled: true, retries: 0, timeout: 7 },
          paypal: { enabled: false, retries: 5, timeout: null },
        },
      },
    });
  });

  it("brings the definition's value back for null", async () => {
    const { api } = engine();
    const before = api.inspect(place).config;
    const input = {
      maxRetries: 3,
      deadline: 5,
      fallbackProvider: 'paypal',
      resetAfter: 1,
      region: 'us',
      providers: { stripe: { timeout: 1, retries: 9 }, paypal: { enabled: false } },
    };
    await api.run({ ...update, input });
    expect(
      (await api.run({ ...update, input: { providers: { stripe: { timeout: null, retries: null } } } })).config
        .providers.stripe,
    ).toEqual(before.providers.stripe);
    const nothing = {
      maxRetries: null,
      deadline: null,
      fallbackProvider: null,
      resetAfter: null,
      region: null,
      providers: null,
    };
    expect((await api.run({ ...update, input: nothing })).config).toEqual(before);
  });

  it('counts only what changes anything', async () => {
    const { api } = engine();
    expect((await api.run({ ...update, input: {} })).revision).toBe(0);
    expect((await api.run({ ...update, input: { maxRetries: 1 } })).revision).toBe(0);
    expect((await api.run({ ...update, input: { maxRetries: 2 } })).revision).toBe(1);
    expect((await api.run({ ...update, input: { maxRetries: 2 } })).revision).toBe(1);
    expect((await api.run({ ...update, input: { maxRetries: null } })).revision).toBe(2);
    expect(api.inspect(place).revision).toBe(2);
  });

  it.each([
    ['maxRetrys', { maxRetrys: 3 }, 'maxRetries'],
    ['fallbackProvider', { fallbackProvider: 'paypall' }, 'paypal'],
    ['providers.strip', { providers: { strip: { retries: 1 } } }, 'stripe'],
    ['providers.stripe.retrys', { providers: { stripe: { retrys: 1 } } }, 'retries'],
    ['regoin', { regoin: 'us' }, 'region'],
  ])('refuses the unknown name at %s, and tells the nearest', async (path, input, near) => {
    const { api } = engine();
    await expect(api.run({ ...update, input })).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      issues: [{ path, message: expect.stringContaining(`"${near}"`) }],
    });
  });

  it.each([
    ['maxRetries', { maxRetries: -1 }],
    ['maxRetries', { maxRetries: 1.5 }],
    ['deadline', { deadline: Number.POSITIVE_INFINITY }],
    ['resetAfter', { resetAfter: Number.NaN }],
    ['providers.stripe.enabled', { providers: { stripe: { enabled: 1 } } }],
    ['providers.stripe.timeout', { providers: { stripe: { timeout: -1 } } }],
    ['providers', { providers: [] }],
    ['region', { region: 3 }],
    ['limits.a', { limits: { a: 'x' } }],
  ])('refuses a bad %s', async (path, input) => {
    const { api } = engine();
    await expect(api.run({ ...update, input })).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      issues: [{ path }],
    });
    expect(api.inspect(place).revision).toBe(0);
  });

  it.each([
    ['__proto__', '{ "__proto__": { "maxRetries": 9 } }'],
    ['constructor', '{ "constructor": 1 }'],
    ['toString', '{ "toString": 1 }'],
    ['providers.__proto__', '{ "providers": { "__proto__": { "retries": 1 } } }'],
    ['providers.stripe.__proto__', '{ "providers": { "stripe": { "__proto__": { "retries": 1 } } } }'],
  ])('refuses %s like any other unknown key', async (path, json) => {
    const { api } = engine();
    await expect(api.run({ ...update, input: JSON.parse(json) })).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      issues: [{ path }],
    });
  });

  it('applies all of it or none', async () => {
    const { api } = engine();
    const before = api.inspect(place);
    await expect(
      api.run({ ...update, input: { maxRetries: 9, region: 'us', providers: { stripe: { retries: -1 } } } }),
    ).rejects.toThrow();
    await expect(api.run({ ...update, input: { maxRetries: 9, region: 3 } })).rejects.toThrow();
    expect(api.inspect(place)).toEqual(before);
  });

  it('names every fault', async () => {
    const input = { maxRetries: -1, fallbackProvider: 'nobody', providers: { stripe: { retries: -1 } } };
    const error = await engine()
      .api.run({ ...update, input })
      .catch((error: { issues: readonly { path: string }[] }) => error);
    expect((error as { issues: readonly { path: string }[] }).issues.map(({ path }) => path).sort()).toEqual([
      'fallbackProvider',
      'maxRetries',
      'providers.stripe.retries',
    ]);
  });

  it('applies the law again: exhausted where the failures now exceed maxRetries, and back', async () => {
    const { api, fail } = engine();
    await fail();
    expect(await api.run({ ...update, input: { maxRetries: 0 } })).toMatchObject({ state: 'exhausted' });
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 1, retryAfter: 30_000 });
    expect(await api.run({ ...update, input: { maxRetries: 5 } })).toMatchObject({ state: 'triggered' });
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', failures: 1 });
  });

  it('does not restart the wait of what is exhausted already', async () => {
    const { api, clock, fail } = engine();
    await fail();
    await fail();
    await clock.advance(1_000);
    await api.run({ ...update, input: { maxRetries: 0 } });
    expect(api.inspect(place).retryAfter).toBe(29_000);
    await api.run({ ...update, input: { resetAfter: 5_000 } });
    expect(api.inspect(place).retryAfter).toBe(4_000);
  });

  it('lets the outcome of a probe move nothing where it ended the exhaustion', async () => {
    const { api, clock } = engine();
    let settle: (value: unknown) => void = () => {};
    const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
    api.define(defineFallback({ tag: 'one', maxRetries: 0, resetAfter: 100, providers: [{ name: 'one', run }] }));
    const one = { fallback_tag: 'one' };
    await api.run({ ...one, action: 'trigger' }).catch(() => {});
    await clock.advance(100);
    run.mockReturnValueOnce(new Promise((resolve) => (settle = resolve)));
    const probe = api.run({ ...one, action: 'trigger' });
    await api.run({ ...one, action: 'update', input: { maxRetries: 4 } });
    settle('back');
    await probe;
    expect(api.inspect(one)).toMatchObject({ state: 'triggered', failures: 1, recoveries: 1 });
  });

  it('is heard of once the machine has moved', async () => {
    const { api } = engine();
    const heard: unknown[] = [];
    api.on(
      'updated',
      (event) => void heard.push(event.config.maxRetries, api.inspect(place).config.maxRetries, event.revision),
    );
    await api.run({ ...update, input: { maxRetries: 6 } });
    expect(heard).toEqual([6, 6, 1]);
  });
});

describe('reset', () => {
  it('forgets the state; configuration and totals stay', async () => {
    const { api, fail } = engine();
    await api.run({ ...update, input: { maxRetries: 0 } });
    await fail();
    expect(await api.run(reset)).toEqual({ action: 'reset', state: 'idle' });
    const { lastError, retryAfter, ...inspection } = api.inspect(place);
    expect(inspection).toMatchObject({
      state: 'idle',
      failures: 0,
      triggers: 1,
      revision: 1,
      config: { maxRetries: 0 },
    });
    expect([lastError, retryAfter]).toEqual([undefined, undefined]);
  });

  it('with config drops the updates, too', async () => {
    const { api } = engine();
    await api.run({ ...update, input: { maxRetries: 0 } });
    await api.run({ ...reset, input: { config: true } });
    expect(api.inspect(place)).toMatchObject({ config: { maxRetries: 1 }, revision: 2 });
  });

  it('leaves the keys alone, unless asked with keys', async () => {
    const { api, fail } = engine();
    await fail('a');
    await fail('b');
    await api.run(reset);
    expect(api.inspect({ ...place, cache: 'a' }).failures).toBe(1);
    await api.run({ ...reset, input: { keys: true } });
    expect([api.inspect({ ...place, cache: 'a' }), api.inspect({ ...place, cache: 'b' })]).toMatchObject([
      { state: 'idle', failures: 0 },
      { state: 'idle', failures: 0 },
    ]);
  });

  it('of a key leaves the others and the fallback itself alone', async () => {
    const { api, fail } = engine();
    for (const cache of [undefined, 'a', 'b']) await fail(cache);
    await api.run({ ...reset, cache: 'a' });
    expect(api.inspect(place).failures).toBe(1);
    expect(api.inspect({ ...place, cache: 'a' }).failures).toBe(0);
    expect(api.inspect({ ...place, cache: 'b' }).failures).toBe(1);
  });

  it('with keys keeps the updates of the keys, unless asked with config as well', async () => {
    const { api, fail } = engine();
    await api.run({ ...update, cache: 'a', input: { maxRetries: 0 } });
    await fail('a');
    await api.run({ ...reset, input: { keys: true } });
    expect(api.inspect({ ...place, cache: 'a' })).toMatchObject({ state: 'idle', config: { maxRetries: 0 } });
    await api.run({ ...reset, input: { keys: true, config: true } });
    expect(api.inspect({ ...place, cache: 'a' }).config.maxRetries).toBe(1);
  });

  it('reaches no other env, product or tag', async () => {
    const { api, clock, fail } = engine();
    await fail('a');
    const elsewhere = { ...trigger, env: 'dev', cache: 'a' };
    const call = api.run(elsewhere).catch(() => {});
    await clock.runUntilIdle();
    await call;
    await api.run({ ...reset, input: { keys: true } });
    expect(api.inspect({ ...place, env: 'dev', cache: 'a' }).failures).toBe(1);
  });

  it.each([{ config: 1 }, { keys: 'yes' }, { key: true }])('refuses the options %j', async (input) => {
    const { api, fail } = engine();
    await fail();
    await expect(api.run({ ...reset, input } as never)).rejects.toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    expect(api.inspect(place).failures).toBe(1);
  });

  it('creates nothing where nothing was', async () => {
    const { api } = engine({ maxScopes: 1 });
    for (const env of ['a', 'b', 'c'])
      expect(await api.run({ ...reset, env })).toEqual({ action: 'reset', state: 'idle' });
    expect(api.snapshot().machines).toEqual([]);
  });
});

describe('a call that nobody waits for', () => {
  it('is an unhandled rejection when it fails, like any other promise', async () => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => void unhandled.push(error);
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', hear);
    const down = defineFallback({
      tag: 'down',
      providers: [{ name: 'only', run: () => Promise.reject(new Error('503')) }],
    });
    const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [down] as const });
    void fallback.run({ fallback_tag: 'down', action: 'trigger' });
    await settled();
    await settled();
    process.off('unhandledRejection', hear);
    for (const other of others) process.on('unhandledRejection', other);
    expect(unhandled).toMatchObject([{ code: 'ERR_FALLBACK_FAILED' }]);
  });
});
