/**
 * Charges whose answers are lost, against two payment servers on loopback that keep their books:
 *   npx tsx examples/payments.ts
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDuctape, defineFallback, type Fallback, InDoubtError } from 'ductape-fallback';
import * as z from 'zod';

const input = z.object({ orderId: z.string(), amount: z.number() });
type Order = z.infer<typeof input>;
interface Receipt {
  readonly paidBy: string;
  readonly amount: number;
}

/** What goes wrong with the next charge, which is booked all the same, but for `request lost`. */
type Mishap = 'none' | 'request lost' | 'answer lost' | 'answer late' | 'answer lost, then down';

const PRICE = 42;
const TIMEOUT = 600;
const LATE = 900;

const [stripe, paypal] = await Promise.all([openGateway('stripe'), openGateway('paypal')]);
const byPaypal = {
  name: 'paypal',
  run: (order: Order, ctx: { readonly id: string; readonly signal: AbortSignal }) =>
    paypal.charge(order, ctx.id, ctx.signal),
};

scene('1. Without any of the safety fields');
const careless = defineFallback({
  tag: 'payment',
  input,
  providers: [
    { name: 'stripe', run: (order, ctx) => stripe.charge(order, ctx.id, ctx.signal), timeout: TIMEOUT },
    byPaypal,
  ],
});
await buy(careless, 'order-1', 'answer lost');
await buy(careless, 'order-2', 'answer late');

scene("2. With inDoubt: 'verify': Stripe is asked before anyone else is");
const verified = defineFallback({
  tag: 'payment',
  input,
  providers: [
    {
      name: 'stripe',
      run: (order, ctx) => stripe.charge(order, ctx.id, ctx.signal),
      timeout: TIMEOUT,
      inDoubt: 'verify',
      inDoubtWhen: mayHaveWorked,
      verify: (_order, ctx) => stripe.find(ctx.id, ctx.signal),
    },
    byPaypal,
  ],
});
await buy(verified, 'order-3', 'answer lost');
await buy(verified, 'order-4', 'answer late');
await buy(verified, 'order-5', 'request lost');

scene('3. With compensate: PayPal is asked at once, and what Stripe took is given back');
const compensated = defineFallback({
  tag: 'payment',
  input,
  providers: [
    {
      name: 'stripe',
      // Without ctx.signal: a request that is aborted never tells that it has worked, and what is to be undone.
      run: (order, ctx) => stripe.charge(order, ctx.id),
      timeout: TIMEOUT,
      compensate: (_receipt, _order, ctx) => stripe.refund(ctx.id, ctx.signal),
    },
    byPaypal,
  ],
});
await buy(compensated, 'order-6', 'answer late', 'compensated');

scene('4. Stripe cannot even be asked: nobody else is');
await buy(verified, 'order-7', 'answer lost, then down');

scene('The books');
const orders = [...new Set([...stripe.ledger, ...paypal.ledger].map(({ orderId }) => orderId))].sort();
const wrong = orders.filter((orderId) => {
  const held = [stripe, paypal].map(({ ledger }) => balance(ledger, orderId));
  const isRight = held.reduce((total, amount) => total + amount) === PRICE;
  say(`${isRight ? '✓' : '✗'} ${orderId} costs ${PRICE}: stripe holds ${held[0]}, paypal ${held[1]}`);
  return !isRight;
});
say(`charged twice: ${wrong.join(' and ')}; with the safety fields: ${wrong.filter(isSafe).join(' and ') || 'nobody'}`);
process.exitCode = wrong.some(isSafe) ? 1 : 0;
for (const { server } of [stripe, paypal]) {
  server.close();
  server.closeAllConnections();
}

/** One order, with a mishap at Stripe. What is undone is undone beside the call: `until` waits for it. */
async function buy(
  policy: Fallback<'payment', Order, Receipt>,
  orderId: string,
  mishap: Mishap,
  until?: 'compensated',
) {
  const { fallback } = createDuctape({ env: 'prd', product: 'shop', fallbacks: [policy] });
  say(`${orderId}: ${mishap}`);
  stripe.mishap = mishap;
  const undone = new Promise((resolve) => fallback.on('compensated', resolve));
  // A journal: it would go to a database, where it outlives a crash.
  fallback.on('in-doubt', ({ provider, because }) => say(`  ${provider} is in doubt: ${because}`));
  fallback.on('compensated', ({ provider }) => say(`  ${provider} has given the money back`));
  try {
    const request = { fallback_tag: 'payment', action: 'trigger', input: { orderId, amount: PRICE } } as const;
    const { output } = await fallback.run(request, { id: `charge-of-${orderId}` });
    say(`  paid by ${output.paidBy}`);
  } catch (error) {
    if (!(error instanceof InDoubtError)) throw error;
    say(`  ${error.name}: ${error.provider} may have done it; ask for ${error.id} when it is back`);
  }
  if (until) await Promise.race([undone, sleep(5 * LATE, undefined, { ref: false })]);
  stripe.mishap = 'none';
  for (const { name, ledger } of [stripe, paypal]) {
    for (const entry of ledger) if (entry.orderId === orderId) say(`  ${name} ledger: ${entry.what} ${entry.amount}`);
  }
}

/** In doubt is every failure, but for one that tells that nothing was ever sent. */
function mayHaveWorked(error: unknown) {
  const { code } = Object((error as Error).cause) as { readonly code?: unknown };
  return code !== 'ECONNREFUSED' && code !== 'ENOTFOUND';
}

/** Whether the policy that it was bought with has any of the safety fields. */
function isSafe(orderId: string) {
  return orderId !== 'order-1' && orderId !== 'order-2';
}

function balance(ledger: readonly Entry[], orderId: string) {
  return ledger
    .filter((entry) => entry.orderId === orderId)
    .reduce((total, { what, amount }) => total + (what === 'charge' ? amount : -amount), 0);
}

interface Entry extends Order {
  readonly key: string;
  readonly what: 'charge' | 'refund';
}

/** A payment service. Its ledger alone says who has paid what. */
interface Gateway {
  readonly name: string;
  readonly ledger: Entry[];
  mishap: Mishap;
}

/** The service on a port of its own, and the client that the shop has for it. */
async function openGateway(name: string) {
  const gateway: Gateway = { name, ledger: [], mishap: 'none' };
  const server = createServer((request, response) => serve(gateway, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/charges`;

  async function ask(method: string, key: string, signal: AbortSignal | undefined, body?: Order) {
    const options = { method, ...(signal && { signal }), ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(`${url}/${key}`, options);
    if (!response.ok && response.status !== 404) throw new Error(`${name} answered ${response.status}`);
    return { isKnown: response.ok, receipt: (await response.json()) as Receipt };
  }
  return Object.assign(gateway, {
    server,
    async charge(order: Order, key: string, signal?: AbortSignal) {
      return (await ask('PUT', key, signal, order)).receipt;
    },
    async find(key: string, signal: AbortSignal) {
      const { isKnown, receipt } = await ask('GET', key, signal);
      return isKnown ? { done: true as const, output: receipt } : { done: false as const };
    },
    refund: (key: string, signal: AbortSignal) => ask('DELETE', key, signal),
  });
}

/** Books first, and answers then: whether or not the answer arrives. */
async function serve({ name, ledger, mishap }: Gateway, request: IncomingMessage, response: ServerResponse) {
  const key = request.url?.slice('/charges/'.length) ?? '';
  const isBooked = (what: Entry['what']) => ledger.some((entry) => entry.key === key && entry.what === what);
  const answer = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.method === 'PUT') {
    if (mishap === 'request lost') return request.socket.destroy();
    const order: Order = JSON.parse((await request.toArray()).join(''));
    // An equal key is an equal charge, here. The other service has never heard of it.
    if (!isBooked('charge')) ledger.push({ ...order, key, what: 'charge' });
    if (mishap.startsWith('answer lost')) return request.socket.destroy();
    const receipt: Receipt = { paidBy: name, amount: order.amount };
    return setTimeout(() => answer(200, receipt), mishap === 'answer late' ? LATE : 0);
  }
  if (mishap === 'answer lost, then down') return answer(503, {});
  const charged = ledger.find((entry) => entry.key === key && entry.what === 'charge');
  if (!charged) return answer(404, {});
  if (request.method === 'DELETE' && !isBooked('refund')) ledger.push({ ...charged, what: 'refund' });
  return answer(200, { paidBy: name, amount: charged.amount });
}

function scene(title: string) {
  console.log(`\n${title}`);
}

function say(line: string) {
  console.log(`   ${line}`);
}
