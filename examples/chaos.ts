/**
 * A staging system under seeded faults: twelve orders, every fault told, and the one promise that breaks:
 *   npx tsx examples/chaos.ts
 *   npx tsx examples/chaos.ts 7        (another seed, another bad day; the same seed, the same one)
 */
import { createDuctape, defineFallback } from 'ductape-fallback';
import { type ChaosError, chaos, virtualClock } from 'ductape-fallback/testing';

const seed = Number(process.argv[2] ?? 1);
/** Time is virtual: what hangs for seconds here takes no time to read. */
const clock = virtualClock();
/** Who was charged for what. The providers of this little world never fail by themselves. */
const ledger = new Map<string, string[]>();

const charge = async (by: string, orderId: unknown) => {
  const order = String(orderId);
  ledger.set(order, [...(ledger.get(order) ?? []), by]);
  return `charged by ${by}`;
};

const paymentFailure = defineFallback({
  tag: 'payment-failure',
  providers: [
    { name: 'stripe', run: ({ orderId }) => charge('stripe', orderId), timeout: 800 },
    { name: 'paypal', run: ({ orderId }) => charge('paypal', orderId), retries: 1, backoff: 50, timeout: 1_500 },
    { name: 'queue', value: 'queued for later' },
  ],
});

const staged = chaos(paymentFailure, {
  seed,
  enabled: true,
  clock,
  rates: {
    stripe: { reject: 0.25, hang: 0.15, slow: 0.15, lost: 0.1 },
    paypal: { reject: 0.4, throw: 0.1, slow: 0.2 },
  },
  latency: { min: 100, max: 700 },
  // Whoever really pays is left in peace.
  when: (input: { readonly orderId?: string }) => input.orderId !== 'order-vip',
  onInject: ({ provider, call, fault, latency }) =>
    say(`  ⚡ ${provider}, call ${call}: ${fault}${latency === undefined ? '' : ` by ${latency.toFixed(0)} ms`}`),
});

const { fallback } = createDuctape({ env: 'staging', product: 'shop', clock, fallbacks: [staged] });
let injected = 0;
fallback.on('attempt-ended', ({ error }) => {
  if ((error as ChaosError | undefined)?.isChaos) injected++;
});

console.log(`\nTwelve orders on a bad day (seed ${seed})`);
const winners = new Map<string, number>();
for (const order of [...Array.from({ length: 11 }, (_, index) => `order-${index + 1}`), 'order-vip']) {
  say(order);
  const running = fallback.run({ fallback_tag: 'payment-failure', action: 'trigger', input: { orderId: order } });
  await clock.runUntilIdle();
  const { provider, output, duration, attempts } = await running;
  winners.set(provider, (winners.get(provider) ?? 0) + 1);
  say(`  ${output}, after ${attempts.length} attempt${attempts.length > 1 ? 's' : ''} and ${duration.toFixed(0)} ms`);
}

console.log('\nThe day in short');
for (const [provider, count] of winners) say(`${provider.padEnd(6)} ${'█'.repeat(count)} ${count}`);
say(`${injected} errors were injected; nobody saw one: every order got an answer`);
const twice = [...ledger].filter(([, charges]) => charges.length > 1);
for (const [order, charges] of twice)
  say(`✗ ${order} was charged twice, by ${charges.join(' and ')}: an answer was lost`);
if (twice.length === 0) say('✓ nobody was charged twice today; try another seed');

function say(line: string) {
  console.log(`   ${line}`);
}
