import { describe, expect, it } from 'vitest';
import { frozen, frozenCopy, isEqual, isJson, isPlain } from '../../../src/definition/json.ts';

/** So many objects, each in the one before it. */
function nested(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { value };
  return value;
}

/** So many objects, each twice in the one before it: as many ways to the innermost as two to their power. */
function doubled(levels: number): object {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { one: value, other: value };
  return value;
}

describe('a frozen copy', () => {
  it('has once what is there twice, and takes no longer over it', () => {
    const copy = frozenCopy(doubled(60)) as { one: object; other: object };
    expect(copy.one).toBe(copy.other);
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
  it('is told as soon where parts of it are there twice', () => {
    expect(isJson(frozenCopy(doubled(60)))).toBe(true);
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

it('what cannot be compared is not equal', () => {
  const circle = (): object => {
    const made: Record<string, unknown> = {};
    made.again = made;
    return made;
  };
  expect(isEqual(circle(), circle())).toBe(false);
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
