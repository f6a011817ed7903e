import { describe, expect, it } from 'vitest';
import { readUpdate } from '../../../src/definition/config.ts';
import { defineFallback } from '../../../src/definition/define.ts';
import { definitionOf } from '../../../src/definition/definition.ts';
import { readCallOptions, readWrapOptions } from '../../../src/definition/options.ts';
import { InvalidDefinitionError, InvalidRequestError } from '../../../src/errors.ts';

const check = () => true;
const breaker = { failures: 2, cooldown: 100 };
const healthcheck = { check, interval: 100 };
const withProvider = (more: object) => ({ tag: 'x', providers: [{ name: 'a', value: 1, ...more }] });
const providerOf = (more: object) => definitionOf(withProvider(more)).providers[0];

function refusal(act: () => unknown): InvalidDefinitionError | InvalidRequestError {
  try {
    act();
  } catch (error) {
    if (error instanceof InvalidDefinitionError || error instanceof InvalidRequestError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const issuesOf = (definition: unknown) => refusal(() => defineFallback(definition as never)).issues;
const pathsOf = (definition: unknown) => issuesOf(definition).map(({ path }) => path);

const LONGEST = 2_147_483_647;
const BAD_DURATIONS = [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, LONGEST + 1, '5', {}, null];
const BAD_LIMITS = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, true, 2 ** 53, [1]];
const NO_OBJECTS = [null, 5, 'x', [], () => {}, true];

describe('what a provider says of its health', () => {
  it('is nothing by default: it is never unhealthy, and never busy', () => {
    expect(providerOf({})).toMatchObject({
      breaker: undefined,
      healthcheck: undefined,
      concurrency: Number.POSITIVE_INFINITY,
      isGuarded: false,
      tolerance: { failures: Number.POSITIVE_INFINITY },
    });
    expect(definitionOf(withProvider({})).triesUnhealthy).toBe(true);
  });

  it('is kept as it was written', () => {
    expect(providerOf({ breaker, healthcheck: { ...healthcheck, timeout: 0 }, concurrency: 7 })).toMatchObject({
      breaker: { failures: 2, cooldown: 100 },
      healthcheck: { interval: 100, timeout: 0 },
      concurrency: 7,
      isGuarded: true,
      tolerance: { failures: 2 },
    });
  });

  it.each([
    ['a breaker', { breaker }],
    ['a health check', { healthcheck }],
    ['a concurrency', { concurrency: 1 }],
  ])('guards it with %s alone', (_what, more) => {
    expect(providerOf(more)?.isGuarded).toBe(true);
  });

  it('takes undefined for absent', () => {
    expect(providerOf({ breaker: undefined, healthcheck: undefined, concurrency: undefined })?.isGuarded).toBe(false);
    expect(providerOf({ healthcheck: { ...healthcheck, timeout: undefined } })?.healthcheck?.timeout).toBeUndefined();
    expect(definitionOf({ ...withProvider({}), whenAllUnhealthy: undefined }).triesUnhealthy).toBe(true);
  });

  it('goes from the least to the most', () => {
    for (const failures of [1, Number.MAX_SAFE_INTEGER]) {
      for (const cooldown of [0, LONGEST]) {
        expect(providerOf({ breaker: { failures, cooldown } })?.breaker).toEqual({ failures, cooldown });
      }
    }
    for (const ms of [0, LONGEST]) {
      expect(providerOf({ healthcheck: { check, interval: ms, timeout: ms } })?.healthcheck).toMatchObject({
        interval: ms,
        timeout: ms,
      });
    }
    for (const concurrency of [1, Number.MAX_SAFE_INTEGER]) {
      expect(providerOf({ concurrency })?.concurrency).toBe(concurrency);
    }
  });

  it('may be said of a value, too', () => {
    expect(providerOf({ value: 0, breaker })?.breaker).toEqual(breaker);
  });

  it('keeps the object of its check as the this of it', () => {
    const seen: unknown[] = [];
    const own = {
      interval: 5,
      check(this: unknown) {
        seen.push(this);
        return true;
      },
    };
    providerOf({ healthcheck: own })?.healthcheck?.check();
    expect(seen).toEqual([own]);
    expect(seen[0]).toBe(own);
  });

  it('is read once: what is written into it later changes nothing', () => {
    const mutable = { failures: 2, cooldown: 100 };
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'a', value: 1, breaker: mutable }] });
    mutable.failures = 99;
    expect(definitionOf(fallback).providers[0]).toMatchObject({
      breaker: { failures: 2 },
      tolerance: { failures: 2 },
    });
  });
});

describe('bad health', () => {
  it.each([
    ['breaker', NO_OBJECTS],
    ['healthcheck', NO_OBJECTS],
    ['concurrency', BAD_LIMITS],
  ] as [string, unknown[]][])('is refused as a %s', (key, values) => {
    for (const value of values) expect(pathsOf(withProvider({ [key]: value }))).toEqual([`providers[0].${key}`]);
  });

  it.each([
    ['failures', [...BAD_LIMITS, undefined]],
    ['cooldown', [...BAD_DURATIONS, undefined]],
  ] as [string, unknown[]][])('is refused for the %s of a breaker', (key, values) => {
    for (const value of values) {
      expect(pathsOf(withProvider({ breaker: { ...breaker, [key]: value } }))).toEqual([`providers[0].breaker.${key}`]);
    }
  });

  it.each([
    ['check', [undefined, null, true, 'f', {}]],
    ['interval', [...BAD_DURATIONS, undefined]],
    ['timeout', BAD_DURATIONS],
  ] as [string, unknown[]][])('is refused for the %s of a health check', (key, values) => {
    for (const value of values) {
      expect(pathsOf(withProvider({ healthcheck: { ...healthcheck, [key]: value } }))).toEqual([
        `providers[0].healthcheck.${key}`,
      ]);
    }
  });

  it('is told with what was expected, and what came', () => {
    expect(issuesOf(withProvider({ breaker: { failures: 0, cooldown: Number.NaN } }))).toEqual([
      { path: 'providers[0].breaker.failures', message: 'expected a whole number of 1 or more, got 0' },
      { path: 'providers[0].breaker.cooldown', message: `expected milliseconds from 0 to ${LONGEST}, got NaN` },
    ]);
    expect(issuesOf(withProvider({ concurrency: 0.5 }))).toEqual([
      { path: 'providers[0].concurrency', message: 'expected a whole number of 1 or more, got 0.5' },
    ]);
    expect(issuesOf(withProvider({ breaker: {} }))).toMatchObject([
      { path: 'providers[0].breaker.failures' },
      { path: 'providers[0].breaker.cooldown' },
    ]);
  });

  it.each([
    [{ breaker: { ...breaker, failure: 1 } }, 'providers[0].breaker.failure', 'failures'],
    [{ breaker: { ...breaker, coolDown: 1 } }, 'providers[0].breaker.coolDown', 'cooldown'],
    [{ healthcheck: { ...healthcheck, intervall: 1 } }, 'providers[0].healthcheck.intervall', 'interval'],
    [{ healthcheck: { ...healthcheck, timeuot: 1 } }, 'providers[0].healthcheck.timeuot', 'timeout'],
    [{ braker: breaker }, 'providers[0].braker', 'breaker'],
    [{ healthCheck: healthcheck }, 'providers[0].healthCheck', 'healthcheck'],
    [{ concurency: 1 }, 'providers[0].concurency', 'concurrency'],
  ])('names the nearest key to that of %j', (more, path, near) => {
    expect(issuesOf(withProvider(more))).toEqual([
      { path, message: expect.stringMatching(new RegExp(`^unknown key ".+"; did you mean "${near}"\\?$`)) },
    ]);
  });

  it('has no key __proto__ or constructor', () => {
    for (const key of ['__proto__', 'constructor']) {
      const own = Object.defineProperty({ ...breaker }, key, { value: {}, enumerable: true });
      expect(pathsOf(withProvider({ breaker: own }))).toEqual([`providers[0].breaker.${key}`]);
    }
  });

  it('is told provider by provider', () => {
    const providers = [
      { name: 'a', value: 1, breaker: { failures: 0, cooldown: 1 } },
      { name: 'b', value: 1, breaker },
      { name: 'c', value: 1, concurrency: -1 },
    ];
    expect(pathsOf({ tag: 'x', providers })).toEqual(['providers[0].breaker.failures', 'providers[2].concurrency']);
  });

  it('that throws when read is refused, and tells what it threw', () => {
    const hostile = {
      cooldown: 1,
      get failures() {
        throw new Error('hands off');
      },
    };
    expect(issuesOf(withProvider({ breaker: hostile }))).toEqual([
      { path: 'providers[0]', message: expect.stringMatching(/^expected what can be read, .*hands off/) },
    ]);
  });
});

describe('whenAllUnhealthy', () => {
  it("is 'try' or 'fail'", () => {
    for (const [whenAllUnhealthy, tries] of [
      ['try', true],
      ['fail', false],
    ] as const) {
      expect(definitionOf({ ...withProvider({}), whenAllUnhealthy }).triesUnhealthy).toBe(tries);
    }
  });

  it.each(['maybe', '', 'TRY', null, true, 0, {}, ['fail']])('is refused as %j', (whenAllUnhealthy) => {
    expect(issuesOf({ ...withProvider({}), whenAllUnhealthy })).toEqual([
      { path: 'whenAllUnhealthy', message: expect.stringMatching(/^expected 'try' or 'fail', got /) },
    ]);
  });

  it('is the nearest name to a misspelt one, and is no provider’s', () => {
    expect(issuesOf({ ...withProvider({}), whenAllUnhealty: 'fail' })).toEqual([
      { path: 'whenAllUnhealty', message: 'unknown key "whenAllUnhealty"; did you mean "whenAllUnhealthy"?' },
    ]);
    expect(pathsOf(withProvider({ whenAllUnhealthy: 'fail' }))).toEqual(['providers[0].whenAllUnhealthy']);
  });
});

describe.each([
  ['wrap', readWrapOptions],
  ['call', readCallOptions],
] as const)('the breaker of %s', (_name, read) => {
  it('may be left out', () => {
    expect(read({}).breaker).toBeUndefined();
    expect(read({ breaker: undefined }).breaker).toBeUndefined();
    expect(read(undefined).breaker).toBeUndefined();
  });

  it('is kept as it was written', () => {
    expect(read({ breaker }).breaker).toEqual(breaker);
    expect(read({ breaker: { failures: 1, cooldown: 0 } }).breaker).toEqual({ failures: 1, cooldown: 0 });
  });

  it('is refused otherwise', () => {
    const paths = (bad: unknown) => refusal(() => read({ breaker: bad })).issues.map(({ path }) => path);
    for (const value of NO_OBJECTS) expect(paths(value)).toEqual(['breaker']);
    for (const failures of BAD_LIMITS) expect(paths({ failures, cooldown: 1 })).toEqual(['breaker.failures']);
    for (const cooldown of BAD_DURATIONS) expect(paths({ failures: 1, cooldown })).toEqual(['breaker.cooldown']);
    expect(paths({})).toEqual(['breaker.failures', 'breaker.cooldown']);
  });

  it('names the nearest key', () => {
    expect(refusal(() => read({ breaker: { ...breaker, failiures: 1 } })).issues).toEqual([
      { path: 'breaker.failiures', message: 'unknown key "failiures"; did you mean "failures"?' },
    ]);
    expect(refusal(() => read({ braeker: breaker })).issues).toEqual([
      { path: 'braeker', message: 'unknown key "braeker"; did you mean "breaker"?' },
    ]);
  });
});

describe('the health in an update', () => {
  const definition = definitionOf({
    tag: 'x',
    providers: [
      { name: 'a', value: 1, breaker },
      { name: 'b', value: 2 },
    ],
  });
  const read = (own: unknown) => readUpdate(definition, { providers: { a: own } });

  it("is 'healthy' or 'unhealthy'", () => {
    for (const health of ['healthy', 'unhealthy']) expect(read({ health }).issues).toBeUndefined();
    expect(read({ health: undefined }).issues).toBeUndefined();
  });

  it.each(['sick', 'probing', 'held', '', 'HEALTHY', null, true, 1, {}, ['healthy']])('is refused as %j', (health) => {
    expect(read({ health }).issues).toEqual([
      { path: 'providers.a.health', message: expect.stringMatching(/^expected 'healthy' or 'unhealthy', got /) },
    ]);
  });

  it('names the nearest key', () => {
    expect(read({ haelth: 'healthy' }).issues).toEqual([
      { path: 'providers.a.haelth', message: 'unknown key "haelth"; did you mean "health"?' },
    ]);
  });

  it('is all that an update says of it: breaker and the rest are the definition’s', () => {
    for (const more of [{ breaker }, { healthcheck }, { concurrency: 1 }]) {
      expect(read(more).issues?.map(({ path }) => path)).toEqual([`providers.a.${Object.keys(more)[0]}`]);
    }
  });
});
