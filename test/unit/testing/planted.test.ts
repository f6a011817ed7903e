import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createDuctape,
  defineFallback,
  type Fallback,
  FallbackExhaustedError,
  FallbackFailedError,
} from '../../../src/index.ts';
import { PolicyViolation, search } from '../../../src/testing/check.ts';
import {
  alwaysRecovers,
  atMostOneEffect,
  attemptsAtMost,
  neverCalls,
  reaches,
  settlesWithin,
} from '../../../src/testing/invariants.ts';
import type { CheckOptions } from '../../../src/testing/options.ts';
import type { Create } from '../../../src/testing/simulate.ts';
import { SEEDS } from './seeds.ts';

type Engine = ReturnType<Create>['fallback'];
type Options = Parameters<Create>[0];
type Request = Parameters<Engine['run']>[0] & { readonly action: string; readonly cache?: string };

const COMMANDS = ['trigger', 'update', 'reset', 'abort', 'evict', 'restart'];
const input = fc.record({ order: fc.nat(9) });
const answer = () => Promise.resolve('done');

const sound = defineFallback({
  tag: 'sound',
  maxRetries: 0,
  resetAfter: 100,
  providers: [{ name: 'one', run: answer, timeout: 50 }],
});

/** An engine with a fault: ours, but for what `spoil` makes of it. */
function spoilt(spoil: (engine: Engine, options: Options) => Partial<Engine>): Create {
  return (options) => {
    const engine = createDuctape(options).fallback as unknown as Engine;
    return { fallback: { ...engine, ...spoil(engine, options) } };
  };
}

interface Plant {
  readonly name: string;
  readonly definition: Fallback;
  readonly invariants?: CheckOptions['invariants'];
  readonly create?: Create;
  readonly breaks: string | RegExp;
  /** What a person would write by hand: the commands, and the faults that are not `ok`. */
  readonly commands: readonly string[];
  /** As short, and as good. */
  readonly or?: readonly (readonly string[])[];
  readonly faults: number;
}

const plants: readonly Plant[] = [
  {
    name: 'a double charge by a lost answer',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', run: answer },
        { name: 'two', run: answer },
      ],
    }),
    invariants: [atMostOneEffect()],
    breaks: 'atMostOneEffect',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'a hang without a timeout',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', run: answer },
        { name: 'two', value: 1 },
      ],
    }),
    invariants: [settlesWithin(5_000)],
    breaks: 'settlesWithin(5000)',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'a deadline shorter than an attempt',
    definition: defineFallback({
      tag: 'x',
      deadline: 100,
      providers: [
        { name: 'one', run: answer, timeout: 400 },
        { name: 'two', value: 1 },
      ],
    }),
    invariants: [alwaysRecovers()],
    breaks: 'alwaysRecovers',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'a provider order swapped',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'costly', run: answer },
        { name: 'cheap', run: answer },
      ],
    }),
    invariants: [
      neverCalls('costly', (trace) => !trace.some(({ type, provider }) => type === 'call' && provider === 'cheap')),
    ],
    breaks: 'neverCalls(costly)',
    commands: ['trigger'],
    faults: 0,
  },
  {
    name: 'a retry too many',
    definition: defineFallback({
      tag: 'x',
      providers: [{ name: 'one', run: answer, retries: 2, backoff: 1, timeout: 50 }],
    }),
    invariants: [attemptsAtMost(2)],
    breaks: 'attemptsAtMost(2)',
    commands: ['trigger'],
    faults: 2,
  },
  {
    name: 'an invariant of the user’s own',
    definition: defineFallback({ tag: 'x', maxRetries: 0, providers: [{ name: 'one', run: answer, timeout: 50 }] }),
    invariants: [
      function neverExhausted(trace) {
        return !trace.some(({ type, state }) => type === 'state' && state === 'exhausted');
      },
    ],
    breaks: 'neverExhausted',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that makes each call twice',
    definition: sound,
    create: (options) => {
      const fallbacks = (options?.fallbacks ?? []) as unknown as readonly {
        providers: readonly { run(...args: unknown[]): unknown }[];
      }[];
      const twice = fallbacks.map((fallback) => ({
        ...fallback,
        providers: fallback.providers.map((provider) => ({
          ...provider,
          run: (...args: unknown[]) => {
            Promise.resolve(provider.run(...args)).catch(() => {});
            return provider.run(...args);
          },
        })),
      }));
      return createDuctape({ ...options, fallbacks: twice as never }) as unknown as ReturnType<Create>;
    },
    breaks: /^law 2/,
    commands: ['trigger'],
    faults: 0,
  },
  {
    name: 'a reset that a late failure undoes',
    definition: sound,
    create: spoilt((engine) => {
      let resets = 0;
      const run: Engine['run'] = (request, options) => {
        const { action, cache } = request as Request;
        if (action === 'reset') resets++;
        const before = resets;
        return engine.run(request, options).catch((error) => {
          if (error instanceof FallbackFailedError && resets > before && cache === undefined) {
            const machine = {
              env: 'test',
              product: 'policy',
              tag: 'sound',
              triggers: 1,
              recoveries: 0,
              revision: 0,
              waited: 0,
            };
            const snapshot = { status: 'active', value: { exhausted: 'cooling' }, context: { failures: 1 } };
            engine.restore({ version: 1, takenAt: 0, machines: [{ ...machine, snapshot }] });
          }
          throw error;
        });
      };
      return { run };
    }),
    breaks: /^laws 4 to 8/,
    commands: ['trigger', 'reset'],
    faults: 1,
  },
  {
    name: 'an exhausted engine that lets in whoever asks',
    definition: sound,
    create: spoilt((engine, options) => {
      const other = createDuctape(options).fallback as unknown as Engine;
      const run: Engine['run'] = (request, options) =>
        engine.run(request, options).catch((error) => {
          if (error instanceof FallbackExhaustedError) return other.run(request, options);
          throw error;
        });
      const on: Engine['on'] = (type, listener) => {
        other.on(type, listener);
        return engine.on(type, listener);
      };
      return { run, on };
    }),
    breaks: /^law 5/,
    commands: ['trigger', 'trigger'],
    faults: 1,
  },
  {
    name: 'a key that bleeds into another',
    definition: sound,
    create: spoilt((engine) => ({
      run: (request, options) => {
        const { cache } = request as Request;
        return engine.run({ ...request, ...(cache === 'key-1' && { cache: 'key-2' }) }, options);
      },
    })),
    breaks: 'law 7',
    commands: ['trigger'],
    faults: 0,
  },
  {
    name: 'an abort that falls back',
    definition: sound,
    create: spoilt((engine) => ({
      run: (request, options) => {
        const { signal, ...rest } = (options ?? {}) as { signal?: AbortSignal };
        return engine.run(request, options).catch((error) => {
          if (signal?.aborted && error === signal.reason) return engine.run(request, rest);
          throw error;
        });
      },
    })),
    breaks: /^law/,
    commands: ['trigger', 'abort'],
    faults: 1,
  },
  {
    name: 'a snapshot that forgets its failures',
    definition: sound,
    create: spoilt((engine) => ({
      snapshot: () => {
        const snapshot = engine.snapshot() as { machines: readonly object[] };
        return { ...snapshot, machines: [] };
      },
    })),
    breaks: /^laws 4 to 8/,
    commands: ['trigger', 'restart'],
    faults: 0,
  },
  {
    name: 'a listener that changes an outcome',
    definition: sound,
    create: spoilt((engine) => {
      let isHeard = false;
      return {
        on: (type, listener) => {
          isHeard = true;
          return engine.on(type, listener);
        },
        run: (request, options) =>
          engine.run(request, options).then((result) => {
            if (isHeard && (request as Request).action === 'trigger') throw new Error('the listener threw');
            return result;
          }),
      };
    }),
    breaks: /^law 1/,
    commands: ['trigger'],
    faults: 0,
  },
  {
    name: 'an exhaustion that never ends',
    definition: sound,
    create: spoilt((engine) => {
      let exhausted = false;
      engine.on('*', ({ type, cache }) => {
        exhausted ||= type === 'exhausted' && cache === undefined;
      });
      const refusal = new FallbackExhaustedError(undefined, undefined, {});
      return {
        run: (request, options) => {
          const { action, cache } = request as Request;
          if (action === 'reset') exhausted = false;
          return exhausted && action === 'trigger' && cache === undefined
            ? Promise.reject(refusal)
            : engine.run(request, options);
        },
      };
    }),
    breaks: /^law 5/,
    commands: ['trigger', 'trigger'],
    or: [
      ['update', 'trigger', 'trigger'],
      ['trigger', 'update', 'trigger'],
    ],
    faults: 1,
  },
];

async function violation(plant: Plant, options: Partial<CheckOptions>): Promise<PolicyViolation> {
  const { definition, invariants = [], create } = plant;
  const found = await search(definition, { input, invariants, ...options }, create).catch((error) => error);
  expect(found).toBeInstanceOf(PolicyViolation);
  return found;
}

describe.each(plants)('$name', (plant) => {
  it.each(SEEDS)('is found within 300 histories, and is as short as by hand (seed %i)', async (seed) => {
    const found = await violation(plant, { seed });
    expect(found.runs).toBeLessThanOrEqual(300);
    expect(found.invariant).toMatch(plant.breaks);
    const commands = found.trace.filter(({ type }) => COMMANDS.includes(type)).map(({ type }) => type);
    expect([plant.commands, ...(plant.or ?? [])]).toContainEqual(commands);
    const faults = found.trace.filter(({ type, fault }) => type === 'call' && fault !== 'ok');
    expect(faults.length).toBeLessThanOrEqual(plant.faults);
  });

  it('replays to the same lines', async () => {
    const found = await violation(plant, { seed: 1 });
    const again = await violation(plant, { seed: found.seed, path: found.path });
    expect(again.timeline).toBe(found.timeline);
    expect(again.invariant).toBe(found.invariant);
  });
});

it('a value that hides a later provider never lets it win', async () => {
  const definition = defineFallback({
    tag: 'x',
    providers: [
      { name: 'one', run: answer },
      { name: 'two', value: 1 },
      { name: 'three', run: answer },
    ],
  });
  await expect(search(definition, { input, invariants: [reaches('three')] })).rejects.toThrow(
    'three never won in 300 histories',
  );
});

it('finds nothing where nothing is wrong', async () => {
  const report = await search(sound, { input, invariants: [settlesWithin(51), attemptsAtMost(1)], seed: 7 });
  expect(report).toMatchObject({ runs: 300, longest: 50 });
  expect(report.states.exhausted).toBeGreaterThan(0);
  expect(report.transitions['exhausted → triggered']).toBeGreaterThan(0);
});
