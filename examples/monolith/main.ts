/**
 * A checkout service, three flaky payment gateways, and a bad day from morning to evening, all on loopback:
 *   npm start
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FallbackEvent } from 'ductape-fallback';
import { startCheckoutService } from './checkout-service.ts';
import { type FlakyGateway, type Health, startFlakyGateway } from './flaky-gateway.ts';
import { startTimeline } from './timeline.ts';
import { visitorsOf } from './visitors.ts';

const { act, tell, promise, heard, listener, summary } = startTimeline();
const gateways = {
  stripe: await startFlakyGateway('stripe', tell),
  paypal: await startFlakyGateway('paypal', tell),
  adyen: await startFlakyGateway('adyen', tell),
};
const { stripe, paypal, adyen } = gateways;
const folder = mkdtempSync(join(tmpdir(), 'checkout-'));

try {
  await Promise.race([tellStory(), tooLong()]);
} catch (error) {
  promise(`nothing unforeseen happens, but there was ${error}`, false);
} finally {
  for (const gateway of Object.values(gateways)) gateway.stop();
  rmSync(folder, { recursive: true });
  // Where the story broke off, a server may still be open.
  if (summary() > 0) process.exit(1);
}

async function tellStory() {
  let service = await openService();
  const { order, inspect, update, reset } = visitorsOf(() => service.url, tell);

  act('Morning. All is well');
  promise('Stripe takes the first order', (await order('order-1')).gateway === 'stripe');
  promise('the fallback is idle while Stripe is well', (await inspect()).state === 'idle');

  act('A declined card is the customer’s own trouble');
  promise('a declined card is told to the customer', (await order('order-2', 'empty')).status === 402);

  act('Stripe hangs, and a customer loses patience');
  become('stripe', 'hanging');
  const customer = new AbortController();
  const impatient = order('order-3', 'full', customer.signal).catch(() => tell('customer', 'order-3: left'));
  await called(stripe);
  customer.abort();
  await impatient;

  act('Stripe dies. PayPal steps in');
  become('stripe', 'dead');
  promise('PayPal takes over from Stripe', (await order('order-4')).gateway === 'paypal');

  act('PayPal hangs, too. Adyen steps in');
  become('paypal', 'hanging');
  promise('Adyen takes over from PayPal', (await order('order-5')).gateway === 'adyen');

  act('Noon. All of them are dead: one failure is tolerated, the second exhausts');
  become('paypal', 'dead');
  become('adyen', 'dead');
  const [sixth, seventh] = [await order('order-6'), await order('order-7')];
  promise('a failed order is a 502', sixth.status === 502 && seventh.status === 502);
  const callsBefore = paypal.calls + adyen.calls;
  promise('after the second, orders are refused with a 503', (await order('order-8')).status === 503);
  promise('at once, without asking the dead', paypal.calls + adyen.calls === callsBefore);

  act('A deploy, of all times. Stripe is back but slow, and has an order in hand');
  become('stripe', 'slow');
  const inFlight = order('order-9');
  await called(stripe);
  tell('service', 'stops, with some grace');
  const [inHand] = await Promise.all([inFlight, service.stop()]);
  tell('service', 'has written down its state');
  promise('the order in hand at the restart is paid', inHand.gateway === 'stripe');
  service = await openService();
  const remembered = await inspect();
  promise('the exhaustion outlives the restart', remembered.state === 'exhausted' && remembered.failures === 2);
  become('stripe', 'dead');
  promise('orders are still refused after it', (await order('order-10')).status === 503);

  act('Afternoon. Adyen is back, and the operator will not wait half a minute for the probe');
  become('adyen', 'well');
  const typo = await update({ fallbackProvidr: 'adyen' });
  promise(
    'a typo is refused, and corrected',
    typo.status === 400 && typo.message?.includes('fallbackProvider') === true,
  );
  await update({ fallbackProvider: 'adyen', resetAfter: 200 });
  await sleep((await inspect()).retryAfter ?? 0);
  promise('the probe goes to the operator’s choice, and succeeds', (await order('order-11')).gateway === 'adyen');
  promise('which ends the exhaustion', (await inspect()).state === 'triggered');

  act('Evening. Everybody is well, and the operator tidies up');
  become('stripe', 'well');
  become('paypal', 'well');
  await reset();
  const tidy = await inspect();
  promise(
    'a reset brings back the first morning',
    tidy.state === 'idle' && tidy.config?.fallbackProvider === undefined,
  );
  promise('Stripe takes the last order', (await order('order-12')).gateway === 'stripe');
  const idsOf = (type: FallbackEvent['type']) => heard.filter((event) => event.type === type).map(({ id }) => id);
  const fellBack = idsOf('triggered');
  promise(
    'the declined and the impatient never fell back',
    !fellBack.some((id) => id === 'order-2' || id === 'order-3'),
  );
  promise('but whether the impatient was charged is in doubt', idsOf('in-doubt').includes('order-3'));
  await service.stop();
}

async function openService() {
  const urls = { stripe: stripe.url, paypal: paypal.url, adyen: adyen.url };
  const service = await startCheckoutService({ ...urls, snapshotFile: join(folder, 'fallbacks.json'), listener });
  tell('service', `listens on ${service.url}${service.restored > 0 ? ', its state restored' : ''}`);
  return service;
}

function become(name: keyof typeof gateways, health: Health) {
  gateways[name].become(health);
  tell(name, `is ${health}`);
}

/** Resolves once the gateway is called again. */
async function called(gateway: FlakyGateway) {
  const before = gateway.calls;
  while (gateway.calls === before) await sleep(5);
}

async function tooLong() {
  await sleep(20_000, undefined, { ref: false });
  throw new Error('no end of it after 20 s');
}
