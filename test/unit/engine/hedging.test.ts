import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  type AttemptRecord,
  type Context,
  createDuctape,
  defineFallback,
  type Fallback,
  type FallbackEvent,
  type FallbackFailedError,
} from '../../../src/index.ts';
import { settled, type VirtualClock, virtualClock } from '../../virtual-clock.ts';

const TRIGGER = { fallback_tag: 'pay', action: 'trigger' } as const;
type Definition = { readonly providers: readonly object[] };
type Make = (answers: (ms: number, output: unknown) => () => Promise<unknown>, clock: VirtualClock) => Definition;

/** An engine whose providers are made of `answers(ms, output)`: an error is what it rejects with. */
function engine(make: Make) {
  const clock = virtualClock();
  const started: [provider: string, at: number, signal: AbortSignal][] = [];
  const answers = (ms: number, output: unknown) => () =>
    new Promise((resolve, reject) => {
      clock.setTimeout(() => (output instanceof Error ? reject(output) : resolve(output)), ms);
    });
  const { providers, ...definition } = make(answers, clock);
  const watched = providers.map((provider) => {
    const { run, name } = provider as { run?: (input: unknown, ctx: Context) => unknown; name: string };
    if (!run) return provider;
    return {
      ...provider,
      run: (input: unknown, ctx: Context) => {
        started.push([name, clock.now(), ctx.signal]);
        return run(input, ctx);
      },
    };
  });
  const fallback = defineFallback({ tag: 'pay', ...definition, providers: watched } as never) as Fallback;
  const { fallback: api } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'payments',
    clock,
    fallbacks: [fallback],
  });
  const events: FallbackEvent[] = [];
  api.on('*', (event) => events.push(event));
  const starts = () => started.map(([provider, at]) => [provider, at]);
  const signalOf = (provider: string) => started.find(([name]) => name === provider)?.[2] as AbortSignal;
  return { api, clock, events, starts, signalOf };
}

const once = { idempotent: true };
const story = (attempts: readonly AttemptRecord[]) =>
  attempts.map(({ provider, outcome, duration }) => [provider, outcome, duration]);
const thrownBy = (promise: Promise<unknown>): Promise<FallbackFailedError> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as FallbackFailedError,
  );

/** Two providers, the first hedged after 50 ms, that answer after so long, and a last resort. */
const pair = (a: [number, unknown], b: [number, unknown], more: object = {}) =>
  engine((answers) => ({
    providers: [
      { name: 'a', ...once, hedge: 50, run: answers(...a), ...more },
      { name: 'b', ...once, run: answers(...b) },
      { name: 'c', value: 'C' },
    ],
  }));

describe('the one left behind', () => {
  it('ends with its trigger where the deadline passes in the moment in which it is left behind', async () => {
    const { api, clock, starts } = engine((answers) => ({
      deadline: 10,
      providers: [
        { name: 'a', ...once, hedge: 0, run: answers(10, new Error('a')) },
        { name: 'b', ...once, hedge: 5, run: answers(1_000, 'B') },
        { name: 'c', ...once, run: answers(1, 'C') },
      ],
    }));
    const error = thrownBy(api.run(TRIGGER));
    await clock.advance(10);
    expect(story((await error).attempts)).toEqual([
      ['a', 'failed', 10],
      ['b', 'timed-out', 10],
    ]);
    expect(starts().map(([name]) => name)).toEqual(['a', 'b']);
    await clock.runUntilIdle();
  });

  it('is the answer where it answers at the very end of a wait, and nobody is tried after it', async () => {
    let calls = 0;
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 5, run: answers(20, 'A') },
        {
          name: 'b',
          ...once,
          retries: 1,
          backoff: 15,
          run: () => (++calls === 1 ? Promise.reject(new Error('b')) : 'B'),
        },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).output).toBe('A');
    expect(starts().map(([name]) => name)).toEqual(['a', 'b']);
  });

  it("ends the trigger where it is in doubt at the very end of a wait, and says 'stop'", async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 5, timeout: 20, inDoubt: 'stop', run: answers(1_000, 'A') },
        { name: 'b', ...once, retries: 1, backoff: 15, run: () => Promise.reject(new Error('b')) },
      ],
    }));
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    expect((await error).code).toBe('ERR_IN_DOUBT');
    expect(starts().map(([name]) => name)).toEqual(['a', 'b']);
  });
});

describe('a hedge', () => {
  it('does not start while the provider may still answer in time', async () => {
    const { api, clock, starts } = pair([49, 'A'], [10, 'B']);
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'a', output: 'A', duration: 49 });
    expect(starts()).toEqual([['a', 0]]);
    expect(clock.now()).toBe(49);
  });

  it('starts the next provider beside it, and wins where that answers first', async () => {
    const { api, clock, starts } = pair([200, 'A'], [10, 'B']);
    const call = api.run(TRIGGER);
    await clock.advance(50);
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 50],
    ]);
    expect(api.inspect({ fallback_tag: 'pay' }).inFlight).toBe(1);
    await clock.advance(10);
    const { provider, output, attempts, duration } = await call;
    expect([provider, output, duration]).toEqual(['b', 'B', 60]);
    expect(story(attempts)).toEqual([
      ['b', 'succeeded', 10],
      ['a', 'aborted', 60],
    ]);
  });

  it('loses where the first one answers first', async () => {
    const { api, clock } = pair([70, 'A'], [100, 'B']);
    const call = api.run(TRIGGER);
    await clock.advance(70);
    const { provider, attempts, duration } = await call;
    expect([provider, duration]).toEqual(['a', 70]);
    expect(story(attempts)).toEqual([
      ['a', 'succeeded', 70],
      ['b', 'aborted', 20],
    ]);
  });

  it('aborts the loser before the caller hears of the winner, whoever that is', async () => {
    for (const [a, b, loser] of [
      [200, 10, 'a'],
      [70, 100, 'b'],
    ] as const) {
      const { api, clock, signalOf } = pair([a, 'A'], [b, 'B']);
      let wasAborted: boolean | undefined;
      const call = api.run(TRIGGER).then(() => {
        wasAborted = signalOf(loser).aborted;
      });
      await clock.advance(70);
      await call;
      expect(wasAborted).toBe(true);
      expect(signalOf(loser).reason).toMatchObject({ name: 'AbortError', message: 'Another provider answered first' });
      expect(signalOf(loser === 'a' ? 'b' : 'a').aborted).toBe(false);
    }
  });

  it('is told by events: each start has one end, and what the loser still does is late', async () => {
    const { api, clock, events } = pair([200, 'A'], [10, 'B']);
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    const told = events.map((event) => [event.type, 'provider' in event ? event.provider : undefined, event.at]);
    expect(told).toEqual([
      ['triggered', undefined, 0],
      ['attempt-started', 'a', 0],
      ['attempt-started', 'b', 50],
      ['attempt-ended', 'b', 60],
      ['attempt-ended', 'a', 60],
      ['in-doubt', 'a', 60],
      ['recovered', 'b', 60],
      ['late', 'a', 200],
    ]);
  });

  it('gives back the places of both', async () => {
    const guarded = { concurrency: 1, breaker: { failures: 1, cooldown: 1_000 } };
    const { api, clock } = pair([200, 'A'], [10, 'B'], guarded);
    for (let round = 0; round < 2; round++) {
      const call = api.run(TRIGGER);
      await clock.runUntilIdle();
      expect((await call).provider).toBe('b');
      const { a } = api.inspect({ fallback_tag: 'pay' }).providers ?? {};
      expect(a).toEqual({ health: 'healthy', failures: 0, inFlight: 0 });
    }
  });

  it('is no failure of the loser: it is no error of the trigger, and no last error', async () => {
    const { api, clock } = pair([200, 'A'], [10, 'B']);
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(api.inspect({ fallback_tag: 'pay' })).toMatchObject({ failures: 0, recoveries: 1 });
    expect(api.inspect({ fallback_tag: 'pay' }).lastError).toBeUndefined();
  });

  it('after 0 ms starts at once, but not where the answer is there at once', async () => {
    const slow = pair([30, 'A'], [10, 'B'], { hedge: 0 });
    const call = slow.api.run(TRIGGER);
    expect(slow.starts()).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
    await slow.clock.runUntilIdle();
    expect((await call).provider).toBe('b');
    const prompt = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 0, run: () => 'A' },
        { name: 'b', ...once, run: answers(10, 'B') },
      ],
    }));
    expect((await prompt.api.run(TRIGGER)).provider).toBe('a');
    expect(prompt.starts()).toEqual([['a', 0]]);
  });
});

describe('a failure is no answer', () => {
  const bad = (message: string) => new Error(message);

  it('an early one starts the next at once, with nobody beside it', async () => {
    const { api, clock, starts } = pair([10, bad('a')], [100, 'B']);
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'b', duration: 110 });
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 10],
    ]);
  });

  it('of the first, once it is hedged, leaves the hedge to answer', async () => {
    const { api, clock } = pair([70, bad('a')], [100, 'B']);
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    const { attempts } = await call;
    expect(story(attempts)).toEqual([
      ['a', 'failed', 70],
      ['b', 'succeeded', 100],
    ]);
  });

  it('of the hedge leaves the first to answer', async () => {
    const { api, clock } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 50, run: answers(100, 'A') },
        { name: 'b', ...once, run: answers(10, bad('b')) },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    const { attempts, provider, duration } = await call;
    expect([provider, duration]).toEqual(['a', 100]);
    expect(story(attempts)).toEqual([
      ['b', 'failed', 10],
      ['a', 'succeeded', 100],
    ]);
  });

  it('of both leads to the next provider, or to an error that holds them in the order they came', async () => {
    const recovered = pair([100, bad('a')], [10, bad('b')]);
    const call = recovered.api.run(TRIGGER);
    await recovered.clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'c', duration: 100 });
    const lost = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 50, run: answers(100, bad('a')) },
        { name: 'b', ...once, run: answers(10, bad('b')) },
      ],
    }));
    const error = thrownBy(lost.api.run(TRIGGER));
    await lost.clock.runUntilIdle();
    expect((await error).errors).toEqual([bad('b'), bad('a')]);
    expect((await error).state).toBe('triggered');
  });

  it('is an output that accept refuses, of either side', async () => {
    const refuses = (output: string) => ({ accept: (given: unknown) => given !== output });
    for (const [refused, winner] of [
      ['B', 'a'],
      ['A', 'b'],
    ]) {
      const { api, clock } = engine((answers) => ({
        providers: [
          {
            name: 'a',
            ...once,
            hedge: 50,
            run: answers(refused === 'B' ? 100 : 55, 'A'),
            ...refuses(refused as string),
          },
          { name: 'b', ...once, run: answers(10, 'B'), ...refuses(refused as string) },
        ],
      }));
      const call = api.run(TRIGGER);
      await clock.runUntilIdle();
      expect((await call).provider).toBe(winner);
    }
  });

  it('and that of a straggler is not retried, while the hedge has its own retries', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 50, retries: 5, backoff: 1, run: answers(70, bad('a')) },
        { name: 'b', ...once, retries: 2, backoff: 5, run: answers(10, bad('b')) },
      ],
    }));
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    await error;
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 50],
      ['b', 65],
      ['b', 80],
    ]);
  });

  it('before the hedge is retried first, each try with its own time until a hedge', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        {
          name: 'a',
          ...once,
          hedge: 50,
          retries: 1,
          backoff: 5,
          run: (_: unknown, { attempt }: Context) =>
            answers(attempt === 1 ? 40 : 200, attempt === 1 ? bad('a') : 'A')(),
        },
        { name: 'b', ...once, run: answers(10, 'B') },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).provider).toBe('b');
    expect(starts()).toEqual([
      ['a', 0],
      ['a', 45],
      ['b', 95],
    ]);
  });
});

describe('at most one hedge is under way', () => {
  it('though every provider has one: the third starts only when one of the two is over', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 10, run: answers(100, new Error('a')) },
        { name: 'b', ...once, hedge: 10, run: answers(1_000, 'B') },
        { name: 'c', ...once, run: answers(5, 'C') },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.advance(99);
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 10],
    ]);
    await clock.advance(1);
    // The second has been slow for long.
    expect(starts().at(-1)).toEqual(['c', 100]);
    await clock.advance(5);
    expect((await call).provider).toBe('c');
    expect(story((await call).attempts)).toEqual([
      ['a', 'failed', 100],
      ['c', 'succeeded', 5],
      ['b', 'aborted', 95],
    ]);
  });

  it('and nothing that may not run twice is started beside it', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 10, run: answers(100, new Error('a')) },
        { name: 'b', ...once, run: answers(5, new Error('b')) },
        { name: 'c', run: answers(5, 'C') },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).provider).toBe('c');
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 10],
      ['c', 100],
    ]);
  });

  it('nor where an update puts such a one behind it', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 10, run: answers(100, 'A') },
        { name: 'b', ...once, run: answers(5, 'B') },
        { name: 'c', run: answers(5, 'C') },
      ],
    }));
    await api.run({ ...TRIGGER, action: 'update', input: { providers: { b: { enabled: false } } } });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).provider).toBe('a');
    expect(starts()).toEqual([['a', 0]]);
  });

  it('nor where it is the last that an update leaves', async () => {
    const { api, clock, starts } = pair([100, 'A'], [5, 'B']);
    const providers = { b: { enabled: false }, c: { enabled: false } };
    await api.run({ ...TRIGGER, action: 'update', input: { providers } });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'a', duration: 100 });
    expect(starts()).toEqual([['a', 0]]);
  });

  it('and a provider that when passes over is none: the first may still answer', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 10, run: answers(100, 'A') },
        { name: 'b', ...once, when: () => false, run: answers(5, 'B') },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'a', duration: 100 });
    expect(starts()).toEqual([['a', 0]]);
    expect(story((await call).attempts)).toEqual([
      ['b', 'skipped', 0],
      ['a', 'succeeded', 100],
    ]);
  });

  it('and beside it the wait of a retry ends with the answer of the first', async () => {
    const { api, clock, starts } = engine((answers) => ({
      providers: [
        { name: 'a', ...once, hedge: 10, run: answers(50, 'A') },
        { name: 'b', ...once, retries: 1, backoff: 1_000, run: answers(5, new Error('b')) },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.advance(50);
    expect(await call).toMatchObject({ provider: 'a', duration: 50 });
    expect(clock.pending).toBe(0);
    expect(starts()).toHaveLength(2);
  });
});

describe('the timeouts of a pair', () => {
  it('run for each from its own start', async () => {
    const { api, clock } = engine(() => ({
      providers: [
        { name: 'a', ...once, hedge: 10, timeout: 100, run: () => new Promise(() => {}) },
        { name: 'b', ...once, timeout: 30, run: () => new Promise(() => {}) },
      ],
    }));
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    expect(story((await error).attempts)).toEqual([
      ['b', 'timed-out', 30],
      ['a', 'timed-out', 100],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('shorter than the hedge never meet it', async () => {
    const { api, clock, starts } = pair([200, 'A'], [10, 'B'], { timeout: 20 });
    const call = api.run(TRIGGER);
    await clock.advance(30);
    await call;
    expect(starts()).toEqual([
      ['a', 0],
      ['b', 20],
    ]);
  });
});

describe('what ends the call ends both', () => {
  const hanging = () =>
    engine(() => ({
      deadline: 1_000,
      providers: [
        { name: 'a', ...once, hedge: 10, run: () => new Promise(() => {}) },
        { name: 'b', ...once, retries: 3, run: () => new Promise(() => {}) },
        { name: 'c', value: 'C' },
      ],
    }));

  it("the caller's abort, promptly and without a verdict", async () => {
    const { api, clock, starts, signalOf } = hanging();
    const controller = new AbortController();
    const error = thrownBy(api.run(TRIGGER, { signal: controller.signal }));
    await clock.advance(20);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await error).toBe(reason);
    expect([signalOf('a').reason, signalOf('b').reason]).toEqual([reason, reason]);
    expect(starts()).toHaveLength(2);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expect(api.inspect({ fallback_tag: 'pay' })).toMatchObject({ state: 'triggered', failures: 0, inFlight: 0 });
  });

  it('the deadline, which both have run out of', async () => {
    const { api, clock, starts } = hanging();
    const error = thrownBy(api.run(TRIGGER, { deadline: 100 }));
    await clock.advance(100);
    const { cause, code, errors, attempts } = await error;
    expect(code).toBe('ERR_FALLBACK_FAILED');
    expect(errors).toMatchObject([{ code: 'ERR_DEADLINE' }]);
    expect(cause).toBe(errors[0]);
    for (const attempt of attempts) expect(attempt.error).toBe(errors[0]);
    expect(story(attempts).sort()).toEqual([
      ['a', 'timed-out', 100],
      ['b', 'timed-out', 90],
    ]);
    expect(starts()).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('a deadline before the hedge: nobody starts beside it', async () => {
    const { api, clock, starts } = hanging();
    const error = thrownBy(api.run(TRIGGER, { deadline: 10 }));
    await clock.advance(10);
    await error;
    expect(starts()).toEqual([['a', 0]]);
    expect(clock.pending).toBe(0);
  });

  it('close', async () => {
    const { api, clock, events } = hanging();
    const error = thrownBy(api.run(TRIGGER));
    await clock.advance(20);
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    expect(events.filter(({ type }) => type === 'attempt-ended')).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('an error that is the caller’s own, of either', async () => {
    const declined = new Error('declined');
    for (const [a, b] of [
      [20, 100],
      [100, 5],
    ] as const) {
      const { api, clock, signalOf } = engine((answers) => ({
        handle: (error: unknown) => error !== declined,
        providers: [
          { name: 'a', ...once, hedge: 10, run: answers(a, declined) },
          { name: 'b', ...once, run: answers(b, declined) },
        ],
      }));
      const error = thrownBy(api.run(TRIGGER));
      await clock.advance(20);
      expect(await error).toBe(declined);
      expect(signalOf(a < b ? 'b' : 'a').aborted).toBe(true);
      await settled();
      expect(api.inspect({ fallback_tag: 'pay' })).toMatchObject({ failures: 0, inFlight: 0 });
    }
  });
});

describe('two that end at once', () => {
  it('have one answer, of the first; the other is recorded as it ended, and undone', async () => {
    const undone: unknown[] = [];
    const compensate = (output: unknown) => void undone.push(output);
    let resolveBoth = (): void => {};
    const gate = new Promise<void>((resolve) => {
      resolveBoth = resolve;
    });
    const { api, clock, events } = engine(() => ({
      providers: [
        { name: 'a', ...once, hedge: 10, compensate, run: () => gate.then(() => 'A') },
        { name: 'b', ...once, compensate, run: () => gate.then(() => 'B') },
      ],
    }));
    const call = api.run(TRIGGER);
    await clock.advance(10);
    resolveBoth();
    const { output } = await call;
    await settled();
    expect(undone).toEqual(['A', 'B'].filter((other) => other !== output));
    expect(events.filter(({ type }) => type === 'attempt-ended')).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });
});

describe('a hedge and doubts', () => {
  const verify = (answer: object) => ({ inDoubt: 'verify', verify: () => answer });

  it('undoes what the loser does late', async () => {
    const undone: unknown[] = [];
    const { api, clock } = pair([200, 'A'], [10, 'B'], { compensate: (output: unknown) => void undone.push(output) });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).provider).toBe('b');
    expect(undone).toEqual(['A']);
  });

  it('stops both where a straggler that timed out must not be followed', async () => {
    const { api, clock, signalOf, starts } = pair([200, 'A'], [500, 'B'], { timeout: 60, inDoubt: 'stop' });
    const error = thrownBy(api.run(TRIGGER));
    await clock.advance(60);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', provider: 'a' });
    expect(signalOf('b').aborted).toBe(true);
    await clock.runUntilIdle();
    expect(starts()).toHaveLength(2);
    expect(story((await error).attempts)).toEqual([
      ['a', 'timed-out', 60],
      ['b', 'aborted', 10],
    ]);
  });

  it('takes the answer that a straggler is found to have given', async () => {
    const answer = { done: true, output: 'A!' };
    const { api, clock, signalOf } = pair([200, 'A'], [500, 'B'], { timeout: 60, ...verify(answer) });
    const call = api.run(TRIGGER);
    await clock.advance(60);
    expect(await call).toMatchObject({ provider: 'a', output: 'A!' });
    expect(signalOf('b').aborted).toBe(true);
  });

  it('asks a straggler beside the other, which goes on', async () => {
    const { api, clock } = pair([200, 'A'], [100, 'B'], { timeout: 60, ...verify({ done: false }) });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'b', output: 'B', duration: 150 });
  });

  const asking = (providers: object = {}) =>
    engine(() => ({
      providers: [
        {
          name: 'a',
          ...once,
          hedge: 10,
          timeout: 20,
          inDoubt: 'verify',
          run: () => new Promise(() => {}),
          verify: () => new Promise(() => {}),
          ...providers,
        },
        { name: 'b', ...once, timeout: null, run: () => new Promise(() => {}) },
      ],
    }));

  it("ends both the question and the other with the caller's abort, promptly", async () => {
    const { api, clock, signalOf } = asking();
    const controller = new AbortController();
    let reason: unknown;
    api.run(TRIGGER, { signal: controller.signal }).catch((error: unknown) => {
      reason = error;
    });
    await clock.advance(25);
    controller.abort('enough');
    await settled();
    expect(reason).toBe('enough');
    expect(signalOf('b').aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('ends the other with the deadline, and with close, after the question has been answered', async () => {
    const { api, clock, signalOf } = asking({ verify: async () => ({ done: false }) });
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    api.run(TRIGGER, { deadline: 100 }).catch(end);
    await clock.advance(100);
    expect([isOver, signalOf('b').aborted]).toEqual([true, true]);
    isOver = false;
    api.run(TRIGGER).catch(end);
    await clock.advance(50);
    await Promise.race([api.close(), settled()]);
    expect(isOver).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
