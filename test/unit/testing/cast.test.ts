import { describe, expect, it, vi } from 'vitest';
import { type Actors, aftermathFor, cast } from '../../../src/testing/cast.ts';
import type { RawProvider } from '../../../src/testing/raw.ts';
import { FAULTS } from '../../../src/testing/trace.ts';

type Acted = Readonly<Record<string, unknown>> & {
  run(...args: unknown[]): unknown;
  verify(...args: unknown[]): unknown;
  compensate(...args: unknown[]): unknown;
  readonly healthcheck: { check(...args: unknown[]): unknown };
};

const never = () => {
  throw new Error('what the provider would do to the world is done');
};

/** A definition of one provider, played by actors that keep what they are asked. */
function played(provider: object, definition: object = {}) {
  const asked: unknown[][] = [];
  const ask =
    (what: string) =>
    (...args: unknown[]) => {
      asked.push([what, ...args]);
      return `${what} acted`;
    };
  const actors = { run: ask('run'), verify: ask('verify'), compensate: ask('compensate'), check: ask('check') };
  const raw = { tag: 'pay', providers: [{ name: 'one', ...provider }], ...definition };
  const acted = cast(raw as never, actors as Actors) as { readonly providers: readonly Acted[] };
  return { acted, one: acted.providers[0] as Acted, asked };
}

const ctx = { id: 't1', attempt: 2 };

describe('a definition that is played', () => {
  it('has its actors asked in the place of its providers, each for what it needs to know', () => {
    const healthcheck = { check: never, interval: 10, timeout: 5 };
    const { one, asked } = played({ run: never, verify: never, compensate: never, healthcheck });
    expect(one.run({ order: 1 }, ctx)).toBe('run acted');
    expect(one.verify({ order: 1 }, ctx)).toBe('verify acted');
    expect(one.compensate('paid', { order: 1 }, ctx)).toBe('compensate acted');
    expect(one.healthcheck.check(ctx)).toBe('check acted');
    expect(asked).toEqual([
      ['run', 'one', { order: 1 }, ctx],
      ['verify', 'one', ctx],
      ['compensate', 'one', 'paid', ctx],
      ['check', 'one', ctx],
    ]);
    expect(one.healthcheck).toMatchObject({ interval: 10, timeout: 5 });
  });

  it('has nothing that its user did not write', () => {
    expect(played({ value: 'queued' }).acted).toStrictEqual({
      tag: 'pay',
      providers: [{ name: 'one', value: 'queued' }],
    });
  });

  it('keeps everything else as it is, but exists everywhere', () => {
    const handle = () => true;
    const { acted, one } = played(
      { run: never, retries: 2, timeout: null, idempotent: true },
      { env: 'live', product: ['shop'], maxRetries: 3, resetAfter: 'never', handle },
    );
    expect(acted).toStrictEqual({ tag: 'pay', maxRetries: 3, resetAfter: 'never', handle, providers: [one] });
    expect(one).toStrictEqual({
      name: 'one',
      run: expect.any(Function),
      retries: 2,
      timeout: null,
      idempotent: true,
    });
  });

  it('asks predicates on the provider they were written on', () => {
    class Limited {
      readonly name = 'one';
      readonly most = 5;
      when(input: { readonly order: number }) {
        return input.order <= this.most;
      }
    }
    const raw = { tag: 'pay', providers: [new Limited()] };
    const actors = { run: vi.fn(), verify: vi.fn(), compensate: vi.fn(), check: vi.fn() };
    const [one] = (cast(raw, actors) as { providers: readonly Limited[] }).providers;
    expect([one?.when({ order: 5 }), one?.when({ order: 6 })]).toEqual([true, false]);
  });
});

describe('what may go wrong afterwards', () => {
  const evenly = Object.fromEntries(FAULTS.map((fault) => [fault, 1]));
  const one = { name: 'one', run: never };
  const both = { ...one, verify: never, compensate: never, timeout: 50 };

  it.each<[string, RawProvider, Readonly<Record<string, number>>, object[]]>([
    ['nothing, without any', one, evenly, []],
    [
      'a verify, once',
      { ...one, verify: never },
      evenly,
      [{ name: 'one', of: 'verify', kinds: ['reject', 'throw', 'slow', 'hang'], most: 1 }],
    ],
    [
      'a verify, for each attempt',
      { ...one, verify: never, retries: 2 },
      evenly,
      [{ name: 'one', of: 'verify', kinds: ['reject', 'throw', 'slow', 'hang'], most: 3 }],
    ],
    [
      'a compensation, as often as it is tried again by default, and is never late without a timeout',
      { ...one, compensate: never },
      evenly,
      [{ name: 'one', of: 'compensate', kinds: ['reject', 'throw', 'lost'], most: 3 }],
    ],
    [
      'a compensation with no timeout in so many words',
      { ...one, compensate: never, timeout: null },
      evenly,
      [{ name: 'one', of: 'compensate', kinds: ['reject', 'throw', 'lost'], most: 3 }],
    ],
    [
      'a compensation, as often as it is tried again, and with a timeout late',
      { ...one, compensate: never, compensateRetries: 0, timeout: 50 },
      evenly,
      [{ name: 'one', of: 'compensate', kinds: ['reject', 'throw', 'lost', 'slow', 'hang'], most: 0 }],
    ],
    [
      'both, but for what weighs nothing',
      both,
      { ...evenly, hang: 0, reject: 0.01, throw: 0 },
      [
        { name: 'one', of: 'verify', kinds: ['reject', 'slow'], most: 1 },
        { name: 'one', of: 'compensate', kinds: ['reject', 'lost', 'slow'], most: 3 },
      ],
    ],
    [
      'both, where no weight is said',
      both,
      {},
      [
        { name: 'one', of: 'verify', kinds: ['reject', 'throw', 'slow', 'hang'], most: 1 },
        { name: 'one', of: 'compensate', kinds: ['reject', 'throw', 'lost', 'slow', 'hang'], most: 3 },
      ],
    ],
  ])('is of %s', (_, provider, weights, faults) => {
    expect(aftermathFor(provider, weights)).toEqual(faults);
  });
});
