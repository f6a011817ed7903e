import { Effect, Layer, ManagedRuntime } from 'effect';
import { CircuitBreaker } from 'effect/persistence';
import { createDuctape, defineFallback } from './engine.ts';
import { attempt } from './idioms/effect.ts';
import { createLoop } from './idioms/hand-written.ts';
import type { Work } from './idioms/idiom.ts';

/** What remembers failures by key. */
export interface Keyed {
  call(key: string, work: Work): Promise<unknown>;
  /** The same for a tenant's key, where the library tells tenants apart itself. */
  callFor?(tenant: string, key: string, work: Work): Promise<unknown>;
}

/** How many keys may be remembered, and for how many milliseconds: each library heeds what it has an option for. */
export interface Bounds {
  readonly keys: number;
  readonly ms: number;
}

/** More than any cell reaches. */
export const AMPLE: Bounds = { keys: 10_000, ms: 600_000 };

const runWork = ({ work }: Record<string, unknown>) => (work as Work)({});

/** Makes engines of one options object; one failure has a key refused. So with the others. */
export function ourKeyed({ keys }: Bounds): () => Keyed {
  const tag = 'hazard';
  const definition = defineFallback({ tag, maxRetries: 0, providers: [{ name: 'only', run: runWork }] });
  const options = { env: 'test', product: 'shop', fallbacks: [definition] as const, cache: { max: keys } };
  return () => {
    const { fallback } = createDuctape(options);
    const request = { fallback_tag: tag, action: 'trigger' } as const;
    return {
      call: (cache, work) => fallback.run({ ...request, cache, input: { work } }),
      callFor: (product, cache, work) => fallback.run({ ...request, product, cache, input: { work } }),
    };
  };
}

export function effectKeyed({ ms }: Bounds): () => Keyed {
  const options = { tripPolicy: CircuitBreaker.consecutive(1), openDuration: ms } as const;
  return () => {
    const store = CircuitBreaker.layerStoreMemory({ idleTimeToLive: ms });
    const runtime = ManagedRuntime.make(CircuitBreaker.layer(options).pipe(Layer.provide(store)));
    const execute = (key: string, work: Work) =>
      Effect.flatMap(CircuitBreaker.CircuitBreaker, (breaker) => breaker.execute(attempt(work), { key }));
    return { call: (key, work) => runtime.runPromise(execute(key, work)) };
  };
}

export function loopKeyed(): () => Keyed {
  const options = { providers: [(work: Work) => work({})], maxFailures: 1 };
  return () => {
    const { run } = createLoop<Work>(options);
    return {
      call: (key, work) => run(work, { key }),
      callFor: (tenant, key, work) => run(work, { tenant, key }),
    };
  };
}
