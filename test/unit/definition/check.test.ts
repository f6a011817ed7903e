import { describe, expect, it } from 'vitest';
import {
  a,
  type Checked,
  came,
  check,
  count,
  duration,
  fields,
  flag,
  isCount,
  isDuration,
  isObject,
  label,
  maybe,
  method,
  once,
  open,
  orNull,
  pathText,
  record,
  text,
  unknownName,
  unreadable,
} from '../../../src/definition/check.ts';

const messages = (checked: Checked<unknown>) =>
  (checked.issues ?? []).map(({ path, message }) => `${path}: ${message}`);

describe('check', () => {
  it('gives the value of what fits its shape', () => {
    const shape = fields({ name: text(), age: maybe(count()) });
    expect(check(shape, { name: 'Ada', age: 36 })).toEqual({ value: { name: 'Ada', age: 36 } });
    expect(check(shape, { name: 'Ada' })).toEqual({ value: { name: 'Ada' } });
    expect(check(shape, { name: 'Ada', age: undefined }).issues).toBeUndefined();
  });

  it('complains of everything at once, each with its path, what was expected and what came', () => {
    const shape = fields({ name: text(), inner: fields({ age: count() }) });
    expect(messages(check(shape, { name: '', inner: { age: -1 } }))).toEqual([
      'name: expected a string that is not empty, got ""',
      'inner.age: expected a whole number of 0 or more, got -1',
    ]);
  });

  it.each([
    [duration(), 'milliseconds from 0 to 2147483647'],
    [count(), 'a whole number of 0 or more'],
    [flag(), 'true or false'],
    [text(), 'a string that is not empty'],
    [label(), '1 to 128 printable characters'],
    [method(), 'a function'],
    [record(), 'an object'],
  ])('says what %o is to be: %s', (shape, expected) => {
    expect(messages(check<unknown>(shape, null))).toEqual([`: expected ${expected}, got null`]);
  });

  it('tells of a session only what kind of value it is', () => {
    const told = (token: unknown) => came(['session', 'token'], { session: { token } });
    expect(['', 's3cret', 7, 7n, true, null, undefined].map(told)).toEqual([
      'an empty string',
      'a string',
      'a number',
      'a bigint',
      'true',
      'null',
      'nothing',
    ]);
    expect(came(['session', 'token'], { session: null })).toBe('nothing');
  });

  it('names an unknown key and the nearest known one', () => {
    const shape = fields({ retries: maybe(count()), timeout: maybe(duration()) });
    expect(messages(check(shape, { retrys: 1 }))).toEqual(['retrys: unknown key "retrys"; did you mean "retries"?']);
    expect(messages(check(shape, { qqqqqqq: 1 }))).toEqual([
      'qqqqqqq: unknown key "qqqqqqq"; expected one of retries, timeout',
    ]);
  });

  it.each([[null], [undefined], [7], ['text'], [true], [[]], [() => {}], [Symbol('s')], [1n]])(
    'takes %o for no object',
    (value) => {
      expect(check(fields({ name: text() }), value).issues?.[0]?.message).toMatch(/^expected an object, got /);
    },
  );

  it('counts an own __proto__, constructor or toString among the unknown keys', () => {
    const shape = fields({ name: maybe(text()) });
    for (const key of ['__proto__', 'constructor', 'toString']) {
      const value = JSON.parse(`{ "${key}": 1 }`);
      expect(check(shape, value).issues).toMatchObject([{ path: key }]);
    }
  });

  it('lets other keys be where a shape is open', () => {
    expect(check(open({ name: text() }), { name: 'Ada', other: 1 })).toEqual({ value: { name: 'Ada' } });
    expect(messages(check(open({ name: text() }), { other: 1 }))).toEqual([
      'name: expected a string that is not empty, got nothing',
    ]);
  });

  it('takes null only where the shape says so', () => {
    expect(check(orNull(count()), null)).toEqual({ value: null });
    expect(check(count(), null).issues).toHaveLength(1);
  });

  it('refuses what throws when it is read, and keeps what was thrown', () => {
    const fault = new TypeError('no');
    const value = {
      get name() {
        throw fault;
      },
    };
    expect(check(fields({ name: text() }), value)).toEqual({
      issues: [{ path: '', message: 'expected what can be read, got what throws TypeError: no' }],
      thrown: [fault],
    });
  });
});

describe('durations', () => {
  it.each([0, 0.5, 1, 2_147_483_647])('%d ms is one', (ms) => {
    expect(isDuration(ms)).toBe(true);
    expect(check(duration(), ms)).toEqual({ value: ms });
  });

  it.each([Number.NaN, -1, -0.001, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2_147_483_648, '1', null, 1n])(
    '%s is none',
    (value) => {
      expect(isDuration(value)).toBe(false);
      expect(messages(check(duration(), value))[0]).toMatch(/expected milliseconds from 0 to 2147483647, got /);
    },
  );
});

describe('the simple shapes', () => {
  it('counts in natural numbers that can be told apart', () => {
    for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) expect(isCount(value)).toBe(true);
    for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null]) {
      expect(isCount(value)).toBe(false);
    }
  });

  it('takes 1 to 128 printable characters for a label, whatever script they are in', () => {
    for (const value of ['a', 'a b', 'é', '支払い', '💳'.repeat(128), 'x'.repeat(128), '__proto__']) {
      expect(check(label(), value)).toEqual({ value });
    }
    for (const value of ['', 'x'.repeat(129), 'a\nb', 'a\u0000', '\ud800', 'a\u2028b', 7, null]) {
      expect(messages(check(label(), value))[0]).toMatch(/expected 1 to 128 printable characters, got /);
    }
  });

  it('takes no truthy value for true and no callable look-alike for a function', () => {
    expect(check(flag(), true)).toEqual({ value: true });
    expect(messages(check(flag(), 1))).toEqual([': expected true or false, got 1']);
    expect(messages(check(method(), { call() {} }))).toEqual([': expected a function, got an object']);
  });

  it('takes no array and no null for a record', () => {
    expect(isObject({})).toBe(true);
    expect(isObject(Object.create(null))).toBe(true);
    for (const value of [null, [], () => {}, 'text']) expect(check(record(), value).issues).toHaveLength(1);
  });

  it('asks a test of its own where there is one', () => {
    const even = a<number>('an even number', (value) => typeof value === 'number' && value % 2 === 0);
    expect(check(even, 4)).toEqual({ value: 4 });
    expect(messages(check(even, 5))).toEqual([': expected an even number, got 5']);
  });

  it('makes a shape at its first use, and once', () => {
    let made = 0;
    const shape = once(() => ({ made: ++made }));
    expect(made).toBe(0);
    expect(shape()).toBe(shape());
    expect(made).toBe(1);
  });
});

describe('the words', () => {
  it('writes paths as code does', () => {
    expect(pathText([])).toBe('');
    expect(pathText(['providers', 0, 'name'])).toBe('providers[0].name');
    expect(pathText([Symbol('s'), 'x'])).toBe('Symbol(s).x');
  });

  it('tells what stands at a path, or that nothing does', () => {
    expect(came(['a', 'b'], { a: { b: 5 } })).toBe('5');
    expect(came(['a', 'b'], { a: undefined })).toBe('nothing');
    expect(came(['a'], { a: 'x'.repeat(41) })).toBe('a string of 41 characters');
  });

  it('tells of a session no value, only its kind', () => {
    for (const token of ['secret', 12_345_678, 12_345_678n]) {
      expect(came(['session', 'token'], { session: { token } })).not.toContain(String(token));
    }
  });

  it('names what is known where nothing is near', () => {
    expect(unknownName('provider', 'zzzzzz', ['stripe', 'paypal'])).toBe(
      'unknown provider "zzzzzz"; expected one of stripe, paypal',
    );
    expect(unknownName('provider', 'strip', ['stripe', 'paypal'])).toBe(
      'unknown provider "strip"; did you mean "stripe"?',
    );
  });

  it('has words for what cannot be read, even where the error cannot', () => {
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    expect(unreadable(proxy).issues[0]?.message).toBe(
      'expected what can be read, got what throws an error that cannot be read',
    );
  });
});
