import { begin } from './admission-laws.ts';
import { Declined, OUTPUTS } from './behaviours.ts';
import type { Call } from './call.ts';
import { madeId } from './listener.ts';
import { Choice } from './random.ts';
import type { Stage } from './stage.ts';

/** Of the primaries of `call`, and of those wrapped with every option. */
export const PRIMARY_TIMEOUT = 40;
/** What wrapped primaries are called on. */
export const SELF = { name: 'the object whose method is wrapped' };

type Behaviour = 'now' | 'soon' | 'later' | 'throws' | 'rejects' | 'rejects later' | 'declines' | 'hangs';

const BEHAVIOURS = new Choice<Behaviour>([
  [12, 'now'],
  [12, 'soon'],
  [8, 'later'],
  [20, 'throws'],
  [20, 'rejects'],
  [15, 'rejects later'],
  [4, 'declines'],
  [9, 'hangs'],
]);

/** A wrapped primary: `this` and its arguments as they were given. */
export function wrappedPrimary(stage: Stage, self: unknown, call: Call): unknown {
  const { watch } = stage;
  const isKept = self === SELF && call === stage.calls.numbered(call.number);
  if (!watch.holds('events', isKept))
    throw watch.broken('events', 'a primary got another this, or other arguments', call);
  return primary(stage, call);
}

/** The primary of `call`, which learns the id of the trigger that would follow. */
export function calledPrimary(stage: Stage, call: Call, id: string): unknown {
  if (call.id === undefined) madeId(stage, call.host, call, id);
  const { watch } = stage;
  if (!watch.holds('ids', id === call.id)) throw watch.broken('ids', `its primary was told the id ${id}`, call);
  return primary(stage, call);
}

function primary(stage: Stage, call: Call): unknown {
  const { random, watch, time } = stage;
  const isPrompt = call.primary === undefined && call.startedAt === stage.now && call.abortedAt === undefined;
  if (!watch.holds('settles', isPrompt)) throw watch.broken('settles', 'its primary was called twice, or late', call);
  call.primary = 'pending';
  const output = random.pick(OUTPUTS);
  const give = () => come(stage, call, 'output', output);
  const fail = (error: unknown = new Error(`primary down, #${call.number}`)): never => {
    come(stage, call, 'error', error);
    throw error;
  };
  const wait = () => new Promise<void>((resolve) => time.setTimeout(resolve, random.between(1, 30)));
  switch (behaviour(stage, call)) {
    case 'now':
      return give();
    case 'soon':
      return Promise.resolve(give());
    case 'later':
      return wait().then(give);
    case 'rejects':
      return Promise.resolve().then(() => fail(random.chance(0.2) ? undefined : new Error('rejected')));
    case 'rejects later':
      return wait().then(() => fail());
    case 'declines':
      return fail(new Declined(call.number));
    case 'hangs':
      return new Promise(() => {});
    default:
      return fail();
  }
}

/** Nothing ends a plain primary but itself and `close()`; and not every fallback has a `handle`. */
function behaviour({ random }: Stage, call: Call): Behaviour {
  const drawn = BEHAVIOURS.draw(random);
  if (drawn === 'hangs' && call.isPlain) return 'throws';
  if (drawn === 'declines' && !call.machine.unit.home.facts.hasHandle) return 'throws';
  return drawn;
}

function come(stage: Stage, call: Call, came: 'output' | 'error', value: unknown): unknown {
  // Given up on already: what it comes to is nobody's.
  if (call.isSettled || call.begunAt !== undefined) return value;
  call.primary = came;
  call.primaryValue = value;
  call.primaryAt = stage.now;
  return value;
}

/** When a primary's time is over. */
export function primaryDue({ startedAt, deadlineAt }: Call): number {
  return Math.min(startedAt + PRIMARY_TIMEOUT, deadlineAt);
}

/** The primary has failed: the trigger begins with what this returns. At once, or when the primary's time was over. */
export function fallBack(stage: Stage, call: Call): { n: number } {
  const { watch, now } = stage;
  const due = call.primary === 'error' ? call.primaryAt : primaryDue(call);
  if (!watch.holds('settles', now === due)) throw watch.broken('settles', `it was to fall back at ${due}`, call);
  if (!watch.holds('doubts', call.isPrimaryInDoubt === (call.primary !== 'error'))) {
    throw watch.broken('doubts', `its primary is ${call.primary}, and nobody was told that it is in doubt`, call);
  }
  begin(stage, call);
  return { n: call.number };
}
