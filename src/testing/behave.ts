import type { Clock } from '../index.ts';
import type { Fault } from './history.ts';
import { after } from './script.ts';

/** What a simulated call has to do with. */
export interface Surroundings {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds by which an answer is in time. */
  readonly limit: number;
  /** An output that is refused. */
  readonly invalid: unknown;
  /** The call's effect on the world lands. */
  readonly land: () => void;
}

/** Does what a fault says, in virtual time: what is not slow is in time, what is slow is not. */
export function behave({ kind, delay, output }: Fault, { clock, signal, limit, invalid, land }: Surroundings): unknown {
  const prompt = () => after(clock, Math.min(delay, Math.max(0, limit - 1)), signal);
  const late = limit + 1 + delay;
  switch (kind) {
    case 'ok':
      land();
      return delay === 0 || limit <= 1 ? output : prompt().then(() => output);
    case 'reject':
      return prompt().then(() => fail('rejected'));
    case 'throw':
      return fail('thrown');
    case 'invalid':
      land();
      return prompt().then(() => invalid);
    case 'slow':
      return after(clock, late, signal).then(() => {
        land();
        return output;
      });
    case 'slow-reject':
      return after(clock, late, signal).then(() => fail('rejected late'));
    case 'hang':
      return after(clock, undefined, signal);
    case 'stubborn':
      land();
      return after(clock, late).then(() => output);
    case 'lost':
      land();
      return prompt().then(() => lose());
  }
}

/** As a connection that breaks after the request was sent: what an `inDoubtWhen` may well know. */
function lose(): never {
  throw Object.assign(new Error('answer lost'), { code: 'ECONNRESET' });
}

function fail(text: string): never {
  throw new Error(text);
}
