import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/index.ts';
import { type Behaviour, hang, ok, reject, script, slow, slowReject, stubborn } from '../../../src/testing/script.ts';
import { flush, virtualClock } from '../../../src/testing/virtual-clock.ts';

const down = new Error('503');
const gone = new Error('gone');

/** What becomes of a behaviour, and when; its caller may lose patience. */
async function seen(behaviour: Behaviour, abortAt?: number) {
  const clock = virtualClock();
  const caller = new AbortController();
  const told: unknown[] = [];
  script(behaviour)
    .on(clock)({}, { id: '1', attempt: 1, signal: caller.signal })
    .then(
      (value) => told.push(['answers', value, clock.now()]),
      (error: unknown) => told.push(['fails', error, clock.now()]),
    );
  await clock.advance(abortAt ?? 0);
  if (abortAt !== undefined) caller.abort(gone);
  await flush();
  const pending = clock.pending;
  await clock.advance(1_000);
  return { told: told[0], pending, listeners: getEventListeners(caller.signal, 'abort').length };
}

describe('a behaviour', () => {
  it.each<[string, Behaviour, unknown]>([
    ['ok', ok('fine'), ['answers', 'fine', 0]],
    ['ok with nothing', ok(), ['answers', undefined, 0]],
    ['reject', reject(down), ['fails', down, 0]],
    ['slow', slow(30, 'late'), ['answers', 'late', 30]],
    ['slowReject', slowReject(30, down), ['fails', down, 30]],
    ['stubborn', stubborn(30, 'late'), ['answers', 'late', 30]],
    ['hang', hang(), undefined],
  ])('%s does what it says, when it says it', async (name, behaviour, told) => {
    expect(await seen(behaviour)).toMatchObject({ told, listeners: name === 'hang' ? 1 : 0 });
  });

  it.each<[string, Behaviour, unknown]>([
    ['slow', slow(30, 'late'), ['fails', gone, 10]],
    ['slowReject', slowReject(30, down), ['fails', gone, 10]],
    ['hang', hang(), ['fails', gone, 10]],
  ])('%s is over when its signal aborts, and leaves no timer and no listener', async (_name, behaviour, told) => {
    expect(await seen(behaviour, 10)).toEqual({ told, pending: 0, listeners: 0 });
  });

  it('stubborn takes its time, whatever its signal says', async () => {
    expect(await seen(stubborn(30, 'late'), 10)).toEqual({ told: ['answers', 'late', 30], pending: 1, listeners: 0 });
  });

  it('hang clears no timer: it has none', async () => {
    const cleared: unknown[] = [];
    const clock: Clock = { ...virtualClock(), clearTimeout: (timer) => cleared.push(timer) };
    const caller = new AbortController();
    const answer = script(hang()).on(clock)({}, { id: '1', attempt: 1, signal: caller.signal });
    caller.abort(gone);
    await expect(answer).rejects.toBe(gone);
    expect(cleared).toEqual([]);
  });

  it('is told of the call that it plays', async () => {
    const input = { amount: 5 };
    const ctx = { id: 'order', attempt: 2, signal: new AbortController().signal };
    const run = script((call) => call);
    expect(await run(input, ctx)).toEqual({ input, ctx });
    expect(run.calls).toEqual([{ input, ctx }]);
  });
});
