import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Checked } from '../../../src/definition/check.ts';
import { amend, configure, readUpdate, type Updates } from '../../../src/definition/config.ts';
import { definitionOf } from '../../../src/definition/definition.ts';
import { createDuctape, type Fallback, InvalidConfigError, type StandardSchema } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

const providers = [
  { name: 'stripe', value: 1, retries: 1, timeout: 800 },
  { name: 'paypal', value: 2 },
];
const plain = { tag: 'x', maxRetries: 4, resetAfter: 1_000, deadline: 500, providers };

/** An engine of one fallback, and how to update and inspect it. */
function engineOf(definition: object) {
  const { fallback } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'p',
    timeout: 90,
    clock: virtualClock(),
    fallbacks: [definition as Fallback],
  });
  const update = (input: unknown) => fallback.run({ fallback_tag: 'x', action: 'update', input: input as never });
  return { fallback, update, inspect: () => fallback.inspect({ fallback_tag: 'x' }) };
}

async function refusal(update: Promise<unknown>): Promise<InvalidConfigError> {
  const error = await update.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InvalidConfigError);
  return error as InvalidConfigError;
}

describe('a configuration without updates', () => {
  it('is what the definition says, the engine saying the rest', () => {
    expect(configure(definitionOf(plain), [], 90)).toMatchObject({
      value: {
        values: {
          maxRetries: 4,
          resetAfter: 1_000,
          deadline: 500,
          providers: {
            stripe: { enabled: true, retries: 1, timeout: 800 },
            paypal: { enabled: true, retries: 0, timeout: 90 },
          },
        },
      },
    });
  });

  it('has no key for what there is none of', () => {
    const { inspect } = engineOf({ tag: 'x', providers: [{ name: 'a', value: 1, timeout: null }] });
    expect(inspect().config).toStrictEqual({
      maxRetries: 10,
      resetAfter: 30_000,
      providers: { a: { enabled: true, retries: 0, timeout: null } },
    });
  });

  it('is frozen in depth', () => {
    const { config } = engineOf(plain).inspect();
    expect([config, config.providers, config.providers.stripe].every(Object.isFrozen)).toBe(true);
  });
});

describe('an update', () => {
  it('merges key by key, later ones winning', async () => {
    const { update } = engineOf(plain);
    await update({ maxRetries: 7, deadline: 9 });
    const { config } = await update({ deadline: 8, fallbackProvider: 'paypal' });
    expect(config).toMatchObject({ maxRetries: 7, deadline: 8, fallbackProvider: 'paypal', resetAfter: 1_000 });
  });

  it('merges providers one level deep', async () => {
    const { update } = engineOf(plain);
    await update({ providers: { stripe: { retries: 5, enabled: false }, paypal: { timeout: 5 } } });
    const { config } = await update({ providers: { stripe: { timeout: 9 } } });
    expect(config.providers).toEqual({
      stripe: { enabled: false, retries: 5, timeout: 9 },
      paypal: { enabled: true, retries: 0, timeout: 5 },
    });
  });

  it.each(['maxRetries', 'fallbackProvider', 'deadline', 'resetAfter', 'providers'])(
    'of %s to null brings the definition back',
    async (key) => {
      const { update, inspect } = engineOf(plain);
      const before = inspect().config;
      const changed = {
        maxRetries: 1,
        fallbackProvider: 'paypal',
        deadline: 1,
        resetAfter: 'never',
        providers: { paypal: { retries: 9 } },
      };
      await update({ [key]: changed[key as keyof typeof changed] });
      expect(inspect().config).not.toEqual(before);
      expect((await update({ [key]: null })).config).toEqual(before);
    },
  );

  it('of one provider, or one field of it, to null brings that back', async () => {
    const { update } = engineOf(plain);
    await update({ providers: { stripe: { retries: 5, timeout: 5 }, paypal: { retries: 6 } } });
    const { config } = await update({ providers: { stripe: { timeout: null }, paypal: null } });
    expect(config.providers).toEqual({
      stripe: { enabled: true, retries: 5, timeout: 800 },
      paypal: { enabled: true, retries: 0, timeout: 90 },
    });
  });

  it('of resetAfter to never leaves none', async () => {
    expect((await engineOf(plain).update({ resetAfter: 'never' })).config.resetAfter).toBeNull();
  });

  it('of undefined changes nothing', async () => {
    const { update, inspect } = engineOf(plain);
    const before = inspect();
    await update({ maxRetries: undefined, providers: { stripe: { retries: undefined }, paypal: undefined } });
    expect(inspect()).toEqual(before);
    await update({ maxRetries: 6, providers: { stripe: { retries: 5 } } });
    await update({ maxRetries: undefined, providers: { stripe: { retries: undefined }, paypal: undefined } });
    expect(inspect().config).toMatchObject({ maxRetries: 6, providers: { stripe: { retries: 5 } } });
  });

  it('of undefined leaves no trace, nor does one that is taken back', async () => {
    const { fallback, update } = engineOf(plain);
    await update({ maxRetries: 6 });
    await update({ deadline: undefined });
    expect(fallback.snapshot().machines.map(({ updates = {} }) => Object.keys(updates))).toEqual([['maxRetries']]);
    await update({ maxRetries: null });
    expect(fallback.snapshot().machines.map(({ updates }) => updates)).toEqual([undefined]);
  });

  it('counts as a revision where it changes something, and only there', async () => {
    const { update } = engineOf(plain);
    const revisions = [];
    for (const input of [
      {},
      { maxRetries: 4 },
      { maxRetries: 5 },
      { maxRetries: 5 },
      { maxRetries: null },
      { providers: {} },
    ]) {
      revisions.push((await update(input)).revision);
    }
    expect(revisions).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('takes durations of 0 and of 2147483647 ms', async () => {
    for (const ms of [0, 2_147_483_647]) {
      const { config } = await engineOf(plain).update({
        deadline: ms,
        resetAfter: ms,
        providers: { stripe: { timeout: ms } },
      });
      expect(config).toMatchObject({ deadline: ms, resetAfter: ms, providers: { stripe: { timeout: ms } } });
    }
  });

  it.each([
    ['maxRetries', [-1, 1.5, Number.NaN, '5', true, {}, 2 ** 53]],
    ['fallbackProvider', ['', 5, [], 'visa', '__proto__']],
    ['deadline', [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2_147_483_648, '5', 'never']],
    ['resetAfter', [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2_147_483_648, 'always']],
    ['providers', [5, 'stripe', [], () => {}]],
    ['providers.stripe', [5, 'x', [], true]],
    ['providers.stripe.enabled', [1, 'yes', {}]],
    ['providers.stripe.retries', [-1, 0.5, Number.NaN, '1']],
    ['providers.stripe.timeout', [-1, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648]],
  ] as [string, unknown[]][])('is refused for a bad %s, and nothing of it applies', async (path, values) => {
    const { fallback, update } = engineOf(plain);
    await update({ maxRetries: 6 });
    const before = [fallback.snapshot(), fallback.inspect({ fallback_tag: 'x' })];
    for (const value of values) {
      const [first = '', ...rest] = path.split('.');
      const nested = rest.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
      const other = first === 'maxRetries' ? { deadline: 77 } : { maxRetries: 77 };
      const error = await refusal(update({ ...other, [first]: nested }));
      expect(error.issues[0]).toMatchObject({ path, message: expect.stringMatching(/^expected|^unknown/) });
      expect([fallback.snapshot(), fallback.inspect({ fallback_tag: 'x' })]).toEqual(before);
    }
  });

  it.each([
    [{ maxRetrys: 5 }, 'maxRetrys', 'maxRetries'],
    [{ fallback_provider: 'paypal' }, 'fallback_provider', 'fallbackProvider'],
    [{ fallbackProvider: 'paypall' }, 'fallbackProvider', 'paypal'],
    [{ providers: { stirpe: {} } }, 'providers.stirpe', 'stripe'],
    [{ providers: { stripe: { retrys: 1 } } }, 'providers.stripe.retrys', 'retries'],
  ])('names the nearest name to a typo: %o', async (input, path, name) => {
    const { issues } = await refusal(engineOf(plain).update(input));
    expect(issues).toMatchObject([{ path, message: expect.stringContaining(`did you mean "${name}"?`) }]);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'takes %s for an unknown key like any other, at each level',
    async (key) => {
      const { update } = engineOf(plain);
      const own = (json: string) => JSON.parse(json.replace('KEY', key));
      for (const [json, path] of [
        ['{ "KEY": { "maxRetries": 0 } }', key],
        ['{ "providers": { "KEY": { "enabled": false } } }', `providers.${key}`],
        ['{ "providers": { "stripe": { "KEY": 1 } } }', `providers.stripe.${key}`],
      ] as const) {
        expect((await refusal(update(own(json)))).issues).toMatchObject([{ path }]);
      }
      expect(({} as { maxRetries?: number }).maxRetries).toBeUndefined();
    },
  );

  it('configures a provider by the name of __proto__', async () => {
    const named = engineOf({
      tag: 'x',
      providers: [
        { name: '__proto__', value: 1 },
        { name: 'b', value: 2 },
      ],
    });
    const input = JSON.parse('{ "providers": { "__proto__": { "enabled": false } } }');
    const { config } = await named.update(input);
    expect(Object.getOwnPropertyDescriptor(config.providers, '__proto__')?.value).toMatchObject({ enabled: false });
    expect(await named.fallback.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({ provider: 'b' });
  });

  it('is refused for keys that are symbols, for a circle, and for a depth beyond any use', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    let deep: unknown = {};
    for (let i = 0; i < 100_000; i++) deep = [deep];
    const settings = z.looseObject({});
    for (const input of [{ [Symbol('s')]: 1 }, circle, { deep }, { providers: circle }]) {
      expect((await refusal(engineOf({ ...plain, settings }).update(input))).issues.length).toBeGreaterThan(0);
    }
  });

  it('is refused for what cannot be read, with what was thrown', async () => {
    const fault = new Error('no');
    const input = {
      get maxRetries() {
        throw fault;
      },
    };
    expect((await refusal(engineOf(plain).update(input))).cause).toBe(fault);
  });

  it('is read once, when it is made, and is not followed later', async () => {
    const { update, inspect } = engineOf(plain);
    const input = { providers: { stripe: { retries: 3 } } };
    await update(input);
    input.providers.stripe.retries = 9;
    await update({ deadline: 1 });
    expect(inspect().config.providers.stripe?.retries).toBe(3);
    expect(Object.isFrozen(input)).toBe(false);
  });
});

describe('settings', () => {
  const strict = z.strictObject({
    region: z.enum(['eu', 'us']).default('eu'),
    limits: z.object({ max: z.number() }).optional(),
  });
  const stripping = z.object({ region: z.enum(['eu', 'us']).default('eu') });
  const loose = z.looseObject({ region: z.string().default('eu') });

  it('stand among the configuration, their defaults from the schema', async () => {
    const { inspect, update } = engineOf({ ...plain, settings: strict });
    expect(inspect().config).toMatchObject({ region: 'eu', maxRetries: 4 });
    expect((await update({ region: 'us' })).config).toMatchObject({ region: 'us', maxRetries: 4 });
    expect((await update({ region: null })).config).toMatchObject({ region: 'eu' });
  });

  it('are replaced whole, not merged in depth', async () => {
    const settings = z.object({ limits: z.record(z.string(), z.number()).default({}) });
    const { update } = engineOf({ ...plain, settings });
    await update({ limits: { a: 1 } });
    expect((await update({ limits: { b: 2 } })).config).toHaveProperty('limits', { b: 2 });
  });

  it.each([
    ['zod strict', strict],
    ['zod stripping', stripping],
    ['valibot strict', v.strictObject({ region: v.optional(v.picklist(['eu', 'us']), 'eu') })],
    ['valibot stripping', v.object({ region: v.optional(v.picklist(['eu', 'us']), 'eu') })],
  ] as [string, StandardSchema][])('name a typo and the nearest key: %s', async (_, settings) => {
    const { update, inspect } = engineOf({ ...plain, settings });
    const before = inspect();
    const error = await refusal(update({ regoin: 'us', maxRetries: 1 }));
    expect(error.message).toContain('regoin');
    expect(error.message).toContain('"region"');
    expect(inspect()).toEqual(before);
  });

  it('name a typo of a key that every fallback has', async () => {
    expect((await refusal(engineOf({ ...plain, settings: stripping }).update({ maxRetrys: 1 }))).message).toContain(
      'did you mean "maxRetries"?',
    );
  });

  it('cannot put out what every fallback has, for whatever input', async () => {
    const taking = z
      .object({ region: z.string().default('eu') })
      .transform(({ region }) => (region === 'eu' ? { region } : { region, maxRetries: 77, providers: 'x' }));
    const { update, inspect } = engineOf({ ...plain, settings: taking });
    const before = inspect();
    const { issues } = (await refusal(update({ region: 'us' }))) as unknown as { issues: unknown };
    const message = (key: string) => `expected settings with keys of their own, got "${key}" of their schema`;
    expect(issues).toEqual([
      { path: 'maxRetries', message: message('maxRetries') },
      { path: 'providers', message: message('providers') },
    ]);
    expect(inspect()).toEqual(before);
  });

  it('names a long name in full', async () => {
    const [known, asked] = ['1', '2'].map((end) => `payment-provider-of-the-first-region-west-${end}`);
    const { update } = engineOf({ tag: 'x', providers: [{ name: known, value: 1 }] });
    const { message } = await refusal(update({ fallbackProvider: asked }));
    expect(message).toContain(`unknown provider "${asked}"; did you mean "${known}"?`);
  });

  it('know any key where their schema is loose', async () => {
    expect((await engineOf({ ...plain, settings: loose }).update({ anything: [1] })).config).toMatchObject({
      anything: [1],
    });
  });

  it.each([
    ['zod', loose],
    ['valibot', v.looseObject({ region: v.optional(v.string(), 'eu') })],
  ] as [string, StandardSchema][])('know no __proto__, even where their schema is loose: %s', async (_, settings) => {
    const input = JSON.parse('{ "__proto__": { "region": "us" } }');
    expect((await refusal(engineOf({ ...plain, settings }).update(input))).issues).toMatchObject([
      { path: '__proto__' },
    ]);
  });

  it('are refused with the path of a bad value', async () => {
    const { issues } = await refusal(engineOf({ ...plain, settings: strict }).update({ limits: { max: 'x' } }));
    expect(issues).toMatchObject([
      { path: 'limits.max', message: expect.stringMatching(/expected number.*, got a string$/) },
    ]);
  });

  it.each([
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a bigint', 1n],
    ['a symbol', Symbol('s')],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a regular expression', /x/],
    ['an instance', new (class Limit {})()],
    ['a date in depth', { list: [{ at: new Date(0) }] }],
    ['an undefined in a list, which JSON would make a null', [1, undefined]],
  ])('are plain JSON, which %s is not', async (_, value) => {
    const { update, inspect } = engineOf({ ...plain, settings: loose });
    const before = inspect();
    const error = await refusal(update({ anything: value }));
    expect(error.issues).toMatchObject([
      { path: 'anything', message: expect.stringMatching(/^expected plain JSON.*, got /) },
    ]);
    expect(inspect()).toEqual(before);
  });

  it('are refused, with the error, where their schema throws', async () => {
    const fault = new Error('broken schema');
    const settings = {
      '~standard': {
        version: 1,
        vendor: 't',
        validate(value: object) {
          if (Object.keys(value).length > 0) throw fault;
          return { value: {} };
        },
      },
    };
    expect((await refusal(engineOf({ ...plain, settings }).update({ a: 1 }))).cause).toBe(fault);
  });

  /** A schema of one function. */
  const asking = (validate: (value: Record<string, unknown>) => object): StandardSchema => ({
    '~standard': { version: 1, vendor: 't', validate: validate as never },
  });

  it('ask their schema about their own keys only, and not about what is undefined', async () => {
    const seen: object[] = [];
    const settings = asking((value) => {
      seen.push(value);
      return { value };
    });
    const { update } = engineOf({ ...plain, settings });
    expect((await update({ region: 'us', maxRetries: 1, more: undefined })).config).toMatchObject({ region: 'us' });
    expect(seen.at(-1)).toEqual({ region: 'us' });
  });

  it('ignore an unknown key that is undefined', async () => {
    const { update } = engineOf({ ...plain, settings: stripping });
    expect((await update({ nonsense: undefined, region: 'us' })).config).toMatchObject({ region: 'us' });
  });

  it('may take back a key that their schema puts out only where it is set', async () => {
    const settings = asking(({ region }) => ({ value: region === undefined ? {} : { region } }));
    const { update } = engineOf({ ...plain, settings });
    await update({ region: 'us' });
    expect((await update({ region: null })).config).not.toHaveProperty('region');
  });

  it.each([
    ['that is known', 'region', 'not there'],
    ['below the one that was written', 'limits.max', 'not there'],
    ['of none', undefined, 'not there'],
  ])('are refused without a hint at another key where the issue is of a key %s', async (_, path, message) => {
    const settings = asking((value) =>
      Object.keys(value).length === 0
        ? { value: { region: 'eu', limits: {} } }
        : { issues: [path === undefined ? { message } : { message, path: path.split('.') }] },
    );
    const update = engineOf({ ...plain, settings }).update({ region: 'us', limits: { max: 1 } });
    expect((await refusal(update)).issues).toEqual([
      { path: path ?? '', message: expect.stringMatching(/^not there, got [a-z ]+$/) },
    ]);
  });

  it.each(['news', 'news.first', 'news[0]'])('are told once of a key that the schema refuses: %s', async (path) => {
    const issue = {
      message: 'not this',
      path: path
        .split(/[.[\]]/)
        .filter(Boolean)
        .map((key) => (key === '0' ? 0 : key)),
    };
    const settings = asking(({ news }) => (news === undefined ? { value: {} } : { issues: [issue] }));
    const { issues } = await refusal(engineOf({ ...plain, settings }).update({ news: [1] }));
    expect(issues.map((told) => told.path)).toEqual([path]);
  });

  it('are refused where their schema has become asynchronous', async () => {
    const settings = asking((value) => ('late' in value ? Promise.resolve({ value }) : { value }));
    const [first] = (await refusal(engineOf({ ...plain, settings }).update({ late: 1 }))).issues;
    expect(first).toEqual({ path: '', message: 'expected a synchronous settings schema, got a promise' });
  });

  it('may depend on one another, and apply all or none', async () => {
    const settings = z
      .object({ low: z.number().default(0), high: z.number().default(10) })
      .refine(({ low, high }) => low <= high, 'low beyond high');
    const { update } = engineOf({ ...plain, settings });
    expect((await refusal(update({ low: 20 }))).message).toContain('low beyond high');
    expect((await update({ low: 20, high: 30 })).config).toMatchObject({ low: 20, high: 30 });
  });

  it('are what providers read as ctx.config', async () => {
    const { fallback, update } = engineOf({
      tag: 'x',
      settings: stripping,
      providers: [{ name: 'a', run: (_: unknown, ctx: { config: { region: string } }) => ctx.config.region }],
    });
    expect(await fallback.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({ output: 'eu' });
    await update({ region: 'us' });
    expect(await fallback.run({ fallback_tag: 'x', action: 'trigger' })).toMatchObject({ output: 'us' });
  });
});

/** The value of what was accepted. */
function accepted<T>(checked: Checked<T>): T {
  if (checked.issues) throw new Error(`refused: ${JSON.stringify(checked.issues)}`);
  return checked.value;
}

describe('the plan', () => {
  const definition = definitionOf({ tag: 'x', providers: ['a', 'b', 'c'].map((name) => ({ name, value: name })) });
  const planOf = (update: Updates) =>
    accepted(configure(definition, [update], null)).plan.map(({ provider }) => provider.name);

  it('is the order of the definition, the fallbackProvider first and disabled ones left out', () => {
    expect(planOf({})).toEqual(['a', 'b', 'c']);
    expect(planOf({ fallbackProvider: 'c' })).toEqual(['c', 'a', 'b']);
    expect(planOf({ providers: { b: { enabled: false } } })).toEqual(['a', 'c']);
    expect(planOf({ fallbackProvider: 'c', providers: { c: { enabled: false } } })).toEqual(['a', 'b']);
  });
});

describe('layers', () => {
  const definition = definitionOf(plain);
  const of = (...layers: Updates[]) => accepted(configure(definition, layers, null));

  it('win in their order', () => {
    expect(of({ maxRetries: 1, deadline: 1 }, { maxRetries: 2 })).toMatchObject({ maxRetries: 2, deadline: 1 });
  });

  it('are amended without a trace in what was there', () => {
    const own = Object.freeze({ maxRetries: 1 });
    const update = accepted(readUpdate(definition, { deadline: 5, maxRetries: null }));
    expect(accepted(amend(definition, [], own, update, null))).toMatchObject({
      updates: { deadline: 5 },
      configuration: { maxRetries: 4, deadline: 5 },
    });
    expect(own).toEqual({ maxRetries: 1 });
  });
});
