import { describe, expect, it, vi } from 'vitest';
import { getInitialSnapshot, transition } from 'xstate';
import {
  HEALTH_CHART,
  type HealthEvent,
  type HealthPhase,
  type HealthPlace,
  type HealthState,
  healthMachine,
  type Tolerance,
} from '../../../src/machine/health-machine.ts';
import { persistHealth, reviveHealth } from '../../../src/machine/persist.ts';
import { Stepper } from '../../../src/machine/step.ts';

const machine = healthMachine();
const makeStepper = () => new Stepper<Tolerance, HealthPhase, HealthState, HealthEvent>(HEALTH_CHART);

const PHASES = ['healthy', 'unhealthy', 'probing', 'held'] as const;
const EVENTS: readonly HealthEvent[] = [
  { type: 'SUCCEEDED' },
  { type: 'FAILED' },
  { type: 'ABANDONED' },
  { type: 'WELL' },
  { type: 'SICK' },
  { type: 'HEAL' },
  { type: 'HOLD' },
  { type: 'PROBE', due: false },
  { type: 'PROBE', due: true },
];
const nameOf = (event: HealthEvent) => (event.type === 'PROBE' && !event.due ? 'EARLY' : event.type);

/** Where `event` leads from a state of a provider with `breaker.failures: 3`, and what it asks for. */
function taken(value: HealthPhase, failures: number, event: HealthEvent) {
  const snapshot = machine.resolveState({ value, context: { failures, config: { failures: 3 } } });
  const [next, actions] = transition(machine, snapshot, event);
  return [next.value, next.context.failures, ...actions.map(({ type }) => type)];
}

/** From each state, with two failures, each event: where to, how many failures then, and what it asks for. */
const NEW = 'newGeneration';
const ANEW = 'waitAnew';
const NO_MORE = 'waitNoMore';
const TABLE: Record<HealthPhase, Record<string, readonly unknown[]>> = {
  healthy: {
    SUCCEEDED: ['healthy', 0],
    FAILED: ['unhealthy', 3, NEW, ANEW],
    ABANDONED: ['healthy', 2],
    WELL: ['healthy', 2],
    SICK: ['unhealthy', 2, NEW, ANEW],
    HEAL: ['healthy', 0, NEW],
    HOLD: ['held', 2, NEW],
    EARLY: ['healthy', 2],
    PROBE: ['healthy', 2],
  },
  unhealthy: {
    SUCCEEDED: ['healthy', 0, NEW],
    FAILED: ['unhealthy', 2],
    ABANDONED: ['unhealthy', 2],
    WELL: ['healthy', 0, NEW],
    SICK: ['unhealthy', 2],
    HEAL: ['healthy', 0, NEW],
    HOLD: ['held', 2, NEW],
    EARLY: ['unhealthy', 2],
    PROBE: ['probing', 2, NEW, ANEW],
  },
  probing: {
    SUCCEEDED: ['healthy', 0, NEW],
    FAILED: ['unhealthy', 2, NEW, ANEW],
    ABANDONED: ['unhealthy', 2, NO_MORE, NEW, ANEW],
    WELL: ['healthy', 0, NEW],
    SICK: ['probing', 2],
    HEAL: ['healthy', 0, NEW],
    HOLD: ['held', 2, NEW],
    EARLY: ['probing', 2],
    PROBE: ['probing', 2, NEW, ANEW],
  },
  held: {
    SUCCEEDED: ['held', 2],
    FAILED: ['held', 2],
    ABANDONED: ['held', 2],
    WELL: ['held', 2],
    SICK: ['held', 2],
    HEAL: ['healthy', 0, NEW],
    HOLD: ['held', 2, NEW],
    EARLY: ['held', 2],
    PROBE: ['held', 2],
  },
};

describe('the state table', () => {
  it('begins at healthy, without failures', () => {
    const { value, context } = getInitialSnapshot(machine, { failures: 0, config: { failures: 3 } });
    expect([value, context.failures]).toEqual(['healthy', 0]);
  });

  it('knows every state and every event', () => {
    expect(Object.keys(machine.states).sort()).toEqual([...PHASES].sort());
    expect([...machine.events].sort()).toEqual([...new Set(EVENTS.map(({ type }) => type)), 'UPDATE'].sort());
    expect(Object.keys(HEALTH_CHART.phases)).toEqual([...PHASES]);
  });

  it.each(PHASES.flatMap((phase) => EVENTS.map((event) => [phase, nameOf(event), event] as const)))(
    'of %s: %s',
    (phase, name, event) => {
      const [to, failures, ...asks] = taken(phase, 2, event);
      const [expectedTo, expectedFailures, ...expectedAsks] = TABLE[phase][name] ?? [];
      expect([to, failures, asks.sort()]).toEqual([expectedTo, expectedFailures, expectedAsks.sort()]);
    },
  );

  it('FAILED below the limit is counted, and no more', () => {
    expect(taken('healthy', 0, { type: 'FAILED' })).toEqual(['healthy', 1]);
    expect(taken('healthy', 1, { type: 'FAILED' })).toEqual(['healthy', 2]);
  });

  it('SICK needs no failure', () => {
    expect(taken('healthy', 0, { type: 'SICK' })).toEqual(['unhealthy', 0, NEW, ANEW]);
  });
});

describe('UPDATE', () => {
  const to = (failures: number): HealthEvent => ({ type: 'UPDATE', config: { failures } });

  it.each(PHASES)('leaves %s as it is, where the new limit is no lower than the failures', (phase) => {
    for (const failures of [3, 4, Number.POSITIVE_INFINITY]) {
      expect(taken(phase, 2, to(failures))).toEqual([phase, 2]);
    }
  });

  it('makes healthy unhealthy from now on, where the failures reach the new limit', () => {
    expect(taken('healthy', 2, to(2))).toEqual(['unhealthy', 2, NEW, ANEW]);
    expect(taken('healthy', 2, to(1))).toEqual(['unhealthy', 2, NEW, ANEW]);
  });

  it.each(['unhealthy', 'probing', 'held'] as const)('makes no new wait for %s, nor heals it', (phase) => {
    for (const failures of [1, 2, 100]) expect(taken(phase, 2, to(failures))).toEqual([phase, 2]);
  });
});

describe('the stepper of health', () => {
  it('stands at healthy when fresh, and tells held as unhealthy', () => {
    const stepper = makeStepper();
    const config = { failures: 3 };
    expect(stepper.fresh(config)).toMatchObject({ phase: 'healthy', state: 'healthy', failures: 0, config });
    expect(PHASES.map((phase) => stepper.place(phase, 1, config).state)).toEqual([
      'healthy',
      'unhealthy',
      'probing',
      'unhealthy',
    ]);
  });

  it('agrees with XState on every reachable snapshot and event', () => {
    const stepper = makeStepper();
    const configs = [{ failures: 1 }, { failures: 2 }, { failures: 4 }];
    const events = [...EVENTS, ...configs.map((config) => ({ type: 'UPDATE', config }) as const)];
    const seen = new Set<HealthPlace>(configs.map((config) => stepper.fresh(config)));
    for (const from of seen) {
      for (const event of events) {
        // Twice: as computed, and as remembered.
        for (const step of [stepper.step(from, event), stepper.step(from, event)]) {
          const [next, actions] = transition(machine, from.snapshot as never, event);
          const types = actions.map(({ type }) => type);
          expect(JSON.parse(JSON.stringify(step.to.snapshot))).toEqual(JSON.parse(JSON.stringify(next)));
          expect(step.to.phase).toBe(next.value);
          expect(step.to.failures).toBe(next.context.failures);
          expect(step.to.config).toBe(next.context.config);
          expect(step.newGeneration).toBe(types.includes('newGeneration'));
          expect(step.wait).toBe(types.includes(NO_MORE) ? 'no more' : types.includes(ANEW) ? 'anew' : 'on');
          if (step.to.phase === 'healthy') expect(step.to.failures).toBeLessThan(step.to.config.failures);
          seen.add(step.to);
        }
      }
    }
    // Each phase, by each limit, at no failures and at the limit, at least (but healthy is never at it).
    expect(seen.size).toBeGreaterThanOrEqual(3 * 7);
  });

  it('asks XState once per edge, whoever takes it', () => {
    const stepper = makeStepper();
    const compute = vi.spyOn(stepper, 'compute');
    const config = { failures: 1 };
    const walk = () => {
      let place = stepper.fresh(config);
      const steps: readonly HealthEvent[] = [
        { type: 'FAILED' },
        { type: 'PROBE', due: false },
        { type: 'PROBE', due: true },
        { type: 'SUCCEEDED' },
      ];
      for (const event of steps) place = stepper.step(place, event).to;
      return place;
    };
    expect(walk()).toBe(stepper.fresh(config));
    expect(compute).toHaveBeenCalledTimes(4);
    walk();
    expect(compute).toHaveBeenCalledTimes(4);
  });

  it('lets an abandoned probe wait no more, although it comes back to unhealthy', () => {
    const stepper = makeStepper();
    const probing = stepper.place('probing', 1, { failures: 1 });
    expect(stepper.step(probing, { type: 'ABANDONED' })).toMatchObject({
      to: { phase: 'unhealthy' },
      wait: 'no more',
      newGeneration: true,
    });
    expect(stepper.step(probing, { type: 'FAILED' })).toMatchObject({ to: { phase: 'unhealthy' }, wait: 'anew' });
  });

  it('counts on for ever where nothing is ever too much, and keeps no endless memory', () => {
    const stepper = makeStepper();
    const config = { failures: Number.POSITIVE_INFINITY };
    let place = stepper.fresh(config);
    for (let failures = 1; failures <= 2_000; failures++) place = stepper.step(place, { type: 'FAILED' }).to;
    expect(place).toMatchObject({ phase: 'healthy', failures: 2_000, steps: {} });
    expect(stepper.step(place, { type: 'SUCCEEDED' }).to).toBe(stepper.fresh(config));
    const reached = new Set<object>();
    const reach = (from: HealthPlace) => {
      if (reached.has(from)) return;
      reached.add(from);
      for (const step of Object.values(from.steps)) if (step) reach(step.to);
    };
    reach(stepper.fresh(config));
    expect(reached.size).toBeLessThanOrEqual(258);
  });
});

describe('a persisted health', () => {
  const stepper = makeStepper();
  const good = { status: 'active', value: 'unhealthy', context: { failures: 1 } };

  it.each([
    ['healthy', 0],
    ['healthy', 2],
    ['unhealthy', 0],
    ['unhealthy', 3],
    ['held', 0],
    ['held', 3],
  ] as const)('is written, %s with %i failures, so that it reads the same', (phase, failures) => {
    const written = persistHealth(stepper, stepper.place(phase, failures, { failures: 3 }));
    expect(JSON.parse(JSON.stringify(written))).toEqual(written);
    expect(reviveHealth(written)).toEqual({ phase, failures });
    expect(written.context).toEqual({ failures });
  });

  it('takes a probe under way as abandoned', () => {
    const written = persistHealth(stepper, stepper.place('probing', 3, { failures: 3 }));
    expect(reviveHealth(written)).toEqual({ phase: 'unhealthy', failures: 3 });
  });

  it('reads what is right', () => {
    expect(reviveHealth(good)).toEqual({ phase: 'unhealthy', failures: 1 });
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
    ['no value', { ...good, value: undefined }, 'value'],
    ['a state that does not exist', { ...good, value: 'sick' }, 'value'],
    ['a probe under way, which is never written', { ...good, value: 'probing' }, 'value'],
    ['a state of the fallback', { ...good, value: { exhausted: 'cooling' } }, 'value'],
    ['a state in a list', { ...good, value: ['unhealthy'] }, 'value'],
  ])('is refused with %s', (_what, persisted, named) => {
    const answer = reviveHealth(persisted);
    expect(answer).toBeTypeOf('string');
    expect(answer).toContain(named);
  });
});
