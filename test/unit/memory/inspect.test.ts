import { describe, expect, it, vi } from 'vitest';
import { createDuctape, type DuctapeOptions, defineFallback, type Fallback } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;

function engine(options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {}) {
  const clock = virtualClock();
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  api.define(defineFallback({ tag: 'pay', maxRetries: 0, resetAfter: 100, providers: [{ name: 'one', run }] }));
  return { api, clock, run };
}

describe('inspect', () => {
  it('tells of what was never used that it is idle', () => {
    const { api } = engine();
    expect(api.inspect(place)).toEqual({
      state: 'idle',
      failures: 0,
      config: { maxRetries: 0, resetAfter: 100, providers: { one: { enabled: true, retries: 0, timeout: null } } },
      revision: 0,
      triggers: 0,
      recoveries: 0,
      inFlight: 0,
    });
  });

  it('tells all of what was', async () => {
    const { api, clock, run } = engine();
    run.mockResolvedValueOnce(1);
    await api.run(trigger);
    await api.run(trigger).catch(() => {});
    await clock.advance(30);
    expect(api.inspect(place)).toEqual({
      state: 'exhausted',
      failures: 1,
      config: expect.objectContaining({ maxRetries: 0 }),
      revision: 0,
      triggers: 2,
      recoveries: 1,
      inFlight: 0,
      lastError: expect.objectContaining({ message: 'down' }),
      retryAfter: 70,
    });
    await clock.advance(500);
    expect(api.inspect(place).retryAfter).toBe(0);
  });

  it('creates nothing: not even an env and product', async () => {
    const { api } = engine({ maxScopes: 1 });
    await api.run(trigger).catch(() => {});
    for (const env of ['a', 'b', 'c']) api.inspect({ ...place, env, cache: 'k' });
    expect(api.snapshot().machines).toHaveLength(1);
    expect(api.inspect(place).failures).toBe(1);
  });

  it('renews nothing: neither a key nor an env and product', async () => {
    const { api, run } = engine({ cache: { max: 2 }, maxScopes: 2 });
    run.mockResolvedValue(1);
    for (const cache of ['a', 'b']) await api.run({ ...trigger, cache });
    api.inspect({ ...place, cache: 'a' });
    await api.run({ ...trigger, cache: 'c' });
    expect(['a', 'b', 'c'].map((cache) => api.inspect({ ...place, cache }).triggers)).toEqual([0, 1, 1]);
    await api.run({ ...trigger, env: 'dev' });
    api.inspect(place);
    await api.run({ ...trigger, env: 'test' });
    expect(
      ['prd', 'dev', 'test'].map(
        (env) => api.inspect({ ...place, env, cache: 'c' }).triggers + api.inspect({ ...place, env }).triggers,
      ),
    ).toEqual([0, 1, 1]);
  });

  it('moves nothing: it may look on a due probe for ever', async () => {
    const { api, clock, run } = engine();
    await api.run(trigger).catch(() => {});
    await clock.advance(100);
    expect(api.inspect(place)).toEqual(api.inspect(place));
    run.mockResolvedValueOnce(1);
    expect(await api.run(trigger)).toMatchObject({ state: 'triggered' });
  });

  it("ignores a request's other fields", async () => {
    const { api } = engine();
    await api.run({ ...trigger, cache: 'k' }).catch(() => {});
    const request = { ...trigger, cache: 'k', input: 3, session: 'nonsense', whatever: true };
    expect(api.inspect(request as never)).toMatchObject({ state: 'exhausted', failures: 1 });
  });

  it.each([
    [{}, 'ERR_INVALID_REQUEST'],
    [null, 'ERR_INVALID_REQUEST'],
    [{ fallback_tag: '' }, 'ERR_INVALID_REQUEST'],
    [{ fallback_tag: 'pay', cache: '' }, 'ERR_INVALID_REQUEST'],
    [{ fallback_tag: 'pay', env: 3 }, 'ERR_INVALID_REQUEST'],
    [{ fallback_tag: 'pray' }, 'ERR_UNKNOWN_FALLBACK'],
  ])('refuses %j', (request, code) => {
    expect(() => engine().api.inspect(request as never)).toThrow(expect.objectContaining({ code }));
  });

  it('tells the last provider error as it was thrown, and as text in JSON', async () => {
    const { api, run } = engine();
    const thrown = { not: 'an error' };
    run.mockRejectedValueOnce(thrown);
    await api.run(trigger).catch(() => {});
    expect(api.inspect(place).lastError).toBe(thrown);
    expect(JSON.parse(JSON.stringify(api.inspect(place)))).toMatchObject({ lastError: 'an object', failures: 1 });
  });

  it('keeps the last error through a recovery, until the next one', async () => {
    const { api, clock, run } = engine();
    await api.run(trigger).catch(() => {});
    await clock.advance(100);
    run.mockResolvedValueOnce(1);
    await api.run(trigger);
    expect(api.inspect(place).lastError).toMatchObject({ message: 'down' });
  });

  it('tells of each provider error as soon as it is known', async () => {
    const { api, clock } = engine();
    const waits = () => new Promise<void>((resolve) => void clock.setTimeout(resolve, 50));
    const providers = [
      { name: 'one', run: () => Promise.reject(new Error('first')) },
      { name: 'two', run: waits },
    ] as const;
    api.define(defineFallback({ tag: 'two', providers }));
    const call = api.run({ fallback_tag: 'two', action: 'trigger' });
    await clock.advance(10);
    expect(api.inspect({ fallback_tag: 'two' })).toMatchObject({ lastError: { message: 'first' }, inFlight: 1 });
    await clock.advance(40);
    await call;
  });

  it('hands out a configuration that nobody can change', () => {
    const { config } = engine().api.inspect(place);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.providers)).toBe(true);
    expect(Object.isFrozen(config.providers.one)).toBe(true);
  });
});
