import type { Events } from '../events.ts';
import type { Machines } from '../memory/machines.ts';
import type { Clock, SessionVerifier } from '../types.ts';

/** What a trigger works with. */
export interface Tools {
  readonly memory: Machines;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sessions: ReadonlyMap<string, SessionVerifier> | undefined;
}
