import { describe, expect, it } from 'vitest';
import { backoffDelay } from '../../../src/engine/backoff.ts';
import { createDuctape, defineFallback } from '../../../src/index.ts';
import { type VirtualClock, virtualClock } from '../../virtual-clock.ts';

const base = { initialDelay: 100, maxDelay: 5_000, factor: 2 };
const half = () => 0.5;

describe('jitter none', () => {
  it.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [6, 3_200],
    [7, 5_000],
    [5_000, 5_000],
  ])('waits after attempt %i for %i ms', (attempt, ms) => {
    expect(backoffDelay({ ...base, jitter: 'none' }, attempt, 0, half)).toBe(ms);
  });

  it('never waits longer than maxDelay, the first time included', () => {
    expect(backoffDelay({ ...base, initialDelay: 9_000, jitter: 'none' }, 1, 0, half)).toBe(5_000);
  });

  it('makes no delay of none, however large the power of its factor', () => {
    expect(backoffDelay({ ...base, initialDelay: 0, jitter: 'none' }, 5_000, 0, half)).toBe(0);
  });
});

describe('jitter full', () => {
  it('is spread evenly between nothing and the whole delay', () => {
    const options = { ...base, jitter: 'full' } as const;
    expect(backoffDelay(options, 2, 0, () => 0)).toBe(0);
    expect(backoffDelay(options, 2, 0, half)).toBe(100);
    expect(backoffDelay(options, 2, 0, () => 0.999)).toBeCloseTo(199.8);
    expect(backoffDelay(options, 50, 0, half)).toBe(2_500);
  });
});

describe('jitter decorrelated', () => {
  const options = { ...base, jitter: 'decorrelated' } as const;

  it('starts between the initial delay and three times it, so that not all clients wait alike', () => {
    expect(backoffDelay(options, 1, 0, () => 0)).toBe(100);
    expect(backoffDelay(options, 1, 0, half)).toBe(200);
  });

  it('is spread evenly between the initial delay and three times the wait before', () => {
    expect(backoffDelay(options, 2, 200, () => 0)).toBe(100);
    expect(backoffDelay(options, 2, 200, half)).toBe(350);
    expect(backoffDelay(options, 2, 200, () => 0.999)).toBeCloseTo(599.5);
  });

  it('never exceeds maxDelay', () => {
    expect(backoffDelay(options, 9, 5_000, half)).toBe(5_000);
  });
});

describe('the waits of a trigger', () => {
  /** When, by the clock, each attempt of a provider that always fails began. */
  async function starts(backoff: unknown, random = half, clock: VirtualClock = virtualClock()) {
    const at: number[] = [];
    const ductape = createDuctape({ env: 'prd', product: 'payments', clock, random });
    const run = async () => {
      at.push(clock.now());
      throw new Error('down');
    };
    const provider = { name: 'stripe', run, retries: 3, ...(backoff !== undefined && { backoff: backoff as number }) };
    ductape.fallback.define(defineFallback({ tag: 'pay', providers: [provider] }));
    const over = ductape.fallback.run({ fallback_tag: 'pay', action: 'trigger' }).catch((error: unknown) => error);
    await clock.runUntilIdle();
    return { at, error: (await over) as { readonly errors: readonly unknown[] } };
  }

  it('are by default 100 ms doubled each time, with full jitter', async () => {
    expect((await starts(undefined)).at).toEqual([0, 50, 150, 350]);
  });

  it('take the defaults for the options left out', async () => {
    expect((await starts({ jitter: 'none' })).at).toEqual([0, 100, 300, 700]);
    expect((await starts({ initialDelay: 10, factor: 3, jitter: 'none' })).at).toEqual([0, 10, 40, 130]);
  });

  it('are constant where backoff is a number', async () => {
    expect((await starts(7)).at).toEqual([0, 7, 14, 21]);
    expect((await starts(0)).at).toEqual([0, 0, 0, 0]);
  });

  it('build, when decorrelated, on the wait before', async () => {
    // Halfway between 100 and 300, then between 100 and three times 200, then between 100 and three times 350.
    expect((await starts({ jitter: 'decorrelated' })).at).toEqual([0, 200, 550, 1_125]);
  });

  it('are what a function of attempt and error says', async () => {
    const asked: unknown[] = [];
    const backoff = (attempt: number, error: unknown) => {
      asked.push([attempt, (error as Error).message]);
      return attempt * 10;
    };
    expect((await starts(backoff)).at).toEqual([0, 10, 30, 60]);
    expect(asked).toEqual([
      [1, 'down'],
      [2, 'down'],
      [3, 'down'],
    ]);
  });

  it.each([
    ['NaN', Number.NaN],
    ['a negative', -1],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['more than a timer can take', 2_147_483_648],
    ['nothing', undefined],
    ['a string', '10'],
    ['a promise', Promise.resolve(10)],
  ])('end with %s for an answer, which is an error beside that of the attempt', async (_what, answer) => {
    const { at, error } = await starts(() => answer);
    expect(at).toEqual([0]);
    expect(error.errors).toEqual([
      expect.objectContaining({ message: 'down' }),
      expect.objectContaining({ code: 'ERR_INVALID_DEFINITION' }),
    ]);
  });

  it('end where the function throws, with its error after that of the attempt', async () => {
    const fault = new Error('no such header');
    const { at, error } = await starts(() => {
      throw fault;
    });
    expect(at).toEqual([0]);
    expect(error.errors).toEqual([expect.objectContaining({ message: 'down' }), fault]);
  });
});
