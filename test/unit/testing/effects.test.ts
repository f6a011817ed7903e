import { expect, it } from 'vitest';
import { attemptOf, standing } from '../../../src/testing/effects.ts';
import type { TraceEntry } from '../../../src/testing/trace.ts';

/** `type provider #trigger.attempt`, and a `!` behind it where its provider is idempotent. */
function entry(text: string, at: number): TraceEntry {
  const [type, provider, id = ''] = text.replace('!', '').split(' ');
  const [trigger, attempt] = id.slice(1).split('.').map(Number);
  const facts = { at, type, provider, trigger, attempt, ...(text.endsWith('!') && { idempotent: true }) };
  return facts as TraceEntry;
}

it.each<[string, trace: readonly string[], standing: readonly string[]]>([
  ['nothing, where nothing landed', ['call one #1.1', 'ended one #1.1'], []],
  ['each that landed, in order', ['effect two #1.1', 'call one #1.2', 'effect one #1.2'], ['two #1.1', 'one #1.2']],
  ['each of two of one provider', ['effect one #1.1', 'effect one #1.2'], ['one #1.1', 'one #1.2']],
  ['not what was undone', ['effect one #1.1', 'effect two #1.1', 'compensated one #1.1'], ['two #1.1']],
  ['not what was undone before it landed', ['compensated one #1.1', 'effect one #1.1'], []],
  [
    'what was only to be undone',
    ['effect one #1.1', 'compensate one #1.1', 'compensation-failed one #1.1'],
    ['one #1.1'],
  ],
  ['what another undid: an attempt', ['effect one #1.1', 'compensated one #1.2'], ['one #1.1']],
  ['what another undid: a trigger', ['effect one #1.1', 'compensated one #2.1'], ['one #1.1']],
  ['what another undid: a provider', ['effect one #1.1', 'compensated two #1.1'], ['one #1.1']],
  ['an idempotent one', ['effect one #1.1!'], ['one #1.1']],
  [
    'the first of those of an idempotent one',
    ['effect one #1.1!', 'effect one #1.2!', 'effect one #1.3!'],
    ['one #1.1'],
  ],
  ['that of each trigger', ['effect one #1.1!', 'effect one #2.1!', 'effect one #1.2!'], ['one #1.1', 'one #2.1']],
  ['that of each idempotent provider', ['effect one #1.1!', 'effect two #1.1!'], ['one #1.1', 'two #1.1']],
  ['none of an idempotent one, the first undone', ['effect one #1.1!', 'effect one #1.2!', 'compensated one #1.1'], []],
  ['none of an idempotent one, a repeat undone', ['effect one #1.1!', 'effect one #1.2!', 'compensated one #1.2'], []],
  [
    'an idempotent one beside one that is not',
    ['effect two #1.1', 'effect one #1.1!', 'effect two #1.2', 'effect one #1.2!'],
    ['two #1.1', 'one #1.1', 'two #1.2'],
  ],
  [
    'an idempotent one where another was undone',
    ['effect one #1.1!', 'effect two #1.1!', 'compensated two #1.1'],
    ['one #1.1'],
  ],
])('what stands in the end: %s', (_, trace, expected) => {
  const texts = standing(trace.map(entry)).map(
    ({ provider, trigger, attempt }) => `${provider} #${trigger}.${attempt}`,
  );
  expect(texts).toEqual(expected);
});

it('knows an attempt by its trigger, its provider and its number, and by nothing else', () => {
  const known = attemptOf({ trigger: 1, provider: 'one', attempt: 1 });
  expect(attemptOf(entry('ended one #1.1', 9))).toBe(known);
  const others = ['ended one #2.1', 'ended two #1.1', 'ended one #1.2', 'ended one #11.1'].map((text) =>
    entry(text, 0),
  );
  expect(new Set([known, ...others.map(attemptOf)]).size).toBe(5);
});
