import { describe, expect, it } from 'vitest';
import {
  createDuctape,
  type DuctapeOptions,
  defineFallback,
  type Fallback,
  FallbackError,
  FallbackExhaustedError,
  FallbackFailedError,
  InDoubtError,
  InvalidInputError,
} from '../../src/index.ts';
import { virtualClock } from '../virtual-clock.ts';

const fallback = (more: object = {}): Fallback =>
  defineFallback({ tag: 'pay', providers: [{ name: 'card', run: async () => 1 }], ...more } as never) as Fallback;

function engine(more: object = {}, options: Partial<DuctapeOptions<readonly Fallback[]>> = {}) {
  const given = { env: 'prd', product: 'shop', clock: virtualClock(), fallbacks: [fallback(more)], ...options };
  return createDuctape<readonly Fallback[]>(given).fallback;
}

const schema = (issues: readonly object[], value: unknown = {}) => ({
  '~standard': { version: 1, vendor: 'test', validate: () => (issues.length > 0 ? { issues } : { value }) },
});

const TRIGGER = { fallback_tag: 'pay', action: 'trigger' } as const;
const update = (input: object, more: object = {}) =>
  engine(more).run({ fallback_tag: 'pay', action: 'update', input: input as never });
const define = (more: object) => () => fallback(more);
const signal = { aborted: false, addEventListener: () => {} };
const listed = (count: number) =>
  engine({}, { fallbacks: Array.from({ length: count }, (_, index) => fallback({ tag: `other-${index}` })) });
const circle: Record<string, unknown> = {};
circle.again = circle;

async function messageOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(FallbackError);
    return (error as FallbackError).message;
  }
  return 'nothing was thrown';
}

describe('what an error says', () => {
  it.each<[what: string, work: () => unknown, message: string]>([
    [
      'of an action',
      () => engine().run({ fallback_tag: 'pay', action: 'go' as never }),
      "Invalid request: action: expected 'trigger', 'update' or 'reset', got \"go\"",
    ],
    [
      'of two faults',
      () => engine().run({ fallback_tag: '', action: 'go' as never }),
      "Invalid request: fallback_tag: expected a string that is not empty, got \"\"; action: expected 'trigger', 'update' or 'reset', got \"go\"",
    ],
    [
      'where there is no env',
      () => engine({}, { env: undefined } as never).run(TRIGGER),
      'Invalid request: env: expected a string that is not empty, got nothing, and the engine has no default',
    ],
    [
      'of a signal',
      () => engine().run(TRIGGER, { signal: signal as never }),
      'Invalid request: signal: expected an AbortSignal, got an object',
    ],
    [
      'of options that may be functions: signal',
      () => engine().wrap('pay', async () => 1, { signal: 5 as never }),
      'Invalid request: signal: expected an AbortSignal, or a function, got 5',
    ],
    [
      'of options that may be functions: session',
      () => engine().wrap('pay', async () => 1, { session: 5 as never }),
      'Invalid request: session: expected a session, or a function, got a number',
    ],
    [
      'of options that may be functions: cache',
      () => engine().wrap('pay', async () => 1, { cache: 5 as never }),
      'Invalid request: cache: expected a string that is not empty, or a function, got 5',
    ],
    [
      'of options that may be functions: deadline',
      () => engine().wrap('pay', async () => 1, { deadline: 'soon' as never }),
      'Invalid request: deadline: expected milliseconds, or a function, got "soon"',
    ],
    [
      'of an event',
      () => engine().on('recoverd' as never, () => {}),
      'Invalid request: type: unknown event "recoverd"; did you mean "recovered"?',
    ],
    [
      'of an event that is no name',
      () => engine().on(5 as never, () => {}),
      'Invalid request: type: expected one of *, triggered, attempt-started, attempt-ended, recovered, failed, exhausted, probing, updated, reset, evicted, late, provider-unhealthy, provider-probing, provider-healthy, in-doubt, compensated, compensation-failed, got 5',
    ],
    [
      "of a snapshot's depth",
      () => engine().restore(circle),
      'Invalid snapshot: expected what can be read, got what throws RangeError: it is nested more than 64 levels deep, or in a circle',
    ],
    [
      "of an engine's options",
      () => createDuctape({ fallbacks: 5, sessions: { user: 5 }, cache: { max: 0, ttl: 0.5 }, clock: {} } as never),
      'Invalid request: fallbacks: expected a list of fallbacks, got 5; sessions: expected an object of functions by session tag, got an object; cache.max: expected a whole number from 1 to 16777216, got 0; cache.ttl: expected a whole number from 1 to 2147483647, got 0.5; clock: expected a clock with now, setTimeout and clearTimeout, got an object',
    ],
    [
      "of a definition's fields",
      define({ resetAfter: -1, input: {}, product: [], providers: [], session: 'maybe', whenAllUnhealthy: 'pray' }),
      "Invalid definition of pay: product: expected a string that is not empty, or a list of them, got an empty array; input: expected a Standard Schema (zod, valibot, arktype …), got an object; providers: expected a list of 1 to 64 providers, got an empty array; resetAfter: expected milliseconds from 0 to 2147483647, or 'never', got -1; whenAllUnhealthy: expected 'try' or 'fail', got \"pray\"; session: expected 'optional' or 'required', got a string",
    ],
    [
      "of a provider's backoff",
      define({ providers: [{ name: 'a', value: 1, backoff: { factor: 0.5, jitter: 'half' } }] }),
      "Invalid definition of pay: providers[0].backoff.factor: expected a factor of 1 or more, got 0.5; providers[0].backoff.jitter: expected 'full', 'none' or 'decorrelated', got \"half\"",
    ],
    [
      "of a provider's backoff as a whole",
      define({ providers: [{ name: 'a', value: 1, backoff: 'soon' }] }),
      'Invalid definition of pay: providers[0].backoff: expected milliseconds from 0 to 2147483647, backoff options or a function, got "soon"',
    ],
    [
      'of a session that nobody verifies',
      () => engine({}, { sessions: {} }).run({ ...TRIGGER, session: { tag: 'user', token: 'a secret' } }),
      'No verifier for session "user"; there is none',
    ],
    [
      'of a session that others verify',
      () =>
        engine({}, { sessions: { staff: () => 1, robot: () => 1 } }).run({
          ...TRIGGER,
          session: { tag: 'user', token: 'a secret' },
        }),
      'No verifier for session "user"; there is "staff", "robot"',
    ],
    [
      'of an unknown tag',
      () => engine().run({ ...TRIGGER, fallback_tag: 'sms-delivery' }),
      'No fallback "sms-delivery" in env "prd" and product "shop"; there is "pay"',
    ],
    [
      'of a tag that is nearly right',
      () => engine().run({ ...TRIGGER, fallback_tag: 'pya' }),
      'No fallback "pya" in env "prd" and product "shop"; did you mean "pay"?',
    ],
    [
      'of a tag where there is none',
      () => engine({}, { fallbacks: [] }).run(TRIGGER),
      'No fallback "pay" in env "prd" and product "shop"',
    ],
    [
      'of a tag among many: the first eight',
      () => listed(9).run(TRIGGER),
      'No fallback "pay" in env "prd" and product "shop"; there is "other-0", "other-1", "other-2", "other-3", "other-4", "other-5", "other-6", "other-7"',
    ],
    [
      'of a tag that is somewhere else',
      () => engine({ env: 'dev' }).run(TRIGGER),
      'No fallback "pay" in env "prd" and product "shop"; it exists in another env or product',
    ],
    ['of a wrap of an unknown tag', () => engine().wrap('sms', async () => 1), 'No fallback "sms"; there is "pay"'],
    [
      'of an input',
      () => engine({ input: schema([{ message: 'expected a number', path: ['amount'] }]) }).run(TRIGGER),
      'Invalid input for pay: amount: expected a number, got nothing',
    ],
    [
      "of an update's key",
      () => update({ maxRetry: 1 }),
      'Invalid update for pay: maxRetry: unknown key "maxRetry"; did you mean "maxRetries"?',
    ],
    [
      "of an update's key, where settings have a schema",
      () => update({ maxRetry: 1 }, { settings: schema([]) }),
      'Invalid update for pay: maxRetry: unknown key "maxRetry"; did you mean "maxRetries"?',
    ],
    [
      "of an update's provider",
      () => update({ providers: { crad: { enabled: false } } }),
      'Invalid update for pay: providers.crad: unknown provider "crad"; did you mean "card"?',
    ],
    [
      "of an update's first provider",
      () => update({ fallbackProvider: 'crad' }),
      'Invalid update for pay: fallbackProvider: unknown provider "crad"; did you mean "card"?',
    ],
    [
      "of an update's depth",
      () => update({ providers: circle }),
      'Invalid update for pay: expected what can be read, got what throws RangeError: it is nested more than 64 levels deep, or in a circle',
    ],
    [
      "of an update's keys that are no strings",
      () => update({ [Symbol('key')]: 1 }),
      'Invalid update for pay: expected what can be read, got what throws TypeError: unknown key Symbol(key): only strings are keys',
    ],
    [
      'of a snapshot',
      () => engine().restore({ version: 2, takenAt: 'now', machines: 5 }),
      'Invalid snapshot: version: expected version 1, got 2; takenAt: expected a time in milliseconds, got "now"; machines: expected a list of machines, got 5',
    ],
    [
      "of a snapshot's waits and healths",
      () => engine().restore({ version: 1, takenAt: 0, machines: [{ ...entry(), waited: -1, health: 5 }] }),
      'Invalid snapshot: machines[0].waited: expected milliseconds of 0 or more, got -1; machines[0].health: expected a list of providers, got 5',
    ],
    [
      'of a snapshot that is no JSON',
      () => engine().restore({ version: 1, takenAt: 0, machines: [{ ...entry(), updates: { at: new Date(0) } }] }),
      'Invalid snapshot: expected plain JSON, got something else among it',
    ],
    [
      'of a name given twice',
      define({
        providers: [
          { name: 'a', value: 1 },
          { name: 'a', value: 2 },
        ],
      }),
      'Invalid definition of pay: providers[1].name: expected a name of its own, got "a" again',
    ],
    [
      'of an asynchronous schema of settings',
      define({ settings: { '~standard': { version: 1, vendor: 'test', validate: async () => ({ value: {} }) } } }),
      'Invalid definition of pay: settings: expected a synchronous schema, got an asynchronous one',
    ],
    [
      'of settings without defaults',
      define({ settings: schema([{ message: 'expected a string', path: ['region'] }]) }),
      'Invalid definition of pay: settings.region: expected a schema that accepts {}, got expected a string, got nothing',
    ],
    [
      'of settings as a whole',
      define({ settings: schema([{ message: 'expected more' }]) }),
      'Invalid definition of pay: settings: expected a schema that accepts {}, got expected more, got an object',
    ],
    [
      'of a setting that every fallback has',
      define({ settings: schema([], { maxRetries: 3 }) }),
      'Invalid definition of pay: settings.maxRetries: expected a key of its own, got "maxRetries", which every fallback has',
    ],
  ])('%s', async (_what, work, message) => {
    expect(await messageOf(work)).toBe(message);
  });

  it('of a trigger: who failed and how, or that nobody was left', () => {
    const where = { tag: 'pay' };
    const [first, second, own] = [new Error('first'), new Error('second'), new Error('own')];
    const failed = { outcome: 'failed', duration: 0 } as const;
    const attempts = [
      { ...failed, provider: 'a', attempt: 1, error: first },
      { ...failed, outcome: 'skipped', provider: 'b', attempt: 1 },
      { ...failed, provider: 'c', attempt: 2, error: second },
      { ...failed, outcome: 'aborted', provider: 'd', attempt: 1, error: new Error('not among them') },
    ] as const;
    const say = (errors: readonly unknown[]) => new FallbackFailedError(errors, attempts, 'idle', where).message;
    expect(say([first, second, own])).toBe('pay failed: a #1: Error: first; c #2: Error: second; Error: own');
    expect(say([undefined])).toBe('pay failed: nothing');
    expect(say([])).toBe('pay failed: no provider was left to try; b was skipped (when)');
    const busy = [{ ...attempts[1], reason: 'busy' }] as const;
    expect(new FallbackFailedError([], busy, 'idle', where).message).toBe(
      'pay failed: no provider was left to try; b was skipped (busy)',
    );
    expect(new FallbackFailedError([], [], 'idle', where).message).toBe('pay failed: no provider is enabled');
    expect(new InDoubtError('a', [first], attempts, where).message).toBe(
      'pay is in doubt: "a" may have done its work; a #1: Error: first',
    );
    expect(new InDoubtError('a', [], [], where).message).toBe('pay is in doubt: "a" may have done its work');
  });

  it('of a refusal: until when', () => {
    const say = (retryAfter?: number) => new FallbackExhaustedError(retryAfter, undefined, { tag: 'pay' }).message;
    expect(say()).toBe('pay is exhausted until it is reset');
    expect(say(0.5)).toBe('pay is exhausted for another 1 ms at least');
  });
});

function entry() {
  const [made] = engine().snapshot().machines;
  return made ?? { env: 'prd', product: 'shop', tag: 'pay', snapshot: {}, triggers: 0, recoveries: 0, revision: 0 };
}

it("a definition's session may be optional, and says so", async () => {
  expect(await engine({ session: 'optional' }).run(TRIGGER)).toMatchObject({ output: 1 });
});

describe('what an error has', () => {
  it('is the tag, the id and the primary of a call that names no env, too', async () => {
    const nowhere = createDuctape<readonly Fallback[]>({ fallbacks: [fallback()] }).fallback;
    expect(() => nowhere.inspect({ fallback_tag: 'pay' })).toThrow(expect.objectContaining({ tag: 'pay' }));
    await expect(nowhere.run(TRIGGER as never)).rejects.toMatchObject({ tag: 'pay' });
    const down = new Error('down');
    const call = nowhere.wrap('pay', () => Promise.reject(down), {
      env: () => undefined as never,
      product: 'shop',
      id: 'mine',
    });
    await expect(call()).rejects.toMatchObject({ tag: 'pay', id: 'mine', cause: down });
  });

  it('is what a list threw that could not be read', () => {
    const thrown = new Error('a trap');
    const fallbacks = new Proxy([], {
      get: (list, key) => {
        if (key === Symbol.iterator) throw thrown;
        return Reflect.get(list, key);
      },
    });
    expect(() => engine({}, { fallbacks })).toThrow(expect.objectContaining({ cause: thrown, errors: [thrown] }));
  });

  it('are the facts that are known of it, and no others', () => {
    const has = (error: FallbackError) => Object.keys(error).sort().join(' ');
    expect(has(new FallbackExhaustedError(undefined, undefined, {}))).toBe('code');
    expect(has(new InvalidInputError([], { tag: 'pay' }))).toBe('code issues tag');
    const where = { id: '1', tag: 'pay', env: 'e', product: 'p', cache: 'k' };
    expect(has(new FallbackExhaustedError(5, { error: 1, token: undefined }, where))).toBe(
      'cache code env id lastError product retryAfter tag',
    );
  });

  it('are told as JSON only where they are there', () => {
    const told = (error: FallbackError) => Object.keys(error.toJSON());
    expect(told(new FallbackExhaustedError(undefined, undefined, { tag: 'pay' }))).toEqual([
      'name',
      'code',
      'message',
      'tag',
    ]);
    expect(told(new FallbackExhaustedError(5, { error: 1, token: undefined }, { tag: 'pay' }))).toEqual(
      'name code message tag retryAfter lastError'.split(' '),
    );
  });
});
