import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Command,
  commandArbitraries,
  type Fault,
  type History,
  histories,
  minimal,
  type Stage,
} from '../../../src/testing/history.ts';
import { RUNS } from '../../virtual-clock.ts';

type Trigger = Extract<Command, { type: 'trigger' }>;

const stage: Stage = {
  input: fc.constant({ order: 1 }),
  updates: fc.constant({ maxRetries: 2 }),
  keys: 2,
  commands: 12,
  providers: [{ name: 'one', outputs: fc.constant('paid'), weights: { ok: 1, lost: 1 }, attempts: 3 }],
  delays: [0, 20, 150],
};
const aftermath: Stage['aftermath'] = [
  { name: 'one', of: 'verify', kinds: ['reject', 'hang'], most: 2 },
  { name: 'two', of: 'compensate', kinds: ['throw'], most: 4 },
];

/** Many commands of one type, always the same ones. */
function sampled<T extends Command['type']>(type: T, changes: Partial<Stage> = {}): Extract<Command, { type: T }>[] {
  const isMeant = (command?: Command): command is Extract<Command, { type: T }> => command?.type === type;
  return commandArbitraries({ ...stage, ...changes })
    .map(({ arbitrary }) => arbitrary)
    .filter((arbitrary) => isMeant(fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0]))
    .flatMap((arbitrary) => fc.sample(arbitrary, { numRuns: 1_000, seed: 1 }))
    .filter(isMeant);
}

const distinct = (values: readonly unknown[]) => [...new Set(values)].sort();
const shareOf = <T>(values: readonly T[], isMeant: (value: T) => boolean) =>
  values.filter(isMeant).length / values.length;

describe('a random history', () => {
  it('has triggers and waits above all, and health checks only where there are any', () => {
    const weights = (changes: Partial<Stage>) =>
      commandArbitraries({ ...stage, ...changes }).map(({ arbitrary, weight }) => [
        fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0]?.type,
        weight,
      ]);
    const usual = [
      ['trigger', 8],
      ['wait', 6],
      ['abort', 2],
      ['update', 2],
      ['reset', 2],
      ['evict', 1],
      ['restart', 2],
    ];
    expect(weights({})).toEqual(usual);
    expect(weights({ checked: [] })).toEqual(usual);
    expect(weights({ checked: ['one'] })).toEqual([...usual, ['health', 2]]);
  });

  it('is as long as is allowed, no longer, and often not much shorter', () => {
    const lengths = fc.sample(histories(stage), { numRuns: 300, seed: 1 }).map(({ length }) => length);
    expect(distinct(lengths)).toEqual(distinct(Array.from({ length: 13 }, (_, length) => length)));
    expect(shareOf(lengths, (length) => length > 6)).toBeGreaterThan(0.4);
  });

  it('happens to the machine without a key more than to any other', () => {
    for (const type of ['trigger', 'update', 'reset'] as const) {
      const keys = sampled(type).map(({ key }) => key);
      expect(distinct(keys)).toEqual([0, 1, 2]);
      expect(shareOf(keys, (key) => key === 0)).toBeCloseTo(3 / 5, 1);
      expect(shareOf(keys, (key) => key === 1)).toBeCloseTo(1 / 5, 1);
      expect(distinct(sampled(type, { keys: 0 }).map(({ key }) => key))).toEqual([0]);
    }
  });

  it('triggers with the inputs, outputs, faults and delays it was given', () => {
    const triggers = sampled('trigger');
    expect(distinct(triggers.flatMap((command) => Object.keys(command)))).toEqual(['faults', 'input', 'key', 'type']);
    expect(triggers.every(({ input }) => JSON.stringify(input) === '{"order":1}')).toBe(true);
    const faults = triggers.flatMap((command) => command.faults.one as readonly Fault[]);
    expect(distinct(faults.map(({ kind }) => kind))).toEqual(['lost', 'ok']);
    expect(distinct(faults.map(({ output }) => output))).toEqual(['paid']);
    expect(distinct(faults.map(({ delay }) => delay))).toEqual([0, 150, 20]);
  });

  it('has a fault for every attempt of a provider more often than not, and never more', () => {
    const lengths = sampled('trigger').map(({ faults }) => faults.one?.length);
    expect(distinct(lengths)).toEqual([0, 1, 2, 3]);
    expect(shareOf(lengths, (length) => length === 3)).toBeCloseTo(0.81, 1);
  });

  it.each([
    [{ ok: 1, lost: 9 }, 0.9],
    [{ ok: 1, lost: 1 }, 0.5],
    [{ ok: 0.01, lost: 0.01 }, 0.5],
    [{ ok: 0.01, lost: 0.0001 }, 0.5],
    [{ ok: 0.01, lost: 0 }, 0],
  ])('has faults by their weights: %j', (weights, share) => {
    const providers = [{ name: 'one', outputs: fc.constant(1), weights, attempts: 3 }];
    const faults = sampled('trigger', { providers }).flatMap((command) => command.faults.one as readonly Fault[]);
    const found = shareOf(faults, ({ kind }) => kind === 'lost');
    expect(Math.abs(found - share)).toBeLessThan(share === 0 ? Number.MIN_VALUE : 0.03);
  });

  it('says what comes after a call only where something may', () => {
    expect(sampled('trigger', { aftermath: [] }).some((command) => 'aftermath' in command)).toBe(false);
    const afterwards = sampled('trigger', { aftermath }).map((command) => command.aftermath);
    expect(distinct(afterwards.flatMap((after) => Object.keys(after ?? {})))).toEqual(['compensate', 'verify']);
    for (const [of, name, kinds, most] of [
      ['verify', 'one', ['hang', 'ok', 'reject'], 2],
      ['compensate', 'two', ['ok', 'throw'], 4],
    ] as const) {
      expect(distinct(afterwards.flatMap((after) => Object.keys(after?.[of] ?? {})))).toEqual([name]);
      const lists = afterwards.map((after) => after?.[of]?.[name] as readonly Fault[]);
      expect(distinct(lists.map(({ length }) => length))).toEqual(Array.from({ length: most + 1 }, (_, n) => n));
      expect(distinct(lists.flat().map(({ kind }) => kind))).toEqual(kinds);
      expect(distinct(lists.flat().map(({ delay }) => delay))).toEqual([0, 150, 20]);
      expect(distinct(lists.flat().map(({ output }) => output))).toEqual([undefined]);
    }
  });

  it('lets what comes after a call be all right somewhat more often than all else together', () => {
    const lists = sampled('trigger', { aftermath }).map((command) => command.aftermath?.verify?.one ?? []);
    const share = shareOf(lists.flat(), ({ kind }) => kind === 'ok');
    expect(Math.abs(share - 5 / 7)).toBeLessThan(0.04);
  });

  it('waits, aborts, updates, resets and answers health checks in each way there is', () => {
    expect(distinct(sampled('wait').map(({ ms }) => ms))).toEqual([0, 150, 20]);
    expect(distinct(sampled('abort').map(({ which }) => which))).toEqual([0, 1, 2]);
    expect(distinct(sampled('update').map(({ input }) => JSON.stringify(input)))).toEqual(['{"maxRetries":2}']);
    expect(distinct(sampled('reset').map(({ input }) => JSON.stringify(input)))).toEqual([
      '{"config":false,"keys":false}',
      '{"config":false,"keys":true}',
      '{"config":true,"keys":false}',
      '{"config":true,"keys":true}',
    ]);
    const health = sampled('health', { checked: ['one', 'two'] });
    expect(distinct(health.map(({ provider, answer }) => `${provider} ${answer}`))).toEqual(
      ['one', 'two'].flatMap((name) => ['hang', 'sick', 'throw', 'well'].map((answer) => `${name} ${answer}`)),
    );
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('shrinks towards nothing, `ok`, no delay and no key (seed %i)', (seed) => {
    const [trigger] = commandArbitraries({ ...stage, aftermath });
    const arbitrary = trigger?.arbitrary as fc.Arbitrary<Trigger>;
    const shrunk = (isFine: (command: Trigger) => boolean) =>
      fc.check(fc.property(arbitrary, isFine), { seed }).counterexample?.[0];
    const nothing = { verify: { one: [] }, compensate: { two: [] } };
    const least = { type: 'trigger', key: 0, input: { order: 1 }, faults: { one: [] }, aftermath: nothing };
    expect(shrunk(() => false)).toEqual(least);
    const calm = { kind: 'ok', delay: 0, output: 'paid' };
    const faults = shrunk((command) => command.faults.one?.length === 0)?.faults.one ?? [];
    expect(faults).toEqual(faults.map(() => calm));
    expect(faults).not.toEqual([]);
    const well = { kind: 'ok', delay: 0, output: undefined };
    expect(shrunk((command) => command.aftermath?.verify?.one?.length === 0)).toEqual({
      ...least,
      aftermath: { ...nothing, verify: { one: [well] } },
    });
  });
});

describe('what can be spared of a history', () => {
  const evict: Command = { type: 'evict' };
  const restart: Command = { type: 'restart' };
  const wait: Command = { type: 'wait', ms: 5 };
  const fault = (kind: Fault['kind'], delay = 0): Fault => ({ kind, delay, output: 1 });

  /** Each history that is tried in turn, and what is left in the end. */
  async function tried(history: History, fails: (candidate: History) => boolean = () => false) {
    const asked: History[] = [];
    const least = await minimal(history, async (candidate) => {
      // A search that goes round in circles would never end.
      if (asked.push(candidate) > 50) throw new Error('too many are tried');
      return fails(candidate);
    });
    return { asked, least };
  }

  it('is tried from the end: one command, then any two', async () => {
    const { asked, least } = await tried([wait, evict, restart]);
    expect(asked).toEqual([[wait, evict], [wait, restart], [evict, restart], [wait], [evict], [restart]]);
    expect(least).toEqual([wait, evict, restart]);
  });

  it('is tried anew after each success, until nothing can be spared', async () => {
    const { asked, least } = await tried([wait, evict, restart], (candidate) => candidate.includes(evict));
    expect(asked).toEqual([[wait, evict], [wait], [evict], []]);
    expect(least).toEqual([evict]);
  });

  it('is a pair of which neither can be spared alone', async () => {
    const pairs = (candidate: History) => candidate.includes(wait) === candidate.includes(restart);
    const { asked, least } = await tried([wait, restart], pairs);
    expect(asked).toEqual([[wait], [restart], []]);
    expect(least).toEqual([]);
  });

  it('is nothing of an empty history', async () => {
    expect(await tried([])).toEqual({ asked: [], least: [] });
  });

  it.each<[Command, ...Command[]]>([
    [{ type: 'wait', ms: 5 }],
    [{ type: 'abort', which: 0 }],
    [
      { type: 'abort', which: 1 },
      { type: 'abort', which: 0 },
    ],
    [{ type: 'health', provider: 'one', answer: 'well' }],
    [{ type: 'health', provider: 'one', answer: 'sick' }],
    [
      { type: 'health', provider: 'one', answer: 'throw' },
      { type: 'health', provider: 'one', answer: 'sick' },
    ],
    [
      { type: 'health', provider: 'one', answer: 'hang' },
      { type: 'health', provider: 'one', answer: 'sick' },
    ],
    [{ type: 'reset', key: 0, input: { config: false, keys: false } }],
    [
      { type: 'reset', key: 1, input: { config: true, keys: true } },
      { type: 'reset', key: 0, input: { config: true, keys: true } },
      { type: 'reset', key: 1, input: { config: false, keys: true } },
      { type: 'reset', key: 1, input: { config: true, keys: false } },
    ],
    [
      { type: 'update', key: 0, input: { maxRetries: 1, resetAfter: 0 } },
      { type: 'update', key: 0, input: { resetAfter: 0 } },
      { type: 'update', key: 0, input: { maxRetries: 1 } },
    ],
    [
      { type: 'trigger', key: 2, input: {}, faults: {} },
      { type: 'trigger', key: 0, input: {}, faults: {} },
    ],
    [{ type: 'trigger', key: 0, input: {}, faults: { one: [] } }],
    [
      { type: 'trigger', key: 0, input: {}, faults: { one: [fault('ok', 1), fault('hang')], two: [fault('ok')] } },
      { type: 'trigger', key: 0, input: {}, faults: { one: [fault('ok', 1)], two: [fault('ok')] } },
      { type: 'trigger', key: 0, input: {}, faults: { one: [fault('ok'), fault('hang')], two: [fault('ok')] } },
      { type: 'trigger', key: 0, input: {}, faults: { one: [fault('ok', 1), fault('ok')], two: [fault('ok')] } },
      { type: 'trigger', key: 0, input: {}, faults: { one: [fault('ok', 1), fault('hang')], two: [] } },
    ],
    [
      {
        type: 'trigger',
        key: 0,
        input: {},
        faults: {},
        aftermath: { verify: { one: [fault('hang')] }, compensate: { two: [fault('ok', 3)] } },
      },
      {
        type: 'trigger',
        key: 0,
        input: {},
        faults: {},
        aftermath: { verify: { one: [] }, compensate: { two: [fault('ok', 3)] } },
      },
      {
        type: 'trigger',
        key: 0,
        input: {},
        faults: {},
        aftermath: { verify: { one: [fault('ok')] }, compensate: { two: [fault('ok', 3)] } },
      },
      {
        type: 'trigger',
        key: 0,
        input: {},
        faults: {},
        aftermath: { verify: { one: [fault('hang')] }, compensate: { two: [] } },
      },
      {
        type: 'trigger',
        key: 0,
        input: {},
        faults: {},
        aftermath: { verify: { one: [fault('hang')] }, compensate: { two: [fault('ok')] } },
      },
    ],
  ])('is each part of a command, one at a time: %j', async (command, ...lesser) => {
    const { asked, least } = await tried([wait, command]);
    expect(asked).toEqual([[wait], [command], [], ...lesser.map((one) => [wait, one])]);
    expect(least).toEqual([wait, command]);
  });
});

const weights = { ok: 1, reject: 1, lost: 1, hang: 1 };
const arbitrary = histories({
  input: fc.constant({}),
  updates: fc.record({ maxRetries: fc.nat(3), resetAfter: fc.constantFrom(0, 1_000) }, { requiredKeys: [] }),
  keys: 2,
  commands: 12,
  providers: [
    { name: 'one', outputs: fc.constant(1), weights, attempts: 3 },
    { name: 'two', outputs: fc.constant(2), weights, attempts: 1 },
  ],
  delays: [0, 3, 150],
});

const kinds = (history: History) =>
  history.flatMap((command) => (command.type === 'trigger' ? Object.values(command.faults).flat() : []));

/** Ways for a history to be wrong that need several things at once. */
const wrongs: readonly ((history: History) => boolean)[] = [
  (history) => history.some(({ type }) => type === 'restart') && kinds(history).some(({ kind }) => kind === 'lost'),
  (history) => kinds(history).filter(({ kind }) => kind === 'hang').length >= 2,
  (history) => history.some((command) => command.type === 'reset' && command.key > 0 && command.input.keys),
  (history) => history.findIndex(({ type }) => type === 'abort') > history.findIndex(({ type }) => type === 'trigger'),
];

it('what is left of a history has no part that could be spared', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrary, fc.constantFrom(...wrongs), async (history, isWrong) => {
      fc.pre(isWrong(history));
      const least = await minimal(history, async (candidate) => isWrong(candidate));
      expect(isWrong(least)).toBe(true);
      for (let at = 0; at < least.length; at++) expect(isWrong(least.toSpliced(at, 1))).toBe(false);
      for (const [at, command] of least.entries()) {
        if (command.type !== 'trigger') continue;
        for (const [name, faults] of Object.entries(command.faults)) {
          for (const [index, fault] of faults.entries()) {
            const calmer: Command = {
              ...command,
              faults: { ...command.faults, [name]: faults.with(index, { ...fault, kind: 'ok' }) },
            };
            if (fault.kind !== 'ok') expect(isWrong(least.with(at, calmer))).toBe(false);
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
});
