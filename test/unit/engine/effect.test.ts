import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Effect } from '../../../src/engine/effect.ts';

describe('an effect', () => {
  it('that landed is undone once it is known to be unused', () => {
    const [effect, undo] = [new Effect(), vi.fn()];
    effect.land(undo);
    expect(undo).not.toHaveBeenCalled();
    effect.drop();
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('that is unused is undone when it lands after all', () => {
    const [effect, undo] = [new Effect(), vi.fn()];
    effect.drop();
    effect.land(undo);
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('that nobody holds any more is not used after all', () => {
    const [effect, undo] = [new Effect(), vi.fn()];
    effect.drop();
    effect.use();
    effect.land(undo);
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('is unused only when the last of its holders has dropped it', () => {
    const [effect, undo] = [new Effect(), vi.fn()];
    effect.hold();
    effect.land(undo);
    effect.drop();
    expect(undo).not.toHaveBeenCalled();
    effect.drop();
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('is undone as whoever landed first would', () => {
    const [effect, first, second] = [new Effect(), vi.fn(), vi.fn()];
    effect.land(first);
    effect.land(second);
    effect.drop();
    effect.land(second);
    expect([first, second].map(({ mock }) => mock.calls.length)).toEqual([1, 0]);
  });

  it('is undone exactly where it has landed, and all its holders have dropped it before anyone used it', () => {
    const move = fc.constantFrom('land', 'use', 'drop');
    fc.assert(
      fc.property(fc.nat(3), fc.array(move, { maxLength: 12 }), (others, moves) => {
        const [effect, undo] = [new Effect(), vi.fn()];
        for (let other = 0; other < others; other++) effect.hold();
        for (const move of moves) move === 'land' ? effect.land(undo) : effect[move]();
        const drops = moves.flatMap((move, index) => (move === 'drop' ? [index] : []));
        const end = drops[others];
        const isUsed = end === undefined || moves.slice(0, end).includes('use');
        expect(undo).toHaveBeenCalledTimes(moves.includes('land') && !isUsed ? 1 : 0);
      }),
    );
  });
});
