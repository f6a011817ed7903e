import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback, InvalidConfigError, type StandardSchema } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

type Settings = Record<string, unknown>;

/** A settings schema made of one function. */
function schemaOf(validate: (value: Settings) => unknown): StandardSchema<Settings, Settings> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } };
}

function engineWith(settings: StandardSchema<Settings, Settings>, cache?: { max: number; ttl: number }) {
  const fallback = defineFallback({ tag: 'x', settings, providers: [{ name: 'only', value: 1 }] });
  const options = { env: 'e', product: 'p', clock: virtualClock(), ...(cache && { cache }) };
  return createDuctape({ ...options, fallbacks: [fallback] as const }).fallback;
}

describe('settings whose schema changes its mind', () => {
  it('are refused in an update once it answers with a promise', async () => {
    const engine = engineWith(schemaOf((value) => ('late' in value ? Promise.resolve({ value }) : { value })));
    const update = engine.run({ fallback_tag: 'x', action: 'update', input: { late: true } });
    await expect(update).rejects.toThrow(InvalidConfigError);
    await expect(update).rejects.toThrow('synchronous settings schema');
    expect(engine.inspect({ fallback_tag: 'x' }).revision).toBe(0);
  });

  it('are refused where the fallback is defined in an engine, and nothing is defined', () => {
    let asked = 0;
    const settings = schemaOf(() => (++asked > 1 ? { issues: [{ message: 'not any more' }] } : { value: {} }));
    const fallback = defineFallback({ tag: 'x', settings, providers: [{ name: 'only', value: 1 }] });
    const { fallback: engine } = createDuctape();
    expect(() => engine.define(fallback)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_DEFINITION', tag: 'x' }),
    );
    expect(engine.has('x')).toBe(false);
  });

  it('keep the cause of what their schema threw at the definition', () => {
    const cause = new Error('no such table');
    const settings = schemaOf(() => {
      throw cause;
    });
    const define = () => defineFallback({ tag: 'x', settings, providers: [{ name: 'only', value: 1 }] });
    expect(define).toThrow(expect.objectContaining({ code: 'ERR_INVALID_DEFINITION', cause }));
  });

  it('name the key that is not of a schema which accepts {}', () => {
    const settings = schemaOf(() => ({ issues: [{ message: 'missing', path: ['limit'] }] }));
    const define = () => defineFallback({ tag: 'x', settings, providers: [{ name: 'only', value: 1 }] });
    expect(define).toThrow('settings.limit: expected a schema that accepts {}, got missing');
    expect(define).toThrow(expect.not.objectContaining({ errors: expect.anything() }));
  });
});

describe('an update', () => {
  it('of an odd kind of object with a getter that throws is refused, and changes nothing', async () => {
    const engine = engineWith(schemaOf((value) => ({ value })));
    const input = Object.defineProperty(new Map(), 'region', {
      enumerable: true,
      get: () => {
        throw new TypeError('a trap');
      },
    });
    const update = engine.run({ fallback_tag: 'x', action: 'update', input: input as never });
    await expect(update).rejects.toMatchObject({ code: 'ERR_INVALID_CONFIG', cause: { message: 'a trap' } });
    expect(engine.inspect({ fallback_tag: 'x' }).revision).toBe(0);
  });
});

describe('settings that a schema makes anew each time', () => {
  const circle = () => {
    const value: Settings = {};
    value.self = value;
    return value;
  };

  it.each([
    ['a circle', circle],
    ['a Date', () => ({ at: new Date(0) })],
    ['what hides what it holds, made of the same', () => ({ client: () => 1 })],
  ])('are the same if they hold the same: %s', async (_, made) => {
    const engine = engineWith(schemaOf(() => ({ value: made() })));
    await engine.run({ fallback_tag: 'x', action: 'update', input: { maxRetries: 10 } });
    await engine.run({ fallback_tag: 'x', action: 'update', input: { maxRetries: 10 } });
    expect(engine.inspect({ fallback_tag: 'x' }).revision).toBe(0);
  });

  const client = () => 1;
  it.each<[string, (value: Settings) => Settings]>([
    ['come to the same', ({ region = 'eu' }) => ({ region })],
    ['come to the very same function', () => ({ region: client })],
  ])('are the same if they %s, whatever they were made of', async (_, made) => {
    const engine = engineWith(schemaOf((value) => ({ value: made(value) })));
    await engine.run({ fallback_tag: 'x', action: 'update', input: { region: 'eu' } });
    expect(engine.inspect({ fallback_tag: 'x' }).revision).toBe(0);
  });

  it('are others if they hide what they hold, and were made of something else', async () => {
    const engine = engineWith(schemaOf(({ region = 'eu' }) => ({ value: { region: () => region } })));
    await engine.run({ fallback_tag: 'x', action: 'update', input: { region: 'us' } });
    const { revision, config } = engine.inspect({ fallback_tag: 'x' });
    expect([revision, (config as unknown as { region(): string }).region()]).toEqual([1, 'us']);
  });
});

describe('a key with updates of its own', () => {
  const notBoth = schemaOf((value) =>
    value.a && value.b ? { issues: [{ message: 'a or b' }] } : { value: { a: 0, b: 0, ...value } },
  );

  it('keeps what it has where the schema refuses them together with a new update of the whole fallback', async () => {
    const engine = engineWith(notBoth);
    await engine.run({ fallback_tag: 'x', action: 'update', cache: 'k', input: { a: 1 } });
    await engine.run({ fallback_tag: 'x', action: 'update', input: { b: 1 } });
    expect(engine.inspect({ fallback_tag: 'x', cache: 'k' }).config).toMatchObject({ a: 1, b: 0 });
    expect(engine.inspect({ fallback_tag: 'x', cache: 'other' }).config).toMatchObject({ a: 0, b: 1 });
  });

  it('has the age 0 in a snapshot where the cache has a ttl', async () => {
    const engine = engineWith(notBoth, { max: 2, ttl: 100 });
    await engine.run({ fallback_tag: 'x', action: 'update', cache: 'k', input: { a: 1 } });
    expect(engine.snapshot().machines).toEqual([expect.objectContaining({ cache: 'k', updates: { a: 1 }, age: 0 })]);
  });
});

describe('the places of an engine', () => {
  it('make room one product at a time, and an env goes with its last', async () => {
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'only', value: 1 }] });
    const { fallback: engine } = createDuctape({ clock: virtualClock(), maxScopes: 2, fallbacks: [fallback] as const });
    const trigger = (env: string, product: string) =>
      engine.run({ env, product, fallback_tag: 'x', action: 'trigger' });
    await trigger('e', 'one');
    await trigger('e', 'two');
    await trigger('f', 'three');
    await trigger('f', 'four');
    const places = engine.snapshot().machines.map(({ env, product }) => `${env}/${product}`);
    expect(places).toEqual(['f/three', 'f/four']);
  });
});
