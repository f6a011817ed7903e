import { describe, expect, it, vi } from 'vitest';
import { createDuctape, type DuctapeOptions, defineFallback, type Fallback } from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

type Options = Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'>;

/** A fallback whose provider does as told; by default it fails, and leaves a trace in whatever machine it is called for. */
function engine(options: Options = {}) {
  const clock = virtualClock();
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  for (const tag of ['pay', 'ship']) api.define(defineFallback({ tag, providers: [{ name: 'one', run }] }));
  const trigger = (place: object = {}) =>
    api.run({ fallback_tag: 'pay', action: 'trigger', ...place }).catch((error: unknown) => error);
  const failures = (place: object = {}) => api.inspect({ fallback_tag: 'pay', ...place }).failures;
  const evicted: unknown[] = [];
  api.on('evicted', ({ cache, reason }) => void evicted.push([cache, reason]));
  return { api, clock, run, trigger, failures, evicted };
}

/** An answer that comes when told. */
function pending() {
  let settle: { resolve(value: unknown): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  const promise = new Promise((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
}

describe('state', () => {
  it('belongs to env, product, tag and key: no two of them share any', async () => {
    const { trigger, failures } = engine();
    const names = [
      'a',
      'b',
      'a:b',
      'a/b',
      'a|b',
      'a\0b',
      'a,b',
      '1:',
      '1:a',
      '2:a',
      '__proto__',
      'constructor',
      'toString',
      'a"',
      '["a","b"]',
      ' ',
      'ä',
      '\ud800',
    ];
    const places = names.flatMap((name, index) => {
      const other = names[(index + 1) % names.length] as string;
      return [
        { env: name, product: other },
        { env: name, product: other, cache: name },
        { env: name, product: other, cache: other },
        { env: other, product: name, cache: name },
        { env: name, product: other, cache: name, fallback_tag: 'ship' },
      ];
    });
    for (const [index, place] of places.entries()) {
      for (const later of places.slice(index)) expect(failures(later)).toBe(0);
      await trigger(place);
      expect(failures(place)).toBe(1);
    }
    for (const place of places) expect(failures(place)).toBe(1);
  });

  it('of a key is not that of its fallback', async () => {
    const { trigger, failures } = engine();
    await trigger({ cache: 'k' });
    expect([failures(), failures({ cache: 'k' })]).toEqual([0, 1]);
    await trigger();
    await trigger();
    expect([failures(), failures({ cache: 'k' })]).toEqual([2, 1]);
  });

  it('belongs to one engine', async () => {
    const [one, other] = [engine(), engine()];
    await one.trigger();
    expect([one.failures(), other.failures()]).toEqual([1, 0]);
  });

  it('belongs to one definition, where a tag is defined twice', async () => {
    const { fallback: api } = createDuctape({ product: 'payments', clock: virtualClock(), cache: { max: 1 } });
    const providers = [{ name: 'one', run: () => Promise.reject(new Error('down')) }];
    api.define(defineFallback({ tag: 'pay', env: 'prd', providers }));
    api.define(defineFallback({ tag: 'pay', env: 'dev', providers }));
    for (const env of ['prd', 'dev'])
      await api.run({ env, fallback_tag: 'pay', action: 'trigger', cache: 'k' }).catch(() => {});
    // Each has an LRU of its own: neither key pushed the other out.
    expect(['prd', 'dev'].map((env) => api.inspect({ env, fallback_tag: 'pay', cache: 'k' }).failures)).toEqual([1, 1]);
  });
});

describe('maxScopes', () => {
  it('says what there is no room for, and why', async () => {
    const { trigger } = engine({ maxScopes: 1 });
    await trigger();
    expect(await trigger({ product: 'other' })).toMatchObject({
      code: 'ERR_INVALID_REQUEST',
      product: 'other',
      issues: [
        {
          path: 'product',
          message: 'expected at most 1 env and product pairs (maxScopes), got one more, and none is idle',
        },
      ],
    });
  });

  it('makes no room of a pair that is anything but idle, in whichever of its fallbacks', async () => {
    const { run, trigger, api } = engine({ maxScopes: 1 });
    await trigger({ fallback_tag: 'ship' });
    run.mockImplementation(() => 'well');
    await trigger();
    // One that failed, and one that did not.
    expect(await trigger({ product: 'other' })).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    const { promise, resolve } = pending();
    run.mockImplementation(() => promise);
    const call = trigger({ fallback_tag: 'ship' });
    // One that failed, and is in flight.
    expect(await trigger({ product: 'other' })).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    resolve('well');
    await call;
    expect(await trigger({ product: 'other' })).toMatchObject({ output: 'well' });
    await api.close();
  });

  it('makes room by the least recently used env and product that has nothing to lose', async () => {
    const { run, trigger, api } = engine({ maxScopes: 2 });
    run.mockResolvedValue(1);
    for (const env of ['a', 'b', 'a', 'c']) await trigger({ env });
    expect(['a', 'b', 'c'].map((env) => api.inspect({ env, fallback_tag: 'pay' }).triggers)).toEqual([2, 0, 1]);
  });

  it('refuses one more where none can make room, and touches nothing', async () => {
    const { api, trigger, failures } = engine({ maxScopes: 2 });
    await trigger({ env: 'a' });
    await trigger({ env: 'b', cache: 'k' });
    expect(await trigger({ env: 'c' })).toMatchObject({
      code: 'ERR_INVALID_REQUEST',
      tag: 'pay',
      env: 'c',
      product: 'payments',
    });
    expect([failures({ env: 'a' }), failures({ env: 'b', cache: 'k' })]).toEqual([1, 1]);
    await api.run({ env: 'a', fallback_tag: 'pay', action: 'reset' });
    expect(await trigger({ env: 'c' })).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('never forgets a pair with updates, of the fallback or of a key', async () => {
    const { api, trigger } = engine({ maxScopes: 1 });
    const a = { env: 'a', fallback_tag: 'pay' } as const;
    for (const cache of [{}, { cache: 'k' }]) {
      await api.run({ ...a, ...cache, action: 'update', input: { maxRetries: 3 } });
      expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
      await api.run({ ...a, ...cache, action: 'reset', input: { config: true } });
    }
    expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('never forgets a pair with anything in flight', async () => {
    const { run, trigger, api } = engine({ maxScopes: 1 });
    const { promise, resolve } = pending();
    run.mockReturnValueOnce(promise);
    const call = trigger({ env: 'a', cache: 'k' });
    expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    resolve(1);
    expect(await call).toMatchObject({ output: 1, state: 'triggered' });
    expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
    expect(api.inspect({ env: 'a', fallback_tag: 'pay', cache: 'k' }).triggers).toBe(0);
  });

  it('makes room by a pair whose only failures have expired with their key', async () => {
    const { clock, trigger, failures } = engine({ maxScopes: 1, cache: { ttl: 100 } });
    await trigger({ env: 'a', cache: 'k' });
    await clock.advance(1_000);
    expect(failures({ env: 'a', cache: 'k' })).toBe(0);
    expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('makes room by a pair whose failing key was evicted', async () => {
    const { run, trigger } = engine({ maxScopes: 1, cache: { max: 1 } });
    await trigger({ env: 'a', cache: 'bad' });
    run.mockResolvedValueOnce(1);
    await trigger({ env: 'a', cache: 'good' });
    expect(await trigger({ env: 'b' })).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('tells of the keys that went with their pair', async () => {
    const { run, trigger, evicted } = engine({ maxScopes: 1 });
    run.mockResolvedValue(1);
    await trigger({ env: 'a', cache: 'k' });
    await trigger({ env: 'b' });
    expect(evicted).toEqual([['k', 'full']]);
  });
});

describe('configuration', () => {
  it('of a fallback holds for every key, those to come included', async () => {
    const { api, trigger } = engine();
    await trigger({ cache: 'old' });
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 0 } });
    for (const cache of ['old', 'new']) expect(api.inspect({ fallback_tag: 'pay', cache }).config.maxRetries).toBe(0);
    expect(await trigger({ cache: 'new' })).toMatchObject({ state: 'exhausted' });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'old' })).toMatchObject({ state: 'exhausted', failures: 1 });
  });

  it('of a fallback holds for no other env, product or tag', async () => {
    const { api } = engine();
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 0 } });
    for (const place of [{ env: 'dev' }, { product: 'shop' }, { fallback_tag: 'ship' }]) {
      expect(api.inspect({ fallback_tag: 'pay', ...place }).config.maxRetries).toBe(10);
    }
  });

  it('is taken over before the next trigger of a key: an exhaustion it causes began with the update', async () => {
    const { api, clock, run, trigger } = engine();
    await trigger({ cache: 'k' });
    await clock.advance(500);
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 0, resetAfter: 1_000 } });
    await clock.advance(400);
    expect(api.inspect({ fallback_tag: 'pay', cache: 'k' })).toMatchObject({ state: 'exhausted', retryAfter: 600 });
    expect(await trigger({ cache: 'k' })).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 600 });
    await clock.advance(600);
    run.mockResolvedValueOnce('back');
    expect(await trigger({ cache: 'k' })).toMatchObject({ output: 'back', state: 'triggered' });
  });

  it('is taken over before an inspection: a later update does not restart the wait it began', async () => {
    const { api, clock, trigger } = engine();
    for (const place of [{}, { cache: 'k' }]) {
      await trigger(place);
      await trigger(place);
    }
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 0, resetAfter: 1_000 } });
    await clock.advance(100);
    const both = () => [{}, { cache: 'k' }].map((place) => api.inspect({ fallback_tag: 'pay', ...place }));
    expect(both()).toMatchObject([{ retryAfter: 900 }, { retryAfter: 900 }]);
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 1 } });
    await clock.advance(100);
    expect(both()).toMatchObject([{ retryAfter: 800 }, { retryAfter: 800 }]);
  });

  it('tells of an exhaustion that an update caused, once the machine has moved', async () => {
    const { api, trigger } = engine();
    await trigger();
    const heard: unknown[] = [];
    api.on(
      'exhausted',
      ({ failures, retryAfter }) => void heard.push([failures, retryAfter, api.inspect({ fallback_tag: 'pay' }).state]),
    );
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 0 } });
    expect(heard).toEqual([[1, 30_000, 'exhausted']]);
  });
});

describe('a machine in flight', () => {
  it('counts what is in flight', async () => {
    const { api, run, trigger } = engine();
    const first = pending();
    const second = pending();
    run.mockReturnValueOnce(first.promise).mockReturnValueOnce(second.promise);
    const calls = [trigger({ cache: 'k' }), trigger({ cache: 'k' })];
    expect(api.inspect({ fallback_tag: 'pay', cache: 'k' }).inFlight).toBe(2);
    first.resolve(1);
    second.reject(new Error('down'));
    await Promise.all(calls);
    await settled();
    expect(api.inspect({ fallback_tag: 'pay', cache: 'k' })).toMatchObject({ inFlight: 0, triggers: 2, recoveries: 1 });
  });
});
