import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineFallback, InvalidRequestError } from '../../../src/index.ts';
import { checkFallback, PolicyViolation } from '../../../src/testing/check.ts';
import { fallbackCommands } from '../../../src/testing/commands.ts';
import {
  alwaysRecovers,
  atMostOneEffect,
  attemptsAtMost,
  neverCalls,
  reaches,
  settlesWithin,
} from '../../../src/testing/invariants.ts';

const input = fc.record({ orderId: fc.uuid(), reason: fc.constant('gateway_timeout') });

const payment = defineFallback({
  tag: 'payment-failure',
  input: z.object({ orderId: z.string(), reason: z.string() }),
  providers: [
    { name: 'stripe', run: async () => 'charged', retries: 1, timeout: 800 },
    { name: 'paypal', run: async () => 'captured', retries: 2, timeout: 1_500 },
    { name: 'queue', value: 'queued' },
  ],
});

describe('a check', () => {
  it('reports what it has really explored', async () => {
    const report = await checkFallback(payment, {
      input,
      invariants: [alwaysRecovers(), attemptsAtMost(5), reaches('queue')],
      seed: 4,
    });
    expect(report.runs).toBe(300);
    expect(Object.keys(report.winners)).toEqual(['stripe', 'paypal', 'queue']);
    expect(Math.min(...Object.values(report.winners))).toBeGreaterThan(0);
    expect(report.leftOut).toEqual(['stripe: invalid', 'paypal: invalid']);
    expect(report.faults).toMatchObject({ invalid: 0, lost: expect.any(Number), hang: expect.any(Number) });
    expect(report.longest).toBeGreaterThan(800);
    expect(report.transitions['idle → triggered']).toBeGreaterThan(0);
  });

  it('shows the double charge as a timeline', async () => {
    const found: PolicyViolation = await checkFallback(payment, {
      input,
      invariants: [atMostOneEffect()],
      seed: 1,
    }).then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(found).toBeInstanceOf(PolicyViolation);
    expect(found.message).toMatch(
      /^atMostOneEffect broke after \d+ histor(y|ies) \(shrunk \d+ times\)\nreplay with \{ seed: 1, path: "[\d:]+" \}\n/,
    );
    const lines = found.timeline.split('\n');
    expect(lines[0]).toMatch(/^ +0 ms {2}#1 trigger {2}\{"orderId":".+","reason":"gateway_timeout"\}$/);
    expect(found.timeline).toContain('effect landed');
    expect(found.timeline).toContain('← second effect of trigger #1');
    expect(found.trace.filter(({ type }) => type === 'effect')).toHaveLength(2);
  });

  it('finds the invalid output that a schema refuses', async () => {
    const checked = defineFallback({
      tag: 'x',
      output: z.object({ receipt: z.string() }),
      providers: [
        { name: 'one', run: async () => ({ receipt: 'r' }), timeout: 10 },
        { name: 'last', value: { receipt: 'l' } },
      ],
    });
    const report = await checkFallback(checked, { input, output: fc.record({ receipt: fc.string() }) });
    expect(report.leftOut).toEqual([]);
    expect(report.faults.invalid).toBeGreaterThan(0);
    expect(report.winners.last).toBeGreaterThan(0);
  });

  it('leaves out a fault of weight 0', async () => {
    const report = await checkFallback(payment, { input, faults: { stripe: { hang: 0 }, paypal: { hang: 0 } } });
    expect(report.faults.hang).toBe(0);
  });

  it('is not content with what makes an invariant instead of one', async () => {
    const ours = () => alwaysRecovers().judge;
    for (const [maker, name] of [
      [alwaysRecovers, 'alwaysRecovers'],
      [ours, 'ours'],
    ] as const) {
      await expect(checkFallback(payment, { input, invariants: [maker] })).rejects.toMatchObject({
        invariant: name,
        message: expect.stringContaining(`it returned an invariant: did you mean ${name}()?`),
      });
    }
  });

  it('judges by an invariant that is async', async () => {
    const calm = async () => false;
    await expect(checkFallback(payment, { input, invariants: [calm] })).rejects.toMatchObject({ invariant: 'calm' });
  });

  it('explores updates, resets, evictions and restarts without a breach of the laws', async () => {
    const harsh = defineFallback({
      tag: 'x',
      maxRetries: 1,
      resetAfter: 50,
      deadline: 120,
      providers: [
        { name: 'one', run: async () => 1, timeout: 40, retries: 1, backoff: 10 },
        { name: 'two', run: async () => 2 },
      ],
    });
    const report = await checkFallback(harsh, { input, invariants: [settlesWithin(120)], runs: 1_000, seed: 11 });
    expect(report.states.exhausted).toBeGreaterThan(0);
    expect(report.transitions['exhausted → triggered']).toBeGreaterThan(0);
    expect(report.transitions['exhausted → idle']).toBeGreaterThan(0);
  });

  it('takes a predicate of the policy as it is', async () => {
    const picky = defineFallback({
      tag: 'x',
      providers: [
        { name: 'never', run: async () => 1, when: () => false },
        { name: 'one', run: async () => 2, timeout: 5 },
      ],
    });
    const report = await checkFallback(picky, { input });
    expect(report.winners).toMatchObject({ never: 0 });
    await expect(checkFallback(picky, { input, invariants: [reaches('never')] })).rejects.toThrow('never never won');
  });
});

describe('a session', () => {
  const session = { tag: 'user', token: 's3cret', data: { role: 'admin' } };

  it('is that of every trigger, verified, and its data what a verifier would give', async () => {
    const seen = new Set<string>();
    const fallback = defineFallback({
      tag: 'x',
      session: 'required',
      providers: [
        {
          name: 'one',
          run: async () => 1,
          when: (_, { session: given }) => {
            seen.add(JSON.stringify([given?.tag, given?.token, given?.data, given?.verified]));
            return (given?.data as typeof session.data | undefined)?.role === 'admin';
          },
        },
        { name: 'two', value: 2 },
      ],
    });
    const options = { input, session, invariants: [reaches('one', 'two')], runs: 50, seed: 1 };
    expect((await checkFallback(fallback, options)).runs).toBe(50);
    expect([...seen]).toEqual([JSON.stringify(['user', 's3cret', { role: 'admin' }, true])]);
  });

  it('need not be', async () => {
    const given = new Set<unknown>();
    const when = (_: unknown, ctx: { readonly session?: unknown }) => given.add(ctx.session).size > 0;
    const fallback = defineFallback({ tag: 'x', providers: [{ name: 'one', run: async () => 1, when }] });
    await checkFallback(fallback, { input, runs: 10, seed: 1 });
    expect([...given]).toEqual([undefined]);
  });
});

describe('options that cannot work', () => {
  it.each([
    [{}, 'input: expected a fast-check arbitrary'],
    [{ input, runs: -1 }, 'runs: expected a whole number of 1 or more, got -1'],
    [{ input, runs: 0 }, 'runs: expected a whole number of 1 or more'],
    [{ input, keys: 0.5 }, 'keys: expected a whole number of 0 or more'],
    [{ input, path: '0:1' }, 'path: expected a seed beside it'],
    [
      { input, faults: { paypall: { hang: 0 } } },
      'faults.paypall: unknown provider; expected one of stripe, paypal, queue',
    ],
    [{ input, faults: { hangs: 1 } }, 'faults.hangs: unknown fault'],
    [{ input, faults: { hang: -1 } }, 'faults.hang: expected the weight (0 or more)'],
    [{ input, output: { adyen: fc.string() } }, 'output.adyen: unknown provider'],
    [{ input, invariant: [] }, 'invariant: unknown option'],
    [{ input, invariants: alwaysRecovers() }, 'invariants: expected a list, got {"name":"alwaysRecovers"'],
    [
      { input, invariants: [alwaysRecovers(), 1] },
      'invariants[1]: expected an invariant or a function of the trace, got 1',
    ],
    [{ input, invariants: [null] }, 'invariants[0]: expected an invariant or a function of the trace, got null'],
    [{ input, seed: 'x' }, 'seed: expected a whole number, got "x"'],
    [{ input, seed: 0.5, path: '0' }, 'seed: expected a whole number, got 0.5'],
    [{ input, seed: 1, path: 5 }, 'path: expected a string, as the violation printed it, got 5'],
    [
      { input, invariants: [neverCalls('nobody', () => true)] },
      'invariants.neverCalls(nobody): unknown provider "nobody"',
    ],
    [
      { input, invariants: [atMostOneEffect({ of: ['nobody'] })] },
      'invariants.atMostOneEffect: unknown provider "nobody"',
    ],
    [{ input, invariants: [reaches('nobody')] }, 'invariants.reaches(nobody): unknown provider "nobody"'],
    [
      { input: fc.record({ orderId: fc.nat() }) },
      'input: expected an arbitrary whose inputs the schema of payment-failure takes',
    ],
    [{ input: fc.string() }, 'input: expected an arbitrary that makes objects'],
  ])('are refused at once: %j', async (options, message) => {
    const checked = checkFallback(payment, options as never);
    await expect(checked).rejects.toThrow(InvalidRequestError);
    await expect(checked).rejects.toThrow(message);
  });

  it('are bounds that nothing can break', () => {
    for (const bound of [Number.NaN, -1, 'x', undefined] as never[]) {
      expect(() => settlesWithin(bound)).toThrow(/settlesWithin: expected milliseconds of 0 or more, got /);
      expect(() => attemptsAtMost(bound)).toThrow(/attemptsAtMost: expected a number of 0 or more, got /);
    }
    expect(() => settlesWithin(Number.NaN)).toThrow(InvalidRequestError);
    expect([settlesWithin(0).within, attemptsAtMost(0).name]).toEqual([0, 'attemptsAtMost(0)']);
  });

  it('are those without an output where the definition checks it', async () => {
    const picky = defineFallback({
      tag: 'x',
      providers: [{ name: 'one', run: async () => 1, accept: (output) => output === 1 }],
    });
    await expect(checkFallback(picky, { input })).rejects.toThrow('expected an arbitrary for what one answers');
  });

  it('are those of a policy in which nothing runs', async () => {
    const still = defineFallback({ tag: 'x', providers: [{ name: 'one', value: 1 }] });
    await expect(checkFallback(still, { input })).rejects.toThrow('no provider runs anything');
  });

  it('are those without a session where the definition requires one', async () => {
    const providers = [{ name: 'one', run: async () => 1 }];
    const personal = defineFallback({ tag: 'x', session: 'required', providers });
    const checked = checkFallback(personal, { input });
    await expect(checked).rejects.toThrow(InvalidRequestError);
    await expect(checked).rejects.toThrow('session: expected { tag, token }, which the definition requires');
  });

  it('are no vacuous pass: a run in which no provider was called fails', async () => {
    const closed = defineFallback({ tag: 'x', providers: [{ name: 'one', run: async () => 1, when: () => false }] });
    await expect(checkFallback(closed, { input })).rejects.toThrow('nothing was checked');
  });
});

describe('the commands of the kit', () => {
  it('run beside a test’s own', async () => {
    const { commands, setup } = await fallbackCommands(payment, { input });
    let mine = 0;
    class Mine implements fc.AsyncCommand<Record<string, unknown>, object> {
      check = () => true;
      run = async () => void mine++;
      toString = () => 'mine';
    }
    const all = fc.commands([...commands, fc.constant(new Mine())] as (typeof commands)[number][], { maxCommands: 20 });
    await fc.assert(
      fc.asyncProperty(all, async (commands) => {
        type Commands = Iterable<fc.AsyncCommand<Record<string, unknown>, object>>;
        await fc.asyncModelRun(setup, commands as Commands);
      }),
      { numRuns: 50 },
    );
    expect(mine).toBeGreaterThan(0);
  });
});
