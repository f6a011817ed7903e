import { describe, expect, it } from 'vitest';
import { definitionOf } from '../../../src/definition/definition.ts';
import { NO_DOUBTS } from '../../../src/definition/safety.ts';
import {
  createDuctape,
  defineFallback,
  type Fallback,
  InvalidDefinitionError,
  InvalidRequestError,
} from '../../../src/index.ts';
import { virtualClock } from '../../virtual-clock.ts';

const undo = () => {};
const isDone = () => ({ done: false });
const withProvider = (fields: object, ...others: object[]) => ({
  tag: 'x',
  providers: [{ name: 'a', run: () => 1, ...fields }, ...others],
});
const last = { name: 'b', value: 1 };
const twice = { name: 'b', run: () => 2, idempotent: true };

/** What is wrong with a definition, by path. */
function refusal(definition: object): [path: string, message: string][] {
  try {
    defineFallback(definition as never);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    return (error as InvalidDefinitionError).issues.map(({ path, message }) => [path, message]);
  }
  throw new Error('nothing was refused');
}

const doubtsOf = (fields: object) => definitionOf(withProvider(fields, last)).providers[0]?.doubts;

describe('what is said of doubts', () => {
  it('is nothing unless asked for', () => {
    const [provider] = definitionOf(withProvider({})).providers;
    expect(provider).toMatchObject({ idempotent: undefined, hedge: undefined, doubts: NO_DOUBTS });
    expect(doubtsOf({ inDoubt: 'next' })).toBe(NO_DOUBTS);
    expect(doubtsOf({ idempotent: true })).toBe(NO_DOUBTS);
    expect(NO_DOUBTS).toMatchObject({
      inDoubt: 'next',
      inDoubtWhen: undefined,
      verify: undefined,
      compensate: undefined,
    });
  });

  it('has these defaults', () => {
    expect(doubtsOf({ compensate: undo })).toMatchObject({
      inDoubt: 'next',
      inDoubtWhen: undefined,
      verify: undefined,
      compensateRetries: 3,
    });
  });

  it.each([
    [{ inDoubt: 'stop' }],
    [{ inDoubt: 'verify', verify: isDone }],
    [{ inDoubtWhen: () => true }],
    [{ compensate: undo, compensateRetries: 0 }],
    [{ compensate: undo, compensateRetries: 2, inDoubt: 'stop' }],
    [{ idempotent: false, compensate: undo }],
    [{ idempotent: false, inDoubt: 'stop' }],
    [{ idempotent: false, inDoubt: 'verify', verify: isDone }],
  ])('is kept: %o', (fields) => {
    const { idempotent, ...doubts } = fields as { idempotent?: boolean; compensateRetries?: number };
    const kept = Object.fromEntries(
      Object.entries(doubts).map(([key, value]) => [key, typeof value === 'function' ? expect.any(Function) : value]),
    );
    expect(doubtsOf(fields)).toMatchObject(kept);
    expect(definitionOf(withProvider(fields)).providers[0]?.idempotent).toBe(idempotent);
  });

  it('is asked with the provider as this', () => {
    const me = (that: unknown) => (that as { name: string }).name;
    const doubts = doubtsOf({
      inDoubt: 'verify',
      inDoubtWhen(this: unknown) {
        return me(this);
      },
      verify(this: unknown) {
        return me(this);
      },
      compensate(this: unknown) {
        return me(this);
      },
    });
    expect([doubts?.inDoubtWhen?.(), doubts?.verify?.(), doubts?.compensate?.()]).toEqual(['a', 'a', 'a']);
  });
});

describe('a wrong field', () => {
  const POLICIES = "expected 'next', 'stop' or 'verify', got";
  const bad: [field: string, value: unknown, message: string][] = [
    ['inDoubt', 'retry', `${POLICIES} "retry"`],
    ['inDoubt', 'Stop', `${POLICIES} "Stop"`],
    ['inDoubt', null, `${POLICIES} null`],
    ['inDoubt', true, `${POLICIES} true`],
    ['inDoubt', ['stop'], `${POLICIES} an array`],
    ['inDoubtWhen', true, 'expected a function, got true'],
    ['verify', { done: true }, 'expected a function, got an object'],
    ['compensate', null, 'expected a function, got null'],
    ['compensateRetries', -1, 'expected a whole number of 0 or more, got -1'],
    ['compensateRetries', 1.5, 'expected a whole number of 0 or more, got 1.5'],
    ['compensateRetries', Number.NaN, 'expected a whole number of 0 or more, got NaN'],
    ['compensateRetries', Number.POSITIVE_INFINITY, 'expected a whole number of 0 or more, got Infinity'],
    ['compensateRetries', '3', 'expected a whole number of 0 or more, got "3"'],
    ['idempotent', 'yes', 'expected true or false, got "yes"'],
    ['idempotent', 1, 'expected true or false, got 1'],
    ['idempotent', null, 'expected true or false, got null'],
    ...[-1, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648, 1n].map((value): [string, unknown, string] => [
      'hedge',
      value,
      `expected milliseconds from 0 to 2147483647, got ${typeof value === 'bigint' ? '1n' : value}`,
    ]),
    ['hedge', '50', 'expected milliseconds from 0 to 2147483647, got "50"'],
    ['hedge', null, 'expected milliseconds from 0 to 2147483647, got null'],
  ];

  it.each(bad)('is refused with what it should have been: %s: %o', (field, value, message) => {
    expect(refusal(withProvider({ [field]: value }, last))).toEqual([[`providers[0].${field}`, message]]);
  });

  it.each([
    ['indoubt', 'inDoubt'],
    ['inDoubtwhen', 'inDoubtWhen'],
    ['verifi', 'verify'],
    ['compensat', 'compensate'],
    ['compensateRetry', 'compensateRetries'],
    ['hedged', 'hedge'],
    ['idempotant', 'idempotent'],
  ])('that is misspelt is told its right name: %s', (field, right) => {
    const message = `unknown key "${field}"; did you mean "${right}"?`;
    expect(refusal(withProvider({ [field]: 1 }))).toEqual([[`providers[0].${field}`, message]]);
  });

  it('belongs to a provider, not to the definition', () => {
    for (const field of [
      'inDoubt',
      'inDoubtWhen',
      'verify',
      'compensate',
      'compensateRetries',
      'hedge',
      'idempotent',
    ]) {
      const [[path, message] = []] = refusal({ ...withProvider({}), [field]: undo });
      expect([path, message]).toEqual([field, expect.stringContaining(`unknown key "${field}"`)]);
    }
  });

  it('is refused, but not an absent one written as undefined', () => {
    const absent = { inDoubt: undefined, inDoubtWhen: undefined, verify: undefined, compensate: undefined };
    const fields = { ...absent, compensateRetries: undefined, hedge: undefined, idempotent: undefined };
    expect(doubtsOf(fields)).toBe(NO_DOUBTS);
  });
});

describe('fields that do not fit together', () => {
  it.each([
    ['nothing', {}],
    ['"next"', { inDoubt: 'next' }],
    ['"stop"', { inDoubt: 'stop' }],
  ])('are a verify that nobody would ask, beside inDoubt: %s', (given, fields) => {
    const message = `expected inDoubt: 'verify' beside it, got ${given}: without it nobody would ask`;
    expect(refusal(withProvider({ verify: isDone, ...fields }))).toEqual([['providers[0].verify', message]]);
  });

  it("are inDoubt: 'verify' without anybody to ask", () => {
    const message = "expected a function verify beside 'verify', got none";
    expect(refusal(withProvider({ inDoubt: 'verify' }))).toEqual([['providers[0].inDoubt', message]]);
  });

  it('are compensateRetries without a compensate', () => {
    const message = 'expected a function compensate beside it, got none';
    expect(refusal(withProvider({ compensateRetries: 1 }))).toEqual([['providers[0].compensateRetries', message]]);
  });

  it.each([[{}], [{ inDoubt: 'next' }], [{ inDoubtWhen: () => true }]])(
    'are idempotent: false without anything against a second effect: %o',
    (fields) => {
      const message =
        "expected inDoubt: 'stop' or 'verify', or a compensate, beside it, got neither: a timed-out attempt may have worked, and the next one would do it again";
      const issues = refusal(withProvider({ idempotent: false, ...fields }));
      expect(issues).toEqual([['providers[0].idempotent', message]]);
    },
  );

  it.each([
    ['nothing', {}],
    ['false', { idempotent: false, compensate: undo }],
  ])('are a hedge on a provider that may not run twice: idempotent is %s', (given, fields) => {
    const message = `expected idempotent: true beside it, got ${given}: a hedged provider and the next one may both do the work`;
    expect(refusal(withProvider({ hedge: 50, ...fields }, twice))).toEqual([['providers[0].hedge', message]]);
  });

  it.each([
    ['nothing', {}],
    ['false', { idempotent: false, compensate: undo }],
  ])('are a hedge before a provider that may not run twice: idempotent is %s', (given, fields) => {
    const message = `expected idempotent: true on "b", too, which starts beside it, got ${given}`;
    const next = { name: 'b', run: () => 2, ...fields };
    expect(refusal(withProvider({ hedge: 50, idempotent: true }, next))).toEqual([['providers[0].hedge', message]]);
  });

  it('are a hedge with nobody to start', () => {
    const message = 'expected a provider after it, got the last: nobody could start beside it';
    expect(refusal(withProvider({ hedge: 50, idempotent: true }))).toEqual([['providers[0].hedge', message]]);
  });

  it('are told of both sides of the pair at once, and of every pair', () => {
    const definition = {
      tag: 'x',
      providers: [
        { name: 'a', run: () => 1, hedge: 1 },
        { name: 'b', run: () => 1, hedge: 1 },
        { name: 'c', run: () => 1 },
      ],
    };
    expect(refusal(definition).map(([path]) => path)).toEqual([
      'providers[0].hedge',
      'providers[0].hedge',
      'providers[1].hedge',
      'providers[1].hedge',
    ]);
  });

  it('do not hide one another', () => {
    const fields = { hedge: 5, idempotent: false, verify: isDone, compensateRetries: 1 };
    expect(refusal(withProvider(fields, last)).map(([path]) => path.replace('providers[0].', ''))).toEqual([
      'verify',
      'idempotent',
      'compensateRetries',
      'hedge',
      'hedge',
    ]);
  });

  it('are no longer so once they say what the message asks for', () => {
    const hedged = { hedge: 0, idempotent: true, inDoubt: 'verify', verify: isDone, compensate: undo };
    expect(definitionOf(withProvider(hedged, twice)).providers[0]).toMatchObject({ hedge: 0, idempotent: true });
  });

  it.each([[null], [undefined], [5], ['b']])('make no sense of a next provider that is none: %o', (next) => {
    const definition = { tag: 'x', providers: [{ name: 'a', run: () => 1, hedge: 1, idempotent: true }, next] };
    expect(refusal(definition).map(([path]) => path)).toContain('providers[1]');
  });
});

describe('wrap and call', () => {
  function api() {
    const fallback = defineFallback({ tag: 'x', providers: [last] }) as Fallback;
    return createDuctape<readonly Fallback[]>({ env: 'e', product: 'p', clock: virtualClock(), fallbacks: [fallback] })
      .fallback;
  }
  const refused = async (options: object) => {
    const { wrap, call } = api();
    const issues = (error: unknown) => {
      expect(error).toBeInstanceOf(InvalidRequestError);
      return (error as InvalidRequestError).issues.map(({ path, message }) => [path, message]);
    };
    const ofCall = await call('x', () => 1, options).then(() => expect.fail('nothing was refused'), issues);
    try {
      wrap('x', () => 1, options);
    } catch (error) {
      expect(issues(error)).toEqual(ofCall);
      return ofCall;
    }
    return expect.fail('nothing was refused');
  };

  it.each([
    [{ inDoubt: 'no' }, 'inDoubt', `expected 'next', 'stop' or 'verify', got "no"`],
    [{ inDoubtWhen: 1 }, 'inDoubtWhen', 'expected a function, got 1'],
    [{ inDoubt: 'verify', verify: 1 }, 'verify', 'expected a function, got 1'],
    [{ compensate: 'undo' }, 'compensate', 'expected a function, got "undo"'],
    [{ verify: isDone }, 'verify', "expected inDoubt: 'verify' beside it, got nothing: without it nobody would ask"],
    [{ inDoubt: 'verify' }, 'inDoubt', "expected a function verify beside 'verify', got none"],
  ])('refuse %o before the primary runs', async (options, path, message) => {
    expect(await refused(options)).toEqual([[path, message]]);
  });

  it.each([['hedge'], ['idempotent'], ['compensateRetries']])('know no %s', async (field) => {
    const [[path, message] = []] = await refused({ [field]: 1 });
    expect([path, message]).toEqual([field, expect.stringContaining(`unknown key "${field}"`)]);
  });

  it('take what fits', async () => {
    const { call } = api();
    const options = { inDoubt: 'verify', inDoubtWhen: () => false, verify: () => ({ done: false }), compensate: undo };
    expect(await call('x', () => 1, options as never)).toBe(1);
  });
});
