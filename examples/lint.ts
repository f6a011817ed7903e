/**
 * A policy that looks fine, and what a look at it finds, before anything runs:
 *   npx tsx examples/lint.ts
 */
import { defineFallback, type Fallback } from 'ductape-fallback';
import { lintFallback } from 'ductape-fallback/testing';

const charge = async (by: string) => ({ paidBy: by });

scene('1. Written on a Friday');
const friday = defineFallback({
  tag: 'payment-failure',
  deadline: 2_000,
  maxRetries: 0,
  resetAfter: 'never',
  providers: [
    { name: 'stripe', run: () => charge('stripe'), timeout: 5_000 },
    { name: 'paypal', run: () => charge('paypal'), retries: 2, timeout: 800, backoff: { initialDelay: 200 } },
    { name: 'queue', value: { paidBy: 'nobody yet' } },
    { name: 'adyen', run: () => charge('adyen'), timeout: 500 },
  ],
});
report(friday);

scene('2. Mended on Monday, suggestion by suggestion');
const monday = defineFallback({
  tag: 'payment-failure',
  deadline: 5_000,
  maxRetries: 3,
  resetAfter: 10_000,
  providers: [
    { name: 'stripe', run: () => charge('stripe'), timeout: 1_500 },
    { name: 'paypal', run: () => charge('paypal'), retries: 1, timeout: 800, backoff: { initialDelay: 200 } },
    { name: 'adyen', run: () => charge('adyen'), timeout: 500 },
    { name: 'queue', value: { paidBy: 'nobody yet' } },
  ],
});
report(monday);

scene('3. Without limits of its own, it depends on the engine: does that have a timeout?');
const bare = defineFallback({
  tag: 'sms-failure',
  providers: [
    { name: 'vonage', run: async () => 'sent' },
    { name: 'later', value: 'queued' },
  ],
});
report(bare);
say('… and in an engine made with { timeout: 2_000 }:');
report(bare, 2_000);

function report(fallback: Fallback, timeout: number | null = null) {
  const findings = lintFallback(fallback, { timeout });
  if (findings.length === 0) say('✓ nothing to say against it');
  for (const { severity, code, path, message, suggestion } of findings) {
    say(`${severity === 'info' ? 'ℹ' : severity === 'warning' ? '⚠' : '✗'} ${code} at ${path}`);
    say(`    ${message}`);
    say(`    → ${suggestion}`);
  }
}

function scene(title: string) {
  console.log(`\n${title}`);
}

function say(line: string) {
  console.log(`   ${line}`);
}
