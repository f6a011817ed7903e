import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  type AttemptRecord,
  type Context,
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  FallbackExhaustedError,
  FallbackFailedError,
  InvalidInputError,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const down =
  (message = 'down') =>
  async () => {
    throw new Error(message);
  };
const never = () => new Promise<never>(() => {});
const thrownBy = (promise: Promise<unknown>): Promise<FallbackFailedError> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as FallbackFailedError,
  );

function engine(fallback: Fallback, options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {}) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, random: () => 0.5, ...options });
  api.define(fallback);
  return { api, clock };
}

const outcomes = (attempts: readonly AttemptRecord[]) =>
  attempts.map(({ provider, attempt, outcome }) => [provider, attempt, outcome]);

describe('the checks', () => {
  it('refuse a malformed request, an unknown tag and a wrong input without touching any state', async () => {
    const { api } = engine(
      defineFallback({
        tag: 'pay',
        input: z.object({ orderId: z.string() }),
        providers: [{ name: 'queue', value: 1 }],
      }),
    );
    await expect(api.run({ ...trigger, action: 'triger' as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
    });
    await expect(api.run({ ...trigger, fallback_tag: 'pray' })).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_FALLBACK',
      suggestion: 'pay',
    });
    await expect(api.run({ ...trigger, input: { orderId: 3 } })).rejects.toBeInstanceOf(InvalidInputError);
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0, failures: 0 });
    expect(api.snapshot().machines).toEqual([]);
  });

  it('give the providers what the schema puts out, sync or async', async () => {
    const run = vi.fn((input: { orderId: string }) => input.orderId);
    const sync = defineFallback({
      tag: 'pay',
      input: z.object({ orderId: z.string().transform((id) => `o-${id}`) }),
      providers: [{ name: 'stripe', run }],
    });
    expect(await engine(sync).api.run({ ...trigger, input: { orderId: '1' } })).toMatchObject({ output: 'o-1' });
    const async = defineFallback({
      tag: 'pay',
      input: z.object({ orderId: z.string().transform(async (id) => `o-${id}`) }),
      providers: [{ name: 'stripe', run }],
    });
    expect(await engine(async).api.run({ ...trigger, input: { orderId: '2' } })).toMatchObject({ output: 'o-2' });
  });

  it('refuse a wrong input of an async schema, too', async () => {
    const run = vi.fn();
    const input = z.object({ orderId: z.string().refine(async (id) => id !== 'bad', 'expected a good one') });
    const { api } = engine(defineFallback({ tag: 'pay', input, providers: [{ name: 'stripe', run }] }));
    await expect(api.run({ ...trigger, input: { orderId: 'bad' } })).rejects.toMatchObject({
      issues: [{ path: 'orderId' }],
    });
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place).triggers).toBe(0);
  });

  it('take an absent input as {}', async () => {
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'stripe', run: (input) => input }] }));
    expect((await api.run(trigger)).output).toEqual({});
  });

  it('call the first provider before they return, where nothing had to be awaited', async () => {
    const run = vi.fn(() => 1);
    const { api } = engine(defineFallback({ tag: 'pay', input: z.object({}), providers: [{ name: 'stripe', run }] }));
    const call = api.run(trigger);
    expect(run).toHaveBeenCalledTimes(1);
    await call;
  });

  it('are over at a deadline, without attempts and without a verdict', async () => {
    const run = vi.fn();
    const input = z.object({}).refine(() => never());
    const { api, clock } = engine(
      defineFallback({ tag: 'pay', input, deadline: 50, providers: [{ name: 'stripe', run }] }),
    );
    const error = thrownBy(api.run(trigger));
    await clock.advance(50);
    expect(await error).toBeInstanceOf(FallbackFailedError);
    expect(await error).toMatchObject({
      attempts: [],
      state: 'idle',
      errors: [{ code: 'ERR_DEADLINE', deadline: 50 }],
    });
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', failures: 0, triggers: 0 });
    expect(clock.pending).toBe(0);
  });

  it('are over with the abort of their caller, for its reason', async () => {
    const { signal, abort } = aborting();
    const run = vi.fn();
    const input = z.object({}).refine(() => never());
    const { api, clock } = engine(
      defineFallback({ tag: 'pay', input, deadline: 50, providers: [{ name: 'stripe', run }] }),
    );
    const error = thrownBy(api.run(trigger, { signal }));
    await settled();
    abort('enough');
    expect(await error).toBe('enough');
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0 });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('are over with the abort of their caller while the session is verified', async () => {
    const { signal, abort } = aborting();
    const run = vi.fn();
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'stripe', run }] }), {
      sessions: { user: never },
    });
    const error = thrownBy(api.run({ ...trigger, session: { tag: 'user', token: 't' } }, { signal }));
    abort('enough');
    expect(await error).toBe('enough');
    expect(run).not.toHaveBeenCalled();
  });

  it('count towards the deadline', async () => {
    const left: number[] = [];
    const clock = virtualClock();
    const input = z.object({}).refine(async () => {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 30));
      return true;
    });
    const fallback = defineFallback({
      tag: 'pay',
      input,
      deadline: 50,
      providers: [{ name: 'stripe', run: (_input, ctx) => left.push(ctx.remaining()) }],
    });
    const { api } = engine(fallback, { clock });
    const call = api.run(trigger);
    await clock.advance(30);
    expect(await call).toMatchObject({ provider: 'stripe', duration: 30 });
    expect(left).toEqual([20]);
  });
});

describe('the plan', () => {
  it('tries the providers in order until one succeeds', async () => {
    const third = vi.fn(() => 3);
    const providers = [
      { name: 'one', run: down('first') },
      { name: 'two', run: () => 2 },
      { name: 'three', run: third },
    ] as const;
    const { api } = engine(defineFallback({ tag: 'pay', providers }));
    const result = await api.run(trigger);
    expect(result).toMatchObject({ action: 'trigger', state: 'triggered', provider: 'two', output: 2, duration: 0 });
    expect(outcomes(result.attempts)).toEqual([
      ['one', 1, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
    expect(third).not.toHaveBeenCalled();
  });

  it('has nothing but the fields of the contract in its result', async () => {
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', value: 1 }] }));
    const result = await api.run(trigger);
    expect(Object.keys(result).sort()).toEqual(['action', 'attempts', 'duration', 'id', 'output', 'provider', 'state']);
    expect(result.attempts).toEqual([{ provider: 'one', attempt: 1, outcome: 'succeeded', duration: 0 }]);
  });

  it('tries the fallbackProvider first and leaves the disabled ones out', async () => {
    const providers = [
      { name: 'one', run: down() },
      { name: 'two', run: down() },
      { name: 'three', run: down() },
    ] as const;
    const { api } = engine(defineFallback({ tag: 'pay', fallbackProvider: 'two', providers }));
    expect((await thrownBy(api.run(trigger))).attempts.map(({ provider }) => provider)).toEqual([
      'two',
      'one',
      'three',
    ]);
    await api.run({
      ...place,
      action: 'update',
      input: { fallbackProvider: 'three', providers: { one: { enabled: false } } },
    });
    expect((await thrownBy(api.run(trigger))).attempts.map(({ provider }) => provider)).toEqual(['three', 'two']);
  });

  it('fails without an attempt where every provider is disabled', async () => {
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', value: 1 }] }));
    await api.run({ ...place, action: 'update', input: { providers: { one: { enabled: false } } } });
    expect(await thrownBy(api.run(trigger))).toMatchObject({ code: 'ERR_FALLBACK_FAILED', attempts: [], errors: [] });
    expect(api.inspect(place).failures).toBe(1);
  });

  it('gives each provider one attempt and then its retries', async () => {
    const providers = [
      { name: 'one', run: down(), retries: 2, backoff: 10 },
      { name: 'two', run: down(), backoff: 10 },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers }));
    const error = thrownBy(api.run(trigger));
    await clock.runUntilIdle();
    expect(outcomes((await error).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'failed'],
      ['one', 3, 'failed'],
      ['two', 1, 'failed'],
    ]);
    // Two waits between attempts on `one`, none before `two`.
    expect(clock.now()).toBe(20);
  });

  it('holds every error in the order they were met, and every attempt', async () => {
    const synchronous = new Error('sync');
    const providers = [
      {
        name: 'one',
        run: () => {
          throw synchronous;
        },
      },
      { name: 'two', run: down('rejected') },
      { name: 'three', run: never, timeout: 10 },
      { name: 'four', value: 4, accept: () => false },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers }));
    const failed = thrownBy(api.run(trigger, { id: 'mine' }));
    await clock.runUntilIdle();
    const error = await failed;
    expect(error).toBeInstanceOf(FallbackFailedError);
    expect(error).toMatchObject({ id: 'mine', tag: 'pay', env: 'prd', product: 'payments', state: 'triggered' });
    expect(error.errors).toEqual([
      synchronous,
      expect.objectContaining({ message: 'rejected' }),
      expect.objectContaining({ code: 'ERR_ATTEMPT_TIMEOUT', timeout: 10 }),
      expect.any(Error),
    ]);
    expect(error.attempts.map(({ error }) => error)).toEqual(error.errors);
    expect(outcomes(error.attempts)).toEqual([
      ['one', 1, 'failed'],
      ['two', 1, 'failed'],
      ['three', 1, 'timed-out'],
      ['four', 1, 'failed'],
    ]);
    expect(error.attempts.map(({ duration }) => duration)).toEqual([0, 0, 10, 0]);
  });

  it('keeps the configuration it started with', async () => {
    const clock = virtualClock();
    const seen: unknown[] = [];
    const late = async (_input: unknown, { config }: Context) => {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10));
      seen.push(config.maxRetries, config.providers.two?.enabled);
      throw new Error('down');
    };
    const providers = [
      { name: 'one', run: late },
      { name: 'two', value: 2 },
    ] as const;
    const { api } = engine(defineFallback({ tag: 'pay', maxRetries: 3, providers }), { clock });
    const call = api.run(trigger);
    await api.run({ ...place, action: 'update', input: { maxRetries: 7, providers: { two: { enabled: false } } } });
    await clock.advance(10);
    expect(await call).toMatchObject({ provider: 'two' });
    expect(seen).toEqual([3, true]);
  });
});

describe('the predicates', () => {
  it('when skips a provider for this trigger, with a record of it', async () => {
    const run = vi.fn();
    const providers = [
      { name: 'stripe', run, when: (input: Record<string, unknown>) => input.attemptedProvider !== 'stripe' },
      { name: 'queue', value: 'queued' },
    ] as const;
    const { api } = engine(defineFallback({ tag: 'pay', providers }));
    const { attempts } = await api.run({ ...trigger, input: { attemptedProvider: 'stripe' } });
    expect(attempts[0]).toEqual({ provider: 'stripe', attempt: 1, outcome: 'skipped', duration: 0 });
    expect(run).not.toHaveBeenCalled();
    await api.run(trigger);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('when is asked once, at the turn of its provider', async () => {
    const order: string[] = [];
    const providers = [
      {
        name: 'one',
        retries: 1,
        backoff: 0,
        when: () => order.push('when one') > 0,
        run: () => {
          order.push('one');
          throw new Error('down');
        },
      },
      { name: 'two', when: () => order.push('when two') > 0, run: () => order.push('two') },
      { name: 'three', when: () => order.push('when three') > 0, value: 3 },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers }));
    const call = api.run(trigger);
    await clock.runUntilIdle();
    await call;
    expect(order).toEqual(['when one', 'one', 'one', 'when two', 'two']);
  });

  it('fail a trigger whose every provider is skipped', async () => {
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', value: 1, when: () => false }] }));
    const error = await thrownBy(api.run(trigger));
    expect(outcomes(error.attempts)).toEqual([['one', 1, 'skipped']]);
    expect(error.errors).toEqual([]);
  });

  it('accept makes an output a failed attempt, which is retried', async () => {
    let made = 0;
    const providers = [
      { name: 'one', run: () => ++made, accept: (output: unknown) => output === 2, retries: 1, backoff: 0 },
    ];
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers }));
    const call = api.run(trigger);
    await clock.runUntilIdle();
    expect(outcomes((await call).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'succeeded'],
    ]);
  });

  it('shouldRetry moves straight on to the next provider', async () => {
    const asked: unknown[] = [];
    const shouldRetry = (error: unknown, ctx: Context) => {
      asked.push([(error as Error).message, ctx.attempt]);
      return ctx.attempt < 2;
    };
    const providers = [
      { name: 'one', run: down(), retries: 5, backoff: 0, shouldRetry },
      { name: 'two', value: 2 },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers }));
    const call = api.run(trigger);
    await clock.runUntilIdle();
    expect(outcomes((await call).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
    expect(asked).toEqual([
      ['down', 1],
      ['down', 2],
    ]);
  });

  const fault = new Error('predicate');
  const throws = () => {
    throw fault;
  };

  it.each([
    ['when', { when: throws }],
    ['accept', { accept: throws }],
  ])('that throws is a failed attempt, not retried: %s', async (_name, predicate) => {
    const providers = [
      { name: 'one', value: 1, retries: 3, backoff: 0, ...predicate },
      { name: 'two', value: 2 },
    ];
    const { api } = engine(defineFallback({ tag: 'pay', providers }));
    const { attempts } = await api.run(trigger);
    expect(attempts[0]).toMatchObject({ provider: 'one', attempt: 1, outcome: 'failed', error: fault });
    expect(outcomes(attempts.slice(1))).toEqual([['two', 1, 'succeeded']]);
  });

  it.each([
    ['when', { when: async () => true }],
    ['when', { when: async () => throws() }],
    ['accept', { accept: async () => true }],
    ['accept', { accept: async () => throws() }],
  ])('that returns a promise is a failed attempt, not retried: %s', async (name, predicate) => {
    const run = vi.fn(() => 1);
    const providers = [
      { name: 'one', run, retries: 3, backoff: 0, ...(predicate as object) },
      { name: 'two', value: 2 },
    ];
    const { api } = engine(defineFallback({ tag: 'pay', providers }));
    const { attempts } = await api.run(trigger);
    expect(attempts[0]).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_INVALID_DEFINITION', issues: [{ path: name }] },
    });
    expect(outcomes(attempts.slice(1))).toEqual([['two', 1, 'succeeded']]);
    expect(run).toHaveBeenCalledTimes(name === 'when' ? 0 : 1);
    await settled();
  });

  it.each([
    ['throws', throws, fault],
    ['returns a promise', async () => true, expect.objectContaining({ code: 'ERR_INVALID_DEFINITION' })],
  ])(
    'shouldRetry that %s ends the retries, its error after that of the attempt',
    async (_what, shouldRetry, expected) => {
      const providers = [{ name: 'one', run: down(), retries: 3, backoff: 0, shouldRetry: shouldRetry as never }];
      const { api } = engine(defineFallback({ tag: 'pay', providers }));
      const error = await thrownBy(api.run(trigger));
      expect(error.errors).toEqual([expect.objectContaining({ message: 'down' }), expected]);
      expect(outcomes(error.attempts)).toEqual([['one', 1, 'failed']]);
    },
  );

  it.each([
    ['throws', throws],
    ['returns a promise', async () => false],
  ])('handle that %s counts as true, and its error is kept', async (_what, handle) => {
    const providers = [{ name: 'one', run: down(), retries: 1, backoff: 0 }];
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers, handle: handle as never }));
    const failed = thrownBy(api.run(trigger));
    await clock.runUntilIdle();
    const error = await failed;
    expect(outcomes(error.attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'failed'],
    ]);
    expect(error.errors).toHaveLength(4);
  });
});

describe('handle', () => {
  it('that says false rethrows the very error at once: no retry, no next provider, no verdict', async () => {
    const declined = { code: 'card_declined' };
    const run = vi.fn(async () => {
      throw declined;
    });
    const next = vi.fn();
    const providers = [
      { name: 'one', run, retries: 3 },
      { name: 'two', run: next },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers, handle: (error) => error !== declined }));
    expect(await thrownBy(api.run(trigger))).toBe(declined);
    expect(run).toHaveBeenCalledTimes(1);
    expect(next).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({
      state: 'triggered',
      failures: 0,
      recoveries: 0,
      triggers: 1,
      inFlight: 0,
    });
    expect(clock.pending).toBe(0);
  });

  it('may disown undefined', async () => {
    const providers = [{ name: 'one', run: () => Promise.reject(undefined) }];
    const { api } = engine(defineFallback({ tag: 'pay', providers, handle: () => false }));
    expect(await thrownBy(api.run(trigger))).toBeUndefined();
  });

  it("leaves a probe's place to the next, since there is no verdict", async () => {
    let fails: unknown = 'down';
    const providers = [{ name: 'one', run: () => Promise.reject(fails) }];
    const fallback = defineFallback({
      tag: 'pay',
      maxRetries: 0,
      resetAfter: 100,
      providers,
      handle: (error) => error !== 'mine',
    });
    const { api, clock } = engine(fallback);
    await thrownBy(api.run(trigger));
    await clock.advance(100);
    fails = 'mine';
    expect(await thrownBy(api.run(trigger))).toBe('mine');
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 1, retryAfter: 0 });
  });

  it('is not asked about an attempt that ran out of time or gave an unacceptable output', async () => {
    const handle = vi.fn(() => false);
    const providers = [
      { name: 'one', run: never, timeout: 10 },
      { name: 'two', value: 2, accept: () => false },
      { name: 'three', value: 3 },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers, handle }));
    const call = api.run(trigger);
    await clock.advance(10);
    expect(await call).toMatchObject({ provider: 'three' });
    expect(handle).not.toHaveBeenCalled();
  });
});

describe('the deadline', () => {
  it('of 0 lets nothing start', async () => {
    const run = vi.fn();
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run }] }));
    expect(await thrownBy(api.run(trigger, { deadline: 0 }))).toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
      attempts: [],
      errors: [{ code: 'ERR_DEADLINE', deadline: 0 }],
    });
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', failures: 0, triggers: 0 });
  });

  it('of 0 in the definition lets nothing start, either', async () => {
    const run = vi.fn();
    const { api } = engine(defineFallback({ tag: 'pay', deadline: 0, providers: [{ name: 'one', run }] }));
    expect((await thrownBy(api.run(trigger))).attempts).toEqual([]);
    expect(run).not.toHaveBeenCalled();
  });

  it('aborts the attempt under way, which is timed-out with a DeadlineError; what was never reached has no record', async () => {
    let signal: AbortSignal | undefined;
    const next = vi.fn();
    const providers = [
      {
        name: 'one',
        run: (_input: unknown, ctx: Context) => {
          signal = ctx.signal;
          return never();
        },
      },
      { name: 'two', run: next },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', deadline: 50, providers }));
    const failed = thrownBy(api.run(trigger));
    await clock.advance(49);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const error = await failed;
    expect(error.attempts).toMatchObject([
      {
        provider: 'one',
        attempt: 1,
        outcome: 'timed-out',
        error: { code: 'ERR_DEADLINE', deadline: 50 },
        duration: 50,
      },
    ]);
    expect(error.errors).toHaveLength(1);
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toBe(error.errors[0]);
    expect(next).not.toHaveBeenCalled();
    expect(api.inspect(place).failures).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('is the tighter of that of the definition and that of the call', async () => {
    const providers = [{ name: 'one', run: never }];
    const { api, clock } = engine(defineFallback({ tag: 'pay', deadline: 50, providers }));
    const tighter = thrownBy(api.run(trigger, { deadline: 20 }));
    const looser = thrownBy(api.run(trigger, { deadline: 80 }));
    await clock.runUntilIdle();
    expect((await tighter).errors).toMatchObject([{ deadline: 20 }]);
    expect((await looser).errors).toMatchObject([{ deadline: 50 }]);
    expect(clock.now()).toBe(50);
  });

  it.each([
    ['would pass it', 60],
    ['would just reach it', 50],
  ])('ends the retries where the wait %s: the next provider starts at once', async (_what, backoff) => {
    const providers = [
      { name: 'one', run: down(), retries: 3, backoff },
      { name: 'two', value: 2 },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', deadline: 50, providers }));
    expect(outcomes((await api.run(trigger)).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
    expect([clock.now(), clock.pending]).toEqual([0, 0]);
  });

  it('that passes in a provider that blocks starts no other attempt, and is among the errors', async () => {
    let now = 0;
    const next = vi.fn();
    const providers = [
      {
        name: 'one',
        retries: 1,
        backoff: 0,
        run: () => {
          now += 60;
          throw new Error('down');
        },
      },
      { name: 'two', run: next },
    ] as const;
    const clock = { ...virtualClock(), now: () => now };
    const { api } = engine(defineFallback({ tag: 'pay', deadline: 50, providers }), { clock });
    const error = await thrownBy(api.run(trigger));
    expect(error.errors).toMatchObject([{ message: 'down' }, { code: 'ERR_DEADLINE' }]);
    expect(error.attempts).toHaveLength(1);
    expect(next).not.toHaveBeenCalled();
  });

  it.each(['when', 'attempt-started listener', 'input schema'])(
    'that passes in a blocking %s starts no attempt',
    async (where) => {
      let now = 0;
      const block = () => {
        now += 60;
        return true;
      };
      const run = vi.fn(() => 1);
      const clock = { ...virtualClock(), now: () => now };
      const provider = { name: 'one', run, ...(where === 'when' && { when: block }) };
      const input = where === 'input schema' ? z.object({}).refine(block) : z.object({});
      const { api } = engine(defineFallback({ tag: 'pay', deadline: 50, input, providers: [provider] }), { clock });
      if (where === 'attempt-started listener') api.on('attempt-started', block);
      expect(await thrownBy(api.run(trigger))).toMatchObject({
        code: 'ERR_FALLBACK_FAILED',
        errors: [{ code: 'ERR_DEADLINE' }],
      });
      expect(run).not.toHaveBeenCalled();
    },
  );
});

/** A signal, and what aborts it. */
function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
}

describe("the caller's abort", () => {
  it('before the call: nothing is called, and the reason is the error', async () => {
    const run = vi.fn();
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run }] }));
    const reason = new Error('gone');
    expect(await thrownBy(api.run(trigger, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0 });
  });

  it('in the middle of an attempt: prompt, with its own reason, and no provider afterwards', async () => {
    const { signal, abort } = aborting();
    let own: AbortSignal | undefined;
    const next = vi.fn();
    const providers = [
      {
        name: 'one',
        timeout: 100,
        retries: 1,
        run: (_input: unknown, ctx: Context) => {
          own = ctx.signal;
          return never();
        },
      },
      { name: 'two', run: next },
    ] as const;
    const { api, clock } = engine(defineFallback({ tag: 'pay', deadline: 500, providers }));
    const error = thrownBy(api.run(trigger, { signal }));
    await settled();
    expect(clock.pending).toBe(2);
    abort('enough');
    expect(await error).toBe('enough');
    expect([own?.aborted, own?.reason]).toEqual([true, 'enough']);
    await clock.runUntilIdle();
    expect(next).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', failures: 0, recoveries: 0, inFlight: 0 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.now()).toBe(0);
  });

  it('in the middle of a wait: prompt, and no attempt afterwards', async () => {
    const { signal, abort } = aborting();
    const run = vi.fn(down());
    const { api, clock } = engine(
      defineFallback({ tag: 'pay', providers: [{ name: 'one', run, retries: 3, backoff: 100 }] }),
    );
    const error = thrownBy(api.run(trigger, { signal }));
    await clock.advance(50);
    abort(undefined);
    expect(await error).toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
    expect(run).toHaveBeenCalledTimes(1);
    expect(api.inspect(place)).toMatchObject({ failures: 0, inFlight: 0 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('by the provider itself is the end of its attempt, whatever it returns', async () => {
    const { signal, abort } = aborting();
    const run = vi.fn(() => {
      abort('mine');
      return 1;
    });
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run, retries: 1 }] }));
    expect(await thrownBy(api.run(trigger, { signal }))).toBe('mine');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each(['when', 'attempt-started', 'triggered', 'shouldRetry', 'backoff', 'attempt-ended'] as const)(
    'in %s: no provider is called afterwards, and the call ends promptly',
    async (where) => {
      const { signal, abort } = aborting();
      const stop = () => {
        abort('enough');
        return true;
      };
      const run = vi.fn(where === 'when' || where === 'attempt-started' || where === 'triggered' ? never : down());
      const next = vi.fn();
      const provider = {
        name: 'one',
        run,
        retries: 1,
        backoff: where === 'backoff' ? () => Number(stop()) : 10,
        ...(where === 'when' && { when: stop }),
        ...(where === 'shouldRetry' && { shouldRetry: stop }),
      };
      const { api, clock } = engine(defineFallback({ tag: 'pay', providers: [provider, { name: 'two', run: next }] }));
      if (where === 'attempt-started' || where === 'triggered' || where === 'attempt-ended') api.on(where, stop);
      const outcome = vi.fn();
      api.run(trigger, { signal }).catch(outcome);
      await settled();
      expect(outcome).toHaveBeenCalledWith('enough');
      expect(run).toHaveBeenCalledTimes(
        where === 'shouldRetry' || where === 'backoff' || where === 'attempt-ended' ? 1 : 0,
      );
      expect(next).not.toHaveBeenCalled();
      expect(clock.pending).toBe(0);
    },
  );

  it("leaves a probe's place to the next at once", async () => {
    const { signal, abort } = aborting();
    const run = vi.fn<() => Promise<unknown>>(down());
    const fallback = defineFallback({ tag: 'pay', maxRetries: 0, resetAfter: 100, providers: [{ name: 'one', run }] });
    const { api, clock } = engine(fallback);
    await thrownBy(api.run(trigger));
    await clock.advance(100);
    run.mockImplementationOnce(never);
    const probe = thrownBy(api.run(trigger, { signal }));
    await settled();
    abort('enough');
    expect(await probe).toBe('enough');
    run.mockResolvedValueOnce('back');
    expect(await api.run(trigger)).toMatchObject({ output: 'back', state: 'triggered' });
  });

  it('after the end changes nothing', async () => {
    const { signal, abort } = aborting();
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run: async () => 1 }] }));
    const call = api.run(trigger, { signal });
    expect(await call).toMatchObject({ output: 1 });
    abort('too late');
    expect(await call).toMatchObject({ output: 1 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('leaves no listener behind, however a call ends', async () => {
    const { signal } = aborting();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const providers = [
      { name: 'one', run: (input: Record<string, unknown>) => (input.ok ? 1 : Promise.reject(new Error('down'))) },
    ];
    const { api } = engine(
      defineFallback({
        tag: 'pay',
        maxRetries: 0,
        resetAfter: 'never',
        input: z.object({ ok: z.boolean() }),
        providers,
      }),
    );
    await api.run({ ...trigger, input: { ok: true } }, { signal });
    await thrownBy(api.run({ ...trigger, input: { ok: 3 } }, { signal }));
    await thrownBy(api.run({ ...trigger, fallback_tag: 'unknown' }, { signal }));
    await thrownBy(api.run({ ...trigger, input: { ok: false } }, { signal }));
    expect(await thrownBy(api.run({ ...trigger, input: { ok: false } }, { signal }))).toBeInstanceOf(
      FallbackExhaustedError,
    );
    await api.run({ ...place, action: 'update', input: { maxRetries: 3 } }, { signal });
    await api.run({ ...place, action: 'reset' }, { signal });
    expect(added.mock.calls.length).toBeGreaterThan(0);
    expect(removed.mock.calls.map(([type, listener]) => [type, listener])).toEqual(
      added.mock.calls.map(([type, listener]) => [type, listener]),
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('exhaustion', () => {
  /** Its one provider does as `next` says. */
  function exhaustible(options: { maxRetries?: number; resetAfter?: number | 'never' } = {}) {
    const run = vi.fn<() => unknown>(down());
    const fallback = defineFallback({
      tag: 'pay',
      maxRetries: 0,
      resetAfter: 100,
      ...options,
      providers: [{ name: 'one', run }],
    });
    return { run, ...engine(fallback) };
  }

  it('comes once the failures in a row exceed maxRetries', async () => {
    const { api } = exhaustible({ maxRetries: 2 });
    for (const state of ['triggered', 'triggered', 'exhausted'])
      expect(await thrownBy(api.run(trigger))).toMatchObject({ state });
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 3, triggers: 3, retryAfter: 100 });
  });

  it('does not come where a recovery was in between', async () => {
    const { api, run } = exhaustible({ maxRetries: 1 });
    await thrownBy(api.run(trigger));
    run.mockReturnValueOnce(1);
    expect(await api.run(trigger)).toMatchObject({ state: 'triggered' });
    expect(await thrownBy(api.run(trigger))).toMatchObject({ state: 'triggered' });
    expect(api.inspect(place).failures).toBe(1);
  });

  it('calls no provider once it has come', async () => {
    const { api, run, clock } = exhaustible();
    const { errors } = await thrownBy(api.run(trigger));
    await clock.advance(40);
    const refused = await thrownBy(api.run(trigger));
    expect(refused).toBeInstanceOf(FallbackExhaustedError);
    expect(refused).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 60, lastError: errors[0] });
    expect(run).toHaveBeenCalledTimes(1);
    expect(api.inspect(place).triggers).toBe(1);
  });

  it('admits exactly one probe once resetAfter has elapsed', async () => {
    const { api, run, clock } = exhaustible();
    await thrownBy(api.run(trigger));
    await clock.advance(99);
    await thrownBy(api.run(trigger));
    expect(run).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    run.mockReturnValue(Promise.resolve('back'));
    const [probe, second, third] = await Promise.allSettled([api.run(trigger), api.run(trigger), api.run(trigger)]);
    expect(probe).toMatchObject({ status: 'fulfilled', value: { state: 'triggered', output: 'back' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 100 } });
    expect(third).toMatchObject({ status: 'rejected' });
    expect(run).toHaveBeenCalledTimes(2);
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', failures: 0 });
  });

  it('waits anew after a probe that failed, with the failures as they are', async () => {
    const { api, clock } = exhaustible();
    await thrownBy(api.run(trigger));
    await clock.advance(150);
    expect(await thrownBy(api.run(trigger))).toMatchObject({ code: 'ERR_FALLBACK_FAILED', state: 'exhausted' });
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 1, retryAfter: 100 });
    await clock.advance(99);
    expect(await thrownBy(api.run(trigger))).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 1 });
  });

  it('gives the place of a lost probe to another, and the lost one decides nothing', async () => {
    const { api, run, clock } = exhaustible();
    await thrownBy(api.run(trigger));
    await clock.advance(100);
    let settleLost: (value: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((resolve) => (settleLost = resolve)));
    const lost = api.run(trigger);
    await clock.advance(99);
    expect(await thrownBy(api.run(trigger))).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 1 });
    await clock.advance(1);
    let settleProbe: (value: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((resolve) => (settleProbe = resolve)));
    const probe = api.run(trigger);
    settleLost('lost');
    // It goes to its caller all the same, and is counted.
    expect(await lost).toMatchObject({ output: 'lost', state: 'exhausted' });
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', recoveries: 1, inFlight: 1 });
    settleProbe('back');
    expect(await probe).toMatchObject({ output: 'back', state: 'triggered' });
  });

  it('is not prolonged by the failure of a lost probe', async () => {
    const { api, run, clock } = exhaustible();
    await thrownBy(api.run(trigger));
    await clock.advance(100);
    let failLost: (error: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((_, reject) => (failLost = reject)));
    const lost = thrownBy(api.run(trigger));
    await clock.advance(100);
    run.mockReturnValueOnce(never());
    thrownBy(api.run(trigger)).catch(() => {});
    await clock.advance(30);
    failLost(new Error('down'));
    await lost;
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', retryAfter: 70 });
  });

  it('ends only by a reset where resetAfter is never', async () => {
    const { api, clock } = exhaustible({ resetAfter: 'never' });
    await thrownBy(api.run(trigger));
    await clock.advance(2_147_483_647);
    const refused = await thrownBy(api.run(trigger));
    expect(refused).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED' });
    expect(refused).not.toHaveProperty('retryAfter');
    expect(api.inspect(place)).not.toHaveProperty('retryAfter');
    await api.run({ ...place, action: 'reset' });
    expect(await thrownBy(api.run(trigger))).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('is not undone by the success of a trigger admitted before it', async () => {
    const { api, run } = exhaustible();
    let settle: (value: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((resolve) => (settle = resolve)));
    const old = api.run(trigger);
    await thrownBy(api.run(trigger));
    settle('old');
    expect(await old).toMatchObject({ output: 'old', state: 'exhausted' });
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 1, recoveries: 1 });
  });

  it('does not come of a failure admitted before a reset', async () => {
    const { api, run } = exhaustible();
    let fail: (error: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((_, reject) => (fail = reject)));
    const old = thrownBy(api.run(trigger));
    await api.run({ ...place, action: 'reset' });
    fail(new Error('down'));
    expect(await old).toMatchObject({ code: 'ERR_FALLBACK_FAILED', state: 'idle' });
    expect(api.inspect(place)).toMatchObject({ state: 'idle', failures: 0 });
  });

  it('counts the failures of triggers in flight together one by one', async () => {
    const { api } = exhaustible({ maxRetries: 5 });
    await Promise.allSettled([api.run(trigger), api.run(trigger), api.run(trigger)]);
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', failures: 3 });
  });
});

describe('outputs and errors', () => {
  it.each([[undefined], [null], [0], [''], [false], [Number.NaN]])('%s arrives as it is', async (value) => {
    const providers = [{ name: 'sync', run: () => value }];
    expect((await engine(defineFallback({ tag: 'pay', providers })).api.run(trigger)).output).toBe(value);
    const later = [{ name: 'async', run: async () => value }];
    expect((await engine(defineFallback({ tag: 'pay', providers: later })).api.run(trigger)).output).toBe(value);
    const constant = [{ name: 'constant', value }];
    expect((await engine(defineFallback({ tag: 'pay', providers: constant })).api.run(trigger)).output).toBe(value);
  });

  it.each([[undefined], [null], [0], [''], ['text'], [Symbol.iterator]])(
    'a thrown %s is kept as it is',
    async (thrown) => {
      const providers = [
        {
          name: 'sync',
          run: () => {
            throw thrown;
          },
        },
        { name: 'async', run: () => Promise.reject(thrown) },
      ] as const;
      const { api } = engine(defineFallback({ tag: 'pay', providers }));
      const error = await thrownBy(api.run(trigger));
      expect(error.errors).toEqual([thrown, thrown]);
      for (const attempt of error.attempts) expect(attempt).toHaveProperty('error', thrown);
      expect(api.inspect(place)).toHaveProperty('lastError', thrown);
    },
  );

  it('a value may be a function of input and ctx', async () => {
    const providers = [
      { name: 'later', value: (input: Record<string, unknown>, ctx: Context) => [input.a, ctx.provider] },
    ];
    const { api } = engine(defineFallback({ tag: 'pay', providers }));
    expect((await api.run({ ...trigger, input: { a: 1 } })).output).toEqual([1, 'later']);
  });

  it('the output schema has the last word, and its output is what the caller gets', async () => {
    const providers = [
      { name: 'wrong', value: { amount: 'much' } },
      { name: 'right', value: { amount: '12' } },
    ] as const;
    for (const output of [
      z.object({ amount: z.string().regex(/\d/).transform(Number) }),
      z.object({
        amount: z
          .string()
          .regex(/\d/)
          .transform(async (text) => Number(text)),
      }),
    ]) {
      const { api } = engine(defineFallback({ tag: 'pay', output, providers }));
      const result = await api.run(trigger);
      expect(result).toMatchObject({ provider: 'right', output: { amount: 12 } });
      expect(result.attempts[0]).toMatchObject({
        provider: 'wrong',
        outcome: 'failed',
        error: { issues: [{ path: 'amount' }] },
      });
    }
  });

  it('accept is given what the output schema puts out', async () => {
    const accept = vi.fn((output: unknown) => output === 12);
    const output = z.string().transform(Number);
    const { api } = engine(defineFallback({ tag: 'pay', output, providers: [{ name: 'one', value: '12', accept }] }));
    expect((await api.run(trigger)).output).toBe(12);
    expect(accept).toHaveBeenCalledWith(12);
  });

  it('an output schema that throws or never ends is a failed attempt, no worse', async () => {
    const schema = (validate: () => never | Promise<never>) => ({
      '~standard': { version: 1, vendor: 'mine', validate } as const,
    });
    const fault = new Error('schema');
    const throwing = schema(() => {
      throw fault;
    });
    const { api } = engine(defineFallback({ tag: 'pay', output: throwing, providers: [{ name: 'one', value: 1 }] }));
    expect(await thrownBy(api.run(trigger))).toMatchObject({
      attempts: [{ outcome: 'failed' }],
      errors: [{ cause: fault }],
    });
    const endless = defineFallback({
      tag: 'pay',
      output: schema(never),
      providers: [{ name: 'one', value: 1, timeout: 10 }],
    });
    const { api: other, clock } = engine(endless);
    const error = thrownBy(other.run(trigger));
    await clock.advance(10);
    expect((await error).attempts).toMatchObject([{ outcome: 'timed-out' }]);
  });
});

describe('ctx', () => {
  it('tells what the contract says it tells', async () => {
    const seen: Context[] = [];
    const fallback = defineFallback({
      tag: 'pay',
      settings: z.object({ region: z.string().default('eu') }),
      providers: [
        {
          name: 'one',
          run: async (_input, ctx) => {
            seen.push(ctx);
            throw new Error('down');
          },
          retries: 1,
          backoff: 10,
        },
        { name: 'two', run: (_input, ctx) => seen.push(ctx) },
      ],
    });
    const { api, clock } = engine(fallback);
    const call = api.run({ ...trigger, session: { tag: 'user', token: 'secret' } }, { deadline: 100 });
    await clock.runUntilIdle();
    const { id } = await call;
    const [first, second, third] = seen;
    expect(seen.map((ctx) => [ctx.id, ctx.env, ctx.product, ctx.tag])).toEqual(
      Array(3).fill([id, 'prd', 'payments', 'pay']),
    );
    expect(seen.map(({ provider, attempt }) => [provider, attempt])).toEqual([
      ['one', 1],
      ['one', 2],
      ['two', 1],
    ]);
    expect(first?.previous).toEqual([]);
    expect(outcomes(second?.previous ?? [])).toEqual([['one', 1, 'failed']]);
    expect(outcomes(third?.previous ?? [])).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'failed'],
    ]);
    // What a provider is shown of them is not to be forged.
    expect(Object.isFrozen(third?.previous[0])).toBe(true);
    expect(third?.config).toMatchObject({ region: 'eu', maxRetries: 10, resetAfter: 30_000 });
    expect(third?.session).toMatchObject({ tag: 'user', token: 'secret', verified: false });
    expect(third?.remaining()).toBe(90);
    expect(third?.signal).toBeInstanceOf(AbortSignal);
    expect(third?.signal.aborted).toBe(false);
  });

  it('has for ever where there is no deadline', async () => {
    const { api } = engine(
      defineFallback({ tag: 'pay', providers: [{ name: 'one', run: (_input, ctx) => ctx.remaining() }] }),
    );
    expect((await api.run(trigger)).output).toBe(Number.POSITIVE_INFINITY);
  });
});
