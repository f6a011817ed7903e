import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import {
  type AnyFallbackError,
  type AttemptRecord,
  type Context,
  createDuctape,
  defineFallback,
  type Fallback,
  type InDoubtError,
  type Inspection,
  type OutputOf,
  type TriggerResult,
} from '../../src/index.ts';

type Answer<F extends Fallback> = OutputOf<readonly [F], F['tag']>;
interface Order {
  id: string;
  total: number;
}

describe('the output of a fallback', () => {
  it('is that of its other providers, wherever a lastGood provider stands', () => {
    const last = defineFallback({
      tag: 'last',
      providers: [
        { name: 'bank', run: async () => ({ rate: 1 }) },
        { name: 'queue', value: 'queued' },
        { name: 'old', lastGood: { maxAge: 5 } },
      ],
    });
    expectTypeOf<Answer<typeof last>>().toEqualTypeOf<{ rate: number } | string>();
    const first = defineFallback({
      tag: 'first',
      providers: [
        { name: 'old', lastGood: { maxAge: 5, key: () => '' } },
        { name: 'bank', run: () => 1 },
        { name: 'older', lastGood: { maxAge: 50 } },
      ],
    });
    expectTypeOf<Answer<typeof first>>().toEqualTypeOf<number>();
  });

  it('stays what it is with answers that are falsy, nothing, or any', () => {
    const old = { name: 'old', lastGood: { maxAge: 5 } } as const;
    const falsy = defineFallback({ tag: 'a', providers: [{ name: 'x', value: null }, { name: 'y', value: 0 }, old] });
    expectTypeOf<Answer<typeof falsy>>().toEqualTypeOf<number | null>();
    const silent = defineFallback({ tag: 'b', providers: [{ name: 'x', run: async () => {} }, old] });
    expectTypeOf<Answer<typeof silent>>().toEqualTypeOf<void>();
    const any = defineFallback({ tag: 'c', providers: [{ name: 'x', run: () => JSON.parse('1') }, old] });
    expectTypeOf<Answer<typeof any>>().toBeUnknown();
  });

  it('is what the output schema says, a lastGood provider or not', () => {
    const judged = defineFallback({
      tag: 'judged',
      output: z.object({ rate: z.number() }),
      providers: [
        { name: 'bank', run: () => ({ rate: 1 }) },
        { name: 'old', lastGood: { maxAge: 5 } },
      ],
    });
    expectTypeOf<Answer<typeof judged>>().toEqualTypeOf<{ rate: number }>();
  });

  it('reaches run, wrap and call unpolluted', async () => {
    const rates = defineFallback({
      tag: 'rates',
      input: z.object({ of: z.string() }),
      providers: [
        { name: 'bank', run: async (input) => input.of.length },
        { name: 'old', lastGood: { maxAge: 5, key: ({ of }) => of } },
      ],
    });
    const { run, wrap, call } = createDuctape({ fallbacks: [rates] }).fallback;
    const result = await run({ fallback_tag: 'rates', action: 'trigger', input: { of: 'usd' } });
    expectTypeOf(result.output).toEqualTypeOf<number>();
    const wrapped = wrap('rates', async (_: { of: string }) => 'primary');
    expectTypeOf(wrapped).returns.toEqualTypeOf<Promise<string | number>>();
    expectTypeOf(call('rates', () => true, { input: { of: 'usd' } })).toEqualTypeOf<Promise<boolean | number>>();
  });
});

describe('a provider', () => {
  it('holds what verify gives against what run gives', () => {
    const run = async () => 'charged';
    const inDoubt = 'verify';
    defineFallback({ tag: 'f', providers: [{ name: 'a', timeout: 5, inDoubt, run, verify: () => ({ done: false }) }] });
    const output = 42;
    // @ts-expect-error a number is no answer of this provider's
    defineFallback({ tag: 'f', providers: [{ name: 'a', inDoubt, run, verify: () => ({ done: true, output }) }] });
  });

  it('takes every safety field, its input and settings inferred', () => {
    defineFallback({
      tag: 'full',
      input: z.object({ id: z.string(), total: z.string().transform(Number) }),
      settings: z.object({ region: z.string().default('eu') }),
      providers: [
        {
          name: 'stripe',
          run: async () => 'charged',
          timeout: 5,
          idempotent: true,
          hedge: 3,
          concurrency: 4,
          breaker: { failures: 2, cooldown: 9 },
          healthcheck: {
            check: ({ env, product, tag, provider, signal }) => {
              expectTypeOf([env, product, tag, provider]).toEqualTypeOf<string[]>();
              expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
              return true;
            },
            interval: 5,
            timeout: 1,
          },
          inDoubt: 'verify',
          inDoubtWhen: (error) => {
            expectTypeOf(error).toBeUnknown();
            return true;
          },
          verify: async (input, ctx) => {
            expectTypeOf(input).toEqualTypeOf<{ id: string; total: number }>();
            expectTypeOf(ctx).toExtend<Context<{ region: string }>>();
            expectTypeOf(ctx.config.region).toEqualTypeOf<string>();
            return { done: true, output: 'charged' };
          },
          compensate: (output, input, ctx) => {
            expectTypeOf(output).toBeUnknown();
            expectTypeOf(input).toEqualTypeOf<{ id: string; total: number }>();
            expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
          },
          compensateRetries: 2,
        },
        { name: 'paypal', run: () => 1, idempotent: true, healthcheck: { check: async () => false, interval: 5 } },
      ],
    });
  });

  it('infers a lastGood key from the input, and lets it be anything', () => {
    const rates = defineFallback({
      tag: 'rates',
      input: z.object({ of: z.string(), on: z.coerce.date() }),
      providers: [
        { name: 'bank', run: (input) => input.on },
        {
          name: 'old',
          lastGood: {
            maxAge: 5,
            key: (input) => {
              expectTypeOf(input).toEqualTypeOf<{ of: string; on: Date }>();
              return [input.of, input.on];
            },
          },
          when: (input) => input.of !== 'usd',
          timeout: 5,
        },
      ],
    });
    expectTypeOf<Answer<typeof rates>>().toEqualTypeOf<Date>();
  });

  it('is refused with a wrong or an unknown field', () => {
    const run = () => 1;
    // @ts-expect-error maxAge is missing
    defineFallback({ tag: 'a', providers: [{ name: 'x', lastGood: {} }] });
    // @ts-expect-error milliseconds
    defineFallback({ tag: 'a', providers: [{ name: 'x', lastGood: { maxAge: '5' } }] });
    // @ts-expect-error a function
    defineFallback({ tag: 'a', providers: [{ name: 'x', lastGood: { maxAge: 5, key: 'of' } }] });
    // @ts-expect-error both run and lastGood
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, lastGood: { maxAge: 5 } }] });
    // @ts-expect-error both value and lastGood
    defineFallback({ tag: 'a', providers: [{ name: 'x', value: 1, lastGood: { maxAge: 5 } }] });
    // @ts-expect-error the field is lastGood
    defineFallback({ tag: 'a', providers: [{ name: 'x', lastgood: { maxAge: 5 } }] });
    // @ts-expect-error cooldown is missing
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, breaker: { failures: 2 } }] });
    // @ts-expect-error interval is missing
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, healthcheck: { check: () => true } }] });
    // @ts-expect-error a boolean
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, healthcheck: { check: () => 'ok', interval: 5 } }] });
    // @ts-expect-error no such policy
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, inDoubt: 'ask' }] });
    // @ts-expect-error an answer without its output
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, inDoubt: 'verify', verify: () => ({ done: true }) }] });
    // @ts-expect-error a predicate is synchronous
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, inDoubtWhen: async () => true }] });
    // @ts-expect-error true or false
    defineFallback({ tag: 'a', providers: [{ name: 'x', run, idempotent: 'yes' }] });
    defineFallback({
      tag: 'a',
      input: z.object({ of: z.string() }),
      // @ts-expect-error no such field of the input
      providers: [{ name: 'x', lastGood: { maxAge: 5, key: (input) => input.from } }],
    });
  });
});

describe('a definition', () => {
  it('takes reuse, retryBudget and whenAllUnhealthy', () => {
    const full = defineFallback({
      tag: 'full',
      input: z.object({ order: z.string().transform((id) => ({ id })) }),
      reuse: {
        maxAge: 5,
        key: (input) => {
          expectTypeOf(input).toEqualTypeOf<{ order: { id: string } }>();
          return input.order.id;
        },
      },
      retryBudget: { ratio: 0.2, minPerSecond: 3 },
      whenAllUnhealthy: 'fail',
      providers: [{ name: 'a', run: (input) => input.order.id }],
    });
    expectTypeOf<Answer<typeof full>>().toEqualTypeOf<string>();
    const open = defineFallback({
      tag: 'open',
      reuse: { maxAge: 5, key: (input) => expectTypeOf(input).toEqualTypeOf<Record<string, unknown>>() },
      providers: [{ name: 'a', value: 1 }],
    });
    expectTypeOf<Answer<typeof open>>().toEqualTypeOf<number>();
  });

  it('is refused with a wrong or an unknown field', () => {
    const providers = [{ name: 'a', value: 1 }] as const;
    // @ts-expect-error maxAge is missing
    defineFallback({ tag: 'a', reuse: { key: () => '' }, providers });
    // @ts-expect-error no such field
    defineFallback({ tag: 'a', reuse: { maxAge: 5, ttl: 5 }, providers });
    // @ts-expect-error not a function
    defineFallback({ tag: 'a', reuse: { maxAge: 5, key: 'id' }, providers });
    // @ts-expect-error minPerSecond is missing
    defineFallback({ tag: 'a', retryBudget: { ratio: 1 }, providers });
    // @ts-expect-error a number
    defineFallback({ tag: 'a', retryBudget: { ratio: '1', minPerSecond: 1 }, providers });
    // @ts-expect-error no such policy
    defineFallback({ tag: 'a', whenAllUnhealthy: 'maybe', providers });
    defineFallback({
      tag: 'a',
      input: z.object({ of: z.string() }),
      // @ts-expect-error no such field of the input
      reuse: { maxAge: 5, key: (input) => input.from },
      providers,
    });
  });
});

const payment = defineFallback({
  tag: 'payment',
  input: z.object({ order: z.string() }),
  providers: [{ name: 'queue', value: 'queued' as const }],
});
const { fallback } = createDuctape({ fallbacks: [payment] });
declare function charge(order: Order, retry?: boolean): Promise<{ paid: number }>;

describe('wrap', () => {
  it('takes the safety options, the arguments of the primary kept in each', () => {
    const wrapped = fallback.wrap('payment', charge, {
      input: (_error, order) => ({ order: order.id }),
      breaker: { failures: 3, cooldown: 5 },
      inDoubt: 'verify',
      inDoubtWhen: (error) => {
        expectTypeOf(error).toBeUnknown();
        return true;
      },
      verify: async (order, retry) => {
        expectTypeOf(order).toEqualTypeOf<Order>();
        expectTypeOf(retry).toEqualTypeOf<boolean | undefined>();
        return { done: false };
      },
      compensate: (output, order) => {
        expectTypeOf(output).toEqualTypeOf<{ paid: number }>();
        expectTypeOf(order).toEqualTypeOf<Order>();
      },
    });
    expectTypeOf(wrapped).parameters.toEqualTypeOf<Parameters<typeof charge>>();
    expectTypeOf(wrapped).returns.toEqualTypeOf<Promise<{ paid: number } | 'queued'>>();
  });

  it('is refused with a wrong or an unknown one', () => {
    const input = () => ({ order: '' });
    // @ts-expect-error cooldown is missing
    fallback.wrap('payment', charge, { input, breaker: { failures: 3 } });
    // @ts-expect-error no such policy
    fallback.wrap('payment', charge, { input, inDoubt: 'maybe' });
    // @ts-expect-error an answer without its output
    fallback.wrap('payment', charge, { input, verify: () => ({ done: true }) });
    // @ts-expect-error no such argument
    fallback.wrap('payment', charge, { input, verify: (order: number) => ({ done: order > 0, output: 1 }) });
    // @ts-expect-error of a provider alone
    fallback.wrap('payment', charge, { input, hedge: 5 });
    // @ts-expect-error of a definition alone
    fallback.wrap('payment', charge, { input, reuse: { maxAge: 5 } });
    // @ts-expect-error of a provider alone
    fallback.wrap('payment', charge, { input, lastGood: { maxAge: 5 } });
  });
});

describe('call', () => {
  it('takes the safety options, whose functions are given no arguments', () => {
    const result = fallback.call('payment', () => 1, {
      input: { order: '' },
      breaker: { failures: 3, cooldown: 5 },
      inDoubt: 'verify',
      inDoubtWhen: () => false,
      verify: () => ({ done: true, output: 5 }),
      compensate: async (output) => expectTypeOf(output).toEqualTypeOf<number>(),
    });
    expectTypeOf(result).toEqualTypeOf<Promise<number | 'queued'>>();
  });

  it('is refused with a wrong or an unknown one', () => {
    const input = { order: '' };
    // @ts-expect-error no argument to take
    void fallback.call('payment', () => 1, { input, verify: (order: Order) => ({ done: true, output: order }) });
    // @ts-expect-error no such policy
    void fallback.call('payment', () => 1, { input, inDoubt: 'never' });
    // @ts-expect-error of a definition alone
    void fallback.call('payment', () => 1, { input, retryBudget: { ratio: 1, minPerSecond: 1 } });
  });
});

describe('what callers get', () => {
  it('tells of stale and of reused answers', () => {
    expectTypeOf<TriggerResult['stale']>().toEqualTypeOf<true | undefined>();
    expectTypeOf<TriggerResult['age']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<TriggerResult['reused']>().toEqualTypeOf<true | undefined>();
  });

  it('tells why a provider was skipped', () => {
    expectTypeOf<AttemptRecord['reason']>().toEqualTypeOf<'unhealthy' | 'busy' | 'budget' | 'no-answer' | undefined>();
  });

  it('tells of the health of each provider, and of the primary', () => {
    expectTypeOf<NonNullable<Inspection['primary']>>().toEqualTypeOf<NonNullable<Inspection['providers']>[string]>();
    expectTypeOf<NonNullable<Inspection['primary']>['health']>().toEqualTypeOf<'healthy' | 'unhealthy' | 'probing'>();
  });

  it('has a health that updates may set', () => {
    const update = { fallback_tag: 'payment', action: 'update' } as const;
    void fallback.run({ ...update, input: { providers: { queue: { health: 'unhealthy', enabled: true } } } });
    // @ts-expect-error no such health
    void fallback.run({ ...update, input: { providers: { queue: { health: 'sick' } } } });
    // @ts-expect-error no such provider
    void fallback.run({ ...update, input: { providers: { stripe: { health: 'healthy' } } } });
  });

  it('is an InDoubtError that names its provider and holds the attempts', () => {
    expectTypeOf<InDoubtError['code']>().toEqualTypeOf<'ERR_IN_DOUBT'>();
    expectTypeOf<InDoubtError['provider']>().toEqualTypeOf<string>();
    expectTypeOf<InDoubtError['attempts']>().toEqualTypeOf<readonly AttemptRecord[]>();
    expectTypeOf<Extract<AnyFallbackError, { code: 'ERR_IN_DOUBT' }>>().toEqualTypeOf<InDoubtError>();
  });
});

describe('events', () => {
  it('tell of health: unhealthy, probing, healthy', () => {
    fallback.on('provider-unhealthy', ({ provider, failures, retryAfter }) => {
      expectTypeOf(provider).toEqualTypeOf<string>();
      expectTypeOf(failures).toEqualTypeOf<number>();
      expectTypeOf(retryAfter).toEqualTypeOf<number | undefined>();
    });
    fallback.on('provider-probing', ({ failures }) => expectTypeOf(failures).toEqualTypeOf<number>());
    fallback.on('provider-healthy', ({ provider }) => expectTypeOf(provider).toEqualTypeOf<string>());
  });

  it('tell of doubts, and of what became of them', () => {
    fallback.on('in-doubt', ({ because, input, error, attempt }) => {
      expectTypeOf(because).toEqualTypeOf<'timed-out' | 'aborted' | 'error' | 'refused'>();
      expectTypeOf([input, error]).toEqualTypeOf<unknown[]>();
      expectTypeOf(attempt).toEqualTypeOf<number>();
    });
    fallback.on('compensated', (event) => {
      expectTypeOf(event.output).toBeUnknown();
      // @ts-expect-error nothing went wrong
      event.errors;
    });
    fallback.on('compensation-failed', ({ id, input, output, errors }) => {
      expectTypeOf(id).toEqualTypeOf<string | undefined>();
      expectTypeOf([input, output]).toEqualTypeOf<unknown[]>();
      expectTypeOf(errors).toEqualTypeOf<readonly unknown[]>();
    });
    fallback.on('attempt-ended', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<AttemptRecord['reason']>());
  });
});
