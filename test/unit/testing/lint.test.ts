import { describe, expect, it } from 'vitest';
import { defineFallback, type Fallback, InvalidDefinitionError, InvalidRequestError } from '../../../src/index.ts';
import { type LintOptions, lintFallback } from '../../../src/testing/lint.ts';

const run = () => 'done';
const later = { name: 'later', value: 'queued' };

/** Definitions of any shape, good ones all of them. */
function define(definition: object): Fallback {
  return defineFallback({ tag: 'x', ...definition } as unknown as Parameters<typeof defineFallback>[0]);
}

function found(definition: object, options?: LintOptions) {
  return lintFallback(define(definition), options).map(({ severity, code, path }) => `${severity} ${code} ${path}`);
}

/** One provider with a last resort behind it, and the one finding about it, if any. */
function about(provider: object, definition: object = {}) {
  const findings = lintFallback(define({ providers: [{ name: 'a', run, ...provider }, later], ...definition }));
  expect(findings.length).toBeLessThanOrEqual(1);
  return findings[0];
}

describe('lintFallback', () => {
  it('finds nothing in a sound policy', () => {
    const providers = [
      { name: 'stripe', run, when: () => true, retries: 1, timeout: 800 },
      { name: 'paypal', run, retries: 2, timeout: 1_500, backoff: 50 },
      later,
    ];
    expect(found({ providers })).toEqual([]);
    expect(found({ providers, deadline: 5_000 })).toEqual([]);
  });

  it('runs nothing', () => {
    const never = () => {
      throw new Error('was run');
    };
    const provider = { run: never, when: never, accept: never, shouldRetry: never, backoff: never };
    const all = { ...provider, name: 'a', retries: 3, timeout: 10 };
    expect(found({ providers: [all, { name: 'later', value: never }], handle: never, deadline: 100 })).toEqual([]);
  });

  it('tells the gravest first, each with a way to mend it', () => {
    const providers = [{ name: 'a', run }, later, { name: 'b', run, timeout: 10 }];
    const findings = lintFallback(define({ providers, maxRetries: 0, resetAfter: null }));
    expect(findings.map(({ severity }) => severity)).toEqual(['error', 'warning', 'warning']);
    expect(findings[0]).toEqual({
      code: 'unreachable-provider',
      severity: 'error',
      path: 'providers[2]',
      message: '"b" is never reached: "later", tried before it, always answers',
      suggestion: 'move "later" behind "b", or give it a when',
    });
  });

  it('takes what defineFallback takes, and throws what it throws', () => {
    expect(() => lintFallback({ tag: 'x' } as never)).toThrow(InvalidDefinitionError);
    expect(() => lintFallback(undefined as never)).toThrow(InvalidDefinitionError);
    expect(lintFallback({ tag: 'x', providers: [later] } as never)).toEqual([]);
  });

  it.each([{ timeot: 5 }, { timeout: -1 }, { timeout: Number.NaN }, { timeout: '5' }])(
    'refuses the options %o',
    (bad) => {
      expect(() => lintFallback(define({ providers: [later] }), bad as never)).toThrow(InvalidRequestError);
    },
  );
});

describe('a provider that is never reached', () => {
  const last = { name: 'last', run, timeout: 10 };

  it.each([
    ['a value', { value: 'queued' }],
    ['a falsy value', { value: 0 }],
    ['no value at all', { value: undefined }],
  ])('stands behind %s', (_what, first) => {
    expect(found({ providers: [{ name: 'first', ...first }, last] })).toEqual([
      'error unreachable-provider providers[1]',
    ]);
  });

  it.each([
    ['a function, which may throw', () => 'queued'],
    ['a promise, which may reject', Promise.resolve('queued')],
  ])('is only likely to be so behind the value of %s', (_what, value) => {
    expect(found({ providers: [{ name: 'first', value }, last] })).toEqual([
      'warning unreachable-provider providers[1]',
    ]);
  });

  it.each([
    ['when', { when: () => true }, {}],
    ['accept', { accept: () => true }, {}],
    [
      'an output schema',
      {},
      { output: { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) } } },
    ],
  ])('is not found behind a value with %s', (_what, first, definition) => {
    const providers = [{ ...later, ...first }, last, { name: 'end', value: 1 }];
    expect(found({ providers, ...definition })).toEqual([]);
  });

  it('is found in the order they are tried in, fallbackProvider first', () => {
    const providers = [last, later];
    expect(found({ providers })).toEqual([]);
    const [finding, ...others] = lintFallback(define({ providers, fallbackProvider: 'later' }));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: 'unreachable-provider', path: 'providers[0]' });
    expect(finding?.suggestion).toContain('choose another fallbackProvider than "later"');
    expect(found({ providers: [later, last], fallbackProvider: 'last' })).toEqual([]);
  });
});

describe('limits', () => {
  it('are missed where a provider can hang: its own, the engine’s or a deadline', () => {
    const hanging = 'warning unlimited-provider providers[0].timeout';
    const providers = [{ name: 'a', run }, later];
    expect(found({ providers })).toEqual([hanging]);
    expect(found({ providers }, { timeout: null })).toEqual([hanging]);
    expect(found({ providers: [{ name: 'a', run, timeout: null }, later] }, { timeout: 100 })).toEqual([hanging]);
    expect(found({ providers: [{ name: 'a', run, timeout: 100 }, later] })).toEqual([]);
    expect(found({ providers }, { timeout: 100 })).toEqual([]);
    expect(found({ providers, deadline: 100 })).toEqual([]);
  });

  it('are not missed on a value', () => {
    expect(found({ providers: [later] })).toEqual([]);
  });

  it('must let a timeout strike before the deadline does', () => {
    const path = 'warning deadline-below-timeout providers[0].timeout';
    expect(about({ timeout: 1_001 }, { deadline: 1_000 })).toMatchObject({ code: 'deadline-below-timeout' });
    expect(about({ timeout: 1_000 }, { deadline: 1_000 })).toBeUndefined();
    expect(found({ providers: [{ name: 'a', run }, later], deadline: 10 }, { timeout: 20 })).toEqual([path]);
    expect(found({ providers: [{ name: 'a', value: run, timeout: 20 }], deadline: 10 })).toEqual([path]);
  });
});

describe('retries that do not fit the deadline', () => {
  it('are an error where the waits alone use it up', () => {
    const certain = about({ retries: 3, backoff: 1_000 }, { deadline: 3_000 });
    expect(certain).toMatchObject({
      severity: 'error',
      path: 'providers[0].retries',
      message: 'the 4 attempts of "a" need 3000 ms even if each fails at once; the deadline is 3000 ms',
    });
    expect(certain?.suggestion).toMatch(/^lower retries to 2,/);
    expect(about({ retries: 3, backoff: 1_000 }, { deadline: 3_001 })).toBeUndefined();
  });

  it('are a warning where they do not fit once each attempt times out', () => {
    const likely = about({ retries: 2, backoff: 100, timeout: 1_000 }, { deadline: 2_500 });
    expect(likely).toMatchObject({
      severity: 'warning',
      message: 'the 3 attempts of "a" need 3200 ms if each times out; the deadline is 2500 ms',
    });
    expect(likely?.suggestion).toMatch(/^lower retries to 1,/);
    expect(about({ retries: 2, backoff: 100, timeout: 1_000 }, { deadline: 3_200 })).toBeUndefined();
  });

  it.each([
    // The default backoff, full jitter: 100, 200 and 400 ms at most, half of that on average.
    ['full', undefined, 350, 'warning'],
    ['full', undefined, 351, 'info'],
    ['full', undefined, 700, 'info'],
    ['full', undefined, 701, undefined],
    // 100, 200, 300 ms: `maxDelay` caps.
    ['none', { jitter: 'none', maxDelay: 300 }, 600, 'error'],
    ['none', { jitter: 'none', maxDelay: 300 }, 601, undefined],
    // At least 100 each; 100, 200, 350 on average; 100, 300, 900 at most.
    ['decorrelated', { jitter: 'decorrelated' }, 300, 'error'],
    ['decorrelated', { jitter: 'decorrelated' }, 649, 'warning'],
    ['decorrelated', { jitter: 'decorrelated' }, 1_299, 'info'],
    ['decorrelated', { jitter: 'decorrelated' }, 1_301, undefined],
    ['no', { initialDelay: 0, jitter: 'none' }, 1, undefined],
    ['unknown', () => 1_000, 1, undefined],
  ])('reckon with %s jitter of %o: a deadline of %i ms is %s', (_jitter, backoff, deadline, severity) => {
    expect(about({ retries: 3, backoff }, { deadline })?.severity).toBe(severity);
  });

  it('are not told of twice where the timeout is already beyond the deadline', () => {
    expect(about({ retries: 1, timeout: 2_000 }, { deadline: 1_000 })?.code).toBe('deadline-below-timeout');
  });

  it('are reckoned at once, however many and however slowly their waits grow', () => {
    const billion = { retries: 1_000_000_000, backoff: { initialDelay: 1e-6, factor: 1.000_001, jitter: 'none' } };
    expect(about(billion, { deadline: 2_000 })).toBeUndefined();
    expect(about({ retries: 1_000_000_000 }, { deadline: 2_000 })?.suggestion).toMatch(/^lower retries to 5,/);
  });
});

describe('a last resort', () => {
  it('is missed where every provider may fail', () => {
    const missed = ['info no-last-resort providers'];
    const provider = { name: 'a', run, timeout: 10 };
    expect(found({ providers: [provider] })).toEqual(missed);
    expect(found({ providers: [provider, { ...later, when: () => false }] })).toEqual(missed);
    expect(found({ providers: [provider, { name: 'later', value: run }] })).toEqual([]);
  });
});

describe('a fallback that one failure locks', () => {
  it.each([
    [0, null, true],
    [0, 'never', true],
    [0, 1_000, false],
    [0, undefined, false],
    [1, 'never', false],
    [undefined, 'never', false],
  ])('tolerates %s failures and comes back after %s: %s', (maxRetries, resetAfter, isFound) => {
    const expected = isFound ? ['warning locked-by-one-failure resetAfter'] : [];
    expect(found({ providers: [later], maxRetries, resetAfter })).toEqual(expected);
  });
});

describe('the fields of provider safety', () => {
  const verify = () => ({ done: false });
  const check = () => true;
  const codes = (definition: object, options?: LintOptions) =>
    found(definition, options).filter((text) => !text.includes('no-last-resort'));

  it('are no last resort, and hide nobody, where there may be no last good answer', () => {
    const old = { name: 'old', lastGood: { maxAge: 1_000 } };
    expect(found({ providers: [{ name: 'a', run, timeout: 10 }, old] })).toEqual(['info no-last-resort providers']);
    expect(found({ providers: [old, later] })).toEqual([]);
  });

  it('may all be used without a finding', () => {
    const doubt = { inDoubt: 'verify', inDoubtWhen: () => false, verify, compensate: run };
    const watched = {
      breaker: { failures: 3, cooldown: 10_000 },
      healthcheck: { check, interval: 1_000 },
      concurrency: 5,
    };
    const providers = [
      { name: 'a', run, timeout: 500, hedge: 100, idempotent: true, ...doubt, ...watched },
      { name: 'b', run, timeout: 500, retries: 1, idempotent: true, ...watched },
      { name: 'old', lastGood: { maxAge: 60_000 } },
      later,
    ];
    const whole = { reuse: { maxAge: 0 }, retryBudget: { ratio: 0.2, minPerSecond: 1 }, whenAllUnhealthy: 'fail' };
    expect(found({ providers, ...whole })).toEqual([]);
  });

  describe('effects that may land twice', () => {
    const charge = { name: 'a', run, timeout: 10 };
    const second = { name: 'b', run, timeout: 10, inDoubt: 'stop' };
    const twice = 'warning double-effect providers[0]';

    it.each([
      ['nothing said of it', {}, [twice]],
      ['a doubt that is only told of', { inDoubtWhen: () => true }, [twice]],
      ['idempotent', { idempotent: true }, []],
      ["inDoubt: 'stop'", { inDoubt: 'stop' }, []],
      ["inDoubt: 'verify'", { inDoubt: 'verify', verify }, []],
      ['compensate', { compensate: run }, []],
      ['no timeout', { timeout: null }, ['warning unlimited-provider providers[0].timeout']],
    ])('are found before another provider that runs: %s', (_what, fields, expected) => {
      expect(codes({ providers: [{ ...charge, ...fields }, second] })).toEqual(expected);
    });

    it('are found before a retry, but not before a value', () => {
      expect(codes({ providers: [charge, later] }, { effects: true })).toEqual([]);
      const [finding] = lintFallback(define({ providers: [{ ...charge, retries: 1 }, later] }), { effects: true });
      expect(finding?.message).toBe('"a" may have done its work when it times out, and its retry does it once more');
    });

    it('are looked for where anything is said of effects, or where that is asked', () => {
      const plain = { providers: [charge, { ...charge, name: 'b' }, later] };
      expect(found(plain)).toEqual([]);
      expect(found(plain, { effects: true })).toEqual([twice]);
      const knowing = { providers: [charge, second, later] };
      expect(found(knowing)).toEqual([twice]);
      expect(found(knowing, { effects: false })).toEqual([]);
      expect(() => lintFallback(define(plain), { effects: 1 } as never)).toThrow(InvalidRequestError);
    });

    it('are found in the order they are tried in', () => {
      const providers = [second, charge];
      expect(codes({ providers })).toEqual([]);
      expect(codes({ providers, fallbackProvider: 'a' })).toEqual(['warning double-effect providers[1]']);
    });
  });

  it.each([
    [100, 100, undefined, 'its timeout of 100 ms strikes before'],
    [99, 100, undefined, undefined],
    [50, 100, 50, 'its deadline of 50 ms strikes before'],
    [50, 100, 200, undefined],
  ])('have a hedge of %i ms used: timeout %i, deadline %s', (hedge, timeout, deadline, message) => {
    const providers = [
      { name: 'a', run, timeout, hedge, idempotent: true },
      { name: 'b', run, idempotent: true, timeout: 40 },
      later,
    ];
    const findings = lintFallback(define({ providers, deadline })).filter(({ code }) => code === 'hedge-never-used');
    expect(findings.length).toBe(message ? 1 : 0);
    if (message) expect(findings[0]?.message).toContain(message);
  });

  it.each([
    [{}, 'the verify of "a" is never asked: without a timeout no attempt is in doubt'],
    [{ inDoubtWhen: () => true }, undefined],
    [{ accept: () => true }, undefined],
    [{ timeout: 10 }, undefined],
  ])('have verify asked: %o', (fields, message) => {
    const provider = { name: 'a', run, inDoubt: 'verify', verify, ...fields };
    const [finding] = lintFallback(define({ providers: [provider, later], deadline: 100 }));
    expect(finding?.message).toBe(message);
  });

  it('have a verify that hangs ended', () => {
    const provider = { name: 'a', run, inDoubt: 'verify', verify, inDoubtWhen: () => true };
    expect(found({ providers: [provider, later] })).toEqual([
      'warning unlimited-provider providers[0].timeout',
      'warning verify-without-timeout providers[0].timeout',
    ]);
    expect(found({ providers: [provider, later] }, { timeout: 100 })).toEqual([]);
  });

  it.each([
    [[200, 300], 100, 'fail', true],
    [[100, 300], 100, 'fail', false],
    [[200, undefined], 100, 'fail', false],
    [[200, 300], 'never', 'fail', false],
    [[200, 300], 100, 'try', false],
  ])(
    'let a probe find somebody: cooldowns %o, resetAfter %s, %s',
    (cooldowns, resetAfter, whenAllUnhealthy, isFound) => {
      const providers = cooldowns.map((cooldown, index) => ({
        name: `p${index}`,
        run,
        timeout: 10,
        ...(cooldown !== undefined && { breaker: { failures: 1, cooldown } }),
      }));
      const expected = isFound ? ['warning probe-finds-nobody resetAfter'] : [];
      expect(codes({ providers, resetAfter, whenAllUnhealthy })).toEqual(expected);
    },
  );

  it('watch no health to no end', () => {
    const breaker = { failures: 1, cooldown: 10 };
    const provider = { name: 'a', run, timeout: 10 };
    const useless = ['warning health-without-choice providers[0].breaker'];
    expect(codes({ providers: [{ ...provider, breaker }] })).toEqual(useless);
    expect(codes({ providers: [{ ...provider, breaker }], resetAfter: 20, whenAllUnhealthy: 'fail' })).toEqual([]);
    expect(codes({ providers: [{ ...provider, breaker }, later] })).toEqual([]);
    const healthcheck = { check, interval: 10 };
    expect(codes({ providers: [{ ...provider, healthcheck }, later] })).toEqual([
      'info healthcheck-alone providers[0].healthcheck',
    ]);
    expect(codes({ providers: [{ ...provider, healthcheck, breaker }, later] })).toEqual([]);
  });

  it('give fresh answers before old ones', () => {
    const old = { name: 'old', lastGood: { maxAge: 1_000 } };
    const fresh = { name: 'a', run, timeout: 10 };
    expect(codes({ providers: [old, fresh] })).toEqual(['warning stale-first providers[0]']);
    expect(codes({ providers: [{ ...old, when: () => true }, fresh] })).toEqual([]);
    expect(codes({ providers: [fresh, old] })).toEqual([]);
    expect(codes({ providers: [fresh, old], fallbackProvider: 'old' })).toEqual(['warning stale-first providers[1]']);
  });

  it('bound what there is', () => {
    const retryBudget = { ratio: 0.2, minPerSecond: 0 };
    const none = { ratio: 0, minPerSecond: 0 };
    const provider = { name: 'a', run, timeout: 10 };
    const retried = { ...provider, retries: 1 };
    expect(found({ providers: [provider, later], retryBudget })).toEqual(['info budget-without-retries retryBudget']);
    expect(found({ providers: [retried, later], retryBudget })).toEqual([]);
    expect(found({ providers: [retried, later], retryBudget: none })).toEqual(['warning limit-of-nothing retryBudget']);
  });

  it.each([
    ['breaker.cooldown', { breaker: { failures: 1, cooldown: 0 } }],
    ['healthcheck.interval', { breaker: { failures: 1, cooldown: 5 }, healthcheck: { check, interval: 0 } }],
    ['healthcheck.timeout', { breaker: { failures: 1, cooldown: 5 }, healthcheck: { check, interval: 9, timeout: 0 } }],
  ])('limit something with %s', (path, fields) => {
    const providers = [{ name: 'a', run, timeout: 10, ...fields }, later];
    expect(found({ providers })).toEqual([`warning limit-of-nothing providers[0].${path}`]);
  });

  it('keep a last good answer for a while', () => {
    const providers = [{ name: 'a', run, timeout: 10 }, { name: 'old', lastGood: { maxAge: 0 } }, later];
    expect(found({ providers })).toEqual(['warning limit-of-nothing providers[1].lastGood.maxAge']);
  });
});
