import { dequal } from 'dequal';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createDuctape,
  defineFallback,
  type Fallback,
  FallbackExhaustedError,
  FallbackFailedError,
  type RetryBudgetOptions,
} from '../../src/index.ts';
import { canon } from '../../src/memory/canon.ts';
import { RetryBudget } from '../../src/memory/retry-budget.ts';
import { RUNS, settled, type VirtualClock, virtualClock } from '../virtual-clock.ts';

/**
 * JSON-ish values and more, few enough of each kind that two are often equal. Left out is what dequal itself is wrong
 * about: invalid dates, and an undefined in a Map, which it takes for a missing key.
 */
const { value } = fc.letrec<{ value: unknown; leaf: unknown; key: unknown; item: unknown }>((tie) => ({
  leaf: fc.constantFrom<unknown>(0, -0, 1, 1n, Number.NaN, '', '1', 'a', 'a,b', true, false, null, undefined),
  key: fc.oneof({ weight: 3, arbitrary: tie('leaf') }, { weight: 1, arbitrary: tie('value') }),
  item: tie('value').map((made) => made ?? null),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: tie('leaf') },
    { weight: 1, arbitrary: fc.constantFrom(0, 5).map((at) => new Date(at)) },
    { weight: 1, arbitrary: fc.constantFrom('a', 'b').map((text) => new RegExp(text)) },
    { weight: 1, arbitrary: fc.array(fc.nat(1), { maxLength: 2 }).map((bytes) => new Uint8Array(bytes)) },
    { weight: 3, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    {
      weight: 3,
      arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'c', '1', 'a"'), tie('value'), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.uniqueArray(tie('key'), { maxLength: 3, comparator: dequal }).map((all) => new Set(all)),
    },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(fc.tuple(tie('key'), tie('item')), { maxLength: 3, comparator: dequal, selector: ([key]) => key })
        .map((entries) => new Map(entries)),
    },
  ),
}));

/** An equal value in which nothing is the same object, and whatever order does not matter is another. */
function copied(value: unknown): unknown {
  if (value instanceof Date) return new Date(value);
  if (value instanceof RegExp) return new RegExp(value);
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Set) return new Set([...value].reverse().map(copied));
  if (value instanceof Map) return new Map([...value].reverse().map(([key, item]) => [copied(key), copied(item)]));
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, copied(item)]),
  );
}

describe('the key of an answer', () => {
  it('is shared by two inputs if, and only if, they are deeply equal', async () => {
    const seen = { equal: 0, other: 0 };
    fc.assert(
      fc.property(value, value, (one, other) => {
        const isEqual = dequal(one, other) && dequal(other, one);
        seen[isEqual ? 'equal' : 'other']++;
        expect(canon(one)).toBeTypeOf('string');
        expect(canon(one) === canon(other)).toBe(isEqual);
      }),
      { numRuns: RUNS * 5 },
    );
    expect(Math.min(seen.equal, seen.other)).toBeGreaterThan(RUNS / 100);
  });

  it('is shared by whatever is equal, and by no change of a part', () => {
    fc.assert(
      fc.property(value, fc.array(value, { maxLength: 2 }), (one, more) => {
        expect(canon(copied(one))).toBe(canon(one));
        const [whole, other] = [{ one, more }, copied({ one, more: [...more, 'more'] })];
        expect(canon(whole)).not.toBe(canon(other));
        expect(canon([one, ...more])).not.toBe(canon([[one], ...more]));
      }),
      { numRuns: RUNS },
    );
  });
});

/** Where a trigger goes. */
const place = fc.record(
  {
    env: fc.constantFrom('e', 'e2'),
    product: fc.constantFrom('p', '__proto__'),
    fallback_tag: fc.constantFrom('a', 'b'),
    cache: fc.constantFrom(undefined, 'k', '","k'),
  },
  { noNullPrototype: true },
);
type Place = typeof place extends fc.Arbitrary<infer P> ? P : never;
const HERE: Place = { env: 'e', product: 'p', fallback_tag: 'a', cache: undefined };
const order = fc.constantFrom<Record<string, unknown>>({ id: 1 }, { id: '1' }, { id: [1] }, { id: 1, note: undefined });

const isSame = (one: Given, other: Given) => dequal(one.place, other.place) && dequal(one.input, other.input);

/** An answer that was given, to whom, and when. */
interface Given {
  readonly place: Place;
  readonly input: unknown;
  readonly output?: unknown;
  readonly at: number;
}

type Step =
  | { readonly type: 'trigger' | 'call'; readonly place: Place; readonly input: Record<string, unknown>; isUp: boolean }
  | { readonly type: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom('trigger' as const, 'trigger' as const, 'call' as const),
      place,
      input: order,
      isUp: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(1, 60, 99, 100) }) },
);

describe('a last good answer', () => {
  const MAX_AGE = 100;

  /** Both fallbacks ask the same bank, and are exhausted by the second failure in a row. */
  function makeEngine(clock: VirtualClock, ask: (input: unknown) => unknown) {
    const fallbacks = ['a', 'b'].map((tag) =>
      defineFallback({
        tag,
        maxRetries: 1,
        resetAfter: 'never',
        providers: [
          { name: 'bank', run: ask },
          { name: 'old', lastGood: { maxAge: MAX_AGE } },
        ],
      }),
    );
    return createDuctape<readonly Fallback[]>({ clock, fallbacks }).fallback;
  }

  it('never crosses keys, nor outlives maxAge, nor is remembered itself: a model that forgets nothing agrees', async () => {
    let stale = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const clock = virtualClock(1_000);
        const given: Given[] = [];
        let isUp = true;
        let calls = 0;
        const answer = async () => {
          if (!isUp) throw new Error('down');
          return { receipt: ++calls };
        };
        const engine = makeEngine(clock, answer);
        for (const step of steps) {
          if (step.type === 'advance') {
            await clock.advance(step.ms);
            continue;
          }
          const { place, input } = step;
          const now = { place, input, at: clock.now() };
          const before = calls;
          isUp = step.isUp;
          const { fallback_tag: tag, ...at } = place;
          const request = { ...place, cache: place.cache as string, action: 'trigger', input } as const;
          const outcome = await (step.type === 'call'
            ? engine.call(tag, answer, { ...at, input }).then((output) => ({ output, stale: !isUp, age: undefined }))
            : engine.run(request)
          ).catch((error: unknown) => ({ error }));
          const known = given.findLast((one) => isSame(one, now) && now.at - one.at <= MAX_AGE);
          if (calls > before) {
            expect(outcome).toMatchObject({ output: { receipt: calls } });
            expect('stale' in outcome && outcome.stale).toBeFalsy();
            given.push({ ...now, output: { receipt: calls } });
          } else if (known) {
            stale++;
            expect(outcome).toMatchObject({ output: known.output, stale: true });
            if (step.type === 'trigger') expect(outcome).toHaveProperty('age', now.at - known.at);
          } else {
            const { error } = outcome as { error: unknown };
            expect(error instanceof FallbackFailedError || error instanceof FallbackExhaustedError).toBe(true);
          }
        }
        expect(clock.pending).toBe(0);
      }),
      { numRuns: RUNS },
    );
    expect(stale).toBeGreaterThan(RUNS / 20);
  });
});

/** A trigger of a fallback that reuses its answers, and when its caller's patience ends. */
/** Mostly for the same order at the same place: equal ones are what this is about. */
const asking = fc.record({
  after: fc.constantFrom(0, 0, 3, 20, 150),
  place: fc.oneof({ weight: 3, arbitrary: fc.constant(HERE) }, { weight: 1, arbitrary: place }),
  input: fc.oneof({ weight: 2, arbitrary: fc.constant({ id: 1 }) }, { weight: 1, arbitrary: order }),
  takes: fc.constantFrom(0, 10, 40),
  isUp: fc.constantFrom(true, true, true, false),
  abortAfter: fc.constantFrom(undefined, undefined, undefined, 0, 5, 25),
  deadline: fc.constantFrom(undefined, undefined, undefined, 8, 30),
});

/** One such trigger, and how it ended. */
interface Asked extends Given {
  readonly id: string;
  readonly endsAt: number;
  readonly controller: AbortController;
  /** Whoever is called for it. */
  readonly calls: number[];
  end:
    | { readonly output?: unknown; readonly isReused?: boolean; readonly error?: unknown; readonly at: number }
    | undefined;
  settlements: number;
}

describe('reuse', () => {
  const MAX_AGE = 100;

  function makeEngine(clock: VirtualClock, charge: (input: unknown, ctx: { readonly id: string }) => unknown) {
    const fallbacks = ['a', 'b'].map((tag) =>
      defineFallback({
        tag,
        maxRetries: 1_000,
        reuse: { maxAge: MAX_AGE },
        providers: [{ name: 'bank', run: charge }],
      }),
    );
    return createDuctape<readonly Fallback[]>({ clock, fallbacks }).fallback;
  }

  async function lived(all: readonly (typeof asking extends fc.Arbitrary<infer A> ? A : never)[]) {
    const clock = virtualClock(1_000);
    const triggers: Asked[] = [];
    const receipts: Given[] = [];
    /** Kept, not thrown: a provider that throws is only a failed attempt. */
    const breaches: string[] = [];
    const engine = makeEngine(clock, async (input, { id }) => {
      const number = Number(id);
      const asked = triggers[number] as Asked;
      const { takes = 0, isUp = true } = all[number] ?? {};
      asked.calls.push(clock.now());
      // What nobody may be asked for: while an equal trigger has called and is not over, or its answer is fresh.
      const equals = triggers.filter((one) => one !== asked && one.calls.length > 0 && isSame(one, asked));
      const isBarred = ({ end }: Asked) => !end || (!('error' in end) && clock.now() - end.at <= MAX_AGE);
      if (equals.some(isBarred)) breaches.push(`trigger ${number} calls at ${clock.now()}`);
      if (takes > 0) await new Promise<void>((resolve) => void clock.setTimeout(resolve, takes));
      if (!isUp) throw new Error(`down ${number}`);
      const receipt = { place: asked.place, input, at: clock.now(), output: { receipt: number } };
      receipts.push(receipt);
      return receipt.output;
    });
    for (const { after, place, input, abortAfter, deadline } of all) {
      await clock.advance(after);
      const controller = new AbortController();
      const limit = Math.min(abortAfter ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY);
      const id = `${triggers.length}`;
      const at = clock.now();
      const asked: Asked = {
        id,
        place,
        input,
        at,
        endsAt: at + limit,
        controller,
        calls: [],
        end: undefined,
        settlements: 0,
      };
      triggers.push(asked);
      const over = (end: object) => {
        asked.settlements++;
        asked.end = { ...end, at: clock.now() };
      };
      if (abortAfter !== undefined) clock.setTimeout(() => controller.abort(new Error(`abort ${id}`)), abortAfter);
      const request = { ...place, cache: place.cache as string, action: 'trigger', input } as const;
      engine.run(request, { id, signal: controller.signal, deadline }).then(
        ({ output, reused }) => over({ output, isReused: reused === true }),
        (error: unknown) => over({ error }),
      );
    }
    await clock.runUntilIdle();
    await settled();
    return { clock, triggers, receipts, breaches };
  }

  it('gives no order the receipt of another, calls nobody twice for equal ones, and leaves each its own limits', async () => {
    let [reused, shared] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(asking, { maxLength: 20, size: 'max' }), async (all) => {
        const { clock, triggers, receipts, breaches } = await lived(all);
        expect(breaches).toEqual([]);
        for (const trigger of triggers) {
          const { end, settlements, calls, endsAt, controller } = trigger;
          expect(settlements).toBe(1);
          expect(calls.length).toBeLessThanOrEqual(1);
          if (!end) continue;
          expect(end.at).toBeLessThanOrEqual(endsAt);
          if ('output' in end) {
            const receipt = receipts.find(({ output }) => output === end.output) as Given;
            expect(isSame(receipt, trigger)).toBe(true);
            expect(end.isReused).toBe(calls.length === 0);
            if (end.isReused) reused++;
            // An equal trigger that was under way when it was asked has answered later, even.
            expect(trigger.at - receipt.at).toBeLessThanOrEqual(MAX_AGE);
            continue;
          }
          if (controller.signal.aborted && end.error === controller.signal.reason) {
            expect(end.at).toBe(endsAt);
            continue;
          }
          // Its own deadline, its own failure, or that of the one it waited for.
          const { id, errors } = end.error as FallbackFailedError;
          if (errors.some((error) => (error as { code?: unknown }).code === 'ERR_DEADLINE')) {
            expect([id, end.at]).toEqual([trigger.id, endsAt]);
            continue;
          }
          expect(id).toBe(trigger.id);
          const isOf = ({ calls, end }: Asked) =>
            calls.length > 0 && (end?.error as Partial<FallbackFailedError> | undefined)?.errors?.[0] === errors[0];
          const leader = calls.length > 0 ? trigger : (triggers.find(isOf) as Asked);
          expect(leader.calls).toHaveLength(1);
          expect(isSame(leader, trigger)).toBe(true);
          if (leader !== trigger) shared++;
        }
        expect(clock.pending).toBe(0);
      }),
      { numRuns: RUNS },
    );
    expect(reused).toBeGreaterThan(RUNS / 10);
    expect(shared).toBeGreaterThan(RUNS / 100);
  });

  it('calls once for each order of a sequence, in whatever order they come and come again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, order), { minLength: 1, maxLength: 30 }), async (sequence) => {
        const clock = virtualClock();
        let calls = 0;
        const engine = makeEngine(clock, () => ++calls);
        const distinct: Given[] = [];
        for (const [place, input] of sequence) {
          const now = { place, input, at: 0 };
          if (!distinct.some((one) => isSame(one, now))) distinct.push(now);
          await engine.run({ ...place, cache: place.cache as string, action: 'trigger', input });
          expect(calls).toBe(distinct.length);
        }
      }),
      { numRuns: RUNS / 4 },
    );
  });
});

const WINDOW = 10_000;
/** How far the engine's counting, in slices, may be off, always to the careful side. */
const SLICE = 100;

type Entry = { readonly kind: 'first' | 'retry' | 'refused'; readonly at: number };

const terms: fc.Arbitrary<RetryBudgetOptions> = fc.record({
  ratio: fc.constantFrom(0, 0.1, 0.5, 1),
  minPerSecond: fc.constantFrom(0, 0.1, 0.4),
});

/** Every window that ends at a retry is within the budget; and what was refused would not have been, but for the rounding. */
function judge(log: readonly Entry[], { ratio, minPerSecond }: RetryBudgetOptions): void {
  const count = (kind: Entry['kind'], until: number, from: number) =>
    log.slice(0, until).filter((entry) => entry.kind === kind && entry.at >= from).length;
  log.forEach(({ kind, at }, index) => {
    const allowed = (firsts: number) => ratio * firsts + (minPerSecond * WINDOW) / 1_000;
    if (kind === 'retry') {
      const retries = count('retry', index + 1, at - WINDOW);
      expect(retries).toBeLessThanOrEqual(allowed(count('first', index, at - WINDOW)));
    } else if (kind === 'refused') {
      const retries = count('retry', index, at - WINDOW - SLICE) + 1;
      expect(retries).toBeGreaterThan(allowed(count('first', index, at - WINDOW + SLICE)));
    }
  });
}

describe('a budget of retries', () => {
  it('holds over every window that ends at a retry, and refuses no more than its slices explain', () => {
    const load = fc.record({
      after: fc.constantFrom(0, 1, 70, 100, 950, 4_000, 9_999),
      firsts: fc.nat(6),
      retries: fc.nat(4),
    });
    const seen = { first: 0, retry: 0, refused: 0 };
    fc.assert(
      fc.property(terms, fc.nat(100_000), fc.array(load, { maxLength: 40, size: 'max' }), (terms, start, loads) => {
        const budget = new RetryBudget();
        const log: Entry[] = [];
        let at = start;
        const put = (kind: Entry['kind']) => {
          seen[kind]++;
          log.push({ kind, at });
          if (kind !== 'refused') budget.spend(kind === 'retry', at);
        };
        for (const { after, firsts, retries } of loads) {
          at += after;
          for (let count = 0; count < firsts; count++) put('first');
          for (let count = 0; count < retries; count++) put(budget.affords(terms, at) ? 'retry' : 'refused');
        }
        judge(log, terms);
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(seen.retry, seen.refused)).toBeGreaterThan(RUNS);
  });

  it('holds for triggers under any load, their waits and their cache keys included', async () => {
    const load = fc.record({
      after: fc.constantFrom(0, 1, 70, 950, 4_000, 9_999),
      triggers: fc.nat(5),
      cache: fc.constantFrom(undefined, 'k', 'l'),
    });
    const provider = fc.record({ retries: fc.nat(3), backoff: fc.constantFrom(0, 30, 700) });
    const seen = { first: 0, retry: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        terms,
        provider,
        fc.array(load, { maxLength: 20, size: 'max' }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        async (terms, provider, loads, fates) => {
          const clock = virtualClock(1_234);
          const log: Entry[] = [];
          const put = (kind: Entry['kind']) => {
            seen[kind]++;
            log.push({ kind, at: clock.now() });
          };
          const fallback = defineFallback({
            tag: 'pay',
            retryBudget: terms,
            providers: [
              {
                name: 'bank',
                ...provider,
                run: async (_input, { attempt }): Promise<string> => {
                  put(attempt === 1 ? 'first' : 'retry');
                  if (fates[log.length % fates.length]) throw new Error('down');
                  return 'receipt';
                },
              },
              {
                name: 'queue',
                value: (_input, { previous }) => {
                  if (previous.at(-1)?.reason === 'budget') put('refused');
                  return 'queued';
                },
              },
            ],
          });
          const { fallback: engine } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [fallback] as const });
          const results: Promise<unknown>[] = [];
          for (const { after, triggers, cache } of loads) {
            await clock.advance(after);
            for (let count = 0; count < triggers; count++) {
              results.push(engine.run({ fallback_tag: 'pay', action: 'trigger', cache }));
            }
          }
          await clock.runUntilIdle();
          await Promise.all(results);
          judge(log, terms);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: RUNS / 4 },
    );
    expect(Math.min(seen.retry, seen.refused)).toBeGreaterThan(RUNS / 4);
  });
});
