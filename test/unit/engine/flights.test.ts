import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
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

it('closes whom a slot was handed over to, in place of who entered', async () => {
  const flights = new Flights(virtualClock(), 'n');
  const closed: string[] = [];
  const call = (name: string): Call => ({ close: () => void closed.push(name) });
  const slot = flights.enter(call('one'));
  flights.handOver(slot, call('other'));
  const end = flights.close(0);
  expect(closed).toEqual(['other']);
  flights.leave(slot);
  await end;
});

it('closes those, too, to whom a slot is handed over by one that is closed before', () => {
  const flights = new Flights(virtualClock(), 'n');
  const closed: string[] = [];
  let slot = 0;
  flights.enter({ close: () => flights.handOver(slot, { close: () => void closed.push('other') }) });
  slot = flights.enter({ close: () => void closed.push('one') });
  flights.close(0);
  expect(closed).toEqual(['other']);
});

it('waits for nobody who comes once all have been interrupted', async () => {
  const flights = new Flights(virtualClock(), 'n');
  const nobody: Call = { close: () => expect.fail('it came later') };
  const slots = [flights.enter({ close() {} }), flights.enter({ close() {} })];
  let isDone = false;
  const end = flights.close(0).then(() => {
    isDone = true;
  });
  const later = [flights.enter(nobody), flights.enter(nobody)];
  flights.handOver(later[0] as number, nobody);
  flights.leave(later[0] as number);
  flights.leave(slots[0] as number);
  await Promise.resolve();
  expect(isDone).toBe(false);
  flights.leave(slots[1] as number);
  await end;
  flights.leave(later[1] as number);
  await flights.close(0);
});

it('waits as long as the last grace says, with one timer', async () => {
  const clock = virtualClock();
  const flights = new Flights(clock, 'n');
  const closedAt: number[] = [];
  const start = clock.now();
  flights.enter({ close: () => void closedAt.push(clock.now() - start) });
  for (const grace of [10, 1_000, 50]) flights.close(grace);
  expect(clock.pending).toBe(1);
  await clock.advance(49);
  expect(closedAt).toEqual([]);
  await clock.advance(1);
  expect(closedAt).toEqual([50]);
});

it('tell of the thousandth call, once, whether or not those before it are over', () => {
  const onMany = vi.fn();
  const flights = new Flights(virtualClock(), 'n', onMany);
  const call = { close() {} };
  for (let calls = 1; calls < 1_000; calls++) {
    const slot = flights.enter(call);
    if (calls % 2 === 0) flights.leave(slot);
  }
  expect(onMany).not.toHaveBeenCalled();
  for (let calls = 0; calls < 2_000; calls++) flights.enter(call);
  expect(onMany).toHaveBeenCalledTimes(1);
});
