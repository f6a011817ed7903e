import fc from 'fast-check';
import type { State } from '../index.ts';

/** What a simulated provider does at one call. */
export const FAULTS = ['ok', 'reject', 'throw', 'invalid', 'slow', 'slow-reject', 'hang', 'stubborn', 'lost'] as const;

export type FaultKind = (typeof FAULTS)[number];

export type TraceType =
  | 'trigger'
  | 'update'
  | 'reset'
  | 'abort'
  | 'evict'
  | 'restart'
  /** A provider is called; `fault` says what it is going to do. */
  | 'call'
  /** A provider's effect on the world landed: a charge, say. */
  | 'effect'
  /** An attempt ended, as the engine saw it; `outcome` says how. */
  | 'ended'
  /** The trigger's caller got an answer. */
  | 'recovered'
  /** The trigger's caller got a FallbackFailedError. */
  | 'failed'
  /** The trigger's caller got a FallbackExhaustedError. */
  | 'refused'
  /** The trigger's caller got its own abort's reason, or another error. */
  | 'rejected'
  /** A machine stands somewhere else than before. */
  | 'state'
  /** An attempt may have done its work, although it gave no answer that will do; `outcome` says why. */
  | 'in-doubt'
  /** A provider's `verify` is called; `fault` says what it is going to do, `outcome` what it knows. */
  | 'verify'
  /** A provider's `compensate` is called; `fault` says what it is going to do. */
  | 'compensate'
  /** An effect is undone. */
  | 'compensated'
  /** The engine has given up on undoing an effect, and said so. */
  | 'compensation-failed'
  /** What a provider's health check answers from now on: `outcome`. */
  | 'health'
  /** A provider's health check is called, and answers `outcome`. */
  | 'check'
  /** A provider is `healthy`, `unhealthy` or `probing` from now on: `outcome`. */
  | 'provider';

/** One thing that happened, in virtual time. */
export interface TraceEntry {
  /** Milliseconds since the history began. */
  readonly at: number;
  readonly type: TraceType;
  /** 1 for the first trigger of the history. */
  readonly trigger?: number;
  /** The cache key; absent for the machine without one. */
  readonly key?: string;
  readonly provider?: string;
  readonly attempt?: number;
  readonly fault?: FaultKind;
  readonly outcome?: string;
  readonly state?: State;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  /** Of an effect: its provider is marked so, and a repeat of it none. */
  readonly idempotent?: true;
  /** Of an answer: it is the last good one, given once more. */
  readonly stale?: true;
  /** Of an answer: an equal trigger's, given again. */
  readonly reused?: true;
}

export type Trace = readonly TraceEntry[];

/** A history that stands as a timeline a person can read. */
export function timeline(trace: Trace, marks: ReadonlyMap<TraceEntry, string> = new Map()): string {
  const width = Math.max(6, ...trace.map(({ provider = '' }) => provider.length));
  return trace
    .flatMap((entry) => {
      const text = lineOf(entry, trace, width);
      const mark = marks.get(entry) ?? marks.get(effectAtOnce(entry, trace) ?? entry);
      return text === undefined
        ? []
        : [`${String(entry.at).padStart(6)} ms  ${text}${mark ? `   ← ${mark}` : ''}`.trimEnd()];
    })
    .join('\n');
}

function lineOf(entry: TraceEntry, trace: Trace, width: number): string | undefined {
  const { type, trigger, key, provider = '', attempt, fault, outcome, input, error, state, stale, reused } = entry;
  const who = trigger === undefined ? '' : `#${trigger} `;
  const where = key === undefined ? '' : ` [${key}]`;
  const name = provider.padEnd(width);
  switch (type) {
    case 'trigger':
      return `${who}trigger${where}  ${json(input)}`;
    case 'call':
      return `${who}${name}  attempt ${attempt} → ${String(fault).padEnd(11)}${effectAtOnce(entry, trace) ? '  effect landed' : ''}`;
    case 'effect':
      return landsLater(entry, trace) ? `${who}${name}  attempt ${attempt}   effect landed` : undefined;
    case 'ended':
      return outcome === 'succeeded' ? undefined : `${who}${name}  attempt ${attempt} ✗ ${outcome}: ${words(error)}`;
    case 'recovered':
      return `${who}recovered by ${provider}${stale ? ' (its last good answer)' : ''}${reused ? ' (an answer given before)' : ''}`;
    case 'failed':
    case 'refused':
    case 'rejected':
      return `${who}${type}: ${words(error)}`;
    case 'state':
      return `state${where} is ${state}`;
    case 'update':
      return `update${where}  ${json(input)}${error === undefined ? '' : ` refused: ${words(error)}`}`;
    case 'reset':
      return `reset${where}  ${json(input)}`;
    case 'abort':
      return `${who}aborted by its caller`;
    case 'evict':
      return 'every key not in use is forgotten';
    case 'restart':
      return 'restart: snapshot → JSON → a new engine → restore';
    case 'in-doubt':
      // That of one that timed out or was aborted is plain from its end.
      return outcome === 'error' || outcome === 'refused'
        ? `${who}${name}  attempt ${attempt} is in doubt: ${outcome}`
        : undefined;
    case 'verify':
      return `${who}${name}  attempt ${attempt} → verify: ${fault === 'ok' ? outcome : fault}`;
    case 'compensate':
      return `${who}${name}  attempt ${attempt} → compensate: ${fault}`;
    case 'compensated':
      return `${who}${name}  attempt ${attempt}   effect undone`;
    case 'compensation-failed':
      return `${who}${name}  attempt ${attempt} ✗ its effect could not be undone`;
    case 'health':
      return `the health check of ${provider}: ${outcome} from now on`;
    case 'check':
      return undefined;
    case 'provider':
      return `${provider} is ${outcome}`;
  }
}

function isSameCall(one: TraceEntry, other: TraceEntry): boolean {
  return one.trigger === other.trigger && one.provider === other.provider && one.attempt === other.attempt;
}

/** What a call did at the very moment it was made: the two are told in one line. */
function effectAtOnce(call: TraceEntry, trace: Trace): TraceEntry | undefined {
  if (call.type !== 'call') return undefined;
  return trace.find((entry) => entry.type === 'effect' && isSameCall(entry, call) && entry.at === call.at);
}

function landsLater(effect: TraceEntry, trace: Trace): boolean {
  return !trace.some((entry) => entry.type === 'call' && isSameCall(entry, effect) && entry.at === effect.at);
}

export function words(error: unknown): string {
  return error instanceof Error ? error.message : json(error);
}

export function json(value: unknown): string {
  // NaN and the infinities are no JSON.
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return fc.stringify(value);
  }
}
