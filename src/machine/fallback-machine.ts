import { assign, setup } from 'xstate';

/** All that decides the next state. What is unbounded or tells of time stands beside the machine, not in it. */
export interface MachineContext<C extends Limits = Limits> {
  readonly failures: number;
  readonly config: C;
}

/** The part of a configuration that the statechart itself reads. */
export interface Limits {
  readonly maxRetries: number;
}

export type MachineEvent<C extends Limits = Limits> =
  | { readonly type: 'TRIGGER' | 'RECOVERED' | 'FAILED' | 'ABANDONED' | 'RESET' }
  /** `due`: `resetAfter` has elapsed since the exhaustion, or the probe under way, began. */
  | { readonly type: 'PROBE'; readonly due: boolean }
  | { readonly type: 'UPDATE'; readonly config: C };

/**
 * The statechart of every fallback, as data. Its actions do nothing here: a pure step reports them, and whoever keeps
 * the time and the generation beside a machine carries them out.
 *
 * - `newGeneration`: outcomes of triggers admitted before this move no machine any more.
 * - `waitAnew`: `resetAfter` counts from now.
 * - `waitNoMore`: the next probe is due at once.
 */
export function fallbackMachine<C extends Limits>() {
  return setup({
    types: {
      context: {} as MachineContext<C>,
      events: {} as MachineEvent<C>,
      input: {} as MachineContext<C>,
    },
    actions: {
      newGeneration: () => {},
      waitAnew: () => {},
      waitNoMore: () => {},
      countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
      forgetFailures: assign({ failures: 0 }),
    },
    guards: {
      spent: ({ context }) => context.failures > context.config.maxRetries,
      unspent: ({ context }) => context.failures <= context.config.maxRetries,
      due: ({ event }) => event.type === 'PROBE' && event.due,
    },
  }).createMachine({
    id: 'fallback',
    context: ({ input }) => input,
    initial: 'idle',
    on: {
      RESET: { target: '.idle', actions: ['forgetFailures', 'newGeneration'] },
      UPDATE: {
        actions: assign({ config: ({ event }) => event.config }),
      },
    },
    states: {
      idle: {
        on: { TRIGGER: 'triggered' },
      },
      triggered: {
        always: { guard: 'spent', target: 'exhausted' },
        on: {
          RECOVERED: { actions: 'forgetFailures' },
          FAILED: { actions: 'countFailure' },
        },
      },
      exhausted: {
        entry: ['newGeneration', 'waitAnew'],
        exit: 'newGeneration',
        always: { guard: 'unspent', target: 'triggered' },
        initial: 'cooling',
        states: {
          cooling: {
            on: { PROBE: { guard: 'due', target: 'probing' } },
          },
          probing: {
            entry: ['newGeneration', 'waitAnew'],
            on: {
              PROBE: { guard: 'due', target: 'probing', reenter: true },
              RECOVERED: { actions: 'forgetFailures' },
              FAILED: { target: 'cooling', actions: 'waitAnew' },
              ABANDONED: { target: 'cooling', actions: 'waitNoMore' },
            },
          },
        },
      },
    },
  });
}

export type FallbackMachine<C extends Limits> = ReturnType<typeof fallbackMachine<C>>;

/** Where a machine stands: XState's value, flattened. */
export type Phase = 'idle' | 'triggered' | 'cooling' | 'probing';

export const FALLBACK_CHART = {
  machine: fallbackMachine<Limits>,
  phases: {
    idle: { value: 'idle', state: 'idle' },
    triggered: { value: 'triggered', state: 'triggered' },
    cooling: { value: { exhausted: 'cooling' }, state: 'exhausted' },
    probing: { value: { exhausted: 'probing' }, state: 'exhausted' },
  },
  initial: 'idle',
} as const;
