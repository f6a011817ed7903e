import { type SnapshotFrom, transition } from 'xstate';
import type { State } from '../types.ts';
import { type FallbackMachine, fallbackMachine, type Limits, type MachineEvent } from './fallback-machine.ts';

/** Where a machine stands: XState's value, flattened. */
export type Phase = 'idle' | 'triggered' | 'cooling' | 'probing';

/** What a step asks of whoever keeps the time and the generation. */
export interface Step<C extends Limits> {
  readonly to: Place<C>;
  readonly newGeneration: boolean;
  readonly wait: 'on' | 'anew' | 'no more';
}

/** One interned snapshot, shared by every machine that stands there, with the steps already known from it. */
export interface Place<C extends Limits> {
  readonly snapshot: SnapshotFrom<FallbackMachine<C>>;
  readonly phase: Phase;
  readonly state: State;
  readonly failures: number;
  readonly config: C;
  /** By event type; UPDATE apart, which leads to another configuration's places. */
  readonly steps: Partial<Record<string, Step<C>>>;
  readonly updates: WeakMap<C, Step<C>>;
}

const PHASES: readonly Phase[] = ['idle', 'triggered', 'cooling', 'probing'];

/** Places of more failures than this are not interned, so that a `maxRetries` of a million fills no memory. */
const MOST_FAILURES = 256;

const STATES: Record<Phase, State> = {
  idle: 'idle',
  triggered: 'triggered',
  cooling: 'exhausted',
  probing: 'exhausted',
};

/**
 * XState's pure `transition`, remembered. XState makes a new snapshot object at each step; here equal snapshots (same
 * phase, failures and configuration) are one {@link Place}, so that each step is computed once and looked up ever after,
 * by every key. Places hang on their configuration, weakly: they go when it goes.
 */
export class Stepper<C extends Limits> {
  readonly machine: FallbackMachine<C> = fallbackMachine<C>();
  readonly #places = new WeakMap<C, Map<number, Place<C>>>();

  /** The place of a fresh machine. */
  fresh(config: C): Place<C> {
    return this.place('idle', 0, config);
  }

  /** The place of a phase, a count of failures and a configuration. */
  place(phase: Phase, failures: number, config: C): Place<C> {
    const places = this.#places.get(config) ?? new Map<number, Place<C>>();
    if (places.size === 0) this.#places.set(config, places);
    const key = failures * PHASES.length + PHASES.indexOf(phase);
    const known = places.get(key);
    if (known) return known;
    const value = STATES[phase] === 'exhausted' ? { exhausted: phase } : phase;
    const snapshot = this.machine.resolveState({ value, context: { failures, config } } as never);
    const place: Place<C> = {
      snapshot: snapshot as SnapshotFrom<FallbackMachine<C>>,
      phase,
      state: STATES[phase],
      failures,
      config,
      steps: {},
      updates: new WeakMap(),
    };
    if (failures <= MOST_FAILURES) places.set(key, place);
    return place;
  }

  step(from: Place<C>, event: MachineEvent<C>): Step<C> {
    if (event.type === 'UPDATE') {
      const known = from.updates.get(event.config);
      if (known) return known;
      const step = this.compute(from, event);
      from.updates.set(event.config, step);
      return step;
    }
    const key = event.type === 'PROBE' && !event.due ? 'EARLY' : event.type;
    const known = from.steps[key];
    if (known) return known;
    const step = this.compute(from, event);
    // A step to a place that is not interned is not kept either: such places would form an endless chain.
    if (step.to.failures <= MOST_FAILURES) from.steps[key] = step;
    return step;
  }

  /** The step as XState takes it. */
  compute(from: Place<C>, event: MachineEvent<C>): Step<C> {
    const [snapshot, actions] = transition(this.machine, from.snapshot, event as never);
    const { value, context } = snapshot;
    const phase = (typeof value === 'string' ? value : value.exhausted) as Phase;
    const types = actions.map(({ type }) => type);
    return {
      to: this.place(phase, context.failures, context.config as C),
      newGeneration: types.includes('newGeneration'),
      wait: types.includes('waitNoMore') ? 'no more' : types.includes('waitAnew') ? 'anew' : 'on',
    };
  }
}
