/**
 * A risky call with its fallback behind it, in five scenes:
 *   npx tsx examples/wrap.ts
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDuctape, defineFallback, FallbackFailedError } from 'ductape-fallback';
import * as z from 'zod';

interface Order {
  readonly id: string;
  readonly amount: number;
}

/** The risky part. `stripe.health` is what the scenes play with. */
const stripe = {
  health: 'well' as 'well' | 'down' | 'slow',
  async charge(order: Order, signal: AbortSignal) {
    if (stripe.health === 'down') throw new Error('stripe: 503 Service Unavailable');
    if (stripe.health === 'slow') await sleep(60_000, undefined, { signal });
    return { paidBy: 'stripe', amount: order.amount };
  },
};

const paypal = { isDown: false, calls: 0 };

const paymentFailure = defineFallback({
  tag: 'payment-failure',
  input: z.object({ orderId: z.string(), amount: z.number(), reason: z.string() }),
  providers: [
    {
      name: 'paypal',
      run({ amount }) {
        paypal.calls++;
        if (paypal.isDown) throw new Error('paypal: account locked');
        return { paidBy: 'paypal', amount };
      },
    },
  ],
});

const ductape = createDuctape({ env: 'prd', product: 'shop', fallbacks: [paymentFailure] });

const charge = ductape.fallback.wrap('payment-failure', stripe.charge, {
  input: (error, order) => ({ orderId: order.id, amount: order.amount, reason: String(error) }),
  signal: (_order, signal) => signal,
});
const customer = new AbortController();
const order: Order = { id: 'order-1', amount: 42 };
const input = { orderId: order.id, amount: order.amount, reason: 'no answer in time' };

scene('1. All is well: the primary answers, and the fallback never hears of it');
const first = await charge(order, customer.signal);
say(`paid by ${first.paidBy}; the fallback is ${stateNow()}`);

scene('2. The primary fails: the fallback answers in its place');
stripe.health = 'down';
const second = await charge(order, customer.signal);
say(`paid by ${second.paidBy}; the fallback is ${stateNow()}`);

scene('3. call(): the same for one call, here with a time limit that also aborts the slow primary');
stripe.health = 'slow';
let isAborted = false;
const third = await ductape.fallback.call(
  'payment-failure',
  ({ signal }) => {
    signal.addEventListener('abort', () => {
      isAborted = true;
    });
    return stripe.charge(order, signal);
  },
  { input, timeout: 50 },
);
say(`paid by ${third.paidBy}; stripe was told to stop: ${isAborted}`);

scene('4. The caller gives up: nobody falls back, nobody is charged');
const leaver = new AbortController();
const callsBefore = paypal.calls;
const leaving = charge(order, leaver.signal);
leaver.abort(new Error('the customer closed the page'));
await leaving.then(
  () => say('should not have been paid'),
  (error: unknown) => say(`rejected with the caller’s own reason: ${error}`),
);
say(`paypal was called ${paypal.calls - callsBefore} times`);

scene('5. The fallback fails too: one error holds them all');
stripe.health = 'down';
paypal.isDown = true;
try {
  await charge(order, customer.signal);
} catch (error) {
  if (!(error instanceof FallbackFailedError)) throw error;
  say(`${error.name} (${error.code})`);
  say(`cause, the primary’s own: ${error.cause}`);
  for (const each of error.errors) say(`errors, the providers’:   ${each}`);
}

function stateNow() {
  return ductape.fallback.inspect({ fallback_tag: 'payment-failure' }).state;
}

function scene(title: string) {
  console.log(`\n${title}`);
}

function say(line: string) {
  console.log(`   ${line}`);
}
