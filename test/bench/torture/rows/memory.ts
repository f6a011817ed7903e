import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import { ManagedRuntime } from 'effect';
import { CircuitBreaker as EffectBreaker } from 'effect/persistence';
import { Cache, Circuit, SlidingCountBreaker } from 'mollitia';
import CircuitBreaker from 'opossum';
import { createDuctape, defineFallback } from '../engine.ts';
import { collected, leftBy } from '../garbage.ts';
import { createLoop } from '../idioms/hand-written.ts';
import { type Bounds, effectKeyed, type Keyed, loopKeyed, ourKeyed } from '../keyed.ts';
import { type Row, rowOf } from '../row.ts';
import { pause, settle } from '../settle.ts';
import { judge, type Verdict } from '../verdict.ts';
import { fails } from '../works.ts';

const BOUNDS: Bounds = { keys: 100, ms: 20 };
const KEYS = 4_000;
const KEY_SIZE = 4_096;

/** Flat: a string that V8 puts together of shared parts would take next to no memory. */
const longKey = (index: number) => Buffer.from(`${index}`.padEnd(KEY_SIZE, ' key')).toString('latin1');

/** Thousands of long keys, of which few may be remembered. */
async function growth(use: (key: string) => Promise<unknown>): Promise<Verdict> {
  const left = await leftBy(async () => {
    for (let index = 0; index < KEYS; index++) await settle(() => use(longKey(index)));
    await pause(5 * BOUNDS.ms);
    await settle(() => use('one more, when the others are long out of date'));
  });
  // Whoever remembers them is still there, and in use.
  await settle(() => use('the last'));
  return judge(left > (KEYS * KEY_SIZE) / 2 && 'the keys were all still in memory');
}

const growthOf = (make: () => Keyed) => () => {
  const { call } = make();
  const { work } = fails(new Error('503'));
  return growth((key) => call(key, work));
};

function opossumGrowth(): Promise<Verdict> {
  // `cacheSize` is documented, and missing from the types only.
  const options = { cache: true, cacheSize: BOUNDS.keys };
  const breaker = new CircuitBreaker(async (_key: string) => 'answer', options);
  return growth((key) => breaker.fire(key));
}

function mollitiaGrowth(): Promise<Verdict> {
  const cache = new Cache({ ttl: BOUNDS.ms, cacheClearInterval: BOUNDS.ms });
  const circuit = new Circuit({ func: async (_key: string) => 'answer', options: { modules: [cache] } });
  return growth((key) => circuit.execute(key)).finally(() => circuit.dispose());
}

/** An instance is made, used, disposed of where the library has a way, and dropped: `use` tells of a part that it alone holds. */
async function dropped(use: () => Promise<WeakRef<object>>): Promise<Verdict> {
  const part = await use();
  await pause(20);
  await collected();
  return judge(part.deref() !== undefined && 'it was still in memory');
}

async function ourDropped(): Promise<WeakRef<object>> {
  const run = async () => 1;
  const definition = defineFallback({ tag: 'hazard', providers: [{ name: 'only', run }] });
  const { fallback } = createDuctape({ env: 'test', product: 'torture', fallbacks: [definition] });
  await fallback.run({ fallback_tag: 'hazard', action: 'trigger' });
  await fallback.close();
  return new WeakRef(run);
}

async function cockatielDropped(): Promise<WeakRef<object>> {
  const breaker = new ConsecutiveBreaker(2);
  const policy = circuitBreaker(handleAll, { halfOpenAfter: 1_000, breaker });
  await policy.execute(() => 1);
  return new WeakRef(breaker);
}

async function opossumDropped(): Promise<WeakRef<object>> {
  const run = async () => 1;
  const breaker = new CircuitBreaker(run);
  await breaker.fire();
  breaker.shutdown();
  return new WeakRef(run);
}

async function mollitiaDropped(): Promise<WeakRef<object>> {
  const func = async () => 1;
  const circuit = new Circuit({ func, options: { modules: [new SlidingCountBreaker()] } });
  await circuit.execute();
  circuit.dispose();
  return new WeakRef(func);
}

async function loopDropped(): Promise<WeakRef<object>> {
  const run = async () => 1;
  const loop = createLoop<undefined>({ providers: [run] });
  await loop.run(undefined);
  return new WeakRef(run);
}

async function effectDropped(): Promise<WeakRef<object>> {
  const store = EffectBreaker.layerStoreMemory();
  const runtime = ManagedRuntime.make(store);
  await runtime.runPromise(EffectBreaker.CircuitBreakerStore);
  await runtime.dispose();
  return new WeakRef(store);
}

const NO_KEYS = 'no cache, no keys';

export const memory: readonly Row[] = [
  rowOf(
    'Memory grows with every key',
    '4,000 keys of 4 KB, one call each, with what the library has to bound them: 100 keys (ours, opossum) or 20 ms (mollitia, Effect), which then pass. Safe: after a garbage collection less than half of the keys’ size is left.',
    {
      ours: growthOf(ourKeyed(BOUNDS)),
      cockatiel: NO_KEYS,
      opossum: opossumGrowth,
      mollitia: mollitiaGrowth,
      'p-retry': NO_KEYS,
      effect: growthOf(effectKeyed(BOUNDS)),
      loop: growthOf(loopKeyed()),
    },
  ),
  rowOf(
    'An instance that was dropped stays in memory',
    'An instance is made, used once, disposed of where the library has a way (`close`, `shutdown`, `dispose`) and dropped. Safe: after a garbage collection what it was made of is gone (its function, the breaker or the store it was given).',
    {
      ours: () => dropped(ourDropped),
      cockatiel: () => dropped(cockatielDropped),
      opossum: () => dropped(opossumDropped),
      mollitia: () => dropped(mollitiaDropped),
      'p-retry': 'makes no instances',
      effect: () => dropped(effectDropped),
      loop: () => dropped(loopDropped),
    },
  ),
];
