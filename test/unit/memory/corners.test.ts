import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback, type FallbackEvent } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

// What only a count gone wrong, or two envs at once, would show.

const down = new Error('down');

function engine(definition: object = {}, options: object = {}) {
  const clock = virtualClock();
  const { fallback: api } = createDuctape({ env: 'prd', product: 'shop', clock, ...options });
  let isDown = true;
  const run = () => {
    if (isDown) throw down;
    return 'A';
  };
  api.define(defineFallback({ tag: 'pay', providers: [{ name: 'a', run }], ...definition } as never));
  const heard: FallbackEvent[] = [];
  api.on('*', (event) => heard.push(event));
  const ask = (action: string) => (at: object, input?: object) =>
    api.run({ fallback_tag: 'pay', action, ...at, ...(input && { input }) } as never).then(
      (result) => (result as { state: string }).state,
      (error: unknown) => (error as { code: string }).code,
    );
  const inspect = (at: object = {}) =>
    api.inspect({ env: 'prd', product: 'shop', fallback_tag: 'pay', ...at } as never);
  const mend = () => {
    isDown = false;
  };
  return { api, clock, heard, mend, trigger: ask('trigger'), update: ask('update'), reset: ask('reset'), inspect };
}

const FAILED = 'ERR_FALLBACK_FAILED';

describe('the keys that have updates of their own are counted', () => {
  it('rightly where others are forgotten', async () => {
    const { trigger, mend, update } = engine({}, { cache: { max: 1 }, maxScopes: 1 });
    mend();
    await trigger({ env: 'prd', cache: 'a' });
    await trigger({ env: 'dev', cache: 'a' });
    expect(await update({ env: 'dev', cache: 'b' }, { maxRetries: 1 })).toBe('idle');
    expect(await update({ env: 'dev', cache: 'c' }, { maxRetries: 1 })).toBe('ERR_INVALID_CONFIG');
  });

  it('beside those that have failed', async () => {
    const { trigger, update } = engine({}, { maxScopes: 1 });
    expect(await update({ cache: 'a' }, { maxRetries: 1 })).toBe('idle');
    expect(await trigger({ cache: 'b' })).toBe(FAILED);
    // Neither may be forgotten for another env.
    expect(await trigger({ env: 'dev' })).toBe('ERR_INVALID_REQUEST');
  });
});

it('the keys of one env stay when another is forgotten for a third', async () => {
  const { trigger, mend, inspect } = engine({}, { maxScopes: 2 });
  await trigger({ cache: 'k' });
  mend();
  await trigger({ env: 'dev', cache: 'k' });
  await trigger({ env: 'tst', cache: 'k' });
  expect(inspect({ cache: 'k' })).toMatchObject({ failures: 1, triggers: 1 });
  expect(await trigger({ cache: 'k' })).toBe('triggered');
  expect(inspect({ cache: 'k' })).toMatchObject({ triggers: 2, recoveries: 1 });
});

it('a machine without a key is no key, however long it has been out of use', async () => {
  const { api, clock, trigger, heard } = engine({}, { cache: { max: 10, ttl: 100 }, maxScopes: 1 });
  await trigger({ cache: 'k' });
  await trigger({});
  const remembered = () => api.snapshot().machines.map(({ cache }) => cache);
  expect(remembered()).toEqual([undefined, 'k']);
  await clock.advance(500);
  expect(remembered()).toEqual([undefined]);
  // Its failure is still to be remembered.
  expect(await trigger({ env: 'dev' })).toBe('ERR_INVALID_REQUEST');
  await trigger({});
  expect(heard.filter(({ type }) => type === 'evicted')).toMatchObject([{ cache: 'k', reason: 'expired' }]);
});

it('a key that looks like another’s place is a key of its own', async () => {
  const { api, trigger, inspect } = engine();
  for (const cache of ['\0', '\0one', 'one\0']) {
    expect(await trigger({ cache })).toBe(FAILED);
    expect(inspect({ cache })).toMatchObject({ failures: 1 });
  }
  await trigger({ cache: '\0one' });
  expect(['\0', '\0one', 'one\0'].map((cache) => inspect({ cache }).failures)).toEqual([1, 2, 1]);
  const remembered = api.snapshot().machines.flatMap(({ cache }) => cache ?? []);
  expect(remembered.sort()).toEqual(['\0', '\0one', 'one\0']);
});

describe('exhaustion', () => {
  it.each(['never', 1_000])('says when a probe will be let in, if ever (%s)', async (resetAfter) => {
    const { trigger, heard } = engine({ maxRetries: 0, resetAfter });
    await trigger({});
    const told = heard.filter(({ type }) => type === 'exhausted');
    expect(told).toHaveLength(1);
    expect('retryAfter' in (told[0] as object)).toBe(resetAfter !== 'never');
  });

  it('of a provider says so, too', async () => {
    const breaker = { failures: 1, cooldown: 500 };
    const run = () => Promise.reject(down);
    const { trigger, heard, inspect } = engine({ providers: [{ name: 'a', run, breaker }] });
    await trigger({});
    expect(heard.find(({ type }) => type === 'provider-unhealthy')).toMatchObject({ retryAfter: 500 });
    expect(inspect().providers).toMatchObject({ a: { health: 'unhealthy', retryAfter: 500 } });
  });
});

it('a provider that was called unhealthy by hand is so for good, and nothing says for how long', async () => {
  const healthcheck = { check: async () => true, interval: 1_000 };
  const run = () => Promise.reject(down);
  const { update, heard, inspect } = engine({ providers: [{ name: 'a', run, healthcheck }] });
  await update({}, { providers: { a: { health: 'unhealthy' } } });
  const told = heard.find(({ type }) => type === 'provider-unhealthy') as object;
  expect(told).toMatchObject({ provider: 'a' });
  expect('retryAfter' in told).toBe(false);
  const { a } = inspect().providers as { a: object };
  expect(a).toMatchObject({ health: 'unhealthy' });
  expect('retryAfter' in a).toBe(false);
});

describe('an update', () => {
  it('of a key that changes nothing tells how the key is', async () => {
    const { trigger, update } = engine();
    await trigger({ cache: 'k' });
    await trigger({ cache: 'k' });
    expect(await update({ cache: 'k' }, {})).toBe('triggered');
    expect(await update({ cache: 'new' }, {})).toBe('idle');
  });

  it('that a key loses is a revision, unless all is as before', async () => {
    const { update, reset, inspect } = engine();
    const revision = () => inspect({ cache: 'k' }).revision;
    await update({ cache: 'k' }, { maxRetries: 1 });
    expect(revision()).toBe(1);
    await reset({ cache: 'k' }, { config: true });
    expect(revision()).toBe(2);
    await update({ cache: 'k' }, { maxRetries: 10 });
    await reset({ cache: 'k' }, { config: true });
    expect(revision()).toBe(2);
  });
});

it('a primary whose snapshot does not say how it is judged can be restored, and again, and is judged by the next call', async () => {
  const breaker = { failures: 1, cooldown: 1_000 };
  const text = (api: ReturnType<typeof engine>['api']) => JSON.parse(JSON.stringify(api.snapshot()));
  const primaryIn = (snapshot: { machines: { primary?: object }[] }) => snapshot.machines[0]?.primary as object;
  const one = engine();
  one.mend();
  const fails = () => Promise.reject(down);
  expect(await one.api.wrap('pay', fails, { breaker })()).toBe('A');
  const first = text(one.api);
  expect(primaryIn(first)).toMatchObject({ breaker });
  Reflect.deleteProperty(primaryIn(first), 'breaker');
  const two = engine();
  expect(two.api.restore(first)).toEqual({ restored: 1, skipped: [] });
  expect(two.inspect()).toMatchObject({ primary: { health: 'unhealthy', retryAfter: 0 } });
  const second = text(two.api);
  expect(primaryIn(second)).toEqual(primaryIn(first));
  const three = engine();
  three.mend();
  expect(three.api.restore(second)).toEqual({ restored: 1, skipped: [] });
  expect(await three.api.wrap('pay', () => expect.fail('called'), { breaker })()).toBe('A');
  await three.clock.advance(1_000);
  expect(await three.api.wrap('pay', async () => 'well again', { breaker })()).toBe('well again');
});

it('a primary that is tried again is told of once, whatever the next call says of its breaker', async () => {
  const { api, clock, heard, mend } = engine();
  mend();
  const breaker = { failures: 1, cooldown: 100 };
  await api.wrap('pay', () => Promise.reject(down), { breaker })();
  await clock.advance(100);
  api.wrap('pay', () => new Promise(() => {}), { breaker })();
  for (const failures of [2, 3])
    expect(await api.wrap('pay', () => expect.fail('called'), { breaker: { ...breaker, failures } })()).toBe('A');
  expect(heard.filter(({ type }) => type === 'provider-probing')).toHaveLength(1);
});

it('the updates of keys are counted rightly where a snapshot takes the place of what there was', async () => {
  const { api, update, reset } = engine({}, { cache: { max: 1 } });
  await update({ cache: 'a' }, { maxRetries: 1 });
  api.restore(api.snapshot());
  await reset({ cache: 'a' }, { config: true });
  expect(await update({ cache: 'b' }, { maxRetries: 1 })).toBe('idle');
  expect(await update({ cache: 'c' }, { maxRetries: 1 })).toBe('ERR_INVALID_CONFIG');
});
