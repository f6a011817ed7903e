import { type AnyStateMachine, transition } from 'xstate';
import type { State } from '../types.ts';
import { FALLBACK_CHART, type Limits, type MachineEvent, type Phase } from './fallback-machine.ts';

export type { Phase };

/** A statechart to be stepped: its machine, and for each of its phases XState's value and the state it is told as. */
export interface Chart<P extends string, S extends string> {
  readonly machine: () => AnyStateMachine;
  readonly phases: Readonly<Record<P, { readonly value: string | object; readonly state: S }>>;
  readonly initial: P;
}

/** What a step asks of whoever keeps the time and the generation. */
export interface Step<C extends object = Limits, P extends string = Phase, S extends string = State> {
  readonly to: Place<C, P, S>;
  readonly newGeneration: boolean;
  readonly wait: 'on' | 'anew' | 'no more';
}

/** One interned snapshot, shared by every machine that stands there, with the steps already known from it. */
export interface Place<C extends object = Limits, P extends string = Phase, S extends string = State> {
  readonly snapshot: ReturnType<AnyStateMachine['resolveState']>;
  readonly phase: P;
  readonly state: S;
  readonly failures: number;
  readonly config: C;
  /** By event type; UPDATE apart, which leads to another configuration's places. */
  readonly steps: Partial<Record<string, Step<C, P, S>>>;
  readonly updates: WeakMap<C, Step<C, P, S>>;
}

/** Any event; `due` and `config` belong to PROBE and UPDATE. */
interface Stepped<C> {
  readonly type: string;
  readonly due?: boolean;
  readonly config?: C;
}

/** Places of more failures than this are not interned, so that a `maxRetries` of a million fills no memory. */
const MOST_FAILURES = 256;

/**
 * XState's pure `transition`, remembered. XState makes a new snapshot object at each step; here equal snapshots (same
 * phase, failures and configuration) are one {@link Place}, so that each step is computed once and looked up ever after,
 * by every key. Places hang on their configuration, weakly: they go when it goes.
 */
export class Stepper<
  C extends object = Limits,
  P extends string = Phase,
  S extends string = State,
  E extends Stepped<C> = MachineEvent<C & Limits>,
> {
  readonly machine: AnyStateMachine;
  readonly #chart: Chart<P, S>;
  readonly #order: readonly string[];
  readonly #places = new WeakMap<C, Map<number, Place<C, P, S>>>();

  /** Without a chart: that of a fallback. */
  constructor(chart = FALLBACK_CHART as unknown as Chart<P, S>) {
    this.#chart = chart;
    this.#order = Object.keys(chart.phases);
    this.machine = chart.machine();
  }

  /** The place of a fresh machine. */
  fresh(config: C): Place<C, P, S> {
    return this.place(this.#chart.initial, 0, config);
  }

  /** The place of a phase, a count of failures and a configuration. */
  place(phase: P, failures: number, config: C): Place<C, P, S> {
    let places = this.#places.get(config);
    if (!places) {
      places = new Map();
      this.#places.set(config, places);
    }
    const key = failures * this.#order.length + this.#order.indexOf(phase);
    const known = places.get(key);
    if (known) return known;
    const { value, state } = this.#chart.phases[phase];
    const snapshot = this.machine.resolveState({ value: value as never, context: { failures, config } });
    const place = { snapshot, phase, state, failures, config, steps: {}, updates: new WeakMap() };
    if (failures <= MOST_FAILURES) places.set(key, place);
    return place;
  }

  step(from: Place<C, P, S>, event: E): Step<C, P, S> {
    if (event.type === 'UPDATE') {
      const config = event.config as C;
      const known = from.updates.get(config);
      if (known) return known;
      const step = this.compute(from, event);
      from.updates.set(config, step);
      return step;
    }
    const key = event.due === false ? 'EARLY' : event.type;
    const known = from.steps[key];
    if (known) return known;
    const step = this.compute(from, event);
    // A step to a place that is not interned is not kept either: such places would form an endless chain.
    if (step.to.failures <= MOST_FAILURES) from.steps[key] = step;
    return step;
  }

  /** The step as XState takes it. */
  compute(from: Place<C, P, S>, event: E): Step<C, P, S> {
    const [{ value, context }, actions] = transition(this.machine, from.snapshot, event);
    const phase = typeof value === 'string' ? value : Object.values(value)[0];
    const types = actions.map(({ type }): string => type);
    return {
      to: this.place(phase as P, context.failures, context.config),
      newGeneration: types.includes('newGeneration'),
      wait: types.includes('waitNoMore') ? 'no more' : types.includes('waitAnew') ? 'anew' : 'on',
    };
  }
}
