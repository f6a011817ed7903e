import { describe, expect, it } from 'vitest';
import { conceal, discreet, errorText, plain, quote, show, spelt } from '../../src/quote.ts';

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const throwing = () => {
  throw new Error('no');
};

describe('show', () => {
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['', '""'],
    ['a "b"', '"a \\"b\\""'],
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['x'.repeat(41), 'a string of 41 characters'],
    [5, '5'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [true, 'true'],
    [5n, '5n'],
    [Symbol('secret'), 'a symbol'],
    [() => 1, 'a function'],
    [[1, 2], 'an array'],
    [[], 'an empty array'],
    [{ a: 1 }, 'an object'],
    [new Date(0), 'an object'],
    [Object.create(null), 'an object'],
  ])('puts %o into words', (value, words) => {
    expect(show(value)).toBe(words);
  });

  it('has words for what cannot be read', () => {
    expect(show(revoked())).toBe('an object that cannot be read');
  });

  it('cuts no secret in two', () => {
    expect(show(`Bearer ${'s'.repeat(100)}`)).not.toContain('s'.repeat(2));
  });
});

describe('spelt', () => {
  it('shows a name whole, for as long as names may be', () => {
    expect(spelt('a "b"')).toBe('"a \\"b\\""');
    expect(spelt('x'.repeat(128))).toBe(`"${'x'.repeat(128)}"`);
    expect(spelt('x'.repeat(129))).toBe('a string of 129 characters');
  });
});

describe('quote', () => {
  it('tells the name and message of an error, and a string as it is', () => {
    expect(quote(new TypeError('no'))).toBe('TypeError: no');
    expect(quote('timeout')).toBe('timeout');
  });

  it('tells what else was thrown in a few words', () => {
    expect([undefined, null, 0, { code: 1 }, [1], Symbol('x')].map(quote)).toEqual([
      'nothing',
      'null',
      '0',
      'an object',
      'an array',
      'a symbol',
    ]);
  });

  it.each([
    ['a revoked proxy', revoked()],
    ['a proxy of an error', new Proxy(new Error('x'), { get: throwing, getPrototypeOf: throwing })],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: throwing })],
    ['an error whose name throws', Object.defineProperty(new Error('x'), 'name', { get: throwing })],
    ['an error whose message is a symbol', Object.assign(new Error('x'), { message: Symbol('x') })],
    ['an error whose message throws as text', Object.assign(new Error('x'), { message: { toString: throwing } })],
  ])('has words for %s', (_, error) => {
    expect(quote(error)).toMatch(/^an (error|object) that cannot be read$/);
  });
});

describe('conceal', () => {
  it('writes [token] wherever the token stood', () => {
    expect(conceal('401 for abc.def, abc.def!', 'abc.def')).toBe('401 for [token], [token]!');
  });

  it('knows the token as JSON writes it, too', () => {
    const token = 'a"b\\c\nd';
    expect(conceal(`got ${JSON.stringify(token)} and ${token}`, token)).toBe('got "[token]" and [token]');
  });

  it('takes no part of the token for a pattern', () => {
    expect(conceal('a.c abc $& .*', 'a.c')).toBe('[token] abc $& .*');
    expect(conceal('x $& y', '$&')).toBe('x [token] y');
  });

  it('leaves its own mark alone, whatever letters the token has', () => {
    expect(conceal('1 t 2', 't')).toBe('1 [token] 2');
    expect(conceal('say token', 'token')).toBe('say [token]');
  });

  it('leaves a text alone where there is no token', () => {
    expect(conceal('text', undefined)).toBe('text');
    expect(conceal('text', '')).toBe('text');
  });
});

describe('plain', () => {
  it('writes each error as text, and the token nowhere', () => {
    const error = new Error('401 for secret');
    const facts = {
      cause: error,
      error,
      lastError: error,
      errors: [error, 'secret'],
      attempts: [{ error }],
      text: 'a secret',
    };
    expect(plain(facts, 'secret')).toEqual({
      cause: 'Error: 401 for [token]',
      error: 'Error: 401 for [token]',
      lastError: 'Error: 401 for [token]',
      errors: ['Error: 401 for [token]', '[token]'],
      attempts: [{ error: 'Error: 401 for [token]' }],
      text: 'a [token]',
    });
  });

  it("leaves what is the user's own alone, but for the token", () => {
    const own = {
      cause: { order: 1 },
      error: null,
      errors: [{ line: 1 }, 'secret'],
      lastError: 5,
      input: { cause: 2 },
    };
    const told = { ...own, errors: [{ line: 1 }, '[token]'] };
    const writes = { toJSON: () => ({ error: 'secret' }) };
    expect(plain({ input: own, output: own, config: { own, writes } }, 'secret')).toEqual({
      input: told,
      output: told,
      config: { own: told, writes: { error: '[token]' } },
    });
    expect(plain({ input: { ...own, writes } })).toEqual({ input: { ...own, writes } });
  });

  it('leaves numbers, flags and null as they are', () => {
    expect(plain({ a: 1, b: false, c: null, d: [0] })).toEqual({ a: 1, b: false, c: null, d: [0] });
  });
});

describe('discreet', () => {
  it('shows its facts as they are to code, and without the token as JSON', () => {
    const error = Object.assign(new Error('401 for secret'), { headers: { authorization: 'secret' } });
    const facts = discreet({ provider: 'a', error }, 'secret');
    expect(facts.error).toBe(error);
    expect(Object.keys(facts)).toEqual(['provider', 'error']);
    expect(JSON.parse(JSON.stringify(facts))).toEqual({ provider: 'a', error: 'Error: 401 for [token]' });
  });

  it('shows errors as text where there is no token, and ends at a circle', () => {
    const facts: Record<string, unknown> = { errors: [new Error('503')], at: new Date(0) };
    facts.self = { facts: [facts] };
    const json = JSON.parse(JSON.stringify(discreet({ ...facts }, undefined)));
    expect(json).toMatchObject({ errors: ['Error: 503'], at: '1970-01-01T00:00:00.000Z' });
    expect(JSON.stringify(json)).toContain('[circular]');
  });

  it('takes an object without a prototype for a plain one', () => {
    const input: Record<string, unknown> = Object.create(null);
    input.self = input;
    expect(JSON.stringify(discreet({ input }, undefined))).toBe('{"input":{"self":"[circular]"}}');
  });
});

describe('errorText', () => {
  it('is the text of an error, without the token of the session that met it', () => {
    const error = new Error('401 for secret');
    expect(errorText({ error, token: undefined })).toBe('Error: 401 for secret');
    expect(errorText({ error, token: 'secret' })).toBe('Error: 401 for [token]');
  });
});

it('conceals the token in what foreign objects write, and in the names of fields', () => {
  class Order {
    readonly token = 's3cret';
  }
  const cyclic = new (class Node {
    readonly self = this;
  })();
  expect(plain({ order: new Order(), s3cret: 1, at: new Date(0), cyclic }, 's3cret')).toEqual({
    order: { token: '[token]' },
    '[token]': 1,
    at: '1970-01-01T00:00:00.000Z',
    cyclic: 'an object',
  });
  const order = new Order();
  expect(plain({ order })).toEqual({ order });
  class Reply {
    readonly error = { code: 's3cret' };
  }
  expect(plain({ output: new Reply() }, 's3cret')).toEqual({ output: { error: { code: '[token]' } } });
});
