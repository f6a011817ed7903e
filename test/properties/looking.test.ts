import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDuctape, defineFallback } from '../../src/index.ts';
import { RUNS, virtualClock } from '../virtual-clock.ts';

type Step =
  | { readonly type: 'fail'; readonly key: number }
  | { readonly type: 'update'; readonly maxRetries: number }
  | { readonly type: 'wait'; readonly ms: number };

const fails = fc.array(fc.record({ type: fc.constant('fail' as const), key: fc.nat(2) }), { maxLength: 10 });
const changes = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('update' as const), maxRetries: fc.nat(4) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.nat(60) }),
  ),
  { maxLength: 20 },
);
/** Nobody calls a machine between the updates, which it may therefore take over one by one or all at once. */
const histories = fc.tuple(fails, changes).map(([before, after]): readonly Step[] => [...before, ...after]);

/** The machines after these steps, each of them looked at after each step, or none before the end. */
async function after(history: readonly Step[], isWatched: boolean): Promise<unknown[]> {
  const clock = virtualClock();
  const down = defineFallback({
    tag: 'x',
    resetAfter: 100,
    providers: [{ name: 'a', run: () => Promise.reject(new Error('down')) }],
  });
  const { fallback } = createDuctape({ env: 'e', product: 'p', clock, fallbacks: [down] });
  const at = (key: number) => ({ fallback_tag: 'x', ...(key > 0 && { cache: `k${key}` }) }) as const;
  const look = () =>
    [0, 1, 2].map((key) => {
      const { state, failures, retryAfter } = fallback.inspect(at(key));
      return { state, failures, retryAfter };
    });
  for (const step of history) {
    if (step.type === 'wait') await clock.advance(step.ms);
    else if (step.type === 'fail') await fallback.run({ ...at(step.key), action: 'trigger' }).catch(() => {});
    else await fallback.run({ fallback_tag: 'x', action: 'update', input: { maxRetries: step.maxRetries } });
    if (isWatched) look();
  }
  return look();
}

// An exhaustion that an update causes counts from that update, not from a later one after which it is found.
it('looking changes nothing: nor when an exhaustion began that an update has caused', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      expect(await after(history, false)).toEqual(await after(history, true));
    }),
    { numRuns: RUNS },
  );
});
