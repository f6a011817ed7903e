import { describe, expect, it, vi } from 'vitest';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  type FallbackEvent,
} from '../../../src/index.ts';
import { canon } from '../../../src/memory/canon.ts';
import { RetryBudget } from '../../../src/memory/retry-budget.ts';
import { virtualClock } from '../../virtual-clock.ts';

const never = () => new Promise<unknown>(() => {});
const json = (value: unknown) => JSON.parse(JSON.stringify(value));
const state = (value: unknown, failures: number) => ({
  status: 'active',
  value,
  historyValue: {},
  context: { failures },
  children: {},
});

type Options = Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks' | 'clock'>;

function engine(definition: object = {}, options: Options = {}) {
  const clock = virtualClock();
  const run = vi.fn<() => unknown>(() => Promise.reject(new Error('down')));
  const { fallback: api } = createDuctape({ env: 'prd', product: 'shop', clock, ...options });
  api.define(defineFallback({ tag: 'pay', providers: [{ name: 'one', run }], ...definition } as never));
  const heard: FallbackEvent[] = [];
  api.on('*', (event) => heard.push(event));
  const fire = (at: object = {}) => api.run({ fallback_tag: 'pay', action: 'trigger', ...at }).catch(() => {});
  const update = (input: object, at: object = {}) =>
    api.run({ fallback_tag: 'pay', action: 'update', input: input as never, ...at });
  const reset = (input: object = {}, at: object = {}) =>
    api.run({ fallback_tag: 'pay', action: 'reset', input: input as never, ...at });
  const look = (at: object = {}) => api.inspect({ fallback_tag: 'pay', ...at });
  const machines = () => api.snapshot().machines;
  return { api, clock, run, heard, fire, update, reset, look, machines };
}

describe('a key in flight for longer than its ttl', () => {
  it('is seen in flight all the while, whether it was known before or not', async () => {
    const { run, fire, look, clock } = engine({}, { cache: { max: 10, ttl: 50 } });
    run.mockResolvedValueOnce(1);
    await fire({ cache: 'known' });
    run.mockImplementation(never);
    for (const cache of ['known', 'new']) void fire({ cache });
    await clock.advance(1_000);
    expect(look({ cache: 'known' })).toMatchObject({ state: 'triggered', triggers: 2, inFlight: 1 });
    expect(look({ cache: 'new' })).toMatchObject({ state: 'triggered', triggers: 1, inFlight: 1 });
  });

  it('is no entry of an age: it has been in use until now', async () => {
    const { run, fire, machines, clock } = engine({}, { cache: { max: 10, ttl: 50 } });
    run.mockImplementation(never);
    void fire({ cache: 'k' });
    await clock.advance(20);
    expect(machines()).toMatchObject([{ cache: 'k', age: 0 }]);
  });
});

describe('what is told has no field without a value', () => {
  it('by an inspection', async () => {
    const { look, fire, reset, update } = engine({
      resetAfter: 'never',
      maxRetries: 0,
      providers: [{ name: 'one', run: () => Promise.reject(new Error('down')), breaker: { failures: 9, cooldown: 5 } }],
    });
    const all = ['state', 'failures', 'config', 'revision', 'triggers', 'recoveries', 'inFlight'];
    const health = { health: 'healthy', failures: 0, inFlight: 0 };
    expect(Object.keys(look())).toEqual([...all, 'providers']);
    expect(look().providers).toStrictEqual({ one: health });
    await fire();
    expect(look().state).toBe('exhausted');
    expect(Object.keys(look()).sort()).toEqual([...all, 'lastError', 'providers'].sort());
    expect(look().providers).toStrictEqual({ one: { ...health, failures: 1 } });
    await update({ providers: { one: { health: 'unhealthy' } } });
    expect(look().providers).toStrictEqual({ one: { ...health, health: 'unhealthy', failures: 1 } });
    await reset();
    expect(Object.keys(look())).toEqual([...all, 'providers']);
  });

  it('by an event', async () => {
    const { heard, fire, update } = engine({ resetAfter: 'never', maxRetries: 0 });
    await fire();
    await update({ providers: { one: { health: 'unhealthy' } } });
    const told = (type: string) => ({ ...heard.find((event) => event.type === type) });
    const place = { at: 0, env: 'prd', product: 'shop', tag: 'pay' };
    const id = expect.any(String);
    expect(told('exhausted')).toStrictEqual({ type: 'exhausted', id, ...place, failures: 1 });
    const unhealthy = { type: 'provider-unhealthy', id, ...place, provider: 'one', failures: 0 };
    expect(told('provider-unhealthy')).toStrictEqual(unhealthy);
  });

  it('by a snapshot, nor by what is restored of it', async () => {
    const { api, fire, machines } = engine();
    await fire();
    await fire({ cache: 'k' });
    const totals = { triggers: 1, recoveries: 0, revision: 0 };
    const entry = { env: 'prd', product: 'shop', tag: 'pay' };
    expect(machines()).toStrictEqual([
      { ...entry, snapshot: expect.anything(), ...totals },
      { ...entry, cache: 'k', snapshot: expect.anything(), ...totals },
    ]);
    const gone = { ...api.snapshot(), machines: machines().map((machine) => ({ ...machine, tag: 'gone' })) };
    const reason = 'no such fallback is defined in this env and product';
    expect(api.restore(gone)).toStrictEqual({
      restored: 0,
      skipped: [
        { ...entry, tag: 'gone', reason },
        { ...entry, tag: 'gone', cache: 'k', reason },
      ],
    });
  });

  it('by the entry of a health', async () => {
    const { api, update, machines } = engine({
      providers: [{ name: 'one', run: never, breaker: { failures: 1, cooldown: 5 } }],
    });
    await update({ providers: { one: { health: 'unhealthy' } } });
    const call = api.wrap('pay', () => Promise.reject(new Error('own')), { breaker: { failures: 3, cooldown: 7 } });
    void call().catch(() => {});
    await vi.waitFor(() => expect(machines()[0]).toHaveProperty('primary'));
    expect(machines()[0]).toMatchObject({ triggers: 1 });
    expect(machines()[0]?.health).toStrictEqual([{ provider: 'one', snapshot: expect.anything() }]);
    expect(machines()[0]?.primary).toStrictEqual({
      provider: 'primary',
      snapshot: expect.anything(),
      breaker: { failures: 3, cooldown: 7 },
    });
  });
});

describe('a machine is written whose', () => {
  it('totals are all that is left of it', async () => {
    const { run, fire, reset, machines } = engine();
    run.mockResolvedValueOnce(1);
    await fire();
    await reset();
    expect(machines()).toMatchObject([{ triggers: 1, recoveries: 1, snapshot: { value: 'idle' } }]);
  });

  it('revisions are as many as its triggers', async () => {
    const { fire, update, reset, machines } = engine();
    for (let times = 0; times < 2; times++) await fire();
    await update({ maxRetries: 3 });
    await reset({ config: true });
    expect(machines()).toMatchObject([{ triggers: 2, recoveries: 0, revision: 2, snapshot: { value: 'idle' } }]);
  });

  it('health is all that is left, beside one trigger', async () => {
    const { fire, update, reset, machines } = engine();
    await fire();
    await reset();
    await update({ providers: { one: { health: 'unhealthy' } } });
    expect(machines()).toMatchObject([{ triggers: 1, health: [{ provider: 'one' }] }]);
  });

  it('failures a snapshot has told of, and nothing else', () => {
    const { api, machines } = engine();
    const entry = { env: 'prd', product: 'shop', tag: 'pay', triggers: 0, recoveries: 0, revision: 0 };
    const snapshot = { version: 1, takenAt: 0, machines: [{ ...entry, snapshot: state('triggered', 2) }] };
    api.restore(snapshot);
    expect(machines()).toMatchObject([{ triggers: 0, snapshot: { value: 'triggered', context: { failures: 2 } } }]);
  });

  it('update has made it exhausted, with what it has waited since', async () => {
    const { fire, update, clock, machines } = engine({ resetAfter: 100 });
    for (let times = 0; times < 3; times++) await fire({ cache: 'k' });
    await update({ maxRetries: 1 });
    await clock.advance(40);
    const exhausted = { value: { exhausted: 'cooling' }, context: { failures: 3 } };
    expect(machines().find(({ cache }) => cache === 'k')).toMatchObject({ snapshot: exhausted, waited: 40 });
  });

  it('wait is over, since its probe was given up', async () => {
    const { fire, clock, run, api, machines } = engine({ resetAfter: 100, maxRetries: 0 });
    await fire();
    await clock.advance(100);
    run.mockImplementation(never);
    const controller = new AbortController();
    const probe = api.run({ fallback_tag: 'pay', action: 'trigger' }, { signal: controller.signal }).catch(() => {});
    controller.abort();
    await probe;
    expect(machines()[0]?.waited).toBeNull();
  });

  it('place tells when its env and product was last used; but not where it has never had a key', async () => {
    const { api, fire, machines } = engine();
    const breaker = { failures: 1, cooldown: 1 };
    for (const env of ['dev', 'tst']) await api.wrap('pay', async () => 1, { env, breaker })();
    expect(machines()).toEqual([]);
    await fire({ env: 'dev', cache: 'k' });
    expect(machines().map(({ env, cache, triggers }) => [env, cache, triggers])).toEqual([
      ['dev', undefined, 0],
      ['dev', 'k', 1],
    ]);
  });
});

describe('a refusal says', () => {
  const entry = { env: 'prd', product: 'shop', tag: 'pay', triggers: 0, recoveries: 0, revision: 0 };
  const refused = (...machines: object[]) => {
    try {
      engine().api.restore({ version: 1, takenAt: 0, machines });
    } catch (error) {
      return (error as { issues: unknown }).issues;
    }
    return 'nothing was refused';
  };

  it('which entry of a snapshot is there twice', () => {
    const one = { ...entry, snapshot: state('idle', 0) };
    expect(refused(one, one)).toEqual([{ path: 'machines[1]', message: 'expected each machine once, got it again' }]);
  });

  it('which of a provider’s healths is', () => {
    const health = { provider: 'one', snapshot: state('held', 0) };
    const message = 'expected each provider once, got "one" again';
    expect(refused({ ...entry, snapshot: state('idle', 0), health: [health, health] })).toEqual([
      { path: 'machines[0].health[1]', message },
    ]);
  });

  it('that a tag is taken', () => {
    const { api } = engine();
    const again = defineFallback({ tag: 'pay', env: 'prd', providers: [{ name: 'one', value: 1 }] });
    const message =
      'Invalid definition of pay: tag: expected a tag of its own in each env and product, got "pay" again';
    expect(() => api.define(again)).toThrow(expect.objectContaining({ message, tag: 'pay' }));
  });

  it('how many keys may have updates of their own', async () => {
    const { update } = engine({}, { cache: { max: 1 } });
    await update({ maxRetries: 1 }, { cache: 'a' });
    const message =
      "Invalid update for pay: cache: expected at most 1 keys with updates of their own (the cache's max), got one more; reset one with config: true";
    await expect(update({ maxRetries: 1 }, { cache: 'b' })).rejects.toThrow(expect.objectContaining({ message }));
  });

  it('why updates are not restored, each reason', () => {
    const { api } = engine();
    const updates = { maxRetries: -1, deadline: -1 };
    const { skipped } = api.restore({
      version: 1,
      takenAt: 0,
      machines: [{ ...entry, snapshot: state('idle', 0), updates }],
    });
    expect(skipped[0]?.reason).toBe(
      'its updates are refused: maxRetries: expected a whole number of 0 or more, got -1; deadline: expected milliseconds from 0 to 2147483647, got -1',
    );
  });
});

describe('a key', () => {
  it('that gets its first update counts one revision, and loses none with it', async () => {
    const { update, reset, look } = engine();
    await update({ maxRetries: 3 }, { cache: 'k' });
    expect(look({ cache: 'k' }).revision).toBe(1);
    await reset({ config: true }, { cache: 'k' });
    expect(look({ cache: 'k' }).revision).toBe(2);
    await update({ maxRetries: 10 }, { cache: 'l' });
    await reset({ config: true }, { cache: 'l' });
    expect(look({ cache: 'l' }).revision).toBe(0);
  });

  it('whose update says nothing new is answered with the state that it has', async () => {
    const { fire, update } = engine();
    await fire({ cache: 'k' });
    expect(await update({ maxRetries: null }, { cache: 'k' })).toMatchObject({ state: 'triggered', revision: 0 });
  });

  it('of one env is not forgotten by the reset of all keys in another', async () => {
    const { fire, reset, look } = engine();
    await fire({ cache: 'k' });
    await fire({ cache: 'k', env: 'dev' });
    await reset({ keys: true }, { env: 'dev' });
    expect([look({ cache: 'k' }).failures, look({ cache: 'k', env: 'dev' }).failures]).toEqual([1, 0]);
  });

  it('stays where it is when another env and product makes room', async () => {
    const { fire, run, look } = engine({}, { maxScopes: 2 });
    await fire({ cache: 'k' });
    run.mockResolvedValueOnce(1);
    await fire({ env: 'dev', cache: 'k' });
    await fire({ env: 'tst', cache: 'k' });
    expect(look({ cache: 'k' }).failures).toBe(1);
    expect(look({ env: 'dev', cache: 'k' }).triggers).toBe(0);
  });

  it('that comes back to the LRU pushes another out, which is told of at once', async () => {
    const { run, fire, heard } = engine({}, { cache: { max: 1 } });
    let land: (value: unknown) => void = () => {};
    const landing = new Promise((resolve) => {
      land = resolve;
    });
    run.mockReturnValueOnce(landing);
    const first = fire({ cache: 'a' });
    await fire({ cache: 'b' });
    const evicted = () => heard.flatMap((event) => (event.type === 'evicted' ? [event.cache] : []));
    expect(evicted()).toEqual([]);
    land(1);
    await first;
    expect(evicted()).toEqual(['b']);
  });

  it('is none of the machine without one, whatever has a ttl', async () => {
    const { fire, machines } = engine({}, { cache: { max: 2, ttl: 50 } });
    for (const at of [{ cache: 'a' }, { cache: 'b' }, {}, {}]) await fire(at);
    expect(machines().map(({ cache, triggers }) => [cache, triggers])).toEqual([
      [undefined, 2],
      ['a', 1],
      ['b', 1],
    ]);
  });

  it('never meets one of another env, whatever it looks like', async () => {
    const { fire, look } = engine();
    const keys = ['a', '\0', '\u00001:a', '\u00002:a', 'a\0'];
    for (const env of ['prd', 'dev', 'tst']) for (const cache of keys) await fire({ env, cache });
    for (const env of ['prd', 'dev', 'tst']) {
      for (const cache of keys) expect([env, cache, look({ env, cache }).failures]).toEqual([env, cache, 1]);
    }
  });
});

it('a text of values tells one list from another with more of its own, and holes from nothing', () => {
  const tagged = Object.assign([1, 2], { x: 1 });
  const numbered = Object.assign([1, 2], { '1x': 1 });
  class Listing extends Array<unknown> {}
  expect([canon(tagged), canon(numbered), canon(Listing.of(1, 2))]).toEqual([undefined, undefined, undefined]);
  expect(canon(['a,string b'])).not.toBe(canon(['a', 'b']));
  expect(canon([','])).not.toBe(canon(['', '']));
  // Its indices have two digits, too.
  expect(canon(Array.from({ length: 12 }))).toBeDefined();
  expect(canon([1, 2])).not.toBe(canon([1, 3]));
});

it('a text of values ends at a circle that closes at the very top', () => {
  const circle: { self?: unknown; n: number } = { n: 1 };
  circle.self = circle;
  const other: { self?: unknown; n: number } = { n: 1 };
  other.self = other;
  expect(canon(circle)).toBe(canon(other));
  expect(canon(circle)).toBeDefined();
});

it('a text of bytes tells them, and a class with fields hides what it may', () => {
  const buffer = (...bytes: number[]) => new Uint8Array(bytes).buffer;
  expect(canon(buffer(1, 2))).not.toBe(canon(buffer(1, 3)));
  expect(canon(Object.assign(new Date(0), { zone: 'utc' }))).toBeUndefined();
  expect(canon(Object.assign(new Map(), { zone: 'utc' }))).toBeUndefined();
  expect(canon(/x/g)).toBeDefined();
});

it('a budget is spent to the last whole retry', () => {
  const budget = new RetryBudget();
  for (let firsts = 0; firsts < 100; firsts++) budget.spend(false, 0);
  const affords = () => budget.affords({ ratio: 0.5, minPerSecond: 0 }, 0);
  let retries = 0;
  for (; affords() && retries < 1_000; retries++) budget.spend(true, 0);
  expect(retries).toBe(50);
});

describe('news', () => {
  it('of an exhaustion is told once, when the machine has moved, whatever moved it', async () => {
    const { heard, fire, update, api } = engine({ maxRetries: 5 });
    for (let times = 0; times < 3; times++) await fire();
    const seen: string[] = [];
    api.on('exhausted', () => seen.push(api.inspect({ fallback_tag: 'pay' }).state));
    await update({ maxRetries: 1 });
    await update({ maxRetries: 0 });
    await fire();
    expect(seen).toEqual(['exhausted']);
    expect(heard.filter(({ type }) => type === 'exhausted')).toHaveLength(1);
  });

  it('survives the restart of its engine', async () => {
    const one = engine({ maxRetries: 0 });
    await one.fire({ cache: 'k' });
    const other = engine({ maxRetries: 0 });
    other.api.restore(json(one.api.snapshot()));
    expect(other.look({ cache: 'k' }).state).toBe('exhausted');
    expect(other.heard.filter(({ type }) => type === 'exhausted')).toEqual([]);
  });
});
