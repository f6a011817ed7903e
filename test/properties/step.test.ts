import fc from 'fast-check';
import { expect, it } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { fallbackMachine, type Limits, type MachineEvent } from '../../src/machine/fallback-machine.ts';
import { Stepper } from '../../src/machine/step.ts';
import { RUNS } from '../virtual-clock.ts';

const configs: readonly Limits[] = [0, 1, 2, 300, 1_000_000].map((maxRetries) => Object.freeze({ maxRetries }));

const event: fc.Arbitrary<MachineEvent> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<MachineEvent>({ type: 'TRIGGER' }, { type: 'FAILED' }, { type: 'FAILED' }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<MachineEvent>(
      { type: 'RECOVERED' },
      { type: 'ABANDONED' },
      { type: 'RESET' },
      { type: 'PROBE', due: true },
      { type: 'PROBE', due: false },
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(...configs).map((config): MachineEvent => ({ type: 'UPDATE', config })) },
);

it('law 11: the memoised step equals XState’s transition on every reachable snapshot and event', () => {
  const shared = new Stepper<Limits>();
  fc.assert(
    fc.property(fc.constantFrom(...configs), fc.array(event, { maxLength: 60, size: 'max' }), (config, events) => {
      const machine = fallbackMachine<Limits>();
      let [plain] = initialTransition(machine, { failures: 0, config });
      let place = shared.fresh(config);
      for (const event of events) {
        const [next, actions] = transition(machine, plain, event);
        const step = shared.step(place, event);
        const types = actions.map(({ type }) => type);
        expect(step.to.snapshot.value).toEqual(next.value);
        expect(step.to.snapshot.context).toEqual(next.context);
        expect(step.to.config).toBe(next.context.config);
        expect(step.newGeneration).toBe(types.includes('newGeneration'));
        expect(step.wait).toBe(types.includes('waitNoMore') ? 'no more' : types.includes('waitAnew') ? 'anew' : 'on');
        // Asked again, the very same step is looked up.
        if (step.to.failures <= 256) expect(shared.step(place, event)).toBe(step);
        [plain, place] = [next, step.to];
      }
    }),
    { numRuns: RUNS },
  );
});

it('the memo stays small, however high maxRetries is and however many updates come', () => {
  const stepper = new Stepper<Limits>();
  const config = Object.freeze({ maxRetries: 1_000_000 });
  let place = stepper.step(stepper.fresh(config), { type: 'TRIGGER' }).to;
  for (let failures = 1; failures <= 2_000; failures++) place = stepper.step(place, { type: 'FAILED' }).to;
  expect(place.failures).toBe(2_000);
  const reached = new Set<object>();
  const reach = (from: typeof place) => {
    if (reached.has(from)) return;
    reached.add(from);
    for (const step of Object.values(from.steps)) if (step) reach(step.to);
  };
  reach(stepper.fresh(config));
  expect(reached.size).toBeLessThanOrEqual(258);
});
