import { describe, expect, it } from 'vitest';
import { defineFallback } from '../../../src/definition/define.ts';
import { definitionOf } from '../../../src/definition/definition.ts';
import { InvalidDefinitionError } from '../../../src/errors.ts';

const run = () => 1;
const withLastGood = (lastGood: unknown) => ({
  tag: 'x',
  providers: [
    { name: 'a', run },
    { name: 'old', lastGood },
  ],
});
const withReuse = (reuse: unknown) => ({ tag: 'x', reuse, providers: [{ name: 'a', run }] });
const withBudget = (retryBudget: unknown) => ({ tag: 'x', retryBudget, providers: [{ name: 'a', run }] });

/** Each complaint, as `path: message`. */
function complaints(definition: unknown): readonly string[] {
  try {
    defineFallback(definition as never);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    return (error as InvalidDefinitionError).issues.map(({ path, message }) => `${path}: ${message}`);
  }
  throw new Error('nothing was refused');
}

const NO_OBJECTS = [null, 5, 'x', [], true, () => ({ maxAge: 5 })];
const BAD_DURATIONS = [Number.NaN, -1, Number.POSITIVE_INFINITY, 2_147_483_648, '5', null, undefined, {}];
const BAD_SHARES = [Number.NaN, -0.1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, '1', null, undefined, {}];
const NO_FUNCTIONS = [null, 'order', 5, {}, ['order']];

describe('lastGood and reuse', () => {
  it('are taken with a maxAge, and a key if need be', () => {
    const key = () => 'k';
    for (const maxAge of [0, 0.5, 2_147_483_647]) {
      expect(definitionOf(withReuse({ maxAge })).reuse).toMatchObject({ maxAge, key: undefined });
      const [a, old] = definitionOf(withLastGood({ maxAge, key })).providers;
      expect(a?.lastGood).toBeUndefined();
      expect(old?.lastGood?.maxAge).toBe(maxAge);
      expect(old?.lastGood?.key?.({})).toBe('k');
    }
  });

  it('are off by default, and where they are undefined', () => {
    for (const definition of [
      withReuse(undefined),
      { tag: 'x', providers: [{ name: 'a', run, lastGood: undefined }] },
    ]) {
      expect(definitionOf(definition)).toMatchObject({ reuse: undefined, remembers: false, retryBudget: undefined });
    }
    expect(definitionOf(withLastGood({ maxAge: 5 })).remembers).toBe(true);
  });

  it('want an object, and milliseconds in it', () => {
    for (const bad of NO_OBJECTS) {
      expect(complaints(withLastGood(bad))[0]).toMatch(/^providers\[1\]\.lastGood: expected an object, got /);
      expect(complaints(withReuse(bad))[0]).toMatch(/^reuse: expected an object, got /);
    }
    for (const maxAge of BAD_DURATIONS) {
      const lastGood = complaints(withLastGood({ maxAge }));
      expect(lastGood).toHaveLength(1);
      expect(lastGood[0]).toMatch(
        /^providers\[1\]\.lastGood\.maxAge: expected milliseconds from 0 to 2147483647, got /,
      );
      expect(complaints(withReuse({ maxAge }))[0]).toMatch(/^reuse\.maxAge: expected milliseconds from 0 .+, got /);
    }
    expect(complaints(withReuse({}))).toEqual([
      'reuse.maxAge: expected milliseconds from 0 to 2147483647, got nothing',
    ]);
  });

  it('want a function as their key', () => {
    for (const key of NO_FUNCTIONS) {
      const bad = { maxAge: 5, key };
      expect(complaints(withLastGood(bad))[0]).toMatch(/^providers\[1\]\.lastGood\.key: expected a function, got /);
      expect(complaints(withReuse(bad))[0]).toMatch(/^reuse\.key: expected a function, got /);
    }
  });

  it('name the nearest of their keys where one is unknown', () => {
    expect(complaints(withLastGood({ maxAge: 5, keys: run }))).toEqual([
      'providers[1].lastGood.keys: unknown key "keys"; did you mean "key"?',
    ]);
    expect(complaints(withReuse({ maxAge: 5, maxage: 5 }))).toEqual([
      'reuse.maxage: unknown key "maxage"; did you mean "maxAge"?',
    ]);
    expect(complaints(withReuse({ maxAge: 5, ttl: 5 }))).toEqual([
      'reuse.ttl: unknown key "ttl"; expected one of maxAge, key',
    ]);
  });

  it('cannot be read where a getter throws: that, too, is told', () => {
    const bad = {
      get maxAge(): number {
        throw new Error('no');
      },
    };
    expect(complaints(withReuse(bad))[0]).toMatch(/throws/);
    expect(complaints(withLastGood(bad))[0]).toMatch(/throws/);
  });
});

describe('a lastGood provider', () => {
  const lastGood = { maxAge: 5 };

  it('has neither a run nor a value, and another has one of them', () => {
    const ways = (provider: object) => complaints({ tag: 'x', providers: [{ name: 'a', ...provider }] });
    const alone = 'providers[0]: expected exactly one of run, value and lastGood, got';
    expect(ways({})).toEqual([`${alone} none`]);
    expect(ways({ run, lastGood })).toEqual([`${alone} run and lastGood`]);
    expect(ways({ value: 1, lastGood })).toEqual([`${alone} value and lastGood`]);
    expect(ways({ run, value: 1, lastGood })).toEqual([`${alone} run and value and lastGood`]);
    expect(ways({ run, value: 1 })).toEqual([`${alone} run and value`]);
  });

  it('is not taken beside a falsy value either', () => {
    for (const value of [undefined, null, 0, '', false]) {
      expect(complaints({ tag: 'x', providers: [{ name: 'a', value, lastGood }] })).toHaveLength(1);
    }
  });

  it('may be the only one: a primary’s answers are good ones, too', () => {
    expect(definitionOf({ tag: 'x', providers: [{ name: 'old', lastGood }] }).remembers).toBe(true);
  });

  it('is misspelled with a hint', () => {
    expect(complaints({ tag: 'x', providers: [{ name: 'a', run, lastgood: lastGood }] })).toEqual([
      'providers[0].lastgood: unknown key "lastgood"; did you mean "lastGood"?',
    ]);
    expect(complaints({ ...withReuse(undefined), reused: lastGood })).toEqual([
      'reused: unknown key "reused"; did you mean "reuse"?',
    ]);
  });
});

describe('retryBudget', () => {
  it('is taken with a ratio and a floor, both of 0 or more', () => {
    for (const terms of [
      { ratio: 0, minPerSecond: 0 },
      { ratio: 0.1, minPerSecond: 3 },
      { ratio: 2, minPerSecond: 0.01 },
    ]) {
      expect(definitionOf(withBudget(terms)).retryBudget).toEqual(terms);
    }
  });

  it('wants both', () => {
    expect(complaints(withBudget({}))).toEqual([
      'retryBudget.ratio: expected a number of 0 or more, got nothing',
      'retryBudget.minPerSecond: expected a number of 0 or more, got nothing',
    ]);
  });

  it('wants an object, and numbers in it', () => {
    for (const bad of NO_OBJECTS)
      expect(complaints(withBudget(bad))[0]).toMatch(/^retryBudget: expected an object, got /);
    for (const bad of BAD_SHARES) {
      const [ratio, floor] = complaints(withBudget({ ratio: bad, minPerSecond: bad }));
      expect(ratio).toMatch(/^retryBudget\.ratio: expected a number of 0 or more, got /);
      expect(floor).toMatch(/^retryBudget\.minPerSecond: expected a number of 0 or more, got /);
    }
  });

  it('names the nearest key where one is unknown', () => {
    expect(complaints(withBudget({ ratio: 1, minPerSecond: 1, minPerSec: 1 }))).toEqual([
      'retryBudget.minPerSec: unknown key "minPerSec"; did you mean "minPerSecond"?',
    ]);
    expect(complaints({ ...withBudget(undefined), retriesBudget: {} })).toEqual([
      'retriesBudget: unknown key "retriesBudget"; did you mean "retryBudget"?',
    ]);
  });

  it('belongs to the definition, not to a provider, and so does reuse', () => {
    for (const field of ['retryBudget', 'reuse']) {
      expect(complaints({ tag: 'x', providers: [{ name: 'a', run, [field]: {} }] })[0]).toMatch(
        new RegExp(`^providers\\[0\\]\\.${field}: unknown key "${field}"; `),
      );
    }
  });
});
