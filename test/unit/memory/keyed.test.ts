import { describe, expect, it, vi } from 'vitest';
import { createDuctape, type DuctapeOptions, defineFallback, type Fallback } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

function engine(cache: NonNullable<DuctapeOptions<readonly Fallback[]>['cache']>, start = 0) {
  const clock = virtualClock(start);
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, cache });
  api.define(defineFallback({ tag: 'pay', providers: [{ name: 'one', run }] }));
  const trigger = (key: string, place: object = {}) =>
    api.run({ fallback_tag: 'pay', action: 'trigger', cache: key, ...place }).catch((error: unknown) => error);
  const failures = (...keys: string[]) => keys.map((key) => api.inspect({ fallback_tag: 'pay', cache: key }).failures);
  const update = (key: string, input: object) =>
    api.run({ fallback_tag: 'pay', action: 'update', cache: key, input: { ...input } });
  const evicted: unknown[] = [];
  api.on(
    'evicted',
    ({ cache: key, reason, env, product, tag }) => void evicted.push([env, product, tag, key, reason].join(' ')),
  );
  return { api, clock, run, trigger, failures, update, evicted };
}

/** An answer that comes when told. */
function pending() {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('the LRU', () => {
  it('forgets the least recently used key, which starts again at idle; listeners hear of it', async () => {
    const { api, trigger, failures, evicted } = engine({ max: 2 });
    for (const key of ['a', 'b', 'a', 'c']) await trigger(key);
    expect(failures('a', 'b', 'c')).toEqual([2, 0, 1]);
    expect(api.inspect({ fallback_tag: 'pay', cache: 'b' })).toMatchObject({ state: 'idle', triggers: 0 });
    expect(evicted).toEqual(['prd payments pay b full']);
  });

  it('holds the keys of all envs and products of a definition together', async () => {
    const { api, trigger, evicted } = engine({ max: 1 });
    await trigger('k', { env: 'a' });
    await trigger('k', { env: 'b' });
    expect(['a', 'b'].map((env) => api.inspect({ fallback_tag: 'pay', env, cache: 'k' }).failures)).toEqual([0, 1]);
    expect(evicted).toEqual(['a payments pay k full']);
  });

  it('never forgets the machine without a key', async () => {
    const { api, trigger } = engine({ max: 1 });
    await api.run({ fallback_tag: 'pay', action: 'trigger' }).catch(() => {});
    for (const key of ['a', 'b', 'c']) await trigger(key);
    expect(api.inspect({ fallback_tag: 'pay' }).failures).toBe(1);
  });

  it('evicts as well where a listener throws', async () => {
    const { api, trigger, failures } = engine({ max: 1 });
    api.on('evicted', () => {
      throw new Error('listener');
    });
    await trigger('a');
    expect(await trigger('b')).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
    expect(failures('a', 'b')).toEqual([0, 1]);
  });

  it('may be used by a listener that hears of an eviction', async () => {
    const { api, trigger, failures } = engine({ max: 1 });
    const calls: Promise<unknown>[] = [];
    api.on('evicted', ({ cache }) => {
      if (cache === 'a' && calls.length === 0) calls.push(trigger('a'));
    });
    await trigger('a');
    await trigger('b');
    await Promise.all(calls);
    expect(calls).toHaveLength(1);
    // One of them is remembered, whole; the other was evicted after it had landed.
    expect(failures('a', 'b').filter((count) => count > 0)).toHaveLength(1);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1'])('of max %s is refused', (max) => {
    expect(() => createDuctape({ cache: { max } as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_REQUEST' }),
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'])('of ttl %s is refused', (ttl) => {
    expect(() => createDuctape({ cache: { ttl } as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_REQUEST' }),
    );
  });
});

describe('a key in flight', () => {
  it('is neither lost nor split by eviction', async () => {
    const { api, run, trigger, failures, evicted } = engine({ max: 1 });
    const { promise, reject } = pending();
    run.mockReturnValueOnce(promise);
    const first = trigger('a');
    await trigger('b');
    await trigger('c');
    // The same machine: a second trigger of the key joins the first.
    const second = trigger('a');
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' })).toMatchObject({ triggers: 2, inFlight: 2 });
    await second;
    reject(new Error('down'));
    await first;
    expect(failures('a', 'b', 'c')).toEqual([2, 0, 0]);
    expect(evicted).toEqual(['prd payments pay b full', 'prd payments pay c full']);
  });

  it('is the LRU’s again once it has landed', async () => {
    const { run, trigger, failures } = engine({ max: 1 });
    const { promise, reject } = pending();
    run.mockReturnValueOnce(promise);
    const call = trigger('a');
    await trigger('b');
    reject(new Error('down'));
    await call;
    expect(failures('a', 'b')).toEqual([1, 0]);
    await trigger('b');
    expect(failures('a', 'b')).toEqual([0, 1]);
  });

  it('may be one of many more than max: none is lost', async () => {
    const { api, run, trigger, failures } = engine({ max: 1 });
    const flights = ['a', 'b', 'c', 'd'].map((key) => {
      const { promise, reject } = pending();
      run.mockReturnValueOnce(promise);
      return { call: trigger(key), reject, key };
    });
    expect(flights.map(({ key }) => api.inspect({ fallback_tag: 'pay', cache: key }).inFlight)).toEqual([1, 1, 1, 1]);
    for (const { reject } of flights) reject(new Error('down'));
    for (const { call } of flights)
      expect(await call).toMatchObject({ code: 'ERR_FALLBACK_FAILED', state: 'triggered' });
    expect(failures('a', 'b', 'c', 'd').filter((count) => count === 1)).toHaveLength(1);
  });

  it('does not expire, however short the ttl', async () => {
    const { api, clock, run, trigger, failures, evicted } = engine({ ttl: 10 });
    const { promise, reject } = pending();
    run.mockReturnValueOnce(promise);
    const call = trigger('a');
    await clock.advance(1_000);
    await trigger('a');
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' })).toMatchObject({ triggers: 2, inFlight: 1, failures: 1 });
    await clock.advance(1_000);
    reject(new Error('down'));
    await call;
    expect(failures('a')).toEqual([2]);
    await clock.advance(10);
    expect(failures('a')).toEqual([2]);
    await clock.advance(1);
    expect(failures('a')).toEqual([0]);
    expect(evicted).toEqual([]);
  });

  it('does not expire while evicted, either', async () => {
    const { clock, run, trigger, failures } = engine({ max: 1, ttl: 10 });
    const { promise, reject } = pending();
    run.mockReturnValueOnce(promise);
    const call = trigger('a');
    await trigger('b');
    await clock.advance(1_000);
    reject(new Error('down'));
    await call;
    expect(failures('a')).toEqual([1]);
  });
});

describe('the ttl', () => {
  it.each([0, 1_700_000_000_000, -5_000])(
    'runs on the clock of the engine, with no timer, also at time %i',
    async (start) => {
      const { api, clock, trigger, failures, evicted } = engine({ ttl: 100 }, start);
      await trigger('a');
      expect(clock.pending).toBe(0);
      await clock.advance(100);
      expect(failures('a')).toEqual([1]);
      await clock.advance(1);
      expect(failures('a')).toEqual([0]);
      // Nobody is told before anybody looks.
      expect(evicted).toEqual([]);
      await trigger('a');
      expect(evicted).toEqual(['prd payments pay a expired']);
      expect(api.inspect({ fallback_tag: 'pay', cache: 'a' })).toMatchObject({ failures: 1, triggers: 1 });
      expect(clock.pending).toBe(0);
    },
  );

  it('counts from the last use', async () => {
    const { clock, trigger, failures } = engine({ ttl: 100 });
    for (let uses = 0; uses < 4; uses++) {
      await trigger('a');
      await clock.advance(60);
    }
    expect(failures('a')).toEqual([4]);
  });

  it('is not renewed by an inspection or a snapshot', async () => {
    const { api, clock, trigger, failures } = engine({ ttl: 100 });
    await trigger('a');
    await clock.advance(60);
    expect(failures('a')).toEqual([1]);
    expect(api.snapshot().machines).toHaveLength(1);
    await clock.advance(60);
    expect(failures('a')).toEqual([0]);
    expect(api.snapshot().machines).toEqual([]);
  });
});

describe('a key with updates of its own', () => {
  it('wins over the fallback, whose other updates it follows', async () => {
    const { api, update } = engine({});
    await update('a', { maxRetries: 1 });
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 5, deadline: 70 } });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' }).config).toMatchObject({ maxRetries: 1, deadline: 70 });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'b' }).config).toMatchObject({ maxRetries: 5, deadline: 70 });
    expect(api.inspect({ fallback_tag: 'pay' }).config).toMatchObject({ maxRetries: 5 });
  });

  it('is pinned: neither evicted nor expired', async () => {
    const { api, clock, trigger, failures, update } = engine({ max: 1, ttl: 10 });
    await update('a', { maxRetries: 3 });
    await trigger('a');
    await clock.advance(1_000);
    for (const key of ['b', 'c']) await trigger(key);
    expect(failures('a', 'b', 'c')).toEqual([1, 0, 1]);
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' }).config.maxRetries).toBe(3);
  });

  it('keeps its pin through a reset, until one with config', async () => {
    const { api, trigger, failures, update } = engine({ max: 1 });
    const reset = (input: object) => api.run({ fallback_tag: 'pay', action: 'reset', cache: 'a', input: { ...input } });
    await update('a', { maxRetries: 3 });
    await reset({});
    await trigger('a');
    await trigger('b');
    expect(failures('a')).toEqual([1]);
    await reset({ config: true });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' })).toMatchObject({
      state: 'idle',
      config: { maxRetries: 10 },
    });
    await trigger('a');
    await trigger('b');
    expect(failures('a')).toEqual([0]);
  });

  it('may be had up to max; beyond it the update is refused and changes nothing', async () => {
    const { api, trigger, failures, update, evicted } = engine({ max: 2 });
    await update('a', { maxRetries: 3 });
    await update('b', { maxRetries: 4 });
    await trigger('c');
    await expect(update('d', { maxRetries: 5 })).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      issues: [{ path: 'cache' }],
    });
    await expect(update('c', { maxRetries: 5 })).rejects.toMatchObject({ code: 'ERR_INVALID_CONFIG', cache: 'c' });
    expect(failures('c')).toEqual([1]);
    expect(evicted).toEqual([]);
    expect(api.inspect({ fallback_tag: 'pay', cache: 'd' })).toMatchObject({ config: { maxRetries: 10 }, revision: 0 });
    // Those that have a pin may go on updating.
    expect(await update('a', { maxRetries: 6 })).toMatchObject({ revision: 2, config: { maxRetries: 6 } });
    await api.run({ fallback_tag: 'pay', action: 'reset', cache: 'b', input: { config: true } });
    expect(await update('d', { maxRetries: 5 })).toMatchObject({ config: { maxRetries: 5 } });
  });

  it('is not made by an update that says nothing', async () => {
    const { api, update } = engine({ max: 1 });
    await update('a', {});
    await update('b', { maxRetries: null });
    expect(await update('c', { maxRetries: 1 })).toMatchObject({ revision: 1 });
    expect(api.snapshot().machines).toMatchObject([{ cache: 'c' }]);
  });

  it('counts its own revisions with those of the fallback', async () => {
    const { api, update } = engine({});
    await api.run({ fallback_tag: 'pay', action: 'update', input: { maxRetries: 2 } });
    expect(await update('a', { maxRetries: 3 })).toMatchObject({ revision: 2 });
    expect(api.inspect({ fallback_tag: 'pay' }).revision).toBe(1);
    expect(api.inspect({ fallback_tag: 'pay', cache: 'b' }).revision).toBe(1);
  });

  it('applies the law to that key alone', async () => {
    const { api, trigger, update } = engine({});
    await trigger('a');
    await trigger('b');
    expect(await update('a', { maxRetries: 0 })).toMatchObject({ state: 'exhausted' });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'b' }).state).toBe('triggered');
  });

  it('may get them while in flight, and is not split', async () => {
    const { api, run, trigger, update } = engine({ max: 1 });
    const { promise, reject } = pending();
    run.mockReturnValueOnce(promise);
    const call = trigger('a');
    await update('a', { maxRetries: 0 });
    await trigger('b');
    reject(new Error('down'));
    expect(await call).toMatchObject({ state: 'exhausted' });
    expect(api.inspect({ fallback_tag: 'pay', cache: 'a' })).toMatchObject({ failures: 1, inFlight: 0, triggers: 1 });
  });
});
