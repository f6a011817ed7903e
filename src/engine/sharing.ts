import type { Remembering } from '../definition/safety.ts';
import { InDoubtError, InvalidInputError } from '../errors.ts';
import type { Given, Shared } from '../memory/answers.ts';
import { quote } from '../quote.ts';
import type { Walking } from './lanes.ts';
import type { Attempted } from './provider-attempt.ts';
import { keyOf } from './recollection.ts';

export type Resolve = (given: Given) => void;
export type Reject = (error: unknown) => void;

/** What makes triggers equal; `undefined`: this one equals no other. @throws InvalidInputError */
export function reuseKey(asking: Attempted, { key }: Remembering): string | undefined {
  const made = keyOf(asking, '', key);
  if (!made.fault) return made.key;
  const { error } = made.fault;
  const message = `expected a function that makes a key of the input at once, got one that threw ${quote(error)}`;
  throw new InvalidInputError([{ path: 'reuse.key', message }], asking.flight, [error]);
}

/** Settles as before, but remembers the answer, and tells all that wait for it. */
export function led(trigger: Walking, key: string, resolve: Resolve, reject: Reject): [Resolve, Reject] {
  const { home, tools } = trigger;
  let tell!: (outcome: Shared) => void;
  const shared = new Promise<Shared>((settle) => {
    tell = settle;
  });
  home.shared ??= new Map();
  home.shared.set(key, shared);
  const end = (outcome: Shared) => {
    home.shared?.delete(key);
    tell(outcome);
  };
  return [
    (given) => {
      const { provider, output, stale } = given;
      if (!stale) tools.memory.recall.reused(home).keep(key, { provider, output, at: tools.clock.now() });
      end({ result: given });
      resolve(given);
    },
    (thrown) => {
      end(verdictFor(trigger, thrown));
      reject(thrown);
    },
  ];
}

/** What the others are told: the leader's own abort or deadline is not theirs, but a doubt that it leaves is. */
function verdictFor({ flight, attempts, inDoubt }: Walking, thrown: unknown): Shared {
  if (!flight.interruption || thrown instanceof InDoubtError) return { error: { thrown } };
  return inDoubt === undefined ? {} : { error: { thrown: new InDoubtError(inDoubt, [], attempts, flight) } };
}
