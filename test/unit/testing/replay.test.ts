import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defineFallback } from '../../../src/index.ts';
import { checkFallback } from '../../../src/testing/check.ts';
import type { CheckOptions } from '../../../src/testing/options.ts';
import type { Trace } from '../../../src/testing/trace.ts';

// What is written down here was found under Node 20. Nothing of it may depend on where it is played again: these tests run
// under every Node that the package supports. A change to what histories are made of, fast-check's included, moves the
// path: then the first test says what to write down instead.

const policy = defineFallback({
  tag: 'payment-failure',
  maxRetries: 0,
  resetAfter: 1_000,
  deadline: 2_000,
  providers: [
    { name: 'stripe', run: async () => 'charged', retries: 1, backoff: { initialDelay: 100 }, timeout: 800 },
    { name: 'paypal', run: async () => 'captured', timeout: 1_500 },
  ],
});

/** A promise that nobody can keep. It takes an exhaustion, a restart and a probe to see it. */
function noOutageOutlivesARestart(trace: Trace): boolean {
  const ends = trace.filter(({ type, key }) => key === undefined && (type === 'failed' || type === 'restart'));
  return !ends
    .map(({ type }) => type)
    .join()
    .includes('failed,restart,failed');
}

const SEED = 1;
const PATH = '187:5:4:4:7:8:8:9:10:11:17:18:20:23:21:25:26:25:27:26:28:28:31:32:32:34:34:34';
const TIMELINE = `
     0 ms  #1 trigger  {"orderId":0}
     0 ms  state is triggered
     0 ms  #1 stripe  attempt 1 → hang
   800 ms  #1 stripe  attempt 1 ✗ timed-out: "stripe" did not answer within 800 ms
   850 ms  #1 stripe  attempt 2 → slow-reject
  1650 ms  #1 stripe  attempt 2 ✗ timed-out: "stripe" did not answer within 800 ms
  1650 ms  #1 paypal  attempt 1 → ok           effect landed
  2000 ms  #1 paypal  attempt 1 ✗ timed-out: payment-failure ran out of its 2000 ms
  2000 ms  state is exhausted
  2000 ms  #1 failed: payment-failure failed: stripe #1: AttemptTimeoutError: "stripe" did not answer within 800 ms; stripe #2: AttemptTimeoutError: "stripe" did not answer within 800 ms; paypal #1: DeadlineError: payment-failure ran out of its 2000 ms
  2298 ms  restart: snapshot → JSON → a new engine → restore
  3097 ms  #2 trigger  {"orderId":0}
  3097 ms  #2 stripe  attempt 1 → lost         effect landed
  3097 ms  #2 stripe  attempt 1 ✗ failed: answer lost
  3147 ms  #2 stripe  attempt 2 → throw
  3147 ms  #2 stripe  attempt 2 ✗ failed: thrown
  3147 ms  #2 paypal  attempt 1 → reject
  3147 ms  #2 paypal  attempt 1 ✗ failed: rejected
  3147 ms  #2 failed: payment-failure failed: stripe #1: Error: answer lost; stripe #2: Error: thrown; paypal #1: Error: rejected`;

/** What the violation says, from its first line to its last. */
async function said(where: Pick<CheckOptions, 'seed' | 'path'>): Promise<string> {
  const input = fc.record({ orderId: fc.nat(99) });
  const checked = checkFallback(policy, { input, invariants: [noOutageOutlivesARestart], ...where });
  return checked.then(
    () => 'nothing was found',
    ({ message }: Error) => message,
  );
}

it('a seed leads to the same violation on every Node', async () => {
  expect(await said({ seed: SEED })).toBe(
    `noOutageOutlivesARestart broke after 188 histories (shrunk 27 times)
replay with { seed: ${SEED}, path: "${PATH}" }
it returned false
${TIMELINE}`,
  );
});

it('seed and path replay it at once, line by line, as often as one likes', async () => {
  const again = `noOutageOutlivesARestart broke after 1 history (shrunk 0 times)
replay with { seed: ${SEED}, path: "${PATH}" }
it returned false
${TIMELINE}`;
  expect(await said({ seed: SEED, path: PATH })).toBe(again);
  expect(await said({ seed: SEED, path: PATH })).toBe(again);
});
