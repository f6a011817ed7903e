import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineFallback } from '../../../src/definition/define.ts';
import { definitionOf } from '../../../src/definition/definition.ts';
import { InvalidDefinitionError } from '../../../src/errors.ts';
import type { Context } from '../../../src/index.ts';

const minimal = { tag: 'x', providers: [{ name: 'a', value: 1 }] };
const withProvider = (provider: object) => ({ tag: 'x', providers: [{ name: 'a', value: 1, ...provider }] });
const CTX = {} as Context;

function refusal(definition: unknown): InvalidDefinitionError {
  try {
    defineFallback(definition as never);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    return error as InvalidDefinitionError;
  }
  throw new Error('nothing was refused');
}

const pathsOf = (definition: unknown) => refusal(definition).issues.map(({ path }) => path);

const BAD_DURATIONS = [
  Number.NaN,
  -1,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2_147_483_648,
  '5',
  {},
  true,
];
const BAD_COUNTS = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, 2 ** 53];
const BAD_LABELS = ['', 'x'.repeat(129), 'a\nb', 'tab\t', '\u0000', '\ud800', 5, null, undefined, {}];

describe('a fallback', () => {
  it('has these defaults', () => {
    expect(definitionOf(minimal)).toMatchObject({
      tag: 'x',
      info: { tag: 'x', providers: ['a'] },
      products: undefined,
      envs: undefined,
      input: undefined,
      output: undefined,
      settings: undefined,
      maxRetries: 10,
      fallbackProvider: undefined,
      deadline: undefined,
      resetAfter: 30_000,
      handle: undefined,
      sessionRequired: false,
    });
  });

  it('keeps each field that was written', () => {
    const schema = z.object({});
    const full = definitionOf({
      tag: 'x',
      name: 'Payment',
      description: 'What to do',
      product: 'payments',
      env: ['prd', 'dev'],
      input: schema,
      output: schema,
      settings: schema,
      providers: [{ name: 'a', value: 1 }],
      maxRetries: 0,
      fallbackProvider: 'a',
      deadline: 0,
      resetAfter: 0,
      handle: () => false,
      session: 'required',
    });
    expect(full).toMatchObject({
      info: {
        tag: 'x',
        name: 'Payment',
        description: 'What to do',
        product: 'payments',
        env: ['prd', 'dev'],
        providers: ['a'],
      },
      products: new Set(['payments']),
      envs: new Set(['prd', 'dev']),
      maxRetries: 0,
      fallbackProvider: 'a',
      deadline: 0,
      resetAfter: 0,
      sessionRequired: true,
    });
    expect([full.input, full.output, full.settings]).toEqual([schema, schema, schema]);
    expect(full.handle?.(new Error('x'))).toBe(false);
  });

  it('takes an undefined field for an absent one', () => {
    expect(
      definitionOf({ ...minimal, maxRetries: undefined, session: undefined, resetAfter: undefined }),
    ).toMatchObject({
      maxRetries: 10,
      resetAfter: 30_000,
      sessionRequired: false,
    });
  });

  it('never resets by itself where resetAfter is null or never', () => {
    for (const resetAfter of ['never', null]) expect(definitionOf({ ...minimal, resetAfter }).resetAfter).toBeNull();
  });

  it('takes durations of 0 and of 2147483647 ms', () => {
    for (const ms of [0, 2_147_483_647]) {
      expect(definitionOf({ ...minimal, deadline: ms, resetAfter: ms })).toMatchObject({
        deadline: ms,
        resetAfter: ms,
      });
    }
  });

  it.each([
    ['tag', BAD_LABELS],
    ['name', ['', 5, null]],
    ['description', ['', 5, null]],
    ['product', ['', [], [''], [5], 5, null]],
    ['env', ['', [], ['prd', ''], 5, null]],
    ['input', [{}, null, z.string, 'schema']],
    ['output', [{}, null]],
    ['settings', [{}, null]],
    ['maxRetries', BAD_COUNTS],
    ['fallbackProvider', ['', 5, null, 'b']],
    ['deadline', [...BAD_DURATIONS, null]],
    ['resetAfter', [...BAD_DURATIONS, 'always']],
    ['handle', [true, null, {}]],
    ['session', [true, 'none', null]],
    ['providers', [undefined, null, [], {}, 'a', Array.from({ length: 65 }, (_, i) => ({ name: `p${i}`, value: 1 }))]],
  ] as [string, unknown[]][])('is refused for a bad %s', (key, values) => {
    for (const value of values) expect(pathsOf({ ...minimal, [key]: value })).toEqual([key]);
  });

  it('has up to 64 providers', () => {
    const providers = Array.from({ length: 64 }, (_, i) => ({ name: `p${i}`, value: i }));
    expect(definitionOf({ tag: 'x', providers }).providers).toHaveLength(64);
  });

  it('has providers of unique names', () => {
    const providers = [
      { name: 'a', value: 1 },
      { name: 'b', value: 1 },
      { name: 'a', value: 1 },
    ];
    expect(pathsOf({ tag: 'x', providers })).toEqual(['providers[2].name']);
  });

  it.each([
    ['fallbackprovider', 'fallbackProvider'],
    ['maxRetrys', 'maxRetries'],
    ['provider', 'providers'],
    ['reset_after', 'resetAfter'],
    ['sesion', 'session'],
    ['outputs', 'output'],
  ])('names the nearest field to an unknown %s', (typo, field) => {
    expect(refusal({ ...minimal, [typo]: 1 }).message).toContain(`unknown key "${typo}"; did you mean "${field}"?`);
  });

  it('names the nearest provider to an unknown fallbackProvider', () => {
    const definition = { tag: 'x', fallbackProvider: 'paypall', providers: [{ name: 'paypal', value: 1 }] };
    expect(refusal(definition).issues).toEqual([
      { path: 'fallbackProvider', message: 'unknown provider "paypall"; did you mean "paypal"?' },
    ]);
  });

  it('has no field __proto__, constructor or toString', () => {
    for (const key of ['__proto__', 'constructor', 'toString']) {
      const own = Object.defineProperty({ ...minimal }, key, { value: {}, enumerable: true });
      expect(pathsOf(own)).toEqual([key]);
    }
  });

  it('tells all its faults at once', () => {
    const providers = [{ name: '', value: 1 }, { name: 'b', run: 5 }, { name: 'c' }];
    expect(pathsOf({ tag: 'x', fallbackProvider: 'z', providers })).toEqual([
      'providers[0].name',
      'providers[1].run',
      'providers[2]',
      'fallbackProvider',
    ]);
  });

  it("tells its own faults and its providers' together", () => {
    const providers = [
      { name: 'a', value: 1, timout: 5 },
      { name: 'b', value: 1 },
      { name: 'b', value: 2 },
    ];
    expect(pathsOf({ tag: 'x', maxRetries: -1, maxretries: 2, providers })).toEqual([
      'maxRetries',
      'maxretries',
      'providers[0].timout',
      'providers[2].name',
    ]);
    expect(pathsOf({ tag: 'x', maxRetries: -1, providers: [] })).toEqual(['providers', 'maxRetries']);
  });

  it('tells what could be read, where the providers cannot be read twice', () => {
    let reads = 0;
    const once = {
      tag: 'x',
      maxRetries: -1,
      get providers() {
        if (++reads > 1) throw new Error('no more');
        return [{ name: 'a' }];
      },
    };
    expect(pathsOf(once)).toEqual(['maxRetries']);
  });

  it('is refused as anything but an object', () => {
    for (const raw of [null, undefined, 5, 'x', [], () => {}, Symbol('x'), 1n]) {
      expect(refusal(raw).issues).toMatchObject([
        { path: '', message: expect.stringMatching(/^expected an object, got /) },
      ]);
    }
  });

  it('says which definition is at fault, where it can be read', () => {
    expect(refusal({ ...minimal, deadline: -1 }).tag).toBe('x');
    expect(refusal({ ...minimal, deadline: -1 }).message).toMatch(/^Invalid definition of x: deadline: /);
    expect(refusal({ ...minimal, tag: 5 })).not.toHaveProperty('tag');
    expect(refusal({ ...minimal, tag: 5 }).message).toMatch(/^Invalid definition: tag: /);
  });

  it('is refused with the error of what cannot be read', () => {
    const fault = new Error('no');
    const throwing = {
      tag: 'x',
      get providers() {
        throw fault;
      },
    };
    expect(refusal(throwing).cause).toBe(fault);
  });

  it('is refused with the error of a key it never asked for, that throws when read', () => {
    const throwing = {
      ...minimal,
      get [Symbol('extra')]() {
        throw new TypeError('no');
      },
    };
    const define = () => defineFallback(throwing as never);
    // Either it is not read at all, or its throw is told in the typed error.
    try {
      expect(define()).toMatchObject({ tag: 'x' });
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidDefinitionError);
    }
  });
});

describe('settings', () => {
  it('must accept {}', () => {
    expect(refusal({ ...minimal, settings: z.object({ region: z.string() }) }).issues).toMatchObject([
      { path: 'settings.region', message: expect.stringContaining('expected a schema that accepts {}') },
    ]);
  });

  it('must be synchronous', () => {
    const settings = z.object({}).refine(async () => true);
    expect(refusal({ ...minimal, settings }).issues).toMatchObject([{ path: 'settings' }]);
    const promising = { '~standard': { version: 1, vendor: 't', validate: async () => ({ value: {} }) } };
    expect(refusal({ ...minimal, settings: promising }).message).toContain('expected a synchronous schema');
  });

  it.each(['maxRetries', 'fallbackProvider', 'deadline', 'resetAfter', 'providers'])(
    'may not use the key %s, which every fallback has',
    (key) => {
      const settings = z.object({ [key]: z.string().default('x') });
      expect(pathsOf({ ...minimal, settings })).toEqual([`settings.${key}`]);
    },
  );
});

describe('a provider', () => {
  it('has these defaults', () => {
    expect(definitionOf(minimal).providers[0]).toMatchObject({
      name: 'a',
      retries: 0,
      backoff: { initialDelay: 100, maxDelay: 5_000, factor: 2, jitter: 'full' },
      timeout: undefined,
      when: undefined,
      accept: undefined,
      shouldRetry: undefined,
    });
  });

  it('keeps each field that was written', () => {
    const [provider] = definitionOf(
      withProvider({ retries: 3, timeout: 0, when: () => 1, accept: () => 2, shouldRetry: () => 3, backoff: 0 }),
    ).providers;
    expect(provider).toMatchObject({ retries: 3, timeout: 0 });
    expect([provider?.when?.({}, CTX), provider?.accept?.({}), provider?.shouldRetry?.({}, CTX)]).toEqual([1, 2, 3]);
    expect(definitionOf(withProvider({ timeout: null })).providers[0]?.timeout).toBeNull();
    expect(definitionOf(withProvider({ timeout: 2_147_483_647 })).providers[0]?.timeout).toBe(2_147_483_647);
  });

  it.each([
    ['name', BAD_LABELS],
    ['run', [5, null, 'f', {}]],
    ['retries', BAD_COUNTS],
    ['timeout', BAD_DURATIONS],
    ['when', [true, null]],
    ['accept', [true, null]],
    ['shouldRetry', [true, null]],
    ['backoff', [...BAD_DURATIONS.filter((value) => typeof value !== 'object'), null, [], 'full']],
    ['retry', [1]],
    ['__proto__x', [1]],
  ] as [string, unknown[]][])('is refused for a bad %s', (key, values) => {
    for (const value of values) expect(pathsOf(withProvider({ [key]: value }))).toEqual([`providers[0].${key}`]);
  });

  it('is refused as anything but an object', () => {
    for (const provider of [null, 5, 'a', [], () => {}]) {
      expect(pathsOf({ tag: 'x', providers: [{ name: 'z', value: 1 }, provider] })).toEqual(['providers[1]']);
    }
  });

  it('names the nearest field to an unknown one', () => {
    expect(refusal(withProvider({ timeuot: 5 })).message).toContain('unknown key "timeuot"; did you mean "timeout"?');
    expect(refusal(withProvider({ should_retry: 5 })).message).toContain('did you mean "shouldRetry"?');
  });

  it('takes a printable name whatever it is', () => {
    for (const name of ['__proto__', 'constructor', 'a b', '支払い', '💳'.repeat(128)]) {
      expect(definitionOf({ tag: name, providers: [{ name, value: 1 }] }).providers[0]?.name).toBe(name);
    }
  });

  it.each([0, '', false, null, Number.NaN, 0n, -0])('takes the falsy value %s for a value', (value) => {
    expect(definitionOf({ tag: 'x', providers: [{ name: 'a', value }] }).providers[0]?.work({}, CTX)).toBe(value);
  });

  it('takes an undefined value for a value where there is no run', () => {
    expect(definitionOf({ tag: 'x', providers: [{ name: 'a', value: undefined }] }).providers[0]?.work({}, CTX)).toBe(
      undefined,
    );
  });

  it('makes its value of the input where that is a function', () => {
    const providers = [{ name: 'a', value: (input: unknown, ctx: unknown) => [input, ctx] }];
    expect(definitionOf({ tag: 'x', providers }).providers[0]?.work('in', CTX)).toEqual(['in', CTX]);
  });

  it('has exactly one of run and value', () => {
    const run = () => 1;
    for (const value of [1, 0, null, false, '']) {
      expect(refusal({ tag: 'x', providers: [{ name: 'a', run, value }] }).issues).toEqual([
        { path: 'providers[0]', message: 'expected exactly one of run, value and lastGood, got run and value' },
      ]);
    }
    expect(refusal({ tag: 'x', providers: [{ name: 'a' }] }).issues).toEqual([
      { path: 'providers[0]', message: 'expected exactly one of run, value and lastGood, got none' },
    ]);
    expect(
      definitionOf({ tag: 'x', providers: [{ name: 'a', run, value: undefined }] }).providers[0]?.work({}, CTX),
    ).toBe(1);
  });

  it.each(['run', 'value', 'when', 'accept', 'shouldRetry', 'backoff'] as const)(
    'keeps its object as the this of its %s',
    (field) => {
      const seen: unknown[] = [];
      const answer = { name: 'a', run: () => 1 };
      const provider = Object.assign(field === 'value' ? { name: 'a' } : answer, {
        [field](this: unknown) {
          seen.push(this);
          return 0;
        },
      });
      const [checked] = definitionOf({ tag: 'x', providers: [provider] }).providers;
      checked?.work({}, CTX);
      checked?.when?.({}, CTX);
      checked?.accept?.({});
      checked?.shouldRetry?.({}, CTX);
      if (typeof checked?.backoff === 'function') checked.backoff.call(undefined, 1, undefined);
      expect(seen).toEqual([provider]);
    },
  );
});

describe('a backoff', () => {
  const backoffOf = (backoff: unknown) => definitionOf(withProvider({ backoff })).providers[0]?.backoff;

  it('is a constant delay as a number', () => {
    expect(backoffOf(250)).toEqual({ initialDelay: 250, maxDelay: 2_147_483_647, factor: 1, jitter: 'none' });
    expect(backoffOf(0)).toMatchObject({ initialDelay: 0, jitter: 'none' });
  });

  it('takes the default for each option left out', () => {
    expect(backoffOf({})).toEqual({ initialDelay: 100, maxDelay: 5_000, factor: 2, jitter: 'full' });
    expect(backoffOf({ factor: 1 })).toMatchObject({ factor: 1 });
    expect(backoffOf({ factor: 3, jitter: undefined })).toEqual({
      initialDelay: 100,
      maxDelay: 5_000,
      factor: 3,
      jitter: 'full',
    });
    for (const jitter of ['full', 'none', 'decorrelated']) expect(backoffOf({ jitter })).toMatchObject({ jitter });
  });

  it('may be a function', () => {
    const backoff = (attempt: number) => attempt * 10;
    expect((backoffOf(backoff) as typeof backoff)(2)).toBe(20);
  });

  it.each([
    ['initialDelay', BAD_DURATIONS],
    ['maxDelay', BAD_DURATIONS],
    ['factor', [0, 0.5, -1, Number.NaN, Number.POSITIVE_INFINITY, '2', null]],
    ['jitter', [true, 'half', null]],
    ['delay', [5]],
  ] as [string, unknown[]][])('is refused for a bad %s', (key, values) => {
    for (const value of values)
      expect(pathsOf(withProvider({ backoff: { [key]: value } }))).toEqual([`providers[0].backoff.${key}`]);
  });
});

describe('a defined fallback', () => {
  it('is frozen, and what was written', () => {
    const fallback = defineFallback({ tag: 'x', name: 'X', providers: [{ name: 'a', value: 1 }] });
    expect(Object.isFrozen(fallback)).toBe(true);
    expect(fallback).toStrictEqual({ tag: 'x', name: 'X', providers: [{ name: 'a', value: 1 }] });
  });

  it('is refused in words of ours where it cannot be asked anything', () => {
    const fault = new Error('locked');
    const locked = new Proxy(
      {},
      {
        get() {
          throw fault;
        },
      },
    );
    expect(() => definitionOf(locked)).toThrow(InvalidDefinitionError);
    expect(() => definitionOf(locked)).toThrow('locked');
  });

  it('has what its class has, which a copy of it keeps', () => {
    const schema = Object.assign(() => 'callable', { '~standard': z.object({})['~standard'] });
    class Payments {
      readonly name = 'Payments';
      readonly maxRetries = 2;
      readonly #own = 'mine';
      get tag() {
        return 'pay';
      }
      get providers() {
        return [{ name: 'a', value: 1 }];
      }
      get input() {
        return schema;
      }
      get help() {
        return 'no field of a definition';
      }
      handle(error: unknown) {
        return error !== this.#own;
      }
    }
    const fallback = defineFallback(new Payments() as never) as unknown as Payments;
    expect(fallback).toStrictEqual({
      name: 'Payments',
      maxRetries: 2,
      tag: 'pay',
      providers: [{ name: 'a', value: 1 }],
      input: schema,
      handle: expect.any(Function),
    });
    expect(fallback.input).toBe(schema);
    const copy = definitionOf({ ...fallback, maxRetries: 3 });
    expect([copy.tag, copy.maxRetries, copy.handle?.('mine'), copy.handle?.('other')]).toEqual(['pay', 3, false, true]);
  });

  it('is checked once, and means the same wherever it is used', () => {
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'a', value: 1 }] });
    expect(definitionOf(fallback)).toBe(definitionOf(fallback));
  });

  it('does not follow later changes of what was written', () => {
    const providers = [{ name: 'a', value: 1 }];
    const fallback = defineFallback({ tag: 'x', providers } as never);
    providers.push({ name: 'b', value: 2 });
    (providers[0] as { value: number }).value = 5;
    const definition = definitionOf(fallback);
    expect(definition.providers.map(({ name }) => name)).toEqual(['a']);
    expect(definition.providers[0]?.work({}, CTX)).toBe(1);
  });

  it('spread and changed is checked anew', () => {
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'a', value: 1 }] });
    expect(definitionOf({ ...fallback, tag: 'y' }).tag).toBe('y');
    expect(() => definitionOf({ ...fallback, deadline: -1 })).toThrow(InvalidDefinitionError);
  });
});
