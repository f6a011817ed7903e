import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback, EngineClosedError, FallbackFailedError } from '../../src/index.ts';
import { RUNS, settled, virtualClock } from '../virtual-clock.ts';
import {
  type Behaviour,
  behaviours,
  type Command,
  command,
  history,
  isRefused,
  makeWorld,
  type Policy,
  policy,
  TAG,
} from './world.ts';

const KEYS = [0, 1, 2];

async function lived(policy: Policy, behaviours: readonly Behaviour[], history: readonly Command[]) {
  const world = makeWorld(policy, behaviours);
  for (const command of history) await world.act(command);
  return world;
}

describe('law 1', () => {
  it('every call settles exactly once by the time its providers have, or close ends it', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
        const world = makeWorld(policy, behaviours);
        for (const command of history) await world.act(command);
        await world.clock.runUntilIdle();
        const isHanging = (id: string) => world.calls.some((call) => call.id === id && call.endedAt === undefined);
        for (const { id, settlements } of world.triggers) expect(settlements === 1 || isHanging(id)).toBe(true);
        await world.finish();
        expect(world.triggers.map(({ settlements }) => settlements)).toEqual(world.triggers.map(() => 1));
      }),
      { numRuns: RUNS },
    );
  });

  it('holds whatever a predicate, schema, verifier or listener throws, returns or never answers', async () => {
    const mischief = fc.constantFrom<() => unknown>(
      () => true,
      () => false,
      () => {
        throw undefined;
      },
      () => Promise.reject(new Error('later')),
      () => new Promise(() => {}),
      () =>
        Object.defineProperty({}, 'then', {
          get: () => {
            throw new Error('then');
          },
        }),
      () => Number.NaN,
    );
    const parts = fc.record({
      when: mischief,
      accept: mischief,
      shouldRetry: mischief,
      backoff: mischief,
      handle: mischief,
      schema: mischief,
      verify: mischief,
      listen: mischief,
      run: mischief,
    });
    await fc.assert(
      fc.asyncProperty(parts, async ({ when, accept, shouldRetry, backoff, handle, schema, verify, listen, run }) => {
        const clock = virtualClock();
        const validated = {
          '~standard': {
            version: 1,
            vendor: 'test',
            validate: (value: unknown) => {
              const answer = schema();
              return answer === true ? { value } : (answer as never);
            },
          },
        } as const;
        const provider = { run, when, accept, shouldRetry, backoff, retries: 2 } as object;
        const fallback = defineFallback({
          tag: TAG,
          input: validated,
          output: validated,
          handle: handle as () => boolean,
          providers: [
            { name: 'a', ...provider },
            { name: 'b', ...provider },
          ] as never,
        } as never);
        const { fallback: engine } = createDuctape<readonly (typeof fallback)[]>({
          env: 'e',
          product: 'p',
          clock,
          fallbacks: [fallback],
          sessions: { s: verify },
        });
        engine.on('*', listen);
        let settlements = 0;
        const count = () => void settlements++;
        engine.run({ fallback_tag: TAG, action: 'trigger', session: { tag: 's', token: 't' } }).then(count, count);
        engine
          .run({ fallback_tag: TAG, action: 'trigger', session: { tag: 's', token: 't' } }, { deadline: 50 })
          .then(count, count);
        await clock.runUntilIdle();
        await engine.close();
        await settled();
        expect(settlements).toBe(2);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('laws 2 and 3', () => {
  it('providers are tried in order, one at a time, at most 1 + retries times, and nothing starts after the end', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
        const world = await lived(policy, behaviours, history);
        await world.finish();
        for (const { id, settledAt = Number.NaN, deadline } of world.triggers) {
          const calls = world.calls.filter((call) => call.id === id);
          const turns = calls.map(({ provider, attempt }) => provider * 100 + attempt);
          expect(turns).toEqual([...turns].sort((one, other) => one - other));
          expect(new Set(turns).size).toBe(turns.length);
          for (const { provider, attempt, at } of calls) {
            expect(attempt).toBeLessThanOrEqual(1 + (policy.providers[provider]?.retries ?? 0));
            expect(at).toBeLessThan(deadline);
            expect(at).toBeLessThanOrEqual(settledAt);
          }
          const spans = world.events
            .filter((event) => event.id === id && event.type.startsWith('attempt-'))
            .map(({ type }) => type);
          expect(spans).toEqual(calls.flatMap(() => ['attempt-started', 'attempt-ended']));
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('an update changes neither plan nor retries of a trigger already under way', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, async (policy, behaviours) => {
        const quiet = makeWorld(policy, behaviours);
        await quiet.act({ type: 'trigger', key: 0 });
        await quiet.clock.advance(1_000);
        const busy = makeWorld(policy, behaviours);
        await busy.act({ type: 'trigger', key: 0 });
        const names = policy.providers.map((_, index) => [
          `p${index}`,
          { retries: 9, timeout: 1, enabled: index === 0 },
        ]);
        const input = { deadline: 1, fallbackProvider: names.at(-1)?.[0], providers: Object.fromEntries(names) };
        await busy.engine.run({ fallback_tag: TAG, action: 'update', input: input as object });
        await busy.clock.advance(1_000);
        const story = ({ calls }: typeof busy) => calls.map(({ provider, attempt, at }) => ({ provider, attempt, at }));
        expect(story(busy)).toEqual(story(quiet));
        await Promise.all([quiet.finish(), busy.finish()]);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('law 7', () => {
  it('tags, keys, products, envs and engines never affect one another', async () => {
    const place = fc.record({
      env: fc.constantFrom('e', 'e:', 'e\u0000p', '__proto__'),
      product: fc.constantFrom('p', ':p', 'constructor'),
      cache: fc.constantFrom(undefined, 'k', '1:k', 'k"', '__proto__', 'toString'),
    });
    const step = fc.record({ at: fc.nat(2), command });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(place, { minLength: 3, maxLength: 3, selector: (value) => JSON.stringify(value) }),
        fc.array(step, { maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        async (places, steps, fates) => {
          /** The story of one place, told by an engine that also lives through the others' or does not. */
          const story = async (which: number, isAlone: boolean) => {
            const clock = virtualClock();
            const counts = [0, 0, 0];
            const fallback = defineFallback({
              tag: TAG,
              maxRetries: 1,
              resetAfter: 60,
              providers: [
                {
                  name: 'only',
                  run: (input: Record<string, unknown>) => {
                    const mine = input.at as number;
                    counts[mine] = (counts[mine] ?? 0) + 1;
                    if (fates[(counts[mine] + mine) % fates.length]) throw new Error(`${mine}`);
                    return counts[mine];
                  },
                },
              ],
            });
            const { fallback: engine } = createDuctape<readonly (typeof fallback)[]>({ clock, fallbacks: [fallback] });
            const told: unknown[] = [];
            for (const { at, command } of steps) {
              if (command.type === 'advance') await clock.advance(command.ms);
              if (command.type === 'advance' || command.type === 'restore' || (isAlone && at !== which)) continue;
              const input = command.type === 'trigger' ? { at } : command.type === 'update' ? command.input : {};
              // An update without a key is its keys' too: so that keys may differ in it, each has a product of its own.
              const { product, ...rest } = places[at] as (typeof places)[number];
              const address = {
                ...(rest as { cache: string }),
                product: `${product}${at}`,
                fallback_tag: TAG,
              } as const;
              const request = { ...address, action: command.type, input } as Parameters<typeof engine.run>[0];
              const outcome = await engine.run(request, { id: 'same' }).catch((error) => error.toJSON());
              if (at === which) told.push(outcome, engine.inspect(address));
            }
            return JSON.parse(JSON.stringify(told));
          };
          for (const which of KEYS) expect(await story(which, false)).toEqual(await story(which, true));
        },
      ),
      { numRuns: RUNS / 4 },
    );
  });

  it('keys of one fallback never share a state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 6 }),
        fc.nat(),
        async (keys, pick) => {
          const fallback = defineFallback({
            tag: TAG,
            maxRetries: 0,
            providers: [{ name: 'down', run: () => Promise.reject(new Error()) }],
          });
          const { fallback: engine } = createDuctape({
            env: 'e',
            product: 'p',
            clock: virtualClock(),
            fallbacks: [fallback] as const,
          });
          const broken = keys[pick % keys.length];
          await engine.run({ fallback_tag: TAG, action: 'trigger', cache: broken as string }).catch(() => {});
          const states = keys.map((cache) => engine.inspect({ fallback_tag: TAG, cache }).state);
          expect(states).toEqual(keys.map((key) => (key === broken ? 'exhausted' : 'idle')));
          expect(engine.inspect({ fallback_tag: TAG }).state).toBe('idle');
        },
      ),
      { numRuns: RUNS },
    );
  });
});

describe('law 8', () => {
  it('a restored engine goes on as the original would, with what was in flight abandoned', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, history, async (policy, behaviours, before, after) => {
        const original = makeWorld(policy, behaviours);
        for (const command of before) await original.act(command);
        const snapshot = JSON.parse(JSON.stringify(original.engine.snapshot()));
        for (const { controller } of original.triggers) controller.abort();
        await settled();
        const copy = makeWorld(policy, behaviours, original.clock);
        copy.engine.restore(snapshot);
        const view = (world: typeof original) =>
          KEYS.map((key) => ({ ...world.inspect(key), lastError: undefined, inFlight: undefined }));
        expect(view(copy)).toEqual(view(original));
        const first = original.triggers.length;
        // Both play the same script from here on.
        original.calls.length = copy.calls.length = 0;
        for (const command of after) {
          if (command.type === 'advance') {
            await original.act(command);
          } else {
            await original.act(command);
            await copy.act(command);
          }
          expect(view(copy)).toEqual(view(original));
        }
        const outcomes = ({ triggers }: typeof original) =>
          triggers.map((trigger) => [trigger.result?.provider, trigger.result?.state, isRefused(trigger)]);
        expect(outcomes(copy)).toEqual(outcomes(original).slice(first));
        await original.finish();
        await copy.finish();
      }),
      { numRuns: RUNS },
    );
  });
});

describe('law 9', () => {
  it('with nothing in flight there is no timer and no abort listener', async () => {
    const { addEventListener, removeEventListener } = AbortSignal.prototype;
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
        let listeners = 0;
        Object.assign(AbortSignal.prototype, {
          addEventListener(this: AbortSignal, ...args: Parameters<typeof addEventListener>) {
            listeners++;
            return addEventListener.apply(this, args);
          },
          removeEventListener(this: AbortSignal, ...args: Parameters<typeof removeEventListener>) {
            listeners--;
            return removeEventListener.apply(this, args);
          },
        });
        try {
          // The providers set no timer and hear no signal themselves: what is left over is the engine's.
          const providers = policy.providers.map((provider) => ({ ...provider, timeout: provider.timeout ?? 500 }));
          const prompt = behaviours.map((behaviour) => ({ ...behaviour, delay: 0 }));
          const world = await lived({ ...policy, providers }, prompt, history);
          await world.clock.runUntilIdle();
          expect(world.triggers.every(({ settlements }) => settlements === 1)).toBe(true);
          expect(world.clock.pending).toBe(0);
          expect(listeners).toBe(0);
          for (const key of KEYS) expect(world.inspect(key).inFlight).toBe(0);
        } finally {
          Object.assign(AbortSignal.prototype, { addEventListener, removeEventListener });
        }
      }),
      { numRuns: RUNS },
    );
  });
});

describe('law 10', () => {
  it('every error met is in the error thrown, in order, and none replaces another', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
        // With nothing to cut an attempt short, what the providers threw is all there is.
        const providers = policy.providers.map((provider) => ({ ...provider, timeout: null }));
        const patient = history.map((command) => ({ ...command, deadline: undefined, abortAfter: undefined }));
        const world = await lived({ ...policy, deadline: undefined, providers }, behaviours, patient as Command[]);
        await world.finish();
        for (const { id, error } of world.triggers) {
          const calls = world.calls.filter((call) => call.id === id);
          const thrown = calls.flatMap(({ error, behaviour }) => (error && behaviour.kind !== 'hang' ? [error] : []));
          if (error instanceof FallbackFailedError) {
            expect(error.errors).toEqual(thrown);
            expect(error.errors.every((one, index) => one === thrown[index])).toBe(true);
            expect(error.attempts.map((attempt) => attempt.error)).toEqual(thrown);
          } else if (error instanceof EngineClosedError) {
            // The attempt that was cut short may have thrown since.
            expect(thrown.slice(0, error.errors?.length ?? 0)).toEqual(error.errors ?? []);
            expect(calls.length - (error.errors?.length ?? 0)).toBeLessThanOrEqual(1);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('the caller who aborts gets the signal’s own reason, whatever was met before', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
        const world = await lived(policy, behaviours, history);
        await world.finish();
        for (const { error, controller, settledAt } of world.triggers) {
          if (!controller.signal.aborted || error === undefined) continue;
          const { reason } = controller.signal;
          const isOurs = error instanceof FallbackFailedError || error instanceof EngineClosedError;
          expect(error === reason || isOurs || isRefused({ error })).toBe(true);
          if (error === reason) expect(settledAt).toBeDefined();
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('whatever is answered or thrown arrives as it is', async () => {
    const anything = fc.oneof(
      fc.constantFrom(undefined, null, 0, '', false, Number.NaN, -0),
      fc.anything(),
      fc.constant(Symbol('thrown')),
    );
    await fc.assert(
      fc.asyncProperty(anything, anything, fc.boolean(), async (thrown, output, isAsync) => {
        const fallback = defineFallback({
          tag: TAG,
          providers: [
            {
              name: 'thrower',
              run: () => {
                if (isAsync) return Promise.reject(thrown);
                throw thrown;
              },
            },
            { name: 'giver', run: () => (isAsync ? Promise.resolve(output) : output) },
          ],
        });
        const { fallback: engine } = createDuctape({
          env: 'e',
          product: 'p',
          clock: virtualClock(),
          fallbacks: [fallback] as const,
        });
        const result = await engine.run({ fallback_tag: TAG, action: 'trigger' });
        expect(Object.is(result.output, output)).toBe(true);
        expect(Object.is(result.attempts[0]?.error, thrown)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
