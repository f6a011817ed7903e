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
