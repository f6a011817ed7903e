import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Clock,
  type Context,
  createDuctape,
  defineFallback,
  type Fallback,
  type FallbackEvent,
  FallbackFailedError,
  InvalidDefinitionError,
  InvalidRequestError,
} from '../../../src/index.ts';
import { ChaosError, type ChaosInjection, type ChaosOptions, chaos } from '../../../src/testing/chaos.ts';
import { virtualClock } from '../../../src/testing/virtual-clock.ts';

/** A policy whose providers tell when they were called, by the clock of their engine. */
function world(over: object = {}) {
  const clock = virtualClock();
  const calls: string[] = [];
  const work = (name: string) => async (_input: object, _ctx: Context) => {
    calls.push(`${name} at ${clock.now()}`);
    return name;
  };
  const policy = defineFallback({
    tag: 'pay',
    providers: [
      { name: 'stripe', run: work('stripe'), timeout: 2_000, ...over },
      { name: 'paypal', run: work('paypal') },
      { name: 'queue', value: 'queued' },
    ],
  });
  const engineOf = (fallback: typeof policy) =>
    createDuctape({ env: 'e', product: 'p', clock, fallbacks: [fallback] as const }).fallback;
  return { clock, calls, policy, engineOf };
}

const TRIGGER = { fallback_tag: 'pay', action: 'trigger' } as const;
const ALWAYS = { seed: 1, enabled: true } as const;

/** What a policy of one provider does at each of 200 calls: the fault, or `ok`. */
async function faultsOf(options: Omit<ChaosOptions<'stripe'>, 'seed'> & { readonly seed?: number }, tag = 'pay') {
  const told: ChaosInjection[] = [];
  const policy = defineFallback({ tag, maxRetries: 1_000, providers: [{ name: 'stripe', run: () => 'done' }] });
  const broken = chaos(policy, { seed: 1, enabled: true, onInject: (injection) => told.push(injection), ...options });
  const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [broken] });
  const settled: Promise<unknown>[] = [];
  for (let n = 0; n < 200; n++) settled.push(fallback.run({ fallback_tag: tag, action: 'trigger', input: { n } }));
  const results = await Promise.allSettled(settled);
  return results.map((_, index) => told.find(({ call }) => call === index + 1)?.fault ?? 'ok');
}

describe('chaos that is off', () => {
  it('is the very fallback given, and off is what it is by default', () => {
    const { policy } = world();
    expect(chaos(policy, { seed: 1, rates: { reject: 1 } })).toBe(policy);
    expect(chaos(policy, { seed: 1, rates: { reject: 1 }, enabled: false })).toBe(policy);
  });

  it('changes nothing while its switch says no, and is asked at each call', async () => {
    const { policy, engineOf } = world();
    let isOn = false;
    const engine = engineOf(chaos(policy, { seed: 1, rates: { reject: 1 }, enabled: () => isOn }));
    expect((await engine.run(TRIGGER)).provider).toBe('stripe');
    isOn = true;
    expect((await engine.run(TRIGGER)).provider).toBe('queue');
    isOn = false;
    expect((await engine.run(TRIGGER)).provider).toBe('stripe');
  });

  it.each([
    ['a switch that throws', { enabled: () => raise() }],
    ['a switch that is asynchronous', { enabled: async () => true }],
    ['a when that throws', { enabled: true, when: () => raise() }],
    ['a when that is asynchronous', { enabled: true, when: async () => true }],
  ])('is what %s leaves', async (_what, options) => {
    const { policy, engineOf } = world();
    const engine = engineOf(chaos(policy, { seed: 1, rates: { throw: 1 }, ...(options as object) }));
    expect((await engine.run(TRIGGER)).provider).toBe('stripe');
  });

  it('keeps what providers are: their this, their classes, their private parts, an answer that is no promise', async () => {
    class Gateway {
      readonly name = 'gateway';
      readonly #answer = 'charged';
      run() {
        return this.#answer;
      }
      when() {
        return this.#answer === 'charged';
      }
      accept(output: unknown) {
        return output === this.#answer;
      }
    }
    const policy = defineFallback({ tag: 'pay', providers: [new Gateway()] });
    const off = chaos(policy, { seed: 1, rates: { reject: 1 }, enabled: () => false });
    const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [off] });
    expect(await fallback.run(TRIGGER)).toMatchObject({ provider: 'gateway', output: 'charged' });
  });

  it('keeps what a definition has of its class, its handle with its this', async () => {
    const { policy } = world();
    const own = new Error('the caller is wrong');
    class Payments {
      readonly #own = own;
      get tag() {
        return 'pay';
      }
      get providers() {
        return [{ name: 'stripe', run: () => Promise.reject(own) }];
      }
      handle(error: unknown) {
        return error !== this.#own;
      }
    }
    const broken = chaos(new Payments() as unknown as typeof policy, { ...ALWAYS, rates: { reject: 0 } });
    const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [broken] as const });
    await expect(fallback.run(TRIGGER)).rejects.toBe(own);
  });
});

describe('an injected fault', () => {
  it.each(['reject', 'throw'] as const)('%s: the provider is not called, and the error is marked', async (fault) => {
    const { policy, engineOf, calls } = world();
    const engine = engineOf(chaos(policy, { ...ALWAYS, rates: { stripe: { [fault]: 1 } } }));
    const { attempts, provider, id } = await engine.run(TRIGGER);
    expect([provider, calls]).toEqual(['paypal', ['paypal at 0']]);
    const error = attempts[0]?.error;
    expect(error).toBeInstanceOf(ChaosError);
    expect(error).toMatchObject({ name: 'ChaosError', code: 'ERR_CHAOS', isChaos: true, fault, provider: 'stripe' });
    expect((error as ChaosError).injection).toStrictEqual({
      fault,
      tag: 'pay',
      provider: 'stripe',
      id,
      attempt: 1,
      call: 1,
    });
    expect(String(error)).toBe(`ChaosError: chaos: ${fault} injected into "stripe", call 1`);
    expect(Object.assign(error as ChaosError, { name: 'Renamed' }).name).toBe('Renamed');
    expect(Object.getOwnPropertyDescriptor(ChaosError.prototype, 'name')?.configurable).toBe(true);
  });

  it('slow: the provider is called late, by as much as was told', async () => {
    const { policy, engineOf, calls, clock } = world();
    const told: ChaosInjection[] = [];
    const options = { ...ALWAYS, clock, onInject: (injection: ChaosInjection) => told.push(injection) };
    const engine = engineOf(chaos(policy, { ...options, latency: 300, rates: { stripe: { slow: 1 } } }));
    const result = engine.run(TRIGGER);
    await clock.advance(299);
    expect(calls).toEqual([]);
    await clock.advance(1);
    expect(calls).toEqual(['stripe at 300']);
    expect((await result).provider).toBe('stripe');
    expect(told).toMatchObject([{ fault: 'slow', provider: 'stripe', latency: 300 }]);
    expect(Object.isFrozen(told[0])).toBe(true);
  });

  it('slow: a provider given up on meanwhile is not called at all, and leaves no timer', async () => {
    const { policy, engineOf, calls, clock } = world({ timeout: 100 });
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock, latency: 300, rates: { stripe: { slow: 1 } } }));
    const late: FallbackEvent<'late'>[] = [];
    engine.on('late', (event) => late.push(event));
    const result = engine.run(TRIGGER);
    await clock.advance(100);
    expect((await result).attempts[0]).toMatchObject({ outcome: 'timed-out', error: { code: 'ERR_ATTEMPT_TIMEOUT' } });
    expect(clock.pending).toBe(0);
    await clock.advance(1_000);
    expect(calls).toEqual(['paypal at 100']);
    expect(late).toMatchObject([{ error: { isChaos: true, fault: 'slow', cause: { code: 'ERR_ATTEMPT_TIMEOUT' } } }]);
  });

  it('slow: a provider given up on in the very moment of its call is not called', async () => {
    const { policy, engineOf, calls } = world();
    const due: (() => void)[] = [];
    const late: Clock = { now: () => 0, setTimeout: (callback) => due.push(callback), clearTimeout: () => undefined };
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock: late, rates: { stripe: { slow: 1 } } }));
    const caller = new AbortController();
    const result = engine.run(TRIGGER, { signal: caller.signal });
    expect(due).toHaveLength(1);
    due[0]?.();
    caller.abort(new Error('gone'));
    await expect(result).rejects.toThrow('gone');
    expect(calls).toEqual([]);
  });

  it('slow: what the provider then fails with is its own error', async () => {
    const down = new Error('503');
    const { policy, engineOf, clock } = world({ run: () => Promise.reject(down) });
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock, rates: { stripe: { slow: 1 } } }));
    const result = engine.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await result).attempts[0]?.error).toBe(down);
  });

  it('hang: it never answers, and a late event tells that it was chaos', async () => {
    const { policy, engineOf, calls, clock } = world();
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock, rates: { stripe: { hang: 1 } } }));
    const late: unknown[] = [];
    engine.on('late', ({ error }) => late.push(error));
    const result = engine.run(TRIGGER);
    await clock.advance(1_999);
    expect(calls).toEqual([]);
    await clock.advance(1);
    expect((await result).provider).toBe('paypal');
    expect(late).toMatchObject([{ isChaos: true, fault: 'hang' }]);
  });

  it('lost: the provider does its work, and the answer is lost', async () => {
    const { policy, engineOf, calls } = world();
    const engine = engineOf(chaos(policy, { ...ALWAYS, rates: { stripe: { lost: 1 } } }));
    const { attempts, provider } = await engine.run(TRIGGER);
    expect([provider, calls]).toEqual(['paypal', ['stripe at 0', 'paypal at 0']]);
    expect(attempts[0]).toMatchObject({ outcome: 'failed', error: { isChaos: true, fault: 'lost' } });
  });

  it('lost: what failed by itself keeps its own error, and counts as no injection', async () => {
    const down = new Error('503');
    let isDown = true;
    const answer = () => {
      if (isDown) throw down;
      return 'charged';
    };
    const { policy, engineOf } = world({ run: answer });
    const told: ChaosInjection[] = [];
    const options = { ...ALWAYS, limit: 1, onInject: (injection: ChaosInjection) => told.push(injection) };
    const engine = engineOf(chaos(policy, { ...options, rates: { stripe: { lost: 1 } } }));
    expect((await engine.run(TRIGGER)).attempts[0]?.error).toBe(down);
    expect(told).toEqual([]);
    isDown = false;
    expect((await engine.run(TRIGGER)).attempts[0]?.error).toMatchObject({ fault: 'lost' });
    expect((await engine.run(TRIGGER)).provider).toBe('stripe');
    expect(told).toMatchObject([{ fault: 'lost', call: 2 }]);
  });

  it('is retried like any other failure', async () => {
    const { policy, engineOf } = world({ retries: 1, backoff: 0 });
    const engine = engineOf(chaos(policy, { ...ALWAYS, limit: 1, rates: { stripe: { reject: 1 } } }));
    const { attempts } = await engine.run(TRIGGER);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded']);
  });

  it('spares a value: it cannot fail', async () => {
    const { policy, engineOf } = world();
    const engine = engineOf(chaos(policy, { ...ALWAYS, rates: { throw: 1 } }));
    expect((await engine.run(TRIGGER)).output).toBe('queued');
  });

  it('is in the events and in the error thrown', async () => {
    const policy = defineFallback({ tag: 'pay', providers: [{ name: 'a', run: () => 1 }] });
    const broken = chaos(policy, { ...ALWAYS, rates: { reject: 1 } });
    const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [broken] });
    const errors: unknown[] = [];
    fallback.on('attempt-ended', ({ error }) => errors.push(error));
    const failure = await fallback.run(TRIGGER).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FallbackFailedError);
    expect((failure as FallbackFailedError).errors).toEqual(errors);
    expect(errors).toMatchObject([{ isChaos: true }]);
  });

  it('reaches its caller whatever the observer throws', async () => {
    const { policy, engineOf } = world();
    for (const onInject of [() => raise(), () => Promise.reject(new Error('observer'))]) {
      const engine = engineOf(chaos(policy, { ...ALWAYS, onInject, rates: { stripe: { reject: 1 } } }));
      expect((await engine.run(TRIGGER)).attempts[0]?.error).toBeInstanceOf(ChaosError);
    }
  });
});

describe('chance', () => {
  const rates = { reject: 0.3, lost: 0.2 };

  it('is decided by the seed, the tag, the provider and the number of the call', async () => {
    const faults = await faultsOf({ rates });
    expect(await faultsOf({ rates })).toEqual(faults);
    expect(await faultsOf({ rates, seed: 2 })).not.toEqual(faults);
    expect(await faultsOf({ rates }, 'refund')).not.toEqual(faults);
  });

  it('does not depend on how calls interleave', async () => {
    const shuffled = async (order: readonly ('stripe' | 'paypal')[]) => {
      const told: ChaosInjection[] = [];
      const { policy, clock } = world();
      const onInject = (injection: ChaosInjection) => told.push(injection);
      const broken = chaos(policy, { ...ALWAYS, clock, onInject, rates: { reject: 0.3, hang: 0.3 } });
      const { fallback } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [broken] });
      const results = order.map((name) => {
        const input = { providers: { stripe: { enabled: name === 'stripe' }, paypal: { enabled: name === 'paypal' } } };
        const updated = fallback.run({ fallback_tag: 'pay', action: 'update', input, cache: name });
        return updated.then(() => fallback.run({ ...TRIGGER, cache: name }));
      });
      await clock.advance(0);
      await fallback.close();
      await Promise.allSettled(results);
      return told.map(({ provider, call, fault }) => `${provider} ${call}: ${fault}`).sort();
    };
    const stripe = Array.from({ length: 20 }, () => 'stripe' as const);
    const paypal = Array.from({ length: 20 }, () => 'paypal' as const);
    const inTurns = stripe.flatMap((name, index) => [name, paypal[index] ?? name]);
    const expected = await shuffled([...stripe, ...paypal]);
    expect(expected.length).toBeGreaterThan(10);
    expect(await shuffled([...paypal, ...stripe])).toEqual(expected);
    expect(await shuffled(inTurns)).toEqual(expected);
  });

  it('keeps to the rates', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, seed) => faultsOf({ rates, seed })));
    const share = (fault: string) => all.flat().filter((each) => each === fault).length / all.flat().length;
    expect(share('reject')).toBeCloseTo(0.3, 1);
    expect(share('lost')).toBeCloseTo(0.2, 1);
    expect(share('ok')).toBeCloseTo(0.5, 1);
    expect(Math.abs(share('reject') - 0.3)).toBeLessThan(0.02);
  });

  it('has no part in rates of 0 and 1', async () => {
    expect(new Set(await faultsOf({ rates: { reject: 0 } }))).toEqual(new Set(['ok']));
    expect(new Set(await faultsOf({ rates: { reject: 0.5, throw: 0.5 } }))).toEqual(new Set(['reject', 'throw']));
    expect(new Set(await faultsOf({ rates: { throw: 1 } }))).toEqual(new Set(['throw']));
  });

  it('draws a latency between its bounds', async () => {
    const { policy, engineOf, clock } = world();
    const told: number[] = [];
    const onInject = ({ latency = -1 }: ChaosInjection) => told.push(latency);
    const latency = { min: 50, max: 60 };
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock, latency, onInject, rates: { stripe: { slow: 1 } } }));
    const results = Array.from({ length: 50 }, () => engine.run(TRIGGER));
    await clock.runUntilIdle();
    await Promise.all(results);
    expect(new Set(told).size).toBeGreaterThan(10);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(50);
    expect(Math.min(...told)).toBeLessThan(52);
    expect(Math.max(...told)).toBeLessThanOrEqual(60);
    expect(Math.max(...told)).toBeGreaterThan(58);
  });

  it('draws a latency from 100 ms to a second where none is given', async () => {
    const { policy, engineOf, clock } = world();
    const told: number[] = [];
    const onInject = ({ latency = -1 }: ChaosInjection) => told.push(latency);
    const engine = engineOf(chaos(policy, { ...ALWAYS, clock, onInject, rates: { stripe: { slow: 1 } } }));
    const results = Array.from({ length: 50 }, () => engine.run(TRIGGER));
    await clock.runUntilIdle();
    await Promise.all(results);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(100);
    expect(Math.min(...told)).toBeLessThan(150);
    expect(Math.max(...told)).toBeLessThanOrEqual(1_000);
    expect(Math.max(...told)).toBeGreaterThan(950);
  });

  it('is the same in every release: a seed that was noted yesterday shows the same today', async () => {
    const drawn = (await faultsOf({ rates: { reject: 0.25, lost: 0.25 }, seed: 42 })).slice(0, 40);
    expect(drawn.map(([first]) => first).join('')).toBe('ororlrooorlolorrroooorolrloorlllloroloro');
  });
});

describe('bounds', () => {
  it('of number: no more injections than the limit, over all providers', async () => {
    const { policy, engineOf } = world();
    const engine = engineOf(chaos(policy, { ...ALWAYS, limit: 3, rates: { reject: 1 } }));
    const winners = [];
    for (let n = 0; n < 3; n++) winners.push((await engine.run(TRIGGER)).provider);
    expect(winners).toEqual(['queue', 'paypal', 'stripe']);
  });

  it('of place: only calls that when lets chaos into, which are the only ones counted', async () => {
    const { policy, engineOf } = world();
    const calls: number[] = [];
    const broken = chaos(policy, {
      ...ALWAYS,
      rates: { stripe: { reject: 1 } },
      when: (input: { readonly customer?: string }, ctx) => input.customer === 'test' && ctx.attempt === 1,
      onInject: ({ call }) => calls.push(call),
    });
    const engine = engineOf(broken);
    expect((await engine.run({ ...TRIGGER, input: { customer: 'real' } })).provider).toBe('stripe');
    expect((await engine.run({ ...TRIGGER, input: { customer: 'test' } })).provider).toBe('paypal');
    expect((await engine.run({ ...TRIGGER, input: { customer: 'real' } })).provider).toBe('stripe');
    expect(calls).toEqual([1]);
  });
});

describe('the options of chaos', () => {
  const { policy } = world();
  const good = { seed: 1, rates: { reject: 0.1 } };

  it.each([
    [{ ...good, seeds: 1 }, 'seeds: unknown option; expected one of seed, rates'],
    [{ rates: {} }, 'seed: expected a whole number, got undefined'],
    [{ ...good, seed: 0.5 }, 'seed: expected a whole number, got 0.5'],
    [{ seed: 1 }, 'rates: expected rates by fault, or by provider, got undefined'],
    [{ seed: 1, rates: { rejct: 1 } }, 'rates.rejct: unknown fault; expected one of reject, throw, slow, hang, lost'],
    [{ seed: 1, rates: { reject: 1.5 } }, 'rates.reject: expected a probability from 0 to 1, got 1.5'],
    [{ seed: 1, rates: { reject: Number.NaN } }, 'rates.reject: expected a probability from 0 to 1, got NaN'],
    [{ seed: 1, rates: { reject: 0.7, lost: 0.7 } }, 'rates: expected probabilities of 1 at most together, got 1.4'],
    [
      { seed: 1, rates: { strip: { hang: 1 } } },
      'rates.strip: unknown provider with a run; expected one of stripe, paypal',
    ],
    [{ seed: 1, rates: { queue: { hang: 1 } } }, 'rates.queue: unknown provider with a run'],
    [{ seed: 1, rates: { stripe: { hung: 1 } } }, 'rates.stripe.hung: unknown fault'],
    [{ seed: 1, rates: { stripe: { hang: 1 }, paypal: 1 } }, 'rates.paypal: expected rates by fault, got 1'],
    [{ seed: 1, rates: { stripe: null } }, 'rates.stripe: expected rates by fault, got null'],
    [{ ...good, latency: -1 }, 'latency: expected milliseconds from 0 to 2147483647, or { min, max } of them, got -1'],
    [{ ...good, latency: { min: 2, max: 1 } }, 'latency: expected milliseconds'],
    [{ ...good, limit: -1 }, 'limit: expected a whole number of 0 or more, got -1'],
    [{ ...good, enabled: 'yes' }, 'enabled: expected true, false or a function, got "yes"'],
    [{ ...good, when: true }, 'when: expected a function, got true'],
    [{ ...good, onInject: 1 }, 'onInject: expected a function, got 1'],
    [{ ...good, clock: {} }, 'clock: expected a clock, got {}'],
    [undefined, 'seed: expected a whole number, got undefined; rates: expected rates'],
  ])('are refused when they are %o', (options, message) => {
    expect(() => chaos(policy, options as never)).toThrow(InvalidRequestError);
    expect(() => chaos(policy, options as never)).toThrow(message);
  });

  const issuesOf = (options: object) => {
    try {
      chaos(policy, { ...good, ...options } as never);
      return [];
    } catch (error) {
      return (error as InvalidRequestError).issues.map(({ path }) => path);
    }
  };

  it.each<[object, string[]]>([
    [{ seeds: 1 }, ['seeds']],
    [{ rates: [] }, ['rates']],
    [{ rates: { stripe: [] } }, ['rates.stripe']],
    [{ rates: { reject: 2, lost: 1 } }, ['rates.reject']],
    [{ rates: { reject: -0.1 } }, ['rates.reject']],
    [{ rates: { reject: '0.5' } }, ['rates.reject']],
    [{ latency: '5' }, ['latency']],
    [{ latency: 2 ** 31 }, ['latency']],
    [{ latency: [1, 2] }, ['latency']],
    [{ latency: { min: 1 } }, ['latency']],
    [{ latency: { max: 1 } }, ['latency']],
    [{ latency: { min: '1', max: '2' } }, ['latency']],
    [{ latency: { min: 1, max: 2 ** 31 } }, ['latency']],
    [{ latency: { min: -1, max: 2 } }, ['latency']],
    [{ when: 1, limit: 0.5, clock: { now: () => 0 } }, ['when', 'limit', 'clock']],
  ])('are refused, and which is told, when they have %o', (options, paths) => {
    expect(issuesOf(options)).toEqual(paths);
  });

  it.each([
    { rates: {} },
    { rates: { reject: undefined, lost: 1 } },
    { rates: { reject: 0, throw: 1 } },
    // A sum is not held to its last bit.
    { rates: { reject: 1, throw: 1e-9 } },
    { latency: 0 },
    { latency: 2 ** 31 - 1 },
    { latency: { min: 2, max: 2 } },
    { limit: 0 },
    { enabled: undefined, when: undefined, onInject: undefined, clock: undefined, limit: undefined },
  ])('are taken when they have %o', (options) => {
    expect(issuesOf(options)).toEqual([]);
  });

  it('belong to a fallback', () => {
    expect(() => chaos({ tag: 'x' } as unknown as Fallback, good)).toThrow(InvalidDefinitionError);
  });

  it('know the names of its providers, and leave its type as it is', () => {
    const broken = chaos(policy, { seed: 1, rates: { stripe: { lost: 0.1 } } });
    expectTypeOf(broken).toEqualTypeOf(policy);
    // @ts-expect-error there is no such provider
    expect(() => chaos(policy, { seed: 1, rates: { strype: { lost: 0.1 } } })).toThrow(InvalidRequestError);
  });
});

function raise(): never {
  throw new Error('broken');
}
