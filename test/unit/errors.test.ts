import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { exhausted } from '../../src/errors.ts';
import {
  type AnyFallbackError,
  AttemptTimeoutError,
  createDuctape,
  DeadlineError,
  type DuctapeOptions,
  defineFallback,
  EngineClosedError,
  type Fallback,
  FallbackError,
  FallbackExhaustedError,
  FallbackFailedError,
  InvalidConfigError,
  InvalidDefinitionError,
  InvalidInputError,
  InvalidRequestError,
  InvalidSnapshotError,
  SessionError,
  UnknownFallbackError,
} from '../../src/index.ts';
import { settled, virtualClock } from '../virtual-clock.ts';

const WHERE = { id: 'mine', tag: 'x', env: 'prd', product: 'p', cache: 'k' };
const boom = new Error('boom');
const fail = () => {
  throw boom;
};

function engineOf(definition: object, options: Partial<DuctapeOptions<readonly Fallback[]>> = {}) {
  const clock = virtualClock();
  const { fallback } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'p',
    clock,
    fallbacks: [{ tag: 'x', providers: [{ name: 'a', value: 1 }], ...definition } as Fallback],
    ...options,
  });
  const run = (action: 'trigger' | 'update' | 'reset', more: object = {}, runOptions: object = { id: 'mine' }) =>
    fallback.run({ fallback_tag: 'x', action, cache: 'k', ...more }, runOptions);
  return { clock, fallback, run };
}

async function errorOf(work: () => unknown): Promise<FallbackError> {
  const error = await Promise.resolve()
    .then(work)
    .then(
      () => new Error('nothing was thrown'),
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(FallbackError);
  return error as FallbackError;
}

/** What each error promises, whatever it is about. */
function keepsThePromises(error: FallbackError, type: new (...args: never[]) => FallbackError, code: string) {
  expect(error).toBeInstanceOf(type);
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toBe(code);
  expect(error.name).toBe(type.name);
  expect(String(error)).toBe(`${type.name}: ${error.message}`);
  expect(error.stack).toContain(`${type.name}: ${error.message}`);
  const json = JSON.parse(JSON.stringify(error));
  expect(json).toEqual(JSON.parse(JSON.stringify(error.toJSON())));
  expect(json).toMatchObject({ name: type.name, code, message: error.message });
  expect(json).not.toHaveProperty('stack');
}

const slow = { '~standard': { version: 1, vendor: 't', validate: () => new Promise(() => {}) } };

describe('InvalidRequestError', () => {
  it.each([
    ['a malformed request', (e: ReturnType<typeof engineOf>) => e.run('trigger', { cache: '' }), 'cache'],
    ['an unknown key', (e: ReturnType<typeof engineOf>) => e.run('trigger', { cahce: 'k' }), 'cahce'],
    ['a malformed option', (e: ReturnType<typeof engineOf>) => e.run('trigger', {}, { deadline: -1 }), 'deadline'],
    ['a malformed reset', (e: ReturnType<typeof engineOf>) => e.run('reset', { input: { keys: 1 } }), 'input.keys'],
    [
      'a malformed address',
      (e: ReturnType<typeof engineOf>) => e.fallback.inspect({ fallback_tag: '' }),
      'fallback_tag',
    ],
    ['an unknown event', (e: ReturnType<typeof engineOf>) => e.fallback.on('fail' as never, () => {}), 'type'],
    ['a malformed close', (e: ReturnType<typeof engineOf>) => e.fallback.close({ grace: -1 }), 'grace'],
    [
      'a malformed option of wrap',
      (e: ReturnType<typeof engineOf>) => e.fallback.wrap('x', fail, { timeout: -1 }),
      'timeout',
    ],
    ['a malformed option of call', (e: ReturnType<typeof engineOf>) => e.fallback.call('x', fail, { id: '' }), 'id'],
    ['a primary that is none', (e: ReturnType<typeof engineOf>) => e.fallback.wrap('x', 5 as never), 'primary'],
    ['a malformed option of createDuctape', () => createDuctape({ timeout: -1 }), 'timeout'],
  ])('is thrown for %s', async (_, act, path) => {
    const error = await errorOf(() => act(engineOf({})));
    keepsThePromises(error, InvalidRequestError, 'ERR_INVALID_REQUEST');
    expect(error).toMatchObject({ issues: [{ path, message: expect.any(String) }] });
    expect(error.toJSON().issues).toEqual((error as InvalidRequestError).issues);
  });

  it('is thrown where nobody gave an env or a product', async () => {
    const { fallback } = createDuctape();
    const error = await errorOf(() => fallback.run({ fallback_tag: 'x', action: 'trigger' }));
    expect((error as InvalidRequestError).issues.map(({ path }) => path)).toEqual(['env', 'product']);
  });

  it('is thrown where there is no room for one more env and product, and says whose call it was', async () => {
    const { run } = engineOf({ providers: [{ name: 'a', run: fail }] }, { maxScopes: 1 });
    await errorOf(() => run('trigger', { env: 'first' }));
    const error = await errorOf(() => run('trigger', { env: 'second' }));
    keepsThePromises(error, InvalidRequestError, 'ERR_INVALID_REQUEST');
    expect(error).toMatchObject({ ...WHERE, env: 'second' });
  });

  it('has the error of a primary for its cause where there is no room for its fallback', async () => {
    const { fallback, run } = engineOf({ providers: [{ name: 'a', run: fail }] }, { maxScopes: 1 });
    await errorOf(() => run('trigger', { env: 'first' }));
    const primary = new Error('primary');
    const error = await errorOf(() => fallback.call('x', () => Promise.reject(primary)));
    expect(error.code).toBe('ERR_INVALID_REQUEST');
    expect(error.cause).toBe(primary);
  });
});

describe('InvalidDefinitionError', () => {
  it('is thrown for a definition that cannot work', async () => {
    const error = await errorOf(() => defineFallback({ tag: 'x', providers: [{ name: 'a', retry: 1 } as never] }));
    keepsThePromises(error, InvalidDefinitionError, 'ERR_INVALID_DEFINITION');
    expect(error).toMatchObject({ tag: 'x', issues: [{ path: 'providers[0].retry' }] });
  });

  it('is thrown for a tag that is taken, and nothing changes', async () => {
    const { fallback } = engineOf({ env: ['prd', 'dev'] });
    const taken = defineFallback({ tag: 'x', env: 'dev', providers: [{ name: 'b', value: 2 }] });
    const error = await errorOf(() => fallback.define(taken));
    keepsThePromises(error, InvalidDefinitionError, 'ERR_INVALID_DEFINITION');
    expect(error).toMatchObject({ tag: 'x', issues: [{ path: 'tag' }] });
    expect(fallback.list()).toEqual([{ tag: 'x', env: ['prd', 'dev'], providers: ['a'] }]);
  });

  it('is thrown for a bad fallback given to createDuctape', async () => {
    const error = await errorOf(() => createDuctape({ fallbacks: [{ tag: 'x' }] }));
    keepsThePromises(error, InvalidDefinitionError, 'ERR_INVALID_DEFINITION');
  });
});

describe('InvalidInputError', () => {
  it('is thrown for an input that its schema refuses', async () => {
    const error = await errorOf(() =>
      engineOf({ input: z.object({ n: z.number() }) }).run('trigger', { input: { n: 'x' } }),
    );
    keepsThePromises(error, InvalidInputError, 'ERR_INVALID_INPUT');
    expect(error).toMatchObject({
      ...WHERE,
      issues: [{ path: 'n', message: expect.stringMatching(/, got a string$/) }],
    });
    expect(error.toJSON()).toMatchObject(WHERE);
    expect('cause' in error).toBe(false);
  });

  it('has what a schema threw for its cause', async () => {
    const input = { '~standard': { version: 1, vendor: 't', validate: fail } };
    const error = await errorOf(() => engineOf({ input }).run('trigger'));
    keepsThePromises(error, InvalidInputError, 'ERR_INVALID_INPUT');
    expect(error.cause).toBe(boom);
    expect(error.toJSON().cause).toBe('Error: boom');
  });
});

describe('InvalidConfigError', () => {
  it('is thrown for an update that is refused', async () => {
    const error = await errorOf(() => engineOf({}).run('update', { input: { maxRetrys: 1 } }));
    keepsThePromises(error, InvalidConfigError, 'ERR_INVALID_CONFIG');
    expect(error).toMatchObject({
      ...WHERE,
      issues: [{ path: 'maxRetrys', message: expect.stringContaining('"maxRetries"') }],
    });
  });

  it('is thrown where too many keys have updates of their own', async () => {
    const { run } = engineOf({}, { cache: { max: 1 } });
    await run('update', { input: { maxRetries: 1 } });
    const error = await errorOf(() => run('update', { cache: 'other', input: { maxRetries: 1 } }));
    keepsThePromises(error, InvalidConfigError, 'ERR_INVALID_CONFIG');
    expect(error).toMatchObject({ cache: 'other', issues: [{ path: 'cache' }] });
  });
});

describe('InvalidSnapshotError', () => {
  it.each([
    ['is none', 5],
    ['has another version', { version: 2, takenAt: 0, machines: [] }],
    [
      'no configuration allows',
      {
        version: 1,
        takenAt: 0,
        machines: [
          {
            env: 'prd',
            product: 'p',
            tag: 'x',
            triggers: 0,
            recoveries: 0,
            revision: 0,
            snapshot: { status: 'active', value: 'idle', context: { failures: 3 } },
          },
        ],
      },
    ],
  ])('is thrown for a snapshot that %s', async (_, snapshot) => {
    const error = await errorOf(() => engineOf({}).fallback.restore(snapshot));
    keepsThePromises(error, InvalidSnapshotError, 'ERR_INVALID_SNAPSHOT');
    expect((error as InvalidSnapshotError).issues).not.toEqual([]);
  });
});

describe('UnknownFallbackError', () => {
  it('names what is known in that env and product, and the nearest', async () => {
    const { fallback, run } = engineOf({});
    fallback.define(defineFallback({ tag: 'payment', env: 'prd', providers: [{ name: 'a', value: 1 }] }));
    fallback.define(defineFallback({ tag: 'paymant', env: 'dev', providers: [{ name: 'a', value: 1 }] }));
    const error = await errorOf(() => run('trigger', { fallback_tag: 'paymint' }));
    keepsThePromises(error, UnknownFallbackError, 'ERR_UNKNOWN_FALLBACK');
    expect(error).toMatchObject({ known: ['x', 'payment'], suggestion: 'payment', tag: 'paymint' });
    expect(error.message).toContain('did you mean "payment"?');
    expect(error.toJSON()).toMatchObject({ known: ['x', 'payment'], suggestion: 'payment' });
  });

  it('suggests nothing where nothing is near', async () => {
    const error = await errorOf(() => engineOf({}).run('trigger', { fallback_tag: 'something-else' }));
    expect(error).not.toHaveProperty('suggestion');
  });

  it('says whose call it was', async () => {
    const error = await errorOf(() => engineOf({}).run('trigger', { fallback_tag: 'y' }));
    expect(error).toMatchObject({ ...WHERE, tag: 'y' });
  });

  it.each([
    ['inspect', (e: ReturnType<typeof engineOf>) => e.fallback.inspect({ fallback_tag: 'y' })],
    ['wrap', (e: ReturnType<typeof engineOf>) => e.fallback.wrap('y', fail)],
    ['call', (e: ReturnType<typeof engineOf>) => e.fallback.call('y', fail)],
  ])('is thrown by %s, too', async (_, act) => {
    keepsThePromises(await errorOf(() => act(engineOf({}))), UnknownFallbackError, 'ERR_UNKNOWN_FALLBACK');
  });
});

describe('SessionError', () => {
  const session = { tag: 'user', token: 'secret' };

  it.each([
    ['missing', { session: 'required' }, {}, {}],
    ['unknown', {}, { sessions: { other: () => 1 } }, { session }],
    ['refused', {}, { sessions: { user: fail } }, { session }],
    ['refused', {}, { sessions: { user: () => Promise.reject(boom) } }, { session }],
  ] as [string, object, object, object][])(
    'is thrown for a session that is %s',
    async (reason, definition, options, more) => {
      const error = await errorOf(() => engineOf(definition, options).run('trigger', more));
      keepsThePromises(error, SessionError, 'ERR_SESSION');
      expect(error).toMatchObject({ ...WHERE, reason });
      expect('cause' in error).toBe(false);
      expect(error.toJSON()).toMatchObject({ reason });
    },
  );
});

describe('FallbackFailedError', () => {
  it('tells each error once, whatever was thrown', async () => {
    const { run } = engineOf({ providers: [{ name: 'a', run: () => Promise.reject(Number.NaN) }] });
    expect((await errorOf(() => run('trigger'))).message).toBe('x failed: a #1: NaN');
  });

  it('holds every error as it was thrown, every attempt, and the state', async () => {
    const thrown = [boom, 'text', undefined, null, 0, { code: 1 }];
    const providers = thrown.map((error, index) => ({
      name: `p${index}`,
      run: () => {
        throw error;
      },
    }));
    const error = await errorOf(() => engineOf({ providers }).run('trigger'));
    keepsThePromises(error, FallbackFailedError, 'ERR_FALLBACK_FAILED');
    const failed = error as FallbackFailedError;
    expect(failed).toMatchObject({ ...WHERE, state: 'triggered' });
    expect(failed.errors).toEqual(thrown);
    expect(failed.errors.every((met, index) => Object.is(met, thrown[index]))).toBe(true);
    expect(failed.attempts).toHaveLength(thrown.length);
    expect(failed.attempts[1]).toEqual({ provider: 'p1', attempt: 1, outcome: 'failed', error: 'text', duration: 0 });
    expect(failed.toJSON()).toMatchObject({
      ...WHERE,
      state: 'triggered',
      errors: ['Error: boom', 'text', 'nothing', 'null', '0', 'an object'],
      attempts: [{ provider: 'p0', error: 'Error: boom' }, { error: 'text' }, {}, {}, {}, {}],
    });
  });

  it('has the one error for its cause, and none of several', async () => {
    const one = await errorOf(() => engineOf({ providers: [{ name: 'a', run: fail }] }).run('trigger'));
    expect(one.cause).toBe(boom);
    const providers = [
      { name: 'a', run: fail },
      { name: 'b', run: fail },
    ];
    expect('cause' in (await errorOf(() => engineOf({ providers }).run('trigger')))).toBe(false);
  });

  it('has the error of the wrapped primary for its cause', async () => {
    const primary = new Error('primary');
    const { fallback } = engineOf({ providers: [{ name: 'a', run: fail }] });
    const error = await errorOf(() => fallback.call('x', () => Promise.reject(primary)));
    expect(error.cause).toBe(primary);
    expect(error.errors).toEqual([boom]);
    expect(error.toJSON()).toMatchObject({ cause: 'Error: primary', errors: ['Error: boom'] });
  });

  it('has an undefined cause where the primary threw undefined', async () => {
    const { fallback } = engineOf({ providers: [{ name: 'a', run: fail }] });
    const error = await errorOf(() => fallback.call('x', () => Promise.reject(undefined)));
    expect('cause' in error).toBe(true);
    expect(error.cause).toBeUndefined();
  });

  it('is safe to log whatever was thrown', async () => {
    const circle: Record<string, unknown> = { big: 1n };
    circle.self = circle;
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    const hostile = [
      circle,
      proxy,
      Object.defineProperty(new Error('x'), 'message', { get: fail }),
      { toJSON: fail, toString: fail },
      Symbol('s'),
      10n,
      () => 1,
    ];
    const providers = hostile.map((error, index) => ({
      name: `p${index}`,
      run: () => {
        throw error;
      },
    }));
    const error = await errorOf(() => engineOf({ providers }).run('trigger'));
    expect(error.errors).toHaveLength(hostile.length);
    expect(JSON.parse(JSON.stringify(error)).errors).toEqual([
      'an object',
      'an error that cannot be read',
      'an error that cannot be read',
      'an object',
      'a symbol',
      '10n',
      'a function',
    ]);
  });

  it('has no error and no cause where every provider was skipped', async () => {
    const providers = [{ name: 'a', run: fail, when: () => false }];
    const error = await errorOf(() => engineOf({ providers }).run('trigger'));
    expect(error).toMatchObject({ code: 'ERR_FALLBACK_FAILED', errors: [], attempts: [{ outcome: 'skipped' }] });
    expect('cause' in error).toBe(false);
  });
});

describe('FallbackExhaustedError', () => {
  it('says how long, and what the last error was', async () => {
    const { run, clock } = engineOf({ maxRetries: 0, resetAfter: 1_000, providers: [{ name: 'a', run: fail }] });
    await errorOf(() => run('trigger'));
    await clock.advance(300);
    const error = await errorOf(() => run('trigger'));
    keepsThePromises(error, FallbackExhaustedError, 'ERR_FALLBACK_EXHAUSTED');
    expect(error).toMatchObject({ ...WHERE, retryAfter: 700 });
    expect((error as FallbackExhaustedError).lastError).toBe(boom);
    expect(error.toJSON()).toMatchObject({ ...WHERE, retryAfter: 700, lastError: 'Error: boom' });
  });

  it('knows no time where only a reset brings the fallback back', async () => {
    const { run } = engineOf({ maxRetries: 0, resetAfter: 'never', providers: [{ name: 'a', run: fail }] });
    await errorOf(() => run('trigger'));
    expect(await errorOf(() => run('trigger'))).not.toHaveProperty('retryAfter');
  });

  it('tells no last error where there was none', async () => {
    const { fallback, run } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: fail }] });
    await errorOf(() => run('trigger'));
    fallback.restore(JSON.parse(JSON.stringify(fallback.snapshot())));
    const error = await errorOf(() => run('trigger'));
    expect((error as FallbackExhaustedError).lastError).toBeUndefined();
    expect(JSON.parse(JSON.stringify(error))).not.toHaveProperty('lastError');
  });

  it('has the error of the wrapped primary for its cause', async () => {
    const { fallback } = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: fail }] });
    const primary = new Error('primary');
    await errorOf(() => fallback.call('x', fail));
    const error = await errorOf(() => fallback.call('x', () => Promise.reject(primary)));
    expect(error).toMatchObject({ code: 'ERR_FALLBACK_EXHAUSTED', cause: primary });
  });
});

describe('AttemptTimeoutError', () => {
  it('stands among the errors of a trigger, and says how long it was', async () => {
    const { run, clock } = engineOf({ providers: [{ name: 'a', run: () => new Promise(() => {}), timeout: 800 }] });
    const failed = errorOf(() => run('trigger'));
    await clock.runUntilIdle();
    const error = (await failed).errors?.[0] as FallbackError;
    keepsThePromises(error, AttemptTimeoutError, 'ERR_ATTEMPT_TIMEOUT');
    expect(error).toMatchObject({ ...WHERE, timeout: 800 });
    expect((await failed).cause).toBe(error);
  });
});

describe('DeadlineError', () => {
  it('stands among the errors of a trigger, and says how long it was', async () => {
    const { run, clock } = engineOf({ deadline: 900, providers: [{ name: 'a', run: () => new Promise(() => {}) }] });
    const failed = errorOf(() => run('trigger', {}, { id: 'mine', deadline: 500 }));
    await clock.runUntilIdle();
    const error = (await failed).errors?.[0] as FallbackError;
    keepsThePromises(error, DeadlineError, 'ERR_DEADLINE');
    expect(error).toMatchObject({ ...WHERE, deadline: 500 });
  });

  it('stands there alone where the checks took too long: no attempt was made', async () => {
    const { fallback, run, clock } = engineOf({ deadline: 500, input: slow });
    const failed = errorOf(() => run('trigger'));
    await clock.runUntilIdle();
    expect(await failed).toMatchObject({
      code: 'ERR_FALLBACK_FAILED',
      attempts: [],
      errors: [{ code: 'ERR_DEADLINE' }],
    });
    expect(fallback.snapshot().machines).toEqual([]);
  });
});

describe('EngineClosedError', () => {
  it.each([
    ['run', (e: ReturnType<typeof engineOf>) => e.run('trigger')],
    ['update', (e: ReturnType<typeof engineOf>) => e.run('update')],
    ['reset', (e: ReturnType<typeof engineOf>) => e.run('reset')],
    ['define', (e: ReturnType<typeof engineOf>) => e.fallback.define({ tag: 'y' })],
    ['restore', (e: ReturnType<typeof engineOf>) => e.fallback.restore(e.fallback.snapshot())],
    ['wrap', (e: ReturnType<typeof engineOf>) => e.fallback.wrap('x', fail)],
    ['call', (e: ReturnType<typeof engineOf>) => e.fallback.call('x', fail)],
  ])('is thrown by %s after close', async (_, act) => {
    const engine = engineOf({});
    await engine.fallback.close();
    keepsThePromises(await errorOf(() => act(engine)), EngineClosedError, 'ERR_CLOSED');
  });

  it('is thrown by a wrapped function after close', async () => {
    const { fallback } = engineOf({});
    const wrapped = fallback.wrap('x', () => 1);
    await fallback.close();
    keepsThePromises(await errorOf(() => wrapped()), EngineClosedError, 'ERR_CLOSED');
  });

  it('cuts a call short, and keeps the errors met so far', async () => {
    const { fallback, run } = engineOf({
      providers: [
        { name: 'a', run: fail },
        { name: 'b', run: () => new Promise(() => {}) },
      ],
    });
    const cut = errorOf(() => run('trigger'));
    await settled();
    await fallback.close();
    keepsThePromises(await cut, EngineClosedError, 'ERR_CLOSED');
    expect(await cut).toMatchObject({ ...WHERE, errors: [boom] });
  });
});

describe('any error', () => {
  const oneOfEach = async (): Promise<AnyFallbackError[]> => {
    const never = () => new Promise(() => {});
    const exhausted = engineOf({ maxRetries: 0, providers: [{ name: 'a', run: fail }] });
    await errorOf(() => exhausted.run('trigger'));
    const timed = engineOf({ providers: [{ name: 'a', run: never, timeout: 1 }] });
    const late = engineOf({ deadline: 1, providers: [{ name: 'a', run: never }] });
    const [timedOut, expired] = [errorOf(() => timed.run('trigger')), errorOf(() => late.run('trigger'))];
    await timed.clock.runUntilIdle();
    await late.clock.runUntilIdle();
    const closed = engineOf({});
    await closed.fallback.close();
    return [
      await errorOf(() => engineOf({}).run('trigger', { cache: '' })),
      await errorOf(() => engineOf({ deadline: -1 })),
      await errorOf(() => engineOf({ input: z.object({ n: z.number() }) }).run('trigger')),
      await errorOf(() => engineOf({}).run('update', { input: { a: 1 } })),
      await errorOf(() => engineOf({}).fallback.restore(5)),
      await errorOf(() => engineOf({}).run('trigger', { fallback_tag: 'y' })),
      await errorOf(() => engineOf({ session: 'required' }).run('trigger')),
      await errorOf(() => engineOf({ providers: [{ name: 'a', run: fail }] }).run('trigger')),
      await errorOf(() => exhausted.run('trigger')),
      (await timedOut).errors?.[0],
      (await expired).errors?.[0],
      await errorOf(() => closed.run('trigger')),
    ] as AnyFallbackError[];
  };

  /** What its code alone tells the compiler about an error, and what that is at run time. */
  function fact(error: AnyFallbackError): unknown {
    switch (error.code) {
      case 'ERR_INVALID_REQUEST':
      case 'ERR_INVALID_DEFINITION':
      case 'ERR_INVALID_INPUT':
      case 'ERR_INVALID_CONFIG':
      case 'ERR_INVALID_SNAPSHOT':
        return typeof error.issues[0]?.message;
      case 'ERR_UNKNOWN_FALLBACK':
        return error.known;
      case 'ERR_SESSION':
        return error.reason;
      case 'ERR_FALLBACK_FAILED':
        return [error.errors.length, error.attempts.length, error.state];
      case 'ERR_FALLBACK_EXHAUSTED':
        return [error.retryAfter, error.lastError];
      case 'ERR_ATTEMPT_TIMEOUT':
        return error.timeout;
      case 'ERR_DEADLINE':
        return error.deadline;
      case 'ERR_IN_DOUBT':
        return [error.provider, error.attempts.length];
      case 'ERR_CLOSED':
        return 'closed';
      default:
        return error satisfies never;
    }
  }

  it('narrows by its code', async () => {
    const errors = await oneOfEach();
    expect(errors.map(fact)).toEqual([
      'string',
      'string',
      'string',
      'string',
      'string',
      ['x'],
      'missing',
      [1, 1, 'triggered'],
      [30_000, boom],
      1,
      1,
      'closed',
    ]);
    expect(new Set(errors.map(({ code }) => code)).size).toBe(12);
  });

  it('has a class of its own, which only FallbackError is above', async () => {
    for (const error of await oneOfEach()) {
      expect(Object.getPrototypeOf(error.constructor)).not.toBe(Error);
      expect(error).toBeInstanceOf(FallbackError);
      expect(error.name).toBe(error.constructor.name);
    }
  });
});

describe('a refusal', () => {
  const refused = () => exhausted(5, undefined, { tag: 'pay' });

  it('has no stack: an outage makes one for each call', () => {
    expect(refused().stack).toBe('FallbackExhaustedError: pay is exhausted for another 5 ms at least');
  });

  it('leaves the stacks of all other errors as they are', () => {
    const { stackTraceLimit } = Error;
    refused();
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(new Error('x').stack).toContain('errors.test.ts');
  });

  it('leaves no limit where there was none', () => {
    const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {};
    Reflect.deleteProperty(Error, 'stackTraceLimit');
    try {
      refused();
      expect('stackTraceLimit' in Error).toBe(false);
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', limit);
    }
  });

  it('has one where the limit may not be touched', () => {
    const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {};
    Object.defineProperty(Error, 'stackTraceLimit', { ...limit, writable: false });
    try {
      expect(refused().stack).toContain('errors.test.ts');
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', limit);
    }
  });
});
