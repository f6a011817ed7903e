import { createDuctape, defineFallback } from '../../../../dist/index.js';
import { outputOf } from '../peers/ours.ts';
import type { Contender, TimedRow } from '../shapes.ts';
import { answers, isAnswer } from '../work.ts';

const plain = { name: 'first', run: answers } as const;
const second = { name: 'second', run: answers, idempotent: true } as const;

/** A fallback with all that provider safety offers, in use once, beside the one that is measured. */
const everything = defineFallback({
  tag: 'everything',
  reuse: { maxAge: 1_000 },
  retryBudget: { ratio: 0.2, minPerSecond: 1 },
  providers: [
    {
      ...plain,
      breaker: { failures: 3, cooldown: 1_000 },
      healthcheck: { check: () => true, interval: 1_000 },
      concurrency: 10,
      inDoubt: 'verify',
      verify: () => ({ done: false }),
      compensate: () => {},
    },
    { name: 'stale', lastGood: { maxAge: 1_000 } },
  ],
});

type Providers = Parameters<typeof defineFallback>[0]['providers'];

async function running(
  name: string,
  providers: Providers,
  ...others: readonly (typeof everything)[]
): Promise<Contender> {
  const measured = defineFallback({ tag: 'measured', providers });
  const { fallback } = createDuctape({ env: 'prd', product: 'payments' });
  for (const one of [measured, ...others]) fallback.define(one);
  for (const _ of others) await fallback.run({ fallback_tag: 'everything', action: 'trigger' });
  return {
    name,
    does: { answered: 1, rejected: 0 },
    isRight: (result) => isAnswer(outputOf(result)),
    call: () => fallback.run({ fallback_tag: 'measured', action: 'trigger' }),
  };
}

const off = () => running('without', [plain]);

const common = { unit: 'ns per call', manner: 'awaited' } as const;

export const safety: readonly TimedRow[] = [
  {
    ...common,
    name: 'provider safety: all of it off',
    how: 'ours against itself: run, in an engine whose other fallback uses all of it, and in one without.',
    targets: { without: 1.1 },
    contenders: async () => [await running('off', [plain], everything), await off()],
  },
  {
    ...common,
    name: 'provider safety: a breaker on',
    how: 'ours against itself: run with a breaker that stays closed, and without.',
    targets: {},
    contenders: async () => [
      await running('with a breaker', [{ ...plain, breaker: { failures: 3, cooldown: 1_000 } }]),
      await off(),
    ],
  },
  {
    ...common,
    name: 'provider safety: a hedge that is not needed',
    how: 'ours against itself: run with a hedge after a second that never comes (its timer is set and cleared), and without.',
    targets: {},
    contenders: async () => [
      await running('with a hedge', [{ ...plain, idempotent: true, hedge: 1_000 }, second]),
      await off(),
    ],
  },
];
