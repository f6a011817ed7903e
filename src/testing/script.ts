import { type Clock, systemClock } from '../index.ts';

/** What a scripted provider does at one call. */
export type Behaviour = (call: ScriptedCall, clock: Clock) => unknown;

export interface ScriptedCall {
  readonly input: unknown;
  readonly ctx: { readonly id: string; readonly attempt: number; readonly signal: AbortSignal };
}

export interface Script {
  (input: unknown, ctx: ScriptedCall['ctx']): Promise<unknown>;
  /** The calls so far, in order. */
  readonly calls: readonly ScriptedCall[];
  /** Takes its time from this clock. Default: the system's. */
  on(clock: Clock): Script;
}

/**
 * A provider's `run` that plays these behaviours in order, the last one ever after.
 *
 * @example
 * const stripe = script(reject(new Error('503')), slow(200, { receipt: 'r1' })).on(clock);
 */
export function script(...behaviours: readonly [Behaviour, ...Behaviour[]]): Script {
  const calls: ScriptedCall[] = [];
  let clock: Clock = systemClock;
  const run = async (input: unknown, ctx: ScriptedCall['ctx']) => {
    const call = { input, ctx };
    calls.push(call);
    const behaviour = behaviours[Math.min(calls.length, behaviours.length) - 1] as Behaviour;
    return behaviour(call, clock);
  };
  const scripted: Script = Object.assign(run, {
    calls,
    on(given: Clock) {
      clock = given;
      return scripted;
    },
  });
  return scripted;
}

/** Answers at once. */
export const ok =
  (value?: unknown): Behaviour =>
  () =>
    value;

/** Fails at once. */
export const reject =
  (error: unknown): Behaviour =>
  () =>
    Promise.reject(error);

/** Answers after `ms`, unless it is aborted before. */
export const slow =
  (ms: number, value?: unknown): Behaviour =>
  ({ ctx }, clock) =>
    after(clock, ms, ctx.signal).then(() => value);

/** Fails after `ms`. */
export const slowReject =
  (ms: number, error: unknown): Behaviour =>
  ({ ctx }, clock) =>
    after(clock, ms, ctx.signal).then(() => Promise.reject(error));

/** Never answers; hears its signal. */
export const hang =
  (): Behaviour =>
  ({ ctx }, clock) =>
    after(clock, undefined, ctx.signal);

/** Answers after `ms`, whatever its signal says. */
export const stubborn =
  (ms: number, value?: unknown): Behaviour =>
  (_, clock) =>
    after(clock, ms).then(() => value);

/** Resolves after `ms` (never without); rejects with the signal's reason if that comes first. */
export function after(clock: Clock, ms: number | undefined, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      if (timer !== undefined) clock.clearTimeout(timer);
      reject(signal?.reason);
    };
    const arrive = () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const timer = ms === undefined ? undefined : clock.setTimeout(arrive, ms);
    signal?.addEventListener('abort', abort, { once: true });
    return undefined;
  });
}
