import { expect, it } from 'vitest';
import { defineFallback } from '../../../src/index.ts';
import { lintFallback } from '../../../src/testing/lint.ts';

const run = async () => 1;
const later = { name: 'later', value: 1 };
const timeout = 100;

/** Each finding of a definition, in the order in which it is told: how grave first. */
function told(definition: object, options?: object): string[] {
  const fallback = defineFallback({ tag: 'pay', ...definition } as never) as never;
  return lintFallback(fallback, options as never).map(
    ({ severity, code, path, message, suggestion }) => `${severity} ${code} at ${path}: ${message}. ${suggestion}`,
  );
}

it('an order of calls that cannot be what was meant', () => {
  expect(told({ providers: [later, { name: 'a', run, timeout }] })).toMatchInlineSnapshot(`
    [
      "error unreachable-provider at providers[1]: "a" is never reached: "later", tried before it, always answers. move "later" behind "a", or give it a when",
    ]
  `);
  expect(told({ deadline: 50, providers: [{ name: 'a', run, timeout }, later] })).toMatchInlineSnapshot(`
    [
      "warning deadline-below-timeout at providers[0].timeout: the timeout of "a" (100 ms) never strikes: the deadline of 50 ms ends everything before. lower the timeout below 50 ms, so that what comes after "a" still has its turn, or raise the deadline above 100 ms",
    ]
  `);
  expect(told({ providers: [{ name: 'a', run }] })).toMatchInlineSnapshot(`
    [
      "warning unlimited-provider at providers[0].timeout: "a" may hang for ever, and its caller with it: it has no timeout, and the fallback no deadline. give it a timeout, or the fallback a deadline",
      "info no-last-resort at providers: if every provider fails, so does the trigger: there is no value that always answers. end the list with one that cannot fail, such as { name: 'later', value: { status: 'queued' } }",
    ]
  `);
  expect(
    told({ deadline: 250, providers: [{ name: 'a', run, timeout, retries: 4, backoff: 40 }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning retries-beyond-deadline at providers[0].retries: the 5 attempts of "a" need 660 ms if each times out; the deadline is 250 ms. lower retries to 1, shorten the backoff or the timeout, or raise the deadline above 660 ms",
    ]
  `);
  expect(
    told({ maxRetries: 0, resetAfter: 'never', providers: [{ name: 'a', run, timeout }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning locked-by-one-failure at resetAfter: a single failed trigger exhausts it (maxRetries is 0), and it stays so until it is reset by hand. give resetAfter some milliseconds, after which one probe is let through, or tolerate a failure or two",
    ]
  `);
});

it('effects and doubts', () => {
  const charge = { run, timeout, idempotent: true, hedge: 200 };
  expect(
    told({ providers: [{ name: 'a', ...charge }, { name: 'b', run, timeout, idempotent: true }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning hedge-never-used at providers[0].hedge: the hedge of "a" (200 ms) is never used: its timeout of 100 ms strikes before. lower the hedge below 100 ms: what nine in ten calls take is a good start",
    ]
  `);
  expect(
    told({ providers: [{ name: 'a', run, timeout }, { name: 'b', run, timeout }, later] }, { effects: true }),
  ).toMatchInlineSnapshot(`
    [
      "warning double-effect at providers[0]: "a" may have done its work when it times out, and "b" does it once more. give it inDoubt: 'verify' or 'stop', or a compensate; or mark it idempotent: true, if it may run twice",
    ]
  `);
  const verify = async () => ({ done: false }) as const;
  expect(
    told({ deadline: 500, providers: [{ name: 'a', run, inDoubt: 'verify', verify }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning verify-without-timeout at providers[0].timeout: the verify of "a" is never asked: without a timeout no attempt is in doubt. give it a timeout, or an inDoubtWhen",
    ]
  `);
});

it('health that is watched to no end', () => {
  const breaker = { failures: 1, cooldown: 500 };
  const a = { name: 'a', run, timeout, breaker };
  expect(
    told({ resetAfter: 100, whenAllUnhealthy: 'fail', providers: [a, { ...a, name: 'b' }] }),
  ).toMatchInlineSnapshot(`
    [
      "warning probe-finds-nobody at resetAfter: the probe that is let in after 100 ms may find every provider unhealthy, and fail without a call: the first cooldown ends after 500 ms. raise resetAfter to 500 ms, shorten a cooldown, or set whenAllUnhealthy to 'try'",
      "info no-last-resort at providers: if every provider fails, so does the trigger: there is no value that always answers. end the list with one that cannot fail, such as { name: 'later', value: { status: 'queued' } }",
    ]
  `);
  expect(told({ providers: [a] })).toMatchInlineSnapshot(`
    [
      "warning health-without-choice at providers[0].breaker: it changes nothing that "a" is unhealthy: there is no other provider, so it is tried all the same. add another provider, or set whenAllUnhealthy to 'fail'",
      "info no-last-resort at providers: if every provider fails, so does the trigger: there is no value that always answers. end the list with one that cannot fail, such as { name: 'later', value: { status: 'queued' } }",
    ]
  `);
  const healthcheck = { check: async () => true, interval: 10, timeout: 0 };
  expect(told({ providers: [{ name: 'a', run, timeout, healthcheck }, later] })).toMatchInlineSnapshot(`
    [
      "warning limit-of-nothing at providers[0].healthcheck.timeout: the check of "a" has 0 ms to answer in: unless it does so at once, "a" is always unhealthy. give it a timeout of some milliseconds",
      "info healthcheck-alone at providers[0].healthcheck: failed attempts never make "a" unhealthy, and good ones never make it healthy: its check alone decides. give it a breaker, too",
    ]
  `);
  expect(
    told({ providers: [{ name: 'a', run, timeout, breaker: { failures: 1, cooldown: 0 } }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning limit-of-nothing at providers[0].breaker.cooldown: "a" is never left alone: its cooldown of 0 ms is over at once. raise it to what the provider needs to recover",
    ]
  `);
});

it('old answers and budgets', () => {
  expect(
    told({ providers: [{ name: 'old', lastGood: { maxAge: 10 } }, { name: 'a', run, timeout }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning stale-first at providers[0]: "old" answers with what may be 10 ms old before "a" is asked for a fresh answer. move "old" behind "a"; if that is what you want, reuse says it plainly",
    ]
  `);
  expect(
    told({ providers: [{ name: 'a', run, timeout }, { name: 'old', lastGood: { maxAge: 0 } }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning limit-of-nothing at providers[1].lastGood.maxAge: "old" never has an answer: one is too old after 0 ms. raise maxAge to the age at which an old answer is worse than none",
    ]
  `);
  const retryBudget = { ratio: 0.1, minPerSecond: 1 };
  expect(told({ retryBudget, providers: [{ name: 'a', run, timeout }, later] })).toMatchInlineSnapshot(`
    [
      "info budget-without-retries at retryBudget: it bounds nothing: no provider has any retries. leave it out, or give a provider retries",
    ]
  `);
  const none = { ratio: 0, minPerSecond: 0 };
  expect(
    told({ retryBudget: none, providers: [{ name: 'a', run, timeout, retries: 1 }, later] }),
  ).toMatchInlineSnapshot(`
    [
      "warning limit-of-nothing at retryBudget: no retry is ever made: its ratio and its floor are 0. raise ratio or minPerSecond",
    ]
  `);
});

it('a provider behind a value that may fail to be made', () => {
  expect(
    told({
      providers: [
        { name: 'made', value: () => 1 },
        { name: 'a', run, timeout },
      ],
    }),
  ).toMatchInlineSnapshot(`
    [
      "warning unreachable-provider at providers[1]: "a" is reached only if the value of "made", tried before it, fails to be made. move "made" behind "a", or give it a when",
    ]
  `);
});

it('waits that a deadline leaves no time for, told by the part that is certain', () => {
  const retried = (over: object, deadline: number) =>
    told({ deadline, providers: [{ name: 'a', run, retries: 2, ...over }, later] });
  const jitter = (initialDelay: number) => ({ initialDelay, factor: 1, jitter: 'full' });
  expect(retried({ backoff: jitter(200) }, 150)).toMatchInlineSnapshot(`
    [
      "warning retries-beyond-deadline at providers[0].retries: the 3 attempts of "a" need 200 ms for the waits between them, the jitter being average; the deadline is 150 ms. lower retries to 1, shorten the backoff or the timeout, or raise the deadline above 200 ms",
    ]
  `);
  expect(retried({ backoff: jitter(200) }, 350)).toMatchInlineSnapshot(`
    [
      "info retries-beyond-deadline at providers[0].retries: the 3 attempts of "a" need 400 ms for the waits between them, the jitter being at its longest; the deadline is 350 ms. lower retries to 1, shorten the backoff or the timeout, or raise the deadline above 400 ms",
    ]
  `);
  expect(retried({ backoff: jitter(200), timeout: 10 }, 220)).toMatchInlineSnapshot(`
    [
      "warning retries-beyond-deadline at providers[0].retries: the 3 attempts of "a" need 230 ms if each times out, the jitter being average; the deadline is 220 ms. lower retries to 1, shorten the backoff or the timeout, or raise the deadline above 230 ms",
    ]
  `);
  expect(retried({ backoff: jitter(200), timeout: 10 }, 420)).toMatchInlineSnapshot(`
    [
      "info retries-beyond-deadline at providers[0].retries: the 3 attempts of "a" need 430 ms if each times out, the jitter being at its longest; the deadline is 420 ms. lower retries to 1, shorten the backoff or the timeout, or raise the deadline above 430 ms",
    ]
  `);
  expect(retried({ backoff: jitter(200), timeout: 10 }, 431)).toEqual([]);
  expect(retried({ backoff: 0, timeout: 100 }, 100)).toMatchInlineSnapshot(`
    [
      "warning retries-beyond-deadline at providers[0].retries: the 3 attempts of "a" need 300 ms if each times out; the deadline is 100 ms. lower retries to 0, shorten the backoff or the timeout, or raise the deadline above 300 ms",
    ]
  `);
  // Ten times 0.7 are 7, and not a little more.
  expect(retried({ backoff: 0.7, retries: 10 }, 7)).toMatchInlineSnapshot(`
    [
      "error retries-beyond-deadline at providers[0].retries: the 11 attempts of "a" need 7 ms even if each fails at once; the deadline is 7 ms. lower retries to 9, shorten the backoff or the timeout, or raise the deadline above 7 ms",
    ]
  `);
  expect(retried({ backoff: { initialDelay: 0, jitter: 'none' }, retries: 1_000 }, 1)).toEqual([]);
  expect(told({ deadline: 0, providers: [{ name: 'a', run, timeout: 0 }, later] })).toEqual([]);
});

it('effects of what runs, and of nothing else', () => {
  const made = { name: 'made', value: () => 1, timeout };
  expect(told({ providers: [made, { name: 'a', run, timeout }] }, { effects: true })).toEqual([
    expect.stringMatching(/^warning unreachable-provider at providers\[1\]/),
  ]);
});

it('a verify that is asked of what an attempt answered, or failed with', () => {
  const verify = async () => ({ done: false }) as const;
  const charge = { name: 'a', run, inDoubt: 'verify', verify };
  const accepting = { ...charge, accept: () => true };
  expect(told({ providers: [accepting, later] })).toMatchInlineSnapshot(`
    [
      "warning unlimited-provider at providers[0].timeout: "a" may hang for ever, and its caller with it: it has no timeout, and the fallback no deadline. give it a timeout, or the fallback a deadline",
      "warning verify-without-timeout at providers[0].timeout: the verify of "a" may hang for ever, and its caller with it: it has the timeout of "a", which has none. give it a timeout",
    ]
  `);
  const output = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } };
  const codes = (definition: object) => told(definition).map((finding) => finding.split(' at ')[0]);
  expect(codes({ output, providers: [charge, later] })).toEqual([
    'warning unlimited-provider',
    'warning verify-without-timeout',
  ]);
  expect(codes({ output, deadline: 500, providers: [charge, later] })).toEqual([]);
  expect(codes({ deadline: 500, providers: [{ ...charge, inDoubtWhen: () => true }, later] })).toEqual([]);
  expect(codes({ deadline: 500, providers: [accepting, later] })).toEqual([]);
});

it('health that only a probe ends, or only a check', () => {
  const breaker = { failures: 1, cooldown: 500 };
  const a = { name: 'a', run, timeout, breaker };
  for (const resetAfter of ['never', null])
    expect(told({ resetAfter, whenAllUnhealthy: 'fail', providers: [a, { ...a, name: 'b' }] })).toEqual([
      expect.stringMatching(/^info no-last-resort/),
    ]);
  const healthcheck = { check: async () => true, interval: 10 };
  expect(told({ providers: [{ name: 'a', run, timeout, healthcheck }] })[0]).toMatchInlineSnapshot(
    `"warning health-without-choice at providers[0].healthcheck: it changes nothing that "a" is unhealthy: there is no other provider, so it is tried all the same. add another provider, or set whenAllUnhealthy to 'fail'"`,
  );
});

it('a budget that has a floor, or nothing to bound, is not spent before it begins', () => {
  const a = { name: 'a', run, timeout };
  const floor = { ratio: 0, minPerSecond: 1 };
  expect(told({ retryBudget: floor, providers: [{ ...a, retries: 1 }, later] })).toEqual([]);
  const share = { ratio: 0.1, minPerSecond: 0 };
  expect(told({ retryBudget: share, providers: [{ ...a, retries: 1 }, later] })).toEqual([]);
  const none = { ratio: 0, minPerSecond: 0 };
  expect(told({ retryBudget: none, providers: [a, later] })).toEqual([
    expect.stringMatching(/^info budget-without-retries/),
  ]);
});

it('options that it does not take', () => {
  const refused = (options: object) => {
    try {
      told({ providers: [later] }, options);
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing was refused';
  };
  expect(refused({ tiemout: 1 })).toMatchInlineSnapshot(
    `"Invalid request: tiemout: unknown option; expected timeout or effects"`,
  );
  expect(refused({ effects: 1 })).toMatchInlineSnapshot(`"Invalid request: effects: expected true or false"`);
  for (const bad of [-1, 2_147_483_648, '5'])
    expect(refused({ timeout: bad })).toMatchInlineSnapshot(
      `"Invalid request: timeout: expected milliseconds from 0 to 2147483647, or null for none"`,
    );
  for (const good of [0, 2_147_483_647, null]) expect(refused({ timeout: good })).toBe('nothing was refused');
});
