import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDuctape, defineFallback, type Fallback } from '../../../src/index.ts';
import { checkFallback, PolicyViolation, search } from '../../../src/testing/check.ts';
import { atMostOneEffect } from '../../../src/testing/invariants.ts';
import type { CheckOptions } from '../../../src/testing/options.ts';
import type { Create } from '../../../src/testing/simulate.ts';
import { SEEDS } from './seeds.ts';

type Provider = Readonly<Record<string, unknown>>;
type Function = (...args: unknown[]) => unknown;
type Engine = ReturnType<Create>['fallback'];

const FIVE = SEEDS.slice(0, 5);
const COMMANDS = ['trigger', 'update', 'reset', 'abort', 'evict', 'restart', 'health'];
const input = fc.record({ order: fc.nat(9) });
const run = () => Promise.resolve('done');
const compensate = () => {};
const verify = () => ({ done: false }) as const;
const inDoubtWhen = (error: unknown) => (error as { code?: string }).code === 'ECONNRESET';

/** An engine with a fault: ours, with definitions that are not quite what they were. */
function altered(change: (provider: Provider) => Provider, whole: object = {}): Create {
  return (options) => {
    const fallbacks = (options?.fallbacks ?? []) as unknown as readonly { providers: readonly Provider[] }[];
    const changed = fallbacks.map((fallback) => ({ ...fallback, ...whole, providers: fallback.providers.map(change) }));
    return createDuctape({ ...options, fallbacks: changed as never }) as unknown as ReturnType<Create>;
  };
}

const without =
  (...fields: readonly string[]) =>
  (provider: Provider): Provider =>
    Object.fromEntries(Object.entries(provider).filter(([field]) => !fields.includes(field)));

const charge = { run, timeout: 50 };
const compensated = defineFallback({
  tag: 'x',
  providers: [
    { name: 'one', ...charge, compensate },
    { name: 'later', value: 'queued' },
  ],
});
const compensatedBoth = defineFallback({
  tag: 'x',
  providers: [
    { name: 'one', ...charge, compensate },
    { name: 'two', ...charge, compensate },
  ],
});
const verified = defineFallback({
  tag: 'x',
  providers: [
    { name: 'one', ...charge, inDoubt: 'verify', inDoubtWhen, verify },
    { name: 'two', ...charge, inDoubt: 'verify', inDoubtWhen, verify },
  ],
});
const guarded = defineFallback({
  tag: 'x',
  providers: [
    { name: 'one', ...charge, breaker: { failures: 1, cooldown: 1_000 } },
    { name: 'two', ...charge },
  ],
});

interface Plant {
  readonly name: string;
  readonly definition: Fallback;
  readonly options?: Partial<CheckOptions>;
  readonly create?: Create;
  readonly breaks: string;
  /** What it says of it. */
  readonly says: string;
  /** What a person would write by hand: the commands, and the faults that are not `ok`. */
  readonly commands: readonly string[];
  readonly faults: number;
}

const plants: readonly Plant[] = [
  {
    name: 'a double charge by a hedge',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', run, timeout: 50, hedge: 10, idempotent: true },
        { name: 'two', run, timeout: 50, idempotent: true },
      ],
    }),
    options: { invariants: [atMostOneEffect()] },
    breaks: 'atMostOneEffect',
    says: 'second effect of trigger #1',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'a double charge by a loss that inDoubtWhen does not know',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', ...charge, inDoubt: 'verify', inDoubtWhen: () => false, verify },
        { name: 'two', ...charge },
      ],
    }),
    options: { invariants: [atMostOneEffect()] },
    breaks: 'atMostOneEffect',
    says: '→ lost',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that drops a compensation',
    definition: compensated,
    create: altered((provider) => ({ ...provider, compensate: () => {} })),
    breaks: 'safety 3',
    says: 'the effect of one, attempt 1 of trigger #1, is not the answer, and was never undone',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that undoes the answer',
    definition: compensatedBoth,
    create: altered((provider) => ({
      ...provider,
      run: async (...args: unknown[]) => {
        const output = await (provider.run as Function)(...args);
        await (provider.compensate as Function)(output, ...args);
        return output;
      },
    })),
    breaks: 'safety 3',
    says: 'is the answer, and was undone',
    commands: ['trigger'],
    faults: 0,
  },
  {
    name: 'an engine that undoes twice',
    definition: compensated,
    create: altered((provider) => ({
      ...provider,
      compensate: async (...args: unknown[]) => {
        await (provider.compensate as Function)(...args);
        return (provider.compensate as Function)(...args);
      },
    })),
    breaks: 'safety 3',
    says: 'was undone twice',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that undoes with another output',
    definition: compensated,
    create: altered((provider) => ({
      ...provider,
      compensate: (_: unknown, ...args: unknown[]) => (provider.compensate as Function)('another', ...args),
    })),
    breaks: 'safety 3',
    says: 'was to be undone with "another"',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that gives up on a compensation at once',
    definition: compensatedBoth,
    create: altered((provider) => ({ ...provider, compensateRetries: 0 })),
    options: { faults: { lost: 0 }, invariants: [atMostOneEffect()] },
    breaks: 'atMostOneEffect',
    says: 'second effect',
    commands: ['trigger'],
    faults: 2,
  },
  {
    name: 'an engine that does not stop',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', ...charge, inDoubt: 'stop' },
        { name: 'two', ...charge },
      ],
    }),
    create: altered(without('inDoubt')),
    breaks: 'safety 3',
    says: 'trigger #1 called two although one was in doubt',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that does not ask',
    definition: verified,
    create: altered(without('inDoubt', 'verify')),
    breaks: 'safety 3',
    says: 'trigger #1 called two although one was in doubt, and not asked',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that takes no answer for a no',
    definition: verified,
    create: altered((provider) => ({
      ...provider,
      verify: async (...args: unknown[]) => {
        try {
          return await (provider.verify as Function)(...args);
        } catch {
          return { done: false };
        }
      },
    })),
    breaks: 'safety 3',
    says: 'although one gave no answer to verify',
    commands: ['trigger'],
    faults: 2,
  },
  {
    name: 'an engine that calls what is unhealthy',
    definition: guarded,
    create: altered(without('breaker')),
    breaks: 'safety 1',
    says: 'called one, which had failed 1 times in a row, within its cooldown',
    commands: ['trigger', 'trigger'],
    faults: 1,
  },
  {
    name: 'an engine that calls what is busy',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', ...charge, concurrency: 1 },
        { name: 'two', ...charge },
      ],
    }),
    create: altered(without('concurrency')),
    breaks: 'safety 1',
    says: '2 attempts on one were under way at once, and 1 are allowed',
    commands: ['trigger', 'trigger'],
    faults: 1,
  },
  {
    name: 'an engine that hedges too early',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', ...charge, hedge: 20, idempotent: true },
        { name: 'two', ...charge, idempotent: true },
      ],
    }),
    create: altered((provider) => ('hedge' in provider ? { ...provider, hedge: 0 } : provider)),
    breaks: 'law 2',
    says: 'had two attempts under way at once',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that knows no budget',
    definition: defineFallback({
      tag: 'x',
      retryBudget: { ratio: 0.5, minPerSecond: 0 },
      providers: [{ name: 'one', ...charge, retries: 1, backoff: 0 }],
    }),
    create: altered((provider) => provider, { retryBudget: undefined }),
    breaks: 'safety 5',
    says: 'one was retried 1 times for 1 first attempts within 10 s',
    commands: ['trigger'],
    faults: 1,
  },
  {
    name: 'an engine that gives order B the receipt of order A',
    definition: defineFallback({ tag: 'x', reuse: { maxAge: 100 }, providers: [{ name: 'one', ...charge }] }),
    create: altered((provider) => provider, { reuse: { maxAge: 100, key: () => '' } }),
    breaks: 'safety 4',
    says: 'trigger #2 was given an answer again that no equal one had been given within 100 ms',
    commands: ['trigger', 'trigger'],
    faults: 0,
  },
  {
    name: 'an engine whose last good answers grow too old',
    definition: defineFallback({
      tag: 'x',
      providers: [
        { name: 'one', ...charge },
        { name: 'old', lastGood: { maxAge: 100, key: () => '' } },
      ],
    }),
    create: altered((provider) =>
      'lastGood' in provider ? { ...provider, lastGood: { maxAge: 10_000, key: () => '' } } : provider,
    ),
    breaks: 'safety 4',
    says: 'trigger #2 was given an answer again that no equal one had been given within 100 ms',
    commands: ['trigger', 'wait', 'trigger'],
    faults: 1,
  },
  ...(
    [
      ['tells nobody of a doubt', 0, '[]'],
      ['tells of a doubt twice', 2, '["timed-out","timed-out"]'],
    ] as const
  ).map(
    ([what, times, told]): Plant => ({
      name: `an engine that ${what}`,
      definition: defineFallback({ tag: 'x', providers: [{ name: 'one', run, timeout: 50 }] }),
      create: (options) => {
        const engine = createDuctape(options).fallback as unknown as Engine;
        const on: Engine['on'] = (type, listener) =>
          engine.on(type, (event) => {
            for (let time = 0; time < (event.type === 'in-doubt' ? times : 1); time++) listener(event);
          });
        return { fallback: { ...engine, on } };
      },
      // Nothing but a trigger: an abort or a restart leaves a doubt as well.
      options: { commands: 1 },
      breaks: 'safety 3',
      says: `ended as timed-out, and was told to be in doubt for ${told}, not ["timed-out"]`,
      commands: ['trigger'],
      faults: 1,
    }),
  ),
  {
    name: 'an engine that tells nobody of what it undoes',
    definition: compensated,
    create: (options) => {
      const engine = createDuctape(options).fallback as unknown as Engine;
      const on: Engine['on'] = (type, listener) =>
        engine.on(type, (event) => event.type !== 'compensated' && listener(event));
      return { fallback: { ...engine, on } };
    },
    breaks: 'safety 3',
    says: 'what became of undoing one, attempt 1 of trigger #1, was told 0 times',
    commands: ['trigger'],
    faults: 1,
  },
];

async function violation({ definition, options, create }: Plant, where: Partial<CheckOptions>) {
  const found = await search(definition, { input, ...options, ...where }, create).catch((error) => error);
  expect(found).toBeInstanceOf(PolicyViolation);
  return found as PolicyViolation;
}

describe.each(plants)('$name', (plant) => {
  it.each(FIVE)('is found within 300 histories, and is as short as by hand (seed %i)', async (seed) => {
    const found = await violation(plant, { seed });
    expect(found.invariant).toBe(plant.breaks);
    expect(found.message).toContain(plant.says);
    // An age needs time to pass, of which the trace tells by its times alone.
    const commands = found.trace.filter(({ type }) => COMMANDS.includes(type)).map(({ type }) => type);
    expect(commands).toEqual(plant.commands.filter((command) => command !== 'wait'));
    const faults = found.trace.filter(
      ({ type, fault }) => ['call', 'verify', 'compensate'].includes(type) && fault !== 'ok',
    );
    expect(faults.length).toBeLessThanOrEqual(plant.faults);
  });

  it('replays to the same lines', async () => {
    const found = await violation(plant, { seed: 1 });
    const again = await violation(plant, { seed: found.seed, path: found.path });
    expect(again.timeline).toBe(found.timeline);
  });
});

describe('a policy that charges twice', () => {
  const one = { name: 'one', run, timeout: 50 } as const;
  const two = { name: 'two', run, timeout: 50 } as const;
  const later = { name: 'later', value: 'queued' } as const;
  const check = (definition: Fallback, options: Partial<CheckOptions> = {}) =>
    checkFallback(definition, { input, invariants: [atMostOneEffect()], ...options });

  it.each(FIVE)('does so without a word of what it does to the world (seed %i)', async (seed) => {
    const naive = defineFallback({ tag: 'x', providers: [one, two, later] });
    await expect(check(naive, { seed })).rejects.toThrow('second effect of trigger #1');
  });

  it.each(FIVE)('does not once it asks what is in doubt (seed %i)', async (seed) => {
    const asking = { inDoubt: 'verify', inDoubtWhen, verify } as const;
    const providers = [{ ...one, ...asking }, { ...two, ...asking }, later] as const;
    await check(defineFallback({ tag: 'x', providers }), { seed });
  });

  it.each(FIVE)('does not once it undoes what comes too late, where nothing is lost (seed %i)', async (seed) => {
    const providers = [{ ...one, compensate }, { ...two, compensate }, later] as const;
    const definition = defineFallback({ tag: 'x', providers });
    await check(definition, { seed, faults: { lost: 0 } });
    await expect(check(definition, { seed })).rejects.toThrow('→ lost');
  });

  it('does not count what an idempotent provider repeats, but does on another', async () => {
    const idempotent = { ...one, idempotent: true, retries: 2, backoff: 1 } as const;
    await check(defineFallback({ tag: 'x', providers: [idempotent, later] }), { seed: 1 });
    const unsaid = { ...one, retries: 2, backoff: 1 } as const;
    await expect(check(defineFallback({ tag: 'x', providers: [unsaid, later] }), { seed: 1 })).rejects.toThrow(
      'second effect',
    );
    await expect(check(defineFallback({ tag: 'x', providers: [idempotent, two] }), { seed: 1 })).rejects.toThrow(
      'second effect',
    );
  });
});
