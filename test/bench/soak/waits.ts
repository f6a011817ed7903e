import type { BackoffOptions } from '../../../dist/index.js';
import type { Call } from './call.ts';
import type { ProviderFacts } from './facts.ts';
import type { Stage } from './stage.ts';

/** From when to when the wait after a failed attempt may end, in whole milliseconds. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The wait that has just ended was as long as the provider's `backoff` says; none lies between two providers. */
export function checkWait(stage: Stage, call: Call, name: string, attempt: number): void {
  const { watch, now } = stage;
  const last = call.attempts.at(-1);
  if (!last) return;
  const wait = now - last.endedAt;
  const { from, to } = attempt === 1 ? NONE : spanOf(call, providerOf(call, name), attempt - 1);
  if (!watch.holds('waits', from <= wait && wait <= to)) {
    throw watch.broken('waits', `${wait} ms before ${name} #${attempt}, due were ${from} to ${to}`, call);
  }
  call.lastWait = attempt === 1 ? 0 : wait;
}

/** A wait that would pass the deadline is not begun: where its length is known, the deadline never falls into one. */
export function checkCutWait(stage: Stage, call: Call): void {
  const { watch, now } = stage;
  const last = call.attempts.at(-1);
  if (!last || last.endedAt === now) return;
  const { from, to } = spanOf(call, providerOf(call, last.provider), last.attempt);
  if (!watch.holds('waits', from !== to)) {
    throw watch.broken('waits', `the deadline fell into the wait of ${from} ms after ${last.provider}`, call);
  }
}

const NONE: Span = { from: 0, to: 0 };

function providerOf({ machine }: Call, name: string): ProviderFacts | undefined {
  return machine.unit.home.facts.providers.find((provider) => provider.name === name);
}

function spanOf(call: Call, provider: ProviderFacts | undefined, attempt: number): Span {
  const { backoff = {} } = provider ?? {};
  if (backoff === 'own') return { from: call.ownWait, to: call.ownWait };
  if (typeof backoff === 'number') return { from: backoff, to: backoff };
  // A function of the user's own: none of the soaked fallbacks has another.
  return typeof backoff === 'function' ? NONE : jittered(backoff, attempt, call.lastWait);
}

/** By the documented defaults. Fractions of a millisecond are rounded up, as the clock does it. */
function jittered(backoff: BackoffOptions, attempt: number, previous: number): Span {
  const { initialDelay = 100, maxDelay = 5_000, factor = 2, jitter = 'full' } = backoff;
  const ceiling = Math.min(maxDelay, initialDelay * factor ** (attempt - 1));
  if (jitter === 'none') return { from: ceiling, to: ceiling };
  if (jitter === 'full') return { from: 0, to: Math.ceil(ceiling) };
  const most = Math.min(maxDelay, 3 * Math.max(initialDelay, previous));
  return { from: Math.min(maxDelay, initialDelay), to: Math.ceil(most) };
}
