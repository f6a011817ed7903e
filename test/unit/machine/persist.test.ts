import { describe, expect, it } from 'vitest';
import { persist, revive } from '../../../src/machine/persist.ts';
import { type Phase, Stepper } from '../../../src/machine/step.ts';

const stepper = new Stepper();
const config = { maxRetries: 2 };

describe('persist', () => {
  it.each([
    ['idle', 0],
    ['triggered', 0],
    ['triggered', 2],
    ['cooling', 3],
  ] as const)('writes %s with %i failures so that revive reads the same', (phase: Phase, failures) => {
    const written = JSON.parse(JSON.stringify(persist(stepper, stepper.place(phase, failures, config))));
    expect(revive(written)).toEqual({ phase, failures });
  });

  it('writes the failures and no configuration', () => {
    expect(persist(stepper, stepper.place('triggered', 1, config))).toMatchObject({
      status: 'active',
      value: 'triggered',
      context: { failures: 1 },
    });
    expect(JSON.stringify(persist(stepper, stepper.place('triggered', 1, config)))).not.toContain('maxRetries');
  });

  it('writes a probe under way as cooling', () => {
    expect(revive(persist(stepper, stepper.place('probing', 3, config)))).toEqual({ phase: 'cooling', failures: 3 });
  });
});

describe('revive', () => {
  const good = { status: 'active', value: 'triggered', context: { failures: 1 } };

  it('reads what is right', () => {
    expect(revive(good)).toEqual({ phase: 'triggered', failures: 1 });
  });

  it.each([
    ['nothing', undefined, 'status'],
    ['null', null, 'status'],
    ['another status', { ...good, status: 'done' }, 'status'],
    ['no context', { ...good, context: undefined }, 'failures'],
    ['a count that is a string', { ...good, context: { failures: '1' } }, 'failures'],
    ['a negative count', { ...good, context: { failures: -1 } }, 'failures'],
    ['half a failure', { ...good, context: { failures: 0.5 } }, 'failures'],
    ['NaN failures', { ...good, context: { failures: Number.NaN } }, 'failures'],
    ['infinite failures', { ...good, context: { failures: Number.POSITIVE_INFINITY } }, 'failures'],
    ['a state that does not exist', { ...good, value: 'broken' }, 'value'],
    ['a substate that does not exist', { ...good, value: { exhausted: 'burning' } }, 'value'],
    ['exhausted without a substate', { ...good, value: 'exhausted' }, 'value'],
    ['two states at once', { ...good, value: { exhausted: 'cooling', idle: {} } }, 'value'],
    ['idle with failures', { ...good, value: 'idle' }, 'idle'],
    ['exhausted without failures', { ...good, value: { exhausted: 'cooling' }, context: { failures: 0 } }, 'exhausted'],
  ])('refuses %s', (_what, persisted, named) => {
    const answer = revive(persisted);
    expect(answer).toBeTypeOf('string');
    expect(answer).toContain(named);
  });
});
