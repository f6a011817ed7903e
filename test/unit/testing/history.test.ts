import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Command, type History, histories, minimal } from '../../../src/testing/history.ts';
import { RUNS } from '../../virtual-clock.ts';

const weights = { ok: 1, reject: 1, lost: 1, hang: 1 };
const arbitrary = histories({
  input: fc.constant({}),
  updates: fc.record({ maxRetries: fc.nat(3), resetAfter: fc.constantFrom(0, 1_000) }, { requiredKeys: [] }),
  keys: 2,
  commands: 12,
  providers: [
    { name: 'one', outputs: fc.constant(1), weights, attempts: 3 },
    { name: 'two', outputs: fc.constant(2), weights, attempts: 1 },
  ],
  delays: [0, 3, 150],
});

const kinds = (history: History) =>
  history.flatMap((command) => (command.type === 'trigger' ? Object.values(command.faults).flat() : []));

/** Ways for a history to be wrong that need several things at once. */
const wrongs: readonly ((history: History) => boolean)[] = [
  (history) => history.some(({ type }) => type === 'restart') && kinds(history).some(({ kind }) => kind === 'lost'),
  (history) => kinds(history).filter(({ kind }) => kind === 'hang').length >= 2,
  (history) => history.some((command) => command.type === 'reset' && command.key > 0 && command.input.keys),
  (history) => history.findIndex(({ type }) => type === 'abort') > history.findIndex(({ type }) => type === 'trigger'),
];

it('what is left of a history has no part that could be spared', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrary, fc.constantFrom(...wrongs), async (history, isWrong) => {
      fc.pre(isWrong(history));
      const least = await minimal(history, async (candidate) => isWrong(candidate));
      expect(isWrong(least)).toBe(true);
      for (let at = 0; at < least.length; at++) expect(isWrong(least.toSpliced(at, 1))).toBe(false);
      for (const [at, command] of least.entries()) {
        if (command.type !== 'trigger') continue;
        for (const [name, faults] of Object.entries(command.faults)) {
          for (const [index, fault] of faults.entries()) {
            const calmer: Command = {
              ...command,
              faults: { ...command.faults, [name]: faults.with(index, { ...fault, kind: 'ok' }) },
            };
            if (fault.kind !== 'ok') expect(isWrong(least.with(at, calmer))).toBe(false);
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
});
