import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback, type FallbackEvent, FallbackExhaustedError } from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

/** A fallback whose one provider ends when it is told to. */
function held(definition: object = {}, options: object = {}) {
  const clock = virtualClock();
  const ends: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];
  const fallback = defineFallback({
    tag: 'x',
    maxRetries: 0,
    resetAfter: 100,
    ...definition,
    providers: [{ name: 'one', run: () => new Promise<unknown>((resolve, reject) => ends.push({ resolve, reject })) }],
  });
  const { fallback: engine } = createDuctape<readonly (typeof fallback)[]>({
    env: 'e',
    product: 'p',
    clock,
    fallbacks: [fallback],
    ...options,
  });
  const run = (action: 'trigger' | 'update' | 'reset', input: object = {}, cache?: string) =>
    engine.run({ fallback_tag: 'x', action, input, ...(cache !== undefined && { cache }) } as never).then(
      (result: object) => result,
      (error: unknown) => error,
    );
  const inspect = (cache?: string) => engine.inspect({ fallback_tag: 'x', ...(cache !== undefined && { cache }) });
  return { clock, engine, ends, run, inspect };
}

describe('an update of the whole fallback while a key has a trigger in flight', () => {
  it('that lifts its exhaustion leaves its probe nothing to decide', async () => {
    const { clock, ends, run, inspect } = held();
    const first = run('trigger', {}, 'k');
    ends[0]?.reject(new Error('down'));
    await first;
    await clock.advance(100);
    const probe = run('trigger', {}, 'k');
    await run('update', { maxRetries: 5 });
    ends[1]?.resolve('up');
    await probe;
    expect(inspect('k')).toMatchObject({ state: 'triggered', failures: 1 });
  });

  it('that exhausts it is not undone by the old success, whether or not anyone has looked', async () => {
    for (const isLookedAt of [false, true]) {
      const { ends, run, inspect } = held({ maxRetries: 5 });
      for (const index of [0, 1]) {
        const failing = run('trigger', {}, 'k');
        ends[index]?.reject(new Error('down'));
        await failing;
      }
      const late = run('trigger', {}, 'k');
      await run('update', { maxRetries: 0 });
      if (isLookedAt) inspect('k');
      ends[2]?.resolve('up');
      await late;
      expect(inspect('k')).toMatchObject({ state: 'exhausted', failures: 2 });
    }
  });
});

describe('a session check that fails after its caller has gone', () => {
  it.each(['abort', 'close'])('is never an unhandled rejection (%s)', async (how) => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', hear);
    const controller = new AbortController();
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'one', value: 1 }] });
    const verify = async () => {
      if (how === 'abort') controller.abort(new Error('gone'));
      else void engine.close();
      throw new Error('refused');
    };
    const { fallback: engine } = createDuctape({
      env: 'e',
      product: 'p',
      sessions: { s: verify },
      fallbacks: [fallback] as const,
    });
    const session = { tag: 's', token: 'secret' };
    const call = engine.run({ fallback_tag: 'x', action: 'trigger', session }, { signal: controller.signal });
    await expect(call).rejects.toThrow(how === 'abort' ? 'gone' : 'closed');
    await settled();
    await settled();
    process.off('unhandledRejection', hear);
    expect(unhandled).toEqual([]);
  });
});

describe('a snapshot', () => {
  it('keeps a key pinned whose updates have all been taken back', async () => {
    const { engine, ends, run, inspect } = held({}, { cache: { max: 1 } });
    const trigger = async (cache: string) => {
      const call = run('trigger', {}, cache);
      ends.at(-1)?.resolve('up');
      await call;
    };
    await trigger('a');
    await run('update', { maxRetries: 3 }, 'a');
    await run('update', { maxRetries: null }, 'a');
    await trigger('b');
    expect(engine.restore(JSON.parse(JSON.stringify(engine.snapshot())))).toEqual({ restored: 2, skipped: [] });
    await trigger('c');
    expect([inspect('a').triggers, inspect('b').triggers]).toEqual([1, 0]);
  });

  it('keeps the order of last uses among keys of several envs, and no key is told evicted', async () => {
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'one', value: 1 }] });
    const { fallback: engine } = createDuctape({
      product: 'p',
      clock: virtualClock(),
      cache: { max: 3 },
      fallbacks: [fallback] as const,
    });
    const use = (env: string, cache: string) => engine.run({ env, fallback_tag: 'x', action: 'trigger', cache });
    const evicted: string[] = [];
    engine.on('evicted', ({ cache }) => void evicted.push(cache as string));
    for (const [env, cache] of [
      ['a', 'a1'],
      ['b', 'b1'],
      ['a', 'a2'],
    ] as const)
      await use(env, cache);
    engine.restore(JSON.parse(JSON.stringify(engine.snapshot())));
    expect(evicted).toEqual([]);
    await use('a', 'a3');
    await use('a', 'a4');
    expect(evicted).toEqual(['a1', 'b1']);
  });

  it('of nothing, restored while a trigger is in flight, leaves nothing to count', async () => {
    const { engine, ends, run, inspect } = held();
    const call = run('trigger');
    engine.restore({ version: 1, takenAt: 0, machines: [] });
    ends[0]?.resolve('up');
    expect(await call).toMatchObject({ output: 'up' });
    expect(inspect()).toMatchObject({ state: 'idle', triggers: 0, recoveries: 0, inFlight: 0 });
  });
});

describe('listeners that act', () => {
  it('hear of no exhaustion that one of them has reset already', async () => {
    const { engine, ends, run, inspect } = held();
    const heard: string[] = [];
    engine.on('*', ({ type }) => void heard.push(type));
    engine.on('failed', () => run('reset'));
    const call = run('trigger');
    ends[0]?.reject(new Error('down'));
    await call;
    expect(inspect().state).toBe('idle');
    expect(heard.filter((type) => ['failed', 'reset', 'exhausted'].includes(type))).toEqual(['failed', 'reset']);
  });

  it('may update in the middle of an update, and neither is lost', async () => {
    const { engine, ends, run, inspect } = held({ maxRetries: 5 });
    const failing = run('trigger', {}, 'k');
    ends[0]?.reject(new Error('down'));
    await failing;
    await run('update', { maxRetries: 0 });
    engine.on('exhausted', () => run('update', { deadline: 77 }, 'k'));
    await run('update', { resetAfter: 5 }, 'k');
    expect(inspect('k').config).toMatchObject({ resetAfter: 5, deadline: 77 });
  });

  it('hear at once of a key that a reset puts back in the place of another', async () => {
    const { engine, ends, run } = held({}, { cache: { max: 1 } });
    const evicted: FallbackEvent[] = [];
    engine.on('evicted', (event) => evicted.push(event));
    await run('update', { maxRetries: 3 }, 'a');
    const call = run('trigger', {}, 'b');
    ends[0]?.resolve('up');
    await call;
    await run('reset', { config: true }, 'a');
    expect(evicted).toMatchObject([{ cache: 'b' }]);
  });
});

describe('time', () => {
  it('that a check or a predicate takes is not the attempt’s', async () => {
    const clock = virtualClock();
    const take = (ms: number) => void clock.advance(ms);
    const fallback = defineFallback({
      tag: 'x',
      providers: [
        {
          name: 'one',
          timeout: 100,
          when: () => {
            take(150);
            return true;
          },
          run: () => new Promise((resolve) => clock.setTimeout(() => resolve('in time'), 50)),
        },
      ],
    });
    const { fallback: engine } = createDuctape({
      env: 'e',
      product: 'p',
      clock: blocking(clock),
      fallbacks: [fallback] as const,
    });
    const call = engine.run({ fallback_tag: 'x', action: 'trigger' });
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ output: 'in time', attempts: [{ duration: 50 }] });
  });

  it('left of an exhaustion taken over late is told as it is', async () => {
    const { clock, engine, ends, run, inspect } = held({ maxRetries: 5, resetAfter: 30_000 });
    const failing = run('trigger', {}, 'k');
    ends[0]?.reject(new Error('down'));
    await failing;
    const told: unknown[] = [];
    engine.on('exhausted', (event) => told.push(event.retryAfter));
    await run('update', { maxRetries: 0 });
    told.length = 0;
    await clock.advance(29_000);
    expect(inspect('k').retryAfter).toBe(1_000);
    expect(told).toEqual([1_000]);
  });
});

/** A clock on which `advance` counts at once, as a blocking call does. */
function blocking(clock: ReturnType<typeof virtualClock>) {
  let blocked = 0;
  const { advance } = clock;
  clock.advance = async (ms) => {
    blocked += ms;
  };
  clock.runUntilIdle = async () => {
    for (let turn = 0; turn < 20; turn++) await advance(10);
  };
  return {
    now: () => clock.now() + blocked,
    setTimeout: (callback: () => void, ms: number) => clock.setTimeout(callback, ms),
    clearTimeout: (handle: unknown) => clock.clearTimeout(handle),
  };
}

describe('errors', () => {
  it('that handle threw are in whatever is thrown after it', async () => {
    const { engine, ends, run } = held();
    const failing = run('trigger');
    ends[0]?.reject(new Error('down'));
    await failing;
    const broken = new Error('handle broke');
    const handle = () => {
      throw broken;
    };
    const call = engine.call('x', () => Promise.reject(new Error('primary')), { handle });
    const error: unknown = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FallbackExhaustedError);
    expect(error).toMatchObject({ errors: [broken], cause: { message: 'primary' } });
  });

  it('are safe to log whatever is hung on them', async () => {
    const { ends, run } = held();
    const failing = run('trigger');
    ends[0]?.reject(new Error('down'));
    const error = (await failing) as Error & { request?: object; count?: bigint };
    error.request = { error };
    error.count = 1n;
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: 'ERR_FALLBACK_FAILED', errors: ['Error: down'] });
  });

  it('of an output that its schema refused show no token', async () => {
    const output = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => ({ issues: [{ message: 'bad SECRET-123', path: ['who'] }] }),
      },
    } as const;
    const fallback = defineFallback({
      tag: 'x',
      output,
      providers: [{ name: 'one', run: (_, ctx) => ({ who: ctx.session?.token }) }],
    });
    const { fallback: engine } = createDuctape({ env: 'e', product: 'p', fallbacks: [fallback] as const });
    const session = { tag: 's', token: 'SECRET-123' };
    const error = await engine
      .run({ fallback_tag: 'x', action: 'trigger', session })
      .catch((thrown: unknown) => thrown);
    const [refused] = (error as { errors: readonly (Error & { issues: unknown })[] }).errors;
    expect(`${refused?.message} ${JSON.stringify(refused)}`).not.toContain('SECRET');
  });
});

describe('contexts', () => {
  it('may be taken apart', async () => {
    const fallback = defineFallback({
      tag: 'x',
      deadline: 40,
      providers: [
        { name: 'one', run: (_, { remaining, signal, previous }) => [remaining(), signal.aborted, previous.length] },
      ],
    });
    const { fallback: engine } = createDuctape({
      env: 'e',
      product: 'p',
      clock: virtualClock(),
      fallbacks: [fallback] as const,
    });
    expect(await engine.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({ output: [40, false, 0] });
  });
});

describe('settings', () => {
  it('put out by their schema stay the schema’s own to change', async () => {
    const shared = { nested: { list: [1] } };
    const settings = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: shared }) } } as const;
    const fallback = defineFallback({ tag: 'x', settings, providers: [{ name: 'one', value: 1 }] });
    const { fallback: engine } = createDuctape({ env: 'e', product: 'p', fallbacks: [fallback] as const });
    const { config } = engine.inspect({ fallback_tag: 'x' });
    shared.nested.list.push(2);
    expect(config).toMatchObject({ nested: { list: [1] } });
    expect(Object.isFrozen((config as unknown as typeof shared).nested)).toBe(true);
  });
});

describe('a promise with a then of its own, from a schema', () => {
  it('does not keep a call from settling', async () => {
    const stuck = Promise.resolve({ value: 1 });
    Object.defineProperty(stuck, 'then', { value: (done: (value: unknown) => void) => done(undefined) });
    const output = { '~standard': { version: 1, vendor: 'test', validate: () => stuck as never } } as const;
    const fallback = defineFallback({ tag: 'x', output, providers: [{ name: 'one', run: async () => 1 }] });
    const { fallback: engine } = createDuctape({ env: 'e', product: 'p', fallbacks: [fallback] as const });
    await expect(engine.run({ fallback_tag: 'x', action: 'trigger' })).rejects.toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
    });
  });
});

describe('what comes after the end', () => {
  const answers = defineFallback({ tag: 'x', providers: [{ name: 'one', value: 'fallback' }] });

  it('of a provider that aborts its own caller and throws, is not looked at', async () => {
    const controller = new AbortController();
    const run = () => {
      controller.abort(new Error('gone'));
      throw new Error('down');
    };
    const fallback = defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', run },
        { name: 'two', value: 2 },
      ],
    });
    const { fallback: engine } = createDuctape({ env: 'e', product: 'p', fallbacks: [fallback] as const });
    const call = engine.run({ fallback_tag: 'x', action: 'trigger' }, { signal: controller.signal });
    await expect(call).rejects.toThrow('gone');
    expect(engine.inspect({ fallback_tag: 'x' })).toMatchObject({ failures: 0, inFlight: 0 });
  });

  it('on a clock that fires what was cleared, changes nothing', async () => {
    const clock = virtualClock();
    const careless = { ...clock, now: clock.now, clearTimeout: () => {} };
    const fallback = defineFallback({
      tag: 'x',
      deadline: 9,
      providers: [{ name: 'one', run: async () => 1, timeout: 5 }],
    });
    const options = { env: 'e', product: 'p', clock: careless, fallbacks: [fallback] as const };
    const { fallback: engine } = createDuctape(options);
    const result = await engine.run({ fallback_tag: 'x', action: 'trigger' });
    const heard: FallbackEvent[] = [];
    engine.on('*', (event) => heard.push(event));
    await clock.runUntilIdle();
    expect(result.output).toBe(1);
    expect(heard).toEqual([]);
    expect(engine.inspect({ fallback_tag: 'x' })).toMatchObject({ state: 'triggered', failures: 0, inFlight: 0 });
  });

  it.each(['resolves', 'rejects'])(
    'of a wrapped primary that close cut short and that %s then, triggers nothing',
    async (how) => {
      const ends: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
      const { fallback: engine } = createDuctape({ env: 'e', product: 'p', fallbacks: [answers] as const });
      const heard: FallbackEvent[] = [];
      engine.on('*', (event) => heard.push(event));
      const wrapped = engine.wrap('x', () => new Promise<string>((resolve, reject) => ends.push({ resolve, reject })), {
        input: () => ({}),
      });
      const call = wrapped();
      await engine.close();
      if (how === 'resolves') ends[0]?.resolve('late');
      else ends[0]?.reject(new Error('late'));
      await expect(call).rejects.toMatchObject({ code: 'ERR_CLOSED', tag: 'x' });
      await settled();
      expect(heard).toMatchObject([{ type: 'in-doubt', provider: 'primary', because: 'aborted', env: 'e', tag: 'x' }]);
    },
  );
});
