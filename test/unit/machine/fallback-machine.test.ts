import { describe, expect, it } from 'vitest';
import { getInitialSnapshot, transition } from 'xstate';
import { fallbackMachine, type Limits, type MachineEvent } from '../../../src/machine/fallback-machine.ts';

const machine = fallbackMachine<Limits>();
const idle = { value: 'idle', failures: 0 } as const;
const cooling = { value: { exhausted: 'cooling' }, failures: 3 } as const;
const probing = { value: { exhausted: 'probing' }, failures: 3 } as const;
const triggered = (failures: number) => ({ value: 'triggered', failures }) as const;

/** Where `event` leads from a state of a fallback with `maxRetries: 2`, and what it asks for. */
function taken(from: { readonly value: unknown; readonly failures: number }, event: MachineEvent<Limits>) {
  const context = { failures: from.failures, config: { maxRetries: 2 } };
  const snapshot = machine.resolveState({ value: from.value, context } as never);
  const [next, actions] = transition(machine, snapshot, event as never);
  return { value: next.value, failures: next.context.failures, asks: actions.map(({ type }) => type) };
}

describe('the state table', () => {
  it('begins at idle, without failures', () => {
    const { value, context } = getInitialSnapshot(machine, { failures: 0, config: { maxRetries: 2 } });
    expect([value, context.failures]).toEqual(['idle', 0]);
  });

  it('TRIGGER leads from idle to triggered', () => {
    expect(taken(idle, { type: 'TRIGGER' })).toEqual({ value: 'triggered', failures: 0, asks: [] });
  });

  it('RECOVERED forgets the failures of triggered', () => {
    expect(taken(triggered(2), { type: 'RECOVERED' })).toEqual({ value: 'triggered', failures: 0, asks: [] });
  });

  it('FAILED adds a failure, and maxRetries failures are still tolerated', () => {
    expect(taken(triggered(0), { type: 'FAILED' })).toEqual({ value: 'triggered', failures: 1, asks: [] });
    expect(taken(triggered(1), { type: 'FAILED' })).toEqual({ value: 'triggered', failures: 2, asks: [] });
  });

  it('FAILED exhausts once the failures exceed maxRetries: a new generation, and a wait from now', () => {
    const asks = ['newGeneration', 'waitAnew'];
    expect(taken(triggered(2), { type: 'FAILED' })).toEqual({ value: { exhausted: 'cooling' }, failures: 3, asks });
  });

  it('PROBE is refused before resetAfter has elapsed', () => {
    expect(taken(cooling, { type: 'PROBE', due: false })).toEqual({ ...cooling, asks: [] });
  });

  it('PROBE is admitted once it has: a new generation, and the next one waits anew', () => {
    expect(taken(cooling, { type: 'PROBE', due: true })).toEqual({ ...probing, asks: ['newGeneration', 'waitAnew'] });
  });

  it('PROBE is refused while another probe is under way', () => {
    expect(taken(probing, { type: 'PROBE', due: false })).toEqual({ ...probing, asks: [] });
  });

  it('PROBE takes the place of a lost probe, in a generation of its own', () => {
    expect(taken(probing, { type: 'PROBE', due: true })).toEqual({ ...probing, asks: ['newGeneration', 'waitAnew'] });
  });

  it("a probe's RECOVERED ends the exhaustion", () => {
    const { asks, ...to } = taken(probing, { type: 'RECOVERED' });
    expect(to).toEqual(triggered(0));
    expect(asks).toContain('newGeneration');
  });

  it("a probe's FAILED waits anew, with the failures as they are", () => {
    expect(taken(probing, { type: 'FAILED' })).toEqual({ ...cooling, asks: ['waitAnew'] });
  });

  it("a probe's ABANDONED lets the next one start at once", () => {
    expect(taken(probing, { type: 'ABANDONED' })).toEqual({ ...cooling, asks: ['waitNoMore'] });
  });

  it.each([idle, triggered(0), triggered(2), cooling, probing])(
    'RESET leads from $value to idle, in a new generation',
    (from) => {
      const { asks, ...to } = taken(from, { type: 'RESET' });
      expect(to).toEqual(idle);
      expect(asks).toContain('newGeneration');
    },
  );
});

describe('UPDATE', () => {
  const to = (maxRetries: number): MachineEvent<Limits> => ({ type: 'UPDATE', config: { maxRetries } });

  it.each([idle, triggered(1), cooling, probing])('leaves $value as it is where the law still holds', (from) => {
    expect(taken(from, to(1))).toEqual({ ...from, asks: [] });
  });

  it('never exhausts idle', () => {
    expect(taken(idle, to(0))).toEqual({ ...idle, asks: [] });
  });

  it('exhausts triggered where failures now exceed maxRetries', () => {
    expect(taken(triggered(2), to(1))).toEqual({
      value: { exhausted: 'cooling' },
      failures: 2,
      asks: ['newGeneration', 'waitAnew'],
    });
  });

  it.each([cooling, probing])('ends $value where they no longer do, in a new generation', (from) => {
    const { asks, ...next } = taken(from, to(3));
    expect(next).toEqual(triggered(3));
    expect(asks).toContain('newGeneration');
  });
});

describe('events that mean nothing in a state', () => {
  const events = [
    { type: 'TRIGGER' },
    { type: 'RECOVERED' },
    { type: 'FAILED' },
    { type: 'ABANDONED' },
    { type: 'PROBE', due: true },
  ] as const;
  const meant: Record<string, readonly string[]> = {
    idle: ['TRIGGER'],
    triggered: ['RECOVERED', 'FAILED'],
    cooling: ['PROBE'],
    probing: ['PROBE', 'RECOVERED', 'FAILED', 'ABANDONED'],
  };
  const states = { idle, triggered: triggered(1), cooling, probing };
  const cases = Object.entries(states).flatMap(([name, from]) =>
    events.filter(({ type }) => !meant[name]?.includes(type)).map((event) => [event.type, name, event, from] as const),
  );

  it.each(cases)('%s changes nothing in %s', (_type, _name, event, from) => {
    expect(taken(from, event)).toEqual({ ...from, asks: [] });
  });
});
