import { BreakerState, Circuit, SlidingCountBreaker } from 'mollitia';
import type { Work } from '../work.ts';

const LONG = 2_147_483_647;

/** A rate of 100 % and more is never looked at: it never opens. */
export const NEVER_OPENS = { failureRateThreshold: 100, openStateDelay: LONG } as const;

export interface Guarded {
  readonly call: Work;
  readonly dispose: () => void;
}

export function circuitOf(func: Work, state: BreakerState = BreakerState.CLOSED): Circuit {
  return new Circuit({ func, options: { modules: [new SlidingCountBreaker({ ...NEVER_OPENS, state })] } });
}

/** Its Fallback can only put one error in the place of another, so what answers instead is caught by hand. */
export function chained(...works: readonly Work[]): Guarded {
  const circuits = works.slice(0, -1).map((work) => circuitOf(work));
  const last = works.at(-1);
  if (!last) throw new Error('expected one or more');
  return {
    async call() {
      for (const circuit of circuits) {
        try {
          return await circuit.execute<number>();
        } catch {}
      }
      return last();
    },
    dispose: () => {
      for (const circuit of circuits) circuit.dispose();
    },
  };
}

export function open(work: Work): Guarded {
  const circuit = circuitOf(work, BreakerState.OPENED);
  return { call: () => circuit.execute<number>(), dispose: () => circuit.dispose() };
}
