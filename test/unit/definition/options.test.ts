import { describe, expect, it } from 'vitest';
import {
  accepted,
  readCallOptions,
  readEngineOptions,
  readGrace,
  readListener,
  readReset,
  readRunOptions,
  readWrapOptions,
} from '../../../src/definition/options.ts';
import { InvalidRequestError } from '../../../src/errors.ts';
import { systemClock } from '../../../src/index.ts';

function issuesOf(act: () => unknown): readonly string[] {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRequestError);
    const { issues } = error as InvalidRequestError;
    for (const { message } of issues)
      expect(message).toMatch(/expected .+, got .+|unknown .+; (did you mean|expected one of) /);
    return issues.map(({ path }) => path);
  }
  throw new Error('nothing was refused');
}

const BAD_DURATIONS = [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2_147_483_648, '5', {}];
const NO_OBJECTS = [null, 5, 'x', [], () => {}, Symbol('x')];

describe('options of run', () => {
  it('may be left out, all or each', () => {
    expect(readRunOptions(undefined, {})).toEqual({});
    expect(readRunOptions({}, {})).toEqual({});
    expect(readRunOptions({ signal: undefined, deadline: undefined, id: undefined }, {})).toEqual({});
  });

  it('are a signal, a deadline and an id', () => {
    const { signal } = new AbortController();
    for (const deadline of [0, 2_147_483_647]) {
      expect(readRunOptions({ signal, deadline, id: 'mine' }, {})).toEqual({ signal, deadline, id: 'mine' });
    }
  });

  it('are refused otherwise', () => {
    for (const deadline of [...BAD_DURATIONS, null]) {
      expect(issuesOf(() => readRunOptions({ deadline }, {}))).toEqual(['deadline']);
    }
    for (const id of ['', 5, null]) expect(issuesOf(() => readRunOptions({ id }, {}))).toEqual(['id']);
    for (const signal of [null, {}, { aborted: false }, new AbortController(), 'abort']) {
      expect(issuesOf(() => readRunOptions({ signal }, {}))).toEqual(['signal']);
    }
    for (const options of NO_OBJECTS) expect(issuesOf(() => readRunOptions(options, {}))).toEqual(['']);
    expect(issuesOf(() => readRunOptions({ dedline: 5 }, {}))).toEqual(['dedline']);
  });

  it('take nothing for a signal that cannot be let go of again', () => {
    expect(issuesOf(() => readRunOptions({ signal: { aborted: false, addEventListener() {} } }, {}))).toEqual([
      'signal',
    ]);
  });
});

describe('options of reset', () => {
  it('are two flags', () => {
    expect(readReset({}, {})).toEqual({});
    expect(readReset({ config: true, keys: false }, {})).toEqual({ config: true, keys: false });
  });

  it('are refused otherwise, with their path in the request', () => {
    expect(issuesOf(() => readReset({ config: 1, keys: 'yes' }, {}))).toEqual(['input.config', 'input.keys']);
    expect(issuesOf(() => readReset({ confg: true }, {}))).toEqual(['input.confg']);
  });
});

describe('options of close', () => {
  it('are a grace of 0 by default', () => {
    expect([undefined, {}, { grace: undefined }, { grace: 0 }, { grace: 5 }].map(readGrace)).toEqual([0, 0, 0, 0, 5]);
  });

  it('are refused otherwise', () => {
    for (const grace of [...BAD_DURATIONS, null]) expect(issuesOf(() => readGrace({ grace }))).toEqual(['grace']);
    for (const options of NO_OBJECTS) expect(issuesOf(() => readGrace(options))).toEqual(['']);
  });
});

describe('a subscription', () => {
  const types = ['triggered', 'failed'] as const;
  const listener = () => {};

  it('is to one type or to all', () => {
    expect(readListener('failed', listener, types)).toEqual([['failed'], listener]);
    expect(readListener('*', listener, types)).toEqual([types, listener]);
  });

  it('is refused for another type, naming the nearest, and for no function, saying what came', () => {
    expect(issuesOf(() => readListener('faild', listener, types))).toEqual(['type']);
    expect(() => readListener('faild', listener, types)).toThrow('did you mean "failed"?');
    for (const type of ['', 5, null, undefined, {}, Symbol('x')]) {
      expect(issuesOf(() => readListener(type, listener, types))).toEqual(['type']);
    }
    for (const bad of [undefined, null, {}, 'f'])
      expect(issuesOf(() => readListener('*', bad, types))).toEqual(['listener']);
    expect(issuesOf(() => readListener('x', 5, types))).toEqual(['type', 'listener']);
  });
});

describe('options of createDuctape', () => {
  it('may be left out, all or each', () => {
    expect(readEngineOptions(undefined)).toEqual({ fallbacks: [] });
    expect(readEngineOptions({})).toEqual({ fallbacks: [] });
  });

  it('are these', () => {
    const options = {
      fallbacks: [],
      env: 'prd',
      product: 'payments',
      sessions: {
        user() {
          return this;
        },
      },
      cache: { max: 1, ttl: 2_147_483_647 },
      timeout: 0,
      maxScopes: 1,
      clock: systemClock,
      random: () => 0,
      nonce: 'n',
    };
    const { sessions, ...others } = readEngineOptions(options);
    const { sessions: verifiers, ...given } = options;
    expect(others).toEqual(given);
    // As methods of the object that they stand in.
    expect([...(sessions ?? [])].map(([tag, verify]) => [tag, (verify as () => unknown)()])).toEqual([
      ['user', verifiers],
    ]);
    expect(readEngineOptions({ timeout: null, cache: {} })).toEqual({ timeout: null, cache: {}, fallbacks: [] });
  });

  it.each([
    ['fallbacks', [{}, 'x', null]],
    ['env', ['', 5, null, ['prd']]],
    ['product', ['', 5, null, ['payments']]],
    ['sessions', [null, [], { user: 'verify' }, () => {}]],
    ['cache', [null, 5, []]],
    ['timeout', BAD_DURATIONS],
    ['maxScopes', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null]],
    ['clock', [null, {}, { now: Date.now }, { now: 1, setTimeout, clearTimeout }]],
    ['random', [0.5, null, {}]],
    ['nonce', ['', 5, null]],
    ['Timeout', [5]],
  ] as [string, unknown[]][])('are refused for a bad %s', (key, values) => {
    for (const value of values) expect(issuesOf(() => readEngineOptions({ [key]: value }))).toEqual([key]);
  });

  it.each([
    ['max', [0, -1, 1.5, Number.POSITIVE_INFINITY, '5', null]],
    ['ttl', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648, null]],
    ['size', [1]],
  ] as [string, unknown[]][])('are refused for a cache of a bad %s', (key, values) => {
    for (const value of values)
      expect(issuesOf(() => readEngineOptions({ cache: { [key]: value } }))).toEqual([`cache.${key}`]);
  });

  it('are refused unless they are an object', () => {
    for (const options of NO_OBJECTS) expect(issuesOf(() => readEngineOptions(options))).toEqual(['']);
  });
});

describe('options of wrap', () => {
  const { signal } = new AbortController();

  it('may be left out, all or each', () => {
    expect(readWrapOptions(undefined)).toEqual({});
    expect(readWrapOptions({ env: undefined, input: undefined })).toEqual({});
  });

  it.each([
    { env: 'e', product: 'p', cache: 'k', id: 'i', signal, deadline: 5, session: { tag: 's', token: 't' } },
    { env: () => 'e', product: () => 'p', cache: () => 'k', id: () => 'i', signal: () => signal, deadline: () => 5 },
    { input: () => ({}), handle: () => true, timeout: 800, session: () => undefined },
    { timeout: null },
  ])('are each a value or a function of the arguments', (options) => {
    expect(readWrapOptions(options)).toEqual(options);
  });

  it.each([
    ['input', [{}, 'x', null]],
    ['env', ['', 5, null]],
    ['product', ['', 5, null]],
    ['cache', ['', 5, null]],
    ['id', ['', 5, null]],
    ['session', ['token', 5, null, []]],
    ['signal', [{}, 5, null]],
    ['deadline', [...BAD_DURATIONS, null]],
    ['timeout', [...BAD_DURATIONS, () => 5]],
    ['handle', [true, null]],
    ['time_out', [5]],
  ] as [string, unknown[]][])('are refused for a bad %s', (key, values) => {
    for (const value of values) expect(issuesOf(() => readWrapOptions({ [key]: value }))).toEqual([key]);
  });
});

describe('options of call', () => {
  it('are plain values', () => {
    const { signal } = new AbortController();
    const options = {
      input: { a: 1 },
      env: 'e',
      product: 'p',
      cache: 'k',
      id: 'i',
      signal,
      deadline: 5,
      timeout: null,
    };
    expect(readCallOptions(options)).toEqual(options);
    expect(readCallOptions(undefined)).toEqual({});
  });

  it.each([
    ['env', ['', () => 'e']],
    ['product', ['', () => 'p']],
    ['cache', ['', () => 'k']],
    ['id', ['', () => 'i']],
    ['signal', [() => {}, {}]],
    ['deadline', [...BAD_DURATIONS, () => 5]],
    ['timeout', BAD_DURATIONS],
    ['handle', [true]],
    ['input', [5, null, [], () => ({})]],
    ['session', [null, () => ({})]],
    ['sesion', [{}]],
  ] as [string, unknown[]][])('are refused for a bad %s', (key, values) => {
    for (const value of values) expect(issuesOf(() => readCallOptions({ [key]: value }))).toEqual([key]);
  });
});

describe.each([
  ['wrap', readWrapOptions],
  ['call', readCallOptions],
])('a session in the options of %s', (_, read) => {
  it.each<[string, object]>([
    ['session.tag', { token: 't' }],
    ['session.token', { tag: 's' }],
    ['session.token', { tag: 's', token: '' }],
    ['session.token', { tag: 's', token: 12_345 }],
    ['session.user', { tag: 's', token: 't', user: 1 }],
  ])('is told what is wrong with its %s, and never what it is', (path, session) => {
    expect(issuesOf(() => read({ session }))).toEqual([path]);
    expect(() => read({ session })).not.toThrow('12345');
  });
});

it('puts the root before the path of a complaint, and what was thrown under the error', () => {
  const fault = new Error('no');
  const refusal = { issues: [{ path: 'a', message: 'expected b, got c' }], thrown: [fault] };
  try {
    accepted(refusal, { tag: 'x', id: 'i' }, 'input');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ issues: [{ path: 'input.a' }], tag: 'x', id: 'i', cause: fault });
  }
});
