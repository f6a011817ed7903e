import { describe, expect, it } from 'vitest';
import { judged, placed, readAddress, readRequest } from '../../../src/definition/request.ts';
import { InvalidRequestError } from '../../../src/errors.ts';

const NONE = { env: undefined, product: undefined };
const HOME = { env: 'prd', product: 'payments' };
const good = { env: 'dev', product: 'checkout', fallback_tag: 'x', action: 'trigger' };

function refusal(act: () => unknown): InvalidRequestError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRequestError);
    return error as InvalidRequestError;
  }
  throw new Error('nothing was refused');
}

// Both ways to read a request keep the same promises.
describe.each([
  ['at sight', readRequest],
  ['by the judge', judged],
])('a request read %s', (_, read) => {
  it('has all that was written, and an absent input is {}', () => {
    const session = { tag: 's', token: 't' };
    expect(read({ ...good, input: { a: 1 }, session, cache: 'k' }, NONE)).toEqual({
      env: 'dev',
      product: 'checkout',
      tag: 'x',
      action: 'trigger',
      input: { a: 1 },
      session,
      cache: 'k',
      token: 't',
    });
    expect(read(good, NONE)).toMatchObject({ input: {}, session: undefined, cache: undefined, token: undefined });
  });

  it('hands the input on as it is, uncopied', () => {
    const input = Object.freeze({ a: 1 });
    expect(read({ ...good, input }, NONE).input).toBe(input);
  });

  it('lives where the engine does, unless it says otherwise', () => {
    expect(read({ fallback_tag: 'x', action: 'reset' }, HOME)).toMatchObject(HOME);
    expect(read({ fallback_tag: 'x', action: 'reset', env: undefined }, HOME)).toMatchObject(HOME);
    expect(read(good, HOME)).toMatchObject({ env: 'dev', product: 'checkout' });
  });

  it('names each of env and product that nobody gave', () => {
    const raw = { fallback_tag: 'x', action: 'trigger' };
    expect(refusal(() => read(raw, NONE)).issues.map(({ path }) => path)).toEqual(['env', 'product']);
    expect(refusal(() => read(raw, { ...NONE, env: 'e' })).issues.map(({ path }) => path)).toEqual(['product']);
  });

  it.each([
    ['env', ''],
    ['env', null],
    ['env', 5],
    ['product', ''],
    ['product', ['payments']],
    ['fallback_tag', ''],
    ['fallback_tag', undefined],
    ['fallback_tag', Symbol('x')],
    ['action', undefined],
    ['action', 'Trigger'],
    ['action', ''],
    ['action', {}],
    ['input', null],
    ['input', []],
    ['input', 'text'],
    ['session', null],
    ['session', 'token'],
    ['session', []],
    ['cache', ''],
    ['cache', null],
    ['cache', 0],
  ])('is refused for a %s of %o, and told why', (key, value) => {
    const error = refusal(() => read({ ...good, [key]: value }, HOME));
    expect(error.issues).toMatchObject([{ path: key, message: expect.stringMatching(/^expected .+, got .+$/) }]);
    expect(error.message).toContain(error.issues[0]?.message);
  });

  it.each([
    ['tag', ''],
    ['tag', undefined],
    ['token', ''],
    ['token', undefined],
    ['token', 5],
    ['extra', 1],
  ])('is refused for a session whose %s is %o', (key, value) => {
    const session = { tag: 's', token: 'secret-jwt', [key]: value };
    expect(refusal(() => read({ ...good, session }, NONE)).issues).toMatchObject([{ path: `session.${key}` }]);
  });

  it.each([
    ['fallbackTag', 'fallback_tag'],
    ['cahce', 'cache'],
    ['sesion', 'session'],
    ['inptu', 'input'],
  ])('names the nearest key to an unknown %s', (typo, key) => {
    const { issues } = refusal(() => read({ ...good, [typo]: 'x' }, NONE));
    expect(issues).toEqual([{ path: typo, message: `unknown key "${typo}"; did you mean "${key}"?` }]);
  });

  it('counts an own __proto__ among the unknown keys', () => {
    const raw = JSON.parse('{ "fallback_tag": "x", "action": "trigger", "__proto__": { "cache": "k" } }');
    expect(refusal(() => read(raw, HOME)).issues).toMatchObject([{ path: '__proto__' }]);
  });

  it.each([[null], [undefined], ['x'], [5], [[]], [() => good], [Symbol('x')], [1n]])('is refused as %o', (raw) => {
    expect(refusal(() => read(raw, HOME)).issues).toMatchObject([
      { path: '', message: expect.stringMatching(/object/) },
    ]);
  });

  it('is refused as an array, even one with the keys of a request', () => {
    const message = (array: string[]) => refusal(() => read(Object.assign(array, good), HOME)).issues[0]?.message;
    expect(message([])).toBe('expected an object, got an empty array');
    expect(message(['x'])).toBe('expected an object, got an array');
  });

  it('is refused when it cannot be read, with what was thrown for its cause', () => {
    const fault = new Error('no');
    const raw = {
      ...good,
      get input() {
        throw fault;
      },
    };
    const error = refusal(() => read(raw, NONE));
    expect(error.cause).toBe(fault);
    expect(error.message).toContain('Error: no');
  });

  it('says where it belongs, as far as it can be read', () => {
    expect(refusal(() => read({ ...good, cache: 'k', action: 'no' }, NONE))).toMatchObject({
      env: 'dev',
      product: 'checkout',
      tag: 'x',
      cache: 'k',
    });
    expect(refusal(() => read({ ...good, env: 5, action: 'no' }, NONE))).not.toHaveProperty('env');
  });

  it('shows no token in its refusal', () => {
    const token = 'eyJhbGciOi.secret';
    const raws = [
      { ...good, session: { tag: 's', token }, [token]: 1 },
      { ...good, session: { tag: 's', token, [token]: 1 } },
      { ...good, session: { tag: 's', token }, action: token },
      { ...good, session: token },
      { ...good, cache: 5, fallback_tag: token, session: { tag: 's', token } },
    ];
    for (const raw of raws) {
      const error = refusal(() => read(raw, NONE));
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${JSON.stringify(error.issues)}`).not.toContain(
        token,
      );
    }
  });
});

describe('the address in a request', () => {
  it('is read whatever the other fields are', () => {
    const raw = { fallback_tag: 'x', cache: 'k', action: 5, input: null, whatever: true };
    expect(readAddress(raw, HOME)).toEqual({ ...HOME, tag: 'x', cache: 'k' });
  });

  it('is refused where a part of it is none', () => {
    for (const [key, value] of [
      ['env', ''],
      ['product', 5],
      ['fallback_tag', ''],
      ['cache', ''],
    ] as const) {
      expect(refusal(() => readAddress({ ...good, [key]: value }, HOME)).issues).toMatchObject([{ path: key }]);
    }
    expect(refusal(() => readAddress({ fallback_tag: 'x' }, NONE)).issues).toHaveLength(2);
    for (const raw of [null, undefined, 5, 'x']) expect(refusal(() => readAddress(raw, HOME)).issues).toHaveLength(1);
  });
});

describe('env and product', () => {
  it('are those of the call, then those of the engine', () => {
    expect(placed({ env: 'dev' }, HOME, {})).toEqual({ env: 'dev', product: 'payments' });
  });

  it('are missed by name', () => {
    const { issues, tag } = refusal(() => placed({ env: 'dev' }, NONE, { tag: 'x' }));
    expect(issues).toMatchObject([{ path: 'product' }]);
    expect(tag).toBe('x');
  });
});
