import { createLoop } from './hand-written.ts';
import type { Bus, Guard, Idiom, Limits, Plan, Run, Work, Wrapped } from './idiom.ts';

function chain({ providers, onFailure, onSuccess, ...options }: Plan): Run {
  const loop = createLoop<undefined>({ ...options, providers: providers.map((work) => (_, context) => work(context)) });
  loop.on((event) => (event === 'failure' ? onFailure?.() : onSuccess?.()));
  return (signal) => loop.run(undefined, { signal });
}

function guard({ failures, coolDown }: Limits): Guard {
  const loop = createLoop<Work>({
    providers: [(work, context) => work(context)],
    maxFailures: failures,
    resetAfter: coolDown,
  });
  return { call: (work, signal) => loop.run(work, { signal }), reset: () => loop.reset() };
}

function bus(): Bus {
  const loop = createLoop<undefined>({ providers: [async () => 'answer'] });
  return { on: (listener) => loop.on(listener), tell: () => loop.run(undefined) };
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  const loop = createLoop<string>({ providers: [primary, backup] });
  return (order) => loop.run(order);
}

/** The hand-written loop. */
export const loop: Idiom = { library: 'loop', chain, guard, bus, wrap };
