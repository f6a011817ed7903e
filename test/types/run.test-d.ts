import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import * as mini from 'zod/mini';
import {
  type AttemptRecord,
  type BaseConfig,
  createDuctape,
  defineFallback,
  type InputOf,
  type OutputOf,
  type ResetResult,
  type State,
  type TriggerResult,
  type UpdateResult,
} from '../../src/index.ts';

const payment = defineFallback({
  tag: 'payment-failure',
  input: z.object({ orderId: z.string(), reason: z.string(), attemptedProvider: z.string().optional() }),
  providers: [
    { name: 'stripe', run: (input) => ({ charge: input.orderId }) },
    { name: 'paypal', run: async () => ({ capture: 7 }) },
    { name: 'queue', value: { status: 'queued' } },
  ],
});
const sms = defineFallback({
  tag: 'sms-failure',
  input: v.object({ to: v.string(), body: v.optional(v.string(), 'hello') }),
  settings: v.object({ region: v.optional(v.picklist(['eu', 'us']), 'eu'), weight: v.optional(v.number(), 1) }),
  providers: [
    { name: 'vonage', run: (input) => input.body.length },
    { name: 'never', value: null },
  ],
});
const mail = defineFallback({
  tag: 'mail-failure',
  input: type({ to: 'string', urgent: 'boolean' }),
  providers: [{ name: 'smtp', run: async (input) => input.urgent }],
});
const page = defineFallback({ tag: 'page-failure', providers: [{ name: 'static', value: '<p>' }] });
const cart = defineFallback({
  tag: 'cart-failure',
  input: mini.object({ step: mini._default(mini.string(), 'payment') }),
  providers: [{ name: 'static', value: 0 }],
});

const engine = createDuctape({ env: 'prd', product: 'shop', fallbacks: [payment, sms, mail, page, cart] });
const { run } = engine.fallback;
type Fallbacks = readonly [typeof payment, typeof sms, typeof mail, typeof page, typeof cart];

describe('a trigger', () => {
  it('takes the input of its tag, whichever library its schema is of', () => {
    expectTypeOf<InputOf<Fallbacks, 'payment-failure'>>().toEqualTypeOf<{
      orderId: string;
      reason: string;
      attemptedProvider?: string | undefined;
    }>();
    expectTypeOf<InputOf<Fallbacks, 'sms-failure'>>().toEqualTypeOf<{ to: string; body?: string | undefined }>();
    expectTypeOf<InputOf<Fallbacks, 'mail-failure'>>().toEqualTypeOf<{ to: string; urgent: boolean }>();
    expectTypeOf<InputOf<Fallbacks, 'page-failure'>>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<InputOf<Fallbacks, 'cart-failure'>>().toEqualTypeOf<{ step?: string | undefined }>();
  });

  it('is accepted as the documentation writes it', () => {
    void run({
      env: 'prd',
      product: 'payments',
      fallback_tag: 'payment-failure',
      action: 'trigger',
      input: { orderId: '12345', reason: 'gateway_timeout', attemptedProvider: 'stripe' },
      session: { tag: 'user-session', token: 'eyJhbGciOi...' },
      cache: 'customer-7',
    });
    void run({ action: 'trigger', fallback_tag: 'mail-failure', input: { urgent: true, to: 'a@b.c' } });
    void run(
      { input: { to: '+49' }, fallback_tag: 'sms-failure', action: 'trigger' },
      { signal: AbortSignal.timeout(9), deadline: 5, id: 'mine' },
    );
  });

  it('gives the union of its providers’ outputs', async () => {
    const paid = await run({
      fallback_tag: 'payment-failure',
      action: 'trigger',
      input: { orderId: '1', reason: 'declined' },
    });
    expectTypeOf(paid).toEqualTypeOf<TriggerResult<{ charge: string } | { capture: number } | { status: string }>>();
    const sent = await run({ fallback_tag: 'sms-failure', action: 'trigger', input: { to: '+49' } });
    expectTypeOf(sent.output).toEqualTypeOf<number | null>();
    const mailed = await run({ fallback_tag: 'mail-failure', action: 'trigger', input: { to: 'a@b.c', urgent: true } });
    expectTypeOf(mailed.output).toEqualTypeOf<boolean>();
    expectTypeOf<OutputOf<Fallbacks, 'page-failure'>>().toEqualTypeOf<string>();
  });

  it('may leave out an input of which nothing is required', () => {
    void run({ fallback_tag: 'page-failure', action: 'trigger' });
    void run({ fallback_tag: 'cart-failure', action: 'trigger' });
    void run({ fallback_tag: 'page-failure', action: 'trigger', input: { any: 'thing' } });
  });

  it('is refused with an unknown tag', () => {
    // @ts-expect-error no such tag
    void run({ fallback_tag: 'payment-failur', action: 'trigger', input: { orderId: '1', reason: '' } });
    // @ts-expect-error no tag at all
    void run({ action: 'trigger' });
    // @ts-expect-error a string may be any tag
    void run({ fallback_tag: 'page-failure' as string, action: 'trigger' });
  });

  it('is refused with a wrong input', () => {
    // @ts-expect-error orderId is a string
    void run({ fallback_tag: 'payment-failure', action: 'trigger', input: { orderId: 1, reason: '' } });
    // @ts-expect-error reason is missing
    void run({ fallback_tag: 'payment-failure', action: 'trigger', input: { orderId: '1' } });
    // @ts-expect-error input is missing
    void run({ fallback_tag: 'payment-failure', action: 'trigger' });
    // @ts-expect-error input is undefined
    void run({ fallback_tag: 'payment-failure', action: 'trigger', input: undefined });
    // @ts-expect-error that is the input of another tag
    void run({ fallback_tag: 'payment-failure', action: 'trigger', input: { to: '+49' } });
    // @ts-expect-error no such field
    void run({ fallback_tag: 'sms-failure', action: 'trigger', input: { to: '+49', text: 'hello' } });
    // @ts-expect-error body is a string
    void run({ fallback_tag: 'sms-failure', action: 'trigger', input: { to: '+49', body: 5 } });
    // @ts-expect-error urgent is missing
    void run({ fallback_tag: 'mail-failure', action: 'trigger', input: { to: 'a@b.c' } });
    // @ts-expect-error step is a string
    void run({ fallback_tag: 'cart-failure', action: 'trigger', input: { step: 1 } });
    // @ts-expect-error a record, not a text
    void run({ fallback_tag: 'page-failure', action: 'trigger', input: 'thing' });
  });

  it('is refused with an unknown key, or with a wrong value, beside the input', () => {
    // @ts-expect-error the key is `cache`
    void run({ fallback_tag: 'page-failure', action: 'trigger', cacheKey: 'k' });
    // @ts-expect-error a session has a token
    void run({ fallback_tag: 'page-failure', action: 'trigger', session: { tag: 'user' } });
    // @ts-expect-error env is a string
    void run({ fallback_tag: 'page-failure', action: 'trigger', env: 1 });
    // @ts-expect-error no such option
    void run({ fallback_tag: 'page-failure', action: 'trigger' }, { timeout: 5 });
  });

  it('of either of two tags takes what fits both, and gives what either gives', async () => {
    const tag = 'sms-failure' as 'sms-failure' | 'mail-failure';
    const { output } = await run({ fallback_tag: tag, action: 'trigger', input: { to: '+49', urgent: false } });
    expectTypeOf(output).toEqualTypeOf<number | null | boolean>();
    // @ts-expect-error fits the one only
    void run({ fallback_tag: tag, action: 'trigger', input: { to: '+49' } });
  });
});

describe('an action', () => {
  it('is one of three', () => {
    // @ts-expect-error no such action
    void run({ fallback_tag: 'page-failure', action: 'retry' });
    // @ts-expect-error no action
    void run({ fallback_tag: 'page-failure' });
    // @ts-expect-error a string may be any action
    void run({ fallback_tag: 'page-failure', action: 'trigger' as string });
  });

  it('decides the result', async () => {
    expectTypeOf(await run({ fallback_tag: 'page-failure', action: 'update' })).toEqualTypeOf<UpdateResult>();
    expectTypeOf(await run({ fallback_tag: 'page-failure', action: 'reset' })).toEqualTypeOf<ResetResult>();
    const either = await run({ fallback_tag: 'page-failure', action: 'reset' as 'trigger' | 'reset' });
    expectTypeOf(either).toEqualTypeOf<TriggerResult<string> | ResetResult>();
    if (either.action === 'trigger') expectTypeOf(either.output).toEqualTypeOf<string>();
  });
});

describe('an update', () => {
  it('takes the base keys, the settings, and `null` for any of them', () => {
    void run({
      fallback_tag: 'payment-failure',
      action: 'update',
      input: { maxRetries: 3, fallbackProvider: 'paypal', deadline: 900, resetAfter: 'never' },
    });
    void run({
      fallback_tag: 'sms-failure',
      action: 'update',
      input: {
        region: 'us',
        weight: null,
        resetAfter: null,
        providers: { vonage: { enabled: false, retries: 2, timeout: null }, never: null },
      },
    });
  });

  it('is refused with an unknown key', () => {
    // @ts-expect-error the key is maxRetries
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { maxRetry: 3 } });
    // @ts-expect-error a setting of another tag
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { region: 'eu' } });
    // @ts-expect-error a trigger's input
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { orderId: '1', reason: '' } });
    // @ts-expect-error the key is retries
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { providers: { stripe: { retry: 3 } } } });
  });

  it('is refused with an unknown provider', () => {
    // @ts-expect-error no such provider
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { fallbackProvider: 'vonage' } });
    // @ts-expect-error no such provider
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { providers: { vonage: { retries: 1 } } } });
  });

  it('is refused with a wrong value', () => {
    // @ts-expect-error a number
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { maxRetries: '3' } });
    // @ts-expect-error a number, `never` or null
    void run({ fallback_tag: 'payment-failure', action: 'update', input: { resetAfter: 'always' } });
    // @ts-expect-error eu or us
    void run({ fallback_tag: 'sms-failure', action: 'update', input: { region: 'mars' } });
    // @ts-expect-error a number
    void run({ fallback_tag: 'sms-failure', action: 'update', input: { weight: '1' } });
    // @ts-expect-error a boolean
    void run({ fallback_tag: 'sms-failure', action: 'update', input: { providers: { vonage: { enabled: 1 } } } });
  });
});

describe('a reset', () => {
  it('takes `config` and `keys`, and nothing else', () => {
    void run({ fallback_tag: 'payment-failure', action: 'reset' });
    void run({ fallback_tag: 'payment-failure', action: 'reset', input: { config: true, keys: true } });
    // @ts-expect-error no such key
    void run({ fallback_tag: 'payment-failure', action: 'reset', input: { cache: true } });
    // @ts-expect-error a boolean
    void run({ fallback_tag: 'payment-failure', action: 'reset', input: { config: 'yes' } });
  });
});

describe('a result', () => {
  it('is never any', async () => {
    const result = await run({ fallback_tag: 'page-failure', action: 'trigger' });
    expectTypeOf(result).not.toBeAny();
    expectTypeOf(result.output).not.toBeAny();
    expectTypeOf(result.state).toEqualTypeOf<State>();
    expectTypeOf(result.id).toEqualTypeOf<string>();
    expectTypeOf(result.provider).toEqualTypeOf<string>();
    expectTypeOf(result.duration).toEqualTypeOf<number>();
    expectTypeOf(result.attempts).toEqualTypeOf<readonly AttemptRecord[]>();
    expectTypeOf<AttemptRecord['error']>().toBeUnknown();
    // @ts-expect-error a string has no such method
    result.output.toFixed();
    const { config, revision } = await run({ fallback_tag: 'page-failure', action: 'update' });
    expectTypeOf(config).toEqualTypeOf<BaseConfig>();
    expectTypeOf(revision).toEqualTypeOf<number>();
  });

  it('is unknown where a provider gives any, in a promise or not', async () => {
    const parsed = defineFallback({ tag: 'a', providers: [{ name: 'x', run: () => JSON.parse('1') }] });
    const fetched = defineFallback({
      tag: 'b',
      providers: [
        { name: 'x', run: async () => (await fetch('https://example.org')).json() },
        { name: 'y', value: 'last' },
      ],
    });
    const schemed = defineFallback({ tag: 'c', output: z.any(), providers: [{ name: 'x', value: 1 }] });
    const { fallback } = createDuctape({ fallbacks: [parsed, fetched, schemed] });
    expectTypeOf((await fallback.run({ fallback_tag: 'a', action: 'trigger' })).output).toBeUnknown();
    expectTypeOf((await fallback.run({ fallback_tag: 'b', action: 'trigger' })).output).toBeUnknown();
    expectTypeOf((await fallback.run({ fallback_tag: 'c', action: 'trigger' })).output).toBeUnknown();
  });

  it('is what the output schema makes, whatever the providers give', async () => {
    const rate = defineFallback({
      tag: 'rate',
      output: z.string().transform(Number),
      providers: [{ name: 'ecb', run: async () => '1.08' }],
    });
    const { fallback } = createDuctape({ fallbacks: [rate] });
    expectTypeOf((await fallback.run({ fallback_tag: 'rate', action: 'trigger' })).output).toEqualTypeOf<number>();
  });
});

describe('what the engine tells', () => {
  it('is typed by its tags, and never any', () => {
    const inspection = engine.fallback.inspect({ fallback_tag: 'page-failure', cache: 'k' });
    expectTypeOf(inspection.config).toEqualTypeOf<BaseConfig>();
    expectTypeOf(inspection.lastError).toBeUnknown();
    expectTypeOf(inspection.retryAfter).toEqualTypeOf<number | undefined>();
    // @ts-expect-error no such tag
    engine.fallback.inspect({ fallback_tag: 'pages' });
    expectTypeOf(engine.fallback.list()[0]?.providers).toEqualTypeOf<readonly string[] | undefined>();
    expectTypeOf(engine.fallback.snapshot().machines[0]?.updates).toEqualTypeOf<
      Readonly<Record<string, unknown>> | undefined
    >();
    expectTypeOf(engine.fallback.restore).parameter(0).toBeUnknown();
    expectTypeOf(engine.fallback.close({ grace: 5 })).toEqualTypeOf<Promise<void>>();
  });
});
