import { describe, expect, it, vi } from 'vitest';
import { transition } from 'xstate';
import type { Limits, MachineEvent } from '../../../src/machine/fallback-machine.ts';
import { type Place, Stepper } from '../../../src/machine/step.ts';

const EVENTS: readonly MachineEvent<Limits>[] = [
  { type: 'TRIGGER' },
  { type: 'RECOVERED' },
  { type: 'FAILED' },
  { type: 'ABANDONED' },
  { type: 'RESET' },
  { type: 'PROBE', due: true },
  { type: 'PROBE', due: false },
];

describe('Stepper', () => {
  it('stands at idle when fresh', () => {
    const config = { maxRetries: 2 };
    expect(new Stepper().fresh(config)).toMatchObject({ phase: 'idle', state: 'idle', failures: 0, config });
  });

  it('tells both phases of exhausted as exhausted', () => {
    const stepper = new Stepper();
    expect(stepper.place('cooling', 1, { maxRetries: 0 }).state).toBe('exhausted');
    expect(stepper.place('probing', 1, { maxRetries: 0 }).state).toBe('exhausted');
  });

  it('agrees with XState on every reachable snapshot and event', () => {
    const stepper = new Stepper();
    const configs = [{ maxRetries: 0 }, { maxRetries: 1 }, { maxRetries: 3 }];
    const events = [...EVENTS, ...configs.map((config) => ({ type: 'UPDATE', config }) as const)];
    const seen = new Set<Place<Limits>>(configs.map((config) => stepper.fresh(config)));
    for (const from of seen) {
      for (const event of events) {
        // Twice: as computed, and as remembered.
        for (const { to } of [stepper.step(from, event), stepper.step(from, event)]) {
          const [next] = transition(stepper.machine, from.snapshot, event as never);
          expect(JSON.parse(JSON.stringify(to.snapshot))).toEqual(JSON.parse(JSON.stringify(next)));
          expect(to.failures).toBe(next.context.failures);
          expect(to.config).toBe(next.context.config);
          expect(to.state === 'exhausted').toBe(to.failures > to.config.maxRetries);
          seen.add(to);
        }
      }
    }
    // idle, triggered 0 … maxRetries, and both phases of exhausted, at least.
    expect(seen.size).toBeGreaterThan(3 * 4);
  });

  it('asks XState once per edge, whoever takes it', () => {
    const stepper = new Stepper();
    const compute = vi.spyOn(stepper, 'compute');
    const config = { maxRetries: 1 };
    const walk = () => {
      let place = stepper.fresh(config);
      for (const type of ['TRIGGER', 'FAILED', 'FAILED', 'RESET'] as const) place = stepper.step(place, { type }).to;
      return place;
    };
    const first = walk();
    const asked = compute.mock.calls.length;
    expect(asked).toBe(4);
    expect(walk()).toBe(first);
    expect(compute).toHaveBeenCalledTimes(asked);
  });

  it('remembers a probe that is due apart from one that is not', () => {
    const stepper = new Stepper();
    const cooling = stepper.place('cooling', 1, { maxRetries: 0 });
    expect(stepper.step(cooling, { type: 'PROBE', due: false }).to.phase).toBe('cooling');
    expect(stepper.step(cooling, { type: 'PROBE', due: true }).to.phase).toBe('probing');
    expect(stepper.step(cooling, { type: 'PROBE', due: false }).to.phase).toBe('cooling');
  });

  it('shares one place among equals, and none among configurations', () => {
    const stepper = new Stepper();
    const config = { maxRetries: 5 };
    expect(stepper.place('triggered', 2, config)).toBe(stepper.place('triggered', 2, config));
    expect(stepper.place('triggered', 2, config)).not.toBe(stepper.place('triggered', 3, config));
    expect(stepper.place('triggered', 2, config)).not.toBe(stepper.place('triggered', 2, { maxRetries: 5 }));
  });

  it('keeps counting, and keeps no endless memory, where maxRetries is a million', () => {
    const stepper = new Stepper();
    const config = { maxRetries: 1_000_000 };
    let place = stepper.step(stepper.fresh(config), { type: 'TRIGGER' }).to;
    for (let failures = 1; failures <= 2_000; failures++) place = stepper.step(place, { type: 'FAILED' }).to;
    expect(place).toMatchObject({ phase: 'triggered', failures: 2_000 });
    // Far out, no place is interned and none holds on to the next.
    expect(stepper.place('triggered', 2_000, config)).not.toBe(place);
    expect(place.steps).toEqual({});
    stepper.step(place, { type: 'FAILED' });
    expect(place.steps).toEqual({});
    expect(stepper.step(place, { type: 'RECOVERED' }).to).toBe(stepper.place('triggered', 0, config));
  });

  it('shares places of up to 256 failures, and the steps to them', () => {
    const stepper = new Stepper();
    const config = { maxRetries: 1_000 };
    const at = (failures: number) => stepper.place('triggered', failures, config);
    expect(at(256)).toBe(at(256));
    expect(at(257)).not.toBe(at(257));
    const [before, last] = [at(255), at(256)];
    for (const place of [before, last]) stepper.step(place, { type: 'FAILED' });
    expect([before, last].map(({ steps }) => Object.keys(steps))).toEqual([['FAILED'], []]);
  });

  it('follows an update to the new configuration', () => {
    const stepper = new Stepper();
    const next = { maxRetries: 0 };
    const step = stepper.step(stepper.place('triggered', 1, { maxRetries: 5 }), { type: 'UPDATE', config: next });
    expect(step).toMatchObject({ newGeneration: true, wait: 'anew' });
    expect(step.to).toBe(stepper.place('cooling', 1, next));
  });

  it('says what a step asks of the time and the generation', () => {
    const stepper = new Stepper();
    const probing = stepper.place('probing', 1, { maxRetries: 0 });
    expect(stepper.step(probing, { type: 'FAILED' })).toMatchObject({ newGeneration: false, wait: 'anew' });
    expect(stepper.step(probing, { type: 'ABANDONED' })).toMatchObject({ newGeneration: false, wait: 'no more' });
    expect(stepper.step(probing, { type: 'PROBE', due: false })).toMatchObject({ newGeneration: false, wait: 'on' });
  });
});
