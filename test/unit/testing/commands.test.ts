import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineFallback } from '../../../src/index.ts';
import { type FallbackReal, fallbackCommands } from '../../../src/testing/commands.ts';

const pay = defineFallback({
  tag: 'pay',
  providers: [{ name: 'one', run: async () => 'paid', healthcheck: { check: async () => true, interval: 100 } }],
});
const input = fc.constant({ order: 1 });
const faults = Object.fromEntries(
  ['reject', 'throw', 'invalid', 'slow', 'slow-reject', 'hang', 'stubborn', 'lost'].map((fault) => [fault, 0]),
);

/** The kit's commands for a policy in which all is well: the first of each that is drawn. */
async function drawn() {
  const { commands, setup } = await fallbackCommands(pay, { input, faults, keys: 0 });
  const firsts = commands.map((arbitrary) => fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0]);
  return { firsts: firsts as fc.AsyncCommand<Record<string, unknown>, FallbackReal>[], setup };
}

describe('the commands of the kit', () => {
  it('are there up to three times each: the likelier, the more often', async () => {
    const { firsts } = await drawn();
    const types = firsts.map((command) => command.toString().split(' ')[0]);
    expect(types).toEqual([
      ...['trigger', 'trigger', 'trigger', 'wait', 'wait', 'wait', 'abort', 'abort', 'update', 'update'],
      ...['reset', 'reset', 'evict', 'restart', 'restart', 'health', 'health'],
    ]);
  });

  it('say in full what they do', async () => {
    const { firsts } = await drawn();
    const told = firsts.map((command) => command.toString());
    expect(told[0]).toMatch(/^trigger \{.*"input":\{"order":1\}.*\}$/);
    expect(told[12]).toBe('evict {}');
  });

  it('may be run at any time, and break nothing on an engine that keeps its promises', async () => {
    const { firsts, setup } = await drawn();
    const { model, real } = setup();
    expect(model).toEqual({});
    for (const command of firsts) {
      expect(command.check(model)).toBe(true);
      await command.run(model, real);
    }
    const { trace } = await real.simulation.end();
    expect(trace.filter(({ type }) => type === 'trigger')).toHaveLength(3);
  });

  it('begin anew on a fresh engine and a fresh clock', async () => {
    const { firsts, setup } = await drawn();
    const [first, second] = [setup(), setup()];
    await firsts[0]?.run(first.model, first.real);
    const [one, other] = [await first.real.simulation.end(), await second.real.simulation.end()];
    expect([one.trace.length > 0, other.trace]).toEqual([true, []]);
  });

  it('throw what a machine has done against the model', async () => {
    const { firsts, setup } = await drawn();
    const { model } = setup();
    const faults = ['law 5: trigger #1 was refused, and should not be', 'law 1: trigger #1 settled twice'];
    const broken = { simulation: { step: async () => faults } } as unknown as FallbackReal;
    await expect(firsts[0]?.run(model, broken)).rejects.toThrow(new Error(faults[0]));
    const fine = { simulation: { step: async () => [] } } as unknown as FallbackReal;
    await expect(firsts[0]?.run(model, fine)).resolves.toBeUndefined();
  });
});
