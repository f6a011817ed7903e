import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FallbackEvent } from '../../src/index.ts';
import { Model } from '../../src/testing/model.ts';
import { RUNS } from '../virtual-clock.ts';
import { behaviours, cacheOf, history, isRefused, makeWorld, policy, type Triggered } from './world.ts';

const KEYS = [0, 1, 2];

it('laws 4, 5 and 6: the machines stand where section 3 says, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
      const world = makeWorld(policy, behaviours);
      const model = new Model(policy);
      const admitted = new Map<string, { readonly key: number; readonly generation: number }>();
      const keyOf = ({ cache }: FallbackEvent) => KEYS.find((key) => cacheOf(key).cache === cache) as number;

      const hear = (event: FallbackEvent) => {
        const { type, id = '', at } = event;
        if (type === 'triggered') {
          const key = keyOf(event);
          expect(model.admit(key, at)).toBe(event.probe ? 'probe' : 'admitted');
          admitted.set(id, { key, generation: model.at(key).generation });
        } else if (type === 'recovered' || type === 'failed') {
          const { key, generation } = admitted.get(id) as { key: number; generation: number };
          model.settle(key, generation, type, at);
          admitted.delete(id);
        } else if (type === 'updated') model.update(keyOf(event), pending as object, at);
        else if (type === 'reset') model.reset(keyOf(event), event, at);
      };
      let pending: unknown;
      world.engine.on('*', (event) => {
        try {
          hear(event);
        } catch (error) {
          faults.push(error);
        }
      });
      const faults: unknown[] = [];
      const refused = new Set<Triggered>();

      for (const command of history) {
        pending = command.type === 'update' ? command.input : undefined;
        const calls = world.calls.length;
        await world.act(command);
        if (command.type === 'restore') model.restore();
        // A trigger that ended without a verdict: aborted.
        for (const { id, settlements } of world.triggers) {
          const entry = admitted.get(id);
          if (!entry || settlements === 0) continue;
          model.settle(entry.key, entry.generation, 'none', world.clock.now());
          admitted.delete(id);
        }
        for (const trigger of world.triggers.filter((trigger) => isRefused(trigger) && !refused.has(trigger))) {
          refused.add(trigger);
          expect(model.admit(trigger.key, trigger.at)).toBe('refused');
          if (command.type === 'trigger') expect(world.calls.length).toBe(calls);
        }
        for (const key of KEYS) {
          const { state, failures, config, retryAfter } = world.inspect(key);
          const { phase, failures: expected, since } = model.at(key);
          const { maxRetries, resetAfter } = model.limits(key);
          expect({ key, state, failures, maxRetries: config.maxRetries }).toEqual({
            key,
            state: phase === 'cooling' || phase === 'probing' ? 'exhausted' : phase,
            failures: expected,
            maxRetries,
          });
          expect(state === 'exhausted').toBe(failures > config.maxRetries);
          const isTimed = state === 'exhausted' && resetAfter !== Number.POSITIVE_INFINITY;
          expect(retryAfter).toBe(isTimed ? Math.max(0, since + resetAfter - world.clock.now()) : undefined);
        }
        expect(faults).toEqual([]);
      }
      await world.finish();
    }),
    { numRuns: RUNS },
  );
});
