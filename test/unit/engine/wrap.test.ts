import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  type FallbackError,
  FallbackFailedError,
  InvalidInputError,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const never = () => new Promise<never>(() => {});
const primaryError = new Error('primary');
const fails = async () => {
  throw primaryError;
};
const thrownBy = (promise: Promise<unknown>): Promise<FallbackFailedError> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as FallbackFailedError,
  );
const queue = defineFallback({
  tag: 'pay',
  providers: [
    {
      name: 'queue',
      run: (input, ctx) => ({ input, id: ctx.id, env: ctx.env, product: ctx.product, session: ctx.session?.tag }),
    },
  ],
});

function engine(fallback: Fallback = queue, options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {}) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, nonce: 'n', ...options });
  api.define(fallback);
  return { api, clock };
}

const broken = (message = 'down', more: object = {}) =>
  defineFallback({ tag: 'pay', providers: [{ name: 'one', run: () => Promise.reject(new Error(message)) }], ...more });

describe('the primary', () => {
  it("runs first: its result is the caller's, and no machine moves", async () => {
    const { api, clock } = engine();
    const heard = vi.fn();
    api.on('*', heard);
    expect(await api.wrap('pay', async (a: number, b: number) => a + b)(1, 2)).toBe(3);
    expect(await api.wrap('pay', (a: number) => a)(4)).toBe(4);
    expect(await api.call('pay', () => 5)).toBe(5);
    expect(heard).not.toHaveBeenCalled();
    expect(api.snapshot().machines).toEqual([]);
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0, inFlight: 0 });
    expect(clock.pending).toBe(0);
  });

  it('keeps its this and its arguments', async () => {
    const { api } = engine();
    class Till {
      readonly drawer = 'full';
      charge(this: { readonly drawer: string }, ...args: readonly unknown[]) {
        return [this.drawer, ...args];
      }
    }
    const till = new Till();
    const guarded = Object.assign(Object.create(till), { charge: api.wrap('pay', till.charge, { input: () => ({}) }) });
    expect(await guarded.charge(1, undefined, 'x')).toEqual(['full', 1, undefined, 'x']);
  });

  it('runs anew each time', async () => {
    const { api } = engine();
    let calls = 0;
    const guarded = api.wrap('pay', () => ++calls);
    expect(await Promise.all([guarded(), guarded(), guarded()])).toEqual([1, 2, 3]);
    const each = [1, 2].map((n) => api.call('pay', () => n));
    expect(await Promise.all(each)).toEqual([1, 2]);
  });

  it.each([[undefined], [null], [0], [''], [false]])('may answer %s', async (value) => {
    const { api } = engine();
    expect(await api.wrap('pay', () => value)()).toBe(value);
    expect(await api.call('pay', async () => value)).toBe(value);
  });

  it('that is no function is refused', async () => {
    const { api } = engine();
    expect(() => api.wrap('pay', 3 as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_REQUEST' }));
    await expect(api.call('pay', undefined as never)).rejects.toMatchObject({ code: 'ERR_INVALID_REQUEST' });
  });

  it('behind an unknown tag is refused before the day it fails', async () => {
    const { api } = engine();
    expect(() => api.wrap('pray', fails)).toThrow(
      expect.objectContaining({ code: 'ERR_UNKNOWN_FALLBACK', suggestion: 'pay' }),
    );
    const primary = vi.fn();
    await expect(api.call('pray', primary)).rejects.toMatchObject({ code: 'ERR_UNKNOWN_FALLBACK' });
    expect(primary).not.toHaveBeenCalled();
  });
});

describe('a failure of the primary', () => {
  it('triggers the fallback, with the input made of error and arguments', async () => {
    const { api } = engine();
    const input = vi.fn((error: unknown, order: { id: string }) => ({ orderId: order.id, reason: String(error) }));
    const charge = api.wrap('pay', async (_order: { id: string }) => fails(), { input });
    expect(await charge({ id: 'o-1' })).toMatchObject({ input: { orderId: 'o-1', reason: 'Error: primary' } });
    expect(input).toHaveBeenCalledExactlyOnceWith(primaryError, { id: 'o-1' });
    expect(api.inspect(place)).toMatchObject({ state: 'triggered', triggers: 1, recoveries: 1 });
  });

  it('takes the first argument as input where none is made', async () => {
    const { api } = engine();
    expect(await api.wrap('pay', async (_order: { id: string }) => fails())({ id: 'o-1' })).toMatchObject({
      input: { id: 'o-1' },
    });
    expect(await api.wrap('pay', fails)()).toMatchObject({ input: {} });
  });

  it('of call takes its input as it is', async () => {
    const { api } = engine();
    expect(await api.call('pay', fails, { input: { orderId: '1' } })).toMatchObject({ input: { orderId: '1' } });
  });

  it('may be a synchronous throw', async () => {
    const { api } = engine();
    const throws = () => {
      throw primaryError;
    };
    expect(await api.wrap('pay', throws)()).toMatchObject({ input: {} });
    expect(await api.call('pay', throws)).toMatchObject({ input: {} });
  });

  it.each([[undefined], [null], [0], ['']])('may be a thrown %s', async (thrown) => {
    const { api } = engine(broken());
    const error = await thrownBy(api.call('pay', () => Promise.reject(thrown)));
    expect(error).toHaveProperty('cause', thrown);
    expect('cause' in error).toBe(true);
  });

  it("is the cause where the fallback fails too, and errors are the providers'", async () => {
    const { api } = engine(broken());
    for (const call of [api.wrap('pay', fails)(), api.call('pay', fails)]) {
      const error = await thrownBy(call);
      expect(error).toBeInstanceOf(FallbackFailedError);
      expect(error.cause).toBe(primaryError);
      expect(error.errors).toEqual([expect.objectContaining({ message: 'down' })]);
    }
  });

  it('is the cause where the fallback is exhausted', async () => {
    const { api } = engine(broken('down', { maxRetries: 0 }));
    await thrownBy(api.call('pay', fails));
    const error = await thrownBy(api.call('pay', fails));
    expect(error).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED' });
    expect(error.cause).toBe(primaryError);
  });

  it.each<[string, (api: ReturnType<typeof engine>['api']) => Promise<unknown>, string]>([
    [
      'the input is wrong',
      (api) => api.call('pay', fails, { input: { orderId: 3 }, session: { tag: 'user', token: 't' } }),
      'ERR_INVALID_INPUT',
    ],
    ['the input is no record', (api) => api.wrap('pay', fails, { input: () => 3 as never })(), 'ERR_INVALID_REQUEST'],
    ['the session is missing', (api) => api.wrap('pay', fails, { input: () => ({ orderId: '1' }) })(), 'ERR_SESSION'],
    [
      'the session is malformed',
      (api) => api.wrap('pay', fails, { session: () => ({ tag: '' }) as never })(),
      'ERR_INVALID_REQUEST',
    ],
    ['the cache key is empty', (api) => api.wrap('pay', fails, { cache: () => '' })(), 'ERR_INVALID_REQUEST'],
    ['there is none in that env', (api) => api.wrap('pay', fails, { env: () => 'dev' })(), 'ERR_UNKNOWN_FALLBACK'],
  ])('is the cause where %s', async (_what, risk, code) => {
    const input = z.object({ orderId: z.string() });
    const { api } = engine(
      defineFallback({ tag: 'pay', env: 'prd', input, session: 'required', providers: [{ name: 'one', value: 1 }] }),
    );
    const error = await thrownBy(risk(api));
    expect(error).toMatchObject({ code });
    expect(error.cause).toBe(primaryError);
  });

  it('is the cause where there is no room for another env and product', async () => {
    const { api } = engine(broken(), { maxScopes: 1 });
    await thrownBy(api.run({ ...place, action: 'trigger' }));
    const error = await thrownBy(api.call('pay', fails, { env: 'dev' }));
    expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    expect(error.cause).toBe(primaryError);
  });
});

describe('handle', () => {
  it("that says false rethrows the primary's error, and nothing falls back", async () => {
    const { api } = engine();
    const handle = (error: unknown) => error !== primaryError;
    expect(await thrownBy(api.wrap('pay', fails, { handle })())).toBe(primaryError);
    expect(await thrownBy(api.call('pay', fails, { handle }))).toBe(primaryError);
    expect(api.inspect(place).triggers).toBe(0);
  });

  it("is the definition's where there is none of its own", async () => {
    const { api } = engine(
      defineFallback({ tag: 'pay', handle: (error) => error !== primaryError, providers: [{ name: 'one', value: 1 }] }),
    );
    expect(await thrownBy(api.wrap('pay', fails)())).toBe(primaryError);
    expect(await api.wrap('pay', fails, { handle: () => true })()).toBe(1);
    expect(await api.call('pay', () => Promise.reject('other'))).toBe(1);
  });

  it.each([
    ['throws', () => expect.fail('handle')],
    ['returns a promise', async () => false],
  ])('that %s counts as true, and its error is kept', async (_what, handle) => {
    const { api } = engine(broken());
    const error = await thrownBy(api.call('pay', fails, { handle: handle as never }));
    expect(error.cause).toBe(primaryError);
    expect(error.errors).toHaveLength(2);
    expect(error.errors).toContainEqual(expect.objectContaining({ message: 'down' }));
  });
});

describe('the timeout', () => {
  it('gives up on the primary, aborts its signal, and falls back', async () => {
    const { api, clock } = engine();
    let signal: AbortSignal | undefined;
    const primary = (context: { signal: AbortSignal }) => {
      signal = context.signal;
      return never();
    };
    const call = api.call('pay', primary, { timeout: 800 });
    await clock.advance(799);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(await call).toMatchObject({ input: {} });
    expect(signal?.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', timeout: 800 });
    expect(clock.pending).toBe(0);
  });

  it('is the cause where the fallback fails too', async () => {
    const { api, clock } = engine(broken());
    const error = thrownBy(api.wrap('pay', never, { timeout: 5 })());
    await clock.advance(5);
    expect((await error).cause).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', timeout: 5 });
  });

  it('is none by default', async () => {
    const { api, clock } = engine(queue, { timeout: 5 });
    api.wrap('pay', never)();
    api.call('pay', never, { timeout: null });
    expect(clock.pending).toBe(0);
  });

  it('makes a late rejection of the primary harmless', async () => {
    const { api, clock } = engine();
    let reject: (error: unknown) => void = () => {};
    const call = api.wrap('pay', () => new Promise((_, no) => (reject = no)), { timeout: 5 })();
    await clock.advance(5);
    const output = await call;
    reject(new Error('at last'));
    await settled();
    expect(output).toMatchObject({ input: {} });
  });
});

describe('the options of wrap', () => {
  it('are each a value', async () => {
    const { api } = engine();
    const session = { tag: 'user', token: 't' };
    const guarded = api.wrap('pay', fails, {
      env: 'dev',
      product: 'shop',
      cache: 'k',
      session,
      id: 'mine',
      deadline: 50,
    });
    expect(await guarded()).toEqual({ input: {}, id: 'mine', env: 'dev', product: 'shop', session: 'user' });
    expect(api.inspect({ ...place, env: 'dev', product: 'shop', cache: 'k' }).triggers).toBe(1);
  });

  it("or a function of the call's arguments", async () => {
    const { api } = engine();
    type Order = { readonly id: string; readonly env: string };
    const guarded = api.wrap('pay', async (_order: Order) => fails(), {
      env: (order) => order.env,
      product: (order) => `${order.env}-shop`,
      cache: (order) => order.id,
      session: (order) => ({ tag: order.id, token: 't' }),
      id: (order) => `id-${order.id}`,
      deadline: () => 50,
      signal: () => undefined,
    });
    const order = { id: 'o-1', env: 'dev' };
    expect(await guarded(order)).toEqual({
      input: order,
      id: 'id-o-1',
      env: 'dev',
      product: 'dev-shop',
      session: 'o-1',
    });
    expect(api.inspect({ ...place, env: 'dev', product: 'dev-shop', cache: 'o-1' }).triggers).toBe(1);
    expect(api.inspect({ ...place, env: 'dev', product: 'dev-shop' }).triggers).toBe(0);
  });

  it('may come to nothing', async () => {
    const { api } = engine();
    const nothing = () => undefined;
    const guarded = api.wrap('pay', fails, {
      cache: nothing,
      session: nothing,
      id: nothing,
      deadline: nothing,
      signal: nothing,
    });
    expect(await guarded()).toMatchObject({ env: 'prd', id: 'n-1' });
    expect(api.inspect(place).triggers).toBe(1);
  });

  it('place the call only when it is needed: not where the primary succeeds', async () => {
    const { api } = engine();
    const cache = vi.fn(() => 'k');
    const input = vi.fn(() => ({}));
    expect(await api.wrap('pay', () => 1, { cache, input })()).toBe(1);
    expect(cache).not.toHaveBeenCalled();
    expect(input).not.toHaveBeenCalled();
  });

  const fault = new Error('option');
  const throws = () => {
    throw fault;
  };

  it.each(['env', 'product', 'cache', 'session'] as const)(
    'that throw are told after the primary failed, whose error is the cause: %s',
    async (name) => {
      const { api } = engine();
      const error = await thrownBy(api.wrap('pay', fails, { [name]: throws })());
      expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST', errors: [fault] });
      expect(error.cause).toBe(primaryError);
    },
  );

  it.each(['signal', 'id', 'deadline'] as const)(
    'that throw are told before the primary is called: %s',
    async (name) => {
      const { api } = engine();
      const primary = vi.fn();
      const error = await thrownBy(api.wrap('pay', primary, { [name]: throws })());
      expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST', tag: 'pay', errors: [fault] });
      expect(primary).not.toHaveBeenCalled();
    },
  );

  it.each([
    ['signal', 3],
    ['id', ''],
    ['deadline', -1],
  ])('that come to a bad %s are refused', async (name, value) => {
    const { api } = engine();
    const error = await thrownBy(api.wrap('pay', () => 1, { [name]: () => value })());
    expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST', issues: [{ path: name }] });
  });

  it('whose input throws or is a promise is an InvalidInputError, with the primary as its cause', async () => {
    const { api } = engine();
    const thrown = await thrownBy(api.wrap('pay', fails, { input: throws })());
    expect(thrown).toBeInstanceOf(InvalidInputError);
    expect(thrown).toMatchObject({ errors: [fault] });
    expect(thrown.cause).toBe(primaryError);
    const promised = await thrownBy(api.wrap('pay', fails, { input: (async () => throws()) as never })());
    expect(promised).toBeInstanceOf(InvalidInputError);
    expect(promised.cause).toBe(primaryError);
    await settled();
    expect(api.inspect(place).triggers).toBe(0);
  });

  it.each([{ inputt: () => ({}) }, { timeout: -1 }, { handle: 3 }, { env: '' }, { deadline: Number.NaN }, 3, null])(
    'are refused where they are %j',
    (options) => {
      const { api } = engine();
      expect(() => api.wrap('pay', fails, options as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_REQUEST' }),
      );
    },
  );

  it.each([
    { inputt: {} },
    { timeout: -1 },
    { cache: () => 'k' },
    { signal: 3 },
    { input: 5 },
    { session: {} },
    3,
    null,
  ])('of call are refused where they are %j', async (options) => {
    const primary = vi.fn();
    await expect(engine().api.call('pay', primary, options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_REQUEST',
    });
    expect(primary).not.toHaveBeenCalled();
  });
});

it.each([
  ['a bad option', () => 1, { timeout: -1 }],
  ['options that do not fit together', () => 1, { verify: () => ({ done: false }) }],
  ['a primary that is none', 5, {}],
])('the refusal of %s says of which call', async (_what, primary, options) => {
  const { api } = engine();
  const told = expect.objectContaining({ code: 'ERR_INVALID_REQUEST', tag: 'pay', id: 'mine' });
  expect(() => api.wrap('pay', primary as never, { id: 'mine', ...options } as never)).toThrow(told);
  await expect(api.call('pay', primary as never, { id: 'mine', ...options } as never)).rejects.toEqual(told);
});

describe('what the primary of call is given', () => {
  it('has the id of the trigger that would follow', async () => {
    const { api } = engine();
    let seen: string | undefined;
    const primary = ({ id }: { id: string }) => {
      seen = id;
      return fails();
    };
    expect(await api.call('pay', primary)).toMatchObject({ id: seen });
    expect(await api.call('pay', primary, { id: 'mine' })).toMatchObject({ id: 'mine' });
    expect(seen).toBe('mine');
  });

  it('counts no id, and makes no signal, where nobody asks', async () => {
    const { api } = engine();
    const made = vi.spyOn(globalThis, 'AbortController');
    await api.call('pay', () => 1);
    await api.wrap('pay', () => 1)();
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
    expect(await api.call('pay', ({ id }) => id)).toBe('n-1');
  });

  it('has a signal that aborts for the reason of the caller', async () => {
    const { api } = engine();
    const controller = new AbortController();
    let own: AbortSignal | undefined;
    const primary = ({ signal }: { signal: AbortSignal }) => {
      own = signal;
      return never();
    };
    const error = thrownBy(api.call('pay', primary, { signal: controller.signal }));
    controller.abort('enough');
    expect(await error).toBe('enough');
    expect(own?.reason).toBe('enough');
  });
});

describe("the caller's abort", () => {
  it('never falls back, even where the primary fails because of it', async () => {
    const { api } = engine();
    const controller = new AbortController();
    const primary = ({ signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const error = thrownBy(api.call('pay', primary, { signal: controller.signal }));
    controller.abort('enough');
    expect(await error).toBe('enough');
    expect(api.inspect(place).triggers).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('before the call lets the primary rest', async () => {
    const { api } = engine();
    const primary = vi.fn();
    expect(await thrownBy(api.wrap('pay', primary, { signal: AbortSignal.abort('gone') })())).toBe('gone');
    expect(await thrownBy(api.call('pay', primary, { signal: AbortSignal.abort('gone') }))).toBe('gone');
    expect(primary).not.toHaveBeenCalled();
  });

  it('just after the primary failed does not fall back, either', async () => {
    const { api } = engine();
    const controller = new AbortController();
    const primary = async () => {
      queueMicrotask(() => controller.abort('enough'));
      throw primaryError;
    };
    expect(await thrownBy(api.call('pay', primary, { signal: controller.signal }))).toBe('enough');
    expect(api.inspect(place).triggers).toBe(0);
  });

  it('while input is made does not fall back', async () => {
    const { api } = engine();
    const controller = new AbortController();
    const input = () => {
      controller.abort('enough');
      return {};
    };
    expect(await thrownBy(api.wrap('pay', fails, { signal: controller.signal, input })())).toBe('enough');
    expect(api.inspect(place).triggers).toBe(0);
  });

  it('ends the fallback, too', async () => {
    const { api } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run: never }] }));
    const controller = new AbortController();
    const error = thrownBy(api.call('pay', fails, { signal: controller.signal }));
    await settled();
    controller.abort('enough');
    expect(await error).toBe('enough');
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});

describe('the deadline', () => {
  it('is for the primary and the fallback together', async () => {
    const left: number[] = [];
    const { api, clock } = engine(
      defineFallback({ tag: 'pay', providers: [{ name: 'one', run: (_input, ctx) => left.push(ctx.remaining()) }] }),
    );
    const call = api.call('pay', never, { timeout: 30, deadline: 100 });
    await clock.advance(30);
    await call;
    expect(left).toEqual([70]);
    expect(clock.pending).toBe(0);
  });

  it('that passes in the primary is a FallbackFailedError without attempts, and no verdict', async () => {
    const run = vi.fn();
    const { api, clock } = engine(defineFallback({ tag: 'pay', providers: [{ name: 'one', run }] }));
    const failed = thrownBy(api.call('pay', never, { deadline: 100 }));
    await clock.advance(100);
    const error: FallbackError = await failed;
    expect(error).toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
      attempts: [],
      errors: [{ code: 'ERR_DEADLINE', deadline: 100 }],
    });
    expect(run).not.toHaveBeenCalled();
    expect(api.inspect(place)).toMatchObject({ state: 'idle', triggers: 0 });
  });

  it('of 0 lets the primary rest', async () => {
    const primary = vi.fn();
    const { api } = engine();
    expect(await thrownBy(api.call('pay', primary, { deadline: 0 }))).toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
      attempts: [],
    });
    expect(primary).not.toHaveBeenCalled();
  });
});

describe('a primary that returns', () => {
  const thenable = (then: (yes: (value: unknown) => void, no: (error: unknown) => void) => void) => ({ then });
  const fault = new Error('then');

  it.each<[string, () => unknown]>([
    ['a thenable that fulfils twice', () => thenable((yes, no) => [yes(1), yes(2), no(fault)])],
    [
      'a promise with a then of its own',
      () =>
        Object.assign(
          Promise.resolve(0),
          thenable((yes, no) => [yes(1), no(fault), yes(2)]),
        ),
    ],
    [
      'a promise that fulfils with a promise',
      () =>
        Object.assign(
          Promise.resolve(0),
          thenable((yes) => yes(Promise.resolve(1))),
        ),
    ],
  ])('%s is taken at its first word', async (_what, primary) => {
    const { api } = engine();
    expect(await api.wrap('pay', primary)()).toBe(1);
    expect(await api.call('pay', primary)).toBe(1);
    expect(api.inspect(place).triggers).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ['a thenable that rejects, then fulfils', () => thenable((yes, no) => [no(fault), yes(1)])],
    [
      'a thenable that throws',
      () =>
        thenable(() => {
          throw fault;
        }),
    ],
    [
      'a promise whose then throws',
      () =>
        Object.assign(
          Promise.resolve(0),
          thenable(() => {
            throw fault;
          }),
        ),
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
      'a promise with a then of its own that fulfils with one that rejects',
      () =>
        Object.assign(
          Promise.resolve(0),
          thenable((yes) => yes(Promise.reject(fault))),
        ),
    ],
  ])('%s has failed, once', async (_what, primary) => {
    const { api } = engine(broken());
    for (const call of [api.wrap('pay', primary), () => api.call('pay', primary)]) {
      expect(await thrownBy(call())).toMatchObject({ code: 'ERR_FALLBACK_FAILED', cause: fault });
    }
    expect(api.inspect(place).triggers).toBe(2);
  });
});

it('leaves nothing in flight where the signal cannot be listened to', async () => {
  const { api } = engine();
  const signal = {
    aborted: false,
    addEventListener: () => {
      throw new Error('no listeners here');
    },
    removeEventListener: () => {},
  };
  const options = { input: {}, signal } as never;
  expect(await thrownBy(api.call('pay', async () => 1, options))).toMatchObject({ message: 'no listeners here' });
  await api.close();
});
