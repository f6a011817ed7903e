import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import { Effect, Layer, ManagedRuntime } from 'effect';
import { CircuitBreaker as EffectBreaker } from 'effect/persistence';
import { Circuit, SlidingCountBreaker } from 'mollitia';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { createDuctape, defineFallback } from './engine.ts';
import { attempt } from './idioms/effect.ts';
import { createLoop } from './idioms/hand-written.ts';
import type { Guard, Library, Work } from './idioms/idiom.ts';
import type { Cell } from './row.ts';
import { settle } from './settle.ts';
import { judge, type Verdict } from './verdict.ts';
import { counted } from './works.ts';

type Pair = readonly [Guard, Guard];

/** Two instances of each library, made of one options object, each to refuse calls after two failures. */
export function twins(provoke: (pair: Pair) => Promise<Verdict>): Record<Library, Cell> {
  const pair = (make: () => () => Guard) => () => {
    const instance = make();
    return provoke([instance(), instance()]);
  };
  return {
    ours: pair(ours),
    cockatiel: pair(cockatiel),
    opossum: pair(opossum),
    mollitia: pair(mollitia),
    'p-retry': pRetryTwice,
    effect: pair(effect),
    loop: pair(loop),
  };
}

function ours(): () => Guard {
  const tag = 'hazard';
  const run = ({ work }: Record<string, unknown>) => (work as Work)({});
  const definition = defineFallback({ tag, maxRetries: 1, providers: [{ name: 'only', run }] });
  const options = { env: 'test', product: 'torture', fallbacks: [definition] as const };
  return () => {
    const { fallback } = createDuctape(options);
    return { call: (work) => fallback.run({ fallback_tag: tag, action: 'trigger', input: { work } }) };
  };
}

function cockatiel(): () => Guard {
  const options = { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(2) };
  return () => {
    const breaker = circuitBreaker(handleAll, options);
    return { call: (work) => breaker.execute(work) };
  };
}

function opossum(): () => Guard {
  const options = { volumeThreshold: 2, errorThresholdPercentage: 1 };
  return () => {
    const breaker = new CircuitBreaker((work: Work) => work({}) as Promise<unknown>, options);
    return { call: (work) => breaker.fire(work) };
  };
}

function mollitia(): () => Guard {
  const options = { slidingWindowSize: 2, minimumNumberOfCalls: 2, failureRateThreshold: 99 };
  return () => {
    const modules = [new SlidingCountBreaker(options)];
    const circuit = new Circuit({ func: (work: Work) => work({}) as Promise<unknown>, options: { modules } });
    return { call: (work) => circuit.execute(work) };
  };
}

function effect(): () => Guard {
  const options = { tripPolicy: EffectBreaker.consecutive(2), openDuration: '1 minute' } as const;
  return () => {
    const store = EffectBreaker.layerStoreMemory();
    const runtime = ManagedRuntime.make(EffectBreaker.layer(options).pipe(Layer.provide(store)));
    return {
      call: (work) =>
        runtime.runPromise(
          Effect.flatMap(EffectBreaker.CircuitBreaker, (breaker) => breaker.execute(attempt(work), { key: 'only' })),
        ),
    };
  };
}

function loop(): () => Guard {
  const options = { providers: [(work: Work) => work({})], maxFailures: 2 };
  return () => {
    const instance = createLoop<Work>(options);
    return { call: (work) => instance.run(work) };
  };
}

/** It makes no instances: two calls at once, each to make three attempts. */
async function pRetryTwice(): Promise<Verdict> {
  const options = { retries: 2, minTimeout: 0 };
  const providers = [1, 2].map(() => counted(() => Promise.reject(new Error('503'))));
  await Promise.all(providers.map(({ work }) => settle(() => pRetry(() => work({}), options))));
  const tries = providers.map(({ calls }) => calls).join(' and ');
  return judge(tries !== '3 and 3' && `the two calls made ${tries} attempts, not 3 each`);
}
