import { defineFallback } from 'ductape-fallback';
import * as z from 'zod';

export const orderSchema = z.object({
  orderId: z.string(),
  amount: z.number().positive(),
  card: z.string().default('full'),
});
export type Order = z.infer<typeof orderSchema>;

const receiptSchema = z.object({ gateway: z.string(), charge: z.string() });

/** The customer's own trouble: another gateway would decline the card, too. */
export class CardDeclined extends Error {
  override readonly name = 'CardDeclined';
}

/** How to charge one gateway over HTTP. */
export function chargerOf(name: string, url: string) {
  return async (order: Order, signal: AbortSignal, idempotencyKey: string) => {
    const response = await fetch(`${url}/charges`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(order),
      signal,
    }).catch((error: unknown) => {
      throw new Error(`${name} cannot be reached`, { cause: error });
    });
    if (response.status === 402) throw new CardDeclined(`the card of ${order.orderId} was declined`);
    if (!response.ok) throw new Error(`${name} answered ${response.status}`);
    return receiptSchema.parse(await response.json());
  };
}

/** What to do when the primary gateway fails: PayPal, then Adyen. */
export function definePaymentFailure(urls: { readonly paypal: string; readonly adyen: string }) {
  const paypal = chargerOf('paypal', urls.paypal);
  const adyen = chargerOf('adyen', urls.adyen);
  return defineFallback({
    tag: 'payment-failure',
    input: orderSchema.extend({ reason: z.string() }),
    output: receiptSchema,
    providers: [
      { name: 'paypal', run: (order, ctx) => paypal(order, ctx.signal, ctx.id), timeout: 1_000 },
      { name: 'adyen', run: (order, ctx) => adyen(order, ctx.signal, ctx.id), timeout: 2_000, retries: 1, backoff: 20 },
    ],
    maxRetries: 1,
    deadline: 5_000,
    handle: (error) => !(error instanceof CardDeclined),
  });
}
