import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { judged, readRequest } from '../../src/definition/request.ts';
import { createDuctape, defineFallback, type Fallback, FallbackError, InvalidRequestError } from '../../src/index.ts';
import { RUNS, virtualClock } from '../virtual-clock.ts';

const throws = () => {
  throw new TypeError('a trap');
};
/** A proxy all of whose traps throw. */
const trapped = (target: object) => new Proxy(target, new Proxy({}, { get: () => throws }));
const revoked = (target: object) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};

/** Bad values, made anew for each run and known by name: some of them cannot even be printed. */
const BAD = {
  nothing: () => undefined,
  null: () => null,
  flag: () => true,
  'no number': () => Number.NaN,
  negative: () => -1,
  infinite: () => Number.POSITIVE_INFINITY,
  'a timer too long': () => 2_147_483_648,
  'the empty string': () => '',
  'a huge string': () => 'x'.repeat(100_000),
  'a control character': () => '\u0000',
  symbol: () => Symbol('bad'),
  bigint: () => 10n,
  function: () => throws,
  class: () => class {},
  'a trapped function': () => trapped(() => 1),
  'a revoked function': () => revoked(() => 1),
  list: () => [],
  'a list in a circle': () => {
    const list: unknown[] = [];
    list.push(list);
    return list;
  },
  'a trapped list': () => trapped([]),
  'a revoked list': () => revoked([]),
  object: () => ({}),
  'an object without prototype': () => Object.create(null),
  'an object in a circle': () => {
    const circle: Record<string, unknown> = {};
    circle.tag = circle.env = circle.self = circle;
    return circle;
  },
  'an own __proto__': () => JSON.parse('{ "__proto__": { "action": "reset" } }'),
  'a getter that throws': () => Object.defineProperty({}, 'tag', { get: throws, enumerable: true }),
  'a symbol key that throws': () => Object.defineProperty({}, Symbol('bad'), { get: throws, enumerable: true }),
  'a trapped object': () => trapped({}),
  'a revoked object': () => revoked({}),
  'a then that throws': () => Object.defineProperty({}, 'then', { get: throws, enumerable: true }),
  date: () => new Date(0),
  map: () => new Map([['tag', 1]]),
} satisfies Record<string, () => unknown>;

type Bad = keyof typeof BAD;
const ALL = Object.keys(BAD) as Bad[];

// What may be right, depending on what is asked for. Whatever is not listed at a path has to be refused there.
const ABSENT: Bad[] = ['nothing'];
const TEXTS: Bad[] = ['a huge string', 'a control character'];
const NUMBERS: Bad[] = ['a timer too long'];
const FUNCTIONS: Bad[] = ['function', 'class', 'a trapped function', 'a revoked function'];
const OBJECTS = ALL.slice(ALL.indexOf('object'));
const NONE: Bad[] = [];

type Engine = ReturnType<typeof engineOf>;

const good = { fallback_tag: 'x', action: 'trigger', input: { n: 1 } } as const;

function engineOf() {
  const { fallback } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'p',
    clock: virtualClock(),
    random: () => 0,
    fallbacks: [
      defineFallback({
        tag: 'x',
        input: z.object({ n: z.number() }),
        settings: z.object({ region: z.string().default('eu') }),
        providers: [{ name: 'a', run: ({ n }) => (n < 0 ? throws() : n) }],
      }) as Fallback,
    ],
  });
  return fallback;
}

/** A door: what a right value looks like there, and for each path in it what else may be right. */
interface Door {
  readonly value: () => unknown;
  readonly paths: Readonly<Record<string, readonly Bad[]>>;
  /** The objects in it that have no other keys than theirs. */
  readonly closed?: readonly string[];
  enter(engine: Engine, value: never): unknown;
}

const request = () => ({ env: 'prd', product: 'p', fallback_tag: 'x', action: 'trigger', input: { n: 1 }, cache: 'k' });
const session = () => ({ tag: 'user', token: 'secret' });
const failing = () => Promise.reject(new Error('primary'));
const ANYTHING = ALL;

const definition = () => ({
  tag: 'y',
  name: 'Y',
  description: 'why',
  product: ['p'],
  env: 'prd',
  providers: [
    {
      name: 'a',
      run: () => 1,
      retries: 1,
      timeout: 5,
      backoff: { initialDelay: 1, maxDelay: 5, factor: 2, jitter: 'none' },
    },
    { name: 'b', value: 1, when: () => true, accept: () => true, shouldRetry: () => true },
  ],
  maxRetries: 1,
  fallbackProvider: 'a',
  deadline: 5,
  resetAfter: 5,
  handle: () => true,
  session: 'optional',
  input: z.object({}),
  output: z.number(),
  settings: z.object({}),
});
const DEFINITION: Door['paths'] = {
  '': NONE,
  tag: NONE,
  name: [...ABSENT, ...TEXTS],
  description: [...ABSENT, ...TEXTS],
  product: [...ABSENT, ...TEXTS],
  'product.0': TEXTS,
  env: [...ABSENT, ...TEXTS],
  providers: NONE,
  'providers.0': NONE,
  'providers.0.name': NONE,
  'providers.0.run': FUNCTIONS,
  'providers.0.retries': [...ABSENT, ...NUMBERS],
  'providers.0.timeout': [...ABSENT, 'null'],
  'providers.0.backoff': [...ABSENT, ...FUNCTIONS, ...OBJECTS],
  'providers.0.backoff.initialDelay': ABSENT,
  'providers.0.backoff.maxDelay': ABSENT,
  'providers.0.backoff.factor': [...ABSENT, ...NUMBERS],
  'providers.0.backoff.jitter': ABSENT,
  'providers.1.value': ANYTHING,
  'providers.1.when': [...ABSENT, ...FUNCTIONS],
  'providers.1.accept': [...ABSENT, ...FUNCTIONS],
  'providers.1.shouldRetry': [...ABSENT, ...FUNCTIONS],
  maxRetries: [...ABSENT, ...NUMBERS],
  fallbackProvider: ABSENT,
  deadline: ABSENT,
  resetAfter: [...ABSENT, 'null'],
  handle: [...ABSENT, ...FUNCTIONS],
  session: ABSENT,
  input: ABSENT,
  output: ABSENT,
  settings: ABSENT,
};
const DEFINITION_CLOSED = ['', 'providers.0', 'providers.1', 'providers.0.backoff'];

const perCall = [...ABSENT, ...FUNCTIONS];

const DOORS: Record<string, Door> = {
  'run (a trigger)': {
    value: () => ({ ...request(), session: session() }),
    paths: {
      '': NONE,
      env: [...ABSENT, ...TEXTS],
      product: [...ABSENT, ...TEXTS],
      fallback_tag: NONE,
      action: NONE,
      input: NONE,
      'input.n': NUMBERS,
      session: ABSENT,
      'session.tag': TEXTS,
      'session.token': TEXTS,
      cache: [...ABSENT, ...TEXTS],
    },
    closed: ['', 'session'],
    enter: (engine, value) => engine.run(value),
  },
  'run (an update)': {
    value: () => ({
      ...request(),
      action: 'update',
      input: {
        maxRetries: 1,
        deadline: 5,
        resetAfter: 5,
        fallbackProvider: 'a',
        region: 'us',
        providers: { a: { enabled: true, retries: 1, timeout: 5 } },
      },
    }),
    paths: {
      action: NONE,
      input: [...ABSENT, ...OBJECTS],
      'input.maxRetries': [...ABSENT, 'null', ...NUMBERS],
      'input.deadline': [...ABSENT, 'null'],
      'input.resetAfter': [...ABSENT, 'null'],
      'input.fallbackProvider': [...ABSENT, 'null'],
      'input.region': [...ABSENT, 'null', ...TEXTS, 'the empty string'],
      'input.providers': [...ABSENT, 'null', 'object', 'an object without prototype', 'date', 'map', ...OBJECTS],
      'input.providers.a': [...ABSENT, 'null', ...OBJECTS],
      'input.providers.a.enabled': [...ABSENT, 'null', 'flag'],
      'input.providers.a.retries': [...ABSENT, 'null', ...NUMBERS],
      'input.providers.a.timeout': [...ABSENT, 'null'],
    },
    closed: ['', 'input', 'input.providers', 'input.providers.a'],
    enter: (engine, value) => engine.run(value),
  },
  'run (a reset)': {
    value: () => ({ ...request(), action: 'reset', input: { config: true, keys: true } }),
    paths: {
      input: [...ABSENT, 'object', 'an object without prototype', ...OBJECTS],
      'input.config': [...ABSENT, 'flag'],
      'input.keys': [...ABSENT, 'flag'],
    },
    closed: ['', 'input'],
    enter: (engine, value) => engine.run(value),
  },
  'the options of run': {
    value: () => ({ signal: new AbortController().signal, deadline: 5, id: 'mine' }),
    paths: { '': [...ABSENT, ...OBJECTS], signal: ABSENT, deadline: ABSENT, id: [...ABSENT, ...TEXTS] },
    closed: [''],
    enter: (engine, value) => engine.run(good, value),
  },
  define: {
    value: definition,
    paths: DEFINITION,
    closed: DEFINITION_CLOSED,
    enter: (engine, value) => engine.define(value),
  },
  defineFallback: {
    value: definition,
    paths: DEFINITION,
    closed: DEFINITION_CLOSED,
    enter: (_, value) => defineFallback(value),
  },
  'wrap, its tag': { value: () => 'x', paths: { '': NONE }, enter: (engine, value) => engine.wrap(value, failing) },
  'wrap, its primary': {
    value: () => failing,
    paths: { '': FUNCTIONS },
    enter: (engine, value) => engine.wrap('x', value, { input: () => ({ n: 1 }) })(),
  },
  'wrap, its options': {
    value: () => ({
      input: () => ({ n: 1 }),
      env: 'prd',
      product: 'p',
      cache: 'k',
      id: 'mine',
      deadline: 5,
      timeout: 5,
      handle: () => true,
      session: session(),
      signal: new AbortController().signal,
    }),
    paths: {
      '': [...ABSENT, ...OBJECTS],
      input: perCall,
      env: [...perCall, ...TEXTS],
      product: [...perCall, ...TEXTS],
      cache: [...perCall, ...TEXTS],
      id: [...perCall, ...TEXTS],
      deadline: perCall,
      timeout: [...ABSENT, 'null'],
      handle: perCall,
      session: perCall,
      'session.tag': TEXTS,
      'session.token': TEXTS,
      signal: perCall,
    },
    closed: ['', 'session'],
    enter: (engine, value) => engine.wrap('x', failing as (n: { n: number }) => unknown, value)({ n: 1 }),
  },
  'a wrapped function, its argument': {
    value: () => ({ n: 1 }),
    paths: { '': NONE, n: NUMBERS },
    enter: (engine, value) => Reflect.apply(engine.wrap('x', failing), undefined, [value]),
  },
  'a wrapped function, what its options make': {
    value: () => ({
      input: { n: 1 },
      env: 'prd',
      product: 'p',
      cache: 'k',
      id: 'i',
      deadline: 5,
      session: session(),
      signal: undefined,
    }),
    paths: {
      input: NONE,
      'input.n': NUMBERS,
      env: [...ABSENT, ...TEXTS],
      product: [...ABSENT, ...TEXTS],
      cache: [...ABSENT, ...TEXTS],
      id: [...ABSENT, ...TEXTS],
      deadline: ABSENT,
      session: ABSENT,
      'session.tag': TEXTS,
      'session.token': TEXTS,
      signal: ABSENT,
    },
    closed: ['session'],
    enter(engine, value: Record<string, unknown>) {
      const makers = Object.keys(value).map((key) => [key, () => value[key]]);
      return engine.wrap('x', failing, Object.fromEntries(makers))();
    },
  },
  'a wrapped function, what its primary throws': {
    value: () => new Error('primary'),
    paths: { '': ANYTHING },
    enter: (engine, value) =>
      engine
        .wrap(
          'x',
          () => {
            throw value;
          },
          { input: () => ({ n: -1 }) },
        )()
        .then(undefined, (error) => {
          // The whole of it can be told, whatever it is.
          JSON.stringify(error);
          throw error;
        }),
  },
  'call, its tag': {
    value: () => 'x',
    paths: { '': NONE },
    enter: (engine, value) => engine.call(value, failing, { input: { n: 1 } }),
  },
  'call, its primary': {
    value: () => failing,
    paths: { '': FUNCTIONS },
    enter: (engine, value) => engine.call('x', value, { input: { n: 1 } }),
  },
  'call, its options': {
    value: () => ({
      input: { n: 1 },
      env: 'prd',
      product: 'p',
      cache: 'k',
      id: 'mine',
      deadline: 5,
      timeout: 5,
      handle: () => true,
      session: session(),
      signal: new AbortController().signal,
    }),
    paths: {
      '': NONE,
      input: NONE,
      'input.n': NUMBERS,
      env: [...ABSENT, ...TEXTS],
      product: [...ABSENT, ...TEXTS],
      cache: [...ABSENT, ...TEXTS],
      id: [...ABSENT, ...TEXTS],
      deadline: ABSENT,
      timeout: [...ABSENT, 'null'],
      handle: perCall,
      session: ABSENT,
      'session.tag': TEXTS,
      'session.token': TEXTS,
      signal: ABSENT,
    },
    closed: ['', 'session'],
    enter: (engine, value) => engine.call('x', failing, value),
  },
  restore: {
    value: () => ({
      version: 1,
      takenAt: 0,
      machines: [
        {
          env: 'prd',
          product: 'p',
          tag: 'x',
          cache: 'k',
          snapshot: { status: 'active', value: { exhausted: 'cooling' }, context: { failures: 30 } },
          triggers: 3,
          recoveries: 1,
          revision: 1,
          updates: { maxRetries: 3, region: 'us' },
          waited: 5,
          age: 0,
        },
      ],
    }),
    paths: {
      '': NONE,
      version: NONE,
      takenAt: ['negative', ...NUMBERS],
      machines: ['list'],
      'machines.0': NONE,
      'machines.0.env': TEXTS,
      'machines.0.product': TEXTS,
      'machines.0.tag': TEXTS,
      'machines.0.cache': [...ABSENT, ...TEXTS],
      'machines.0.snapshot': NONE,
      'machines.0.snapshot.status': NONE,
      'machines.0.snapshot.value': NONE,
      'machines.0.snapshot.value.exhausted': NONE,
      'machines.0.snapshot.context': NONE,
      'machines.0.snapshot.context.failures': NUMBERS,
      'machines.0.triggers': NUMBERS,
      'machines.0.recoveries': NUMBERS,
      'machines.0.revision': NUMBERS,
      'machines.0.updates': [...ABSENT, ...OBJECTS],
      'machines.0.updates.maxRetries': ANYTHING,
      'machines.0.updates.region': ANYTHING,
      'machines.0.waited': [...ABSENT, 'null', ...NUMBERS],
      'machines.0.age': [...ABSENT, ...NUMBERS],
    },
    closed: ['', 'machines.0'],
    enter: (engine, value) => engine.restore(value),
  },
  createDuctape: {
    value: () => ({
      fallbacks: [definition()],
      env: 'prd',
      product: 'p',
      sessions: { user: () => 1 },
      cache: { max: 5, ttl: 5 },
      timeout: 5,
      maxScopes: 5,
      clock: virtualClock(),
      random: () => 0,
      nonce: 'n',
    }),
    paths: {
      '': [...ABSENT, ...OBJECTS],
      fallbacks: [...ABSENT, 'list'],
      'fallbacks.0': NONE,
      env: [...ABSENT, ...TEXTS],
      product: [...ABSENT, ...TEXTS],
      sessions: [...ABSENT, ...OBJECTS],
      'sessions.user': FUNCTIONS,
      cache: [...ABSENT, ...OBJECTS],
      'cache.max': [...ABSENT],
      'cache.ttl': ABSENT,
      timeout: [...ABSENT, 'null'],
      maxScopes: ABSENT,
      clock: ABSENT,
      'clock.now': FUNCTIONS,
      'clock.setTimeout': FUNCTIONS,
      'clock.clearTimeout': FUNCTIONS,
      random: perCall,
      nonce: [...ABSENT, ...TEXTS],
    },
    closed: ['', 'cache'],
    enter: (_, value) => createDuctape(value),
  },
  inspect: {
    value: () => ({ env: 'prd', product: 'p', fallback_tag: 'x', cache: 'k', action: 'trigger' }),
    paths: {
      '': NONE,
      env: [...ABSENT, ...TEXTS],
      product: [...ABSENT, ...TEXTS],
      fallback_tag: NONE,
      cache: [...ABSENT, ...TEXTS],
      action: ANYTHING,
    },
    enter: (engine, value) => engine.inspect(value),
  },
  'on, its type': { value: () => 'reset', paths: { '': NONE }, enter: (engine, value) => engine.on(value, () => {}) },
  'on, its listener': {
    value: () => () => {},
    paths: { '': FUNCTIONS },
    enter: (engine, value) => engine.on('reset', value),
  },
  'close, its options': {
    value: () => ({ grace: 5 }),
    paths: { '': [...ABSENT, ...OBJECTS], grace: ABSENT },
    closed: [''],
    enter: (engine, value) => engine.close(value),
  },
};

/** `value`, with what `describe` says in the place of what stands at `path`. */
function put(value: unknown, path: string, describe: (now: unknown) => PropertyDescriptor): unknown {
  const keys = path ? path.split('.') : [];
  const last = keys.pop();
  const holder = { root: value };
  const owner = keys.reduce<Record<string, unknown>>((at, key) => at[key] as never, value as never);
  const [target, key] = last === undefined ? [holder, 'root'] : [owner, last];
  const shape = { enumerable: true, configurable: true, ...describe(Reflect.get(target, key)) };
  Object.defineProperty(target, key, shape);
  return holder.root;
}

type Outcome<T> = { readonly threw: false; readonly value: T } | { readonly threw: true; readonly error: unknown };

async function outcomeOf<T>(act: () => T): Promise<Outcome<Awaited<T>>> {
  try {
    return { threw: false, value: await act() };
  } catch (error) {
    return { threw: true, error };
  }
}

/** Enters a door with a value, and holds the engine to its promises. Tells whether it was refused. */
async function enter(door: Door, value: unknown): Promise<boolean> {
  const engine = engineOf();
  await engine.run({ ...good, cache: 'k' });
  await engine.run({ ...good, input: { n: -1 } }).catch(() => {});
  await engine.run({ ...good, action: 'update', input: { maxRetries: 7 } });
  const before = JSON.stringify([engine.snapshot(), engine.list()]);
  const outcome = await outcomeOf(() => door.enter(engine, value as never));
  if (!outcome.threw) return false;
  const { error } = outcome;
  if (!(error instanceof FallbackError)) throw new Error(`a raw error came out: ${String((error as Error)?.stack)}`);
  JSON.stringify(error);
  if ('issues' in error) {
    for (const { message } of error.issues as { message: string }[]) {
      expect(message).toMatch(/expected .+, got .+|unknown .+; (did you mean|expected one of) |, got /s);
    }
  } else expect(error.code).toMatch(/^ERR_(UNKNOWN_FALLBACK|FALLBACK_FAILED)$/);
  if (error.code !== 'ERR_FALLBACK_FAILED') expect(JSON.stringify([engine.snapshot(), engine.list()])).toBe(before);
  expect(await engine.run(good)).toMatchObject({ output: 1, state: 'triggered' });
  return true;
}

describe.each(Object.entries(DOORS))('%s', (_, door) => {
  const paths = Object.keys(door.paths);
  const runs = { numRuns: RUNS / 5 };

  it('takes what is right', async () => {
    const outcome = await outcomeOf(() => door.enter(engineOf(), door.value() as never));
    expect(outcome.threw ? (outcome.error as FallbackError).code : 'taken').toMatch(/^taken$|^ERR_FALLBACK_FAILED$/);
  });

  it('answers each bad value anywhere with a typed error that says why, and is as before', async () => {
    const faults: string[] = [];
    for (const path of paths) {
      for (const bad of ALL) {
        const outcome = await outcomeOf(() =>
          enter(
            door,
            put(door.value(), path, () => ({ value: BAD[bad]() })),
          ),
        );
        const must = !door.paths[path]?.includes(bad);
        if (outcome.threw) faults.push(`${path}, ${bad}: ${String(outcome.error).split('\n')[0]}`);
        else if (must && !outcome.value) faults.push(`${path}, ${bad}: was not refused`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('answers several bad values at once with a typed error if any', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...ALL)), { minLength: 2, maxLength: 4 }),
        async (bads) => {
          let value = door.value();
          let must = false;
          for (const [path, bad] of bads) {
            try {
              value = put(value, path, () => ({ value: BAD[bad]() }));
              must = path === '' && !door.paths['']?.includes(bad);
            } catch {
              // There is no such path any more: a bad value stands above it.
            }
          }
          const refused = await enter(door, value);
          if (must) expect(refused).toBe(true);
        },
      ),
      runs,
    ));

  const fields = paths.filter((path) => path !== '');
  if (fields.length > 0)
    it('answers a field that throws, at whichever reading, with a typed error if any', () =>
      fc.assert(
        fc.asyncProperty(fc.constantFrom(...fields), fc.nat(4), async (path, readings) => {
          let left = readings;
          const fickle = (now: unknown) => ({ get: () => (left-- > 0 ? now : throws()) });
          const refused = await enter(door, put(door.value(), path, fickle));
          if (readings === 0 && !door.paths[path]?.includes('a trapped object')) expect(refused).toBe(true);
        }),
        runs,
      ));

  const { closed = [] } = door;
  if (closed.length > 0)
    it('refuses an unknown key, and names it, wherever only its own are known', () =>
      fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...closed),
          fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'zzzz', 'Env', ' ', 'é'),
          fc.constantFrom('null', 'flag', 'negative', 'function', 'list', 'object'),
          async (path, key, bad: Bad) => {
            const value = put(door.value(), path ? `${path}.${key}` : key, () => ({ value: BAD[bad]() }));
            expect(await enter(door, value)).toBe(true);
            const outcome = await outcomeOf(() => door.enter(engineOf(), value as never));
            expect(String(outcome.threw && outcome.error)).toContain(key);
          },
        ),
        runs,
      ));
});

it('has: never throws, and says no to what is none', () =>
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      fc.constantFrom('', 'env', 'product', 'fallback_tag', 'cache'),
      (bad, path) => {
        const value = put({ env: 'prd', product: 'p', fallback_tag: 'x', cache: 'k' }, path, () => ({
          value: BAD[bad](),
        }));
        const has = engineOf().has(value as never);
        const mayBe: readonly Bad[] = path === '' || path === 'fallback_tag' ? NONE : [...ABSENT, ...TEXTS];
        if (mayBe.includes(bad)) expect(typeof has).toBe('boolean');
        else expect(has).toBe(false);
      },
    ),
    { numRuns: RUNS },
  ));

describe('the quick look at a request', () => {
  const key = fc.constantFrom(
    'env',
    'product',
    'fallback_tag',
    'action',
    'input',
    'session',
    'cache',
    'extra',
    '__proto__',
    'constructor',
  );
  const right: Record<string, () => unknown> = {
    env: () => 'prd',
    product: () => 'p',
    fallback_tag: () => 'x',
    action: () => 'update',
    input: () => ({ a: 1 }),
    session,
    cache: () => 'k',
    extra: () => 1,
  };
  const rightOf = (key: string) => (Object.hasOwn(right, key) ? right[key]?.() : 1);
  const field = fc.record({
    key,
    bad: fc.option(fc.constantFrom(...ALL), { nil: undefined, freq: 3 }),
    how: fc.constantFrom('own', 'own', 'own', 'hidden', 'inherited', 'computed'),
  });
  const base = fc.constantFrom('object', 'list', 'function', 'null prototype', 'instance', 'map', 'transparent proxy');
  const text = fc.constantFrom(undefined, 'default');

  const bases: Record<string, (proto: object) => object> = {
    object: (proto) => Object.create(proto),
    list: () => [],
    function: () => () => {},
    'null prototype': () => Object.create(null),
    instance: () => new (class Request {})(),
    map: () => new Map(),
    'transparent proxy': (proto) => new Proxy(Object.create(proto), {}),
  };

  const answer = (read: typeof readRequest, raw: unknown, env: string | undefined, product: string | undefined) => {
    try {
      return { value: read(raw, { env, product }) };
    } catch (error) {
      if (!(error instanceof InvalidRequestError)) throw error;
      const { message, issues, id, tag, cache } = error;
      return { refused: { message, issues, id, tag, cache, env: error.env, product: error.product } };
    }
  };

  function agree(raw: unknown, env: string | undefined, product: string | undefined): 'value' | 'refused' {
    const [quick, slow] = [answer(readRequest, raw, env, product), answer(judged, raw, env, product)];
    expect(Object.keys(quick)).toEqual(Object.keys(slow));
    if (quick.refused || slow.refused) {
      expect(quick.refused).toEqual(slow.refused);
      return 'refused';
    }
    // The input may be anything that an object can be; it has to be the very same.
    expect(Object.is(quick.value.input, slow.value.input) || Object.keys(quick.value.input).length === 0).toBe(true);
    expect({ ...quick.value, input: 0 }).toEqual({ ...slow.value, input: 0 });
    return 'value';
  }

  it('and the judge always agree', () => {
    const seen = { value: 0, refused: 0 };
    fc.assert(
      fc.property(
        base,
        fc.array(field, { maxLength: 4 }),
        fc.subarray(['env', 'product', 'fallback_tag', 'action', 'input', 'session', 'cache'], { minLength: 3 }),
        text,
        text,
        (base, fields, own, env, product) => {
          const proto = {};
          const raw = bases[base]?.(proto) as object;
          for (const key of own)
            Object.defineProperty(raw, key, { value: rightOf(key), enumerable: true, configurable: true });
          for (const { key, bad, how } of fields) {
            const value = bad === undefined ? rightOf(key) : BAD[bad]();
            const target = how === 'inherited' ? proto : raw;
            const shape = how === 'computed' ? { get: () => value } : { value };
            Object.defineProperty(target, key, { ...shape, enumerable: how !== 'hidden', configurable: true });
          }
          seen[agree(raw, env, product)]++;
        },
      ),
      { numRuns: RUNS * 5 },
    );
    expect(Math.min(seen.value, seen.refused)).toBeGreaterThan(RUNS / 10);
  });

  it('and the judge agree on what is no request at all', () => {
    for (const bad of ALL) expect(agree(BAD[bad](), 'prd', 'p')).toBe('refused');
  });
});
