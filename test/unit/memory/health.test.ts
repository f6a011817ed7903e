import { describe, expect, it, vi } from 'vitest';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  InvalidSnapshotError,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const json = (value: unknown) => JSON.parse(JSON.stringify(value));
const never = () => new Promise<never>(() => {});

type Options = Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> & { start?: number; one?: object; tag?: string };

/** An engine whose provider `one` fails unless told otherwise, with a breaker or what `one` says; `two` always answers. */
function engine({
  start = 0,
  one = { breaker: { failures: 2, cooldown: 100 } },
  tag = 'pay',
  ...options
}: Options = {}) {
  const clock = virtualClock(start);
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('secret reason')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  const define = (tag: string) =>
    api.define(
      defineFallback({
        tag,
        maxRetries: 100,
        providers: [
          { name: 'one', run, ...one },
          { name: 'two', value: 2 },
        ],
      }),
    );
  define(tag);
  const fire = (at: object = {}, options: object = {}) =>
    api.run({ ...trigger, ...at }, options).then(
      (result) => result,
      (error: unknown) => error,
    );
  const fail = async (times: number) => {
    for (let count = 0; count < times; count++) await fire();
  };
  const byHand = (health: string, provider = 'one') =>
    api.run({ ...place, action: 'update', input: { providers: { [provider]: { health } } } });
  const health = (at: object = {}) => api.inspect({ ...place, ...at }).providers?.one;
  return { api, clock, run, fire, fail, byHand, health, define };
}

type World = ReturnType<typeof engine>;

/** What an engine wrote of the health of `one`. */
const written = ({ api }: World) => api.snapshot().machines[0]?.health;
const state = (value: unknown, failures: number, status = 'active') => ({ status, value, context: { failures } });
const entry = {
  env: 'prd',
  product: 'payments',
  tag: 'pay',
  snapshot: state('triggered', 0),
  triggers: 1,
  recoveries: 1,
  revision: 0,
};
const snapshotOf = (more: object) => ({ version: 1, takenAt: 0, machines: [{ ...entry, ...more }] });
const healthOf = (value: unknown, failures: number, waited?: number | null) => ({
  provider: 'one',
  snapshot: state(value, failures),
  ...(waited !== undefined && { waited }),
});

/** How to bring an engine to each state, with what that state is told as. */
const STATES: Record<string, [reach: (world: World) => Promise<void>, told: object]> = {
  'one failure': [({ fail }) => fail(1), { health: 'healthy', failures: 1 }],
  unhealthy: [
    async ({ fail, clock }) => {
      await fail(2);
      await clock.advance(30);
    },
    { health: 'unhealthy', failures: 2, retryAfter: 70 },
  ],
  'unhealthy, its probe overdue': [
    async ({ fail, clock }) => {
      await fail(2);
      await clock.advance(500);
    },
    { health: 'unhealthy', failures: 2, retryAfter: 0 },
  ],
  'unhealthy since its probe failed': [
    async ({ fail, clock }) => {
      await fail(2);
      await clock.advance(100);
      await fail(1);
      await clock.advance(10);
    },
    { health: 'unhealthy', failures: 2, retryAfter: 90 },
  ],
  'unhealthy since its probe was aborted': [
    async ({ fail, clock, run, fire }) => {
      await fail(2);
      await clock.advance(100);
      run.mockImplementationOnce(never);
      const controller = new AbortController();
      const probe = fire({}, { signal: controller.signal });
      controller.abort();
      await probe;
    },
    { health: 'unhealthy', failures: 2, retryAfter: 0 },
  ],
  'unhealthy by hand': [
    async ({ byHand, clock }) => {
      await byHand('unhealthy');
      await clock.advance(7);
    },
    { health: 'unhealthy', failures: 0 },
  ],
  'unhealthy by hand, with a failure': [
    async ({ fail, byHand }) => {
      await fail(1);
      await byHand('unhealthy');
    },
    { health: 'unhealthy', failures: 1 },
  ],
};

describe('a snapshot of health', () => {
  it.each(Object.entries(STATES))('brings back %s', async (_name, [reach, told]) => {
    const one = engine({ start: 1_000 });
    await reach(one);
    expect(one.health()).toEqual({ inFlight: 0, ...told });
    const snapshot = json(one.api.snapshot());
    const other = engine({ start: 50 });
    expect(other.api.restore(snapshot)).toEqual({ restored: 1, skipped: [] });
    expect(other.health()).toEqual(one.health());
    expect(json(other.api.snapshot())).toEqual({ ...snapshot, takenAt: 50 });
    // And into the engine that it came from.
    one.api.restore(snapshot);
    expect(one.health()).toEqual({ inFlight: 0, ...told });
  });

  it('is plain JSON: XState’s own snapshot, with the failures and the time waited', async () => {
    const world = engine();
    await world.fail(2);
    await world.clock.advance(30);
    expect(written(world)).toEqual([
      { provider: 'one', snapshot: expect.objectContaining(state('unhealthy', 2)), waited: 30 },
    ]);
    expect(json(world.api.snapshot())).toEqual(world.api.snapshot());
    const text = JSON.stringify(world.api.snapshot());
    for (const hidden of ['secret reason', 'cooldown', 'retryAfter', 'config']) expect(text).not.toContain(hidden);
  });

  it('tells no wait of a healthy provider', async () => {
    const world = engine();
    await world.fail(1);
    expect(written(world)).toEqual([{ provider: 'one', snapshot: expect.objectContaining(state('healthy', 1)) }]);
  });

  it('takes a probe under way as abandoned: unhealthy, and due at once', async () => {
    const one = engine();
    await one.fail(2);
    await one.clock.advance(100);
    one.run.mockImplementationOnce(never);
    void one.fire();
    expect(one.health()).toMatchObject({ health: 'probing', inFlight: 1, retryAfter: 100 });
    expect(written(one)).toMatchObject([{ snapshot: state('unhealthy', 2), waited: null }]);
    const other = engine({ start: 5_000 });
    other.api.restore(json(one.api.snapshot()));
    expect(other.health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0, retryAfter: 0 });
    other.run.mockResolvedValueOnce('well');
    expect(await other.fire()).toMatchObject({ provider: 'one', output: 'well' });
    expect(other.health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('says nothing of providers that are as new', async () => {
    const world = engine();
    world.run.mockResolvedValue(1);
    await world.fire();
    expect(written(world)).toBeUndefined();
    world.run.mockRejectedValueOnce(new Error('down'));
    await world.fire();
    expect(written(world)).toHaveLength(1);
    await world.fire();
    expect(written(world)).toBeUndefined();
    world.run.mockImplementationOnce(never);
    void world.fire();
    expect(written(world)).toBeUndefined();
  });

  it('is taken of a fallback that nothing else is to be said of', async () => {
    const world = engine();
    await world.byHand('unhealthy');
    expect(world.api.snapshot().machines).toMatchObject([
      { snapshot: { value: 'idle' }, triggers: 0, health: [{ provider: 'one' }] },
    ]);
    const other = engine();
    other.api.restore(json(world.api.snapshot()));
    expect(other.health()).toMatchObject({ health: 'unhealthy' });
  });

  it('belongs to the fallback, though only its keys were ever used', async () => {
    const one = engine();
    for (const cache of ['a', 'b']) await one.fire({ cache });
    const { machines } = one.api.snapshot();
    expect(machines.filter(({ health }) => health)).toMatchObject([{ health: [{ snapshot: state('unhealthy', 2) }] }]);
    expect(machines.find(({ health }) => health)?.cache).toBeUndefined();
    const other = engine();
    other.api.restore(json(one.api.snapshot()));
    expect(other.health({ cache: 'c' })).toMatchObject({ health: 'unhealthy', failures: 2 });
  });

  it('tells each provider apart, and each env, product and tag', async () => {
    const places = [{}, { env: 'dev' }, { product: 'checkout' }, { fallback_tag: 'sms' }];
    const make = () => {
      const world = engine();
      world.define('sms');
      return world;
    };
    const one = make();
    await one.fire({ env: 'dev' });
    await one.fire({ product: 'checkout' });
    await one.fire({ product: 'checkout' });
    await one.byHand('unhealthy', 'two');
    const view = ({ api }: World) => places.map((at) => api.inspect({ ...place, ...at }).providers);
    expect(view(one).map((providers) => [providers?.one?.failures, providers?.two?.health])).toEqual([
      [0, 'unhealthy'],
      [1, 'healthy'],
      [2, 'healthy'],
      [0, 'healthy'],
    ]);
    const other = make();
    expect(other.api.restore(json(one.api.snapshot())).skipped).toEqual([]);
    expect(view(other)).toEqual(view(one));
  });
});

describe('a snapshot of the primary', () => {
  const breaker = { failures: 2, cooldown: 100 };
  const down = () => Promise.reject(new Error('secret reason'));
  const world = (start = 0) => {
    const { api, clock } = engine({ start });
    const primary = () => api.inspect(place).primary;
    const risk = (work: () => unknown, more: object = {}) => api.call('pay', work, { breaker, ...more });
    return { api, clock, primary, risk };
  };

  it('brings back where it stood, and the time it has waited', async () => {
    const one = world();
    await one.risk(down);
    await one.risk(down);
    await one.clock.advance(60);
    const snapshot = json(one.api.snapshot());
    expect(snapshot.machines[0].primary).toEqual({
      provider: 'primary',
      snapshot: expect.objectContaining(state('unhealthy', 2)),
      waited: 60,
      breaker: { failures: 2, cooldown: 100 },
    });
    expect(JSON.stringify(snapshot)).not.toContain('secret reason');
    const other = world(7_000);
    other.api.restore(snapshot);
    expect(other.primary()).toMatchObject({ health: 'unhealthy', failures: 2 });
    const work = vi.fn(() => 'primary');
    await other.clock.advance(39);
    expect(await other.risk(work)).toBe(2);
    expect(work).not.toHaveBeenCalled();
    expect(other.primary()).toMatchObject({ retryAfter: 1 });
    await other.clock.advance(1);
    expect(await other.risk(work)).toBe('primary');
    expect(other.primary()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('brings back its failures in a row', async () => {
    const one = world();
    await one.risk(down);
    const other = world();
    other.api.restore(json(one.api.snapshot()));
    expect(other.primary()).toMatchObject({ health: 'healthy', failures: 1 });
    await other.risk(down);
    expect(other.primary()).toMatchObject({ health: 'unhealthy', failures: 2 });
  });

  it('says nothing of one that is as new', async () => {
    const one = world();
    await one.risk(() => 'fine');
    expect(one.api.snapshot().machines).toEqual([]);
  });

  it('is not mixed up with a provider of the same name', async () => {
    const clock = virtualClock();
    const make = () => {
      const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock });
      const providers = [{ name: 'primary', run: () => 3, breaker }] as const;
      api.define(defineFallback({ tag: 'pay', providers }));
      return api;
    };
    const one = make();
    for (let count = 0; count < 2; count++) await one.call('pay', down, { breaker });
    const [machine] = one.snapshot().machines;
    expect(machine?.primary).toBeDefined();
    expect(machine?.health).toBeUndefined();
    const other = make();
    other.restore(json(one.snapshot()));
    expect(other.inspect(place)).toMatchObject({
      providers: { primary: { health: 'healthy' } },
      primary: { health: 'unhealthy' },
    });
  });

  it('tells the same retryAfter before the next call', async () => {
    const one = world();
    await one.risk(down);
    await one.risk(down);
    const other = world();
    other.api.restore(json(one.api.snapshot()));
    expect(other.primary()).toEqual(one.primary());
  });
});

describe('restore, where the definition has changed', () => {
  const unhealthy = async (waited = 30) => {
    const one = engine();
    await one.fail(2);
    await one.clock.advance(waited);
    return json(one.api.snapshot());
  };

  it('waits as long as the new cooldown says, the time already waited included', async () => {
    const other = engine({ one: { breaker: { failures: 2, cooldown: 1_000 } } });
    other.api.restore(await unhealthy());
    expect(other.health()).toMatchObject({ health: 'unhealthy', retryAfter: 970 });
    const brief = engine({ one: { breaker: { failures: 2, cooldown: 20 } } });
    brief.api.restore(await unhealthy());
    expect(brief.health()).toMatchObject({ health: 'unhealthy', retryAfter: 0 });
  });

  it('keeps an unhealthy provider unhealthy, though the breaker now tolerates more', async () => {
    const other = engine({ one: { breaker: { failures: 9, cooldown: 100 } } });
    other.api.restore(await unhealthy());
    expect(other.health()).toMatchObject({ health: 'unhealthy', failures: 2, retryAfter: 70 });
  });

  it('makes a provider unhealthy, from now on, whose failures the breaker no longer tolerates', async () => {
    const one = engine({ one: { breaker: { failures: 5, cooldown: 100 } } });
    await one.fail(3);
    await one.clock.advance(400);
    const other = engine({ start: 9_000 });
    const heard = vi.fn();
    other.api.on('*', heard);
    expect(other.api.restore(json(one.api.snapshot())).skipped).toEqual([]);
    expect(other.health()).toEqual({ health: 'unhealthy', failures: 3, inFlight: 0, retryAfter: 100 });
    // As of all that restore does, nobody hears of it.
    expect(heard).not.toHaveBeenCalled();
  });

  it('leaves a health check to find out, where there is no breaker any more', async () => {
    const check = vi.fn(() => true);
    const other = engine({ one: { healthcheck: { check, interval: 50 } } });
    other.run.mockResolvedValue('well');
    expect(other.api.restore(await unhealthy()).skipped).toEqual([]);
    expect(other.health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0 });
    expect(await other.fire()).toMatchObject({ provider: 'two' });
    await settled();
    expect(check).toHaveBeenCalledTimes(1);
    expect(await other.fire()).toMatchObject({ provider: 'one' });
  });

  it.each([
    ['whose provider is gone', 'three', {}, 'is no provider'],
    ['whose provider nothing would make healthy again', 'one', { one: {} }, 'has neither breaker nor health check'],
  ])('skips and reports one %s, and takes over the rest', async (_what, provider, options, why) => {
    const snapshot = await unhealthy();
    snapshot.machines[0].health[0].provider = provider;
    const other = engine(options);
    const { restored, skipped } = other.api.restore(snapshot);
    expect(restored).toBe(1);
    expect(skipped).toEqual([
      {
        env: 'prd',
        product: 'payments',
        tag: 'pay',
        reason: `the health of "${provider}", which ${why} here, is left out`,
      },
    ]);
    expect(other.api.inspect(place)).toMatchObject({ state: 'triggered', triggers: 2 });
    expect(other.health()?.health ?? 'healthy').toBe('healthy');
    other.run.mockResolvedValueOnce('called');
    expect(await other.fire()).toMatchObject({ provider: 'one' });
  });

  it('keeps what was done by hand, although the provider has nothing else to do with health', async () => {
    const one = engine({ one: {} });
    await one.byHand('unhealthy');
    const other = engine({ one: {} });
    const snapshot = json(one.api.snapshot());
    // Which waits for nothing.
    expect(snapshot.machines[0].health).toEqual([{ provider: 'one', snapshot: expect.anything() }]);
    expect(other.api.restore(snapshot)).toEqual({ restored: 1, skipped: [] });
    expect(await other.fire()).toMatchObject({ provider: 'two', attempts: [{ reason: 'unhealthy' }, {}] });
    await other.byHand('healthy');
    other.run.mockResolvedValueOnce('called');
    expect(await other.fire()).toMatchObject({ provider: 'one' });
  });

  it('does not leave a provider unhealthy for ever that has a concurrency only', async () => {
    const other = engine({ one: { concurrency: 3 } });
    other.run.mockResolvedValue('well');
    other.api.restore(await unhealthy());
    await other.clock.advance(1_000_000);
    expect(await other.fire()).toMatchObject({ provider: 'one' });
  });

  it('skips nothing where nothing has changed', async () => {
    const one = engine({ one: {} });
    await one.byHand('healthy');
    await one.fail(1);
    const other = engine({ one: {} });
    expect(other.api.restore(json(one.api.snapshot())).skipped).toEqual([]);
  });
});

describe('restore of a health that no engine wrote', () => {
  const bad: [string, object, string][] = [
    ['of a state that does not exist', { health: [healthOf('sick', 1)] }, 'machines[0].health[0].snapshot'],
    ['of a probe under way', { health: [healthOf('probing', 1)] }, 'machines[0].health[0].snapshot'],
    ['of a state of the fallback', { health: [healthOf('idle', 0)] }, 'machines[0].health[0].snapshot'],
    ['of half a failure', { health: [healthOf('healthy', 0.5)] }, 'machines[0].health[0].snapshot'],
    ['of fewer than no failures', { health: [healthOf('unhealthy', -1)] }, 'machines[0].health[0].snapshot'],
    [
      'that is done',
      { health: [{ ...healthOf('healthy', 0), snapshot: state('healthy', 0, 'done') }] },
      'machines[0].health[0].snapshot',
    ],
    ['with an empty snapshot', { health: [{ provider: 'one', snapshot: {} }] }, 'machines[0].health[0].snapshot'],
    ['without a snapshot', { health: [{ provider: 'one' }] }, 'machines[0].health[0].snapshot'],
    ['without a provider', { health: [{ snapshot: state('healthy', 0) }] }, 'machines[0].health[0].provider'],
    [
      'with an empty provider',
      { health: [{ ...healthOf('held', 0), provider: '' }] },
      'machines[0].health[0].provider',
    ],
    ['with an unknown key', { health: [{ ...healthOf('held', 0), more: 1 }] }, 'machines[0].health[0].more'],
    ['with a negative wait', { health: [healthOf('unhealthy', 1, -1)] }, 'machines[0].health[0].waited'],
    ['with a wait of NaN', { health: [healthOf('unhealthy', 1, Number.NaN)] }, 'machines[0].health[0].waited'],
    [
      'with an endless wait',
      { health: [healthOf('unhealthy', 1, Number.POSITIVE_INFINITY)] },
      'machines[0].health[0].waited',
    ],
    ['that is no list', { health: { one: healthOf('unhealthy', 1) } }, 'machines[0].health'],
    ['that is null', { health: null }, 'machines[0].health'],
    [
      'second in its list',
      { health: [healthOf('held', 0), { ...healthOf('sick', 0), provider: 'two' }] },
      'machines[0].health[1].snapshot',
    ],
    ['of a primary that does not exist', { primary: healthOf('sick', 0) }, 'machines[0].primary.snapshot'],
    ['of a primary in a list', { primary: [healthOf('healthy', 0)] }, 'machines[0].primary'],
  ];

  it.each(bad)('is an error, and nothing changes: one %s', async (_what, more, path) => {
    const world = engine();
    await world.fail(2);
    const before = world.api.snapshot();
    let error: unknown;
    try {
      world.api.restore(snapshotOf(more));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidSnapshotError);
    expect((error as InvalidSnapshotError).issues.map((issue) => issue.path)).toEqual([path]);
    expect(world.api.snapshot()).toEqual(before);
  });

  it('is told together with all other faults', () => {
    const { api } = engine();
    const more = { snapshot: state('idle', 3), health: [healthOf('sick', 0)], primary: healthOf('held', 0.5) };
    expect(() => api.restore(snapshotOf(more))).toThrow(
      expect.objectContaining({
        issues: expect.arrayContaining([
          expect.objectContaining({ path: 'machines[0].snapshot' }),
          expect.objectContaining({ path: 'machines[0].health[0].snapshot' }),
          expect.objectContaining({ path: 'machines[0].primary.snapshot' }),
        ]),
      }),
    );
  });

  it('takes a wait that is not told for one that has just begun', () => {
    const { api, health } = engine({ start: 700 });
    api.restore(snapshotOf({ health: [healthOf('unhealthy', 2)] }));
    expect(health()).toMatchObject({ health: 'unhealthy', retryAfter: 100 });
  });

  it('takes more failures than its breaker allows for unhealthy', () => {
    const { api, health } = engine({ start: 700 });
    api.restore(snapshotOf({ health: [healthOf('healthy', 7)] }));
    expect(health()).toMatchObject({ health: 'unhealthy', failures: 7, retryAfter: 100 });
  });

  it('lets no wait count that was served while it was healthy', () => {
    const { api, health } = engine({ start: 700 });
    api.restore(snapshotOf({ health: [healthOf('healthy', 7, 90)] }));
    expect(health()).toMatchObject({ health: 'unhealthy', failures: 7, retryAfter: 100 });
  });

  it('refuses the same provider twice', () => {
    const { api } = engine();
    const twice = { health: [healthOf('unhealthy', 2, 0), healthOf('healthy', 0)] };
    expect(() => api.restore(snapshotOf(twice))).toThrow(InvalidSnapshotError);
  });

  it('refuses the health of a key', () => {
    const { api } = engine();
    const snapshot = snapshotOf({ cache: 'k', health: [healthOf('unhealthy', 2, 0)] });
    expect(() => api.restore(snapshot)).toThrow('expected no health beside a cache key');
  });
});

describe('restore while something is under way', () => {
  it('replaces all health', async () => {
    const world = engine();
    const empty = world.api.snapshot();
    await world.fail(2);
    world.api.restore(empty);
    expect(world.health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    await world.byHand('unhealthy');
    world.api.restore(empty);
    expect(world.health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it.each([
    ['failure', 'reject'],
    ['success', 'resolve'],
  ] as const)('renews what is known, and no old %s counts, though its place is given back', async (_what, verb) => {
    const world = engine({ one: { breaker: { failures: 2, cooldown: 100 }, concurrency: 1 } });
    await world.fail(1);
    const snapshot = json(world.api.snapshot());
    let end: Record<'resolve' | 'reject', (value: unknown) => void> | undefined;
    world.run.mockImplementationOnce(() => new Promise((resolve, reject) => (end = { resolve, reject })));
    const old = world.fire();
    world.api.restore(snapshot);
    expect(world.health()).toEqual({ health: 'healthy', failures: 1, inFlight: 1 });
    expect(await world.fire()).toMatchObject({ attempts: [{ provider: 'one', reason: 'busy' }, {}] });
    end?.[verb](new Error('old'));
    await old;
    expect(world.health()).toEqual({ health: 'healthy', failures: 1, inFlight: 0 });
    await world.fail(1);
    expect(world.health()).toMatchObject({ health: 'unhealthy', failures: 2 });
  });

  it('leaves a probe nothing to decide', async () => {
    for (const verb of ['resolve', 'reject'] as const) {
      const world = engine();
      await world.fail(2);
      await world.clock.advance(100);
      let end: Record<'resolve' | 'reject', (value: unknown) => void> | undefined;
      world.run.mockImplementationOnce(() => new Promise((resolve, reject) => (end = { resolve, reject })));
      const probe = world.fire();
      world.api.restore(json(world.api.snapshot()));
      expect(world.health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 1, retryAfter: 0 });
      end?.[verb]('old');
      await probe;
      expect(world.health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0, retryAfter: 0 });
    }
  });

  it('leaves the primary under way nothing to decide', async () => {
    const { api } = engine();
    const empty = json(api.snapshot());
    const breaker = { failures: 1, cooldown: 100 };
    let reject: (error: unknown) => void = () => {};
    const old = api.call('pay', () => new Promise((_, no) => (reject = no)), { breaker });
    api.restore(empty);
    expect(api.inspect(place).primary).toEqual({ health: 'healthy', failures: 0, inFlight: 1 });
    reject(new Error('old'));
    expect(await old).toBe(2);
    expect(api.inspect(place).primary).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('leaves a health check nothing to decide, and has another made once it is over', async () => {
    const answers: ((verdict: boolean) => void)[] = [];
    const check = vi.fn(() => new Promise<boolean>((resolve) => void answers.push(resolve)));
    const world = engine({ one: { healthcheck: { check, interval: 100 } } });
    world.run.mockResolvedValue('well');
    await world.fire();
    await settled();
    world.api.restore(json(world.api.snapshot()));
    await world.fire();
    await settled();
    // At most one at a time, restored or not.
    expect(check).toHaveBeenCalledTimes(1);
    answers[0]?.(false);
    await settled();
    expect(world.health()).toMatchObject({ health: 'healthy' });
    await world.fire();
    await settled();
    expect(check).toHaveBeenCalledTimes(2);
    answers[1]?.(false);
    await settled();
    expect(world.health()).toMatchObject({ health: 'unhealthy' });
    await world.clock.runUntilIdle();
    expect(world.clock.pending).toBe(0);
  });

  it.each([
    ['with nothing', false],
    ['with an attempt', true],
  ])('has a verdict renewed at once that came before, %s under way', async (_what, isBusy) => {
    const check = vi.fn(() => true);
    const world = engine({ one: { healthcheck: { check, interval: 100 } } });
    world.run.mockResolvedValue('well');
    await world.fire();
    await settled();
    if (isBusy) {
      world.run.mockImplementationOnce(never);
      void world.fire();
    }
    world.api.restore(json(world.api.snapshot()));
    await world.fire();
    await settled();
    expect(check).toHaveBeenCalledTimes(2);
  });
});

describe('reset', () => {
  it('without a key makes every provider and the primary healthy, also by hand', async () => {
    const world = engine();
    const breaker = { failures: 1, cooldown: 100 };
    await world.fail(2);
    await world.byHand('unhealthy', 'two');
    const down = () => Promise.reject(new Error('down'));
    await world.api.call('pay', down, { breaker });
    const unhealthy = { health: 'unhealthy' };
    expect(world.api.inspect(place)).toMatchObject({
      providers: { one: unhealthy, two: unhealthy },
      primary: unhealthy,
    });
    await world.api.run({ ...place, action: 'reset' });
    const healthy = { health: 'healthy', failures: 0, inFlight: 0 };
    expect(world.api.inspect(place)).toMatchObject({ providers: { one: healthy, two: healthy }, primary: healthy });
    world.run.mockResolvedValue(1);
    expect(await world.fire()).toMatchObject({ provider: 'one' });
    expect(world.api.snapshot().machines[0]?.health).toBeUndefined();
  });

  it('forgets failures that have come to nothing yet', async () => {
    const world = engine();
    await world.fail(1);
    await world.api.run({ ...place, action: 'reset' });
    await world.fail(1);
    expect(world.health()).toMatchObject({ health: 'healthy', failures: 1 });
  });

  it('of a key changes no health', async () => {
    const world = engine();
    for (let count = 0; count < 2; count++) await world.fire({ cache: 'k' });
    for (const input of [{}, { config: true }, { keys: true }]) {
      await world.api.run({ ...place, action: 'reset', cache: 'k', input });
      expect(world.health()).toMatchObject({ health: 'unhealthy', failures: 2 });
    }
  });

  it('leaves the health of another env, product or tag alone', async () => {
    const world = engine();
    world.define('sms');
    const places = [{ env: 'dev' }, { product: 'checkout' }, { fallback_tag: 'sms' }];
    for (const at of [...places, ...places]) await world.fire(at);
    await world.api.run({ ...place, action: 'reset', input: { config: true, keys: true } });
    for (const at of places) expect(world.health(at)).toMatchObject({ health: 'unhealthy' });
  });

  it('is undone by no attempt from before it', async () => {
    const world = engine({ one: { breaker: { failures: 1, cooldown: 100 } } });
    let reject: (error: unknown) => void = () => {};
    world.run.mockImplementationOnce(() => new Promise((_, no) => (reject = no)));
    const old = world.fire();
    await world.api.run({ ...place, action: 'reset' });
    reject(new Error('old'));
    await old;
    expect(world.health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('creates nothing', async () => {
    const { api, health } = engine();
    await api.run({ ...place, action: 'reset' });
    expect(api.snapshot().machines).toEqual([]);
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });
});

describe('an env and product', () => {
  const world = (one?: object) => engine({ maxScopes: 1, ...(one && { one }) });
  const elsewhere = { env: 'dev' };
  const full = expect.objectContaining({ code: 'ERR_INVALID_REQUEST' });

  it('with an unhealthy provider makes no room for another; with one that has only failed it does', async () => {
    for (const failures of [1, 2]) {
      const { fail, fire, health, run, api } = world();
      await fail(failures);
      run.mockResolvedValue(1);
      if (failures === 2) {
        expect(await fire(elsewhere)).toEqual(full);
        expect(health()).toMatchObject({ failures });
        await api.run({ ...place, action: 'reset' });
      }
      expect(await fire(elsewhere)).toMatchObject({ provider: 'one' });
    }
  });

  it('with a provider that is unhealthy by hand makes none either', async () => {
    const { byHand, fire } = world();
    await byHand('unhealthy');
    expect(await fire(elsewhere)).toEqual(full);
    await byHand('healthy');
    expect(await fire(elsewhere)).toMatchObject({ provider: 'two' });
  });

  it('with none but healthy providers makes room', async () => {
    const { fire, run, health } = world();
    run.mockResolvedValue(1);
    await fire();
    expect(await fire(elsewhere)).toMatchObject({ provider: 'one' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('makes none while its primary is under way', async () => {
    const { api, fire, run } = world();
    run.mockResolvedValue(1);
    let resolve: (value: unknown) => void = () => {};
    const breaker = { failures: 1, cooldown: 100 };
    const call = api.call('pay', () => new Promise((yes) => (resolve = yes)), { breaker });
    expect(await fire(elsewhere)).toEqual(full);
    resolve('done');
    await call;
    expect(await fire(elsewhere)).toMatchObject({ provider: 'one' });
  });

  it('makes none while a provider of it is being checked', async () => {
    let resolve: (value: boolean) => void = () => {};
    const check = () => new Promise<boolean>((yes) => (resolve = yes));
    const { fire, run } = world({ healthcheck: { check, interval: 100 } });
    run.mockResolvedValue(1);
    await fire();
    await settled();
    expect(await fire(elsewhere)).toEqual(full);
    resolve(true);
    await settled();
    expect(await fire(elsewhere)).toMatchObject({ provider: 'one' });
  });

  it('is restored no further than the limit, health and all', async () => {
    const one = engine();
    await one.fire({ env: 'dev' });
    await one.fail(2);
    const other = world();
    const { restored, skipped } = other.api.restore(json(one.api.snapshot()));
    expect([restored, skipped.map(({ env }) => env)]).toEqual([1, ['dev']]);
    expect(other.health()).toMatchObject({ health: 'unhealthy', failures: 2 });
    expect(other.health({ env: 'dev' })).toMatchObject({ failures: 0 });
  });
});
