import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import {
  type AttemptRecord,
  type BaseConfig,
  type Context,
  createDuctape,
  defineFallback,
  type Fallback,
  type OutputOf,
  type Session,
} from '../../src/index.ts';

type Answer<F extends Fallback> = OutputOf<readonly [F], F['tag']>;

describe('a provider', () => {
  it('receives the output of the input schema', () => {
    defineFallback({
      tag: 'zod',
      input: z.object({ amount: z.string().transform(Number) }),
      providers: [
        {
          name: 'a',
          run: (input) => expectTypeOf(input).toEqualTypeOf<{ amount: number }>(),
          when: (input) => input.amount > 0,
        },
      ],
    });
    defineFallback({
      tag: 'valibot',
      input: v.object({ amount: v.pipe(v.string(), v.transform(Number)) }),
      providers: [{ name: 'a', value: (input) => expectTypeOf(input).toEqualTypeOf<{ amount: number }>() }],
    });
    defineFallback({
      tag: 'arktype',
      input: type({ amount: 'string.numeric.parse' }),
      providers: [{ name: 'a', run: (input) => expectTypeOf(input).toEqualTypeOf<{ amount: number }>() }],
    });
  });

  it('receives, and a trigger takes, what a schema gives that does not say what it takes', () => {
    const order = {
      '~standard': { version: 1, vendor: 'shop', validate: (value: unknown) => ({ value: value as { id: string } }) },
    } as const;
    const run = (input: { id: string }) => expectTypeOf(input).toEqualTypeOf<{ id: string }>();
    const pay = defineFallback({ tag: 'pay', input: order, providers: [{ name: 'a', run }] });
    const { fallback } = createDuctape({ fallbacks: [pay] });
    interface Order {
      readonly id: string;
    }
    const mine: Order = { id: 'o-1' };
    void fallback.run({ fallback_tag: 'pay', action: 'trigger', input: mine });
    // @ts-expect-error an id is a string
    void fallback.run({ fallback_tag: 'pay', action: 'trigger', input: { id: 5 } });
    // @ts-expect-error an order has an id
    void fallback.run({ fallback_tag: 'pay', action: 'trigger' });
  });

  it('receives any record without a schema', () => {
    defineFallback({
      tag: 'open',
      providers: [{ name: 'a', run: (input) => expectTypeOf(input).toEqualTypeOf<Record<string, unknown>>() }],
    });
  });

  it('receives a context of which nothing is any', () => {
    defineFallback({
      tag: 'context',
      providers: [
        {
          name: 'a',
          run(_input, ctx) {
            expectTypeOf(ctx).toEqualTypeOf<Context>();
            expectTypeOf(ctx.id).toEqualTypeOf<string>();
            expectTypeOf(ctx.attempt).toEqualTypeOf<number>();
            expectTypeOf(ctx.config).not.toBeAny();
            expectTypeOf(ctx.config).toEqualTypeOf<BaseConfig>();
            expectTypeOf(ctx.config.resetAfter).toEqualTypeOf<number | null>();
            expectTypeOf(ctx.session).toEqualTypeOf<Session | undefined>();
            expectTypeOf<Session['data']>().toBeUnknown();
            expectTypeOf(ctx.previous).toEqualTypeOf<readonly AttemptRecord[]>();
            expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
            expectTypeOf(ctx.remaining()).toEqualTypeOf<number>();
            // @ts-expect-error no settings, no such key
            ctx.config.region;
            return 1;
          },
          when: (_input, ctx) => expectTypeOf(ctx).toEqualTypeOf<Context>(),
          shouldRetry(error, ctx) {
            expectTypeOf(error).toBeUnknown();
            expectTypeOf(ctx).toEqualTypeOf<Context>();
            return true;
          },
          accept(output) {
            expectTypeOf(output).toBeUnknown();
            return true;
          },
          backoff(attempt, error) {
            expectTypeOf(attempt).toEqualTypeOf<number>();
            expectTypeOf(error).toBeUnknown();
            return 5;
          },
        },
      ],
      handle: (error) => expectTypeOf(error).toBeUnknown(),
    });
  });

  it('reads the output of the settings as its config', () => {
    defineFallback({
      tag: 'settings',
      settings: z.object({
        region: z.enum(['eu', 'us']).default('eu'),
        weight: z.string().default('1').transform(Number),
      }),
      providers: [
        {
          name: 'a',
          run(_input, { config }) {
            expectTypeOf(config.region).toEqualTypeOf<'eu' | 'us'>();
            expectTypeOf(config.weight).toEqualTypeOf<number>();
            expectTypeOf(config.maxRetries).toEqualTypeOf<number>();
            // @ts-expect-error no such setting
            config.zone;
          },
        },
      ],
    });
  });
});

describe('a definition', () => {
  it('infers with its fields in any order', () => {
    const last = defineFallback({
      providers: [
        {
          shouldRetry: (_error, ctx) => ctx.config.region === 'eu',
          run: async (input, ctx) => ({ n: input.n, region: ctx.config.region }),
          when: (input) => input.n.length > 0,
          name: 'a',
        },
        { value: (input) => input.n, name: 'b' },
      ],
      fallbackProvider: 'b',
      settings: z.object({ region: z.string().default('eu') }),
      input: z.object({ n: z.string() }),
      tag: 'last',
    });
    expectTypeOf(last.tag).toEqualTypeOf<'last'>();
    expectTypeOf<Answer<typeof last>>().toEqualTypeOf<{ n: string; region: string } | string>();
  });

  it('infers alike when written inside createDuctape', async () => {
    const { fallback } = createDuctape({
      fallbacks: [
        defineFallback({ tag: 'open', providers: [{ name: 'x', value: 1 }] }),
        defineFallback({
          tag: 'closed',
          input: z.object({ a: z.string() }),
          settings: z.object({ region: z.string().default('eu') }),
          providers: [{ name: 'y', run: async (input, ctx) => [input.a, ctx.config.region] as const }],
        }),
      ],
    });
    expectTypeOf((await fallback.run({ fallback_tag: 'open', action: 'trigger' })).output).toEqualTypeOf<number>();
    const closed = await fallback.run({ fallback_tag: 'closed', action: 'trigger', input: { a: '' } });
    expectTypeOf(closed.output).toEqualTypeOf<readonly [string, string]>();
    void fallback.run({ fallback_tag: 'closed', action: 'update', input: { region: 'us', fallbackProvider: 'y' } });
    // @ts-expect-error a is missing
    void fallback.run({ fallback_tag: 'closed', action: 'trigger', input: {} });
    // @ts-expect-error no such provider
    void fallback.run({ fallback_tag: 'closed', action: 'update', input: { fallbackProvider: 'x' } });
  });

  it('keeps falsy literals, values, value functions, sync and async runs apart', () => {
    const falsy = defineFallback({
      tag: 'falsy',
      providers: [
        { name: 'zero', value: 0 },
        { name: 'empty', value: '' },
        { name: 'no', value: false },
        { name: 'null', value: null },
        { name: 'undefined', value: () => undefined },
        { name: 'list', run: async () => [1n] },
      ],
    });
    expectTypeOf<Answer<typeof falsy>>().toEqualTypeOf<number | string | boolean | null | undefined | bigint[]>();
    const literal = defineFallback({
      tag: 'literal',
      providers: [
        { name: 'a', value: 0 as const },
        { name: 'b', run: () => 'b' as const },
        { name: 'c', value: async () => false as const },
      ],
    });
    expectTypeOf<Answer<typeof literal>>().toEqualTypeOf<0 | 'b' | false>();
  });

  it('leaves values as writable as they were given', () => {
    const open = defineFallback({ tag: 'open', providers: [{ name: 'a', value: { list: ['x'] } }] });
    expectTypeOf<Answer<typeof open>>().toEqualTypeOf<{ list: string[] }>();
  });

  it('takes providers that answer nothing, or never', () => {
    const silent = defineFallback({
      tag: 'silent',
      providers: [
        { name: 'a', run: async () => {} },
        {
          name: 'b',
          run: () => {
            throw new Error('never');
          },
        },
      ],
    });
    expectTypeOf<Answer<typeof silent>>().toEqualTypeOf<void>();
    const sync = defineFallback({ tag: 'sync', providers: [{ name: 'a', run: (): void => {} }] });
    expectTypeOf<Answer<typeof sync>>().toEqualTypeOf<void>();
  });

  it('takes every documented field', () => {
    const full = defineFallback({
      tag: 'full',
      name: 'Full',
      description: 'All of it',
      product: ['shop', 'till'],
      env: 'prd',
      input: z.object({ id: z.string() }),
      output: z.object({ ok: z.boolean() }),
      settings: z.object({ region: z.string().default('eu') }),
      maxRetries: 3,
      fallbackProvider: 'b',
      deadline: 900,
      resetAfter: 'never',
      handle: () => true,
      session: 'required',
      providers: [
        { name: 'a', run: () => ({ ok: true }), retries: 1, timeout: 5, backoff: 10 },
        { name: 'b', run: () => ({ ok: true }), timeout: null, backoff: { initialDelay: 1, maxDelay: 9, factor: 2 } },
        { name: 'c', value: { ok: false }, backoff: { jitter: 'decorrelated' } },
      ],
    });
    expectTypeOf<Answer<typeof full>>().toEqualTypeOf<{ ok: boolean }>();
  });

  it('is refused with an unknown or a wrong field', () => {
    // @ts-expect-error the field is maxRetries
    defineFallback({ tag: 'a', maxRetry: 3, providers: [{ name: 'x', value: 1 }] });
    // @ts-expect-error a number
    defineFallback({ tag: 'a', maxRetries: '3', providers: [{ name: 'x', value: 1 }] });
    // @ts-expect-error no such provider
    defineFallback({ tag: 'a', fallbackProvider: 'y', providers: [{ name: 'x', value: 1 }] });
    // @ts-expect-error a tag is required
    defineFallback({ providers: [{ name: 'x', value: 1 }] });
    // @ts-expect-error a name is required
    defineFallback({ tag: 'a', providers: [{ value: 1 }] });
    // @ts-expect-error neither run nor value
    defineFallback({ tag: 'a', providers: [{ name: 'x' }] });
    // @ts-expect-error both run and value
    defineFallback({ tag: 'a', providers: [{ name: 'x', value: 1, run: () => 1 }] });
    // @ts-expect-error the field is retries
    defineFallback({ tag: 'a', providers: [{ name: 'x', value: 1, retry: 2 }] });
    // @ts-expect-error a predicate is synchronous
    defineFallback({ tag: 'a', providers: [{ name: 'x', value: 1, when: async () => true }] });
    // @ts-expect-error not a schema
    defineFallback({ tag: 'a', input: { id: 'string' }, providers: [{ name: 'x', value: 1 }] });
    defineFallback({
      tag: 'a',
      input: z.object({ b: z.string() }),
      // @ts-expect-error no such field of the input
      providers: [{ name: 'x', run: (input) => input.c }],
    });
  });
});
