import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const { FORCE_COLOR: _, ...env } = process.env;

/** Every JSON Web Token begins like this: it is how `{"alg"` reads in base64. */
const TOKEN = /eyJhbGciOi/;

/** Runs an example as a reader would, and gives its exit code and all that it printed. */
function run(example: string, ...words: readonly string[]) {
  if (!existsSync('dist/index.js')) throw new Error('The examples import the built package: run `npm run build` first');
  const args = ['--import', 'tsx', `examples/${example}`, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000, env });
  return { status, stderr, printed: stdout };
}

describe('examples/documented-calls.ts', () => {
  const { status, stderr, printed } = run('documented-calls.ts');

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each([
    ['Quick example', 'trigger: stripe charged order 12345', 'state:   triggered', 'way:     stripe succeeded'],
    [
      'Trigger a fallback',
      'trigger: paypal captured order 12345',
      'state:   triggered',
      'way:     stripe skipped, paypal succeeded',
    ],
    [
      'Fallback for API failures',
      'trigger: email mailed user_123: “Your order has shipped”',
      'state:   triggered',
      'way:     vonage failed, email succeeded',
    ],
    ['Update fallback configuration', 'update: maxRetries 3, paypal first, revision 1', 'state:   triggered'],
    ['Reset fallback state', 'reset: forgotten', 'state:   idle'],
    [
      'With session context',
      'trigger: saved-cart kept cart_456 at payment for user-session',
      'state:   triggered',
      'way:     saved-cart succeeded',
    ],
  ])('tells what comes of “%s”', (title, ...lines) => {
    expect(printed).toContain([title, ...lines.map((line) => `  ${line}`)].join('\n'));
  });

  it('prints no token', () => {
    expect(readFileSync('examples/documented-calls.ts', 'utf8')).toMatch(TOKEN);
    expect(printed).not.toMatch(TOKEN);
  });

  it.each(documentedCalls())('makes the documented call “%s” word for word', (_title, call) => {
    expect(spaceless(readFileSync('examples/documented-calls.ts', 'utf8'))).toContain(spaceless(call));
  });
});

describe('examples/wrap.ts', () => {
  const { status, stderr, printed } = run('wrap.ts');
  const scenes = printed.split(/^\d\. /m).map((scene) => scene.split('\n').map((line) => line.trim()));

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('shows a success that leaves the fallback idle', () => {
    expect(scenes[1]).toContain('paid by stripe; the fallback is idle');
  });

  it('shows a failure that the fallback makes good', () => {
    expect(scenes[2]).toContain('paid by paypal; the fallback is triggered');
  });

  it('shows a slow primary that is told to stop', () => {
    expect(scenes[3]).toContain('paid by paypal; stripe was told to stop: true');
  });

  it('shows an abort that never falls back', () => {
    expect(scenes[4]).toContain('rejected with the caller’s own reason: Error: the customer closed the page');
    expect(scenes[4]).toContain('paypal was called 0 times');
  });

  it('shows a fallback that fails too, with its cause and its errors', () => {
    expect(scenes[5]).toContain('FallbackFailedError (ERR_FALLBACK_FAILED)');
    expect(scenes[5]).toContain('cause, the primary’s own: Error: stripe: 503 Service Unavailable');
    expect(scenes[5]).toContain('errors, the providers’:   Error: paypal: account locked');
  });
});

describe('examples/jwt-session.ts', () => {
  const { status, stderr, printed } = run('jwt-session.ts');

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('lets a provider read the verified claims', () => {
    expect(printed).toMatch(
      /With a valid token\n[\s\S]*→ cart_456 is kept for ada \(pro plan\)\n\nWith an expired token/,
    );
    expect(printed).toContain('and as JSON: {"tag":"user-session","verified":true}');
  });

  it.each([
    ['an expired token', 'refused'],
    ['a forged token', 'refused'],
    ['a session of an unknown kind', 'unknown'],
    ['no session at all', 'missing'],
  ])('refuses %s as %s', (what, reason) => {
    expect(printed).toContain(`With ${what}\n→ SessionError, reason ${reason}: `);
  });

  it('prints no token, nor a part of one', () => {
    expect(printed).toMatch(/\d\d lines printed, 0 of them with a token/);
    expect(printed).not.toMatch(TOKEN);
  });
});

describe('examples/monolith', () => {
  const { status, stderr, printed } = run('monolith/main.ts');

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('keeps every promise of its story', () => {
    expect(printed).toContain('The day in short: 18 of 18 promises kept');
    expect(printed.match(/^ {2}✓ .+$/gm)).toHaveLength(18);
    expect(printed).not.toContain('✗');
  });

  it.each([
    ['the primary answers', 'customer  order-1: 200 paid by stripe'],
    ['a declined card does not fall back', 'customer  order-2: 402 CardDeclined: the card of order-2 was declined'],
    ['an impatient customer is let go', 'customer  order-3: left'],
    ['who may have been charged', 'engine    order-3: primary, attempt 1: may have charged all the same (aborted)'],
    ['the first provider steps in', 'engine    order-4: recovered by paypal → triggered'],
    ['a hanging provider is given up on', 'engine    order-5: paypal, attempt 1: timed-out'],
    ['the second provider steps in', 'customer  order-5: 200 paid by adyen'],
    ['one failure is tolerated', 'engine    order-6: every provider failed → triggered'],
    ['the second exhausts', 'engine    order-7: every provider failed → exhausted'],
    ['the next are refused', 'customer  order-8: 503 payment-failure is exhausted'],
    ['an order in hand outlives the stop', 'customer  order-9: 200 paid by stripe'],
    ['the state outlives the restart', 'operator  GET /ops/inspect: 200 exhausted, 2 failed triggers in a row'],
    ['a typo is corrected', 'unknown key "fallbackProvidr"; did you mean "fallbackProvider"?'],
    ['a probe is admitted', 'engine    order-11: fallback triggered, as the one probe'],
    ['the probe succeeds', 'engine    order-11: recovered by adyen → triggered'],
    ['a reset forgets', 'engine    reset, configuration included → idle'],
    ['the primary has the last word', 'customer  order-12: 200 paid by stripe'],
  ])('shows that %s', (_what, line) => {
    expect(printed).toContain(line);
  });

  it('restarts in the middle, with an order in hand', () => {
    const lines = [
      'stops, with some grace',
      'order-9: 200',
      'has written down its state',
      'its state restored',
      '200 exhausted',
    ];
    const places = lines.map((line) => printed.indexOf(line));
    expect(Math.min(...places)).toBeGreaterThan(0);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it('tells the time of each line, never going back', () => {
    const times = [...printed.matchAll(/^ *(\d+) ms {2}\S/gm)].map(([, time]) => Number(time));
    expect(times.length).toBeGreaterThan(50);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('consists of files of fewer than 200 lines', () => {
    const long = readdirSync('examples/monolith').filter((file) => {
      return readFileSync(`examples/monolith/${file}`, 'utf8').split('\n').length > 200;
    });
    expect(long).toEqual([]);
  });
});

describe('examples/lint.ts', () => {
  const { status, stderr, printed } = run('lint.ts');
  const scenes = printed.split(/^\d\. /m);

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each([
    ['a provider behind a last resort', '✗ unreachable-provider at providers[3]', 'move "queue" behind "adyen"'],
    ['a timeout that the deadline outruns', '⚠ deadline-below-timeout at providers[0].timeout', 'below 2000 ms'],
    ['retries that do not fit', '⚠ retries-beyond-deadline at providers[1].retries', 'lower retries to 1'],
    ['a lock for ever', '⚠ locked-by-one-failure at resetAfter', 'give resetAfter some milliseconds'],
  ])('finds %s, and says how to mend it', (_what, finding, suggestion) => {
    const [, told = ''] = scenes[1]?.split(finding) ?? [];
    expect(told.split(/^ {3}\S/m)[0]).toMatch(new RegExp(`→ .*${suggestion}`));
  });

  it('finds nothing else there', () => {
    expect(scenes[1]?.match(/^ {3}[✗⚠ℹ] /gm)).toHaveLength(4);
  });

  it('has nothing to say once all of it is mended', () => {
    expect(scenes[2]).toMatch(/^Mended on Monday.*\n {3}✓ nothing to say against it\n\n$/);
  });

  it('asks what the engine’s timeout is', () => {
    const [without, within] = scenes[3]?.split('… and in an engine made with { timeout: 2_000 }:') ?? [];
    expect(without).toContain('⚠ unlimited-provider at providers[0].timeout');
    expect(within?.trim()).toBe('✓ nothing to say against it');
  });

  it('says the same when run again', () => {
    expect(run('lint.ts').printed).toBe(printed);
  });
});

describe('examples/chaos.ts', () => {
  const { status, stderr, printed } = run('chaos.ts');
  const [orders = '', summary = ''] = printed.split('The day in short');
  const order = (name: string) => orders.split(new RegExp(`^ {3}${name}\n`, 'm'))[1]?.split(/^ {3}\S/m)[0];

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('answers each of its twelve orders, by whoever was left', () => {
    expect(orders).toContain('Twelve orders on a bad day (seed 1)');
    expect(
      orders.match(/^ {5}(charged by (stripe|paypal)|queued for later), after \d attempts? and \d+ ms$/gm),
    ).toHaveLength(12);
    const shares = [...summary.matchAll(/^ {3}(\w+) +█+ (\d+)$/gm)].map(([, name, count]) => [name, Number(count)]);
    expect(Object.fromEntries(shares)).toEqual({ stripe: 5, paypal: 6, queue: 1 });
  });

  it.each([
    ['a rejection', 'order-3', 'stripe, call 3: reject'],
    ['a throw', 'order-5', 'paypal, call 4: throw'],
    ['a hang, cut short by the timeout', 'order-9', 'stripe, call 9: hang'],
    ['a slow answer, waited for', 'order-11', 'stripe, call 11: slow by 279 ms'],
    ['a lost answer', 'order-6', 'stripe, call 6: lost'],
  ])('tells of %s', (_what, name, injection) => {
    expect(order(name)).toContain(`⚡ ${injection}\n`);
  });

  it('takes the time that the faults take', () => {
    // Stripe's timeout, the wait before PayPal's second attempt, and how late that was.
    expect(order('order-9')).toContain(`charged by paypal, after 3 attempts and ${800 + 50 + 295} ms`);
    expect(order('order-11')).toContain('charged by stripe, after 1 attempt and 279 ms');
  });

  it('counts the errors that were injected', () => {
    const faults = [...orders.matchAll(/⚡ \w+, call \d+: (\S+)/g)].map(([, fault]) => fault);
    // What is slow is no error, and what hangs ends in a timeout of the policy's own.
    const errors = faults.filter((fault) => fault !== 'slow' && fault !== 'hang');
    expect(errors.length).toBeGreaterThan(0);
    expect(summary).toContain(`${errors.length} errors were injected; nobody saw one`);
  });

  it('shows the double charge that a lost answer makes', () => {
    expect(summary.match(/^ {3}✗ .+$/gm)).toEqual([
      '   ✗ order-6 was charged twice, by stripe and paypal: an answer was lost',
    ]);
  });

  it('leaves whoever really pays in peace', () => {
    expect(order('order-vip')).toBe('     charged by stripe, after 1 attempt and 0 ms\n\n');
  });

  it('says the same when run again', () => {
    expect(run('chaos.ts').printed).toBe(printed);
  });

  it('says something else for another seed, and that the same again', () => {
    const [other, again] = [run('chaos.ts', '7'), run('chaos.ts', '7')];
    expect(other).toEqual(again);
    expect(other).toMatchObject({ status: 0, stderr: '' });
    expect(other.printed).toContain('Twelve orders on a bad day (seed 7)');
    expect(other.printed).toContain('✓ nobody was charged twice today; try another seed');
    expect(other.printed.replace('seed 7', 'seed 1')).not.toBe(printed);
  });
});

describe('examples/payments.ts', () => {
  const { status, stderr, printed } = run('payments.ts');
  const [story = '', books = ''] = printed.split('The books\n');
  const order = (name: string) => story.split(new RegExp(`^ {3}${name}: `, 'm'))[1]?.split(/\n {0,3}\S/)[0] ?? '';
  /** What each ledger holds of an order: the entries as printed, added up. */
  const held = (name: string) => {
    const entries = [...order(name).matchAll(/(stripe|paypal) ledger: (charge|refund) (\d+)/g)];
    const totals = { stripe: 0, paypal: 0 };
    for (const [, by, what, amount] of entries) {
      totals[by as keyof typeof totals] += what === 'charge' ? Number(amount) : -Number(amount);
    }
    return totals;
  };

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each(['order-1', 'order-2'])('charges %s twice, without the safety fields', (name) => {
    expect(held(name)).toEqual({ stripe: 42, paypal: 42 });
  });

  it.each([
    ['order-3', 'answer lost', 'stripe is in doubt: error', 'paid by stripe'],
    ['order-4', 'answer late', 'stripe is in doubt: timed-out', 'paid by stripe'],
    ['order-5', 'request lost', 'stripe is in doubt: error', 'paid by paypal'],
    ['order-6', 'answer late', 'stripe is in doubt: timed-out', 'paid by paypal'],
    ['order-6', 'answer late', 'stripe has given the money back', 'paid by paypal'],
    ['order-7', 'answer lost, then down', 'stripe is in doubt: error', 'InDoubtError: stripe may have done it'],
  ])('tells of %s: %s', (name, mishap, ...lines) => {
    expect(story).toContain(`${name}: ${mishap}\n`);
    for (const line of lines) expect(order(name)).toContain(`     ${line}`);
  });

  it.each([
    ['order-3', { stripe: 42, paypal: 0 }],
    ['order-4', { stripe: 42, paypal: 0 }],
    ['order-5', { stripe: 0, paypal: 42 }],
    ['order-6', { stripe: 0, paypal: 42 }],
    ['order-7', { stripe: 42, paypal: 0 }],
  ])('charges %s once, with them', (name, ledgers) => {
    expect(held(name)).toEqual(ledgers);
  });

  it('gives back what it took, where both were charged', () => {
    expect(order('order-6').match(/(stripe|paypal) ledger: .+/g)).toEqual([
      'stripe ledger: charge 42',
      'stripe ledger: refund 42',
      'paypal ledger: charge 42',
    ]);
  });

  it('adds up: the books balance for all but the two that show the danger', () => {
    const lines = [...books.matchAll(/^ {3}([✓✗]) (order-\d) costs (\d+): stripe holds (\d+), paypal (\d+)$/gm)];
    const sums = lines.map(([, mark, name, price, ...amounts]) => {
      const total = amounts.map(Number).reduce((sum, amount) => sum + amount);
      return { name, mark, isRight: total === Number(price) };
    });
    expect(sums).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((number) => {
        const isRight = number > 2;
        return { name: `order-${number}`, mark: isRight ? '✓' : '✗', isRight };
      }),
    );
    expect(books).toContain('charged twice: order-1 and order-2; with the safety fields: nobody');
  });
});

describe('examples/hedging.ts', () => {
  const { status, stderr, printed } = run('hedging.ts');
  const measured = [
    ...printed.matchAll(/^ {3}(no hedge|hedge after \d+) +(\d+) ms +(\d+) ms +(\d+) ms +\+([\d.]+) % +(\d+)$/gm),
  ].map(([, name = '', ...figures]) => {
    const [p50 = 0, p95 = 0, p99 = 0, more = 0, aborted = 0] = figures.map(Number);
    return { name, p50, p95, p99, more, aborted };
  });
  const [none, late, good, early] = measured;

  it('runs by itself, without a complaint', () => {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('measures four policies', () => {
    expect(measured.map(({ name }) => name)).toEqual([
      'no hedge',
      'hedge after 150',
      'hedge after 60',
      'hedge after 20',
    ]);
  });

  it('shows that the tail gets shorter, the earlier the hedge', () => {
    const tails = measured.map(({ p99 }) => p99);
    expect(tails).toEqual([...tails].sort((a, b) => b - a));
    expect(good?.p99).toBeLessThan((none?.p99 ?? 0) / 4);
    // Whoever is slow is overtaken at the hedge at the earliest.
    expect(late?.p99).toBeGreaterThan(150);
  });

  it('shows that the median stays as it is', () => {
    expect(new Set(measured.slice(0, 3).map(({ p50 }) => p50)).size).toBe(1);
  });

  it('shows the price: few calls more for a late hedge, many for an early one', () => {
    expect(none).toMatchObject({ more: 0, aborted: 0 });
    expect(good?.more).toBeLessThan(10);
    expect(early?.more).toBeGreaterThan(40);
  });

  it('tells that each call made in vain was aborted', () => {
    for (const { more, aborted } of measured) expect(aborted).toBeCloseTo((2_000 * more) / 100, -1);
  });

  it('draws bars as long as its figures', () => {
    const bars = [...(printed.split('p99\n')[1] ?? '').matchAll(/ (█+) (\d+) ms/g)];
    expect(bars.map(([, , figure]) => Number(figure))).toEqual(measured.map(({ p99 }) => p99));
    for (const [, bar = '', figure] of bars) {
      expect(Math.abs(bar.length - (50 * Number(figure)) / (none?.p99 ?? 1))).toBeLessThan(1);
    }
  });

  it('says the same when run again, and something else for another seed', () => {
    expect(run('hedging.ts').printed).toBe(printed);
    const other = run('hedging.ts', '7');
    expect(other).toMatchObject({ status: 0, stderr: '' });
    expect(other.printed.replace('seed 7', 'seed 1')).not.toBe(printed);
  });
});

/** White space apart, and the commas that a formatter puts behind the last of a list. */
function spaceless(code: string): string {
  return code.replace(/\s+/g, '').replace(/,(?=[})])/g, '');
}

/** The documented calls, as the documentation and the contract write them. */
function documentedCalls(): [title: string, call: string][] {
  return [
    [
      'Quick Example',
      `await ductape.fallback.run({
        env: 'prd',
        product: 'my-app',
        fallback_tag: 'payment-failure',
        action: 'trigger',
        input: {
          orderId: '12345',
          reason: 'timeout'
        }
      });`,
    ],
    [
      'Trigger a fallback',
      `await ductape.fallback.run({
        env: 'prd', product: 'payments', fallback_tag: 'payment-failure', action: 'trigger',
        input: { orderId: '12345', reason: 'gateway_timeout', attemptedProvider: 'stripe' },
      });`,
    ],
    [
      'Fallback for API failures',
      `await ductape.fallback.run({
        env: 'prd',
        product: 'notifications',
        fallback_tag: 'sms-failure',
        action: 'trigger',
        input: {
          userId: 'user_123',
          message: 'Your order has shipped',
          originalProvider: 'twilio'
        }
      });`,
    ],
    [
      'Update fallback configuration',
      `await ductape.fallback.run({
        env: 'prd', product: 'payments', fallback_tag: 'payment-failure', action: 'update',
        input: { maxRetries: 3, fallbackProvider: 'paypal' },
      });`,
    ],
    [
      'Reset fallback state',
      `await ductape.fallback.run({
        env: 'prd', product: 'payments', fallback_tag: 'payment-failure', action: 'reset',
      });`,
    ],
    [
      'With session context',
      `await ductape.fallback.run({
        env: 'prd', product: 'checkout', fallback_tag: 'checkout-failure', action: 'trigger',
        input: { cartId: 'cart_456', step: 'payment' },
        session: { tag: 'user-session', token: 'eyJhbGciOi...' },
      });`,
    ],
  ];
}
