import { describe, expect, it } from 'vitest';
import { behave } from '../../../src/testing/behave.ts';
import type { FaultKind } from '../../../src/testing/trace.ts';
import { flush, virtualClock } from '../../../src/testing/virtual-clock.ts';

/** A call that does as it is told: what comes of it is told with its moment, as is each timer that it sets. */
function call(kind: FaultKind, delay = 0, limit = 50) {
  const clock = virtualClock();
  const controller = new AbortController();
  const told: string[] = [];
  const timers: number[] = [];
  const result = behave(
    { kind, delay, output: 'fine' },
    {
      clock: {
        ...clock,
        setTimeout(callback, ms) {
          timers.push(ms);
          return clock.setTimeout(callback, ms);
        },
      },
      signal: controller.signal,
      limit,
      invalid: 'refused',
      land: () => told.push(`landed at ${clock.now()}`),
    },
  );
  const answer = (what: string) => told.push(`${what} at ${clock.now()}`);
  if (result instanceof Promise)
    result.then(answer, ({ message, code }) => answer(code ? `${message} ${code}` : message));
  else answer(`at once ${result}`);
  return { clock, controller, told, timers };
}

describe('a simulated call that is in time', () => {
  it.each<{ kind: FaultKind; told: readonly string[] }>([
    { kind: 'ok', told: ['landed at 0', 'fine at 20'] },
    { kind: 'reject', told: ['rejected at 20'] },
    { kind: 'invalid', told: ['landed at 0', 'refused at 20'] },
    { kind: 'lost', told: ['landed at 0', 'answer lost ECONNRESET at 20'] },
  ])('shows its fault after its delay: $kind', async ({ kind, told }) => {
    const played = call(kind, 20);
    await played.clock.runUntilIdle();
    expect(played.told).toEqual(told);
  });

  it.each<{ kind: FaultKind; told: readonly string[] }>([
    { kind: 'ok', told: ['landed at 0', 'fine at 49'] },
    { kind: 'reject', told: ['rejected at 49'] },
    { kind: 'invalid', told: ['landed at 0', 'refused at 49'] },
    { kind: 'lost', told: ['landed at 0', 'answer lost ECONNRESET at 49'] },
  ])('stays so, however long its delay: $kind', async ({ kind, told }) => {
    for (const delay of [49, 50, 1_000]) {
      const played = call(kind, delay);
      await played.clock.runUntilIdle();
      expect(played.told).toEqual(told);
    }
  });

  it.each([
    { delay: 0, limit: 50, told: 'at once fine at 0' },
    { delay: 1, limit: 50, told: 'fine at 1' },
    { delay: 5, limit: 2, told: 'fine at 1' },
    { delay: 5, limit: 1, told: 'at once fine at 0' },
    { delay: 5, limit: 0, told: 'at once fine at 0' },
  ])(
    'answers at once without a delay, or without the time for one: $delay ms of $limit',
    async ({ told, ...given }) => {
      const played = call('ok', given.delay, given.limit);
      await played.clock.runUntilIdle();
      expect(played.told).toEqual(['landed at 0', told]);
    },
  );

  it.each([
    { limit: 0, timers: [0] },
    { limit: 1, timers: [0] },
    { limit: 2, timers: [1] },
  ])('asks for no time before now: a limit of $limit ms', ({ limit, timers }) => {
    expect(call('reject', 5, limit).timers).toEqual(timers);
  });

  it('throws rather than rejects where it is told to', () => {
    expect(() => call('throw', 20)).toThrow(new Error('thrown'));
  });

  it.each<FaultKind>(['ok', 'reject', 'invalid', 'lost'])('hears its signal meanwhile: %s', async (kind) => {
    const { clock, controller, told } = call(kind, 20);
    controller.abort(new Error('gone'));
    await flush();
    expect(told.at(-1)).toBe('gone at 0');
    expect(clock.pending).toBe(0);
  });
});

describe('a simulated call that is not in time', () => {
  it.each<{ kind: FaultKind; delay: number; told: readonly string[] }>([
    { kind: 'slow', delay: 0, told: ['landed at 51', 'fine at 51'] },
    { kind: 'slow', delay: 20, told: ['landed at 71', 'fine at 71'] },
    { kind: 'slow-reject', delay: 0, told: ['rejected late at 51'] },
    { kind: 'slow-reject', delay: 20, told: ['rejected late at 71'] },
    { kind: 'stubborn', delay: 0, told: ['landed at 0', 'fine at 51'] },
    { kind: 'stubborn', delay: 20, told: ['landed at 0', 'fine at 71'] },
    { kind: 'hang', delay: 0, told: [] },
    { kind: 'hang', delay: 20, told: [] },
  ])('is late by its delay: $kind, $delay ms', async ({ kind, delay, told }) => {
    const played = call(kind, delay);
    await played.clock.advance(1_000_000);
    expect(played.told).toEqual(told);
  });

  it.each<{ kind: FaultKind; told: readonly string[] }>([
    { kind: 'slow', told: ['gone at 50'] },
    { kind: 'slow-reject', told: ['gone at 50'] },
    { kind: 'hang', told: ['gone at 50'] },
    { kind: 'stubborn', told: ['landed at 0', 'fine at 51'] },
  ])('hears its signal when it is given up on, unless it is stubborn: $kind', async ({ kind, told }) => {
    const played = call(kind);
    await played.clock.advance(50);
    played.controller.abort(new Error('gone'));
    await played.clock.runUntilIdle();
    expect(played.told).toEqual(told);
    expect(played.clock.pending).toBe(0);
  });
});
