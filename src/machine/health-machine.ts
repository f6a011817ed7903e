import { assign, setup } from 'xstate';
import type { Chart, Place, Stepper } from './step.ts';

/** The part of a provider's definition that the statechart reads. */
export interface Tolerance {
  /** How many failures in a row make it unhealthy; `Infinity`: none do. */
  readonly failures: number;
}

export type HealthEvent =
  | { readonly type: 'SUCCEEDED' | 'FAILED' | 'ABANDONED' | 'WELL' | 'SICK' | 'HEAL' | 'HOLD' }
  /** `due`: `cooldown` has elapsed since it became unhealthy, or since the probe under way began. */
  | { readonly type: 'PROBE'; readonly due: boolean }
  | { readonly type: 'UPDATE'; readonly config: Tolerance };

/** `held`: made unhealthy by hand, and so until it is healed by hand. */
export type HealthPhase = 'healthy' | 'unhealthy' | 'probing' | 'held';
export type HealthState = 'healthy' | 'unhealthy' | 'probing';
export type HealthPlace = Place<Tolerance, HealthPhase, HealthState>;
export type HealthStepper = Stepper<Tolerance, HealthPhase, HealthState, HealthEvent>;

/**
 * The statechart of a provider's health, as data; its actions mean what those of the fallback's do. `SUCCEEDED`, `FAILED`
 * and `ABANDONED` tell of attempts, `WELL` and `SICK` of health checks, `HEAL` and `HOLD` of what was done by hand.
 */
export function healthMachine() {
  return setup({
    types: {
      context: {} as { readonly failures: number; readonly config: Tolerance },
      events: {} as HealthEvent,
      input: {} as { readonly failures: number; readonly config: Tolerance },
    },
    actions: {
      newGeneration: () => {},
      waitAnew: () => {},
      waitNoMore: () => {},
      countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
      forgetFailures: assign({ failures: 0 }),
    },
    guards: {
      spent: ({ context }) => context.failures >= context.config.failures,
      due: ({ event }) => event.type === 'PROBE' && event.due,
    },
  }).createMachine({
    id: 'health',
    context: ({ input }) => input,
    initial: 'healthy',
    on: {
      HEAL: { target: '.healthy', actions: ['forgetFailures', 'newGeneration'] },
      HOLD: { target: '.held', actions: 'newGeneration' },
      UPDATE: { actions: assign({ config: ({ event }) => event.config }) },
    },
    states: {
      healthy: {
        always: { guard: 'spent', target: 'unhealthy' },
        on: {
          SUCCEEDED: { actions: 'forgetFailures' },
          FAILED: { actions: 'countFailure' },
          SICK: 'unhealthy',
        },
      },
      unhealthy: {
        entry: ['newGeneration', 'waitAnew'],
        on: {
          PROBE: { guard: 'due', target: 'probing' },
          // Only an attempt made for want of any other provider can tell of one here.
          SUCCEEDED: { target: 'healthy', actions: ['forgetFailures', 'newGeneration'] },
          WELL: { target: 'healthy', actions: ['forgetFailures', 'newGeneration'] },
        },
      },
      probing: {
        entry: ['newGeneration', 'waitAnew'],
        on: {
          PROBE: { guard: 'due', target: 'probing', reenter: true },
          SUCCEEDED: { target: 'healthy', actions: ['forgetFailures', 'newGeneration'] },
          FAILED: { target: 'unhealthy' },
          ABANDONED: { target: 'unhealthy', actions: 'waitNoMore' },
          WELL: { target: 'healthy', actions: ['forgetFailures', 'newGeneration'] },
        },
      },
      held: {},
    },
  });
}

export const HEALTH_CHART: Chart<HealthPhase, HealthState> = {
  machine: healthMachine,
  phases: {
    healthy: { value: 'healthy', state: 'healthy' },
    unhealthy: { value: 'unhealthy', state: 'unhealthy' },
    probing: { value: 'probing', state: 'probing' },
    held: { value: 'held', state: 'unhealthy' },
  },
  initial: 'healthy',
};
