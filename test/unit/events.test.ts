import { describe, expect, it } from 'vitest';
import { Events } from '../../src/events.ts';
import {
  createDuctape,
  type DuctapeOptions,
  type EventType,
  type Fallback,
  type FallbackEvent,
} from '../../src/index.ts';
import { settled, virtualClock } from '../virtual-clock.ts';

const boom = new Error('boom');
const fail = () => {
  throw boom;
};
const never = () => new Promise<void>(() => {});

function engineOf(definition: object, options: Partial<DuctapeOptions<readonly Fallback[]>> = {}) {
  const clock = virtualClock(1_000);
  const { fallback } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'p',
    clock,
    nonce: 'n',
    fallbacks: [{ tag: 'x', ...definition } as Fallback],
    ...options,
  });
  const heard: FallbackEvent[] = [];
  fallback.on('*', (event) => heard.push(event));
  const run = (action: 'trigger' | 'update' | 'reset', more: object = {}, runOptions: object = {}) =>
    fallback.run({ fallback_tag: 'x', action, ...more }, runOptions);
  const failing = (more: object = {}, runOptions: object = {}) => run('trigger', more, runOptions).catch(() => {});
  const types = () => heard.map(({ type }) => type);
  return { clock, fallback, heard, run, failing, types };
}

const BASE = { env: 'prd', product: 'p', tag: 'x' };

describe('a trigger tells', () => {
  it('of its admission, each attempt and its recovery, in that order', async () => {
    const { heard, run } = engineOf({
      providers: [
        { name: 'a', run: fail },
        { name: 'b', value: 1 },
      ],
    });
    await run('trigger', { cache: 'k' }, { id: 'mine' });
    const base = { ...BASE, id: 'mine', cache: 'k', at: 1_000 };
    expect(heard).toEqual([
      { ...base, type: 'triggered', state: 'triggered', probe: false },
      { ...base, type: 'attempt-started', provider: 'a', attempt: 1 },
      { ...base, type: 'attempt-ended', provider: 'a', attempt: 1, outcome: 'failed', error: boom, duration: 0 },
      { ...base, type: 'attempt-started', provider: 'b', attempt: 1 },
      { ...base, type: 'attempt-ended', provider: 'b', attempt: 1, outcome: 'succeeded', duration: 0 },
      { ...base, type: 'recovered', state: 'triggered', provider: 'b', duration: 0 },
    ]);
  });

  it('what the primary failed with, before it: whatever that was, and only if one has failed', async () => {
    const { fallback, heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    const own = new Error('own');
    await fallback.call('x', () => Promise.reject(own), { session: { tag: 'user', token: 'own' } });
    await fallback.wrap('x', () => Promise.reject(undefined))();
    await run('trigger');
    const [called, wrapped, triggered] = heard.filter(({ type }) => type === 'triggered');
    expect(called).toHaveProperty('cause', own);
    expect(JSON.parse(JSON.stringify(called))).toMatchObject({ cause: 'Error: [token]' });
    expect(wrapped).toHaveProperty('cause', undefined);
    expect(triggered).not.toHaveProperty('cause');
  });

  it('of its failure, and then of the exhaustion', async () => {
    const { heard, run, failing } = engineOf({ maxRetries: 1, resetAfter: 500, providers: [{ name: 'a', run: fail }] });
    await failing();
    await expect(run('trigger')).rejects.toMatchObject({ state: 'exhausted' });
    const told = heard.filter(({ type }) => type === 'failed' || type === 'exhausted');
    expect(told).toHaveLength(3);
    expect(told[0]).toEqual({
      ...BASE,
      id: 'n-1',
      at: 1_000,
      type: 'failed',
      state: 'triggered',
      errors: [boom],
      duration: 0,
    });
    expect(told).toContainEqual({
      ...BASE,
      id: 'n-2',
      at: 1_000,
      type: 'failed',
      state: 'exhausted',
      errors: [boom],
      duration: 0,
    });
    expect(told.find(({ type }) => type === 'exhausted')).toMatchObject({
      ...BASE,
      at: 1_000,
      failures: 2,
      retryAfter: 500,
    });
  });

  it('nothing where it is refused', async () => {
    const { heard, failing, run } = engineOf({
      maxRetries: 0,
      input: {
        '~standard': {
          version: 1,
          vendor: 't',
          validate: (value: { bad?: 1 }) => (value.bad ? { issues: [{ message: 'bad' }] } : { value }),
        },
      },
      providers: [{ name: 'a', run: fail }],
    });
    await failing({ input: { bad: 1 } });
    await failing({ fallback_tag: 'y' });
    await failing({ cache: '' });
    expect(heard).toEqual([]);
    await failing();
    const before = heard.length;
    await expect(run('trigger')).rejects.toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED' });
    expect(heard).toHaveLength(before);
  });

  it('of a probe, and whether it recovered', async () => {
    let healthy = false;
    const { clock, heard, failing, run } = engineOf({
      maxRetries: 0,
      resetAfter: 100,
      providers: [{ name: 'a', run: () => (healthy ? 'ok' : fail()) }],
    });
    await failing();
    heard.length = 0;
    await clock.advance(100);
    await failing();
    expect(heard.map(({ type }) => type)).toEqual([
      'probing',
      'triggered',
      'attempt-started',
      'attempt-ended',
      'failed',
    ]);
    expect(heard.slice(0, 2)).toMatchObject([
      { failures: 1, id: 'n-2' },
      { probe: true, state: 'exhausted' },
    ]);
    healthy = true;
    await clock.advance(100);
    heard.length = 0;
    await run('trigger');
    expect(heard.at(-1)).toMatchObject({ type: 'recovered', state: 'triggered' });
  });

  it('of no attempt of a provider that was skipped', async () => {
    const { types, run } = engineOf({
      providers: [
        { name: 'a', run: fail, when: () => false },
        { name: 'b', value: 1 },
      ],
    });
    await run('trigger');
    expect(types()).toEqual(['triggered', 'attempt-started', 'attempt-ended', 'recovered']);
  });

  it.each([
    ['throws', { run: fail }, 'failed'],
    ['is slow', { run: never, timeout: 5 }, 'timed-out'],
    ['has a when that throws', { run: () => 1, when: fail }, 'failed'],
    ['has an accept that says no', { run: () => 1, accept: () => false }, 'failed'],
    ['answers', { run: () => 1 }, 'succeeded'],
  ] as [string, object, string][])(
    'of the end of each attempt that it told the start of, where a provider %s',
    async (_, provider, outcome) => {
      const { clock, heard, failing } = engineOf({ providers: [{ name: 'a', retries: 2, backoff: 1, ...provider }] });
      const done = failing();
      await clock.runUntilIdle();
      await done;
      const attempts = heard.filter(({ type }) => type.startsWith('attempt-')) as { attempt: number; type: string }[];
      expect(attempts.length).toBeGreaterThan(0);
      attempts.forEach(({ type, attempt }, index) => {
        expect(type).toBe(index % 2 === 0 ? 'attempt-started' : 'attempt-ended');
        expect(attempt).toBe(Math.floor(index / 2) + 1);
      });
      expect(attempts.at(-1)).toMatchObject({ type: 'attempt-ended', outcome });
    },
  );

  it.each([
    ['the abort of its caller', 'aborted'],
    ['close', 'aborted'],
    ['its deadline', 'timed-out'],
  ])('of the end of an attempt that is cut short by %s', async (cause, outcome) => {
    const { clock, fallback, heard, failing } = engineOf({ providers: [{ name: 'a', run: never }] });
    const controller = new AbortController();
    const done = failing({}, cause === 'its deadline' ? { deadline: 5 } : { signal: controller.signal });
    if (cause === 'close') await fallback.close();
    else if (cause !== 'its deadline') controller.abort();
    await clock.runUntilIdle();
    await done;
    expect(heard.slice(0, 3)).toMatchObject([
      { type: 'triggered' },
      { type: 'attempt-started' },
      { type: 'attempt-ended', outcome },
    ]);
    expect(heard.filter(({ type }) => type === 'failed')).toHaveLength(cause === 'its deadline' ? 1 : 0);
  });

  it.each([
    ['fulfilled', false],
    ['rejected', true],
  ])('of an attempt that is %s after it was given up on', async (outcome, rejects) => {
    const { clock, heard, run } = engineOf({
      providers: [
        {
          name: 'a',
          timeout: 5,
          run: () =>
            new Promise((resolve, reject) => clock.setTimeout(() => (rejects ? reject(boom) : resolve(1)), 50)),
        },
        { name: 'b', value: 2 },
      ],
    });
    const result = run('trigger');
    await clock.advance(50);
    expect(await result).toMatchObject({ output: 2 });
    const error = rejects ? { error: boom } : {};
    expect(heard.at(-1)).toEqual({
      ...BASE,
      type: 'late',
      at: 1_050,
      id: 'n-1',
      provider: 'a',
      attempt: 1,
      outcome,
      ...error,
    });
  });
});

describe('the other actions tell', () => {
  it('of an update, with the configuration and its revision', async () => {
    const { heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    await run('update', { input: { maxRetries: 3 } });
    expect(heard).toMatchObject([{ ...BASE, type: 'updated', state: 'idle', revision: 1, config: { maxRetries: 3 } }]);
  });

  it('of the exhaustion that an update causes, before the update itself', async () => {
    const { heard, run, failing } = engineOf({ providers: [{ name: 'a', run: fail }] });
    await failing();
    heard.length = 0;
    await run('update', { input: { maxRetries: 0 } });
    expect(heard).toMatchObject([
      { type: 'exhausted', failures: 1, retryAfter: 30_000 },
      { type: 'updated', state: 'exhausted' },
    ]);
  });

  it('of a reset, and how far it went', async () => {
    const { heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    await run('reset');
    await run('reset', { cache: 'k', input: { config: true } });
    await run('reset', { input: { keys: true } });
    expect(heard).toMatchObject([
      { ...BASE, type: 'reset', config: false, keys: false },
      { ...BASE, type: 'reset', cache: 'k', config: true, keys: false },
      { ...BASE, type: 'reset', config: false, keys: true },
    ]);
  });

  it('nothing where they are refused', async () => {
    const { heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    await expect(run('update', { input: { typo: 1 } })).rejects.toThrow('typo');
    await expect(run('reset', { input: { typo: 1 } })).rejects.toThrow('typo');
    expect(heard).toEqual([]);
  });
});

describe('the LRU tells', () => {
  it('of a key that had to make room', async () => {
    const { heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { cache: { max: 1 } });
    await run('trigger', { cache: 'one' });
    await run('trigger', { cache: 'two' });
    // Strictly: it belongs to no call, so that it has no `id`.
    expect(heard.filter(({ type }) => type === 'evicted')).toStrictEqual([
      { ...BASE, type: 'evicted', at: 1_000, cache: 'one', reason: 'full' },
    ]);
  });

  it('of a key that nobody used for too long', async () => {
    const { clock, heard, run } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { cache: { ttl: 10 } });
    await run('trigger', { cache: 'one' });
    await clock.advance(11);
    await run('trigger', { cache: 'one' });
    expect(heard.filter(({ type }) => type === 'evicted')).toMatchObject([{ cache: 'one', reason: 'expired' }]);
  });
});

describe('an event', () => {
  it('is frozen, tells the time, and no cache where there is none', async () => {
    const { heard, run, failing } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: fail }] });
    await failing();
    await run('reset');
    expect(heard.every(Object.isFrozen)).toBe(true);
    expect(heard.every((event) => !('cache' in event))).toBe(true);
    expect(heard.every(({ at }) => at === 1_000)).toBe(true);
  });

  it('is emitted once the machine has moved', async () => {
    const { fallback, failing, run } = engineOf({
      maxRetries: 0,
      resetAfter: 10,
      providers: [{ name: 'a', run: fail }],
    });
    const seen: unknown[] = [];
    fallback.on('*', ({ type }) => {
      const { state, failures, revision } = fallback.inspect({ fallback_tag: 'x' });
      if (!type.startsWith('attempt')) seen.push([type, state, failures, revision]);
    });
    await failing();
    await run('update', { input: { maxRetries: 5 } });
    await run('reset');
    expect(seen).toHaveLength(5);
    expect(seen[0]).toEqual(['triggered', 'triggered', 0, 0]);
    expect(seen).toContainEqual(['failed', 'exhausted', 1, 0]);
    expect(seen).toContainEqual(['exhausted', 'exhausted', 1, 0]);
    expect(seen.slice(3)).toEqual([
      ['updated', 'triggered', 1, 1],
      ['reset', 'idle', 0, 1],
    ]);
  });

  it('comes before the caller gets the result', async () => {
    const { fallback, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    const order: string[] = [];
    fallback.on('recovered', () => order.push('listener'));
    await run('trigger').then(() => order.push('caller'));
    expect(order).toEqual(['listener', 'caller']);
  });
});

describe('a listener', () => {
  it('hears its own type only', async () => {
    const { fallback, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    const heard: EventType[] = [];
    fallback.on('recovered', ({ type }) => heard.push(type));
    await run('trigger');
    await run('reset');
    expect(heard).toEqual(['recovered']);
  });

  it('hears nothing any more once it has unsubscribed, as often as it likes', async () => {
    const { fallback, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    const heard: string[] = [];
    const listener = ({ type }: FallbackEvent) => heard.push(type);
    const offs = [fallback.on('reset', listener), fallback.on('reset', listener), fallback.on('*', listener)];
    await run('reset');
    offs[0]?.();
    offs[0]?.();
    await run('reset');
    for (const off of offs) off();
    await run('reset');
    expect(heard).toHaveLength(3 + 2);
  });

  it('that unsubscribes, or subscribes another, disturbs no emission under way', async () => {
    const { fallback, run } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    const heard: string[] = [];
    const off = fallback.on('reset', () => {
      heard.push('first');
      off();
      fallback.on('reset', () => heard.push('new'));
    });
    fallback.on('reset', () => heard.push('second'));
    await run('reset');
    expect(heard).toEqual(['first', 'second']);
    await run('reset');
    expect(heard.slice(2)).toEqual(['second', 'new']);
  });

  it.each([
    ['throws', fail],
    ['rejects', () => Promise.reject(boom)],
    [
      'throws nothing',
      () => {
        throw undefined;
      },
    ],
    ['never settles', never],
    ['returns a thenable that throws', () => Object.fromEntries([['then', fail]])],
    ['returns what has a then that throws when read', () => Object.defineProperty({}, 'then', { get: fail })],
    [
      'returns a promise whose then throws',
      () => Object.assign(Promise.resolve(), Object.fromEntries([['then', fail]])),
    ],
    [
      'returns a promise whose constructor throws',
      () => Object.defineProperty(Promise.resolve(), 'constructor', { get: fail }),
    ],
  ] as [string, () => unknown][])('that %s changes nothing and stops no other', async (_, bad) => {
    const { fallback, run, types } = engineOf({
      maxRetries: 0,
      providers: [
        { name: 'a', run: fail, retries: 1, backoff: 0 },
        { name: 'b', value: 1 },
      ],
    });
    const after: string[] = [];
    fallback.on('*', bad);
    fallback.on('*', ({ type }) => after.push(type));
    expect(await run('trigger')).toMatchObject({ output: 1, state: 'triggered' });
    await run('reset');
    await settled();
    expect(after).toEqual(types());
    expect(after).toHaveLength(9);
  });

  it('may call the engine, and finds its memory whole', async () => {
    const { fallback, failing, run } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: fail }] });
    const resets: Promise<unknown>[] = [];
    fallback.on('exhausted', () => resets.push(run('reset')));
    await failing();
    expect(await Promise.all(resets)).toEqual([{ action: 'reset', state: 'idle' }]);
    expect(fallback.inspect({ fallback_tag: 'x' })).toMatchObject({ state: 'idle', failures: 0 });
  });

  it('is not missed: without one no event is built', async () => {
    const clock = virtualClock();
    const { fallback } = createDuctape<readonly Fallback[]>({
      env: 'prd',
      product: 'p',
      clock,
      fallbacks: [
        {
          tag: 'x',
          providers: [
            { name: 'a', run: fail },
            { name: 'b', value: 1 },
          ],
        } as Fallback,
      ],
    });
    expect(await fallback.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({ output: 1 });
    expect(clock.pending).toBe(0);
    const events = new Events(clock);
    expect(events.types.map((type) => events.wants(type))).toEqual(events.types.map(() => false));
    const off = events.subscribe(['late'], () => {});
    expect(events.types.filter((type) => events.wants(type))).toEqual(['late']);
    off();
    expect(events.wants('late')).toBe(false);
  });
});

it('has eleven types, and six of provider safety', () => {
  expect(new Events(virtualClock()).types).toEqual([
    'triggered',
    'attempt-started',
    'attempt-ended',
    'recovered',
    'failed',
    'exhausted',
    'probing',
    'updated',
    'reset',
    'evicted',
    'late',
    'provider-unhealthy',
    'provider-probing',
    'provider-healthy',
    'in-doubt',
    'compensated',
    'compensation-failed',
  ]);
});
