import { describe, expect, it } from 'vitest';
import { frozen, frozenCopy, isJson, isPlain } from '../../../src/definition/json.ts';

/** So many objects, each in the one before it. */
function nested(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { value };
  return value;
}

/** An object that counts how often its keys are asked for. */
function counted(): { value: object; asked: () => number } {
  let asked = 0;
  const ownKeys = () => {
    asked++;
    return [];
  };
  return { value: new Proxy({}, { ownKeys }), asked: () => asked };
}

describe('a frozen copy', () => {
  it('has once what is there twice, however often that is met', () => {
    const { value, asked } = counted();
    const copy = frozenCopy({ one: value, list: [value], other: { value } });
    expect(asked()).toBe(1);
    expect(copy.one).toBe(copy.list[0]);
    expect(copy.one).toBe(copy.other.value);
  });

  it('goes 64 levels deep, and no deeper', () => {
    expect(frozenCopy(nested(65))).toEqual(nested(65));
    expect(() => frozenCopy(nested(66))).toThrow(RangeError);
    expect(() => frozenCopy([nested(65)])).toThrow(
      new RangeError('it is nested more than 64 levels deep, or in a circle'),
    );
  });
});

describe('JSON', () => {
  it('is looked at once where it is there twice', () => {
    const { value, asked } = counted();
    expect(isJson({ one: value, list: [value], other: { value } })).toBe(true);
    expect(asked()).toBe(1);
  });

  it('is nothing that throws when it is looked at', () => {
    const trapped = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error('a trap');
        },
      },
    );
    expect(isJson(trapped)).toBe(false);
    expect(isJson({ deep: [trapped] })).toBe(false);
  });
});

it('what is frozen has no more than it had: an empty list stays empty', () => {
  expect(frozen([])).toEqual([]);
  expect(frozen({ list: [] })).toEqual({ list: [] });
});

it('plain objects are those with no prototype, or the common one', () => {
  expect([{}, Object.create(null), [], new Map(), null, 5].map(isPlain)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
