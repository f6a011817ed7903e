import { describe, expect, it } from 'vitest';
import { definitionOf } from '../../../src/definition/definition.ts';
import { defineFallback, InvalidDefinitionError, UnknownFallbackError } from '../../../src/index.ts';
import { Registry } from '../../../src/memory/registry.ts';

const providers = [{ name: 'one', value: 1 }] as const;
const registryOf = (
  ...definitions: readonly { tag: string; env?: string | string[]; product?: string | string[] }[]
) => {
  const registry = new Registry(null);
  for (const definition of definitions) registry.define(definitionOf(defineFallback({ ...definition, providers })));
  return registry;
};

describe('define', () => {
  it.each([
    [{}, {}],
    [{}, { env: 'prd' }],
    [{ env: 'prd' }, { product: 'shop' }],
    [{ env: ['dev', 'prd'] }, { env: ['prd', 'test'] }],
    [
      { env: 'prd', product: ['a', 'b'] },
      { env: ['prd'], product: 'b' },
    ],
  ])('refuses a tag that is taken: %j and %j', (one, other) => {
    const registry = registryOf({ tag: 'pay', ...one });
    const again = definitionOf(defineFallback({ tag: 'pay', ...other, providers }));
    expect(() => registry.define(again)).toThrow(InvalidDefinitionError);
    expect(() => registry.define(again)).toThrow(
      expect.objectContaining({ tag: 'pay', issues: [expect.objectContaining({ path: 'tag' })] }),
    );
    expect(registry.list()).toHaveLength(1);
  });

  it.each([
    [{ env: 'dev' }, { env: 'prd' }],
    [{ product: 'a' }, { product: ['b', 'c'] }],
    [
      { env: 'prd', product: 'a' },
      { env: 'prd', product: 'b' },
    ],
  ])('takes a tag again where its places do not meet: %j and %j', (one, other) => {
    expect(registryOf({ tag: 'pay', ...one }, { tag: 'pay', ...other }).list()).toHaveLength(2);
  });
});

describe('find', () => {
  it('finds the definition of that env and product', () => {
    const registry = registryOf({ tag: 'pay', env: 'dev' }, { tag: 'pay', env: 'prd', product: ['a', 'b'] });
    expect(registry.find({ tag: 'pay', env: 'dev', product: 'any' }).definition.info).toMatchObject({ env: 'dev' });
    expect(registry.find({ tag: 'pay', env: 'prd', product: 'b' }).definition.info).toMatchObject({ env: 'prd' });
  });

  it('tells what is known in that env and product, and the nearest of it', () => {
    const registry = registryOf({ tag: 'payment' }, { tag: 'payments', env: 'dev' }, { tag: 'shipping', env: 'prd' });
    let error: unknown;
    try {
      registry.find({ tag: 'paymnt', env: 'prd', product: 'shop' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UnknownFallbackError);
    expect(error).toMatchObject({
      known: ['payment', 'shipping'],
      suggestion: 'payment',
      tag: 'paymnt',
      env: 'prd',
      product: 'shop',
    });
  });

  it('suggests nothing where nothing is near', () => {
    let error: unknown;
    try {
      registryOf({ tag: 'payment' }).find({ tag: 'zzz', env: 'prd', product: 'shop' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UnknownFallbackError);
    expect(error).not.toHaveProperty('suggestion');
  });

  it.each(['__proto__', 'constructor', 'toString'])('knows no %s', (tag) => {
    expect(registryOf({ tag: 'pay' }).has(tag)).toBe(false);
    expect(registryOf({ tag: 'pay' }).seek(tag, 'prd', 'shop')).toBeUndefined();
    expect(registryOf({ tag }).has(tag)).toBe(true);
  });
});

describe('list', () => {
  it('tells of each definition what its user wrote, and nothing that could be changed', () => {
    const registry = registryOf({ tag: 'pay', env: ['dev', 'prd'] }, { tag: 'ship', product: 'shop' });
    const told: unknown = registry.list();
    expect(told).toEqual([
      { tag: 'pay', env: ['dev', 'prd'], providers: ['one'] },
      { tag: 'ship', product: 'shop', providers: ['one'] },
    ]);
    const [first] = told as [{ providers: string[]; env: string[] }];
    first.providers.push('two');
    first.env.pop();
    expect(registry.list()[0]).toEqual({ tag: 'pay', env: ['dev', 'prd'], providers: ['one'] });
    expect(registry.seek('pay', 'prd', 'shop')).toBeDefined();
  });

  it('tells what was written when it was defined, whatever became of the list', () => {
    const env = ['dev'];
    const registry = registryOf({ tag: 'pay', env });
    env.push('prd');
    expect(registry.list()).toEqual([{ tag: 'pay', env: ['dev'], providers: ['one'] }]);
    expect(registry.seek('pay', 'prd', 'shop')).toBeUndefined();
  });
});
