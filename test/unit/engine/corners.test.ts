import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { type AttemptRecord, createDuctape, defineFallback, type FallbackEvent } from '../../../src/index.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

// Where two things meet: two attempts at once, an end within a question, time that passes while somebody is asked.

const TRIGGER = { fallback_tag: 'pay', action: 'trigger' } as const;
const never = () => new Promise<never>(() => {});
const down = new Error('down');
const gone = new Error('gone');
const fails = () => {
  throw down;
};

type Answers = (ms: number, output: unknown) => () => Promise<unknown>;
interface Result {
  readonly provider: string;
  readonly attempts: readonly AttemptRecord[];
}

/** An engine whose time goes on by itself, too: `burn(ms)` is what a function does that takes its time. */
function engine(definition: object | ((answers: Answers) => object), options: object = {}, isHeard = true) {
  const clock = virtualClock();
  const answers: Answers = (ms, output) => () =>
    new Promise((resolve, reject) => {
      clock.setTimeout(() => (output instanceof Error ? reject(output) : resolve(output)), ms);
    });
  let burnt = 0;
  const burn = (ms: number) => {
    burnt += ms;
  };
  const { fallback: api } = createDuctape({
    env: 'prd',
    product: 'shop',
    clock: { ...clock, now: () => clock.now() + burnt },
    ...options,
  });
  const own = typeof definition === 'function' ? definition(answers) : definition;
  api.define(defineFallback({ tag: 'pay', ...own } as never));
  const heard: FallbackEvent[] = [];
  if (isHeard) api.on('*', (event) => heard.push(event));
  const told = (type: FallbackEvent['type']) => heard.filter((event) => event.type === type);
  const fire = (at: object = {}, more: object = {}) =>
    api.run({ ...TRIGGER, ...at } as never, more) as unknown as Promise<Result>;
  return { api, clock, burn, heard, told, fire, answers };
}

type Thrown = Error & { readonly errors: readonly unknown[]; readonly tag?: string };
const thrownBy = (promise: Promise<unknown>): Promise<Thrown> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as Thrown,
  );
const story = (attempts: readonly AttemptRecord[]) => attempts.map(({ provider, outcome }) => `${provider} ${outcome}`);
const once = { idempotent: true };

describe('of two attempts at once', () => {
  it('one that is asked whether it has worked is heard no more once its caller has gone', async () => {
    const caller = new AbortController();
    const verify = () => {
      caller.abort(gone);
      return never();
    };
    const doubtful = { name: 'a', run: never, hedge: 10, timeout: 50, inDoubt: 'verify', verify, ...once };
    const { clock, fire } = engine({ providers: [doubtful, { name: 'b', run: never, ...once }] });
    const error = thrownBy(fire({}, { signal: caller.signal }));
    await clock.advance(50);
    expect(await Promise.race([error, settled().then(() => 'nothing yet')])).toBe(gone);
  });

  it('one that is still asked whether it has worked is no attempt more when the other has answered', async () => {
    const doubtful = { name: 'a', run: never, hedge: 10, timeout: 50, inDoubt: 'verify', verify: never, ...once };
    const { clock, fire } = engine((answers) => ({
      providers: [doubtful, { name: 'b', run: answers(60, 'B'), ...once }],
    }));
    const result = fire();
    await clock.advance(70);
    expect(story((await result).attempts)).toEqual(['a timed-out', 'b succeeded']);
  });

  it('one left in doubt where the other’s error is the caller’s own is told to those who wait for the answer', async () => {
    const caller = new AbortController();
    const handle = () => {
      caller.abort(gone);
      return false;
    };
    const { clock, fire } = engine((answers) => ({
      reuse: { maxAge: 1_000 },
      handle,
      providers: [
        { name: 'a', run: never, hedge: 10, timeout: 500, inDoubt: 'stop', ...once },
        { name: 'b', run: answers(20, down), ...once },
      ],
    }));
    const leader = thrownBy(fire({}, { signal: caller.signal }));
    const follower = thrownBy(fire());
    await clock.advance(100);
    expect(await leader).toBe(down);
    expect(await follower).toMatchObject({ code: 'ERR_IN_DOUBT', provider: 'a', errors: [] });
  });

  it('an attempt that may be made again is made again, and not left behind for one that may not', async () => {
    const { api, clock, fire } = engine((answers) => ({
      providers: [
        { name: 'a', run: answers(20, down), hedge: 10, retries: 1, backoff: 0, ...once },
        { name: 'b', run: never, ...once },
        { name: 'c', run: answers(5, 'C') },
      ],
    }));
    await api.run({ ...TRIGGER, action: 'update', input: { providers: { b: { enabled: false } } } } as never);
    const result = fire();
    await clock.runUntilIdle();
    expect(story((await result).attempts)).toEqual(['a failed', 'a failed', 'c succeeded']);
  });

  it('a deadline that passes while a third is asked whether it may be tried is told of once', async () => {
    const made = engine({
      deadline: 100,
      providers: [
        { name: 'a', run: never, hedge: 10, timeout: 40, ...once },
        { name: 'b', run: fails, ...once },
        {
          name: 'c',
          when: () => {
            made.burn(100);
            return true;
          },
          run: never,
        },
      ],
    });
    const error = thrownBy(made.fire());
    await made.clock.advance(50);
    expect((await error).errors).toMatchObject([down, { code: 'ERR_ATTEMPT_TIMEOUT' }, { code: 'ERR_DEADLINE' }]);
    expect(made.told('failed')).toHaveLength(1);
  });
});

describe('a doubt', () => {
  it('that was cleared up is not told to those who waited for another’s answer', async () => {
    const caller = new AbortController();
    const { clock, fire, told } = engine({
      reuse: { maxAge: 1_000 },
      providers: [
        { name: 'a', run: never, timeout: 10, inDoubt: 'verify', verify: async () => ({ done: false }) },
        { name: 'b', run: never, timeout: 30 },
        { name: 'c', value: 'C' },
      ],
    });
    const leader = thrownBy(fire({}, { signal: caller.signal }));
    const follower = fire();
    await clock.advance(15);
    caller.abort(gone);
    expect(await leader).toBe(gone);
    await clock.runUntilIdle();
    // It asks for itself, from the first provider on.
    expect(await follower).toMatchObject({ provider: 'c' });
    expect(told('in-doubt').map((event) => 'provider' in event && event.provider)).toEqual(['a', 'b', 'a', 'b']);
  });

  it('about which close() comes is closed, and its error is no error of its own', async () => {
    const { api, clock, fire } = engine({
      providers: [{ name: 'a', run: never, timeout: 10, inDoubt: 'verify', verify: never }],
    });
    const error = thrownBy(fire());
    await clock.advance(11);
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED', errors: [{ code: 'ERR_ATTEMPT_TIMEOUT' }] });
  });

  it('whose answer took the time that there was has no successor', async () => {
    const called = vi.fn();
    const made = engine({
      deadline: 50,
      providers: [
        {
          name: 'a',
          run: fails,
          timeout: 100,
          inDoubt: 'verify',
          inDoubtWhen: () => true,
          verify: () => {
            made.burn(60);
            return { done: false };
          },
        },
        { name: 'b', run: called },
      ],
    });
    expect((await thrownBy(made.fire())).errors).toMatchObject([down, { code: 'ERR_DEADLINE' }]);
    expect(called).not.toHaveBeenCalled();
    expect(made.told('attempt-started')).toMatchObject([{ provider: 'a' }]);
  });

  it('leaves the fault of a predicate among the errors where the time is over', async () => {
    const made = engine({ deadline: 50, providers: [{ name: 'a', when: fails, run: never }] });
    made.api.on('attempt-started', () => made.burn(60));
    const { errors } = await thrownBy(made.fire());
    expect(errors).toHaveLength(2);
    expect(errors[0]).toBe(down);
    expect(errors[1]).toMatchObject({ code: 'ERR_DEADLINE' });
  });
});

describe('an answer that comes too late', () => {
  it('is not judged any more', async () => {
    const accept = vi.fn(() => true);
    const { clock, fire, told } = engine((answers) => ({
      providers: [
        { name: 'a', run: answers(50, 'A'), timeout: 10, accept },
        { name: 'b', value: 'B' },
      ],
    }));
    const result = fire();
    await clock.runUntilIdle();
    expect((await result).provider).toBe('b');
    expect(told('late')).toMatchObject([{ provider: 'a', outcome: 'fulfilled' }]);
    expect(accept).not.toHaveBeenCalled();
  });

  it('to the question whether a primary has worked has its effect undone', async () => {
    const caller = new AbortController();
    const compensate = vi.fn();
    const { api, clock, answers } = engine({ providers: [{ name: 'a', value: 'A' }] });
    const risky = api.wrap('pay', never, {
      timeout: 10,
      inDoubt: 'verify',
      verify: answers(50, { done: true, output: 'charged' }) as never,
      compensate,
      signal: caller.signal,
    });
    const error = thrownBy(risky());
    await clock.advance(15);
    caller.abort(gone);
    expect(await error).toBe(gone);
    expect(compensate).not.toHaveBeenCalled();
    await clock.runUntilIdle();
    expect(compensate.mock.calls).toEqual([['charged']]);
  });
});

it('a compensation that has failed for good is told of at once', async () => {
  const { clock, fire, told } = engine((answers) => ({
    providers: [
      { name: 'a', run: answers(50, 'A'), timeout: 10, compensate: fails, compensateRetries: 0 },
      { name: 'b', value: 'B' },
    ],
  }));
  fire();
  await clock.advance(50);
  await settled();
  expect(told('compensation-failed')).toMatchObject([{ provider: 'a', output: 'A', errors: [down] }]);
  expect(clock.pending).toBe(0);
});

describe('a primary', () => {
  const good = { providers: [{ name: 'a', value: 'A' }] };
  const breaker = { failures: 1, cooldown: 100 };

  it('that was not begun is in no doubt', async () => {
    const caller = new AbortController();
    const { api, clock, told } = engine(good);
    let isDown = true;
    const primary = vi.fn(() => {
      if (isDown) throw down;
    });
    const risky = api.wrap('pay', primary, { breaker, signal: caller.signal });
    await risky();
    await clock.advance(100);
    isDown = false;
    api.on('provider-probing', () => caller.abort(gone));
    expect(await thrownBy(risky())).toBe(gone);
    expect(primary).toHaveBeenCalledTimes(1);
    expect(told('in-doubt')).toEqual([]);
  });

  it('whose caller has gone, and whose fallback is nowhere, is told of by nobody', async () => {
    const caller = new AbortController();
    const { api, told } = engine(good);
    const risky = api.wrap('pay', never, { env: () => '', signal: caller.signal });
    const error = thrownBy(risky());
    caller.abort(gone);
    expect(await error).toBe(gone);
    expect(told('in-doubt')).toEqual([]);
  });

  it('that has timed out is not asked about: whether an error is its caller’s own is a question of errors', async () => {
    const handle = vi.fn(() => false);
    const { api, clock } = engine(good);
    const result = api.call('pay', never, { timeout: 10, handle });
    await clock.advance(10);
    expect(await result).toBe('A');
    expect(handle).not.toHaveBeenCalled();
  });

  it('whose time is over before it begins is not the reason', async () => {
    const { api, heard } = engine(good);
    const primary = vi.fn();
    const error = await thrownBy(api.call('pay', primary, { deadline: 0 }));
    expect(error).toMatchObject({ code: 'ERR_FALLBACK_FAILED', errors: [{ code: 'ERR_DEADLINE' }], attempts: [] });
    expect(primary).not.toHaveBeenCalled();
    expect(heard).toEqual([]);
  });

  it('of which a probe was given up is unhealthy for the reason that it was before', async () => {
    const caller = new AbortController();
    const { api, clock } = engine(good);
    const reasons: unknown[] = [];
    const input = (error: unknown) => {
      reasons.push(error);
      return {};
    };
    let work: () => unknown = fails;
    const risky = api.wrap('pay', () => work(), { breaker, input, signal: () => caller.signal } as never);
    await risky();
    await clock.advance(100);
    work = never;
    const probe = thrownBy(risky());
    caller.abort(gone);
    expect(await probe).toBe(gone);
    // While it is tried once more, nobody else gets through to it.
    api.wrap('pay', never, { breaker })();
    expect(await api.wrap('pay', () => expect.fail('called'), { breaker, input } as never)()).toBe('A');
    expect(reasons).toEqual([down, down]);
  });

  it('whose arguments its fallback refuses gives no last good answer', async () => {
    const { api } = engine({
      input: z.object({ order: z.string() }),
      providers: [{ name: 'old', lastGood: { maxAge: 1_000, key: () => 'the same for all' } }],
    });
    expect(await api.wrap('pay', (_: object) => 'fresh')({ order: 5 })).toBe('fresh');
    const error = await thrownBy(api.wrap('pay', (_: { order: string }): never => fails())({ order: '5' }));
    expect(error).toMatchObject({ code: 'ERR_FALLBACK_FAILED' });
    expect(await api.wrap('pay', (_: object) => 'fresh')({ order: '5' })).toBe('fresh');
    expect(await api.wrap('pay', (_: { order: string }): never => fails())({ order: '5' })).toBe('fresh');
  });

  it('has a fallback: in the place that is named, which is looked for at once', () => {
    const { api } = engine(good, { env: undefined });
    const wrapping = (options: object) => {
      try {
        return api.wrap('pay', fails, options);
      } catch (error) {
        return error;
      }
    };
    expect(wrapping({})).toMatchObject({ code: 'ERR_INVALID_REQUEST', tag: 'pay' });
    expect(wrapping({ env: () => 'prd' })).toBeTypeOf('function');
    expect(wrapping({ env: 'prd' })).toBeTypeOf('function');
  });
});

describe('time that passes while somebody is asked', () => {
  it('is none of the fallback’s, where a doubt is cleared up, or its input is made', async () => {
    const { api, burn, told } = engine({ providers: [{ name: 'a', value: 'A' }] });
    const input = () => {
      burn(50);
      return {};
    };
    const verify = () => {
      burn(50);
      return { done: false };
    };
    const doubt = { deadline: 1_000, timeout: 500, inDoubt: 'verify', inDoubtWhen: () => true, verify };
    expect(await api.wrap('pay', fails, { input, ...doubt } as never)()).toBe('A');
    expect(told('recovered')).toMatchObject([{ duration: 0 }]);
  });

  it('may leave none to ask whether a primary has worked', async () => {
    const verify = vi.fn(() => ({ done: false }) as const);
    const { api, burn } = engine({ providers: [{ name: 'a', value: 'A' }] });
    const inDoubtWhen = () => {
      burn(60);
      return true;
    };
    const options = { deadline: 50, timeout: 1_000, inDoubt: 'verify', inDoubtWhen, verify } as const;
    expect(await thrownBy(api.call('pay', fails, options))).toMatchObject({ code: 'ERR_IN_DOUBT' });
    expect(verify).not.toHaveBeenCalled();
  });

  it('may leave none for an update', async () => {
    const made = engine(
      { deadline: 1_000, providers: [{ name: 'a', value: 'A' }] },
      { sessions: { user: () => made.burn(60) } },
    );
    const request = { fallback_tag: 'pay', action: 'update', input: { maxRetries: 1 } } as const;
    const session = { tag: 'user', token: 'secret' };
    const error = await thrownBy(made.api.run({ ...request, session } as never, { deadline: 50 }));
    expect(error).toMatchObject({ errors: [{ code: 'ERR_DEADLINE' }] });
    expect(made.told('updated')).toEqual([]);
  });

  it.each([
    ['triggered', {}, []],
    ['attempt-ended', {}, ['a']],
    ['in-doubt', { accept: () => false }, ['a']],
  ] as const)('may leave none for the next attempt, where a listener to %s takes it', async (type, more, expected) => {
    const called: string[] = [];
    const run = (name: string) => () => {
      called.push(name);
      if (!('accept' in more)) throw down;
    };
    const providers = [
      { name: 'a', run: run('a'), ...more },
      { name: 'b', run: run('b') },
    ];
    const made = engine({ deadline: 50, providers }, {}, false);
    made.api.on(type, () => made.burn(60));
    const { errors } = await thrownBy(made.fire());
    expect(errors.at(-1)).toMatchObject({ code: 'ERR_DEADLINE' });
    expect(called).toEqual(expected);
  });

  it('may leave none for a retry, where its wait is made', async () => {
    const definition = {
      deadline: 50,
      providers: [
        {
          name: 'a',
          run: fails,
          retries: 1,
          backoff: () => {
            made.burn(30);
            return 25;
          },
        },
        { name: 'b', value: 'B' },
      ],
    };
    const made = engine(definition, {}, false);
    expect(story((await made.fire()).attempts)).toEqual(['a failed', 'b succeeded']);
    expect(made.clock.now()).toBe(0);
  });

  it('makes no answer older, where it was made in that time', async () => {
    const work = () => {
      made.burn(100);
      return isDown ? fails() : 'fresh';
    };
    const providers = [
      { name: 'a', run: work },
      { name: 'old', lastGood: { maxAge: 50 } },
    ];
    const made = engine({ providers }, {}, false);
    let isDown = false;
    const risky = made.api.wrap('pay', fails, { input: () => ({}) });
    expect(await risky()).toBe('fresh');
    isDown = true;
    made.burn(-100);
    expect(await risky()).toBe('fresh');
  });

  it('is in the time that an answer took which came of another’s', async () => {
    const { clock, fire } = engine((answers) => ({
      reuse: { maxAge: 1_000 },
      providers: [{ name: 'a', run: answers(50, 'A') }],
    }));
    const other = fire({ input: { other: true } });
    await clock.advance(50);
    await other;
    const leader = fire();
    const follower = fire();
    await clock.advance(50);
    expect(await leader).toMatchObject({ duration: 50 });
    expect(await follower).toMatchObject({ duration: 50, reused: true });
  });
});

describe('who has gone already', () => {
  const signal = AbortSignal.abort(gone);
  const user = vi.fn();
  const providers = [{ name: 'a', value: 'A' }];
  const session = { tag: 'user', token: 'secret' };

  it.each(['trigger', 'update', 'reset'])('has no session verified for a %s', async (action) => {
    const { fire } = engine({ providers }, { sessions: { user } });
    const input = action === 'update' ? { maxRetries: 1 } : {};
    expect(await thrownBy(fire({ action, session, input }, { signal }))).toBe(gone);
    expect(user).not.toHaveBeenCalled();
  });

  it('while a key was made is let in no more', async () => {
    const caller = new AbortController();
    const key = () => {
      caller.abort(gone);
      return 'k';
    };
    const { fire, heard } = engine({ reuse: { maxAge: 10, key }, providers });
    expect(await thrownBy(fire({}, { signal: caller.signal }))).toBe(gone);
    expect(heard).toEqual([]);
  });

  it('while a provider was asked whether it may be tried has none begun', async () => {
    const caller = new AbortController();
    const when = () => {
      caller.abort(gone);
      return true;
    };
    const { fire, told } = engine({ providers: [{ name: 'a', when, run: never }] });
    expect(await thrownBy(fire({}, { signal: caller.signal }))).toBe(gone);
    expect([...told('attempt-started'), ...told('attempt-ended')]).toEqual([]);
  });
});

describe('an answer given again', () => {
  it('says idle where nothing is remembered of its key any more', async () => {
    const { clock, fire } = engine(
      { reuse: { maxAge: 1_000 }, providers: [{ name: 'a', value: 'A' }] },
      { cache: { ttl: 100 } },
    );
    await fire({ cache: 'one' });
    await clock.advance(500);
    expect(await fire({ cache: 'one' })).toMatchObject({ output: 'A', reused: true, state: 'idle' });
  });

  it('has a key, or the error says why not', async () => {
    const { fire } = engine({ reuse: { maxAge: 10, key: fails }, providers: [{ name: 'a', value: 'A' }] });
    expect(await thrownBy(fire())).toMatchObject({ code: 'ERR_INVALID_INPUT', errors: [down] });
  });

  it('is not waited for where who was to give it could not even begin', async () => {
    const clock = virtualClock();
    let reads = Number.POSITIVE_INFINITY;
    const now = () => {
      if (--reads === 0) throw down;
      return clock.now();
    };
    let isBroken = false;
    const key = ({ other }: { other?: boolean }) => {
      // The next read is for the answers that are kept; the one after it, for the admission.
      if (isBroken) reads = 2;
      return other ? 'other' : 'k';
    };
    const { api, fire } = engine(
      { reuse: { maxAge: 10, key }, providers: [{ name: 'a', value: 'A' }] },
      { clock: { ...clock, now } },
    );
    api.on('evicted', () => {});
    await fire({ input: { other: true } });
    isBroken = true;
    expect(await thrownBy(fire())).toBe(down);
    reads = Number.POSITIVE_INFINITY;
    isBroken = false;
    const again = fire();
    expect(await Promise.race([again, settled().then(() => 'still waiting')])).toMatchObject({ output: 'A' });
  });
});

it('a provider of which nobody can say whether it may be tried has failed, however its health is', async () => {
  const when = vi.fn(() => true);
  const { fire } = engine({
    providers: [
      { name: 'a', run: fails, when, breaker: { failures: 1, cooldown: 1_000 } },
      { name: 'b', value: 'B' },
    ],
  });
  await fire();
  expect(story((await fire()).attempts)).toEqual(['a skipped', 'b succeeded']);
  when.mockImplementation(fails);
  expect(story((await fire()).attempts)).toEqual(['a failed', 'b succeeded']);
});

describe('a retry', () => {
  it('whose wait could not be made is none, and costs nothing', async () => {
    const { fire } = engine({
      retryBudget: { ratio: 0, minPerSecond: 0 },
      providers: [
        { name: 'a', run: fails, retries: 1, backoff: fails },
        { name: 'b', value: 'B' },
      ],
    });
    expect(story((await fire()).attempts)).toEqual(['a failed', 'b succeeded']);
  });

  it('comes once its provider may be tried again, if its wait is as long', async () => {
    const { clock, fire } = engine({
      providers: [
        { name: 'a', run: fails, retries: 1, backoff: 100, breaker: { failures: 1, cooldown: 50 } },
        { name: 'b', value: 'B' },
      ],
    });
    const result = fire();
    await clock.runUntilIdle();
    expect(story((await result).attempts)).toEqual(['a failed', 'a failed', 'b succeeded']);
    expect(clock.now()).toBe(100);
  });
});
