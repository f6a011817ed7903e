import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  InvalidSnapshotError,
} from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const update = { ...place, action: 'update' } as const;
const json = (value: unknown) => JSON.parse(JSON.stringify(value));

type Options = Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> & {
  start?: number;
  maxRetries?: number;
  tags?: readonly string[];
};

/** An engine of fallbacks with `maxRetries: 1` and `resetAfter: 100`, whose provider fails unless told otherwise. */
function engine({ start = 0, maxRetries = 1, tags = ['pay'], ...options }: Options = {}) {
  const clock = virtualClock(start);
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('secret reason')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, ...options });
  for (const tag of tags) {
    const settings = z.object({ region: z.string().default('eu') });
    api.define(defineFallback({ tag, maxRetries, resetAfter: 100, settings, providers: [{ name: 'one', run }] }));
  }
  const fail = (at: object = {}) => api.run({ ...trigger, ...at }).catch((error: unknown) => error);
  const state = (at: object = {}) => api.inspect({ ...place, ...at });
  return { api, clock, run, fail, state };
}

/** What outlives a restart. */
const lasting = ({
  state,
  failures,
  config,
  revision,
  triggers,
  recoveries,
  retryAfter,
}: ReturnType<ReturnType<typeof engine>['state']>) => ({
  state,
  failures,
  config,
  revision,
  triggers,
  recoveries,
  retryAfter,
});

describe('snapshot', () => {
  it('is plain JSON of version 1, with the time it was taken', async () => {
    const { api, clock, fail } = engine();
    await fail();
    await clock.advance(5);
    const snapshot = api.snapshot();
    expect(snapshot).toMatchObject({ version: 1, takenAt: 5 });
    expect(json(snapshot)).toEqual(snapshot);
    expect(snapshot.machines).toEqual([
      {
        env: 'prd',
        product: 'payments',
        tag: 'pay',
        snapshot: expect.objectContaining({ status: 'active', value: 'triggered', context: { failures: 1 } }),
        triggers: 1,
        recoveries: 0,
        revision: 0,
      },
    ]);
  });

  it('holds a key that has its place in the LRU, used or not', async () => {
    const make = () => engine({ maxRetries: 0, cache: { max: 2 } });
    const one = make();
    await one.fail({ cache: 'a' });
    await one.api.run({ ...update, cache: 'b', input: { region: 'us' } });
    await one.api.run({ ...place, action: 'reset', cache: 'b', input: { config: true } });
    const other = make();
    expect(other.api.restore(json(one.api.snapshot()))).toEqual({ restored: 2, skipped: [] });
    for (const { fail } of [one, other]) await fail({ cache: 'c' });
    expect([one, other].map(({ state }) => ['a', 'b', 'c'].map((cache) => state({ cache }).state))).toEqual([
      ['idle', 'idle', 'exhausted'],
      ['idle', 'idle', 'exhausted'],
    ]);
  });

  it('holds no error, and no configuration but the updates', async () => {
    const { api, fail } = engine();
    await api.run({ ...update, input: { maxRetries: 7 } });
    await fail();
    const text = JSON.stringify(api.snapshot());
    expect(text).not.toContain('secret reason');
    expect(text).not.toContain('resetAfter');
    expect(api.snapshot().machines).toMatchObject([{ updates: { maxRetries: 7 }, revision: 1 }]);
  });

  it('of an engine that was never used is empty', () => {
    expect(engine().api.snapshot()).toEqual({ version: 1, takenAt: 0, machines: [] });
  });

  it('is taken at once, and never changes afterwards', async () => {
    const { api, fail } = engine();
    await fail();
    const snapshot = api.snapshot();
    const text = JSON.stringify(snapshot);
    await fail();
    await api.run({ ...update, input: { maxRetries: 9 } });
    expect(JSON.stringify(snapshot)).toBe(text);
  });

  it('takes a probe under way as abandoned: cooling, and due at once', async () => {
    const { api, clock, run, fail } = engine();
    await fail();
    await fail();
    await clock.advance(100);
    run.mockReturnValueOnce(new Promise(() => {}));
    void fail();
    expect(api.snapshot().machines).toMatchObject([{ snapshot: { value: { exhausted: 'cooling' } }, waited: null }]);
  });
});

describe('restore of a snapshot', () => {
  it.each([0, 1, 2])('brings back what %i failures made of a fallback and of a key', async (times) => {
    const one = engine({ start: 1_000 });
    for (let count = 0; count < times; count++) {
      await one.fail();
      await one.fail({ cache: 'k' });
    }
    one.run.mockResolvedValue(1);
    if (times < 2) await one.fail({ cache: 'other' });
    await one.clock.advance(40);
    const other = engine({ start: 50 });
    const snapshot = json(one.api.snapshot());
    expect(other.api.restore(snapshot)).toEqual({ restored: snapshot.machines.length, skipped: [] });
    for (const at of [{}, { cache: 'k' }, { cache: 'other' }])
      expect(lasting(other.state(at))).toEqual(lasting(one.state(at)));
    expect(json(other.api.snapshot())).toEqual({ ...snapshot, takenAt: 50 });
  });

  it('brings back updates, of the fallback and of keys, and revisions', async () => {
    const one = engine();
    await one.api.run({ ...update, input: { maxRetries: 4, region: 'us', providers: { one: { timeout: 9 } } } });
    await one.api.run({ ...update, cache: 'k', input: { resetAfter: 'never' } });
    await one.api.run({ ...update, cache: 'k', input: { deadline: 70 } });
    const other = engine();
    other.api.restore(json(one.api.snapshot()));
    for (const at of [{}, { cache: 'k' }, { cache: 'any' }])
      expect(lasting(other.state(at))).toEqual(lasting(one.state(at)));
    expect(other.state({ cache: 'k' })).toMatchObject({
      revision: 3,
      config: { maxRetries: 4, resetAfter: null, deadline: 70, region: 'us' },
    });
  });

  it('counts the waiting time already served, and not that between the two processes', async () => {
    const one = engine();
    await one.fail();
    await one.fail();
    await one.clock.advance(60);
    const other = engine({ start: 5_000_000 });
    other.api.restore(json(one.api.snapshot()));
    expect(other.state()).toMatchObject({ state: 'exhausted', retryAfter: 40 });
    await other.clock.advance(39);
    expect(await other.fail()).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', retryAfter: 1 });
    await other.clock.advance(1);
    expect(await other.fail()).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
  });

  it('counts it by the updates of a key, too', async () => {
    const one = engine();
    await one.api.run({ ...update, cache: 'k', input: { maxRetries: 0 } });
    await one.fail({ cache: 'k' });
    await one.clock.advance(60);
    const other = engine({ start: 5_000_000 });
    other.api.restore(json(one.api.snapshot()));
    await other.clock.advance(10);
    expect(other.state({ cache: 'k' })).toMatchObject({ state: 'exhausted', failures: 1, retryAfter: 30 });
  });

  it('admits the probe that was under way again, at once', async () => {
    const one = engine();
    await one.fail();
    await one.fail();
    await one.clock.advance(100);
    one.run.mockReturnValueOnce(new Promise(() => {}));
    void one.fail();
    const other = engine();
    other.api.restore(json(one.api.snapshot()));
    expect(other.state()).toMatchObject({ state: 'exhausted', failures: 2, retryAfter: 0 });
    other.run.mockResolvedValueOnce('back');
    expect(await other.fail()).toMatchObject({ output: 'back', state: 'triggered' });
  });

  it('keeps the order in which keys are forgotten', async () => {
    const one = engine({ cache: { max: 3 } });
    for (const cache of ['a', 'b', 'c', 'a']) await one.fail({ cache });
    const other = engine({ cache: { max: 3 } });
    other.api.restore(json(one.api.snapshot()));
    await other.fail({ cache: 'd' });
    expect(['a', 'b', 'c', 'd'].map((cache) => other.state({ cache }).failures)).toEqual([2, 0, 1, 1]);
  });

  it('keeps the age of keys', async () => {
    const one = engine({ cache: { ttl: 100 } });
    await one.fail({ cache: 'k' });
    await one.clock.advance(60);
    const other = engine({ cache: { ttl: 100 }, start: 9_000 });
    other.api.restore(json(one.api.snapshot()));
    await other.clock.advance(40);
    expect(other.state({ cache: 'k' }).failures).toBe(1);
    await other.clock.advance(1);
    expect(other.state({ cache: 'k' }).failures).toBe(0);
  });

  it('replaces all state', async () => {
    const { api, fail, state } = engine();
    const empty = api.snapshot();
    await fail();
    await fail({ cache: 'k' });
    await api.run({ ...update, input: { maxRetries: 9 } });
    await api.run({ ...update, cache: 'k', input: { maxRetries: 8 } });
    expect(api.restore(empty)).toEqual({ restored: 0, skipped: [] });
    for (const at of [{}, { cache: 'k' }]) {
      expect(lasting(state(at))).toMatchObject({
        state: 'idle',
        failures: 0,
        revision: 0,
        triggers: 0,
        config: { maxRetries: 1 },
      });
      expect(state(at).lastError).toBeUndefined();
    }
    expect(api.snapshot().machines).toEqual([]);
  });

  it('replaces keys that have expired unseen, too: they take no room of the restored', async () => {
    const one = engine({ env: 'dev' });
    await one.fail();
    const { api, clock, fail, state } = engine({ cache: { ttl: 10 }, maxScopes: 1 });
    await fail({ cache: 'k' });
    await clock.advance(100);
    expect(api.restore(one.api.snapshot())).toEqual({ restored: 1, skipped: [] });
    expect(state({ env: 'dev' }).failures).toBe(1);
  });

  it('may be done as often as one likes', async () => {
    const { api, fail, state } = engine();
    await fail();
    const snapshot = json(api.snapshot());
    for (let times = 0; times < 3; times++) api.restore(snapshot);
    expect(state()).toMatchObject({ failures: 1, triggers: 1 });
    expect(json(api.snapshot())).toEqual(snapshot);
  });

  it('emits no event for what it forgets', async () => {
    const { api, fail } = engine();
    await fail({ cache: 'k' });
    const heard = vi.fn();
    api.on('evicted', heard);
    api.restore(api.snapshot());
    expect(heard).not.toHaveBeenCalled();
  });
});

describe('restore with triggers in flight', () => {
  it('starts new generations: what was in flight goes to its caller and moves nothing', async () => {
    for (const cache of [undefined, 'k']) {
      const at = cache === undefined ? {} : { cache };
      const { api, run, fail, state } = engine();
      const empty = api.snapshot();
      await fail(at);
      const one = api.snapshot();
      let resolve: (value: unknown) => void = () => {};
      run.mockReturnValueOnce(new Promise((yes) => (resolve = yes)));
      const old = fail(at);
      api.restore(one);
      expect(state(at)).toMatchObject({ state: 'triggered', failures: 1, inFlight: 1 });
      resolve('old');
      expect(await old).toMatchObject({ output: 'old', state: 'triggered' });
      expect(state(at)).toMatchObject({ failures: 1, inFlight: 0 });
      let reject: (error: unknown) => void = () => {};
      run.mockReturnValueOnce(new Promise((_, no) => (reject = no)));
      const older = fail(at);
      api.restore(empty);
      reject(new Error('old'));
      expect(await older).toMatchObject({ code: 'ERR_FALLBACK_FAILED', state: 'idle' });
      expect(state(at)).toMatchObject({ state: 'idle', failures: 0, inFlight: 0 });
    }
  });

  it('finds room in the env and product that these hold', async () => {
    const { api, fail, run, state } = engine({ maxScopes: 1, tags: ['pay', 'mail'] });
    await fail();
    await fail({ fallback_tag: 'mail' });
    const snapshot = api.snapshot();
    run.mockReturnValueOnce(new Promise(() => {}));
    void fail();
    expect(api.restore(snapshot)).toEqual({ restored: 2, skipped: [] });
    expect(state({ fallback_tag: 'mail' })).toMatchObject({ failures: 1 });
  });

  it('takes no verdict of an old probe', async () => {
    const { api, clock, run, fail, state } = engine();
    await fail();
    await fail();
    const snapshot = api.snapshot();
    await clock.advance(100);
    let resolve: (value: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((yes) => (resolve = yes)));
    const probe = fail();
    api.restore(snapshot);
    resolve('back');
    await probe;
    expect(state()).toMatchObject({ state: 'exhausted', failures: 2, retryAfter: 100 });
  });

  it('splits no key, even where others fill the LRU', async () => {
    const { api, run, fail, state } = engine({ cache: { max: 1 } });
    await fail({ cache: 'b' });
    const snapshot = api.snapshot();
    let reject: (error: unknown) => void = () => {};
    run.mockReturnValueOnce(new Promise((_, no) => (reject = no)));
    const old = fail({ cache: 'a' });
    api.restore(snapshot);
    expect([state({ cache: 'a' }), state({ cache: 'b' })]).toMatchObject([
      { failures: 0, inFlight: 1 },
      { failures: 1, inFlight: 0 },
    ]);
    reject(new Error('old'));
    await old;
    expect(state({ cache: 'a' })).toMatchObject({ failures: 0, inFlight: 0 });
  });

  it('lets what is still being checked go on in the restored state', async () => {
    let admit: (value: unknown) => void = () => {};
    const { api, fail, state } = engine({ sessions: { user: () => new Promise((yes) => (admit = yes)) } });
    const empty = api.snapshot();
    const call = fail({ session: { tag: 'user', token: 't' } });
    api.restore(empty);
    admit(1);
    await call;
    expect(state()).toMatchObject({ failures: 1, triggers: 1 });
  });
});

describe('what restore skips, and reports', () => {
  it('is an entry for a tag that is not defined here', async () => {
    const one = engine({ tags: ['pay', 'gone'] });
    await one.fail();
    await one.fail({ fallback_tag: 'gone', cache: 'k' });
    const other = engine();
    const { restored, skipped } = other.api.restore(json(one.api.snapshot()));
    expect(restored).toBe(1);
    expect(skipped).toEqual([
      {
        env: 'prd',
        product: 'payments',
        tag: 'gone',
        cache: 'k',
        reason: 'no such fallback is defined in this env and product',
      },
    ]);
    expect(other.state().failures).toBe(1);
  });

  it('is an update that the current definition refuses; the state is taken over all the same', async () => {
    const one = engine();
    const snapshot = json(one.api.snapshot());
    const entry = { env: 'prd', product: 'payments', tag: 'pay', triggers: 3, recoveries: 1, revision: 2 };
    const state = { status: 'active', value: 'triggered', context: { failures: 1 } };
    const removed = { providers: { removed: { retries: 1 } } };
    snapshot.machines = [
      { ...entry, snapshot: state, updates: removed },
      { ...entry, snapshot: state, cache: 'k', updates: { fallbackProvider: 'removed' } },
      { ...entry, snapshot: state, cache: 'l', updates: { region: 3 } },
      { ...entry, snapshot: state, cache: 'm', updates: { deadline: 5 } },
      { ...entry, snapshot: state, cache: 'n', updates: { deadline: 5, providers: { one: { health: 'unhealthy' } } } },
    ];
    const { skipped } = one.api.restore(snapshot);
    expect(skipped.map(({ cache, reason }) => [cache, reason])).toEqual([
      [undefined, expect.stringContaining('removed')],
      ['k', expect.stringContaining('removed')],
      ['l', expect.stringContaining('region')],
      ['n', expect.stringContaining('providers.one.health: expected it in the health of the entry')],
    ]);
    for (const at of [{}, { cache: 'k' }, { cache: 'l' }, { cache: 'm' }, { cache: 'n' }]) {
      expect(one.state(at)).toMatchObject({ state: 'triggered', failures: 1, triggers: 3, recoveries: 1 });
    }
    expect(one.state({ cache: 'm' }).config.deadline).toBe(5);
  });

  it('is a key that one whose updates are refused takes the place of', async () => {
    const one = engine({ cache: { max: 2 } });
    for (const cache of ['a', 'b']) await one.fail({ cache });
    await one.api.run({ ...update, cache: 'c', input: { region: 'us' } });
    await one.fail({ cache: 'c' });
    const snapshot = json(one.api.snapshot());
    for (const entry of snapshot.machines) if (entry.cache === 'c') entry.updates = { region: 3 };
    const other = engine({ cache: { max: 2 } });
    const evicted = vi.fn();
    other.api.on('evicted', evicted);
    const { restored, skipped } = other.api.restore(snapshot);
    expect([restored, skipped.map(({ cache, reason }) => [cache, reason.slice(0, 23)])]).toEqual([
      2,
      [
        ['a', 'more than 2 keys'],
        ['c', 'its updates are refused'],
      ],
    ]);
    expect(evicted).not.toHaveBeenCalled();
    expect(['a', 'b', 'c'].map((cache) => other.state({ cache }).failures)).toEqual([0, 1, 1]);
  });

  it('is the least recently used where there are more keys than room', async () => {
    const one = engine();
    for (const cache of ['a', 'b', 'c']) await one.fail({ cache });
    const other = engine({ cache: { max: 2 } });
    const { restored, skipped } = other.api.restore(json(one.api.snapshot()));
    expect(restored).toBe(2);
    expect(skipped).toMatchObject([{ cache: 'a', reason: 'more than 2 keys' }]);
    expect(['a', 'b', 'c'].map((cache) => other.state({ cache }).failures)).toEqual([0, 1, 1]);
  });

  it('is the least recently used where there are more envs and products than room', async () => {
    const one = engine();
    for (const env of ['a', 'b', 'c', 'a']) await one.fail({ env });
    const other = engine({ maxScopes: 2 });
    const { restored, skipped } = other.api.restore(json(one.api.snapshot()));
    expect(restored).toBe(2);
    expect(skipped).toMatchObject([{ env: 'b', reason: 'more than 2 env and product pairs' }]);
    expect(['a', 'b', 'c'].map((env) => other.state({ env }).failures)).toEqual([2, 0, 1]);
  });

  it('is an update beyond the keys that may have one', async () => {
    const one = engine();
    for (const cache of ['a', 'b', 'c']) await one.api.run({ ...update, cache, input: { deadline: 5 } });
    const other = engine({ cache: { max: 2 } });
    const { skipped } = other.api.restore(json(one.api.snapshot()));
    expect(skipped).toMatchObject([{ reason: 'its updates are refused: too many keys have some' }]);
    expect(['a', 'b', 'c'].filter((cache) => other.state({ cache }).config.deadline === 5)).toHaveLength(2);
  });
});

describe('restore to another configuration', () => {
  it('exhausts where the failures now exceed maxRetries, and waits from now', async () => {
    const one = engine({ maxRetries: 5 });
    await one.fail();
    await one.fail();
    await one.clock.advance(60);
    const other = engine({ maxRetries: 0 });
    other.api.restore(json(one.api.snapshot()));
    expect(other.state()).toMatchObject({ state: 'exhausted', failures: 2, retryAfter: 100 });
  });

  it('ends an exhaustion where they no longer do', async () => {
    const one = engine({ maxRetries: 0 });
    await one.fail({ cache: 'k' });
    const other = engine({ maxRetries: 5 });
    other.api.restore(json(one.api.snapshot()));
    expect(other.state({ cache: 'k' })).toMatchObject({ state: 'triggered', failures: 1 });
    expect(other.state({ cache: 'k' })).not.toHaveProperty('retryAfter');
  });
});

describe('a bad snapshot', () => {
  const entry = {
    env: 'prd',
    product: 'payments',
    tag: 'pay',
    snapshot: { status: 'active', value: 'triggered', context: { failures: 0 } },
    triggers: 1,
    recoveries: 1,
    revision: 0,
  };
  const state = (value: unknown, failures: unknown, status: unknown = 'active') => ({
    status,
    value,
    context: { failures },
  });
  const good = { version: 1, takenAt: 0, machines: [entry] };

  it('is none where everything is right', () => {
    expect(engine().api.restore(good)).toEqual({ restored: 1, skipped: [] });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', JSON.stringify(good)],
    ['a list', [entry]],
    ['another version', { ...good, version: 2 }],
    ['no time', { ...good, takenAt: undefined }],
    ['no machines', { version: 1, takenAt: 0 }],
    ['machines that are no list', { ...good, machines: {} }],
    ['an unknown key', { ...good, more: 1 }],
    ['an entry that is null', { ...good, machines: [null] }],
    ...Object.entries<object>({
      'without env': { env: undefined },
      'with an empty cache key': { cache: '' },
      'without a snapshot': { snapshot: undefined },
      'with half a trigger': { triggers: 0.5 },
      'with fewer than no recoveries': { recoveries: -1 },
      'with NaN revisions': { revision: Number.NaN },
      'with updates that are a list': { updates: [] },
      'with a negative wait': { waited: -1 },
      'with an infinite wait': { waited: Number.POSITIVE_INFINITY },
      'with a negative age': { age: -1 },
      'with an unknown key': { more: 1 },
      'idle with failures': { snapshot: state('idle', 1) },
      'exhausted without': { snapshot: state({ exhausted: 'cooling' }, 0) },
      'of a state that does not exist': { snapshot: state('broken', 1) },
      'of a substate that does not exist': { snapshot: state({ exhausted: 'burning' }, 1) },
      'of no count': { snapshot: state('triggered', '1') },
      'of half a failure': { snapshot: state('triggered', 0.5) },
      'of fewer than no failures': { snapshot: state('triggered', -1) },
      'of NaN failures': { snapshot: state('triggered', Number.NaN) },
      'that is done': { snapshot: state('triggered', 0, 'done') },
    }).map(([what, fault]): [string, unknown] => [
      `an entry ${what}`,
      {
        ...good,
        machines: [
          { ...entry, cache: 'k' },
          { ...entry, ...fault },
        ],
      },
    ]),
    ['the same machine twice', { ...good, machines: [entry, entry] }],
  ])('is an error, and nothing changes: %s', async (_what, value) => {
    const { api, fail } = engine();
    await fail();
    await fail({ cache: 'k' });
    const before = api.snapshot();
    expect(() => api.restore(value)).toThrow(InvalidSnapshotError);
    expect(api.snapshot()).toEqual(before);
  });

  it('is told fault by fault, each with its place', () => {
    const machines = [
      { ...entry, triggers: -1 },
      { ...entry, cache: 'k', snapshot: state('idle', 3) },
    ];
    const issuesOf = (value: unknown) => {
      try {
        engine().api.restore(value);
      } catch (error) {
        return (error as InvalidSnapshotError).issues.map(({ path }) => path);
      }
      return [];
    };
    expect(issuesOf({ ...good, machines })).toContain('machines[0].triggers');
    expect(issuesOf({ ...good, machines: machines.slice(1) })).toEqual(['machines[0].snapshot']);
  });

  it('that throws when read is an error, too', () => {
    const hostile = Object.defineProperty({ version: 1, takenAt: 0 }, 'machines', {
      enumerable: true,
      get() {
        throw new Error('no');
      },
    });
    expect(() => engine().api.restore(hostile)).toThrow(InvalidSnapshotError);
  });
});

it('restores a full cache beside keys that have updates of their own, and loses none', async () => {
  const full = () => {
    const { fallback } = createDuctape({ env: 'e', product: 'p', cache: { max: 2 } });
    fallback.define(defineFallback({ tag: 'f', providers: [{ name: 'a', value: 1 }] }));
    return fallback;
  };
  const one = full();
  await one.run({ fallback_tag: 'f', action: 'update', cache: 'pinned', input: { maxRetries: 1 } });
  for (const cache of ['x', 'y']) await one.run({ fallback_tag: 'f', action: 'trigger', cache });
  await one.run({ fallback_tag: 'f', action: 'trigger', cache: 'pinned' });
  const snapshot = JSON.parse(JSON.stringify(one.snapshot()));
  const other = full();
  expect(other.restore(snapshot)).toEqual({ restored: snapshot.machines.length, skipped: [] });
  expect(other.snapshot().machines).toEqual(snapshot.machines);
});
