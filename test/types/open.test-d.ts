import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import {
  createDuctape,
  type Ductape,
  defineFallback,
  type Fallback,
  type IFallbackProcessorInput,
  type ISession,
  type ResetResult,
  type TriggerResult,
  type UpdateResult,
} from '../../src/index.ts';

const a = defineFallback({ tag: 'a', input: z.object({ n: z.number() }), providers: [{ name: 'x', value: 1 }] });
const b = defineFallback({ tag: 'b', providers: [{ name: 'y', value: '' }] });
const request = { env: 'e', product: 'p', fallback_tag: 'a', action: 'trigger' } as IFallbackProcessorInput;

describe('the documented interfaces', () => {
  it('are exported as documented', () => {
    expectTypeOf<IFallbackProcessorInput>().toEqualTypeOf<{
      env: string;
      product: string;
      fallback_tag: string;
      action: 'trigger' | 'update' | 'reset';
      input?: Record<string, unknown>;
      session?: ISession;
      cache?: string;
    }>();
    expectTypeOf<ISession>().toEqualTypeOf<{ tag: string; token: string }>();
  });
});

describe('an engine made without fallbacks, or as createDuctape<readonly Fallback[]>', () => {
  const late = createDuctape();
  const bare = createDuctape({ env: 'e', product: 'p' });
  const wide = createDuctape<readonly Fallback[]>({ fallbacks: [a, b] });
  const empty = createDuctape({ fallbacks: [] });
  const listed = createDuctape({ fallbacks: [a, b] as Fallback[] });

  it('takes IFallbackProcessorInput as it stands', async () => {
    type Result = TriggerResult | UpdateResult | ResetResult;
    expectTypeOf(await late.fallback.run(request)).toEqualTypeOf<Result>();
    expectTypeOf(await bare.fallback.run(request)).toEqualTypeOf<Result>();
    expectTypeOf(await wide.fallback.run(request, { id: 'mine' })).toEqualTypeOf<Result>();
    expectTypeOf(await empty.fallback.run(request)).toEqualTypeOf<Result>();
    expectTypeOf(await listed.fallback.run(request)).toEqualTypeOf<Result>();
  });

  it('takes any tag and input, and gives unknown', async () => {
    const { output } = await late.fallback.run({ fallback_tag: 'any', action: 'trigger', input: { some: 'thing' } });
    expectTypeOf(output).toBeUnknown();
    late.fallback.inspect({ fallback_tag: 'any' });
    expectTypeOf(late.fallback.wrap('any', (n: number) => n)).returns.toEqualTypeOf<Promise<unknown>>();
    expectTypeOf(late.fallback.call('any', () => 1, { input: {}, timeout: 5 })).toEqualTypeOf<Promise<unknown>>();
  });

  it('still knows the actions and the keys of a request', () => {
    // @ts-expect-error no such action
    void late.fallback.run({ fallback_tag: 'any', action: 'retry' });
    // @ts-expect-error no such key
    void late.fallback.run({ fallback_tag: 'any', action: 'reset', cacheKey: 'k' });
    // @ts-expect-error no tag
    void late.fallback.run({ action: 'reset' });
  });

  it('takes any definition later', () => {
    late.fallback.define(a);
    wide.fallback.define(b);
    // @ts-expect-error not a definition
    late.fallback.define({ name: 'a' });
  });
});

describe('an engine made with fallbacks', () => {
  const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: [a, b] });

  it('refuses IFallbackProcessorInput, which may name any tag', () => {
    // @ts-expect-error any tag
    void fallback.run(request);
  });

  it('narrows a string to its tags', () => {
    const tag = 'a' as string;
    if (fallback.has(tag)) {
      expectTypeOf(tag).toEqualTypeOf<'a' | 'b'>();
      void fallback.run({ fallback_tag: tag, action: 'reset' });
      void fallback.run({ fallback_tag: tag, action: 'trigger', input: { n: 1 } });
    }
    // @ts-expect-error not narrowed
    void fallback.run({ fallback_tag: tag, action: 'reset' });
  });

  it('narrows a request to its tags', () => {
    if (fallback.has(request)) {
      expectTypeOf(request.fallback_tag).toEqualTypeOf<'a' | 'b'>();
      expectTypeOf(request.action).toEqualTypeOf<'trigger' | 'update' | 'reset'>();
      void fallback.run({ ...request, action: 'reset', input: { config: true } });
    }
    const short = { fallback_tag: 'b' as string, action: 'reset' as const };
    if (fallback.has(short)) expectTypeOf(fallback.run(short)).toEqualTypeOf<Promise<ResetResult>>();
  });

  it('takes definitions in a tuple made elsewhere, and has a name as a type', () => {
    const all = [a, b] as const;
    const engine: Ductape<readonly [typeof a, typeof b]> = createDuctape({ fallbacks: all });
    expectTypeOf(engine.fallback.run({ fallback_tag: 'b', action: 'trigger' })).toEqualTypeOf<
      Promise<TriggerResult<string>>
    >();
  });

  it('takes every documented option', () => {
    createDuctape({
      fallbacks: [a],
      env: 'e',
      product: 'p',
      sessions: {
        user: (token, about) => {
          expectTypeOf(token).toEqualTypeOf<string>();
          expectTypeOf(about).toEqualTypeOf<{ env: string; product: string; tag: string }>();
          return { user: 1 };
        },
        later: async () => undefined,
      },
      cache: { max: 5, ttl: 9 },
      timeout: null,
      maxScopes: 3,
      clock: { now: () => 0, setTimeout: () => 1, clearTimeout: () => {} },
      random: () => 0,
      nonce: 'n',
    });
    // @ts-expect-error no such option
    createDuctape({ fallbacks: [a], retries: 3 });
    // @ts-expect-error not a definition
    createDuctape({ fallbacks: [{ name: 'a' }] });
    // @ts-expect-error a number
    createDuctape({ timeout: '5' });
  });
});
