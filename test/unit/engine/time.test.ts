import { describe, expect, it, vi } from 'vitest';
import { Flight } from '../../../src/engine/flight.ts';
import { Flights } from '../../../src/engine/flights.ts';
import { createDuctape, defineFallback, type EventType, type Fallback } from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

describe('the time of a flight', () => {
  it('is read when it is asked for, and again only once it has passed', () => {
    const now = vi.fn().mockReturnValueOnce(5).mockReturnValueOnce(9);
    const time = new Flight(new Flights({ ...virtualClock(), now }, 'n'), undefined);
    expect(now).not.toHaveBeenCalled();
    expect([time.now(), time.now()]).toEqual([5, 5]);
    time.pass();
    expect(now).toHaveBeenCalledTimes(1);
    expect([time.now(), time.now()]).toEqual([9, 9]);
  });
});

describe('no provider is called after the deadline', () => {
  /** An engine whose time goes on by 20 ms at each `burn`, and not otherwise. */
  function world(more: (burn: () => string) => object) {
    let now = 1_000;
    const burn = () => {
      now += 20;
      return 'k';
    };
    const called = vi.fn<() => unknown>(() => 'a');
    const { providers = [], a = {}, ...definition } = more(burn) as { providers?: object[]; a?: object };
    const all = [{ name: 'a', run: called, ...a }, ...providers];
    const fallback = defineFallback({ tag: 'f', maxRetries: 0, resetAfter: 0, ...definition, providers: all } as never);
    const { fallback: api } = createDuctape<readonly Fallback[]>({
      env: 'e',
      product: 'p',
      clock: { ...virtualClock(), now: () => now },
      cache: { max: 1 },
      fallbacks: [fallback as Fallback],
    });
    const run = (cache: string, deadline?: number) =>
      api.run({ fallback_tag: 'f', action: 'trigger', cache }, { deadline }).catch((error) => error);
    return { api, called, run, burn };
  }

  it.each([
    ['reuse', (key: () => string) => ({ reuse: { maxAge: 10, key } })],
    ['lastGood', (key: () => string) => ({ providers: [{ name: 'l', lastGood: { maxAge: 10, key } }] })],
  ])('where the key of %s took the time', async (_, more) => {
    const { called, run } = world(more);
    expect((await run('k', 10)).code).toBe('ERR_FALLBACK_FAILED');
    expect(called).not.toHaveBeenCalled();
  });

  it.each<[EventType, object]>([
    ['probing', {}],
    ['provider-probing', { a: { breaker: { failures: 1, cooldown: 0 } } }],
  ])('where a listener of %s took it', async (type, more) => {
    const { api, called, run, burn } = world(() => more);
    called.mockImplementationOnce(() => {
      throw new Error('down');
    });
    await run('k');
    api.on(type, () => void burn());
    expect((await run('k', 10)).code).toBe('ERR_FALLBACK_FAILED');
    expect(called).toHaveBeenCalledTimes(1);
  });

  it.each<[EventType, object]>([
    ['attempt-started', {}],
    ['attempt-ended', {}],
    ['in-doubt', { inDoubtWhen: () => true }],
  ])('nor the next one, where a listener of %s took it', async (type, a) => {
    const { api, called, run, burn } = world(() => ({ a, providers: [{ name: 'b', run: () => called() }] }));
    called.mockImplementation(() => {
      throw new Error('down');
    });
    api.on(type, () => void burn());
    expect((await run('k', 10)).code).toBe('ERR_FALLBACK_FAILED');
    expect(called).toHaveBeenCalledTimes(type === 'attempt-started' ? 0 : 1);
  });

  it('nor the next one, where inDoubtWhen took it', async () => {
    const { called, run } = world((burn) => ({
      a: { inDoubtWhen: () => Boolean(burn()) },
      providers: [{ name: 'b', run: () => called() }],
    }));
    called.mockImplementation(() => {
      throw new Error('down');
    });
    expect((await run('k', 10)).code).toBe('ERR_FALLBACK_FAILED');
    expect(called).toHaveBeenCalledTimes(1);
  });

  it('where a listener of evicted took it', async () => {
    const { api, called, run, burn } = world(() => ({}));
    await run('one');
    api.on('evicted', () => void burn());
    expect((await run('two', 10)).code).toBe('ERR_FALLBACK_FAILED');
    expect(called).toHaveBeenCalledTimes(1);
  });
});
