import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import {
  type AttemptRecord,
  type Context,
  createDuctape,
  defineFallback,
  type Fallback,
  type FallbackEvent,
  FallbackFailedError,
  InDoubtError,
} from '../../../src/index.ts';
import { settled, type VirtualClock, virtualClock } from '../../virtual-clock.ts';

const TRIGGER = { fallback_tag: 'pay', action: 'trigger', input: { order: 1 } } as const;
const PLACE = { fallback_tag: 'pay' };
const JOURNAL = ['in-doubt', 'compensated', 'compensation-failed', 'late'];

function engine(providers: (clock: VirtualClock) => readonly object[], definition: object = {}) {
  const clock = virtualClock();
  const fallback = defineFallback({ tag: 'pay', ...definition, providers: providers(clock) } as never) as Fallback;
  const { fallback: api } = createDuctape<readonly Fallback[]>({
    env: 'prd',
    product: 'payments',
    clock,
    random: () => 0.5,
    fallbacks: [fallback],
  });
  const events: FallbackEvent[] = [];
  api.on('*', (event) => events.push(event));
  const journal = () =>
    events
      .filter(({ type }) => JOURNAL.includes(type))
      .map((event) => [event.at, event.type, ...('because' in event ? [event.because] : [])]);
  const ofType = <T extends FallbackEvent['type']>(type: T) =>
    events.filter((event) => event.type === type) as unknown as (FallbackEvent & { readonly type: T })[];
  return { api, clock, journal, ofType, events };
}

const later = (clock: VirtualClock, ms: number, output: unknown) =>
  new Promise((resolve, reject) => {
    clock.setTimeout(() => (output instanceof Error ? reject(output) : resolve(output)), ms);
  });

/** A first provider that answers after 150 ms and is given up on after 100, and a second. */
function slow(fields: object, definition: object = {}) {
  const second = vi.fn(() => 'B');
  const first = vi.fn();
  const made = engine(
    (clock) => [
      {
        name: 'a',
        timeout: 100,
        run: () => {
          first();
          return later(clock, 150, 'A');
        },
        ...fields,
      },
      { name: 'b', run: second },
    ],
    definition,
  );
  return { ...made, first, second };
}

const outcomes = (attempts: readonly AttemptRecord[]) => attempts.map(({ provider, outcome }) => [provider, outcome]);
const thrownBy = <E = InDoubtError>(promise: Promise<unknown>): Promise<E> =>
  promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error: unknown) => error as E,
  );
const never = () => new Promise<never>(() => {});

describe("inDoubt: 'next'", () => {
  it('is the default, and tries on after a timeout; the doubt is told of all the same', async () => {
    const { api, clock, journal } = slow({});
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'b', output: 'B' });
    expect(journal()).toEqual([
      [100, 'in-doubt', 'timed-out'],
      [150, 'late'],
    ]);
  });

  it('tells of work that was done in vain, and not of what failed plainly', async () => {
    const refused = slow({ run: () => 'A', accept: () => false });
    expect((await refused.api.run(TRIGGER)).provider).toBe('b');
    expect(refused.journal()).toEqual([[0, 'in-doubt', 'refused']]);
    const failed = slow({ run: () => Promise.reject(new Error('refused')) });
    await failed.api.run(TRIGGER);
    expect(failed.journal()).toEqual([]);
  });

  it('tells of an attempt that the caller has aborted', async () => {
    const controller = new AbortController();
    const { api, clock, journal } = slow({});
    const reason = thrownBy<unknown>(api.run(TRIGGER, { signal: controller.signal }));
    await clock.advance(50);
    controller.abort('enough');
    expect(await reason).toBe('enough');
    expect(journal()).toEqual([[50, 'in-doubt', 'aborted']]);
  });

  it('retries, where there are retries', async () => {
    const { api, clock, first } = slow({ inDoubt: 'next', retries: 1, backoff: 10 });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(first).toHaveBeenCalledTimes(2);
  });
});

describe("inDoubt: 'stop'", () => {
  it('fails with an InDoubtError that names the provider and holds the attempts; nobody else is called', async () => {
    const { api, clock, first, second } = slow({ inDoubt: 'stop', retries: 3 });
    const error = thrownBy(api.run(TRIGGER, { id: 'mine' }));
    await clock.runUntilIdle();
    expect(await error).toBeInstanceOf(InDoubtError);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', provider: 'a', id: 'mine', tag: 'pay', env: 'prd' });
    expect(outcomes((await error).attempts)).toEqual([['a', 'timed-out']]);
    expect((await error).errors).toMatchObject([{ code: 'ERR_ATTEMPT_TIMEOUT', timeout: 100 }]);
    expect(first).toHaveBeenCalledTimes(1);
    expect(second).not.toHaveBeenCalled();
  });

  it('rejects when the time is out, not when the work is done', async () => {
    const { api, clock } = slow({ inDoubt: 'stop' });
    const error = thrownBy(api.run(TRIGGER));
    await clock.advance(100);
    await error;
    expect(clock.now()).toBe(100);
    expect(api.inspect(PLACE).inFlight).toBe(0);
  });

  it('is a failure to the state: it exhausts, and as a probe it cools anew', async () => {
    const { api, clock, ofType } = slow({ inDoubt: 'stop' }, { maxRetries: 1, resetAfter: 1_000 });
    const fail = async () => {
      const error = thrownBy(api.run(TRIGGER));
      await clock.advance(100);
      return error;
    };
    await fail();
    expect(api.inspect(PLACE)).toMatchObject({ state: 'triggered', failures: 1 });
    await fail();
    expect(api.inspect(PLACE)).toMatchObject({ state: 'exhausted', failures: 2, retryAfter: 1_000 });
    expect(ofType('failed')).toHaveLength(2);
    await clock.advance(1_000);
    expect(await fail()).toBeInstanceOf(InDoubtError);
    expect(api.inspect(PLACE)).toMatchObject({ state: 'exhausted', failures: 2, retryAfter: 1_000 });
  });

  it('lets plain failures pass to the next', async () => {
    const { api } = slow({ inDoubt: 'stop', run: () => Promise.reject(new Error('refused')) });
    expect((await api.run(TRIGGER)).provider).toBe('b');
  });

  it('holds what the attempts before it met, too', async () => {
    const { api, clock } = engine((clock) => [
      { name: 'a', run: () => Promise.reject(new Error('a')) },
      { name: 'b', timeout: 10, inDoubt: 'stop', run: () => later(clock, 50, 'B') },
      { name: 'c', value: 'C' },
    ]);
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    expect((await error).errors).toMatchObject([{ message: 'a' }, { code: 'ERR_ATTEMPT_TIMEOUT' }]);
    expect((await error).provider).toBe('b');
    expect(outcomes((await error).attempts)).toEqual([
      ['a', 'failed'],
      ['b', 'timed-out'],
    ]);
  });

  it('counts a deadline as a timeout', async () => {
    const { api, clock, second } = slow({ inDoubt: 'stop', timeout: null });
    const error = thrownBy(api.run(TRIGGER, { deadline: 50 }));
    await clock.advance(50);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', errors: [{ code: 'ERR_DEADLINE' }] });
    expect(second).not.toHaveBeenCalled();
    expect(api.inspect(PLACE).failures).toBe(1);
  });

  it("gives way to the caller's abort and to close, which are no verdict", async () => {
    const controller = new AbortController();
    const aborted = slow({ inDoubt: 'stop' });
    const reason = thrownBy<unknown>(aborted.api.run(TRIGGER, { signal: controller.signal }));
    await aborted.clock.advance(50);
    controller.abort('enough');
    expect(await reason).toBe('enough');
    const closed = slow({ inDoubt: 'stop' });
    const error = thrownBy(closed.api.run(TRIGGER));
    await closed.clock.advance(50);
    await closed.api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    for (const { api, journal } of [aborted, closed]) {
      expect(api.inspect(PLACE).failures).toBe(0);
      expect(journal()).toEqual([[50, 'in-doubt', 'aborted']]);
    }
  });
});

describe('an error in doubt', () => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  const failing = (fields: object, error: Error = reset) => slow({ run: () => Promise.reject(error), ...fields });
  const inDoubtWhen = (error: unknown) => (error as { code?: string }).code === 'ECONNRESET';

  it('is the one that inDoubtWhen says so of', async () => {
    const { api, journal, second } = failing({ inDoubt: 'stop', inDoubtWhen });
    const error = await thrownBy(api.run(TRIGGER));
    expect(error).toMatchObject({ code: 'ERR_IN_DOUBT', cause: reset, errors: [reset] });
    expect(journal()).toEqual([[0, 'in-doubt', 'error']]);
    expect(second).not.toHaveBeenCalled();
  });

  it('and no other', async () => {
    const { api, journal } = failing({ inDoubt: 'stop', inDoubtWhen }, new Error('refused'));
    expect((await api.run(TRIGGER)).provider).toBe('b');
    expect(journal()).toEqual([]);
  });

  it('is only told of where inDoubt says nothing', async () => {
    const { api, journal } = failing({ inDoubtWhen });
    expect((await api.run(TRIGGER)).provider).toBe('b');
    expect(journal()).toEqual([[0, 'in-doubt', 'error']]);
  });

  it('is any where inDoubtWhen throws or gives a promise: better safe; its fault joins the errors', async () => {
    const boom = new Error('boom');
    const throws = failing({
      inDoubt: 'stop',
      inDoubtWhen: () => {
        throw boom;
      },
    });
    expect((await thrownBy(throws.api.run(TRIGGER))).errors).toEqual([reset, boom]);
    const slow = failing({ inDoubt: 'stop', inDoubtWhen: async () => false });
    const { errors } = await thrownBy(slow.api.run(TRIGGER));
    expect(errors).toMatchObject([reset, { code: 'ERR_INVALID_DEFINITION' }]);
  });

  it('is not asked about where the error is the caller’s own', async () => {
    const asked = vi.fn(() => true);
    const { api } = slow(
      { inDoubt: 'stop', inDoubtWhen: asked, run: () => Promise.reject(reset) },
      { handle: () => false },
    );
    expect(await thrownBy(api.run(TRIGGER))).toBe(reset);
    expect(asked).not.toHaveBeenCalled();
  });

  it('is verified where that is asked for', async () => {
    const verify = vi.fn(() => ({ done: true, output: 'A!' }));
    const { api } = failing({ inDoubt: 'verify', inDoubtWhen, verify });
    expect(await api.run(TRIGGER)).toMatchObject({ provider: 'a', output: 'A!' });
    expect(verify).toHaveBeenCalledTimes(1);
  });
});

describe("inDoubt: 'verify'", () => {
  const asks = (verify: (input: unknown, ctx: Context) => unknown, fields: object = {}, definition: object = {}) =>
    slow({ inDoubt: 'verify', verify, ...fields }, definition);

  it.each([
    ['at once', (answer: object) => answer],
    ['later', async (answer: object) => answer],
  ])('makes the work that was done the answer, told %s', async (_, tell) => {
    const { api, clock, second } = asks(() => tell({ done: true, output: 'A!' }));
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    const result = await call;
    expect(result).toMatchObject({ provider: 'a', output: 'A!', duration: 100 });
    expect(outcomes(result.attempts)).toEqual([['a', 'timed-out']]);
    expect(second).not.toHaveBeenCalled();
    expect(api.inspect(PLACE)).toMatchObject({ failures: 0, recoveries: 1 });
  });

  it('stops where what verify gives cannot be read, at once or later', async () => {
    const lazy = {
      get done(): boolean {
        throw new Error('lazy row');
      },
    };
    for (const verify of [() => lazy, async () => lazy]) {
      const { api, clock } = slow({ inDoubt: 'verify', verify });
      const error = api.run(TRIGGER).catch((error) => error);
      await clock.runUntilIdle();
      expect(await error).toBeInstanceOf(InDoubtError);
      expect(api.inspect(PLACE).inFlight).toBe(0);
    }
  });

  it('takes any output, a falsy one or none too', async () => {
    for (const answer of [{ done: true, output: 0 }, { done: true, output: null }, { done: true }]) {
      const { api, clock } = asks(() => answer);
      const call = api.run(TRIGGER);
      await clock.runUntilIdle();
      expect((await call).output).toBe(answer.output);
    }
  });

  it('goes on where the work was not done: with the retries, then with the next, asking each time', async () => {
    const verify = vi.fn(() => ({ done: false }));
    const { api, clock, first } = asks(verify, { retries: 1, backoff: 10 });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ provider: 'b', duration: 210 });
    expect([first.mock.calls.length, verify.mock.calls.length]).toEqual([2, 2]);
  });

  it('asks with the input and the context of that attempt, and with a signal of its own', async () => {
    const seen: [input: unknown, id: string, provider: string, attempt: number, isAborted: boolean][] = [];
    const { api, clock } = asks((input, { id, provider, attempt, signal }) => {
      seen.push([input, id, provider, attempt, signal.aborted]);
      return { done: false };
    });
    const call = api.run(TRIGGER, { id: 'mine' });
    await clock.runUntilIdle();
    await call;
    expect(seen).toEqual([[{ order: 1 }, 'mine', 'a', 1, false]]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('nobody knows'))],
    [
      'throws at once',
      () => {
        throw new Error('nobody knows');
      },
    ],
    ['answers nothing', () => undefined],
    ['answers yes', () => true],
    ['answers half', async () => ({ done: 'yes', output: 1 })],
  ])('stops where verify %s', async (_, verify) => {
    const { api, clock, second } = asks(verify);
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', provider: 'a' });
    expect((await error).errors).toHaveLength(2);
    expect(second).not.toHaveBeenCalled();
    expect(api.inspect(PLACE).failures).toBe(1);
  });

  it('says what verify was to answer', async () => {
    const { api, clock } = asks(() => ({ done: 'yes' }));
    const error = thrownBy(api.run(TRIGGER));
    await clock.runUntilIdle();
    expect((await error).message).toContain(
      'expected { done: true, output } or { done: false } of the verify of "a", got an object',
    );
  });

  it('stops where verify does not answer within the timeout of the provider, and aborts its signal', async () => {
    let signal: AbortSignal | undefined;
    const { api, clock, second } = asks((_, ctx) => {
      signal = ctx.signal;
      return never();
    });
    const error = thrownBy(api.run(TRIGGER));
    await clock.advance(199);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    expect((await error).errors).toMatchObject([
      { code: 'ERR_ATTEMPT_TIMEOUT' },
      { code: 'ERR_ATTEMPT_TIMEOUT', message: 'the verify of "a" did not answer within 100 ms' },
    ]);
    expect(signal?.aborted).toBe(true);
    expect(second).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it('stops where the output that verify gives is refused: it was done, and will not do', async () => {
    const refused = asks(() => ({ done: true, output: 'bad' }), { accept: (output: unknown) => output !== 'bad' });
    const error = thrownBy(refused.api.run(TRIGGER));
    await refused.clock.runUntilIdle();
    expect(await error).toBeInstanceOf(InDoubtError);
    const mistyped = asks(() => ({ done: true, output: 5 }), {}, { output: z.string() });
    const other = thrownBy(mistyped.api.run(TRIGGER));
    await mistyped.clock.runUntilIdle();
    expect(await other).toBeInstanceOf(InDoubtError);
  });

  it('gives what the schema makes of the output', async () => {
    const { api, clock } = asks(
      () => ({ done: true, output: 'x' }),
      {},
      { output: z.string().transform((s) => `${s}!`) },
    );
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).output).toBe('x!');
  });

  it('asks after an output that was refused, too', async () => {
    const { api } = asks(() => ({ done: true, output: 'good' }), {
      run: () => 'bad',
      accept: (output: unknown) => output === 'good',
    });
    expect(await api.run(TRIGGER)).toMatchObject({ provider: 'a', output: 'good' });
  });

  it('is over with the deadline, and in doubt', async () => {
    const { api, clock } = asks(never, { timeout: 100 });
    const error = thrownBy(api.run(TRIGGER, { deadline: 120 }));
    await clock.advance(120);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT' });
    expect((await error).errors.at(-1)).toMatchObject({ code: 'ERR_DEADLINE' });
    await clock.runUntilIdle();
    expect(clock.pending).toBe(0);
  });

  it('does not ask once the deadline has passed', async () => {
    const verify = vi.fn(() => ({ done: false }));
    const { api, clock } = asks(verify);
    const error = thrownBy(api.run(TRIGGER, { deadline: 100 }));
    await clock.advance(100);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT' });
    expect(verify).not.toHaveBeenCalled();
  });

  it("is over with the caller's abort, promptly, and with close", async () => {
    const aborted = asks(never);
    const controller = new AbortController();
    const reason = thrownBy<unknown>(aborted.api.run(TRIGGER, { signal: controller.signal }));
    await aborted.clock.advance(120);
    controller.abort('enough');
    expect(await reason).toBe('enough');
    const closed = asks(never);
    const error = thrownBy(closed.api.run(TRIGGER));
    await closed.clock.advance(120);
    await closed.api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    for (const { clock, second } of [aborted, closed]) {
      await clock.runUntilIdle();
      expect(second).not.toHaveBeenCalled();
      expect(clock.pending).toBe(0);
    }
  });
});

describe('a compensation', () => {
  const undoing = (fields: object = {}, definition: object = {}) => {
    const compensate = vi.fn();
    return { ...slow({ compensate, ...fields }, definition), compensate };
  };

  it('undoes, once, what a provider did after it was given up on', async () => {
    const { api, clock, compensate, journal } = undoing();
    const call = api.run(TRIGGER, { id: 'mine' });
    await clock.runUntilIdle();
    expect((await call).provider).toBe('b');
    expect(compensate).toHaveBeenCalledTimes(1);
    const [output, input, ctx] = compensate.mock.calls[0] as [unknown, unknown, Context];
    expect([output, input]).toEqual(['A', { order: 1 }]);
    expect(ctx).toMatchObject({ id: 'mine', provider: 'a', attempt: 1, env: 'prd', product: 'payments', tag: 'pay' });
    expect(ctx.signal.aborted).toBe(false);
    expect(journal()).toEqual([
      [100, 'in-doubt', 'timed-out'],
      [150, 'late'],
      [150, 'compensated'],
    ]);
  });

  it('undoes an output that accept, or the schema, refused, without the caller waiting for it', async () => {
    const undone: unknown[] = [];
    const hang = (output: unknown) => {
      undone.push(output);
      return never();
    };
    const refused = undoing({ run: () => 'bad', accept: () => false, compensate: hang });
    expect((await refused.api.run(TRIGGER)).provider).toBe('b');
    const mistyped = undoing({ run: async () => 5, compensate: hang }, { output: z.string() });
    expect((await mistyped.api.run(TRIGGER)).provider).toBe('b');
    await settled();
    expect(undone).toEqual(['bad', 5]);
    expect(refused.journal()).toEqual([[0, 'in-doubt', 'refused']]);
  });

  it('is given what the provider gave, not what the schema made of it', async () => {
    const { api, compensate } = undoing(
      { run: () => 'raw', accept: () => false },
      { output: z.string().transform((text) => text.length) },
    );
    await thrownBy(api.run(TRIGGER)).catch(() => {});
    await settled();
    expect(compensate.mock.calls.map(([output]) => output)).toEqual(['raw']);
  });

  it('undoes an output whose judgement was still awaited when the time was out', async () => {
    const { api, clock, compensate } = undoing(
      { run: async () => 'A' },
      { output: z.string().refine((output) => (output === 'A' ? never() : true)) },
    );
    const call = api.run(TRIGGER);
    await clock.advance(100);
    await call;
    await settled();
    expect(compensate.mock.calls.map(([output]) => output)).toEqual(['A']);
  });

  it('is not for a failure, nor for the answer, nor for what never happened', async () => {
    const failing = undoing({ run: () => Promise.reject(new Error('down')) });
    await failing.api.run(TRIGGER);
    const answering = undoing({ run: () => 'A' });
    await answering.api.run(TRIGGER);
    const rejecting = undoing({ run: () => later(rejecting.clock, 150, new Error('late')) });
    const call = rejecting.api.run(TRIGGER);
    for (const { clock, compensate } of [failing, answering, rejecting]) {
      await clock.runUntilIdle();
      expect(compensate).not.toHaveBeenCalled();
    }
    await call;
  });

  it('is not for what verify made the answer, though that lands late', async () => {
    const { api, clock, compensate } = undoing({ inDoubt: 'verify', verify: () => ({ done: true, output: 'A!' }) });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(compensate).not.toHaveBeenCalled();
  });

  it('is for what verify says was done, but too late, or in a way that is refused', async () => {
    const controller = new AbortController();
    const late = undoing({
      run: () => new Promise(() => {}),
      inDoubt: 'verify',
      verify: async () => {
        controller.abort('gone');
        return { done: true, output: 'A' };
      },
    });
    const aborted = late.api.run(TRIGGER, { signal: controller.signal }).catch((error) => error);
    await late.clock.runUntilIdle();
    expect(await aborted).toBe('gone');
    expect(late.compensate.mock.calls.map(([output]) => output)).toEqual(['A']);

    const verify = () => ({ done: true, output: 'A' });
    const refused = undoing({ run: () => new Promise(() => {}), inDoubt: 'verify', verify, accept: () => false });
    const error = refused.api.run(TRIGGER).catch((error) => error);
    await refused.clock.runUntilIdle();
    expect(await error).toBeInstanceOf(InDoubtError);
    expect(refused.compensate.mock.calls.map(([output]) => output)).toEqual(['A']);
  });

  it('is for what verify found not done, and which was done after all', async () => {
    const { api, clock, compensate } = undoing({ inDoubt: 'verify', verify: () => ({ done: false }) });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(compensate.mock.calls.map(([output]) => output)).toEqual(['A']);
  });

  it('waits for what verify says of an attempt that lands while it is asked', async () => {
    const { api, clock, compensate } = undoing({
      inDoubt: 'verify',
      verify: () => later(clock, 80, { done: true, output: 'A!' }),
    });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    expect((await call).output).toBe('A!');
    expect(compensate).not.toHaveBeenCalled();
  });

  it("undoes what lands after 'stop', after the caller's abort, after the deadline, and after close", async () => {
    const stopped = undoing({ inDoubt: 'stop' });
    const aborted = undoing();
    const late = undoing();
    const closed = undoing();
    const controller = new AbortController();
    const errors = [
      stopped.api.run(TRIGGER),
      aborted.api.run(TRIGGER, { signal: controller.signal }),
      late.api.run(TRIGGER, { deadline: 20 }),
      closed.api.run(TRIGGER),
    ].map(thrownBy);
    controller.abort();
    const end = closed.api.close();
    for (const { clock, compensate } of [stopped, aborted, late, closed]) {
      await clock.runUntilIdle();
      expect(compensate.mock.calls.map(([output]) => output)).toEqual(['A']);
      expect(clock.pending).toBe(0);
    }
    await Promise.all([...errors, end]);
  });

  it('is made for each attempt that landed', async () => {
    const { api, clock, compensate } = undoing({ retries: 2, backoff: 0 });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(compensate.mock.calls.map(([, , ctx]) => (ctx as Context).attempt)).toEqual([1, 2, 3]);
  });

  describe('of a provider that may run twice', () => {
    const fields = { idempotent: true, retries: 1, backoff: 0 };

    it('is not for a late success where a retry is the answer: they are the same effect', async () => {
      let attempts = 0;
      const { api, clock, compensate, journal } = undoing({
        ...fields,
        run: () => (++attempts === 1 ? later(clock, 150, 'A') : later(clock, 80, 'A again')),
      });
      const answer = api.run(TRIGGER);
      await clock.runUntilIdle();
      expect((await answer).output).toBe('A again');
      expect(compensate).not.toHaveBeenCalled();
      expect(journal()).toEqual([
        [100, 'in-doubt', 'timed-out'],
        [150, 'late'],
      ]);
    });

    it('is not for an output that was refused where the same, asked for again, was not', async () => {
      let attempts = 0;
      const { api, clock, compensate } = undoing({
        ...fields,
        run: () => `receipt ${++attempts}`,
        accept: (output: unknown) => output === 'receipt 2',
      });
      expect((await api.run(TRIGGER)).output).toBe('receipt 2');
      await clock.runUntilIdle();
      expect(compensate).not.toHaveBeenCalled();
    });

    it('is made once for all its attempts, with what came first, when the next provider is turned to', async () => {
      let attempts = 0;
      const { api, clock, compensate, second } = undoing({
        ...fields,
        run: () => `receipt ${++attempts}`,
        accept: () => false,
      });
      second.mockImplementation(() => {
        expect(compensate).not.toHaveBeenCalled();
        return 'B';
      });
      expect((await api.run(TRIGGER)).output).toBe('B');
      await clock.runUntilIdle();
      expect(compensate.mock.calls.map(([output]) => output)).toEqual(['receipt 1']);
    });

    it('is made once where another provider has the answer, when the first of them lands', async () => {
      const { api, clock, compensate } = undoing(fields);
      const answer = api.run(TRIGGER);
      await clock.runUntilIdle();
      expect((await answer).output).toBe('B');
      expect(compensate.mock.calls.map(([output, , ctx]) => [output, (ctx as Context).attempt])).toEqual([['A', 1]]);
    });

    it('is made when the trigger has failed', async () => {
      const compensate = vi.fn();
      const { api, clock } = engine((clock) => [
        { name: 'a', ...fields, timeout: 10, run: () => later(clock, 15, 'A'), compensate },
      ]);
      const answer = api.run(TRIGGER).catch((error) => error);
      await clock.advance(16);
      expect(compensate).not.toHaveBeenCalled();
      await clock.advance(4);
      expect(await answer).toBeInstanceOf(FallbackFailedError);
      expect(compensate).toHaveBeenCalledTimes(1);
      await clock.runUntilIdle();
      expect(compensate).toHaveBeenCalledTimes(1);
    });
  });

  it('that fails is tried again, with the backoff of the provider, until it is done', async () => {
    const { api, clock, compensate, journal } = undoing({ backoff: 10 });
    compensate.mockRejectedValueOnce(new Error('1')).mockImplementationOnce(() => {
      throw new Error('2');
    });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(compensate).toHaveBeenCalledTimes(3);
    expect(journal().slice(1)).toEqual([
      [150, 'late'],
      [170, 'compensated'],
    ]);
  });

  it.each([
    [undefined, 4],
    [0, 1],
    [2, 3],
  ])(
    'that keeps failing is tried %s times more, then reported with all that is needed to see to it',
    async (compensateRetries, times) => {
      const { api, clock, compensate, ofType } = undoing({ backoff: 10, compensateRetries });
      compensate.mockImplementation(() => {
        throw new Error(`${compensate.mock.calls.length}`);
      });
      const call = api.run(TRIGGER, { id: 'mine' });
      await clock.runUntilIdle();
      expect((await call).provider).toBe('b');
      expect(compensate).toHaveBeenCalledTimes(times);
      const [event] = ofType('compensation-failed');
      expect(event).toMatchObject({
        id: 'mine',
        tag: 'pay',
        provider: 'a',
        attempt: 1,
        input: { order: 1 },
        output: 'A',
      });
      expect(event?.errors).toHaveLength(times);
      expect(ofType('compensated')).toEqual([]);
      expect(clock.pending).toBe(0);
    },
  );

  it('has the timeout of the provider, and is tried again after it', async () => {
    const signals: AbortSignal[] = [];
    const { api, clock, journal } = undoing({
      backoff: 10,
      compensate: (_: unknown, __: unknown, { signal }: Context) => {
        signals.push(signal);
        return signals.length === 1 ? never() : 'done';
      },
    });
    const call = api.run(TRIGGER);
    await clock.runUntilIdle();
    await call;
    expect(journal().at(-1)).toEqual([260, 'compensated']);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it('changes nothing of the call it belongs to: neither its state, nor its result, nor its time', async () => {
    const { api, clock } = undoing({ compensateRetries: 0, compensate: () => Promise.reject(new Error('undo')) });
    const call = api.run(TRIGGER);
    await clock.advance(100);
    const before = [await call, { ...api.inspect(PLACE) }];
    await clock.runUntilIdle();
    expect([await call, { ...api.inspect(PLACE) }]).toEqual(before);
    expect(api.inspect(PLACE)).toMatchObject({ failures: 0, recoveries: 1 });
  });

  it('is waited for by close within its grace', async () => {
    const { api, clock, journal } = undoing({ compensate: () => later(clock, 80, 'undone') });
    await Promise.all([api.run(TRIGGER), clock.advance(160)]);
    let isClosed = false;
    const end = api.close({ grace: 1_000 }).then(() => {
      isClosed = true;
    });
    await clock.advance(69);
    expect(isClosed).toBe(false);
    await clock.advance(1);
    await end;
    expect(journal().at(-1)).toEqual([230, 'compensated']);
    expect(clock.pending).toBe(0);
  });

  it('is reported as failed where the grace is over before it', async () => {
    const { api, clock, journal } = undoing({ compensate: never, timeout: null }, { deadline: 100 });
    await Promise.all([thrownBy(api.run(TRIGGER)), clock.advance(160)]);
    const end = api.close({ grace: 50 });
    await clock.advance(50);
    await end;
    expect(journal().at(-1)).toEqual([210, 'compensation-failed']);
    expect(clock.pending).toBe(0);
  });

  it('that begins as close cuts its call short does not hold close up for ever', async () => {
    const output = z.string().refine(() => never());
    const { api, clock } = undoing({ run: async () => 'A', timeout: null, compensate: never }, { output });
    const error = thrownBy(api.run(TRIGGER));
    await settled();
    let isClosed = false;
    api.close().then(() => {
      isClosed = true;
    });
    await clock.runUntilIdle();
    await error;
    expect(isClosed).toBe(true);
  });
});

describe('an attempt that was announced, and never made', () => {
  it('is in no doubt', async () => {
    const { api, events, second } = slow({ inDoubt: 'stop' });
    const controller = new AbortController();
    api.on('attempt-started', () => controller.abort('gone'));
    expect(await api.run(TRIGGER, { signal: controller.signal }).catch((error) => error)).toBe('gone');
    expect(events.map(({ type }) => type)).not.toContain('in-doubt');
    expect(second).not.toHaveBeenCalled();
  });
});

describe('the events', () => {
  it('of an aborted primary have its place, and not its token', async () => {
    const { clock, api } = slow({});
    const told: string[] = [];
    api.on('compensated', (event) => void told.push(JSON.stringify(event)));
    const controller = new AbortController();
    const session = { tag: 'user', token: 's3cret' };
    const primary = () => later(clock, 50, { chargedWith: session.token });
    const options = { input: { order: 1 }, session, signal: controller.signal, compensate: () => {} };
    const call = api.call('pay', primary, options as never).catch((error) => error);
    controller.abort('gone');
    await clock.runUntilIdle();
    expect(await call).toBe('gone');
    expect(told).toHaveLength(1);
    expect(JSON.parse(told[0] ?? '')).toMatchObject({ env: 'prd', product: 'payments', tag: 'pay' });
    expect(told[0]).not.toContain('s3cret');
  });

  it('tell of a doubt what a journal needs to outlive a crash: before anything else is tried', async () => {
    const { api, clock, ofType, events } = slow({ compensate: () => {} });
    const call = api.run({ ...TRIGGER, cache: 'k' }, { id: 'mine' });
    await clock.runUntilIdle();
    await call;
    const [doubt] = ofType('in-doubt');
    expect(doubt).toMatchObject({
      id: 'mine',
      tag: 'pay',
      env: 'prd',
      product: 'payments',
      cache: 'k',
      provider: 'a',
      attempt: 1,
      because: 'timed-out',
      input: { order: 1 },
      error: { code: 'ERR_ATTEMPT_TIMEOUT' },
    });
    expect(ofType('compensated')).toMatchObject([{ id: 'mine', cache: 'k', provider: 'a', attempt: 1, output: 'A' }]);
    const order = events.map((event) => `${event.type}${'provider' in event ? ` ${event.provider}` : ''}`);
    expect(order.indexOf('in-doubt a')).toBeGreaterThan(order.indexOf('attempt-ended a'));
    expect(order.indexOf('in-doubt a')).toBeLessThan(order.indexOf('attempt-started b'));
  });

  it('tell of both of a pair that a deadline has ended as timed out, as their records do', async () => {
    const hedged = { idempotent: true, inDoubt: 'stop', run: never };
    const { api, clock, ofType } = engine(() => [
      { name: 'a', ...hedged, hedge: 10 },
      { name: 'b', ...hedged },
    ]);
    const error = thrownBy(api.run(TRIGGER, { deadline: 50 }));
    await clock.advance(50);
    expect(outcomes((await error).attempts).sort()).toEqual([
      ['a', 'timed-out'],
      ['b', 'timed-out'],
    ]);
    const doubts = ofType('in-doubt').map(({ provider, because }) => [provider, because]);
    expect(doubts.sort()).toEqual([
      ['a', 'timed-out'],
      ['b', 'timed-out'],
    ]);
  });
});

describe('a primary', () => {
  const guarded = (options: object, primary?: (clock: VirtualClock) => unknown) => {
    const fallback = vi.fn(() => 'B');
    const made = engine(() => [{ name: 'b', run: fallback }]);
    const { clock, api } = made;
    const call = (more: object = {}) =>
      api.call('pay', () => (primary ? primary(clock) : later(clock, 150, 'P')), {
        input: { order: 1 },
        timeout: 100,
        ...options,
        ...more,
      });
    return { ...made, fallback, call };
  };

  it("triggers nothing after 'stop', and its error is the cause", async () => {
    const { api, call, clock, fallback, journal } = guarded({ inDoubt: 'stop' });
    const error = thrownBy(call({ id: 'mine' }));
    await clock.runUntilIdle();
    expect(await error).toBeInstanceOf(InDoubtError);
    expect(await error).toMatchObject({ provider: 'primary', id: 'mine', tag: 'pay', attempts: [] });
    expect((await error).cause).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    expect(fallback).not.toHaveBeenCalled();
    expect(api.inspect(PLACE)).toMatchObject({ state: 'idle', triggers: 0, failures: 0 });
    expect(journal()).toEqual([[100, 'in-doubt', 'timed-out']]);
  });

  it("falls back where inDoubt is 'next', and where the error is in no doubt", async () => {
    const next = guarded({ inDoubt: 'next' });
    const call = next.call();
    await next.clock.runUntilIdle();
    expect(await call).toBe('B');
    const failing = guarded({ inDoubt: 'stop', inDoubtWhen: () => false }, () => Promise.reject(new Error('refused')));
    expect(await failing.call()).toBe('B');
  });

  it('that says nothing of its doubts has them told all the same, and falls back', async () => {
    const { call, clock, journal } = guarded({});
    const answer = call();
    await clock.advance(100);
    expect(await answer).toBe('B');
    expect(journal()).toEqual([[100, 'in-doubt', 'timed-out']]);
    const plain = guarded({}, () => Promise.reject(new Error('refused')));
    expect(await plain.call()).toBe('B');
    expect(plain.journal()).toEqual([]);
  });

  it('that says nothing of them is in doubt where its caller aborts it, and not where it was never called', async () => {
    const controller = new AbortController();
    const { call, clock, journal, ofType } = guarded({});
    const reason = thrownBy<unknown>(call({ signal: controller.signal }));
    await clock.advance(50);
    controller.abort('enough');
    expect(await reason).toBe('enough');
    expect(await thrownBy<unknown>(call({ signal: controller.signal }))).toBe('enough');
    expect(journal()).toEqual([[50, 'in-doubt', 'aborted']]);
    expect(ofType('in-doubt')).toMatchObject([{ env: 'prd', product: 'payments', tag: 'pay', provider: 'primary' }]);
  });

  it('is in doubt where inDoubtWhen says so, or throws', async () => {
    const error = new Error('reset');
    for (const inDoubtWhen of [
      () => true,
      () => {
        throw new Error('boom');
      },
    ]) {
      const { call, fallback } = guarded({ inDoubt: 'stop', inDoubtWhen }, () => Promise.reject(error));
      const thrown = await thrownBy(call());
      expect(thrown).toBeInstanceOf(InDoubtError);
      expect(thrown.cause).toBe(error);
      expect(fallback).not.toHaveBeenCalled();
    }
  });

  it('counts a deadline as a timeout', async () => {
    const { call, clock, fallback } = guarded({ inDoubt: 'stop', timeout: null });
    const error = thrownBy(call({ deadline: 50 }));
    await clock.advance(50);
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', cause: { code: 'ERR_DEADLINE' } });
    expect(fallback).not.toHaveBeenCalled();
  });

  it('that has worked is the answer, and not undone', async () => {
    const compensate = vi.fn();
    const { call, clock, fallback } = guarded({
      inDoubt: 'verify',
      verify: async () => ({ done: true, output: 'P!' }),
      compensate,
    });
    const answer = call();
    await clock.runUntilIdle();
    expect(await answer).toBe('P!');
    expect(fallback).not.toHaveBeenCalled();
    expect(compensate).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it('that has not is followed by the fallback', async () => {
    const { call, clock } = guarded({ inDoubt: 'verify', verify: () => ({ done: false }) });
    const answer = call();
    await clock.runUntilIdle();
    expect(await answer).toBe('B');
  });

  it.each([
    ['throws', () => Promise.reject(new Error('nobody knows')), 'nobody knows'],
    ['is silent', never, 'the verify of "primary" did not answer within 100 ms'],
    ['talks nonsense', () => 5, 'expected { done: true, output } or { done: false } of the verify of "primary", got 5'],
  ])('stops where verify %s', async (_, verify, message) => {
    const { call, clock, fallback } = guarded({ inDoubt: 'verify', verify });
    const error = thrownBy(call());
    await clock.runUntilIdle();
    expect(await error).toMatchObject({ code: 'ERR_IN_DOUBT', errors: [{ message }] });
    expect((await error).cause).toMatchObject({ code: 'ERR_ATTEMPT_TIMEOUT' });
    expect(fallback).not.toHaveBeenCalled();
  });

  it("is not asked about after the caller's abort, and what it did is undone", async () => {
    const verify = vi.fn(() => ({ done: false }));
    const compensate = vi.fn();
    const controller = new AbortController();
    const { call, clock, fallback, journal } = guarded({ inDoubt: 'verify', verify, compensate });
    const reason = thrownBy<unknown>(call({ signal: controller.signal }));
    await clock.advance(50);
    controller.abort('enough');
    expect(await reason).toBe('enough');
    await clock.runUntilIdle();
    expect(verify).not.toHaveBeenCalled();
    expect(fallback).not.toHaveBeenCalled();
    expect(compensate.mock.calls).toEqual([['P']]);
    expect(journal()).toEqual([
      [50, 'in-doubt', 'aborted'],
      [150, 'compensated'],
    ]);
  });

  it('is undone where it lands late, beside the answer of the fallback', async () => {
    const compensate = vi.fn();
    const { call, clock, ofType } = guarded({ compensate });
    const answer = call({ id: 'mine' });
    await clock.advance(100);
    expect(await answer).toBe('B');
    await clock.runUntilIdle();
    expect(compensate.mock.calls).toEqual([['P']]);
    expect(ofType('compensated')).toMatchObject([
      { id: 'mine', provider: 'primary', attempt: 1, output: 'P', input: [] },
    ]);
  });

  it('whose undoing fails is reported after three more tries', async () => {
    const compensate = vi.fn(() => Promise.reject(new Error('undo')));
    const { call, clock, ofType } = guarded({ compensate });
    const answer = call();
    await clock.runUntilIdle();
    await answer;
    expect(compensate).toHaveBeenCalledTimes(4);
    expect(ofType('compensation-failed')).toMatchObject([{ provider: 'primary', output: 'P' }]);
    expect(clock.pending).toBe(0);
  });

  it('is undone though its fallback cannot even be asked', async () => {
    const compensate = vi.fn();
    const primary = (clock: VirtualClock) => () => later(clock, 150, 'P');
    const { api, clock } = guarded({});
    const broken = {
      timeout: 100,
      compensate,
      cache: () => {
        throw new Error('no key');
      },
    };
    const error = thrownBy(api.wrap('pay', primary(clock), { input: () => ({}), ...broken })());
    await clock.runUntilIdle();
    expect(await error).toMatchObject({ code: 'ERR_INVALID_REQUEST' });
    expect(compensate).toHaveBeenCalledTimes(1);
    compensate.mockClear();
    const unasked = thrownBy(
      api.wrap('pay', primary(clock), { timeout: 100, compensate, input: () => Promise.reject() as never })(),
    );
    await clock.runUntilIdle();
    expect(await unasked).toMatchObject({ code: 'ERR_INVALID_INPUT' });
    expect(compensate).toHaveBeenCalledTimes(1);
  });

  it('that is wrapped has its arguments given to verify and compensate', async () => {
    const verify = vi.fn(() => ({ done: false }) as const);
    const compensate = vi.fn();
    const { api, clock } = guarded({});
    const charge = api.wrap('pay', (order: number, _currency: string) => later(clock, 150, `P${order}`), {
      timeout: 100,
      input: (_, order) => ({ order }),
      inDoubt: 'verify',
      verify,
      compensate,
    });
    const answer = charge(7, 'eur');
    await clock.runUntilIdle();
    expect(await answer).toBe('B');
    expect(verify.mock.calls).toEqual([[7, 'eur']]);
    expect(compensate.mock.calls).toEqual([['P7', 7, 'eur']]);
  });

  it('that answers in time is neither asked about nor undone, nor is one that fails', async () => {
    const verify = vi.fn(() => ({ done: false }));
    const compensate = vi.fn();
    const fields = { inDoubt: 'verify', verify, compensate };
    expect(await guarded(fields, () => 'P').call()).toBe('P');
    expect(await guarded(fields, () => Promise.reject(new Error('down'))).call()).toBe('B');
    await settled();
    expect(verify).not.toHaveBeenCalled();
    expect(compensate).not.toHaveBeenCalled();
  });

  it('leaves nothing behind whatever ends it', async () => {
    const { call, clock, api } = guarded({ inDoubt: 'verify', verify: never });
    const error = thrownBy(call());
    await clock.advance(120);
    await api.close();
    expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    await clock.runUntilIdle();
    expect(clock.pending).toBe(0);
  });
});

describe('an InDoubtError', () => {
  it('is told apart from a failed fallback, and is safe to log', async () => {
    const { api, clock } = slow({ inDoubt: 'stop' });
    const call = thrownBy(api.run({ ...TRIGGER, session: { tag: 's', token: 'secret' } }));
    await clock.runUntilIdle();
    const error = await call;
    expect(error).not.toBeInstanceOf(FallbackFailedError);
    const json = JSON.stringify(error);
    expect(JSON.parse(json)).toMatchObject({
      name: 'InDoubtError',
      code: 'ERR_IN_DOUBT',
      provider: 'a',
      attempts: [{ provider: 'a', outcome: 'timed-out' }],
    });
    expect(json).not.toContain('secret');
  });
});
