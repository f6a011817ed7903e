import { LRUCache } from 'lru-cache';
import { createDuctape, defineFallback } from '../../../../dist/index.js';
import * as ours from '../peers/ours.ts';
import type { Contender, TimedRow } from '../shapes.ts';
import { ourStore, peerStores, type Store } from '../stores.ts';
import { answers, isAnswer, rejects } from '../work.ts';

/** How many keys ours remembers all the while; the peers, which forget nothing by themselves, are emptied at a tenth. */
const REMEMBERED = 100_000;

const PER_SAMPLE = 1_000;

const PEERS = `The peers make what they need for each key and put it in a Map, which is emptied, untimed, at ${(REMEMBERED / 10).toLocaleString('en')} keys (for opossum, whose breakers have timers, after each sample).`;

function contenderOf(name: string, { call, size, clear }: Store): Contender {
  let used = 0;
  return {
    name,
    call: () => call(`customer-${used++}`),
    does: { answered: 1, rejected: 1 },
    isRight: isAnswer,
    ...(clear && { tidy: () => (name === 'opossum' || size() >= REMEMBERED / 10) && clear(), dispose: clear }),
  };
}

const peers = (): readonly Contender[] =>
  Object.entries(peerStores).map(([name, make]) => contenderOf(name, make(rejects, answers)));

async function wrapped(): Promise<readonly Contender[]> {
  const store = ourStore(rejects, answers, REMEMBERED);
  for (let used = 0; used < REMEMBERED; used++) await store.call(`filler-${used}`);
  return [contenderOf(ours.NAME, store), ...peers()];
}

async function triggered(): Promise<readonly Contender[]> {
  const { fallback } = engine(1);
  const trigger = (cache: string) => fallback.run({ fallback_tag: 'fallback-0', action: 'trigger', cache });
  for (let used = 0; used < REMEMBERED; used++) await trigger(`filler-${used}`);
  let used = 0;
  return [contender(ours.NAME, () => trigger(`customer-${used++}`)), ...peers()];
}

/** So many fallbacks, and room for as many keys as there are here. */
function engine(fallbacks: number) {
  const definitions = Array.from({ length: fallbacks }, (_, index) =>
    defineFallback({ tag: `fallback-${index}`, providers: [{ name: 'provider-0', run: answers }] }),
  );
  return createDuctape<readonly (typeof definitions)[number][]>({
    env: 'prd',
    product: 'payments',
    fallbacks: definitions,
    cache: { max: REMEMBERED },
  });
}

function contender(name: string, call: () => Promise<unknown>): Contender {
  const isRight = (result: unknown) => isAnswer(ours.outputOf(result));
  return { name, call, does: { answered: 1, rejected: 0 }, isRight };
}

/** Shares no factor with a count of keys: it passes every key before it meets one again. */
const STRIDE = 61_803;

/** The same keys again and again, in an order that is not that of their making. */
async function atKeys(count: number): Promise<Contender> {
  const { fallback } = engine(1);
  const keys = Array.from({ length: count }, (_, index) => `customer-${index}`);
  const trigger = (cache: string) => fallback.run({ fallback_tag: 'fallback-0', action: 'trigger', cache });
  for (const key of keys) await trigger(key);
  let at = 0;
  return contender(`at ${count.toLocaleString('en')} keys`, () => {
    at = (at + STRIDE) % count;
    return trigger(keys[at] ?? '');
  });
}

/** What every keyed run needs: an entry is found, made the newest and counted in, and the provider is awaited. */
function bareLru(count: number): Contender {
  const lru = new LRUCache<string, { triggers: number }>({ max: REMEMBERED });
  const keys = Array.from({ length: count }, (_, index) => `customer-${index}`);
  for (const key of keys) lru.set(key, { triggers: 0 });
  let at = 0;
  return {
    name: `at ${count.toLocaleString('en')} keys`,
    does: { answered: 1, rejected: 0 },
    isRight: isAnswer,
    call: async () => {
      at = (at + STRIDE) % count;
      const found = lru.get(keys[at] ?? '');
      if (found) found.triggers++;
      return await answers();
    },
  };
}

/** `used` of the fallbacks, in turn. */
async function amongFallbacks(name: string, count: number, used: number): Promise<Contender> {
  const { fallback } = engine(count);
  const tags = Array.from({ length: used }, (_, index) => `fallback-${index}` as const);
  // The first steps of each machine are computed, and remembered from then on.
  for (const tag of [...tags, ...tags]) await fallback.run({ fallback_tag: tag, action: 'trigger' });
  let at = 0;
  return contender(name, () => {
    at = (at + 1) % used;
    return fallback.run({ fallback_tag: tags[at] ?? 'fallback-0', action: 'trigger' });
  });
}

const alone = () => amongFallbacks('one fallback', 1, 1);

const common = { unit: 'ns per call', manner: 'awaited' } as const;

export const keys: readonly TimedRow[] = [
  {
    ...common,
    name: 'a new cache key each call, peers emptied on the way',
    how: `wrap with a cache key, as before, but in one process, interleaved. Ours remembers 100,000 keys and drops the oldest at each call. ${PEERS} Each sample pays for the collection of what it leaves.`,
    leaving: PER_SAMPLE,
    targets: {},
    contenders: wrapped,
  },
  {
    ...common,
    name: 'a new cache key each run, peers emptied on the way',
    how: 'as above, with ours called by run, without a primary.',
    leaving: PER_SAMPLE,
    targets: {},
    contenders: triggered,
  },
  {
    ...common,
    name: 'growth: run at 100,000 keys',
    how: 'ours against itself: the same 100,000 keys again and again, and the same 10.',
    targets: { 'at 10 keys': 2 },
    contenders: async () => [await atKeys(REMEMBERED), await atKeys(10)],
  },
  {
    ...common,
    name: 'the same of a bare LRU',
    how: 'an async function that gets one entry of lru-cache, counts in it and awaits the provider, at 100,000 keys and at 10: so much of the growth belongs to the LRU and to the cache of the processor, whatever the engine does.',
    targets: {},
    contenders: async () => [bareLru(REMEMBERED), bareLru(10)],
  },
  {
    ...common,
    name: 'growth: run with 1,000 fallbacks',
    how: 'ours against itself: one of 1,000 fallbacks in an engine, and the only one.',
    targets: { 'one fallback': 1.3 },
    contenders: async () => [await amongFallbacks('one of 1,000 fallbacks', 1_000, 1), await alone()],
  },
  {
    ...common,
    name: 'growth: run with 1,000 fallbacks, each in turn',
    how: 'as above, with all of the 1,000 called one after another: what the caches of the processor do not hold.',
    targets: {},
    contenders: async () => [await amongFallbacks('1,000 fallbacks in turn', 1_000, 1_000), await alone()],
  },
];
