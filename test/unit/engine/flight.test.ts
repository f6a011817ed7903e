import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { Flight } from '../../../src/engine/flight.ts';
import { Flights } from '../../../src/engine/flights.ts';
import { DeadlineError, EngineClosedError, FallbackFailedError } from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

function airport() {
  const clock = virtualClock();
  const flights = new Flights(clock, 'nonce');
  const flight = new Flight(flights, undefined);
  flight.locate({ tag: 'pay', env: 'prd', product: 'payments' });
  return { clock, flights, flight };
}

describe('an id', () => {
  it('is made of the nonce and a counter, and stays the same', () => {
    const { flights, flight } = airport();
    const ids = [flight.id, flight.id, new Flight(flights, undefined).id, new Flight(flights, undefined).id];
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^nonce-./);
  });

  it("is the caller's own where there is one, and counts nothing", () => {
    const { flights, flight } = airport();
    expect(new Flight(flights, 'mine').id).toBe('mine');
    expect(flight.id).toBe(`nonce-${(1).toString(36)}`);
  });
});

describe('a limit', () => {
  it('is the tightest of those given', () => {
    const { flight } = airport();
    flight.limit(50, 0);
    flight.limit(80, 0);
    expect(flight.remaining()).toBe(50);
    flight.limit(20, 10);
    expect(flight.remaining()).toBe(30);
    flight.limit(undefined, 0);
    expect(flight.remaining()).toBe(30);
  });

  it('is over exactly when it is reached, as soon as anyone reads the time anew', async () => {
    const { clock, flight } = airport();
    flight.limit(50, 0);
    await clock.advance(49);
    expect(flight.isOver()).toBe(false);
    await clock.advance(1);
    expect(flight.isOver()).toBe(false);
    flight.pass();
    expect(flight.isOver()).toBe(true);
    expect(flight.interruption).toMatchObject({ kind: 'deadline', error: { deadline: 50 } });
  });

  it('sets a timer only once something is waited for, and only one', async () => {
    const { clock, flight } = airport();
    flight.limit(50, 0);
    expect(clock.pending).toBe(0);
    const waits = [flight.wait(new Promise(() => {})), flight.wait(new Promise(() => {}))];
    expect(clock.pending).toBe(1);
    await clock.advance(50);
    expect(await waits[1]).toBeUndefined();
    expect(flight.interruption?.error).toBeInstanceOf(DeadlineError);
  });

  it('that gets tighter replaces its timer', async () => {
    const { clock, flight } = airport();
    flight.limit(50, 0);
    flight.arm();
    flight.limit(20, 0);
    flight.arm();
    expect(clock.pending).toBe(1);
    await clock.advance(20);
    expect(flight.interruption).toMatchObject({ kind: 'deadline' });
  });
});

describe('an interruption', () => {
  it('comes only once: the first stands', () => {
    const { flight } = airport();
    flight.interrupt({ kind: 'aborted', error: 'first' });
    flight.interrupt({ kind: 'closed', error: 'second' });
    expect(flight.interruption).toEqual({ kind: 'aborted', error: 'first' });
  });

  it('ends a pause at once, and leaves no timer', async () => {
    const { clock, flight } = airport();
    const over = vi.fn();
    flight.pause(1_000).then(over);
    flight.interrupt({ kind: 'aborted', error: 'enough' });
    await settled();
    expect(over).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it('that has come already makes every wait end at once', async () => {
    const { clock, flight } = airport();
    flight.interrupt({ kind: 'aborted', error: 'enough' });
    await flight.pause(1_000);
    expect(await flight.wait(new Promise(() => {}))).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it('makes what is waited for harmless when it rejects later', async () => {
    const { flight } = airport();
    let reject: (error: unknown) => void = () => {};
    const wait = flight.wait(new Promise((_, no) => (reject = no)));
    flight.interrupt({ kind: 'aborted', error: 'enough' });
    expect(await wait).toBeUndefined();
    reject(new Error('at last'));
    await settled();
    expect(flight.interruption).toMatchObject({ error: 'enough' });
  });

  it('is told as the reason itself, a FallbackFailedError or an EngineClosedError', () => {
    const { flight } = airport();
    const reason = { any: 'thing' };
    expect(flight.refusal({ kind: 'aborted', error: reason })).toBe(reason);
    const error = new DeadlineError(5, flight);
    expect(flight.refusal({ kind: 'deadline', error })).toBeInstanceOf(FallbackFailedError);
    expect(flight.refusal({ kind: 'deadline', error })).toMatchObject({ errors: [error], attempts: [], tag: 'pay' });
    expect(flight.refusal({ kind: 'closed', error })).toBeInstanceOf(EngineClosedError);
  });
});

describe('a wait', () => {
  it('comes to what is waited for', async () => {
    const { flight } = airport();
    expect(await flight.wait(Promise.resolve(3))).toBe(3);
    await expect(flight.wait(Promise.reject(new Error('down')))).rejects.toThrow('down');
  });
});

describe("the caller's signal", () => {
  it('is heard until the flight ends, and not longer', () => {
    const { flight } = airport();
    const controller = new AbortController();
    flight.heed(controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    flight.end();
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    controller.abort();
    expect(flight.interruption).toBeUndefined();
  });

  it('that has aborted already interrupts at once and is not listened to', () => {
    const { flight } = airport();
    const signal = AbortSignal.abort('gone');
    flight.heed(signal);
    expect(flight.interruption).toEqual({ kind: 'aborted', error: 'gone' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('the end', () => {
  it('leaves no timer', () => {
    const { clock, flight } = airport();
    flight.limit(50, 0);
    flight.arm();
    flight.end();
    expect(clock.pending).toBe(0);
  });

  it('of the last flight resolves close, and ends its timer', async () => {
    const { clock, flights, flight } = airport();
    const other = new Flight(flights, undefined);
    const closed = vi.fn();
    flights.close(1_000).then(closed);
    flight.end();
    await settled();
    expect(closed).not.toHaveBeenCalled();
    other.end();
    await settled();
    expect(closed).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it('may come twice', async () => {
    const { flights, flight } = airport();
    flight.end();
    flight.end();
    const other = new Flight(flights, undefined);
    const closed = vi.fn();
    flights.close(1_000).then(closed);
    flight.end();
    await settled();
    expect(closed).not.toHaveBeenCalled();
    other.end();
    await settled();
    expect(closed).toHaveBeenCalledTimes(1);
  });
});
