import { describe, expect, it } from 'vitest';
import { limit, limitedAt, type Unit } from '../../../src/memory/machine.ts';

/** A unit whose `maxRetries` was each of these in turn, until the time beside it. */
function unitOf(...was: readonly (readonly [maxRetries: number, until: number])[]) {
  const limits: { maxRetries: number; until: number }[] = [];
  for (const [maxRetries, until] of was) limit({ limits, configuration: { maxRetries } } as unknown as Unit, until);
  const since = (failures: number) => limitedAt({ limits } as unknown as Unit, failures);
  return { limits, since };
}

describe('since when so many failures have been too many', () => {
  it('is when the last limit ended that allowed them', () => {
    const { since } = unitOf([10, 1], [5, 2], [3, 3]);
    expect([10, 6, 5, 4, 3, 2].map(since)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('is when the first limit ended that is still known, for more than any allowed; and ever, where none has', () => {
    expect(unitOf([5, 7], [3, 9]).since(6)).toBe(7);
    expect(unitOf().since(6)).toBe(0);
  });

  it('forgets a limit once a looser one, or the same, has ended later', () => {
    expect(unitOf([3, 1], [5, 2]).limits).toEqual([{ maxRetries: 5, until: 2 }]);
    expect(unitOf([0, 1], [1, 2]).limits).toEqual([{ maxRetries: 1, until: 2 }]);
    expect(unitOf([3, 1], [3, 2]).limits).toEqual([{ maxRetries: 3, until: 2 }]);
    expect(unitOf([9, 1], [3, 2], [2, 3], [5, 4]).limits).toEqual([
      { maxRetries: 9, until: 1 },
      { maxRetries: 5, until: 4 },
    ]);
  });

  it('remembers 64 of them, the last', () => {
    const falling = Array.from({ length: 66 }, (_, index) => [1_000 - index, index] as const);
    expect(unitOf(...falling.slice(0, 64)).limits).toHaveLength(64);
    const { limits, since } = unitOf(...falling);
    expect(limits).toHaveLength(64);
    expect(limits[0]).toEqual({ maxRetries: 998, until: 2 });
    expect(since(1_000)).toBe(2);
  });
});
