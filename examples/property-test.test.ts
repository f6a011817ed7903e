/**
 * A policy that looks right, the double charge that the kit finds in it, and the policy mended. Run it with
 * `npx vitest run examples/property-test.test.ts`; the same lines work under jest and node:test.
 */
import { defineFallback } from 'ductape-fallback';
import { atMostOneEffect, checkFallback, PolicyViolation, reaches, settlesWithin } from 'ductape-fallback/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as z from 'zod';

const order = z.object({ orderId: z.string(), reason: z.string() });
const input = fc.record({ orderId: fc.uuid(), reason: fc.constant('gateway_timeout') });

/** Two gateways, retries, timeouts, a last resort: what could go wrong? */
const looksRight = defineFallback({
  tag: 'payment-failure',
  input: order,
  providers: [
    { name: 'stripe', run: async ({ orderId }) => ({ receipt: `s-${orderId}` }), retries: 1, timeout: 800 },
    { name: 'paypal', run: async ({ orderId }) => ({ receipt: `p-${orderId}` }), timeout: 1_500 },
    { name: 'queue', value: { status: 'queued' } },
  ],
});

/** One gateway charges, once; what is in doubt goes to the queue, where a person or a job asks the gateway first. */
const isRight = defineFallback({
  tag: 'payment-failure',
  input: order,
  providers: [
    { name: 'stripe', run: async ({ orderId }) => ({ receipt: `s-${orderId}` }), timeout: 800 },
    { name: 'queue', value: { status: 'queued' } },
  ],
});

test('a charge whose answer is lost is made again: the kit finds it', async () => {
  const violation: PolicyViolation = await checkFallback(looksRight, { input, invariants: [atMostOneEffect()] }).then(
    () => expect.unreachable('the double charge was missed'),
    (error) => error,
  );
  expect(violation).toBeInstanceOf(PolicyViolation);
  expect(violation.timeline).toContain('← second effect of trigger #1');
  console.log(violation.message);
}, 60_000);

test('the mended policy keeps its promises, whatever happens', async () => {
  const report = await checkFallback(isRight, {
    input,
    invariants: [atMostOneEffect(), settlesWithin(800), reaches('stripe', 'queue')],
  });
  console.log(report);
}, 60_000);
