import { describe, expect, it, vi } from 'vitest';
import {
  type Context,
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  type FallbackEvent,
  type FallbackFailedError,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const trigger = { fallback_tag: 'pay', action: 'trigger' } as const;
const never = () => new Promise<never>(() => {});
const thrownBy = (promise: Promise<unknown>): Promise<FallbackFailedError> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as FallbackFailedError,
  );

/** A fallback of one provider that may fail and one that may not. */
function engine(
  run: (input: unknown, ctx: Context) => unknown,
  provider: { timeout?: number | null; retries?: number } = {},
  options: DuctapeOptions<readonly Fallback[]> = {},
) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  api.define(
    defineFallback({
      tag: 'pay',
      providers: [
        { name: 'risky', run, backoff: 0, ...provider },
        { name: 'safe', value: 'safe' },
      ],
    }),
  );
  const late: FallbackEvent[] = [];
  api.on('late', (event) => void late.push(event));
  return { api, clock, late };
}

describe('a timeout', () => {
  it('ends the attempt, aborts its signal with the error, and leaves no timer', async () => {
    let signal: AbortSignal | undefined;
    const { api, clock } = engine(
      (_input, ctx) => {
        signal = ctx.signal;
        return never();
      },
      { timeout: 100 },
    );
    const call = api.run(trigger);
    await clock.advance(99);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const { attempts } = await call;
    expect(attempts[0]).toMatchObject({
      outcome: 'timed-out',
      duration: 100,
      error: { code: 'ERR_ATTEMPT_TIMEOUT', timeout: 100 },
    });
    expect(signal?.reason).toBe(attempts[0]?.error);
    expect(clock.pending).toBe(0);
  });

  it('aborts a signal that is read only afterwards, too', async () => {
    let context: Context | undefined;
    const { api, clock } = engine(
      (_input, ctx) => {
        context = ctx;
        return never();
      },
      { timeout: 100 },
    );
    const call = api.run(trigger);
    await clock.advance(100);
    await call;
    expect([context?.signal.aborted, context?.signal.reason]).toEqual([
      true,
      expect.objectContaining({ code: 'ERR_ATTEMPT_TIMEOUT' }),
    ]);
  });

  it('is retried like any other failure, with time of its own for each attempt', async () => {
    const { api, clock } = engine(never, { timeout: 100, retries: 1 });
    const call = api.run(trigger);
    await clock.runUntilIdle();
    expect((await call).attempts.map(({ outcome, duration }) => [outcome, duration])).toEqual([
      ['timed-out', 100],
      ['timed-out', 100],
      ['succeeded', 0],
    ]);
  });

  it('of the engine holds for providers that name none; null is none', async () => {
    const { api, clock } = engine(never, {}, { timeout: 30 });
    const call = api.run(trigger);
    await clock.advance(30);
    expect((await call).attempts[0]).toMatchObject({ outcome: 'timed-out', error: { timeout: 30 } });
    const other = engine(never, { timeout: null }, { timeout: 30 });
    other.api.run(trigger);
    await settled();
    expect(other.clock.pending).toBe(0);
  });

  it('of 0 still lets an answer through that is there at once', async () => {
    expect((await engine(() => 1, { timeout: 0 }).api.run(trigger)).output).toBe(1);
    const { api, clock } = engine(never, { timeout: 0 });
    const call = api.run(trigger);
    await clock.advance(0);
    expect((await call).attempts[0]).toMatchObject({ outcome: 'timed-out', duration: 0 });
  });

  it('is cleared by an answer', async () => {
    const { api, clock } = engine(async () => 1, { timeout: 100 });
    const call = api.run(trigger);
    expect(clock.pending).toBe(1);
    await call;
    expect(clock.pending).toBe(0);
  });

  it('does not abort the signal of an attempt that has answered', async () => {
    let signal: AbortSignal | undefined;
    const { api, clock } = engine(
      async (_input, ctx) => {
        signal = ctx.signal;
        return 1;
      },
      { timeout: 100 },
    );
    await api.run(trigger);
    await clock.advance(1_000);
    expect(signal?.aborted).toBe(false);
  });
});

describe('what a provider spends before its first await', () => {
  it('is part of its timeout', async () => {
    const clock = virtualClock();
    let spent = 0;
    const timers: number[] = [];
    const slow = {
      ...clock,
      now: () => clock.now() + spent,
      setTimeout: (callback: () => void, ms: number) => {
        timers.push(ms);
        return clock.setTimeout(callback, ms);
      },
    };
    const run = () => {
      spent = 60;
      return never();
    };
    const { api } = engine(run, { timeout: 100 }, { clock: slow });
    const call = api.run(trigger);
    await clock.advance(40);
    expect((await call).attempts[0]).toMatchObject({ outcome: 'timed-out', duration: 100 });
    expect(timers).toEqual([40]);
  });
});

describe('an attempt given up on', () => {
  it('may reject later: swallowed, and reported by late', async () => {
    const fault = new Error('at last');
    let reject: (error: unknown) => void = () => {};
    const { api, clock, late } = engine(() => new Promise((_, no) => (reject = no)), { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    const { id } = await call;
    expect(late).toEqual([]);
    await clock.advance(5);
    reject(fault);
    await settled();
    expect(late).toEqual([
      {
        type: 'late',
        at: 15,
        id,
        env: 'prd',
        product: 'payments',
        tag: 'pay',
        provider: 'risky',
        attempt: 1,
        outcome: 'rejected',
        error: fault,
      },
    ]);
  });

  it('may fulfil later: its value never reaches the caller', async () => {
    let resolve: (value: unknown) => void = () => {};
    const { api, clock, late } = engine(() => new Promise((yes) => (resolve = yes)), { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    const result = await call;
    resolve('secret');
    await settled();
    expect(result.output).toBe('safe');
    expect(late).toMatchObject([{ outcome: 'fulfilled' }]);
    expect(JSON.stringify(late)).not.toContain('secret');
  });

  it.each([
    ['fulfilled', () => 1],
    ['rejected', () => expect.fail('no')],
  ])('is reported where it settles (%s) at once, its caller gone meanwhile', async (outcome, end) => {
    const controller = new AbortController();
    const { api, late } = engine(() => {
      controller.abort('enough');
      return end();
    });
    expect(await thrownBy(api.run(trigger, { signal: controller.signal }))).toBe('enough');
    expect(late).toMatchObject([{ provider: 'risky', attempt: 1, outcome }]);
  });

  it('is reported when the caller aborted it, too', async () => {
    const controller = new AbortController();
    let resolve: (value: unknown) => void = () => {};
    const { api, late } = engine(() => new Promise((yes) => (resolve = yes)));
    const error = thrownBy(api.run(trigger, { signal: controller.signal }));
    controller.abort('enough');
    await error;
    resolve(1);
    await settled();
    expect(late).toMatchObject([{ provider: 'risky', outcome: 'fulfilled' }]);
  });

  it('moves no machine', async () => {
    let reject: (error: unknown) => void = () => {};
    const { api, clock } = engine(() => new Promise((_, no) => (reject = no)), { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    await call;
    const before = api.inspect({ fallback_tag: 'pay' });
    reject(new Error('at last'));
    await settled();
    expect(api.inspect({ fallback_tag: 'pay' })).toEqual(before);
  });

  it('is not reported where it settled in time', async () => {
    const { api, late } = engine(async () => 1);
    await api.run(trigger);
    const failing = engine(() => Promise.reject(new Error('down')));
    await failing.api.run(trigger);
    await settled();
    expect([...late, ...failing.late]).toEqual([]);
  });
});

describe('what a provider may return', () => {
  const fault = new Error('thenable');

  /** A Promise subclass that goes its own way. */
  class Own<T> extends Promise<T> {
    // biome-ignore lint/suspicious/noThenProperty: such classes exist.
    override then<A = T, B = never>(
      onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
      onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      return super.then((value) => (onFulfilled ? onFulfilled(`own ${value}` as T) : (value as never)), onRejected);
    }
  }

  const thenable = (then: (yes: (value: unknown) => void, no: (error: unknown) => void) => void) => {
    return { then };
  };

  it.each<[string, () => unknown, unknown]>([
    ['a thenable', () => thenable((yes) => yes(1)), 1],
    ['a thenable that fulfils twice', () => thenable((yes) => [yes(1), yes(2)]), 1],
    ['a thenable that fulfils, then rejects', () => thenable((yes, no) => [yes(1), no(fault)]), 1],
    [
      'a thenable that fulfils, then throws',
      () =>
        thenable((yes) => {
          yes(1);
          throw fault;
        }),
      1,
    ],
    ['a thenable of a thenable', () => thenable((yes) => yes(thenable((inner) => inner(2)))), 2],
    [
      'a function that is thenable',
      () =>
        Object.assign(
          () => {},
          thenable((yes) => yes(3)),
        ),
      3,
    ],
    ['a Promise subclass with a then of its own', () => Own.resolve('answer'), 'own answer'],
    [
      'a promise with a then of its own that fulfils twice',
      () =>
        Object.defineProperty(Promise.resolve(0), 'then', {
          value: (yes: (value: unknown) => void) => [yes(1), yes(2)],
        }),
      1,
    ],
    [
      'a promise with a then of its own that fulfils with a promise',
      () =>
        Object.defineProperty(Promise.resolve(0), 'then', {
          value: (yes: (value: unknown) => void) => yes(Promise.resolve(4)),
        }),
      4,
    ],
  ])('%s', async (_what, run, output) => {
    const { api, late } = engine(run);
    const result = await api.run(trigger);
    expect([result.provider, result.output]).toEqual(['risky', output]);
    expect(result.attempts).toHaveLength(1);
    await settled();
    expect(late).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    ['a thenable that rejects', () => thenable((_, no) => no(fault))],
    ['a thenable that rejects, then fulfils', () => thenable((yes, no) => [no(fault), yes(1)])],
    [
      'a thenable that throws',
      () =>
        thenable(() => {
          throw fault;
        }),
    ],
    [
      'an object whose then cannot be read',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw fault;
          },
        }),
    ],
    [
      'a promise whose then cannot be read',
      () =>
        Object.defineProperty(Promise.resolve(1), 'then', {
          get() {
            throw fault;
          },
        }),
    ],
    [
      'a promise whose then throws',
      () =>
        Object.defineProperty(Promise.resolve(1), 'then', {
          value() {
            throw fault;
          },
        }),
    ],
  ])('%s is a failed attempt', async (_what, run) => {
    const { api, late } = engine(run);
    const result = await api.run(trigger);
    expect(result.provider).toBe('safe');
    expect(result.attempts[0]).toMatchObject({ outcome: 'failed', error: fault });
    await settled();
    expect(late).toEqual([]);
  });

  it('a thenable that never settles ends with its timeout', async () => {
    const { api, clock } = engine(() => thenable(() => {}), { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    expect((await call).attempts[0]).toMatchObject({ outcome: 'timed-out' });
  });

  it('a thenable that settles twice after it was given up on is reported once', async () => {
    let resolve: (value: unknown) => void = () => {};
    const { api, clock, late } = engine(() => thenable((yes) => (resolve = yes)), { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    await call;
    resolve(1);
    resolve(2);
    await settled();
    expect(late).toHaveLength(1);
  });
});

describe('an abort listener of a provider', () => {
  it('may settle the attempt it is aborted in without changing its outcome', async () => {
    const run = (_input: unknown, { signal }: Context) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late')));
    const { api, clock } = engine(run, { timeout: 10 });
    const call = api.run(trigger);
    await clock.advance(10);
    expect(await call).toMatchObject({
      provider: 'safe',
      attempts: [{ outcome: 'timed-out' }, { outcome: 'succeeded' }],
    });
  });

  it('may call the engine', async () => {
    const again = vi.fn();
    const { api, clock } = engine(
      (_input, { signal }) => {
        signal.addEventListener('abort', () => again(api.inspect({ fallback_tag: 'pay' }).inFlight));
        return never();
      },
      { timeout: 10 },
    );
    const call = api.run(trigger);
    await clock.advance(10);
    await call;
    expect(again).toHaveBeenCalledExactlyOnceWith(1);
  });
});
