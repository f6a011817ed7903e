import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { createDuctape, defineFallback, InvalidRequestError } from '../../../src/index.ts';
import { alwaysRecovers, neverCalls, reaches, settlesWithin } from '../../../src/testing/invariants.ts';
import { prepare } from '../../../src/testing/options.ts';
import type { Create } from '../../../src/testing/simulate.ts';

const run = async () => 'paid';
const input = fc.constant({ order: 1 });
const one = { name: 'one', run };
const two = { name: 'two', run };
const later = { name: 'later', value: 'queued' };
const evenly = { ok: 1, reject: 1, throw: 1, slow: 1, 'slow-reject': 1, hang: 1, stubborn: 1, lost: 1 };

/** What is made of a definition and options that differ from usual ones only in this. */
const prepared = (definition: object, options: object = {}, create?: Create) =>
  prepare(
    defineFallback({ tag: 'pay', providers: [one, two, later], ...definition } as never) as never,
    { input, ...options },
    create,
  );

const refused = (definition: object, options: object) =>
  prepared(definition, options).then(
    () => 'nothing was refused',
    (error: InvalidRequestError) => {
      expect(error).toBeInstanceOf(InvalidRequestError);
      return error.message;
    },
  );

const distinct = (values: readonly unknown[]) => [...new Set(values.map((value) => JSON.stringify(value)))].sort();
const updatesOf = async (definition: object) =>
  fc.sample((await prepared(definition)).stage.updates, { numRuns: 500, seed: 1 });

describe('options that cannot work are refused', () => {
  const options =
    'expected one of input, output, updates, faults, session, invariants, runs, commands, keys, seed, path';
  const faults = 'ok, reject, throw, invalid, slow, slow-reject, hang, stubborn, lost';

  it.each<[object, string]>([
    [{ runz: 1 }, `runz: unknown option; ${options}`],
    [{ runz: 1, kees: 1 }, `runz: unknown option; ${options}; kees: unknown option; ${options}`],
    [{ input: undefined }, "input: expected a fast-check arbitrary for a trigger's input: fc.record({ … })"],
    [{ input: null }, "input: expected a fast-check arbitrary for a trigger's input: fc.record({ … })"],
    [{ input: { order: 1 } }, "input: expected a fast-check arbitrary for a trigger's input: fc.record({ … })"],
    [{ input: fc.constant(5) }, 'input: expected an arbitrary that makes objects, got 5'],
    [{ input: fc.constant(null) }, 'input: expected an arbitrary that makes objects, got null'],
    [{ input: fc.constant([1]) }, 'input: expected an arbitrary that makes objects, got [1]'],
    [
      { updates: { maxRetries: 1 } },
      'updates: expected a fast-check arbitrary for an update\'s input, got {"maxRetries":1}',
    ],
    ...[null, 5, {}, { tag: 'user' }, { token: 't' }, { tag: '', token: 't' }, { tag: 'user', token: 5 }].map(
      (session): [object, string] => [
        { session },
        'session: expected { tag, token, data? }, its tag and its token strings that are not empty',
      ],
    ),
    [{ output: null }, 'output: expected a fast-check arbitrary, or one by provider name, got null'],
    [{ output: 'paid' }, 'output: expected a fast-check arbitrary, or one by provider name, got "paid"'],
    [{ output: { one: 'paid' } }, 'output.one: expected a fast-check arbitrary for what it answers, got "paid"'],
    [{ faults: null }, 'faults: expected weights of faults, got null'],
    [{ faults: [] }, 'faults: expected weights of faults, got []'],
    [{ faults: { one: 5, two: {} } }, 'faults.one: expected weights of faults, got 5'],
    [{ faults: { one: { hang: -1 } } }, `faults.one.hang: expected the weight (0 or more) of one of ${faults}, got -1`],
    [{ faults: { hang: Number.NaN } }, `faults.hang: expected the weight (0 or more) of one of ${faults}, got NaN`],
    [
      { faults: { hang: Number.POSITIVE_INFINITY } },
      `faults.hang: expected the weight (0 or more) of one of ${faults}, got Infinity`,
    ],
    [{ faults: { hang: null } }, `faults.hang: expected the weight (0 or more) of one of ${faults}, got null`],
    [{ runs: 0 }, 'runs: expected a whole number of 1 or more, got 0'],
    [{ commands: 0 }, 'commands: expected a whole number of 1 or more, got 0'],
    [{ commands: 1.5 }, 'commands: expected a whole number of 1 or more, got 1.5'],
    [{ keys: -1 }, 'keys: expected a whole number of 0 or more, got -1'],
    [{ seed: '1' }, 'seed: expected a whole number, got "1"'],
    [{ path: '0:1' }, 'path: expected a seed beside it, as the violation printed them'],
    [{ seed: 1, path: 5 }, 'path: expected a string, as the violation printed it, got 5'],
    [{ invariants: 5 }, 'invariants: expected a list, got 5'],
    [{ invariants: [alwaysRecovers(), 5] }, 'invariants[1]: expected an invariant or a function of the trace, got 5'],
    [
      { invariants: [neverCalls('three', () => true), reaches('one', 'four')] },
      'invariants.neverCalls(three): unknown provider "three"; expected one of one, two, later; ' +
        'invariants.reaches(one, four): unknown provider "four"; expected one of one, two, later',
    ],
    [
      { runs: 0, keys: -1 },
      'runs: expected a whole number of 1 or more, got 0; keys: expected a whole number of 0 or more, got -1',
    ],
    [{ output: { later: input } }, 'output.later: unknown provider; expected one of one, two'],
    [{ faults: { hangs: 1 } }, `faults.hangs: unknown fault; expected one of ${faults}`],
    [{ faults: { three: {} } }, 'faults.three: unknown provider; expected one of one, two, later'],
    [{ faults: { one: {}, hang: 1 } }, 'faults.hang: unknown provider; expected one of one, two, later'],
    [{ faults: { hang: -1 } }, `faults.hang: expected the weight (0 or more) of one of ${faults}, got -1`],
    [{ faults: { hang: '1' } }, `faults.hang: expected the weight (0 or more) of one of ${faults}, got "1"`],
  ])('%j', async (options, message) => {
    expect(await refused({}, options)).toBe(`Invalid request: ${message}`);
  });

  it('inputs that the schema of the definition refuses', async () => {
    const definition = { input: z.object({ order: z.string('expected a text') }) };
    expect(await refused(definition, {})).toBe(
      'Invalid request: input: expected an arbitrary whose inputs the schema of pay takes; ' +
        'it refused {"order":1}: expected a text',
    );
    expect(await refused(definition, { input: fc.constantFrom({ order: '1' }, { order: 1 }) })).toContain(
      'it refused {"order":1}',
    );
    expect(await refused(definition, { input: fc.constant({ order: '1' }) })).toBe('nothing was refused');
  });

  it('a definition in which nothing runs', async () => {
    expect(await refused({ providers: [later] }, {})).toBe(
      'Invalid request: definition: no provider runs anything, so there is nothing to check',
    );
  });

  it.each<[string, object]>([
    ['a schema', { output: z.string() }],
    ['`accept`', { providers: [{ ...one, accept: () => true }] }],
  ])('no outputs where the definition checks them by %s', async (_, definition) => {
    const message = 'expected an arbitrary for what one answers, since the definition checks it';
    expect(await refused(definition, {})).toBe(`Invalid request: output: ${message}`);
    expect(await refused(definition, { output: fc.constant('paid') })).toBe('nothing was refused');
    expect(await refused(definition, { output: {} })).toBe('nothing was refused');
  });

  it('but not the least that works', async () => {
    const least = { runs: 1, commands: 1, keys: 0, seed: -5, path: '0', invariants: [], faults: { hang: 0 } };
    expect(await refused({}, least)).toBe('nothing was refused');
  });
});

describe('without options', () => {
  it('a definition is played with the defaults', async () => {
    const { play, stage, invariants, names, runs, seed, path, leftOut } = await prepared({});
    expect({ invariants, names, runs, seed, path }).toEqual({
      invariants: [],
      names: ['one', 'two', 'later'],
      runs: 300,
      seed: undefined,
      path: undefined,
    });
    expect(leftOut).toEqual(['one: invalid', 'two: invalid']);
    expect(stage).toMatchObject({ input, keys: 3, commands: 20, aftermath: [], checked: [] });
    expect(stage.delays).toEqual([0, 3, 20, 150, 29_999, 30_000, 30_001]);
    expect(stage.providers).toEqual([
      { name: 'one', outputs: expect.anything(), weights: { ...evenly, invalid: 0 }, attempts: 1 },
      { name: 'two', outputs: expect.anything(), weights: { ...evenly, invalid: 0 }, attempts: 1 },
    ]);
    expect(stage.providers.flatMap(({ outputs }) => fc.sample(outputs, 3))).toEqual(Array(6).fill(undefined));
    expect(play).toMatchObject({ tag: 'pay', policy: { maxRetries: 10, resetAfter: 30_000 }, keys: 3 });
    expect([play.horizon, play.create]).toEqual([undefined, createDuctape]);
    expect([...play.limits]).toEqual([
      ['one', 1_000],
      ['two', 1_000],
    ]);
    expect([...play.outputs]).toEqual([
      ['one', { usual: undefined, invalid: undefined }],
      ['two', { usual: undefined, invalid: undefined }],
    ]);
  });
});

describe('a definition', () => {
  it('is played by actors in the place of its providers', async () => {
    const { play } = await prepared({ providers: [{ ...one, retries: 2 }, later] });
    const actors = { run: vi.fn(() => 'acted'), verify: vi.fn(), compensate: vi.fn(), check: vi.fn() };
    const [first, last] = play.cast(actors).providers as readonly {
      name: string;
      run?: (...args: unknown[]) => unknown;
    }[];
    const ctx = { id: 't1' };
    expect([first?.run?.({ order: 1 }, ctx), last]).toEqual(['acted', later]);
    expect(actors.run).toHaveBeenCalledExactlyOnceWith('one', { order: 1 }, ctx);
    expect(play.definition.providers.map(({ run }) => run)).toEqual([run, undefined]);
  });

  it.each<[object, object]>([
    [{}, { maxRetries: 10, resetAfter: 30_000 }],
    [
      { maxRetries: 0, resetAfter: 0 },
      { maxRetries: 0, resetAfter: 0 },
    ],
    [{ resetAfter: 'never' }, { maxRetries: 10, resetAfter: 'never' }],
    [{ resetAfter: null }, { maxRetries: 10, resetAfter: null }],
  ])('sets the policy of its machines: %j', async (definition, policy) => {
    expect((await prepared(definition)).play.policy).toEqual(policy);
  });

  it.each<[object, number]>([
    [{ providers: [{ ...one, timeout: 50 }] }, 50],
    [{ providers: [{ ...one, timeout: 50 }], deadline: 40 }, 40],
    [{ providers: [{ ...one, timeout: 50 }], deadline: 60 }, 50],
    [{ providers: [{ ...one, timeout: 5_000 }] }, 1_000],
    [{ providers: [{ ...one, timeout: null }], deadline: 40 }, 40],
    [{ providers: [one], deadline: 2_000 }, 1_000],
  ])('says by when a call is in time: %j', async (definition, limit) => {
    expect([...(await prepared(definition)).play.limits]).toEqual([['one', limit]]);
  });

  it('says how many attempts, aftermaths and health checks there are to be faults of', async () => {
    const healthcheck = { check: () => true, interval: 10 };
    const verify = () => ({ done: false });
    const inDoubt = { inDoubt: 'verify', inDoubtWhen: () => true, verify };
    const { stage } = await prepared(
      {
        providers: [
          { ...one, retries: 2, backoff: 0, timeout: 50, healthcheck, ...inDoubt },
          { ...two, retries: 1, backoff: 0, compensate: () => {} },
          later,
        ],
      },
      { faults: { one: { hang: 0 }, two: { lost: 0 } } },
    );
    expect(stage.providers.map(({ name, attempts }) => [name, attempts])).toEqual([
      ['one', 3],
      ['two', 2],
    ]);
    expect(stage.aftermath).toEqual([
      { name: 'one', of: 'verify', kinds: ['reject', 'throw', 'slow'], most: 3 },
      { name: 'two', of: 'compensate', kinds: ['reject', 'throw'], most: 3 },
    ]);
    expect(stage.checked).toEqual(['one']);
  });

  const around = (...limits: readonly number[]) => limits.flatMap((limit) => [limit - 1, limit, limit + 1]);

  it.each<[object, readonly number[]]>([
    [{ resetAfter: 'never' }, []],
    [{ resetAfter: null }, []],
    [{ resetAfter: 500 }, around(500)],
    [{ resetAfter: 0 }, [1]],
    [{ resetAfter: 150 }, [149, 151]],
    [{ resetAfter: null, deadline: 400 }, around(400)],
    [{ resetAfter: null, reuse: { maxAge: 700 } }, around(700)],
    [{ resetAfter: null, retryBudget: { ratio: 0.5, minPerSecond: 1 } }, around(10_000)],
    [{ resetAfter: null, providers: [{ ...one, timeout: 50 }, later] }, around(50)],
    [
      {
        resetAfter: null,
        providers: [
          { ...one, hedge: 60, idempotent: true },
          { ...two, idempotent: true },
        ],
      },
      around(60),
    ],
    [{ resetAfter: null, providers: [{ ...one, breaker: { failures: 1, cooldown: 800 } }] }, around(800)],
    [{ resetAfter: null, providers: [{ ...one, healthcheck: { check: run, interval: 900 } }] }, around(900)],
    [{ resetAfter: null, providers: [one, { name: 'old', lastGood: { maxAge: 600 } }] }, around(600)],
  ])('says which delays are worth trying: %j', async (definition, own) => {
    const { stage } = await prepared(definition);
    expect(stage.delays).toEqual([0, 3, 20, 150, ...own].sort((some, other) => some - other));
  });

  it.each<[object, readonly number[]]>([
    [{ resetAfter: 500 }, [0, 500, 1_000]],
    [{ resetAfter: 'never' }, [0, 1_000]],
    [{ resetAfter: null }, [0, 1_000]],
    [{}, [0, 1_000, 30_000]],
  ])('is updated within what is legal, and only in part: %j', async (definition, waits) => {
    const updates = await updatesOf(definition);
    expect(distinct(updates.map((update) => Object.keys(update).sort()))).toEqual(
      distinct([[], ['maxRetries'], ['resetAfter'], ['maxRetries', 'resetAfter']]),
    );
    expect(distinct(updates.map(({ maxRetries = 0 }) => maxRetries))).toEqual(distinct([0, 1, 2, 3]));
    expect(distinct(updates.map(({ resetAfter = 0 }) => resetAfter))).toEqual(distinct(waits));
  });

  it('has the health updated of those of its providers that are watched', async () => {
    const updates = await updatesOf({
      providers: [
        { ...one, breaker: { failures: 1, cooldown: 800 } },
        two,
        { name: 'three', run, healthcheck: { check: run, interval: 900 } },
      ],
    });
    expect(distinct(updates.map(({ providers = {} }) => providers))).toEqual(
      distinct([
        {},
        { one: { health: 'healthy' } },
        { one: { health: 'unhealthy' } },
        { three: { health: 'healthy' } },
        { three: { health: 'unhealthy' } },
      ]),
    );
    expect(distinct(updates.map((update) => Object.keys(update).sort()))).toEqual(
      distinct([
        [],
        ['maxRetries'],
        ['maxRetries', 'providers'],
        ['maxRetries', 'providers', 'resetAfter'],
        ['maxRetries', 'resetAfter'],
        ['providers'],
        ['providers', 'resetAfter'],
        ['resetAfter'],
      ]),
    );
  });
});

describe('options', () => {
  it('are taken as they are', async () => {
    const updates = fc.constant({ maxRetries: 1 });
    const create = vi.fn() as unknown as Create;
    const given = { runs: 5, commands: 4, keys: 0, seed: 7, path: '1:2', updates };
    const { play, stage, runs, seed, path } = await prepared({}, given, create);
    expect({ runs, seed, path }).toEqual({ runs: 5, seed: 7, path: '1:2' });
    expect(stage).toMatchObject({ commands: 4, keys: 0 });
    expect([stage.updates, play.keys, play.create]).toEqual([updates, 0, create]);
  });

  it('give each provider what it answers: one arbitrary, or its own', async () => {
    const usual = async (output: unknown) => {
      const { play, stage } = await prepared({}, { output });
      const sampled = stage.providers.map(({ outputs }) => fc.sample(outputs, 1)[0]);
      expect([...play.outputs.values()].map((outputs) => outputs.usual)).toEqual(sampled);
      return sampled;
    };
    expect(await usual(fc.constant('paid'))).toEqual(['paid', 'paid']);
    expect(await usual({ two: fc.constant('billed') })).toEqual([undefined, 'billed']);
  });

  it('are tried out with the same inputs and outputs every time', async () => {
    const usual = async () => [...(await prepared({}, { output: fc.nat() })).play.outputs.values()];
    expect(await usual()).toEqual(await usual());
    const definition = { input: z.object({ order: z.string() }) };
    const told = () => refused(definition, { input: fc.record({ order: fc.nat() }) });
    expect(await told()).toBe(await told());
  });

  it('take an invariant, or a function by its name', async () => {
    const holds = alwaysRecovers();
    const mine = () => true;
    const { invariants } = await prepared(
      {},
      {
        invariants: [
          holds,
          mine,
          (
            () => () =>
              true
          )(),
        ],
      },
    );
    expect(invariants).toEqual([
      holds,
      { name: 'mine', judge: mine },
      { name: 'invariant', judge: expect.any(Function) },
    ]);
  });

  it('give triggers as long as the most patient invariant does', async () => {
    const horizon = async (...invariants: readonly unknown[]) => (await prepared({}, { invariants })).play.horizon;
    expect(await horizon(alwaysRecovers())).toBeUndefined();
    expect(await horizon(settlesWithin(0))).toBe(0);
    expect(await horizon(settlesWithin(50), alwaysRecovers(), settlesWithin(70), settlesWithin(60))).toBe(70);
  });

  it.each<[object, object, object]>([
    [{}, evenly, evenly],
    [
      { hang: 0, lost: 5 },
      { ...evenly, hang: 0, lost: 5 },
      { ...evenly, hang: 0, lost: 5 },
    ],
    [{ two: { hang: 0 } }, evenly, { ...evenly, hang: 0 }],
    [{ later: { hang: 0 } }, evenly, evenly],
    [{ ok: 0 }, { ...evenly, ok: 0.01 }, { ...evenly, ok: 0.01 }],
    [{ ok: 0.01 }, { ...evenly, ok: 0.01 }, { ...evenly, ok: 0.01 }],
    [{ ok: 0.02 }, { ...evenly, ok: 0.02 }, { ...evenly, ok: 0.02 }],
  ])(
    'weigh the faults of each provider, and leave a call the chance to be all right: %j',
    async (faults, ...weights) => {
      const { stage } = await prepared({}, { faults });
      expect(stage.providers.map(({ weights }) => weights)).toEqual(weights.map((of) => ({ ...of, invalid: 0 })));
    },
  );
});

describe('an invalid output', () => {
  const symbol = expect.any(Symbol);
  const validate = () => Promise.reject(new Error('the schema is broken'));
  const throwing = { '~standard': { version: 1, vendor: 'hand', validate } };

  it.each<[string, object, unknown]>([
    ['a schema of texts', { output: z.string() }, undefined],
    ['a schema of what may be left out', { output: z.string().optional() }, null],
    ['a schema of texts or nothing', { output: z.string().nullish() }, 0],
    ['a schema of whole numbers or nothing', { output: z.number().nullish() }, ''],
    ['a schema of what is no symbol', { output: z.custom((value) => typeof value !== 'symbol') }, symbol],
    ['a schema that throws', { output: throwing }, undefined],
    ['`accept`', { providers: [{ ...one, accept: (output: unknown) => output !== -1 }] }, -1],
    ['`accept` that refuses `NaN`', { providers: [{ ...one, accept: (o: unknown) => !Number.isNaN(o) }] }, Number.NaN],
    ['`accept` that refuses lists', { providers: [{ ...one, accept: (o: unknown) => !Array.isArray(o) }] }, []],
    ['`accept` that refuses `false`', { providers: [{ ...one, accept: (o: unknown) => o !== false }] }, false],
    ['`accept` that refuses one text', { providers: [{ ...one, accept: (o: unknown) => o !== 'invalid' }] }, 'invalid'],
    ['`accept` that throws', { providers: [{ ...one, accept: (o: unknown) => (o as Date).getTime() > 0 }] }, undefined],
    [
      '`accept` of what the schema makes of it',
      {
        output: z.unknown().transform((made) => ({ made })),
        providers: [{ ...one, accept: (output: unknown) => (output as { made: unknown }).made !== 0 }],
      },
      0,
    ],
    [
      '`accept` beside a schema',
      { output: z.number().nullish(), providers: [{ ...one, accept: (output: unknown) => output !== null }] },
      null,
    ],
  ])('is the first that %s refuses', async (_, definition, output) => {
    const { play, stage, leftOut } = await prepared(definition, { output: fc.constant('paid') });
    expect(play.outputs.get('one')).toEqual({ usual: 'paid', invalid: { output } });
    expect(stage.providers[0]?.weights).toEqual({ ...evenly, invalid: 1 });
    expect(leftOut).toEqual([]);
  });

  it('is left out where none is found', async () => {
    const providers = [
      { ...one, accept: () => true },
      { ...two, accept: () => false },
    ];
    const { stage, leftOut } = await prepared({ providers }, { output: fc.constant(1), faults: { invalid: 4 } });
    expect(leftOut).toEqual(['one: invalid']);
    expect(stage.providers.map(({ weights }) => weights.invalid)).toEqual([0, 4]);
  });
});
