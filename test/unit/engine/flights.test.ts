import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Call, Flights } from '../../../src/engine/flights.ts';
import { virtualClock } from '../../virtual-clock.ts';

it('interrupts exactly those that have entered and not left, however they came and went', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 60 }), async (moves) => {
      const flights = new Flights(virtualClock(), 'n');
      const inside = new Map<number, { slot: number; call: Call }>();
      const closed: number[] = [];
      for (const who of moves) {
        const known = inside.get(who);
        if (known) flights.leave(known.slot);
        if (known) inside.delete(who);
        else {
          const call = { close: () => void closed.push(who) };
          inside.set(who, { slot: flights.enter(call), call });
        }
      }
      let isDone = false;
      const done = flights.close(0).then(() => {
        isDone = true;
      });
      expect(closed.sort()).toEqual([...inside.keys()].sort());
      await Promise.resolve();
      expect(isDone).toBe(inside.size === 0);
      for (const { slot } of inside.values()) flights.leave(slot);
      await done;
    }),
  );
});
