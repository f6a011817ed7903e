import { getEventListeners } from 'node:events';
import type { RunOptions } from '../../../dist/index.js';
import { abort } from './admission-laws.ts';
import { REASONS } from './attempt-laws.ts';
import type { Call } from './call.ts';
import { Choice } from './random.ts';
import type { Stage } from './stage.ts';

type Patience = 'none' | 'long-lived' | 'unused' | 'before' | 'timer' | 'start' | 'inside' | 'failure';

/** How a call's caller comes by a signal, and when it aborts. */
const PATIENCE = new Choice<Patience>([
  [66, 'none'],
  [14, 'long-lived'],
  [4, 'unused'],
  [1.5, 'before'],
  [8, 'timer'],
  [1.5, 'start'],
  [2, 'inside'],
  [3, 'failure'],
]);

/** Gives a call what belongs to it alone: a signal, a deadline, an id. */
export function limit(stage: Stage, call: Call): RunOptions {
  const { random, calls } = stage;
  impatience(stage, call, PATIENCE.draw(random));
  const deadline = random.chance(0.12) ? random.pick([0, ...TIGHT, random.between(20, 200)]) : undefined;
  if (deadline !== undefined) call.deadlineAt = stage.now + deadline;
  if (call.isAsyncChecked || random.chance(0.4)) {
    call.isIdOwn = true;
    calls.identify(call, `own-${call.number}`);
  }
  return {
    ...(call.signal && { signal: call.signal }),
    ...(deadline !== undefined && { deadline }),
    ...(call.id !== undefined && { id: call.id }),
  };
}

/** Deadlines that fall into attempts and waits of the soaked fallbacks. */
const TIGHT: readonly number[] = [3, 8, 15, 25, 40, 41, 60, 80, 120];

function impatience(stage: Stage, call: Call, patience: Patience): void {
  const { random, time } = stage;
  if (patience === 'none') return;
  if (patience === 'long-lived') {
    call.signal = stage.longLived;
    stage.heeding++;
    return;
  }
  call.controller = new AbortController();
  call.signal = call.controller.signal;
  if (patience === 'before') {
    call.abortedAt = stage.now;
    stage.figures.add('abort', 'before the call');
    call.controller.abort(random.pick(REASONS));
  } else if (patience === 'timer')
    time.setTimeout(() => abort(stage, call, random.pick(REASONS)), random.between(0, 60));
  else if (patience !== 'unused') call.abortsOn = patience;
}

/** With `n` calls in flight there are at most `n` listeners, and two timers for each: its deadline and its attempt. */
export function checkLeaks(stage: Stage): void {
  const { watch, host, calls, random } = stage;
  if (!watch.holds('leaks', host.port.pending <= 2 * calls.inFlight)) {
    throw watch.broken('leaks', `${host.port.pending} timers are set with ${calls.inFlight} calls in flight`);
  }
  if (!random.chance(0.05)) return;
  const listeners = getEventListeners(stage.longLived, 'abort').length;
  if (!watch.holds('leaks', listeners <= stage.heeding)) {
    throw watch.broken(
      'leaks',
      `${listeners} abort listeners with ${stage.heeding} calls that heed the long-lived signal`,
    );
  }
}
