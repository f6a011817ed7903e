import type { FallbackEvent } from '../../../dist/index.js';
import { admitted, probing } from './admission-laws.ts';
import { ended, late, started } from './attempt-laws.ts';
import type { Call } from './call.ts';
import { doubted, doubtsTold } from './doubt-laws.ts';
import type { Host } from './host.ts';
import { heardEvicted, heardExhausted, heardReset, heardUpdated } from './machine-laws.ts';
import type { Stage } from './stage.ts';
import { failed, recovered } from './verdict-laws.ts';

/** The first listener of every engine: whatever is told is held against the laws, at once. */
export function hear(stage: Stage, host: Host, event: FallbackEvent): void {
  const { watch, calls } = stage;
  if (!watch.holds('events', event.at === stage.now && Object.isFrozen(event))) {
    throw watch.broken('events', `${event.type} is dated ${event.at}, or not frozen`);
  }
  if (event.type === 'exhausted' || event.type === 'evicted') hearOfMachine(stage, host, event);
  else if (event.type === 'updated') heardUpdated(stage, event, calls.starting);
  else if (event.type === 'reset') heardReset(stage, event, calls.starting);
  else hearOfCall(stage, host, event, callOf(stage, host, event));
}

type MachineEvent = FallbackEvent<'exhausted' | 'evicted'>;
type CallEvent = Exclude<FallbackEvent, MachineEvent | FallbackEvent<'updated' | 'reset'>>;

/** Of an engine that has been replaced, the model knows nothing. */
function hearOfMachine(stage: Stage, host: Host, event: MachineEvent): void {
  stage.note(event.type, undefined, `${event.tag} ${event.env} ${event.product} ${event.cache}`);
  if (host !== stage.host) return;
  if (event.type === 'exhausted') heardExhausted(stage, event);
  else heardEvicted(stage, event);
}

function hearOfCall(stage: Stage, host: Host, event: CallEvent, call: Call): void {
  const { watch } = stage;
  const { fallback_tag: tag, env, product, cache } = call.machine.address;
  const isIts = event.tag === tag && event.env === env && event.product === product && event.cache === cache;
  if (!watch.holds('events', isIts && call.host === host)) {
    throw watch.broken(
      'events',
      `${event.type} is told of ${event.tag} ${event.env} ${event.product} ${event.cache}`,
      call,
    );
  }
  if (!watch.holds('settles', event.type === 'late' || !call.isSettled)) {
    throw watch.broken('settles', `${event.type} after it had settled`, call);
  }
  stage.note(event.type, call, 'provider' in event ? event.provider : '');
  if (event.type !== 'in-doubt') doubtsTold(stage, call);
  if (event.type === 'triggered') admitted(stage, call, event);
  else if (event.type === 'attempt-started') started(stage, call, event);
  else if (event.type === 'attempt-ended') ended(stage, call, event);
  else if (event.type === 'recovered') recovered(stage, call, event);
  else if (event.type === 'failed') failed(stage, call, event);
  else if (event.type === 'late') late(stage, call, event);
  else if (event.type === 'in-doubt') doubted(stage, call, event);
  else probing(stage, call);
}

/** Whose event it is, by its id. An id that nobody knows yet is the engine's own, of the call that begins now. */
function callOf(stage: Stage, host: Host, event: CallEvent): Call {
  const { watch, calls } = stage;
  const { id, type } = event;
  const known = calls.named(id);
  if (known) return known;
  // A wrapped primary in doubt has its arguments told, and its call is the first of them.
  const starting = type === 'in-doubt' ? (event.input as readonly Call[])[0] : calls.starting;
  // A primary that was given up on has an id before anything is triggered.
  const isNew = type === 'triggered' || type === 'probing' || type === 'in-doubt';
  if (!starting || id === undefined || !watch.holds('ids', isNew && starting.id === undefined)) {
    throw watch.broken('ids', `${type} is told of the unknown id ${id}`, starting);
  }
  madeId(stage, host, starting, id);
  return starting;
}

/** An id of the engine's own making: unlike any other, of this engine or another. */
export function madeId(stage: Stage, host: Host, call: Call, id: string): void {
  const { watch } = stage;
  if (!watch.holds('ids', id.startsWith(`${host.nonce}-`) && !host.ids.has(id))) {
    throw watch.broken('ids', `the id ${id} was made again, or is another engine's`, call);
  }
  host.ids.add(id);
  stage.calls.identify(call, id);
}
