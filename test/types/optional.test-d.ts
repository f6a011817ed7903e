import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { type AttemptRecord, createDuctape, defineFallback, type IFallbackProcessorInput } from '../../src/index.ts';

// Compiled with exactOptionalPropertyTypes, and (by scripts/types-5.9.mjs) without.
const rate = defineFallback({
  tag: 'rate',
  input: z.object({ from: z.string(), to: z.string().optional() }),
  settings: z.object({ region: z.string().optional() }),
  providers: [{ name: 'ecb', run: (input, ctx) => input.to ?? ctx.config.region ?? input.from }],
});
const page = defineFallback({ tag: 'page', providers: [{ name: 'static', value: '<p>' }] });

const environment: Record<string, string | undefined> = {};
const incoming: { user?: { tag: string; token: string }; signal?: AbortSignal; key?: string } = {};

describe('what may be left out', () => {
  it('may be passed on from where it was left out', () => {
    const { run, call, wrap, inspect } = createDuctape({
      env: environment.APP_ENV,
      product: environment.PRODUCT,
      timeout: environment.TIMEOUT ? 5 : undefined,
      sessions: environment.ISSUER ? { user: () => 1 } : undefined,
      fallbacks: [rate, page],
    }).fallback;
    const { user: session, signal, key: cache } = incoming;
    void run({ fallback_tag: 'page', action: 'trigger', session, cache, env: environment.APP_ENV }, { signal });
    void run({ fallback_tag: 'page', action: 'trigger', input: undefined }, { id: cache, deadline: undefined });
    void run({ fallback_tag: 'rate', action: 'trigger', input: { from: 'EUR', to: environment.CURRENCY } });
    void call('page', () => 1, { session, signal, cache, timeout: undefined });
    wrap('page', () => 1, { session, signal, cache, handle: undefined });
    inspect({ fallback_tag: 'page', cache });
  });

  it('may be left out of an object made elsewhere', () => {
    const base: { env?: string; session?: { tag: string; token: string } } = {};
    const { fallback } = createDuctape({ fallbacks: [page] });
    void fallback.run({ ...base, fallback_tag: 'page', action: 'trigger' });
    const request: IFallbackProcessorInput = { env: 'e', product: 'p', fallback_tag: 'page', action: 'update' };
    request.input = { maxRetries: 3 };
    void createDuctape().fallback.run(Object.freeze(request));
  });

  it('reads as possibly undefined', () => {
    expectTypeOf<AttemptRecord['error']>().toBeUnknown();
    expectTypeOf<IFallbackProcessorInput['cache']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<NonNullable<Parameters<typeof createDuctape>[0]>['env']>().toEqualTypeOf<string | undefined>();
  });

  it('is not everything', () => {
    const { run, wrap } = createDuctape({ fallbacks: [rate] }).fallback;
    // @ts-expect-error from is required
    void run({ fallback_tag: 'rate', action: 'trigger', input: { from: environment.CURRENCY } });
    // @ts-expect-error a tag is required
    void run({ fallback_tag: undefined, action: 'reset' });
    // @ts-expect-error input is required
    wrap('rate', (amount: number) => amount, { input: undefined });
  });
});
