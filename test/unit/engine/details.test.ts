import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createDuctape, defineFallback, type Fallback, type FallbackEvent } from '../../../src/index.ts';
import { settled, type VirtualClock, virtualClock } from '../../virtual-clock.ts';

// What a person reads in a log when something has gone wrong, to the letter; and what only a mutant has shown to be untested.

const TRIGGER = { fallback_tag: 'pay', action: 'trigger', input: {} } as const;
const never = () => new Promise<never>(() => {});

function engine(provider: object | ((clock: VirtualClock) => object), definition: object = {}) {
  const clock = virtualClock();
  const own = typeof provider === 'function' ? provider(clock) : provider;
  const providers = [{ name: 'a', run: async () => 'A', ...own }];
  const fallback = defineFallback({ tag: 'pay', providers, ...definition } as never) as Fallback;
  const { fallback: api } = createDuctape<readonly Fallback[]>({
    env: 'e',
    product: 'p',
    clock,
    fallbacks: [fallback],
  });
  const events: FallbackEvent[] = [];
  api.on('*', (event) => events.push(event));
  const errorsOf = async (promise: Promise<unknown>): Promise<readonly Error[]> => {
    const error = promise.then(
      () => expect.fail('expected an error'),
      (thrown: { errors: readonly Error[] }) => thrown.errors,
    );
    await clock.runUntilIdle();
    return error;
  };
  const said = async () => (await errorsOf(api.run(TRIGGER))).map(({ message }) => message);
  return { api, clock, events, errorsOf, said };
}

const later = (clock: VirtualClock, ms: number, output: unknown) =>
  new Promise((resolve) => {
    clock.setTimeout(() => resolve(output), ms);
  });

describe('an error says', () => {
  it('that accept refused an output, given at once or later', async () => {
    const message = '"a" gave an output that accept refused';
    expect(await engine({ accept: () => false }).said()).toEqual([message]);
    expect(await engine({ accept: () => false, run: () => 'A' }).said()).toEqual([message]);
  });

  it('what its schema refused of an output, also where the schema takes its time', async () => {
    const shape = z.object({ amount: z.number(), currency: z.string() });
    const { errorsOf, api } = engine({ run: async () => ({ amount: '1' }) }, { output: shape });
    const [error] = await errorsOf(api.run(TRIGGER));
    const amount = 'Invalid input: expected number, received string, got a string';
    const currency = 'Invalid input: expected string, received undefined, got nothing';
    expect(error).toMatchObject({
      message: `"a" gave an output that its schema refused: amount: ${amount}; currency: ${currency}`,
      issues: [
        { path: 'amount', message: amount },
        { path: 'currency', message: currency },
      ],
    });
    const slow = z.string().refine(async () => false, 'too late');
    expect(await engine({}, { output: slow }).said()).toEqual([
      '"a" gave an output that its schema refused: too late, got a string',
    ]);
  });

  it('who did not answer in time', async () => {
    expect(await engine({ run: never, timeout: 5 }).said()).toEqual(['"a" did not answer within 5 ms']);
    const { api, clock, events } = engine({ run: async () => 'B' });
    const answer = api.call('pay', never, { input: {}, timeout: 7 } as never);
    await clock.runUntilIdle();
    expect(await answer).toBe('B');
    const [doubt] = events.filter((event) => event.type === 'in-doubt');
    expect(doubt?.error).toMatchObject({ message: '"primary" did not answer within 7 ms' });
  });

  it('what kept an effect from being undone: each try, and a backoff that is none', async () => {
    const { api, clock, events } = engine((time) => ({
      run: () => later(time, 20, 'A'),
      timeout: 10,
      compensate: never,
      compensateRetries: 2,
      backoff: (attempt: number) => (attempt === 1 ? 0 : 'soon'),
    }));
    const call = api.run(TRIGGER).catch(() => {});
    await clock.runUntilIdle();
    await call;
    const [failed] = events.filter((event) => event.type === 'compensation-failed');
    const late = { message: 'the compensate of "a" did not answer within 10 ms' };
    const message = 'Invalid definition: backoff: expected milliseconds from 0 to 2147483647, got "soon"';
    expect(failed?.errors).toMatchObject([late, late, { message }]);
  });

  it('which predicate gave a promise', async () => {
    const message = (name: string) => `Invalid definition: ${name}: expected a synchronous answer, got a promise`;
    const fails = { run: () => Promise.reject(new Error('no')) };
    const slow = async () => true;
    expect(await engine(fails, { handle: slow }).said()).toContain(message('handle'));
    expect(await engine({ ...fails, inDoubtWhen: slow }).said()).toContain(message('inDoubtWhen'));
    expect(await engine({ ...fails, retries: 1, shouldRetry: slow }).said()).toContain(message('shouldRetry'));
    expect(await engine({ ...fails, retries: 1, backoff: slow }).said()).toContain(message('backoff'));
    expect(await engine({ when: slow }).said()).toEqual([message('when')]);
    expect(await engine({ accept: slow }).said()).toEqual([message('accept')]);
  });

  it('that a primary may have done its work, and no more', async () => {
    const { api, clock } = engine({});
    const call = api.call('pay', never, { input: {}, timeout: 7, inDoubt: 'stop' } as never);
    const error = call.catch((thrown: unknown) => thrown);
    await clock.runUntilIdle();
    const message = 'pay is in doubt: "primary" may have done its work';
    expect(await error).toMatchObject({ provider: 'primary', message, errors: [], attempts: [] });
  });

  it('that a primary may have done its work, and why nobody knows', async () => {
    const { api, clock } = engine({});
    const inDoubtWhen = () => {
      throw new Error('boom');
    };
    const refused = () => Promise.reject(new Error('reset'));
    const options = { input: {}, inDoubt: 'stop', inDoubtWhen };
    const error = api.call('pay', refused, options as never).catch((thrown: unknown) => thrown);
    await clock.runUntilIdle();
    expect(await error).toMatchObject({ errors: [{ message: 'boom' }] });
  });
});

describe('an error of what makes the options of a call says', () => {
  const primary = () => Promise.reject(new Error('down'));
  const throws = () => {
    throw new Error('no order');
  };
  const thrownBy = (options: object) =>
    engine({})
      .api.wrap('pay', primary, { input: () => ({}), ...options } as never)()
      .catch((error: unknown) => error);

  it('which of them is at fault, whatever it is asked for', async () => {
    const message = expect.stringMatching(
      /^expected functions that make options of the call's arguments, got one that threw .*no order/,
    );
    for (const option of ['cache', 'env', 'session', 'signal', 'deadline', 'id']) {
      const error = await thrownBy({ [option]: throws });
      expect(error).toMatchObject({ code: 'ERR_INVALID_REQUEST', issues: [{ path: 'options', message }] });
      expect(error).toMatchObject({ errors: [{ message: 'no order' }] });
    }
  });

  it('what was wrong with the input', async () => {
    const said = (why: string) =>
      expect.stringMatching(`^expected a function that makes the fallback's input at once, ${why}`);
    expect(await thrownBy({ input: throws })).toMatchObject({
      code: 'ERR_INVALID_INPUT',
      issues: [{ path: 'input', message: said('got one that threw .*no order') }],
      errors: [{ message: 'no order' }],
    });
    expect(await thrownBy({ input: async () => ({}) })).toMatchObject({
      code: 'ERR_INVALID_INPUT',
      issues: [{ path: 'input', message: said('got a promise$') }],
      errors: [],
    });
  });
});

describe('an update by hand', () => {
  it('is refused beside a cache key, in words', async () => {
    const { api } = engine({});
    const input = { providers: { a: { health: 'unhealthy' } } };
    const error = await api
      .run({ fallback_tag: 'pay', action: 'update', cache: 'k', input } as never)
      .catch((thrown: unknown) => thrown);
    const message = "expected no cache beside it, which a provider's health does not depend on";
    expect(error).toMatchObject({ issues: [{ path: 'providers.a.health', message }] });
  });
});

describe('an output that is judged too late', () => {
  it('is late, though it came in time', async () => {
    const { api, clock, events } = engine(
      { timeout: 10 },
      { output: z.string().refine(() => later(clock, 20, true) as never) },
    );
    const call = api.run(TRIGGER).catch((error) => error);
    await clock.runUntilIdle();
    expect(await call).toMatchObject({ errors: [{ code: 'ERR_ATTEMPT_TIMEOUT' }] });
    const late = events.filter(({ type }) => type === 'late');
    expect(late).toMatchObject([{ at: 20, outcome: 'fulfilled' }]);
    expect(late[0]).not.toHaveProperty('error');
  });

  it('fails where the judge itself does', async () => {
    const validate = () => Promise.reject(new Error('no judge'));
    const broken = { '~standard': { version: 1, vendor: 'test', validate } };
    expect(await engine({}, { output: broken }).said()).toEqual([expect.stringContaining('its schema refused')]);
  });
});

describe('the last error', () => {
  it('is not that of an attempt from before a reset', async () => {
    const { api, clock } = engine((time) => ({
      run: () => later(time, 20, undefined).then(() => Promise.reject(new Error('old'))),
    }));
    const call = api.run(TRIGGER).catch(() => {});
    await clock.advance(10);
    await api.run({ fallback_tag: 'pay', action: 'reset' });
    await clock.runUntilIdle();
    await call;
    expect(api.inspect({ fallback_tag: 'pay' })).toMatchObject({ state: 'idle', failures: 0 });
    expect(api.inspect({ fallback_tag: 'pay' })).not.toHaveProperty('lastError');
  });
});

describe('a retry budget', () => {
  it('is not earned by attempts that were passed over', async () => {
    const fails = { run: () => Promise.reject(new Error('down')), retries: 3, backoff: 0, concurrency: 1 };
    const { api, clock, events } = engine(fails, { retryBudget: { ratio: 1, minPerSecond: 0 } });
    // Four at once: one gets the place, three are passed over; one first attempt earns one retry.
    const calls = [1, 2, 3, 4].map(() => api.run(TRIGGER).catch(() => {}));
    await clock.runUntilIdle();
    await Promise.all(calls);
    expect(events.filter(({ type }) => type === 'attempt-started')).toHaveLength(2);
  });
});

describe('close, while the fallback of a plain wrapped call is under way', () => {
  const under = () => {
    const made = engine({ run: never });
    const call = made.api.wrap('pay', () => Promise.reject(new Error('down')), { input: () => ({}) })();
    const ends: unknown[] = [];
    call.catch((error) => ends.push(error));
    return { ...made, ends };
  };

  it('cuts it short', async () => {
    const { api, ends } = under();
    await settled();
    await api.close();
    await settled();
    expect(ends).toMatchObject([{ code: 'ERR_CLOSED', tag: 'pay', cause: { message: 'down' } }]);
  });

  it('waits for it, but no longer than its grace', async () => {
    const { api, clock, ends } = under();
    await settled();
    let isClosed = false;
    const end = api.close({ grace: 50 }).then(() => {
      isClosed = true;
    });
    await clock.advance(49);
    expect([isClosed, ends.length]).toEqual([false, 0]);
    await clock.advance(1);
    await end;
    await settled();
    expect(ends).toHaveLength(1);
  });
});
