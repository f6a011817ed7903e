import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  type AttemptRecord,
  type Context,
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  EngineClosedError,
  type Fallback,
  type FallbackEvent,
  FallbackFailedError,
  type HealthContext,
  type TriggerResult,
} from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

const place = { fallback_tag: 'pay' };
const trigger = { ...place, action: 'trigger' } as const;
const never = () => new Promise<never>(() => {});
const down = () => Promise.reject(new Error('down'));
const breaker = { failures: 2, cooldown: 100 };
const brittle = { failures: 1, cooldown: 100 };
const skippedBy = (provider: string, reason: string, attempt = 1) => ({
  provider,
  attempt,
  outcome: 'skipped',
  reason,
  duration: 0,
});

/** A provider that does what it was last told to: answers its own name, unless told otherwise. */
function provider(name: string, more: object = {}) {
  const run = vi.fn<(input: unknown, ctx: Context) => unknown>(() => name);
  return { name, run, ...more };
}

function engine(
  providers: readonly object[],
  definition: object = {},
  options: Omit<DuctapeOptions<readonly Fallback[]>, 'fallbacks'> = {},
) {
  const clock = virtualClock(1_000);
  const { fallback: api } = createDuctape({ env: 'prd', product: 'payments', clock, random: () => 0.5, ...options });
  api.define(defineFallback({ tag: 'pay', maxRetries: 100, ...definition, providers } as never));
  const events: FallbackEvent[] = [];
  api.on('*', (event) => void events.push(event));
  /** Of a trigger: its result, or the error it threw. */
  const fire = (at: object = {}, options: object = {}): Promise<TriggerResult & FallbackFailedError> =>
    api.run({ ...trigger, ...at }, options).catch((error) => error) as never;
  const fail = async (run: { mockImplementation: (work: () => unknown) => unknown }, times: number) => {
    run.mockImplementation(down);
    for (let count = 0; count < times; count++) await fire();
  };
  const byHand = (name: string, health: string, more: object = {}) =>
    api.run({ ...place, action: 'update', input: { providers: { [name]: { health } } }, ...more });
  const health = (name = 'one') => api.inspect(place).providers?.[name];
  /** The types of the events since it was last asked, those about health with their provider. */
  const heard = () =>
    events
      .splice(0)
      .map((event) => (event.type.startsWith('provider-') ? `${event.type} ${nameOf(event)}` : event.type));
  return { api, clock, events, fire, fail, byHand, health, heard };
}

const nameOf = (event: FallbackEvent) => ('provider' in event ? event.provider : '');
const outcomes = (attempts: readonly AttemptRecord[]) =>
  attempts.map(({ provider, attempt, outcome, reason }) => [provider, attempt, reason ?? outcome]);

/** A call that ends when it is told to. */
function pending() {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<unknown>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject, work: () => promise };
}

/** What only looks like a promise. */
const thenable = (then: (resolve: (value: boolean) => void) => void) =>
  Object.defineProperty({}, 'then', { value: then });

describe('a breaker', () => {
  it('skips a provider after so many failed attempts in a row, until the cooldown is over', async () => {
    const one = provider('one', { breaker });
    const { fire, fail, clock, health } = engine([one, provider('two')]);
    await fail(one.run, 1);
    expect(health()).toEqual({ health: 'healthy', failures: 1, inFlight: 0 });
    await fail(one.run, 1);
    expect(health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0, retryAfter: 100 });
    one.run.mockReset().mockReturnValue('well');
    await clock.advance(99);
    const { provider: by, attempts } = await fire();
    expect(by).toBe('two');
    expect(attempts[0]).toEqual(skippedBy('one', 'unhealthy'));
    expect(one.run).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(await fire()).toMatchObject({ provider: 'one', output: 'well' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('counts in a row: a success begins anew', async () => {
    const one = provider('one', { breaker });
    const { fire, fail, health } = engine([one, provider('two')]);
    for (let round = 0; round < 3; round++) {
      await fail(one.run, 1);
      one.run.mockImplementation(() => 'well');
      await fire();
      expect(health()).toMatchObject({ health: 'healthy', failures: 0 });
    }
  });

  it('counts attempts, not triggers: what retries were left are skipped', async () => {
    const one = provider('one', { breaker, retries: 5, backoff: 0 });
    const { fire, health } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    const { attempts } = await fire();
    expect(outcomes(attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'failed'],
      ['one', 3, 'unhealthy'],
      ['two', 1, 'succeeded'],
    ]);
    expect(health()).toMatchObject({ health: 'unhealthy', failures: 2 });
  });

  it.each<[string, object]>([
    ['a rejection', { run: down }],
    [
      'a throw',
      {
        run: () => {
          throw new Error('down');
        },
      },
    ],
    ['a timeout', { run: never, timeout: 5 }],
    ['an output that accept refuses', { accept: () => false }],
    ['an output that the schema refuses', { run: () => 3 }],
  ])('counts %s', async (_what, more) => {
    const { fire, clock, health } = engine([provider('one', { breaker: brittle, ...more }), provider('two')], {
      output: z.string(),
    });
    const call = fire();
    await clock.advance(5);
    expect(await call).toMatchObject({ provider: 'two' });
    expect(health()).toMatchObject({ health: 'unhealthy', failures: 1 });
  });

  it.each<[string, object, object]>([
    ['the fault of an accept', {}, { accept: () => expect.fail('accept') }],
    ['the fault of a when', {}, { when: () => expect.fail('when') }],
    ['a when that says no', {}, { when: () => false }],
    ['an error that is its caller’s own', { handle: () => false }, { run: down }],
  ])('does not count %s', async (_what, definition, more) => {
    const { fire, health } = engine([provider('one', { breaker: brittle, ...more }), provider('two')], definition);
    await fire();
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('does not count the abort of a caller, nor that of close', async () => {
    const one = provider('one', { breaker: brittle, run: never });
    const { api, fire, health } = engine([one]);
    const controller = new AbortController();
    const aborted = fire({}, { signal: controller.signal });
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    const closed = fire();
    await api.close();
    expect(await closed).toBeInstanceOf(EngineClosedError);
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('takes a fault of handle for a failure, as the trigger does', async () => {
    const one = provider('one', { breaker: brittle, run: down });
    const { fire, health } = engine([one, provider('two')], { handle: () => expect.fail('handle') });
    await fire();
    expect(health()).toMatchObject({ health: 'unhealthy' });
  });

  it('is shared by all cache keys', async () => {
    const one = provider('one', { breaker });
    const { api, fire } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    for (const cache of ['a', 'b']) await fire({ cache });
    for (const at of [{}, { cache: 'a' }, { cache: 'c' }]) {
      expect((await fire(at)).attempts[0]).toEqual(skippedBy('one', 'unhealthy'));
      expect(api.inspect({ ...place, ...at }).providers?.one).toMatchObject({ health: 'unhealthy', failures: 2 });
    }
  });

  it('belongs to one env, product, tag, provider and engine', async () => {
    const one = provider('one', { breaker: brittle });
    const two = provider('two', { breaker: brittle });
    const { api, fire, fail, health } = engine([one, two]);
    api.define(defineFallback({ tag: 'sms', providers: [one, two] as never }));
    await fail(one.run, 1);
    one.run.mockImplementation(() => 'one');
    expect(health('two')).toMatchObject({ health: 'healthy' });
    for (const at of [{ env: 'dev' }, { product: 'checkout' }, { fallback_tag: 'sms' }]) {
      expect(await fire(at)).toMatchObject({ provider: 'one' });
    }
    expect(await engine([one, two]).fire()).toMatchObject({ provider: 'one' });
    expect(await fire()).toMatchObject({ provider: 'two' });
  });

  it('is off where nobody asked for it', async () => {
    const one = provider('one');
    const { api, fire, fail } = engine([one, provider('two')]);
    await fail(one.run, 50);
    expect((await fire()).attempts[0]).toMatchObject({ provider: 'one', outcome: 'failed' });
    expect(api.inspect(place)).not.toHaveProperty('providers');
  });

  it('holds no attempt to account that was under way when it tripped or healed', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, fail, health, clock } = engine([one, provider('two')]);
    const [good, bad] = [pending(), pending()];
    const calls = [good, bad].map(({ work }) => {
      one.run.mockImplementationOnce(work);
      return fire();
    });
    await fail(one.run, 1);
    good.resolve('late');
    expect(await calls[0]).toMatchObject({ provider: 'one', output: 'late' });
    expect(health()).toMatchObject({ health: 'unhealthy', failures: 1, inFlight: 1 });
    await clock.advance(100);
    one.run.mockImplementation(() => 'well');
    await fire();
    bad.reject(new Error('late'));
    expect(await calls[1]).toMatchObject({ provider: 'two' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('leaves the machine of the fallback to its own rules', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fail, fire } = engine([one], { maxRetries: 1 });
    await fail(one.run, 2);
    expect(api.inspect(place)).toMatchObject({ state: 'exhausted', failures: 2, providers: { one: { failures: 1 } } });
    expect(await fire()).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED' });
  });

  it('does not let the caller wait for a retry that is not going to be made', async () => {
    const one = provider('one', { breaker: { failures: 1, cooldown: 10_000 }, retries: 1, backoff: 500 });
    const { fire, clock } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    const call = fire();
    await clock.advance(500);
    expect(await call).toMatchObject({ provider: 'two', duration: 0 });
  });

  it('records a retry that was passed over as the attempt that it would have been', async () => {
    const one = provider('one', { breaker: brittle, retries: 1, backoff: 0 });
    const { fire } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    const skipped = (await fire()).attempts.filter(({ outcome }) => outcome === 'skipped');
    expect(skipped).toEqual([skippedBy('one', 'unhealthy', 2)]);
  });

  it('does not count an attempt that was announced but never made', async () => {
    const one = provider('one', { breaker: brittle });
    const { clock } = engine([one]);
    let late = 0;
    const slow = { ...clock, now: () => clock.now() + late };
    const { api, fire, health } = engine([one], { deadline: 5 }, { clock: slow });
    api.on('attempt-started', () => {
      late = 10;
    });
    await fire();
    expect(one.run).not.toHaveBeenCalled();
    expect(health()).toMatchObject({ health: 'healthy', failures: 0 });
  });
});

describe('a probe', () => {
  /** `one` is unhealthy, and its cooldown over. */
  async function due(more: object = {}, definition: object = {}) {
    const one = provider('one', { breaker: brittle, ...more });
    const world = engine([one, provider('two')], definition);
    await world.fail(one.run, 1);
    await world.clock.advance(100);
    one.run.mockReset();
    return { one, ...world };
  }

  it('is one attempt; others pass the provider over meanwhile', async () => {
    const { one, fire, health } = await due();
    const { work, resolve } = pending();
    one.run.mockImplementation(work);
    const probe = fire();
    expect(health()).toEqual({ health: 'probing', failures: 1, inFlight: 1, retryAfter: 100 });
    const others = await Promise.all([fire(), fire({ cache: 'k' })]);
    for (const { provider, attempts } of others) {
      expect(provider).toBe('two');
      expect(attempts[0]).toEqual(skippedBy('one', 'unhealthy'));
    }
    expect(one.run).toHaveBeenCalledTimes(1);
    resolve('well');
    expect(await probe).toMatchObject({ provider: 'one' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('that fails makes the provider wait anew, with its failures as they are', async () => {
    const { one, fire, clock, health } = await due();
    one.run.mockImplementation(down);
    expect(await fire()).toMatchObject({ provider: 'two' });
    expect(health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 100 });
    await clock.advance(99);
    await fire();
    expect(one.run).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await fire();
    expect(one.run).toHaveBeenCalledTimes(2);
  });

  it('waits from the end of the one that failed', async () => {
    const { one, fire, clock, health } = await due({ timeout: 30 });
    one.run.mockImplementation(never);
    const probe = fire();
    await clock.advance(30);
    expect(await probe).toMatchObject({ attempts: [{ outcome: 'timed-out' }, { provider: 'two' }] });
    expect(health()).toMatchObject({ health: 'unhealthy', retryAfter: 100 });
  });

  it('that fails is not retried', async () => {
    const { one, fire } = await due({ retries: 3, backoff: 0 });
    one.run.mockImplementation(down);
    expect(outcomes((await fire()).attempts).slice(0, 2)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'unhealthy'],
    ]);
    expect(one.run).toHaveBeenCalledTimes(1);
  });

  it.each<[string, object]>([
    ['aborted by its caller', {}],
    ['cut short with an error that is its caller’s own', { handle: (error: unknown) => error !== 'enough' }],
  ])('that was %s leaves the provider unhealthy, to be probed at once', async (what, definition) => {
    const { one, fire, health } = await due({}, definition);
    const controller = new AbortController();
    const { work, reject } = pending();
    one.run.mockImplementationOnce(work);
    const probe = fire({}, { signal: controller.signal });
    if (what.startsWith('aborted')) controller.abort('enough');
    else reject('enough');
    expect(await probe).toBe('enough');
    expect(health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 0 });
    one.run.mockImplementation(() => 'well');
    expect(await fire()).toMatchObject({ provider: 'one' });
  });

  it('whose accept is at fault gives no verdict either', async () => {
    let isFaulty = false;
    const accept = () => (isFaulty ? expect.fail('accept') : true);
    const { one, fire, health } = await due({ accept });
    one.run.mockImplementation(() => 'well');
    isFaulty = true;
    await fire();
    expect(health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 0 });
    isFaulty = false;
    expect(await fire()).toMatchObject({ provider: 'one' });
  });

  it('that close cut short leaves the provider to be probed at once', async () => {
    const { one, api, fire, health } = await due();
    one.run.mockImplementation(never);
    const probe = fire();
    await api.close();
    expect(await probe).toBeInstanceOf(EngineClosedError);
    expect(health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 0 });
  });

  it.each(['resolve', 'reject'] as const)(
    'that never settles loses its place after the cooldown, and a late %s of it moves nothing',
    async (verb) => {
      const { one, fire, clock, health } = await due();
      const lost = pending();
      one.run.mockImplementationOnce(lost.work);
      const first = fire();
      await clock.advance(99);
      expect(await fire()).toMatchObject({ provider: 'two' });
      await clock.advance(1);
      const next = pending();
      one.run.mockImplementationOnce(next.work);
      const second = fire();
      expect(one.run).toHaveBeenCalledTimes(2);
      expect(health()).toEqual({ health: 'probing', failures: 1, inFlight: 2, retryAfter: 100 });
      lost[verb]('late');
      await first;
      expect(health()).toEqual({ health: 'probing', failures: 1, inFlight: 1, retryAfter: 100 });
      next.resolve('well');
      expect(await second).toMatchObject({ provider: 'one' });
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    },
  );

  it('is admitted at once where there is no cooldown', async () => {
    const one = provider('one', { breaker: { failures: 1, cooldown: 0 } });
    const { fire, fail, health } = engine([one, provider('two')]);
    await fail(one.run, 3);
    expect(one.run).toHaveBeenCalledTimes(3);
    one.run.mockImplementation(() => 'well');
    expect(await fire()).toMatchObject({ provider: 'one' });
    expect(health()).toMatchObject({ health: 'healthy' });
  });

  it('does not come about where the provider is not reached', async () => {
    const two = provider('two', { breaker: brittle });
    const { fire, fail, clock, health } = engine([provider('one'), two, provider('three')]);
    await fail(two.run, 0);
    await fire();
    await clock.advance(500);
    await fire();
    expect(two.run).not.toHaveBeenCalled();
    expect(health('two')).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it.each<[string, (world: Awaited<ReturnType<typeof due>>, end: () => void) => unknown, unknown]>([
    ['its caller aborts', (_world, abort) => abort(), 'stop'],
    ['the engine closes', ({ api }) => void api.close(), expect.any(EngineClosedError)],
  ])('is announced, and ends without a call where %s on hearing of it', async (_what, end, expected) => {
    const world = await due();
    const controller = new AbortController();
    world.one.run.mockImplementation(() => 'called');
    world.api.on('attempt-started', () => end(world, () => controller.abort('stop')));
    expect(await world.fire({}, { signal: controller.signal })).toEqual(expected);
    expect(world.one.run).not.toHaveBeenCalled();
    expect(world.health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 0 });
  });

  it('calls no provider after its caller has aborted on hearing of provider-probing', async () => {
    const { one, api, fire } = await due();
    const controller = new AbortController();
    const { work, resolve } = pending();
    one.run.mockImplementation(work);
    api.on('provider-probing', () => controller.abort('stop'));
    let end: unknown = 'still waiting';
    const call = fire({}, { signal: controller.signal }).then((reason) => {
      end = reason;
    });
    await settled();
    const seen = { end, calls: one.run.mock.calls.length };
    resolve('well');
    await call;
    expect(seen).toEqual({ end: 'stop', calls: 0 });
  });

  it('calls no provider that was made unhealthy by hand on hearing of provider-probing', async () => {
    const { one, api, fire, byHand } = await due();
    one.run.mockImplementation(() => 'called');
    api.on('provider-probing', () => void byHand('one', 'unhealthy'));
    expect(await fire()).toMatchObject({ provider: 'two' });
  });
});

describe('a concurrency', () => {
  it('is the most attempts in flight at once, over all keys', async () => {
    const one = provider('one', { concurrency: 2 });
    const { fire, health } = engine([one, provider('two')]);
    const calls = [pending(), pending()];
    for (const { work } of calls) one.run.mockImplementationOnce(work);
    const first = fire({ cache: 'a' });
    const second = fire({ cache: 'b' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 2 });
    const third = await fire();
    expect(third.attempts).toEqual([skippedBy('one', 'busy'), expect.objectContaining({ provider: 'two' })]);
    calls[0]?.resolve('one');
    await first;
    expect(await fire()).toMatchObject({ provider: 'one' });
    calls[1]?.resolve('one');
    await second;
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it.each<
    [string, object, (end: { reject: (error: unknown) => void; abort: () => void; pass: () => unknown }) => unknown]
  >([
    ['a failure', {}, ({ reject }) => reject(new Error('down'))],
    ['an error that is its caller’s own', { handle: () => false }, ({ reject }) => reject(new Error('theirs'))],
    ['a timeout', {}, ({ pass }) => pass()],
    ['an abort', {}, ({ abort }) => abort()],
  ])('gives the place back after %s', async (_what, definition, end) => {
    const one = provider('one', { concurrency: 1, timeout: 50 });
    const { fire, health, clock } = engine([one, provider('two')], definition);
    const controller = new AbortController();
    const { work, reject } = pending();
    one.run.mockImplementationOnce(work);
    const call = fire({}, { signal: controller.signal });
    expect(await fire()).toMatchObject({ provider: 'two' });
    await end({ reject, abort: () => controller.abort(), pass: () => clock.advance(50) });
    await call;
    expect(health()?.inFlight).toBe(0);
    expect(await fire()).toMatchObject({ provider: 'one' });
  });

  it('takes no place between an attempt and its retry', async () => {
    const one = provider('one', { concurrency: 1, retries: 1, backoff: 100 });
    const { fire, clock } = engine([one, provider('two')]);
    one.run.mockImplementationOnce(down);
    const first = fire();
    await clock.advance(50);
    const { work, resolve } = pending();
    one.run.mockImplementationOnce(work);
    const second = fire();
    await clock.advance(50);
    expect(outcomes((await first).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['one', 2, 'busy'],
      ['two', 1, 'succeeded'],
    ]);
    resolve('one');
    expect(await second).toMatchObject({ provider: 'one' });
  });

  it('is no failure of the provider that is busy', async () => {
    const one = provider('one', { concurrency: 1, breaker: brittle });
    const { fire, health } = engine([one, provider('two')]);
    one.run.mockImplementationOnce(never);
    void fire();
    for (let count = 0; count < 5; count++) await fire();
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 1 });
  });

  it('holds where nobody else is left: a trigger whose every provider is busy or unhealthy fails', async () => {
    const one = provider('one', { concurrency: 1 });
    const two = provider('two', { breaker: brittle });
    const { fire, byHand } = engine([one, two]);
    one.run.mockImplementation(never);
    void fire();
    await byHand('two', 'unhealthy');
    const error = await fire();
    expect(error).toBeInstanceOf(FallbackFailedError);
    expect(error).toMatchObject({ errors: [], attempts: [skippedBy('one', 'busy'), skippedBy('two', 'unhealthy')] });
    expect(one.run).toHaveBeenCalledTimes(1);
    expect(two.run).not.toHaveBeenCalled();
  });

  it('holds for each provider, env and product apart', async () => {
    const one = provider('one', { concurrency: 1 });
    const two = provider('two', { concurrency: 1 });
    const { fire } = engine([one, two, provider('three')]);
    for (const { run } of [one, two]) run.mockImplementation(never);
    for (const at of [{}, { env: 'dev' }, { product: 'checkout' }]) {
      void fire(at);
      void fire(at);
      expect(await fire(at)).toMatchObject({ provider: 'three' });
    }
    expect([one.run, two.run].map(({ mock }) => mock.calls.length)).toEqual([3, 3]);
  });

  it('lets a due probe through only where there is a place for it', async () => {
    const one = provider('one', { concurrency: 1, breaker: brittle });
    const { fire, fail, clock, health } = engine([one, provider('two')]);
    await fail(one.run, 1);
    await clock.advance(100);
    const { work, resolve } = pending();
    one.run.mockImplementation(work);
    const lost = fire();
    await clock.advance(100);
    expect((await fire()).attempts[0]).toEqual(skippedBy('one', 'busy'));
    expect(health()).toMatchObject({ health: 'probing', inFlight: 1, retryAfter: 0 });
    resolve('well');
    expect(await lost).toMatchObject({ provider: 'one' });
  });
});

describe('where all are unhealthy', () => {
  async function allDown(definition: object = {}) {
    const one = provider('one', { breaker: brittle });
    const two = provider('two', { breaker: brittle });
    const world = engine([one, two], definition);
    for (const { run } of [one, two]) run.mockImplementation(down);
    await world.fire();
    for (const { run } of [one, two]) run.mockClear();
    await world.clock.advance(10);
    return { one, two, ...world };
  }

  it('they are tried in order all the same', async () => {
    const { one, two, fire, health } = await allDown();
    two.run.mockImplementation(() => 'well');
    const { provider, attempts } = await fire();
    expect(provider).toBe('two');
    expect(outcomes(attempts)).toEqual([
      ['one', 1, 'unhealthy'],
      ['two', 1, 'unhealthy'],
      ['one', 1, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
    expect(one.run).toHaveBeenCalledTimes(1);
    expect(health('two')).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('a failure then is nothing new: the cooldown goes on', async () => {
    const { fire, health } = await allDown();
    await fire();
    for (const name of ['one', 'two'])
      expect(health(name)).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter: 90 });
  });

  it('each is tried once more only, and the trigger fails with every error met', async () => {
    const { one, two, fire, api } = await allDown();
    const error = await fire();
    expect(error).toBeInstanceOf(FallbackFailedError);
    expect(error.errors).toHaveLength(2);
    expect([one.run, two.run].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
    expect(api.inspect(place).failures).toBe(2);
  });

  it("'fail' refuses at once, and calls none", async () => {
    const { one, two, fire, api } = await allDown({ whenAllUnhealthy: 'fail' });
    const error = await fire();
    expect(error).toBeInstanceOf(FallbackFailedError);
    expect(error).toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
      errors: [],
      attempts: [skippedBy('one', 'unhealthy'), skippedBy('two', 'unhealthy')],
    });
    expect([one.run, two.run].map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
    expect(api.inspect(place).inFlight).toBe(0);
  });

  it("'try' is the default, and may be said", async () => {
    const { one, fire } = await allDown({ whenAllUnhealthy: 'try' });
    await fire();
    expect(one.run).toHaveBeenCalledTimes(1);
  });

  it("a due probe is made under 'fail', too", async () => {
    const { one, two, fire, clock } = await allDown({ whenAllUnhealthy: 'fail' });
    await clock.advance(90);
    two.run.mockImplementation(() => 'well');
    const { provider, attempts } = await fire();
    expect(provider).toBe('two');
    expect(outcomes(attempts)).toEqual([
      ['one', 1, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
    expect(one.run).toHaveBeenCalledTimes(1);
  });

  it('none is tried again where one was tried', async () => {
    const one = provider('one', { breaker: brittle });
    const two = provider('two');
    const { fire, fail } = engine([one, two]);
    two.run.mockImplementation(down);
    await fail(one.run, 1);
    expect(outcomes((await fire()).attempts)).toEqual([
      ['one', 1, 'unhealthy'],
      ['two', 1, 'failed'],
    ]);
    expect(one.run).toHaveBeenCalledTimes(1);
  });

  it('providers that do not apply, or are disabled, count for nothing', async () => {
    const one = provider('one', { breaker: brittle });
    const two = provider('two', { when: () => false });
    const { api, fire, fail } = engine([one, two, provider('three')]);
    await api.run({ ...place, action: 'update', input: { providers: { three: { enabled: false } } } });
    await fail(one.run, 1);
    one.run.mockImplementation(() => 'well');
    expect(outcomes((await fire()).attempts)).toEqual([
      ['one', 1, 'unhealthy'],
      ['two', 1, 'skipped'],
      ['one', 1, 'succeeded'],
    ]);
    expect(two.run).not.toHaveBeenCalled();
  });

  it('what comes of a last resort beside a probe is no verdict on the provider', async () => {
    for (const how of ['fails', 'is aborted'] as const) {
      const one = provider('one', { breaker: brittle });
      const { api, fire, fail, clock, health } = engine([one]);
      await fail(one.run, 1);
      await clock.advance(100);
      const [probe, other] = [pending(), pending()];
      one.run.mockImplementationOnce(probe.work).mockImplementationOnce(other.work);
      const controller = new AbortController();
      const probing = fire();
      const beside = fire({}, { signal: controller.signal });
      await settled();
      how === 'fails' ? other.reject(new Error('503')) : controller.abort('gone');
      await beside;
      expect(health()).toMatchObject({ health: 'probing', inFlight: 1 });
      probe.resolve('well');
      expect(await probing).toMatchObject({ output: 'well' });
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
      await api.close();
    }
  });

  it('none is tried while one that was hedged may still answer, nor where it has failed', async () => {
    for (const works of [true, false]) {
      const down = provider('down', { breaker: brittle, idempotent: true });
      const hedged = provider('hedged', { hedge: 10, idempotent: true });
      const next = provider('next', { breaker: brittle, idempotent: true });
      const { api, clock, byHand } = engine([down, hedged, next]);
      for (const name of ['down', 'next']) await byHand(name, 'unhealthy');
      const { work, resolve, reject } = pending();
      hedged.run.mockImplementation(work);
      const trigger = api.run({ ...place, action: 'trigger' }).catch((error) => error);
      await clock.advance(20);
      works ? resolve('by hedged') : reject(new Error('503'));
      const { attempts } = (await trigger) as { attempts: readonly AttemptRecord[] };
      expect(outcomes(attempts)).toEqual([
        ['down', 1, 'unhealthy'],
        ['next', 1, 'unhealthy'],
        ['hedged', 1, works ? 'succeeded' : 'failed'],
      ]);
      expect([down.run, next.run].map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
    }
  });

  it('those made unhealthy by hand are tried as well, in the order of the plan, and stay so', async () => {
    const [one, two] = [provider('one'), provider('two')];
    const { api, fire, byHand, health } = engine([one, two]);
    await api.run({ ...place, action: 'update', input: { fallbackProvider: 'two' } });
    for (const name of ['one', 'two']) await byHand(name, 'unhealthy');
    expect(outcomes((await fire()).attempts)).toEqual([
      ['two', 1, 'unhealthy'],
      ['one', 1, 'unhealthy'],
      ['two', 1, 'succeeded'],
    ]);
    expect(health('two')).toEqual({ health: 'unhealthy', failures: 0, inFlight: 0 });
  });

  it('their concurrency still holds', async () => {
    const one = provider('one', { breaker: brittle, concurrency: 1 });
    const { fire, fail } = engine([one]);
    await fail(one.run, 1);
    one.run.mockReset().mockImplementation(never);
    void fire();
    expect(one.run).toHaveBeenCalledTimes(1);
    const { attempts } = await fire();
    expect(outcomes(attempts)).toEqual([['one', 1, 'busy']]);
    expect(one.run).toHaveBeenCalledTimes(1);
  });

  it('a trigger that came before another’s probe decides nothing about it', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, fail, clock, health } = engine([one]);
    await fail(one.run, 1);
    const [desperate, probe] = [pending(), pending()];
    one.run.mockImplementationOnce(desperate.work).mockImplementationOnce(probe.work);
    const first = fire();
    await clock.advance(100);
    const second = fire();
    expect(health()).toMatchObject({ health: 'probing', inFlight: 2 });
    desperate.resolve('late');
    await first;
    expect(health()).toMatchObject({ health: 'probing', inFlight: 1 });
    probe.reject(new Error('down'));
    await second;
    expect(health()).toMatchObject({ health: 'unhealthy', inFlight: 0, retryAfter: 100 });
  });
});

describe('a health check', () => {
  type Check = (ctx: HealthContext) => unknown;
  function checked(
    more: object = {},
    { options = {}, ...settings }: { options?: object; [key: string]: unknown } = {},
  ) {
    const check = vi.fn<Check>(() => true);
    const one = provider('one', { healthcheck: { check, interval: 100, ...settings }, ...more });
    const world = engine([one, provider('two')], {}, options);
    const look = async () => {
      const result = await world.fire();
      await settled();
      return result;
    };
    return { check, one, ...world, look };
  }

  it('is made when a trigger meets no verdict yet, or one that is an interval old', async () => {
    const { check, look, clock } = checked();
    await clock.advance(1_000);
    expect(check).not.toHaveBeenCalled();
    await look();
    expect(check).toHaveBeenCalledTimes(1);
    await clock.advance(99);
    await look();
    expect(check).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await look();
    expect(check).toHaveBeenCalledTimes(2);
    await clock.advance(1_000);
    expect(check).toHaveBeenCalledTimes(2);
    expect(clock.pending).toBe(0);
  });

  it('is not made of a provider that no trigger reaches, that is passed over, disabled, or unhealthy by hand', async () => {
    const check = vi.fn(() => true);
    const healthcheck = { check, interval: 100 };
    const { api, fire, byHand } = engine([
      provider('one', { healthcheck, when: () => false }),
      provider('two', { healthcheck }),
      provider('three', { healthcheck }),
      provider('four'),
      provider('five', { healthcheck }),
    ]);
    await api.run({ ...place, action: 'update', input: { providers: { two: { enabled: false } } } });
    await byHand('three', 'unhealthy');
    expect(await fire()).toMatchObject({ provider: 'four' });
    await settled();
    expect(check).not.toHaveBeenCalled();
  });

  it('decides from the next trigger on: a no makes the provider unhealthy, a yes healthy', async () => {
    const { check, one, look, clock, health } = checked();
    check.mockReturnValue(false);
    expect(await look()).toMatchObject({ provider: 'one' });
    expect(health()).toEqual({ health: 'unhealthy', failures: 0, inFlight: 0 });
    const { provider: by, attempts } = await look();
    expect([by, attempts[0]]).toEqual(['two', skippedBy('one', 'unhealthy')]);
    await clock.advance(100);
    check.mockReturnValue(true);
    // The last verdict decides meanwhile.
    expect(await look()).toMatchObject({ provider: 'two' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    expect(await look()).toMatchObject({ provider: 'one' });
    expect(one.run).toHaveBeenCalledTimes(2);
  });

  it('takes none of the caller’s time', async () => {
    const order: string[] = [];
    const { check, one, fire, clock } = checked();
    one.run.mockImplementation(() => order.push('provider'));
    check.mockImplementation(() => {
      order.push('check');
      return never();
    });
    expect(await fire()).toMatchObject({ provider: 'one', duration: 0 });
    await settled();
    expect(order).toEqual(['provider', 'check']);
    expect(await fire()).toMatchObject({ provider: 'one', duration: 0 });
    await clock.runUntilIdle();
  });

  it('is made one at a time, whatever the keys', async () => {
    const { check, fire, clock } = checked({}, { timeout: 2_000 });
    const { work, resolve } = pending();
    check.mockImplementationOnce(work);
    for (const cache of ['a', 'b', 'c']) await fire({ cache });
    await clock.advance(500);
    await fire();
    await settled();
    expect(check).toHaveBeenCalledTimes(1);
    resolve(true);
    await settled();
    await clock.advance(99);
    await fire();
    await settled();
    // Its verdict is as old as its end.
    expect(check).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await fire();
    await settled();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('of several triggers at once is one', async () => {
    const { check, fire } = checked();
    await Promise.all([fire(), fire(), fire({ cache: 'k' })]);
    await settled();
    expect(check).toHaveBeenCalledTimes(1);
  });

  it.each<[string, Check]>([
    ['false', () => false],
    ['nothing', () => undefined],
    ['a promise of false', async () => false],
    ['a throw', () => expect.fail('check')],
    ['a rejection', down],
    ['a rejection with nothing', () => Promise.reject()],
    ['a thenable that throws', () => thenable(() => expect.fail('then'))],
    [
      'a thenable that throws when looked at',
      () =>
        Object.defineProperty({}, 'then', {
          get: () => expect.fail('then'),
        }),
    ],
  ])('takes %s for a no', async (_what, check) => {
    const world = checked();
    world.check.mockImplementation(check);
    await world.look();
    expect(world.health()).toMatchObject({ health: 'unhealthy', failures: 0 });
    expect(world.clock.pending).toBe(0);
  });

  it.each<[string, Check]>([
    ['true', () => true],
    ['a promise of true', async () => true],
    ['a thenable of true', () => thenable((resolve) => resolve(true))],
  ])('takes %s for a yes', async (_what, check) => {
    const world = checked({ breaker: { failures: 1, cooldown: 10_000 } });
    world.check.mockImplementation(check);
    world.one.run.mockImplementationOnce(down);
    await world.look();
    await world.clock.advance(100);
    await world.look();
    expect(world.health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it.each([
    ['its timeout', { timeout: 20 }, 20],
    ['the interval, without one', { interval: 2_000 }, 2_000],
    ['a second, where the interval is shorter', {}, 1_000],
  ])(
    'that has not answered within %s is a no; its signal aborts, and what comes later counts for nothing',
    async (_what, settings, ms) => {
      const world = checked({}, settings);
      let signal: AbortSignal | undefined;
      const { promise, reject } = pending();
      world.check.mockImplementation((ctx) => {
        signal = ctx.signal;
        return promise;
      });
      await world.look();
      await world.clock.advance(ms - 1);
      expect(signal?.aborted).toBe(false);
      expect(world.health()).toMatchObject({ health: 'healthy' });
      await world.clock.advance(1);
      expect(signal?.reason).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT', timeout: ms, tag: 'pay' });
      expect(String(signal?.reason)).toContain('health check of "one"');
      expect(world.health()).toMatchObject({ health: 'unhealthy' });
      reject(new Error('late'));
      await settled();
      expect(world.health()).toMatchObject({ health: 'unhealthy' });
      expect(world.clock.pending).toBe(0);
    },
  );

  it('knows whose it is, and keeps its object as its this', async () => {
    const seen: unknown[] = [];
    const healthcheck = {
      interval: 100,
      check(this: unknown, ctx: HealthContext) {
        seen.push(this, { ...ctx, signal: ctx.signal.aborted });
        return true;
      },
    };
    const { fire } = engine([provider('one', { healthcheck })]);
    await fire({ env: 'dev', product: 'checkout', cache: 'k' });
    await settled();
    expect(seen[0]).toBe(healthcheck);
    expect(seen[1]).toEqual({ env: 'dev', product: 'checkout', tag: 'pay', provider: 'one', signal: false });
  });

  it('is not ended by the abort or the deadline of the trigger that asked for it', async () => {
    const { check, one, fire, clock, health } = checked({}, { timeout: 500 });
    const { work, resolve } = pending();
    check.mockImplementation(work);
    one.run.mockImplementation(never);
    const controller = new AbortController();
    const call = fire({}, { signal: controller.signal, deadline: 50 });
    await settled();
    controller.abort('enough');
    await call;
    await clock.advance(100);
    expect(check.mock.calls[0]?.[0].signal.aborted).toBe(false);
    resolve(false);
    await settled();
    expect(health()).toMatchObject({ health: 'unhealthy' });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('works beside a breaker: a no waits for its cooldown or for a yes, whichever comes first', async () => {
    const world = checked({ breaker: { failures: 5, cooldown: 30 } });
    world.check.mockReturnValue(false);
    await world.look();
    expect(world.health()).toEqual({ health: 'unhealthy', failures: 0, inFlight: 0, retryAfter: 30 });
    expect(await world.look()).toMatchObject({ provider: 'two' });
    await world.clock.advance(30);
    expect(await world.look()).toMatchObject({ provider: 'one' });
    expect(world.health()).toMatchObject({ health: 'healthy' });
  });

  it('that says yes forgets no failures of a healthy provider, and one that says no tells an unhealthy one nothing', async () => {
    const world = checked({ breaker });
    world.one.run.mockImplementation(down);
    await world.look();
    expect(world.health()).toMatchObject({ health: 'healthy', failures: 1 });
    await world.look();
    expect(world.health()).toMatchObject({ health: 'unhealthy', failures: 2, retryAfter: 100 });
    world.check.mockReturnValue(false);
    await world.clock.advance(99);
    await world.look();
    await world.clock.advance(1);
    // The cooldown was not begun anew.
    expect(outcomes((await world.look()).attempts)[0]).toEqual(['one', 1, 'failed']);
  });

  it.each<[string, (world: ReturnType<typeof checked>) => unknown]>([
    ['the breaker tripped', ({ one, fail }) => fail(one.run, 1)],
    ['it was made unhealthy by hand', ({ byHand }) => byHand('one', 'unhealthy')],
    ['it was made healthy by hand', ({ byHand }) => byHand('one', 'healthy')],
    ['it was reset', ({ api }) => api.run({ ...place, action: 'reset' })],
  ])('is no verdict where %s meanwhile', async (_what, meanwhile) => {
    for (const verdict of [true, false]) {
      const world = checked({ breaker: brittle });
      const { work, resolve } = pending();
      world.check.mockImplementation(work);
      await world.look();
      await meanwhile(world);
      const before = world.health();
      resolve(verdict);
      await settled();
      expect(world.health()).toEqual(before);
      await world.clock.runUntilIdle();
      expect(world.clock.pending).toBe(0);
    }
  });

  it('is made again at once where its verdict came too late to count', async () => {
    const { api, check, fire, look } = checked();
    const { work, resolve } = pending();
    check.mockImplementationOnce(work);
    await fire();
    await settled();
    await api.run({ ...place, action: 'reset' });
    resolve(false);
    await settled();
    await look();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('that says yes while a probe is under way ends the wait for it', async () => {
    const { one, check, fire, fail, clock, health } = checked({ breaker: brittle }, { interval: 100, timeout: 100 });
    await fail(one.run, 1);
    await settled();
    await clock.advance(100);
    const probe = pending();
    one.run.mockImplementation(probe.work);
    check.mockReturnValue(true);
    const call = fire();
    await settled();
    // The check was asked for before the probe was: what has changed since leaves it no say.
    expect(health()).toMatchObject({ health: 'probing' });
    void fire();
    await settled();
    expect(health()).toMatchObject({ health: 'healthy', inFlight: 1 });
    probe.reject(new Error('late'));
    await call;
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('is cut short by close: its signal aborts, it gives no verdict and leaves no timer', async () => {
    const { check, look, api, clock, health } = checked();
    let signal: AbortSignal | undefined;
    check.mockImplementation((ctx) => {
      signal = ctx.signal;
      return never();
    });
    await look();
    expect(clock.pending).toBe(1);
    await api.close();
    expect(signal?.reason).toBeInstanceOf(EngineClosedError);
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    expect(clock.pending).toBe(0);
  });

  it('that close overtakes is never made', async () => {
    const { check, fire, api } = checked();
    const call = fire();
    await api.close();
    await call;
    await settled();
    expect(check).not.toHaveBeenCalled();
  });

  it('is waited for by close within its grace', async () => {
    const { check, look, api, clock, health } = checked({}, { timeout: 500 });
    const { work, resolve } = pending();
    check.mockImplementation(work);
    await look();
    let isClosed = false;
    const closed = api.close({ grace: 50 }).then(() => {
      isClosed = true;
    });
    await clock.advance(20);
    expect(isClosed).toBe(false);
    resolve(false);
    await closed;
    expect(health()).toMatchObject({ health: 'unhealthy' });
    expect(clock.pending).toBe(0);
  });

  it('is not begun by a trigger that is still under way after close', async () => {
    const check = vi.fn(() => true);
    const one = provider('one', { run: down, retries: 1, backoff: 10 });
    const two = provider('two', { healthcheck: { check, interval: 100 } });
    const { fire, api, clock } = engine([one, two]);
    const call = fire();
    await settled();
    const closed = api.close({ grace: 50 });
    await clock.advance(10);
    expect(await call).toMatchObject({ provider: 'two' });
    await closed;
    await settled();
    expect(check).not.toHaveBeenCalled();
  });

  it('gives a check time to answer, although it is to be made at every trigger', async () => {
    const { check, fire, clock, health } = checked({}, { interval: 0 });
    const { work, resolve } = pending();
    check.mockImplementation(work);
    await fire();
    await clock.advance(0);
    resolve(true);
    await settled();
    expect(health()).toMatchObject({ health: 'healthy' });
  });
});

describe('the breaker of a primary', () => {
  type World = ReturnType<typeof guarded>;
  type Options = {
    readonly signal?: AbortSignal;
    readonly timeout?: number;
    readonly handle?: (error: unknown) => boolean;
    readonly input?: (error: unknown) => Record<string, unknown>;
    readonly breaker?: { readonly failures: number; readonly cooldown: number };
  };
  const primaryError = new Error('primary');

  /** `risk`: the same primary behind `wrap` or behind `call`; `two` is the fallback's provider. */
  function guarded(how: 'wrap' | 'call', definition: object = {}) {
    const primary = vi.fn<() => unknown>(() => Promise.reject(primaryError));
    const two = provider('two');
    const world = engine([two], definition);
    const risk = async (options: Options = {}): Promise<unknown> => {
      const { input, ...rest } = { breaker, ...options };
      try {
        if (how === 'call') return await world.api.call('pay', primary, rest);
        return await world.api.wrap('pay', primary, { ...rest, ...(input && { input }) })();
      } catch (error) {
        return error;
      }
    };
    const health = () => world.api.inspect(place).primary;
    const trip = async (times = 2) => {
      for (let count = 0; count < times; count++) await risk();
      primary.mockClear();
      two.run.mockClear();
      world.heard();
    };
    return { ...world, how, primary, two, risk, health, trip };
  }

  describe.each(['wrap', 'call'] as const)('of %s', (how) => {
    it('skips it after so many failures in a row; the fallback is triggered at once', async () => {
      const { risk, primary, clock, health, two } = guarded(how);
      expect(await risk()).toBe('two');
      expect(health()).toEqual({ health: 'healthy', failures: 1, inFlight: 0 });
      await risk();
      expect(health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0, retryAfter: 100 });
      await clock.advance(99);
      expect(await risk()).toBe('two');
      expect(primary).toHaveBeenCalledTimes(2);
      expect(two.run).toHaveBeenCalledTimes(3);
      await clock.advance(1);
      primary.mockImplementation(() => 'primary');
      expect(await risk()).toBe('primary');
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    });

    it('counts in a row', async () => {
      const { risk, primary, health } = guarded(how);
      for (let round = 0; round < 3; round++) {
        await risk();
        primary.mockReturnValueOnce('primary');
        await risk();
        expect(health()).toMatchObject({ health: 'healthy', failures: 0 });
      }
    });

    it('counts a synchronous throw and a timeout', async () => {
      const { risk, primary, health, clock } = guarded(how);
      primary.mockImplementationOnce(() => {
        throw primaryError;
      });
      await risk();
      primary.mockImplementationOnce(never);
      const call = risk({ timeout: 20 });
      await clock.advance(20);
      expect(await call).toBe('two');
      expect(health()).toMatchObject({ health: 'unhealthy', failures: 2 });
    });

    it('does not count an error that handle says is the caller’s own', async () => {
      const handle = (error: unknown) => error !== primaryError;
      const own = guarded(how);
      const definitions = guarded(how, { handle });
      for (let count = 0; count < 3; count++) {
        expect(await own.risk({ handle })).toBe(primaryError);
        expect(await definitions.risk()).toBe(primaryError);
      }
      for (const { health } of [own, definitions])
        expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    });

    it('takes a fault of handle for a failure', async () => {
      const { risk, health } = guarded(how);
      await risk({ handle: () => expect.fail('handle') });
      expect(health()).toMatchObject({ failures: 1 });
    });

    it('does not ask handle about a primary that was skipped', async () => {
      const { risk, trip } = guarded(how);
      await trip();
      const handle = vi.fn(() => false);
      expect(await risk({ handle })).toBe('two');
      expect(handle).not.toHaveBeenCalled();
    });

    it('does not count the caller’s abort, nor does it fall back', async () => {
      const { risk, primary, health, two } = guarded(how);
      for (let count = 0; count < 3; count++) {
        const controller = new AbortController();
        primary.mockImplementationOnce(never);
        const call = risk({ signal: controller.signal });
        expect(health()).toMatchObject({ inFlight: 1 });
        controller.abort('enough');
        expect(await call).toBe('enough');
      }
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
      expect(two.run).not.toHaveBeenCalled();
    });

    it('does not count a call that close cut short', async () => {
      const { risk, primary, health, api, two } = guarded(how);
      primary.mockImplementation(never);
      const call = risk();
      await api.close();
      expect(await call).toBeInstanceOf(EngineClosedError);
      expect(await risk()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
      expect(two.run).not.toHaveBeenCalled();
    });

    it('lets nothing happen for a caller who has aborted before, or after close', async () => {
      const { risk, primary, two, trip, health, api } = guarded(how);
      await trip();
      const before = health();
      expect(await risk({ signal: AbortSignal.abort('enough') })).toBe('enough');
      await api.close();
      expect(await risk()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(health()).toEqual(before);
      expect(primary).not.toHaveBeenCalled();
      expect(two.run).not.toHaveBeenCalled();
    });

    it('lets one call probe; the others are skipped', async () => {
      const { risk, primary, trip, clock, health } = guarded(how);
      await trip();
      await clock.advance(100);
      const { work, resolve } = pending();
      primary.mockImplementation(work);
      const probe = risk();
      expect(health()).toEqual({ health: 'probing', failures: 2, inFlight: 1, retryAfter: 100 });
      expect(await Promise.all([risk(), risk()])).toEqual(['two', 'two']);
      expect(primary).toHaveBeenCalledTimes(1);
      resolve('primary');
      expect(await probe).toBe('primary');
      expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    });

    it.each<[string, (world: World) => Promise<unknown>, number]>([
      ['fails makes it wait anew', ({ risk }) => risk(), 100],
      [
        'is aborted leaves it to be probed at once',
        async ({ risk, primary }) => {
          const controller = new AbortController();
          primary.mockImplementationOnce(never);
          const call = risk({ signal: controller.signal });
          controller.abort();
          await call;
        },
        0,
      ],
      ['meets its caller’s own error leaves it to be probed at once', ({ risk }) => risk({ handle: () => false }), 0],
    ])('a probe that %s', async (_what, probe, retryAfter) => {
      const world = guarded(how);
      await world.trip();
      await world.clock.advance(100);
      await probe(world);
      expect(world.primary).toHaveBeenCalledTimes(1);
      expect(world.health()).toEqual({ health: 'unhealthy', failures: 2, inFlight: 0, retryAfter });
    });

    it('a probe that never settles loses its place, and its late answer still reaches its caller', async () => {
      const { risk, primary, trip, clock, health } = guarded(how);
      await trip();
      await clock.advance(100);
      const lost = pending();
      primary.mockImplementationOnce(lost.work);
      const first = risk();
      await clock.advance(100);
      expect(await risk()).toBe('two');
      expect(primary).toHaveBeenCalledTimes(2);
      expect(health()).toMatchObject({ health: 'unhealthy', inFlight: 1, retryAfter: 100 });
      lost.resolve('late');
      expect(await first).toBe('late');
      expect(health()).toMatchObject({ health: 'unhealthy', inFlight: 0 });
    });

    it('that is skipped is blamed for nothing: the errors, and the cause where there is one only, are the providers’', async () => {
      const { risk, two, trip, heard } = guarded(how);
      await trip();
      two.run.mockImplementation(down);
      const error = (await risk()) as FallbackFailedError;
      expect(error).toBeInstanceOf(FallbackFailedError);
      expect(error.errors).toEqual([expect.objectContaining({ message: 'down' })]);
      expect(error.cause).toBe(error.errors[0]);
      expect(heard()).toEqual(['triggered', 'attempt-started', 'attempt-ended', 'failed']);
    });

    it('that is not skipped is the cause, as without a breaker', async () => {
      const { risk, two } = guarded(how);
      two.run.mockImplementation(down);
      for (let count = 0; count < 2; count++) {
        const error = (await risk()) as FallbackFailedError;
        expect(error.cause).toBe(primaryError);
        expect(error.errors).toHaveLength(1);
      }
    });

    it('is told of in events, with the place of the call', async () => {
      const { risk, primary, clock, heard, events } = guarded(how);
      await risk();
      heard();
      await risk();
      expect(events[0]).toMatchObject({
        type: 'provider-unhealthy',
        provider: 'primary',
        failures: 2,
        retryAfter: 100,
        env: 'prd',
        product: 'payments',
        tag: 'pay',
        id: expect.any(String),
      });
      expect(heard()).toEqual([
        'provider-unhealthy primary',
        'triggered',
        'attempt-started',
        'attempt-ended',
        'recovered',
      ]);
      await clock.advance(100);
      primary.mockReturnValue('primary');
      await risk();
      expect(heard()).toEqual(['provider-probing primary', 'provider-healthy primary']);
    });

    it('leaves nothing behind', async () => {
      const { risk, primary, trip, clock, api } = guarded(how);
      const { signal } = new AbortController();
      await trip();
      await risk({ signal, timeout: 50 });
      await clock.advance(100);
      primary.mockImplementation(never);
      const probe = risk({ signal, timeout: 50 });
      await clock.advance(50);
      await probe;
      expect(clock.pending).toBe(0);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      expect(api.inspect(place)).toMatchObject({ inFlight: 0, primary: { inFlight: 0 } });
    });

    it('does not call it after its caller has aborted on hearing of provider-probing', async () => {
      const { risk, primary, trip, clock, api } = guarded(how);
      await trip();
      await clock.advance(100);
      const controller = new AbortController();
      const { work, resolve } = pending();
      primary.mockImplementation(work);
      api.on('provider-probing', () => controller.abort('stop'));
      let end: unknown = 'still waiting';
      const call = risk({ signal: controller.signal }).then((reason) => {
        end = reason;
      });
      await settled();
      const seen = { end, calls: primary.mock.calls.length };
      resolve('late');
      await call;
      expect(seen).toEqual({ end: 'stop', calls: 0 });
    });

    it('that is stricter than before makes it wait from now on', async () => {
      const { risk, primary, trip } = guarded(how);
      await trip(1);
      primary.mockReturnValue('called');
      expect(await risk({ breaker: brittle })).toBe('two');
      expect(primary).not.toHaveBeenCalled();
    });
  });

  it('of wrap gives the input the error that the primary met last', async () => {
    const { risk, primary, trip, two } = guarded('wrap');
    const input = vi.fn((error: unknown) => ({ reason: String(error) }));
    await trip();
    await risk({ input });
    expect(input).toHaveBeenCalledExactlyOnceWith(primaryError);
    expect(two.run).toHaveBeenCalledExactlyOnceWith({ reason: 'Error: primary' }, expect.anything());
    expect(primary).not.toHaveBeenCalled();
  });

  it('of wrap gives the input an error of ours where the last was met by another process', async () => {
    const one = guarded('wrap');
    await one.trip();
    const { api, risk } = guarded('wrap');
    api.restore(JSON.parse(JSON.stringify(one.api.snapshot())));
    const input = vi.fn(() => ({}));
    expect(await risk({ input })).toBe('two');
    expect(input).toHaveBeenCalledExactlyOnceWith(new Error('the primary is unhealthy'));
  });

  it('of wrap and of call is one and the same, for all keys', async () => {
    const { api, risk, primary, trip } = guarded('call');
    await trip();
    const options = { breaker, cache: 'k', input: () => ({}) };
    expect(await api.wrap('pay', primary, options)()).toBe('two');
    expect(await risk()).toBe('two');
    expect(primary).not.toHaveBeenCalled();
  });

  it('belongs to one env, product and tag', async () => {
    const { api, primary, trip } = guarded('call');
    api.define(defineFallback({ tag: 'sms', providers: [{ name: 'one', value: 1 }] }));
    await trip();
    primary.mockReturnValue('primary');
    for (const at of [{ env: 'dev' }, { product: 'checkout' }])
      expect(await api.call('pay', primary, { breaker, ...at })).toBe('primary');
    expect(await api.call('sms', primary, { breaker })).toBe('primary');
    const guard = api.wrap('pay', (env: string) => primary() ?? env, { breaker, env: (env) => env, input: () => ({}) });
    expect(await guard('dev')).toBe('primary');
    expect(await guard('prd')).toBe('two');
  });

  it('holds only calls that have one to account', async () => {
    const { api, primary, trip, health } = guarded('call');
    for (let count = 0; count < 5; count++) await api.call('pay', primary);
    expect(health()).toBeUndefined();
    await trip();
    primary.mockReturnValue('primary');
    expect(await api.call('pay', primary)).toBe('primary');
    expect(await api.wrap('pay', primary)()).toBe('primary');
    expect(health()).toMatchObject({ health: 'unhealthy' });
  });

  it('of a function wrapped before close refuses the calls after it', async () => {
    const { api, primary, health } = guarded('wrap');
    const charge = api.wrap('pay', primary, { breaker });
    await api.close();
    await expect(charge()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(primary).not.toHaveBeenCalled();
    expect(health()).toBeUndefined();
  });

  it('keeps the this and the arguments of the primary', async () => {
    const { api } = guarded('wrap');
    const till = {
      drawer: 'full',
      charge: api.wrap(
        'pay',
        function (this: { readonly drawer: string }, amount: number) {
          return [this.drawer, amount];
        },
        { breaker, input: () => ({}) },
      ),
    };
    expect(await till.charge(7)).toEqual(['full', 7]);
  });

  it('is made healthy by a reset without a key only', async () => {
    const { api, health, trip } = guarded('call');
    await trip();
    await api.run({ ...place, action: 'reset', cache: 'k' });
    expect(health()).toMatchObject({ health: 'unhealthy' });
    await api.run({ ...place, action: 'reset' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it.each([
    [{ failures: 0, cooldown: 1 }, 'breaker.failures'],
    [{ failures: 1, cooldown: Number.NaN }, 'breaker.cooldown'],
    [{ failures: 1 }, 'breaker.cooldown'],
    [null, 'breaker'],
    [true, 'breaker'],
    [{ failures: 1, cooldown: 1, colldown: 2 }, 'breaker.colldown'],
  ])('is refused as %j, of wrap at once and of call as a rejection', async (bad, path) => {
    const { api, primary } = guarded('call');
    const options = { breaker: bad, input: () => ({}) } as never;
    const refusal = { code: 'ERR_INVALID_REQUEST', issues: [expect.objectContaining({ path })] };
    expect(() => api.wrap('pay', primary, options)).toThrow(expect.objectContaining(refusal));
    await expect(api.call('pay', primary, { breaker: bad } as never)).rejects.toMatchObject(refusal);
    expect(primary).not.toHaveBeenCalled();
  });

  it('asks the functions among the options once per call', async () => {
    const { api } = guarded('wrap');
    const cache = vi.fn(() => 'k');
    await api.wrap('pay', down, { breaker, cache, input: () => ({}) })();
    expect(cache).toHaveBeenCalledTimes(1);
  });

  it('gives the place in flight back whatever the functions among the options throw', async () => {
    const { api, health } = guarded('wrap');
    let asked = 0;
    const cache = () => (++asked > 1 ? expect.fail('cache') : 'k');
    await api
      .wrap('pay', down, { breaker, cache, input: () => ({}) })()
      .catch(() => {});
    expect(health()?.inFlight).toBe(0);
  });

  it('calls a primary that is well, though there is no room to remember its health', async () => {
    const { api, fire, two } = (() => {
      const two = provider('two');
      return { ...engine([two], {}, { maxScopes: 1 }), two };
    })();
    two.run.mockImplementation(down);
    await fire();
    const answer = await api.call('pay', () => 'primary', { env: 'dev', breaker }).catch((error) => error);
    expect(answer).toBe('primary');
  });

  it('is inspected once it has been called', async () => {
    const { api, health } = guarded('call');
    expect(health()).toBeUndefined();
    await api.call('pay', () => 'primary', { breaker });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });
});

describe('an update by hand', () => {
  const update = { ...place, action: 'update' } as const;

  it('makes a provider unhealthy until it is made healthy', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, byHand, clock, health } = engine([one, provider('two')]);
    await byHand('one', 'unhealthy');
    expect(health()).toEqual({ health: 'unhealthy', failures: 0, inFlight: 0 });
    await clock.advance(1_000_000);
    for (const at of [{}, { cache: 'k' }]) {
      const { attempts } = await fire(at);
      expect(attempts[0]).toEqual(skippedBy('one', 'unhealthy'));
    }
    expect(one.run).not.toHaveBeenCalled();
    await byHand('one', 'healthy');
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    expect(await fire()).toMatchObject({ provider: 'one' });
  });

  it('makes a provider healthy that its breaker or its health check has made unhealthy', async () => {
    const one = provider('one', { breaker: brittle });
    const two = provider('two', { healthcheck: { check: () => false, interval: 1_000 } });
    const { fire, fail, byHand, health } = engine([one, two, provider('three')]);
    await fail(one.run, 1);
    await settled();
    expect([health('one'), health('two')]).toMatchObject([{ health: 'unhealthy' }, { health: 'unhealthy' }]);
    for (const name of ['one', 'two']) await byHand(name, 'healthy');
    one.run.mockImplementation(down);
    expect(outcomes((await fire()).attempts)).toEqual([
      ['one', 1, 'failed'],
      ['two', 1, 'succeeded'],
    ]);
  });

  it('works for a provider that has nothing else to do with health', async () => {
    const one = provider('one');
    const { api, fire, byHand } = engine([one, provider('two')]);
    await byHand('one', 'unhealthy');
    expect((await fire()).attempts[0]).toEqual(skippedBy('one', 'unhealthy'));
    expect(api.inspect(place).providers).toEqual({
      one: { health: 'unhealthy', failures: 0, inFlight: 0 },
      two: { health: 'healthy', failures: 0 },
    });
    await byHand('one', 'healthy');
    expect(await fire()).toMatchObject({ provider: 'one' });
  });

  it('holds whatever comes of the attempts that were under way', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, byHand, health } = engine([one, provider('two')]);
    for (const [verdict, verb] of [
      ['unhealthy', 'resolve'],
      ['healthy', 'reject'],
    ] as const) {
      const call = pending();
      await byHand('one', 'healthy');
      one.run.mockImplementationOnce(call.work);
      const old = fire();
      await byHand('one', verdict);
      call[verb]('late');
      await old;
      expect(health()).toMatchObject({ health: verdict, failures: 0, inFlight: 0 });
    }
  });

  it('may be said of several at once, beside configuration', async () => {
    const { api, fire, health } = engine([provider('one'), provider('two'), provider('three')]);
    const input = {
      maxRetries: 7,
      providers: { one: { health: 'unhealthy' }, two: { health: 'unhealthy', retries: 3 }, three: { timeout: 50 } },
    };
    const result = await api.run({ ...update, input });
    expect(result).toMatchObject({ revision: 1, config: { maxRetries: 7 } });
    expect(result.config.providers).toEqual({
      one: { enabled: true, retries: 0, timeout: null },
      two: { enabled: true, retries: 3, timeout: null },
      three: { enabled: true, retries: 0, timeout: 50 },
    });
    expect([health('one'), health('two')]).toMatchObject([{ health: 'unhealthy' }, { health: 'unhealthy' }]);
    expect(await fire()).toMatchObject({ provider: 'three' });
    expect(api.snapshot().machines).toMatchObject([
      { updates: { maxRetries: 7, providers: { two: { retries: 3 }, three: { timeout: 50 } } } },
    ]);
    expect(JSON.stringify(api.snapshot().machines[0]?.updates)).not.toContain('health');
  });

  it('is no configuration: nothing is revised, nothing pinned, and a reset of the configuration needs none', async () => {
    const { api, byHand } = engine([provider('one')]);
    const before = api.inspect(place).config;
    expect(await byHand('one', 'unhealthy')).toEqual({
      action: 'update',
      state: 'idle',
      config: before,
      revision: 0,
    });
    expect(api.inspect(place)).toMatchObject({ config: before, revision: 0 });
    expect(api.snapshot().machines[0]).not.toHaveProperty('updates');
  });

  it('may be said twice', async () => {
    const { byHand, health, heard } = engine([provider('one')]);
    for (const verdict of ['unhealthy', 'unhealthy', 'healthy', 'healthy']) {
      await byHand('one', verdict);
      expect(health()).toMatchObject({ health: verdict });
    }
    expect(heard()).toEqual([
      'provider-unhealthy one',
      'updated',
      'updated',
      'provider-healthy one',
      'updated',
      'updated',
    ]);
  });

  it('leaves what it takes back of the configuration in force as it was', async () => {
    const { api, health } = engine([provider('one'), provider('two')]);
    await api.run({ ...update, input: { providers: { one: { retries: 4 }, two: { retries: 5 } } } });
    await api.run({ ...update, input: { providers: { one: { health: 'unhealthy', retries: null }, two: null } } });
    expect(api.inspect(place).config.providers).toMatchObject({ one: { retries: 0 }, two: { retries: 0 } });
    expect(health()).toMatchObject({ health: 'unhealthy' });
    await api.run({ ...update, input: { providers: { one: { health: undefined }, two: undefined } } as never });
    await api.run({ ...update, input: { providers: null } });
    expect(health()).toMatchObject({ health: 'unhealthy' });
  });

  it.each<[string, object, string]>([
    ['with a cache', { cache: 'k' }, 'providers.one.health'],
    [
      'with a bad health beside it',
      { input: { providers: { one: { health: 'unhealthy' }, two: { health: 'sick' } } } },
      'providers.two.health',
    ],
    ['with null for a health', { input: { providers: { one: { health: null } } } }, 'providers.one.health'],
    ['with a health in capitals', { input: { providers: { one: { health: 'Healthy' } } } }, 'providers.one.health'],
    ['with a boolean', { input: { providers: { one: { health: true } } } }, 'providers.one.health'],
    ['of probing', { input: { providers: { one: { health: 'probing' } } } }, 'providers.one.health'],
    [
      'of an unknown provider',
      { input: { providers: { one: { health: 'unhealthy' }, tow: { health: 'healthy' } } } },
      'providers.tow',
    ],
    [
      'of the primary',
      { input: { providers: { one: { health: 'unhealthy' }, primary: { health: 'healthy' } } } },
      'providers.primary',
    ],
    [
      'with a bad configuration',
      { input: { maxRetries: -1, providers: { one: { health: 'unhealthy' } } } },
      'maxRetries',
    ],
    ['with bad settings', { input: { region: 5, providers: { one: { health: 'unhealthy' } } } }, 'region'],
    ['with unknown settings', { input: { regoin: 'eu', providers: { one: { health: 'unhealthy' } } } }, 'regoin'],
    ['with a misspelt key', { input: { providers: { one: { heatlh: 'unhealthy' } } } }, 'providers.one.heatlh'],
    ['with a health that is no provider’s', { input: { health: 'unhealthy' } }, 'health'],
  ])('is refused %s, and nothing is applied', async (_what, more, path) => {
    const settings = z.object({ region: z.string().default('eu') });
    const { api, fire, heard } = engine([provider('one'), provider('two')], { settings });
    // Something is known of it already, which a refusal could spoil.
    await fire();
    heard();
    const before = [api.inspect(place), api.snapshot()];
    const input = { maxRetries: 3, providers: { one: { health: 'unhealthy' } } };
    await expect(api.run({ ...update, input, ...more } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      issues: [{ path }],
    });
    expect([api.inspect(place), api.snapshot()]).toEqual(before);
    expect(heard()).toEqual([]);
  });

  it('names the nearest key, and says what was expected', async () => {
    const { api } = engine([provider('one')]);
    await expect(api.run({ ...update, input: { providers: { one: { helth: 'healthy' } } } as never })).rejects.toThrow(
      'did you mean "health"?',
    );
    await expect(api.run({ ...update, input: { providers: { one: { health: 'sick' } } } as never })).rejects.toThrow(
      "expected 'healthy' or 'unhealthy', got \"sick\"",
    );
  });

  it('is undone by a reset without a key, and by no other', async () => {
    const { api, byHand, health } = engine([provider('one')]);
    await byHand('one', 'unhealthy');
    await api.run({ ...place, action: 'reset', cache: 'k', input: { config: true } });
    expect(health()).toMatchObject({ health: 'unhealthy' });
    await api.run({ ...place, action: 'reset' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('holds in its own env and product', async () => {
    const { api, byHand } = engine([provider('one'), provider('two')]);
    await byHand('one', 'unhealthy', { env: 'dev' });
    expect(api.inspect(place).providers?.one?.health ?? 'healthy').toBe('healthy');
    expect(api.inspect({ ...place, env: 'dev' }).providers?.one).toMatchObject({ health: 'unhealthy' });
  });
});

describe('inspect', () => {
  it('tells nothing of health where nothing asks for it', async () => {
    const { api, fire } = engine([provider('one')]);
    await fire();
    expect(api.inspect(place)).not.toHaveProperty('providers');
    expect(api.inspect(place)).not.toHaveProperty('primary');
  });

  it.each([
    ['breaker', { breaker }],
    ['health check', { healthcheck: { check: () => true, interval: 100 } }],
    ['concurrency', { concurrency: 1 }],
  ])('tells of every provider where one has a %s, though none was ever used', (_what, more) => {
    const { api } = engine([provider('one', more), provider('two')]);
    const two = { health: 'healthy', failures: 0 };
    const healthy = { one: { ...two, inFlight: 0 }, two };
    expect(api.inspect(place).providers).toEqual(healthy);
    expect(api.inspect({ ...place, env: 'dev', cache: 'k' }).providers).toEqual(healthy);
    expect(api.snapshot().machines).toEqual([]);
  });

  it('tells the same of health whatever the key, known or not', async () => {
    const one = provider('one', { breaker });
    const { api, fire } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    await fire({ cache: 'a' });
    for (const at of [{}, { cache: 'a' }, { cache: 'b' }])
      expect(api.inspect({ ...place, ...at }).providers?.one).toEqual({ health: 'healthy', failures: 1, inFlight: 0 });
  });

  it('counts down, down to 0, and moves nothing', async () => {
    const one = provider('one', { breaker: brittle });
    const { fail, clock, health } = engine([one, provider('two')]);
    await fail(one.run, 1);
    for (const [ms, retryAfter] of [
      [0, 100],
      [60, 40],
      [40, 0],
      [900, 0],
    ] as const) {
      await clock.advance(ms);
      expect(health()).toEqual({ health: 'unhealthy', failures: 1, inFlight: 0, retryAfter });
    }
  });

  it('tells what is in flight, retries one by one', async () => {
    const one = provider('one', { breaker, retries: 1, backoff: 10 });
    const { fire, clock, health } = engine([one, provider('two')]);
    const calls = [pending(), pending()];
    for (const { work } of calls) one.run.mockImplementationOnce(work);
    const call = fire();
    expect(health()?.inFlight).toBe(1);
    calls[0]?.reject(new Error('down'));
    await settled();
    expect(health()).toEqual({ health: 'healthy', failures: 1, inFlight: 0 });
    await clock.advance(10);
    expect(health()?.inFlight).toBe(1);
    calls[1]?.resolve('one');
    await call;
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('is plain JSON, as far as health goes', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fail } = engine([one, provider('two')]);
    await fail(one.run, 1);
    await api.call('pay', down, { breaker: brittle });
    const { providers, primary } = api.inspect(place);
    expect(JSON.parse(JSON.stringify(api.inspect(place)))).toMatchObject({ providers, primary });
  });

  it('works after close', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fail, health } = engine([one, provider('two')]);
    await fail(one.run, 1);
    await api.close();
    expect(health()).toMatchObject({ health: 'unhealthy' });
  });

  it('tells nothing of what is in flight where nobody counts it', async () => {
    const one = provider('one');
    const { fire, health } = engine([one, provider('two', { breaker })]);
    one.run.mockImplementation(never);
    void fire();
    expect(health()).toEqual({ health: 'healthy', failures: 0 });
  });
});

describe('the events', () => {
  it('tell a provider’s illness and recovery among those of its trigger, in order', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, clock, heard } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    const tried = ['attempt-started', 'attempt-ended'];
    await fire();
    expect(heard()).toEqual(['triggered', ...tried, 'provider-unhealthy one', ...tried, 'recovered']);
    await fire();
    expect(heard()).toEqual(['triggered', ...tried, 'recovered']);
    await clock.advance(100);
    await fire();
    expect(heard()).toEqual([
      'triggered',
      'provider-probing one',
      ...tried,
      'provider-unhealthy one',
      ...tried,
      'recovered',
    ]);
    await clock.advance(100);
    one.run.mockImplementation(() => 'well');
    await fire();
    expect(heard()).toEqual(['triggered', 'provider-probing one', ...tried, 'provider-healthy one', 'recovered']);
  });

  it('tell their facts, where and when', async () => {
    const one = provider('one', { breaker });
    const { fire, clock, events } = engine([one, provider('two')]);
    one.run.mockImplementation(down);
    for (let count = 0; count < 2; count++) await fire({ cache: 'k' }, { id: `t${count}` });
    await clock.advance(100);
    one.run.mockImplementation(() => 'well');
    await fire({}, { id: 'probe' });
    const about = { env: 'prd', product: 'payments', tag: 'pay', provider: 'one' };
    const told = events.filter(({ type }) => type.startsWith('provider-'));
    expect(told).toEqual([
      { type: 'provider-unhealthy', at: 1_000, id: 't1', ...about, cache: 'k', failures: 2, retryAfter: 100 },
      { type: 'provider-probing', at: 1_100, id: 'probe', ...about, failures: 2 },
      { type: 'provider-healthy', at: 1_100, id: 'probe', ...about, failures: 0 },
    ]);
    expect(told.every((event) => Object.isFrozen(event))).toBe(true);
  });

  it('of a health check are no call’s: they have neither id nor cache', async () => {
    const verdicts = [false, true];
    const one = provider('one', { healthcheck: { check: () => verdicts.shift(), interval: 100 } });
    const { fire, clock, events } = engine([one, provider('two')]);
    for (let count = 0; count < 2; count++) {
      await fire({ cache: 'k' });
      await clock.advance(100);
    }
    const about = { env: 'prd', product: 'payments', tag: 'pay', provider: 'one', failures: 0 };
    expect(events.filter(({ type }) => type.startsWith('provider-'))).toEqual([
      // No breaker: nobody knows when it is to be tried again.
      { type: 'provider-unhealthy', at: 1_000, ...about },
      { type: 'provider-healthy', at: 1_100, ...about },
    ]);
  });

  it('come once health has moved', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fire, fail, clock, health } = engine([one, provider('two')]);
    const seen: unknown[] = [];
    for (const type of ['provider-unhealthy', 'provider-probing', 'provider-healthy'] as const)
      api.on(type, () => seen.push([type, health()?.health]));
    await fail(one.run, 1);
    await clock.advance(100);
    one.run.mockImplementation(() => 'well');
    await fire();
    expect(seen).toEqual([
      ['provider-unhealthy', 'unhealthy'],
      ['provider-probing', 'probing'],
      ['provider-healthy', 'healthy'],
    ]);
  });

  it('of a reset come before the reset is told, one for each that was unhealthy', async () => {
    const [one, two, three] = [
      provider('one', { breaker }),
      provider('two', { breaker }),
      provider('three', { breaker }),
    ];
    const { api, byHand, heard } = engine([one, two, three]);
    for (const name of ['one', 'three']) await byHand(name, 'unhealthy');
    heard();
    await api.run({ ...place, action: 'reset' });
    expect(heard()).toEqual(['provider-healthy one', 'provider-healthy three', 'reset']);
    await api.run({ ...place, action: 'reset' });
    expect(heard()).toEqual(['reset']);
  });

  it('do not tell of what only a snapshot brought', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fail, heard } = engine([one, provider('two')]);
    await fail(one.run, 1);
    const snapshot = api.snapshot();
    await api.run({ ...place, action: 'reset' });
    heard();
    api.restore(snapshot);
    expect(heard()).toEqual([]);
  });

  it('change nothing, whatever a listener throws', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fire, fail, health, clock } = engine([one, provider('two')]);
    for (const type of ['provider-unhealthy', 'provider-probing', 'provider-healthy'] as const)
      api.on(type, () => expect.fail('listener'));
    await fail(one.run, 1);
    expect(health()).toMatchObject({ health: 'unhealthy' });
    await clock.advance(100);
    one.run.mockImplementation(() => 'well');
    expect(await fire()).toMatchObject({ provider: 'one' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('may be answered with a reset: what was under way then counts no more', async () => {
    const one = provider('one', { breaker: brittle });
    const { api, fire, health } = engine([one, provider('two')]);
    api.on('provider-unhealthy', () => void api.run({ ...place, action: 'reset' }));
    one.run.mockImplementation(down);
    expect(await fire()).toMatchObject({ provider: 'two' });
    expect(health()).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
  });

  it('show no session’s token', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, events } = engine([one, provider('two')]);
    one.run.mockImplementation(() => Promise.reject(new Error('token t0p-s3cret refused')));
    await fire({ session: { tag: 'user', token: 't0p-s3cret' } });
    const told = events.filter(({ type }) => type.startsWith('provider-'));
    expect(told).toHaveLength(1);
    expect(JSON.stringify(told)).not.toContain('t0p-s3cret');
  });

  it('tell each probe, that which takes the place of a lost one, too', async () => {
    const one = provider('one', { breaker: brittle });
    const { fire, fail, clock, events } = engine([one, provider('two')]);
    await fail(one.run, 1);
    one.run.mockImplementation(never);
    for (let count = 0; count < 2; count++) {
      await clock.advance(100);
      void fire();
    }
    expect(one.run).toHaveBeenCalledTimes(3);
    expect(events.filter(({ type }) => type === 'provider-probing')).toHaveLength(2);
  });
});
