import { describe, expect, it } from 'vitest';
import {
  type AttemptRecord,
  createDuctape,
  defineFallback,
  type RetryBudgetOptions,
  type TriggerResult,
} from '../../../src/index.ts';
import { RetryBudget } from '../../../src/memory/retry-budget.ts';
import { virtualClock } from '../../virtual-clock.ts';

/** A budget to which so many first attempts and retries have been put down, at one time. */
function spent(firsts: number, retries: number, at: number, budget = new RetryBudget()): RetryBudget {
  for (let count = 0; count < firsts; count++) budget.spend(false, at);
  for (let count = 0; count < retries; count++) budget.spend(true, at);
  return budget;
}

describe('a budget of retries', () => {
  const tenth = { ratio: 0.1, minPerSecond: 0 };

  it('allows the share of first attempts, and not one more', () => {
    expect(spent(0, 0, 5_000).affords(tenth, 5_000)).toBe(false);
    expect(spent(9, 0, 5_000).affords(tenth, 5_000)).toBe(false);
    expect(spent(10, 0, 5_000).affords(tenth, 5_000)).toBe(true);
    expect(spent(10, 1, 5_000).affords(tenth, 5_000)).toBe(false);
    expect(spent(20, 1, 5_000).affords(tenth, 5_000)).toBe(true);
  });

  it('allows the floor of ten seconds, whatever was tried', () => {
    const floor = { ratio: 0, minPerSecond: 0.5 };
    expect(new RetryBudget().affords(floor, 0)).toBe(true);
    expect(spent(0, 4, 0).affords(floor, 0)).toBe(true);
    expect(spent(0, 5, 0).affords(floor, 0)).toBe(false);
  });

  it('adds the floor to the share', () => {
    const both = { ratio: 0.1, minPerSecond: 0.1 };
    expect(spent(10, 1, 0).affords(both, 0)).toBe(true);
    expect(spent(10, 2, 0).affords(both, 0)).toBe(false);
  });

  it('allows none where it says so', () => {
    expect(spent(1_000, 0, 0).affords({ ratio: 0, minPerSecond: 0 }, 0)).toBe(false);
  });

  it('counts first attempts for no more than ten seconds, and for 100 ms less at least', () => {
    const budget = spent(10, 0, 5_000);
    expect(budget.affords(tenth, 14_899)).toBe(true);
    expect(budget.affords(tenth, 15_001)).toBe(false);
  });

  it('counts retries for ten seconds at least, and for 100 ms more at most', () => {
    const floor = { ratio: 0, minPerSecond: 0.1 };
    const budget = spent(0, 1, 5_000);
    expect(budget.affords(floor, 15_000)).toBe(false);
    expect(budget.affords(floor, 15_100)).toBe(true);
  });

  it('forgets what is long past, also where a slice is used again', () => {
    const budget = spent(50, 50, 0);
    for (const at of [10_100, 20_200, 1_000_000_000]) {
      spent(10, 0, at, budget);
      expect(budget.affords(tenth, at)).toBe(true);
      spent(0, 1, at, budget);
      expect(budget.affords(tenth, at)).toBe(false);
    }
  });

  it('runs on clocks that began before zero, and on fractions', () => {
    for (const at of [-123_456.75, -50, 0.25, 1_700_000_000_000.125]) {
      expect(spent(10, 0, at).affords(tenth, at + 9_000)).toBe(true);
      expect(spent(10, 1, at).affords(tenth, at + 9_000)).toBe(false);
    }
  });
});

/** One provider that fails, and a last resort; a clock of its own, at any time of day. */
function engine(retryBudget: RetryBudgetOptions | undefined, provider: object = {}, start = 1_234_567) {
  const clock = virtualClock(start);
  const { fallback: api } = createDuctape({ clock });
  api.define(
    defineFallback({
      tag: 'pay',
      ...(retryBudget && { retryBudget }),
      providers: [
        { name: 'down', run: () => Promise.reject(new Error('down')), retries: 2, backoff: 0, ...provider },
        { name: 'queue', value: 'queued' },
      ],
    }),
  );
  const trigger = async (place: object = {}): Promise<readonly string[]> => {
    const request = { env: 'prd', product: 'shop', fallback_tag: 'pay', action: 'trigger', ...place } as const;
    const result = api.run(request);
    await clock.runUntilIdle();
    return told((await result).attempts);
  };
  return { api, clock, trigger };
}

const told = (attempts: TriggerResult['attempts']) =>
  attempts.map(({ provider, attempt, outcome, reason }: AttemptRecord) =>
    [provider, attempt, reason ?? outcome].join(' '),
  );
const ONE = { ratio: 0, minPerSecond: 0.1 };
const MADE = ['down 1 failed', 'down 2 failed'];
const END = 'queue 1 succeeded';

describe('retryBudget', () => {
  it('lets retries be made while it lasts; beyond it the trigger moves on, and its record says why', async () => {
    const { trigger } = engine(ONE);
    expect(await trigger()).toEqual([...MADE, 'down 3 budget', END]);
    expect(await trigger()).toEqual(['down 1 failed', 'down 2 budget', END]);
  });

  it('bounds nothing where there is none', async () => {
    const { trigger } = engine(undefined);
    for (let count = 0; count < 20; count++) expect(await trigger()).toEqual([...MADE, 'down 3 failed', END]);
  });

  it('is earned by first attempts', async () => {
    const { trigger } = engine({ ratio: 0.5, minPerSecond: 0 });
    expect(await trigger()).toEqual(['down 1 failed', 'down 2 budget', END]);
    expect(await trigger()).toEqual([...MADE, 'down 3 budget', END]);
    expect(await trigger()).toEqual(['down 1 failed', 'down 2 budget', END]);
  });

  it('comes back as the ten seconds slide on', async () => {
    const { trigger, clock } = engine(ONE);
    await trigger();
    await clock.advance(9_900);
    expect(await trigger()).toContain('down 2 budget');
    await clock.advance(200);
    expect(await trigger()).toEqual([...MADE, 'down 3 budget', END]);
  });

  it('does not wait for a retry that it refuses', async () => {
    const { trigger, clock } = engine(ONE, { backoff: 700 });
    await trigger();
    const start = clock.now();
    await trigger();
    expect(clock.now() - start).toBe(0);
  });

  it('refuses a retry that it can no longer afford after the wait', async () => {
    const { api, clock } = engine(ONE, { backoff: 700, retries: 1 });
    const request = { env: 'prd', product: 'shop', fallback_tag: 'pay', action: 'trigger' } as const;
    const both = [api.run(request), api.run(request)];
    await clock.runUntilIdle();
    const [one, other] = await Promise.all(both);
    expect([one, other].map((result) => told(result?.attempts ?? [])[1]).sort()).toEqual([
      'down 2 budget',
      'down 2 failed',
    ]);
  });

  it('is one for all cache keys, and another for each env, product, tag and provider', async () => {
    const { api, clock, trigger } = engine(ONE);
    const again = defineFallback({
      tag: 'other',
      retryBudget: ONE,
      providers: ['down', 'too'].map((name) => ({
        name,
        run: () => Promise.reject(new Error()),
        retries: 1,
        backoff: 0,
      })),
      maxRetries: 99,
    });
    api.define(again);
    expect(await trigger({ cache: 'a' })).toContain('down 2 failed');
    expect(await trigger({ cache: 'b' })).toContain('down 2 budget');
    expect(await trigger({ env: 'dev' })).toContain('down 2 failed');
    expect(await trigger({ product: 'till' })).toContain('down 2 failed');
    const failed = api.run({ env: 'prd', product: 'shop', fallback_tag: 'other', action: 'trigger' }).catch((e) => e);
    await clock.runUntilIdle();
    expect(told((await failed).attempts)).toEqual(['down 1 failed', 'down 2 failed', 'too 1 failed', 'too 2 failed']);
  });

  it('counts no attempt that was not made', async () => {
    const { trigger } = engine({ ratio: 1, minPerSecond: 0 }, { when: (input: { skip?: boolean }) => !input.skip });
    for (let count = 0; count < 5; count++) await trigger({ input: { skip: true } });
    expect(await trigger()).toEqual([...MADE, 'down 3 budget', END]);
  });

  it('keeps the errors: a budget adds none of its own', async () => {
    const { api, clock } = engine({ ratio: 0, minPerSecond: 0 });
    const down = new Error('down');
    api.define(
      defineFallback({
        tag: 'alone',
        retryBudget: { ratio: 0, minPerSecond: 0 },
        providers: [{ name: 'only', run: () => Promise.reject(down), retries: 3, backoff: 50 }],
      }),
    );
    const failed = api
      .run({ env: 'e', product: 'p', fallback_tag: 'alone', action: 'trigger' })
      .catch((error) => error);
    await clock.runUntilIdle();
    expect(await failed).toMatchObject({ code: 'ERR_FALLBACK_FAILED', errors: [down] });
    expect(told((await failed).attempts)).toEqual(['only 1 failed', 'only 2 budget']);
    expect(clock.pending).toBe(0);
  });

  it('does not keep its env and product from making room for another', async () => {
    const clock = virtualClock();
    const { fallback: api } = createDuctape({ clock, env: 'e', maxScopes: 1 });
    const down = { name: 'down', run: () => Promise.reject(new Error('down')), retries: 1, backoff: 0 };
    api.define(defineFallback({ tag: 'pay', retryBudget: ONE, providers: [down, { name: 'queue', value: 'queued' }] }));
    const trigger = { fallback_tag: 'pay', action: 'trigger' } as const;
    await api.run({ product: 'shop', ...trigger });
    expect(await api.run({ product: 'till', ...trigger })).toMatchObject({ output: 'queued' });
  });
});
