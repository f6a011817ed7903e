import { afterEach, describe, expect, it, vi } from 'vitest';
import { flush, virtualClock } from '../../../src/testing/virtual-clock.ts';

describe('a virtual clock', () => {
  it('goes only when told to, from its start on', async () => {
    expect(virtualClock().now()).toBe(0);
    const clock = virtualClock(100);
    await flush();
    expect(clock.now()).toBe(100);
    await clock.advance(20);
    await clock.advance(0);
    expect(clock.now()).toBe(120);
  });

  it('never goes back, whoever else advances it', async () => {
    const clock = virtualClock();
    await Promise.all([clock.advance(100), clock.advance(50)]);
    expect(clock.now()).toBe(100);
    clock.setTimeout(() => void clock.advance(500), 10);
    await clock.advance(20);
    await flush();
    expect(clock.now()).toBe(610);
  });

  it.each([-1, Number.NaN])('cannot be advanced by %d', async (ms) => {
    const clock = virtualClock(5);
    await expect(clock.advance(ms)).rejects.toThrow(new RangeError(`expected milliseconds of 0 or more, got ${ms}`));
    expect(clock.now()).toBe(5);
  });

  it('fires what is due within a time, its last millisecond included, and nothing later', async () => {
    const clock = virtualClock();
    const told: string[] = [];
    for (const ms of [9, 10, 11]) clock.setTimeout(() => told.push(`${ms} at ${clock.now()}`), ms);
    await clock.advance(10);
    expect(told).toEqual(['9 at 9', '10 at 10']);
    expect([clock.now(), clock.pending]).toEqual([10, 1]);
    await clock.advance(1);
    expect(told).toEqual(['9 at 9', '10 at 10', '11 at 11']);
    expect(clock.pending).toBe(0);
  });

  it('fires timers by their time, then by their making', async () => {
    const clock = virtualClock();
    const told: string[] = [];
    for (const [name, ms] of [
      ['late', 20],
      ['first', 10],
      ['second', 10],
      ['third', 10],
    ] as const) {
      clock.setTimeout(() => told.push(name), ms);
    }
    await clock.runUntilIdle();
    expect(told).toEqual(['first', 'second', 'third', 'late']);
    expect(clock.now()).toBe(20);
  });

  it('counts a timer from the moment it is made, be it within another', async () => {
    const clock = virtualClock(100);
    const told: number[] = [];
    clock.setTimeout(() => clock.setTimeout(() => told.push(clock.now()), 5), 10);
    await clock.advance(14);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(told).toEqual([115]);
  });

  it('never goes back for a timer of less than no time', async () => {
    const clock = virtualClock(100);
    const told: number[] = [];
    clock.setTimeout(() => told.push(clock.now()), -50);
    await clock.advance(10);
    expect([...told, clock.now()]).toEqual([100, 110]);
  });

  it('forgets a timer that is cleared, before or while others fire, and no other', async () => {
    const clock = virtualClock();
    const told: string[] = [];
    const cleared = clock.setTimeout(() => told.push('cleared'), 20);
    clock.setTimeout(() => clock.clearTimeout(cleared), 10);
    clock.setTimeout(() => told.push('kept'), 20);
    clock.clearTimeout(clock.setTimeout(() => told.push('never'), 5));
    expect(clock.clearTimeout('no handle')).toBeUndefined();
    expect(clock.pending).toBe(3);
    await clock.runUntilIdle();
    expect(told).toEqual(['kept']);
  });

  it('lets promises settle before it goes on, and before it starts', async () => {
    const clock = virtualClock();
    const told: string[] = [];
    const later = (name: string, ms: number) => clock.setTimeout(() => told.push(`${name} at ${clock.now()}`), ms);
    Promise.resolve().then(() => later('set by a promise', 5));
    await clock.advance(10);
    clock.setTimeout(() => void Promise.resolve().then(() => later('set after a timer', 5)), 5);
    await clock.advance(10);
    Promise.resolve().then(() => later('set before all is idle', 5));
    await clock.runUntilIdle();
    expect(told).toEqual(['set by a promise at 5', 'set after a timer at 20', 'set before all is idle at 25']);
  });
});

describe('all that needs no time', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
    vi.useRealTimers();
  });

  it('has happened once it is flushed, however long the chain', async () => {
    const told: number[] = [];
    const chain = async () => {
      for (let link = 0; link < 50; link++) await Promise.resolve();
      told.push(50);
    };
    void chain();
    await expect(flush()).resolves.toBeUndefined();
    expect(told).toEqual([50]);
  });

  it('happens under fake timers as well', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] });
    const told: string[] = [];
    void Promise.resolve().then(() => told.push('settled'));
    await flush();
    expect(told).toEqual(['settled']);
  });

  it('takes no more than a turn of the event loop where there is one', async () => {
    const Channel = vi.fn(MessageChannel);
    vi.stubGlobal('MessageChannel', Channel);
    vi.resetModules();
    const node = await import('../../../src/testing/virtual-clock.ts');
    await node.flush();
    expect(Channel).not.toHaveBeenCalled();
  });

  it('happens where there is no setImmediate, and leaves no port open', async () => {
    const closed: string[] = [];
    class Channel extends MessageChannel {
      constructor() {
        super();
        this.port1.addEventListener('close', () => closed.push('port1'));
      }
    }
    vi.stubGlobal('setImmediate', undefined);
    Reflect.deleteProperty(globalThis, 'setImmediate');
    vi.stubGlobal('MessageChannel', Channel);
    vi.resetModules();
    const browser = await import('../../../src/testing/virtual-clock.ts');
    const told: string[] = [];
    void Promise.resolve().then(() => told.push('settled'));
    await expect(browser.flush()).resolves.toBeUndefined();
    expect(told).toEqual(['settled']);
    vi.unstubAllGlobals();
    for (let turn = 0; turn < 5; turn++) await flush();
    expect(closed).toEqual(['port1']);
  });
});
