import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import {
  type Context,
  createDuctape,
  type DuctapeOptions,
  type Fallback,
  FallbackError,
  type FallbackEvent,
  SessionError,
  type SessionVerifier,
} from '../../src/index.ts';
import { openSession } from '../../src/session.ts';
import { settled, virtualClock } from '../virtual-clock.ts';

const TOKEN = 'eyJhbGciOi.secret"quoted\\.token';
const session = { tag: 'user', token: TOKEN };

function engineOf(definition: object, options: Partial<DuctapeOptions<readonly Fallback[]>> = {}) {
  const clock = virtualClock();
  const { fallback } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'p',
    clock,
    fallbacks: [{ tag: 'x', ...definition } as Fallback],
    ...options,
  });
  const trigger = (more: object = {}, runOptions = {}) =>
    fallback.run({ fallback_tag: 'x', action: 'trigger', ...more }, runOptions);
  return { clock, fallback, trigger };
}

async function errorOf(work: Promise<unknown>): Promise<FallbackError> {
  const error = await work.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FallbackError);
  return error as FallbackError;
}

/** Every text that the engine makes of something. */
function textsOf(value: unknown): string {
  const error =
    value instanceof FallbackError ? [value.message, String(value), value.stack, inspect(value.toJSON())] : [];
  return [JSON.stringify(value), ...error].join('\n');
}

/** Whether a text shows a token, as it is or as JSON writes it. */
function shows(text: string, token: string): boolean {
  const asJson = JSON.stringify(token).slice(1, -1);
  return [token, asJson, JSON.stringify(asJson).slice(1, -1)].some((form) => text.includes(form));
}

describe('a session', () => {
  it('passes unverified where the engine has no verifiers', async () => {
    const seen: unknown[] = [];
    const { trigger } = engineOf({
      providers: [{ name: 'a', run: (_: unknown, ctx: Context) => seen.push(ctx.session) }],
    });
    await trigger({ session });
    expect(seen[0]).toMatchObject({ tag: 'user', data: undefined, verified: false, token: TOKEN });
  });

  it('is absent where the request has none', async () => {
    const { trigger } = engineOf({
      providers: [{ name: 'a', run: (_: unknown, ctx: Context) => ctx.session === undefined }],
    });
    expect(await trigger()).toMatchObject({ output: true });
  });

  it.each([
    ['returns', (): unknown => ({ user: 7 })],
    ['resolves', async (): Promise<unknown> => ({ user: 7 })],
  ])('has the data that its verifier %s', async (_, verify) => {
    const run = (_input: unknown, { session }: Context) => [
      session?.data,
      session?.verified,
      session?.token,
      session?.tag,
    ];
    const { trigger } = engineOf({ providers: [{ name: 'a', run }] }, { sessions: { user: verify } });
    expect(await trigger({ session })).toMatchObject({ output: [{ user: 7 }, true, TOKEN, 'user'] });
  });

  it('is verified before the input is looked at, by its token and its place', async () => {
    const asked: unknown[] = [];
    const verify: SessionVerifier = (...args) => asked.push(args);
    const { trigger } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { sessions: { user: verify } });
    await trigger({ session, env: 'dev' });
    expect(asked).toEqual([[TOKEN, { env: 'dev', product: 'p', tag: 'x' }]]);
  });

  it('may be verified to a falsy value', async () => {
    for (const data of [0, '', false, null, undefined]) {
      const { trigger } = engineOf(
        { providers: [{ name: 'a', run: (_: unknown, ctx: Context) => [ctx.session?.data, ctx.session?.verified] }] },
        { sessions: { user: () => data } },
      );
      expect(await trigger({ session })).toMatchObject({ output: [data, true] });
    }
  });

  it('is of a tag that the engine verifies, prototypes counting for nothing', async () => {
    for (const tag of ['other', 'constructor', '__proto__', 'toString']) {
      const { fallback, trigger } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { sessions: { user: () => 1 } });
      expect(await errorOf(trigger({ session: { tag, token: TOKEN } }))).toMatchObject({
        reason: 'unknown',
        code: 'ERR_SESSION',
      });
      expect(fallback.snapshot().machines).toEqual([]);
    }
  });

  it('is of a tag that no engine verifies, where there are verifiers but none of them', async () => {
    const { trigger } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { sessions: {} });
    expect(await errorOf(trigger({ session }))).toMatchObject({ reason: 'unknown' });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error(`bad ${TOKEN}`);
      },
    ],
    ['rejects', () => Promise.reject(new Error(`bad ${TOKEN}`))],
    [
      'throws nothing',
      () => {
        throw undefined;
      },
    ],
    [
      'has a then that throws',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw new Error(TOKEN);
          },
        }),
    ],
  ] as [string, SessionVerifier][])(
    'is refused where its verifier %s, without its error and without a trace',
    async (_, verify) => {
      let calls = 0;
      const { fallback, trigger } = engineOf(
        { providers: [{ name: 'a', run: () => ++calls }] },
        { sessions: { user: verify } },
      );
      const error = await errorOf(trigger({ session }));
      expect(error).toMatchObject({ reason: 'refused', tag: 'x', env: 'prd', product: 'p' });
      expect(error).toBeInstanceOf(SessionError);
      expect('cause' in error).toBe(false);
      expect(error.errors).toBeUndefined();
      expect(shows(textsOf(error), TOKEN)).toBe(false);
      expect([calls, fallback.snapshot().machines]).toEqual([0, []]);
    },
  );

  it('is missed where it is required, by a trigger only', async () => {
    const { fallback, trigger } = engineOf({ session: 'required', providers: [{ name: 'a', value: 1 }] });
    expect(await errorOf(trigger())).toMatchObject({ reason: 'missing', code: 'ERR_SESSION', tag: 'x' });
    expect(await trigger({ session })).toMatchObject({ output: 1 });
    expect(await fallback.run({ fallback_tag: 'x', action: 'update', input: { maxRetries: 1 } })).toMatchObject({
      revision: 1,
    });
    expect(await fallback.run({ fallback_tag: 'x', action: 'reset' })).toMatchObject({ state: 'idle' });
  });

  it.each(['update', 'reset'] as const)('is verified for an %s, too', async (action) => {
    const { fallback } = engineOf(
      { providers: [{ name: 'a', value: 1 }] },
      {
        sessions: {
          user: async () => {
            throw new Error('no');
          },
        },
      },
    );
    expect(await errorOf(fallback.run({ fallback_tag: 'x', action, session }))).toMatchObject({ reason: 'refused' });
  });

  it('is given back at once where it is verified at once', () => {
    const request = {
      env: 'e',
      product: 'p',
      tag: 'x',
      cache: undefined,
      action: 'trigger',
      input: {},
      session,
      token: session.token,
    } as const;
    expect(openSession(new Map([['user', () => 5]]), request, true, {})).toMatchObject({ data: 5, verified: true });
  });
});

describe('no text shows a token', () => {
  const leak = () => {
    throw Object.assign(new Error(`401 for ${TOKEN}`), { config: { headers: { authorization: TOKEN } } });
  };

  it('in the session itself, or in a context, or in what went before', async () => {
    const texts: string[] = [];
    const run = (_: unknown, ctx: Context) => {
      texts.push(JSON.stringify(ctx), JSON.stringify(ctx.session), JSON.stringify(ctx.previous), inspect(ctx.session));
      texts.push(
        JSON.stringify({ ...ctx }),
        JSON.stringify({ ...ctx.session }),
        inspect(ctx, { depth: 9 }).replace(/Error: 401.*/g, ''),
      );
      return 'done';
    };
    const { trigger } = engineOf({
      providers: [
        { name: 'a', run: leak },
        { name: 'b', run },
      ],
    });
    await trigger({ session });
    expect(texts).toHaveLength(7);
    expect(texts.filter((text) => shows(text, TOKEN))).toEqual([]);
  });

  it('in a session on the console, which calls it one', async () => {
    const { trigger } = engineOf({
      providers: [{ name: 'a', run: (_: unknown, { session }: Context) => inspect(session) }],
    });
    const { output } = await trigger({ session });
    expect(output).toMatch(/^Session \{ tag: 'user', .*verified: false \}$/s);
  });

  it('in the session, even where its data holds the token', async () => {
    const run = (_: unknown, ctx: Context) => JSON.stringify(ctx.session);
    const { trigger } = engineOf(
      { providers: [{ name: 'a', run }] },
      { sessions: { user: (token) => ({ raw: token }) } },
    );
    const { output } = await trigger({ session });
    expect(JSON.parse(output as string)).toEqual({ tag: 'user', verified: true });
  });

  it('in a result, its records, an event, an inspection, a snapshot, or an error of any kind', async () => {
    const schema = z.object({
      n: z.number(),
      who: z
        .string()
        .refine((who) => who !== TOKEN, `not ${TOKEN}`)
        .optional(),
    });
    const { fallback, trigger, clock } = engineOf({
      input: schema,
      settings: z.object({ region: z.enum(['eu', 'us']).default('eu') }),
      maxRetries: 0,
      providers: [
        { name: 'a', run: (input: { n: number }) => (input.n > 1 ? 'good' : leak()) },
        { name: 'b', run: leak, timeout: 5 },
      ],
    });
    const events: FallbackEvent[] = [];
    fallback.on('*', (event) => events.push(event));
    const made: unknown[] = [
      await trigger({ session, input: { n: 2 } }),
      await errorOf(trigger({ session, input: { n: 'x', who: TOKEN } })),
      await errorOf(trigger({ session, input: { n: 2, who: TOKEN } })),
      await errorOf(trigger({ session, input: { n: 1 } })),
      fallback.inspect({ fallback_tag: 'x' }),
      await errorOf(trigger({ session, input: { n: 1 } })),
      await errorOf(fallback.run({ fallback_tag: 'x', action: 'update', session, input: { region: TOKEN } })),
      await errorOf(fallback.run({ fallback_tag: 'x', action: 'update', session, input: { [TOKEN]: 1 } })),
      await errorOf(fallback.run({ fallback_tag: 'x', action: 'update', session, input: { fallbackProvider: TOKEN } })),
      await errorOf(fallback.run({ fallback_tag: 'x', action: 'reset', session, input: { [TOKEN]: 1 } })),
      await errorOf(trigger({ session, [TOKEN]: 1 })),
      await errorOf(trigger({ session: { ...session, [TOKEN]: 1 } })),
      await errorOf(trigger({ session, action: TOKEN })),
      await errorOf(trigger({ session }, { [TOKEN]: 1 })),
      await errorOf(trigger({ session, fallback_tag: TOKEN })),
      fallback.snapshot(),
    ];
    expect(made.map((value) => (value instanceof FallbackError ? value.code : 'ok'))).toEqual([
      'ok',
      'ERR_INVALID_INPUT',
      'ERR_INVALID_INPUT',
      'ERR_FALLBACK_FAILED',
      'ok',
      'ERR_FALLBACK_EXHAUSTED',
      'ERR_INVALID_CONFIG',
      'ERR_INVALID_CONFIG',
      'ERR_INVALID_CONFIG',
      'ERR_INVALID_REQUEST',
      'ERR_INVALID_REQUEST',
      'ERR_INVALID_REQUEST',
      'ERR_INVALID_REQUEST',
      'ERR_INVALID_REQUEST',
      'ERR_UNKNOWN_FALLBACK',
      'ok',
    ]);
    await clock.runUntilIdle();
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(['triggered', 'attempt-started', 'attempt-ended', 'recovered', 'failed', 'exhausted']),
    );
    expect([...made, ...events].map(textsOf).filter((text) => shows(text, TOKEN))).toEqual([]);
    // The error itself stays as the provider threw it; its text reads [token].
    expect((made[3] as FallbackError).errors?.[0]).toMatchObject({ message: `401 for ${TOKEN}` });
    expect((made[3] as FallbackError).message).toContain('401 for [token]');
  });

  it('in what is said of a verify, or of an output that a schema refuses', async () => {
    const verify = async () => TOKEN as never;
    const run = (_: unknown, { signal }: Context) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
    const unsure = engineOf({ providers: [{ name: 'a', run, timeout: 5, inDoubt: 'verify', verify }] });
    const call = errorOf(unsure.trigger({ session }));
    await unsure.clock.runUntilIdle();
    const { errors = [], code } = await call;
    expect(code).toBe('ERR_IN_DOUBT');
    expect((errors[1] as Error).message).toBe(
      'expected { done: true, output } or { done: false } of the verify of "a", got "[token]"',
    );
    const output = z.record(z.string(), z.number());
    const refused = engineOf({ output, providers: [{ name: 'a', run: () => ({ [TOKEN]: 'x' }) }] });
    const error = await errorOf(refused.trigger({ session }));
    const [first] = error.errors as [{ message: string; issues: object[] }];
    expect(first.issues).toMatchObject([{ path: '[token]' }]);
    expect(shows(textsOf(error) + first.message + JSON.stringify(first), TOKEN)).toBe(false);
  });

  it('in what an input writes of itself', async () => {
    const { fallback, trigger } = engineOf({ providers: [{ name: 'a', run: leak, inDoubtWhen: () => true }] });
    const texts: string[] = [];
    fallback.on('in-doubt', (event) => texts.push(JSON.stringify(event)));
    await errorOf(trigger({ session, input: { toJSON: () => ({ hi: TOKEN }), deep: { toJSON: () => TOKEN } } }));
    expect(texts).toHaveLength(1);
    expect(texts.join()).toContain('"input":{"hi":"[token]"}');
    expect(shows(texts.join(), TOKEN)).toBe(false);
  });

  it('in the event of an attempt that comes too late', async () => {
    const { fallback, trigger, clock } = engineOf({
      providers: [
        {
          name: 'a',
          timeout: 5,
          run: () => new Promise((_, reject) => clockOf().setTimeout(() => reject(new Error(TOKEN)), 9)),
        },
        { name: 'b', value: 1 },
      ],
    });
    function clockOf() {
      return clock;
    }
    const late: FallbackEvent[] = [];
    fallback.on('late', (event) => late.push(event));
    const result = trigger({ session });
    await clock.runUntilIdle();
    await result;
    expect(late).toHaveLength(1);
    expect(JSON.stringify(late)).toContain('[token]');
    expect(shows(JSON.stringify(late), TOKEN)).toBe(false);
  });

  it('of another caller: neither in a refusal nor in an inspection', async () => {
    const { fallback, trigger } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: leak }] });
    await errorOf(trigger({ session }));
    const refused = await errorOf(trigger({ session: { tag: 'user', token: 'token-of-b' } }));
    expect(refused).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', lastError: { message: `401 for ${TOKEN}` } });
    expect(refused.toJSON().lastError).toBe('Error: 401 for [token]');
    const anonymous = await errorOf(trigger());
    expect(anonymous.toJSON().lastError).toBe('Error: 401 for [token]');
    const texts = [refused, anonymous, fallback.inspect({ fallback_tag: 'x' })].map(textsOf);
    expect(texts.filter((text) => shows(text, TOKEN))).toEqual([]);
  });

  it('of the caller in an error that was met without it', async () => {
    const { trigger } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: leak }] });
    await errorOf(trigger());
    const refused = await errorOf(trigger({ session }));
    expect(refused.code).toBe('ERR_FALLBACK_EXHAUSTED');
    expect(shows(textsOf(refused), TOKEN)).toBe(false);
  });

  it.each([['secret-jwt'], [12_345_678], [['secret-jwt']], [{ jwt: 'secret-jwt' }]])(
    'where the session is malformed: a token of %o',
    async (token) => {
      const { trigger } = engineOf({ providers: [{ name: 'a', value: 1 }] });
      const error = await errorOf(trigger({ session: { tag: typeof token === 'string' ? '' : 'user', token } }));
      expect(error.code).toBe('ERR_INVALID_REQUEST');
      expect(textsOf(error)).not.toMatch(/secret-jwt|12345678/);
    },
  );

  it('where the whole session is a token', async () => {
    const { trigger } = engineOf({ providers: [{ name: 'a', value: 1 }] });
    expect(shows(textsOf(await errorOf(trigger({ session: TOKEN }))), TOKEN)).toBe(false);
  });

  it('of a call that ends by close, by its deadline, or by a timeout', async () => {
    const never = () => new Promise(() => {});
    for (const [definition, end] of [
      [
        {
          providers: [
            { name: 'a', run: leak },
            { name: 'b', run: never },
          ],
        },
        'close',
      ],
      [
        {
          deadline: 5,
          providers: [
            { name: 'a', run: leak },
            { name: 'b', run: never },
          ],
        },
        'deadline',
      ],
      [
        {
          providers: [
            { name: 'a', run: leak },
            { name: 'b', run: never, timeout: 5 },
          ],
        },
        'timeout',
      ],
    ] as const) {
      const { fallback, trigger, clock } = engineOf(definition);
      const ended = errorOf(trigger({ session }));
      await settled();
      if (end === 'close') await fallback.close();
      await clock.runUntilIdle();
      const error = await ended;
      expect(error.errors?.[0]).toMatchObject({ message: `401 for ${TOKEN}` });
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    }
  });

  describe('of a wrapped call, whose primary quotes it', () => {
    it('where the fallback fails too', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', run: leak }] });
      const error = await errorOf(fallback.call('x', leak, { session }));
      expect(error).toMatchObject({ code: 'ERR_FALLBACK_FAILED', cause: { message: `401 for ${TOKEN}` } });
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });

    it('where the input is refused', async () => {
      const { fallback } = engineOf({ input: z.object({ n: z.number() }), providers: [{ name: 'a', value: 1 }] });
      const error = await errorOf(fallback.call('x', leak, { session, input: {} }));
      expect(error.code).toBe('ERR_INVALID_INPUT');
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });

    it('where the session is refused', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', value: 1 }] }, { sessions: { user: leak } });
      const error = await errorOf(fallback.call('x', leak, { session }));
      expect(error.code).toBe('ERR_SESSION');
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });

    it('where the input cannot be made', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', value: 1 }] });
      const error = await errorOf(fallback.wrap('x', leak, { session, input: leak })());
      expect(error.code).toBe('ERR_INVALID_INPUT');
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });

    it('where there is no such fallback in the place it is sent to', async () => {
      const { fallback } = engineOf({ env: 'prd', providers: [{ name: 'a', value: 1 }] });
      const error = await errorOf(fallback.wrap('x', leak, { session, env: () => 'elsewhere' })());
      expect(error.code).toBe('ERR_UNKNOWN_FALLBACK');
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });

    it('where a function among its options throws it, or makes something wrong of it', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', value: 1 }] });
      const made = TOKEN as never;
      const options: object[] = [
        { cache: leak },
        { cache: () => ({ tenant: TOKEN }) },
        { env: leak },
        { id: leak },
        { id: () => '' },
        { deadline: leak },
        { deadline: () => made },
        { signal: leak },
        { signal: () => made },
      ];
      for (const option of options) {
        for (const given of [session, () => session]) {
          const error = await errorOf(fallback.wrap('x', leak, { ...option, session: given })());
          expect(error.code).toBe('ERR_INVALID_REQUEST');
          expect([Object.keys(option), shows(textsOf(error), TOKEN)]).toEqual([Object.keys(option), false]);
        }
      }
    });

    it('where the function that makes the session throws', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', value: 1 }] });
      const thrown = () => {
        throw new Error('no session');
      };
      for (const option of [{}, { id: thrown }]) {
        const error = await errorOf(fallback.wrap('x', leak, { ...option, session: thrown })());
        expect([error.code, error.message]).toEqual([
          'ERR_INVALID_REQUEST',
          expect.stringContaining("expected functions that make options of the call's arguments, got one that threw"),
        ]);
      }
    });

    it('where its session is malformed', async () => {
      const { fallback } = engineOf({ providers: [{ name: 'a', value: 1 }] });
      const error = await errorOf(fallback.call('x', leak, { session: { ...session, extra: 1 } as never }));
      expect(error.code).toBe('ERR_INVALID_REQUEST');
      expect(shows(textsOf(error), TOKEN)).toBe(false);
    });
  });
});
