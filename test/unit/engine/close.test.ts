import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  type Context,
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  EngineClosedError,
  type Fallback,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const never = () => new Promise<never>(() => {});
const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );

function engine(
  run: (input: unknown, ctx: Context) => unknown,
  options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {},
  more: object = {},
) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  api.define(
    defineFallback({
      tag: 'pay',
      providers: [{ name: 'one', run, retries: 1, backoff: 100, timeout: 1_000 }],
      ...more,
    }),
  );
  return { api, clock };
}

describe('close without grace', () => {
  it('cuts an attempt short: EngineClosedError, its signal aborted, no verdict, no timer, no listener', async () => {
    const { signal } = new AbortController();
    let own: AbortSignal | undefined;
    const run = vi.fn((_input: unknown, ctx: Context) => {
      own = ctx.signal;
      return never();
    });
    const { api, clock } = engine(run);
    const error = thrownBy(api.run(trigger, { signal, deadline: 5_000 }));
    await settled();
    expect(clock.pending).toBe(2);
    await api.close();
    expect(await error).toBeInstanceOf(EngineClosedError);
    expect(await error).toMatchObject({
      code: 'ERR_CLOSED',
      tag: 'pay',
      env: 'prd',
      product: 'payments',
      id: expect.any(String),
    });
    expect(own?.reason).toMatchObject({ code: 'ERR_CLOSED' });
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', failures: 0, recoveries: 0, inFlight: 0 });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('cuts a wait short, and keeps the errors met until then', async () => {
    const down = new Error('down');
    const run = vi.fn(() => Promise.reject(down));
    const { api, clock } = engine(run);
    const error = thrownBy(api.run(trigger));
    await clock.advance(50);
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED', errors: [down] });
    await clock.runUntilIdle();
    expect(run).toHaveBeenCalledTimes(1);
    expect(api.inspect(place).failures).toBe(0);
  });

  it('cuts a session check short', async () => {
    const run = vi.fn();
    const { api } = engine(run, { sessions: { user: never } });
    const session = { tag: 'user', token: 't' };
    const errors = [
      thrownBy(api.run({ ...trigger, session })),
      thrownBy(api.run({ ...place, action: 'update', input: { maxRetries: 1 }, session })),
      thrownBy(api.run({ ...place, action: 'reset', session })),
    ];
    await settled();
    await api.close();
    for (const error of errors) expect(await error).toMatchObject({ code: 'ERR_CLOSED', tag: 'pay' });
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', config: { maxRetries: 10 } });
  });

  it('cuts an input check short', async () => {
    const run = vi.fn();
    const { api } = engine(run, {}, { input: z.object({}).refine(never) });
    const error = thrownBy(api.run(trigger));
    await settled();
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    expect(run).not.toHaveBeenCalled();
  });

  it('cuts the primary of wrap and call short, and nothing falls back', async () => {
    const run = vi.fn();
    const { api, clock } = engine(run);
    let own: AbortSignal | undefined;
    const errors = [
      thrownBy(api.wrap('pay', never)()),
      thrownBy(
        api.call(
          'pay',
          ({ signal }) => {
            own = signal;
            return never();
          },
          { timeout: 500, deadline: 900 },
        ),
      ),
    ];
    await settled();
    await api.close();
    for (const error of errors) expect(await error).toMatchObject({ code: 'ERR_CLOSED', tag: 'pay' });
    expect(own?.aborted).toBe(true);
    expect(run).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it("keeps the primary's error as the cause where it cuts the fallback short", async () => {
    const { api } = engine(never);
    const primary = new Error('primary');
    const error = thrownBy(api.call('pay', () => Promise.reject(primary)));
    await settled();
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED', cause: primary });
  });

  it('abandons a probe', async () => {
    const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
    const clock = virtualClock();
    const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock });
    api.define(defineFallback({ tag: 'pay', maxRetries: 0, resetAfter: 100, providers: [{ name: 'one', run }] }));
    await thrownBy(api.run(trigger));
    await clock.advance(100);
    run.mockImplementation(never);
    const probe = thrownBy(api.run(trigger));
    await api.close();
    await probe;
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 1, retryAfter: 0 });
  });

  it('resolves at once where nothing is in flight', async () => {
    const { api, clock } = engine(() => 1);
    await api.run(trigger);
    expect(await api.close()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it.each(['run', 'when', 'attempt-started', 'triggered'] as const)(
    'in %s ends that very trigger, too',
    async (where) => {
      const next = vi.fn();
      const clock = virtualClock();
      const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock });
      const close = () => {
        void api.close();
        return true;
      };
      const run = vi.fn(() => {
        if (where === 'run') close();
        return never();
      });
      const one = { name: 'one', run, ...(where === 'when' && { when: close }) };
      api.define(defineFallback({ tag: 'pay', providers: [one, { name: 'two', run: next }] }));
      if (where === 'attempt-started' || where === 'triggered') api.on(where, close);
      const rejected = vi.fn();
      api.run(trigger).catch(rejected);
      await settled();
      expect(rejected).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'ERR_CLOSED' }));
      expect(run).toHaveBeenCalledTimes(where === 'run' ? 1 : 0);
      expect(next).not.toHaveBeenCalled();
    },
  );
});

describe('close with grace', () => {
  it('waits for what is in flight, and no longer', async () => {
    let resolve: (value: unknown) => void = () => {};
    const { api, clock } = engine(() => new Promise((yes) => (resolve = yes)));
    const call = api.run(trigger);
    const closed = vi.fn();
    api.close({ grace: 500 }).then(closed);
    await clock.advance(200);
    expect(closed).not.toHaveBeenCalled();
    resolve('done');
    expect(await call).toMatchObject({ output: 'done' });
    await settled();
    expect(closed).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it('lets what is in flight go on: retries, waits and all', async () => {
    const run = vi.fn(() => (run.mock.calls.length > 1 ? 'done' : Promise.reject(new Error('down'))));
    const { api, clock } = engine(run as () => unknown);
    const call = api.run(trigger);
    const closing = api.close({ grace: 500 });
    await clock.advance(100);
    expect(await call).toMatchObject({ output: 'done', attempts: [{ outcome: 'failed' }, { outcome: 'succeeded' }] });
    await closing;
    expect(api.inspect(place).recoveries).toBe(1);
  });

  it('lets a primary in flight fall back', async () => {
    let reject: (error: unknown) => void = () => {};
    const { api } = engine(() => 'fallback');
    const call = api.call('pay', () => new Promise((_, no) => (reject = no)));
    const closing = api.close({ grace: 500 });
    reject(new Error('primary'));
    expect(await call).toBe('fallback');
    await closing;
  });

  it('aborts what is still in flight then, and resolves', async () => {
    const { api, clock } = engine(never);
    const error = thrownBy(api.run(trigger));
    const closed = vi.fn();
    api.close({ grace: 500 }).then(closed);
    await clock.advance(499);
    expect(closed).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    expect(closed).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
    expect(clock.now()).toBe(500);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648, '1'])(
    'of %s is refused, and nothing is closed',
    async (grace) => {
      const { api } = engine(() => 1);
      await expect(api.close({ grace } as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_REQUEST',
        issues: [{ path: 'grace' }],
      });
      expect(await api.run(trigger)).toMatchObject({ output: 1 });
    },
  );

  it('is the only option', async () => {
    await expect(engine(() => 1).api.close({ garce: 1 } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
    });
  });
});

describe('a second close', () => {
  it('resolves like the first', async () => {
    const { api } = engine(never);
    const error = thrownBy(api.run(trigger));
    await Promise.all([api.close(), api.close(), api.close({ grace: 100 })]);
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('without grace ends the grace of the first', async () => {
    const { api, clock } = engine(never);
    const error = thrownBy(api.run(trigger));
    const first = api.close({ grace: 10_000 });
    await api.close();
    await first;
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    expect([clock.now(), clock.pending]).toEqual([0, 0]);
  });
});

describe('after close', () => {
  it('everything that would do something is refused', async () => {
    const { api } = engine(() => 1);
    const primary = vi.fn();
    const guarded = api.wrap('pay', primary);
    const snapshot = api.snapshot();
    const closing = api.close();
    for (const action of ['trigger', 'update', 'reset'] as const) {
      await expect(api.run({ ...place, action })).rejects.toBeInstanceOf(EngineClosedError);
    }
    await expect(guarded()).rejects.toBeInstanceOf(EngineClosedError);
    await expect(api.call('pay', primary)).rejects.toBeInstanceOf(EngineClosedError);
    expect(() => api.wrap('pay', primary)).toThrow(EngineClosedError);
    expect(() => api.restore(snapshot)).toThrow(EngineClosedError);
    expect(() => api.define(defineFallback({ tag: 'late', providers: [{ name: 'one', value: 1 }] }))).toThrow(
      EngineClosedError,
    );
    expect(primary).not.toHaveBeenCalled();
    await closing;
  });

  it('is refused from the moment of the call, grace or not', async () => {
    const { api, clock } = engine(never);
    const error = thrownBy(api.run(trigger));
    const closing = api.close({ grace: 100 });
    await expect(api.run(trigger)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await clock.advance(100);
    await Promise.all([closing, error]);
  });

  it('inspect, list and snapshot still work', async () => {
    const { api } = engine(() => 1);
    await api.run(trigger);
    await api.close();
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', triggers: 1 });
    expect(api.list()).toEqual([{ tag: 'pay', providers: ['one'] }]);
    expect(api.snapshot().machines).toHaveLength(1);
    expect(api.has('pay')).toBe(true);
  });

  it('a late rejection is still swallowed', async () => {
    let reject: (error: unknown) => void = () => {};
    const { api } = engine(() => new Promise((_, no) => (reject = no)));
    const late = vi.fn();
    api.on('late', late);
    const error = thrownBy(api.run(trigger));
    await api.close();
    await error;
    reject(new Error('at last'));
    await settled();
    expect(late).toHaveBeenCalledTimes(1);
  });
});
