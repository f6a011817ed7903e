/**
 * The documented calls, word for word. Each risky step is played by a function that needs no network:
 *   npx tsx examples/documented-calls.ts
 */
import { createDuctape, defineFallback } from 'ductape-fallback';
import * as z from 'zod';

const paymentFailure = defineFallback({
  tag: 'payment-failure',
  product: ['payments', 'my-app'],
  input: z.object({ orderId: z.string(), reason: z.string(), attemptedProvider: z.string().optional() }),
  providers: [
    {
      name: 'stripe',
      run: ({ orderId }) => `charged order ${orderId}`,
      // No point in asking whoever has just failed.
      when: ({ attemptedProvider }) => attemptedProvider !== 'stripe',
    },
    { name: 'paypal', run: ({ orderId }) => `captured order ${orderId}` },
    { name: 'queue', value: 'queued for later' },
  ],
});

const smsFailure = defineFallback({
  tag: 'sms-failure',
  product: 'notifications',
  input: z.object({ userId: z.string(), message: z.string(), originalProvider: z.string() }),
  providers: [
    {
      name: 'vonage',
      run() {
        throw new Error('vonage has no credit left');
      },
    },
    { name: 'email', run: ({ userId, message }) => `mailed ${userId}: “${message}”` },
  ],
});

const checkoutFailure = defineFallback({
  tag: 'checkout-failure',
  product: 'checkout',
  input: z.object({ cartId: z.string(), step: z.enum(['address', 'payment']) }),
  session: 'required',
  providers: [
    { name: 'saved-cart', run: ({ cartId, step }, ctx) => `kept ${cartId} at ${step} for ${ctx.session?.tag}` },
  ],
});

const ductape = createDuctape({ fallbacks: [paymentFailure, smsFailure, checkoutFailure] });

const quick = await ductape.fallback.run({
  env: 'prd',
  product: 'my-app',
  fallback_tag: 'payment-failure',
  action: 'trigger',
  input: {
    orderId: '12345',
    reason: 'timeout',
  },
});
tell('Quick example', `${quick.provider} ${quick.output}`, quick);

const payment = await ductape.fallback.run({
  env: 'prd',
  product: 'payments',
  fallback_tag: 'payment-failure',
  action: 'trigger',
  input: {
    orderId: '12345',
    reason: 'gateway_timeout',
    attemptedProvider: 'stripe',
  },
});
tell('Trigger a fallback', `${payment.provider} ${payment.output}`, payment);

const sms = await ductape.fallback.run({
  env: 'prd',
  product: 'notifications',
  fallback_tag: 'sms-failure',
  action: 'trigger',
  input: {
    userId: 'user_123',
    message: 'Your order has shipped',
    originalProvider: 'twilio',
  },
});
tell('Fallback for API failures', `${sms.provider} ${sms.output}`, sms);

const updated = await ductape.fallback.run({
  env: 'prd',
  product: 'payments',
  fallback_tag: 'payment-failure',
  action: 'update',
  input: {
    maxRetries: 3,
    fallbackProvider: 'paypal',
  },
});
const { maxRetries, fallbackProvider } = updated.config;
tell(
  'Update fallback configuration',
  `maxRetries ${maxRetries}, ${fallbackProvider} first, revision ${updated.revision}`,
  updated,
);

const reset = await ductape.fallback.run({
  env: 'prd',
  product: 'payments',
  fallback_tag: 'payment-failure',
  action: 'reset',
});
tell('Reset fallback state', 'forgotten', reset);

const checkout = await ductape.fallback.run({
  env: 'prd',
  product: 'checkout',
  fallback_tag: 'checkout-failure',
  action: 'trigger',
  input: {
    cartId: 'cart_456',
    step: 'payment',
  },
  session: {
    tag: 'user-session',
    token: 'eyJhbGciOi...',
  },
});
tell('With session context', `${checkout.provider} ${checkout.output}`, checkout);

interface Told {
  readonly action: string;
  readonly state: string;
  readonly attempts?: readonly { readonly provider: string; readonly outcome: string }[];
}

function tell(title: string, what: string, { action, state, attempts = [] }: Told) {
  const way = attempts.map(({ provider, outcome }) => `${provider} ${outcome}`).join(', ');
  console.log(`${title}\n  ${action}: ${what}\n  state:   ${state}${way && `\n  way:     ${way}`}\n`);
}
