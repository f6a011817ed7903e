import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { type Context, createDuctape, defineFallback, type FallbackEvent } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

const never = () => new Promise<never>(() => {});
const down = () => Promise.reject(new Error('down'));

function engine(definition: object = {}, options: object = {}) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'shop', clock, ...options });
  api.define(defineFallback({ tag: 'pay', providers: [{ name: 'one', run: down }], ...definition } as never));
  const heard: FallbackEvent[] = [];
  api.on('*', (event) => heard.push(event));
  const fire = (at: object = {}, more: object = {}) =>
    api.run({ fallback_tag: 'pay', action: 'trigger', ...at }, more).catch((error: unknown) => error as Error);
  return { api, clock, heard, fire };
}

const thrownBy = (work: () => unknown): Promise<Error & Record<string, unknown>> =>
  Promise.resolve()
    .then(work)
    .then(
      (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
      (error: unknown) => error as Error & Record<string, unknown>,
    );

describe('what a provider is given', () => {
  it('is called Context, and has one signal for as long as it lives', async () => {
    const seen: Context[] = [];
    const { fire } = engine({ providers: [{ name: 'one', run: (_: unknown, ctx: Context) => seen.push(ctx) }] });
    await fire();
    const [ctx] = seen;
    expect(ctx?.constructor.name).toBe('Context');
    expect(ctx?.signal).toBe(ctx?.signal);
    expect(ctx?.signal.aborted).toBe(false);
  });

  it('has a signal that has aborted, where it is read only once the attempt was given up', async () => {
    const seen: Context[] = [];
    const run = (_: unknown, ctx: Context) => {
      seen.push(ctx);
      return never();
    };
    const { fire, clock } = engine({ providers: [{ name: 'one', run, timeout: 5 }] });
    const controller = new AbortController();
    const aborted = fire({}, { signal: controller.signal });
    controller.abort('enough');
    await aborted;
    const timedOut = fire();
    await clock.advance(5);
    await timedOut;
    expect(seen.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(seen[0]?.signal.reason).toBe('enough');
    expect(seen[1]?.signal.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
  });
});

describe('a call that is over leaves nothing in flight: close() has nothing to wait for', () => {
  const isQuiet = async ({ api, clock }: Pick<ReturnType<typeof engine>, 'api' | 'clock'>) => {
    await api.close({ grace: 1_000 });
    expect(clock.now()).toBe(0);
    expect(clock.pending).toBe(0);
  };

  it('where a plain primary has answered', async () => {
    const made = engine();
    expect(await made.api.wrap('pay', async () => 1)()).toBe(1);
    expect(await made.api.wrap('pay', () => 2)()).toBe(2);
    await isQuiet(made);
  });

  it('where a primary is verified to have answered', async () => {
    const made = engine();
    const doubts = { inDoubt: 'verify', inDoubtWhen: () => true, timeout: 5 } as const;
    const verify = async () => ({ done: true, output: 'charged' }) as const;
    expect(await made.api.wrap('pay', down, { ...doubts, verify })()).toBe('charged');
    await isQuiet(made);
  });
});

describe('a call that close() ends', () => {
  it('has no errors where it has met none, and those that it has met', async () => {
    const { api } = engine({
      providers: [
        { name: 'one', run: down },
        { name: 'two', run: never },
      ],
    });
    const fresh = thrownBy(() => api.call('pay', never));
    const failed = thrownBy(() => api.run({ fallback_tag: 'pay', action: 'trigger' }));
    await vi.waitFor(() => expect(api.inspect({ fallback_tag: 'pay' }).lastError).toBeDefined());
    void api.close();
    expect(await fresh).toMatchObject({ code: 'ERR_CLOSED', tag: 'pay' });
    expect(await fresh).not.toHaveProperty('errors');
    expect(await failed).toMatchObject({ code: 'ERR_CLOSED', errors: [{ message: 'down' }] });
  });

  it('says whose it was, also where it comes after', async () => {
    const { api } = engine();
    const wrapped = api.wrap('pay', async () => 1);
    await api.close();
    expect(await thrownBy(wrapped)).toMatchObject({ code: 'ERR_CLOSED', tag: 'pay' });
  });
});

describe('an output that is refused is told of as a doubt', () => {
  it.each([
    ['by the schema', { output: z.string() }, {}],
    ['by accept', {}, { accept: () => false }],
    [
      'by accept, which throws',
      {},
      {
        accept: () => {
          throw new Error('no');
        },
      },
    ],
  ])('%s', async (_by, more, provider) => {
    const { fire, heard } = engine({ ...more, providers: [{ name: 'one', run: async () => 1, ...provider }] });
    await fire();
    expect(heard.filter(({ type }) => type === 'in-doubt')).toMatchObject([{ provider: 'one', because: 'refused' }]);
  });
});

describe('a primary in doubt', () => {
  const inDoubtWhen = () => true;

  it('is heard without any other option', async () => {
    const { api } = engine({ providers: [{ name: 'one', value: 1 }] });
    expect(await thrownBy(api.wrap('pay', down, { inDoubt: 'stop', inDoubtWhen }))).toMatchObject({
      code: 'ERR_IN_DOUBT',
      provider: 'primary',
      attempts: [],
    });
  });

  it('is told of with its arguments', async () => {
    const { api, heard } = engine({ providers: [{ name: 'one', value: 1 }] });
    await api.wrap('pay', (_order: object, _times: number) => down(), { inDoubtWhen })({ id: 7 }, 3);
    expect(heard.find(({ type }) => type === 'in-doubt')).toMatchObject({ provider: 'primary', input: [{ id: 7 }, 3] });
  });

  it('whose verify fails is told by name, with no attempts', async () => {
    const { api } = engine({ providers: [{ name: 'one', value: 1 }] });
    const verify = () => Promise.reject(new Error('no answer'));
    const call = api.wrap('pay', down, { inDoubt: 'verify', inDoubtWhen, verify, timeout: 5 });
    expect(await thrownBy(call)).toMatchObject({ code: 'ERR_IN_DOUBT', provider: 'primary', attempts: [] });
  });
});

describe('words of', () => {
  it('a handle that gives a promise, of a primary', async () => {
    const { api } = engine();
    const handle = (async () => true) as never;
    const { errors } = await thrownBy(api.wrap('pay', down, { handle }));
    const message = 'Invalid definition: handle: expected a synchronous answer, got a promise';
    expect((errors as Error[]).map((error) => error.message)).toEqual([message, 'down']);
  });

  it('a when that gives a promise, of a last good answer', async () => {
    const when = (async () => true) as never;
    const providers = [
      { name: 'one', run: down },
      { name: 'old', lastGood: { maxAge: 1_000 }, when },
    ];
    const { api, fire } = engine({ maxRetries: 0, providers });
    await api.call('pay', async () => 'fresh', { input: {} } as never);
    await fire();
    const message = 'Invalid definition: when: expected a synchronous answer, got a promise';
    expect(await fire()).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', errors: [{ message }] });
  });

  it('a wrap of what is no tag, or no function', async () => {
    const { api } = engine();
    const { message } = await thrownBy(() => api.wrap(5 as never, down));
    expect(message).toBe('Invalid request: tag: expected a string that is not empty, got 5');
    const other = await thrownBy(() => api.wrap('pay', 5 as never));
    expect(other.message).toBe('Invalid request: primary: expected a function, got 5');
  });
});

it('what fails behind a wrap says where, also where functions have made the place', async () => {
  const { api, heard } = engine({ env: ['prd', 'dev'] });
  const options = { env: () => 'dev', cache: (order: { customer: string }) => order.customer };
  const call = api.wrap('pay', (_order: { customer: string }) => down(), options);
  const place = { env: 'dev', product: 'shop', tag: 'pay', cache: 'c-7' };
  expect(await thrownBy(() => call({ customer: 'c-7' }))).toMatchObject({ code: 'ERR_FALLBACK_FAILED', ...place });
  expect(heard.find(({ type }) => type === 'triggered')).toMatchObject(place);
});

it('an update that says nothing of a key that nobody knows is answered as of a fresh one', async () => {
  const { api } = engine();
  const updated = await api.run({ fallback_tag: 'pay', action: 'update', cache: 'new', input: {} });
  expect(updated).toMatchObject({ action: 'update', state: 'idle', revision: 0 });
  expect(api.snapshot().machines).toEqual([]);
});

it('the same error met twice is told twice; the deadline that ends it all, once', async () => {
  const boom = new Error('boom');
  const run = (_: unknown, { attempt }: Context) => (attempt < 3 ? Promise.reject(boom) : never());
  const { fire, clock } = engine({ deadline: 50, providers: [{ name: 'one', run, retries: 2, backoff: 0 }] });
  const call = fire();
  await clock.advance(50);
  expect(await call).toMatchObject({ errors: [boom, boom, { code: 'ERR_DEADLINE' }] });
});

it('a hedge never starts beside one that may not run twice, also where an update has taken the one between them away', async () => {
  const starts: [string, number][] = [];
  const slow = (name: string) => {
    const run = () => {
      starts.push([name, clock.now()]);
      return never();
    };
    return { name, timeout: 100, run };
  };
  const { api, clock, fire } = engine({
    providers: [{ ...slow('one'), hedge: 10, idempotent: true }, { ...slow('two'), idempotent: true }, slow('three')],
  });
  await api.run({ fallback_tag: 'pay', action: 'update', input: { providers: { two: { enabled: false } } } });
  const call = fire();
  await clock.advance(250);
  await call;
  expect(starts).toEqual([
    ['one', 0],
    ['three', 100],
  ]);
});
