import type { MachineEvent } from '../../../../src/machine/fallback-machine.ts';
import { type Place, Stepper } from '../../../../src/machine/step.ts';
import type { Contender, TimedRow } from '../shapes.ts';

interface Limits {
  readonly maxRetries: number;
}

/** Two triggers, one that fails and one that recovers, from a fresh machine to one like it. */
const EVENTS: readonly MachineEvent<Limits>[] = [
  { type: 'TRIGGER' },
  { type: 'FAILED' },
  { type: 'TRIGGER' },
  { type: 'RECOVERED' },
];

function contenders(): readonly Contender[] {
  const stepper = new Stepper<Limits>();
  const fresh = stepper.fresh({ maxRetries: 10 });
  const walk = (step: (from: Place<Limits>, event: MachineEvent<Limits>) => { to: Place<Limits> }) => () => {
    let place = fresh;
    for (const event of EVENTS) place = step(place, event).to;
    return place;
  };
  const isRight = (place: unknown): boolean => {
    const { state, failures } = place as Place<Limits>;
    return state === 'triggered' && failures === 0;
  };
  const rest = { does: { answered: 0, rejected: 0 }, isRight, operations: EVENTS.length };
  return [
    { ...rest, name: 'remembered steps', call: walk((from, event) => stepper.step(from, event)) },
    { ...rest, name: "XState's transition each time", call: walk((from, event) => stepper.compute(from, event)) },
  ];
}

export const memo: readonly TimedRow[] = [
  {
    name: 'a step of the machine',
    how: 'the pure step that src/machine/step.ts remembers, against the same step computed by XState each time. A trigger takes two.',
    unit: 'ns per step',
    manner: 'at once',
    targets: {},
    contenders: async () => contenders(),
  },
];
