import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Effect } from '../../../src/engine/effect.ts';

function effect() {
  const undo = vi.fn();
  return { undo, effect: new Effect(undo) };
}

describe('an effect', () => {
  it('that landed is undone once it is known to be unused', () => {
    const { undo, effect: one } = effect();
    one.land('receipt');
    expect(undo).not.toHaveBeenCalled();
    one.drop();
    expect(undo.mock.calls).toEqual([['receipt']]);
  });

  it('that is unused is undone when it lands after all', () => {
    const { undo, effect: one } = effect();
    one.drop();
    expect(undo).not.toHaveBeenCalled();
    one.land('receipt');
    expect(undo.mock.calls).toEqual([['receipt']]);
  });

  it('is never undone once it is used, whenever it lands', () => {
    for (const order of [
      ['land', 'use'],
      ['use', 'land'],
    ] as const) {
      const { undo, effect: one } = effect();
      for (const move of order) one[move]('receipt');
      expect(undo).not.toHaveBeenCalled();
    }
  });

  it('keeps its first fate', () => {
    const used = effect();
    used.effect.land(1);
    used.effect.use();
    used.effect.drop();
    expect(used.undo).not.toHaveBeenCalled();
    const dropped = effect();
    dropped.effect.drop();
    dropped.effect.use();
    dropped.effect.land(1);
    expect(dropped.undo).toHaveBeenCalledTimes(1);
  });

  it('is undone with the very output that landed, a falsy one too', () => {
    for (const output of [undefined, null, 0, '', false, Number.NaN]) {
      const before = effect();
      before.effect.land(output);
      before.effect.drop();
      const after = effect();
      after.effect.drop();
      after.effect.land(output);
      expect([before.undo.mock.calls, after.undo.mock.calls]).toEqual([[[output]], [[output]]]);
    }
  });

  it('that landed is undone exactly where the first word on its fate was that it is unused', () => {
    const fates = fc.array(fc.constantFrom('use', 'drop'), { maxLength: 5 });
    fc.assert(
      fc.property(fates, fc.option(fc.nat(5), { nil: undefined }), (fates, at) => {
        const { undo, effect: one } = effect();
        const moves: ('use' | 'drop' | 'land')[] = [...fates] as ('use' | 'drop')[];
        if (at !== undefined) moves.splice(at, 0, 'land');
        for (const move of moves) one[move]('receipt');
        expect(undo).toHaveBeenCalledTimes(at !== undefined && fates[0] === 'drop' ? 1 : 0);
      }),
    );
  });
});
