import { getEventListeners } from 'node:events';
import {
  AttemptTimeoutError,
  DeadlineError,
  EngineClosedError,
  type FallbackError,
  FallbackExhaustedError,
  FallbackFailedError,
  InvalidInputError,
  SessionError,
  type TriggerResult,
} from '../../../dist/index.js';
import { abandon, isTooLate } from './admission-laws.ts';
import type { Call } from './call.ts';
import { doubtsTold } from './doubt-laws.ts';
import { labelOf, touch } from './machine-laws.ts';
import { primaryDue } from './primaries.ts';
import type { Stage } from './stage.ts';
import { checkErrors } from './verdict-laws.ts';

/** A call has resolved: with what its winner, or its primary, gave. */
export function resolved(stage: Stage, call: Call, value: unknown): void {
  const { watch } = stage;
  if (call.kind === 'invalid') throw watch.broken('refusals', 'a call that makes no sense was answered', call);
  if (call.kind === 'trigger') checkResult(stage, call, value as TriggerResult);
  else {
    const isPrimary = call.primary === 'output' && !call.isAdmitted;
    const due = isPrimary ? call.primaryValue : call.winner?.value;
    if (!watch.holds('errors', (isPrimary || call.verdict === 'recovered') && Object.is(value, due))) {
      throw watch.broken('errors', `it resolved to ${String(value)}, and was given ${String(due)}`, call);
    }
    if (!watch.holds('settles', !isPrimary || call.primaryAt === stage.now)) {
      throw watch.broken('settles', `its primary answered at ${call.primaryAt}, and it settles only now`, call);
    }
  }
  finish(stage, call, call.verdict ?? 'primary answered');
}

function checkResult(stage: Stage, call: Call, result: TriggerResult): void {
  const { watch, now } = stage;
  const { winner } = call;
  if (call.verdict !== 'recovered' || !winner)
    throw watch.broken('settles', 'it resolved without having recovered', call);
  if (!watch.holds('ids', result.id === call.id)) throw watch.broken('ids', `its result calls it ${result.id}`, call);
  const isTold = result.provider === winner.provider && result.state === call.verdictState;
  if (!watch.holds('events', isTold && result.duration === now - (call.begunAt ?? now))) {
    throw watch.broken('events', `its result tells ${result.provider} ${result.state} ${result.duration}`, call);
  }
  if (!watch.holds('errors', Object.is(result.output, winner.value))) {
    throw watch.broken('errors', `${winner.provider} gave ${String(winner.value)}, got ${String(result.output)}`, call);
  }
  checkAttempts(stage, call, result.attempts);
}

function checkAttempts(stage: Stage, call: Call, told: FallbackFailedError['attempts']): void {
  const { watch } = stage;
  const isSame =
    told.length === call.records.length &&
    told.every(({ provider, attempt, outcome, error }, index) => {
      const record = call.records[index];
      const isIts = record?.provider === provider && record.attempt === attempt && record.outcome === outcome;
      return isIts && Object.is(record.error, error);
    });
  if (!watch.holds('attempts', isSame)) {
    const list = (records: Call['records']) => records.map((one) => `${one.provider} #${one.attempt} ${one.outcome}`);
    throw watch.broken('attempts', `made were [${list(call.records)}], and told are [${list([...told])}]`, call);
  }
}

/** A call has rejected: with the error that what happened to it calls for. */
export function rejected(stage: Stage, call: Call, error: unknown): void {
  const { watch, now } = stage;
  let outcome: string;
  if (call.abortedAt !== undefined && Object.is(error, call.signal?.reason)) {
    outcome = 'aborted by its caller';
    const isPrompt = call.abortedAt === now && call.verdict === undefined;
    if (!watch.holds('settles', isPrompt))
      throw watch.broken('settles', `aborted at ${call.abortedAt}, settled now`, call);
  } else if (error instanceof EngineClosedError) outcome = closed(stage, call, error);
  else if (call.refusal && !(error instanceof FallbackFailedError)) outcome = refusedChecks(stage, call, error);
  else if (call.abortedAt !== undefined && !isTooLate(stage, call))
    throw watch.broken('errors', `aborted, and rejected with ${String(error)}`, call);
  else if (error instanceof FallbackExhaustedError) outcome = refused(stage, call, error);
  else if (error instanceof FallbackFailedError) outcome = failed(stage, call, error);
  else if (call.decision === 'disowned') outcome = disowned(stage, call, error);
  else throw watch.broken('refusals', `rejected with ${String(error)}`, call);
  finish(stage, call, outcome);
  // Whether the machine of a call that was not let in has caught up depends on how far it got: now it has.
  if (!call.isAdmitted) touch(stage, call.machine);
}

function closed(stage: Stage, call: Call, error: EngineClosedError): string {
  const { watch, now } = stage;
  const { endsAt } = call.host;
  if (!watch.holds('settles', endsAt !== undefined && now === Math.max(endsAt, call.startedAt))) {
    throw watch.broken('settles', `its engine was to end it at ${endsAt}`, call);
  }
  if (!watch.holds('settles', call.verdict === undefined))
    throw watch.broken('settles', 'a verdict, and then closed', call);
  checkErrors(stage, call, error.errors ?? [], call.met);
  return 'cut short by close()';
}

function refused(stage: Stage, call: Call, error: FallbackExhaustedError): string {
  const { watch } = stage;
  const { machine, forecast } = call;
  if (!watch.holds('probes', !call.isAdmitted && call.attempts.length === 0)) {
    throw watch.broken('probes', 'refused, after providers were called', call);
  }
  if (call.host === stage.host && call.life === call.host.life) {
    if (forecast === undefined) refusedLater(stage, call);
    else if (!watch.holds('probes', forecast === 'refused' || forecast === 'either')) {
      throw watch.broken('probes', `${labelOf(machine)} refused it, and was to have it as ${forecast}`, call);
    } else if (!watch.holds('probes', forecast === 'either' || error.retryAfter === call.retryAfter)) {
      throw watch.broken('probes', `refused for ${error.retryAfter} ms, due in ${call.retryAfter}`, call);
    }
  }
  checkCause(stage, call, error);
  return 'refused while exhausted';
}

/** With checks that take their time, and with `call`, nobody knows when exactly it asked: within this millisecond. */
function refusedLater(stage: Stage, call: Call): void {
  const { watch, now, figures } = stage;
  const { machine } = call;
  const forecast = machine.forecast(now);
  if (forecast !== 'refused' && forecast !== 'either' && machine.changedAt === now) {
    figures.add('and', 'refusals that could not be judged');
    return;
  }
  if (!watch.holds('probes', forecast === 'refused' || forecast === 'either')) {
    throw watch.broken('probes', `${labelOf(machine)} refused it, and was to have it as ${forecast}`, call);
  }
}

function failed(stage: Stage, call: Call, error: FallbackFailedError): string {
  const { watch, now } = stage;
  if (call.isAdmitted) {
    const isTold = call.verdict === 'failed' && error.state === call.verdictState;
    if (!watch.holds('settles', isTold)) throw watch.broken('settles', `it failed as ${error.state}, untold`, call);
  } else if (!watch.holds('settles', now >= call.deadlineAt)) {
    throw watch.broken('settles', `it failed before it was let in, with its deadline at ${call.deadlineAt}`, call);
  }
  checkErrors(stage, call, error.errors, call.met);
  checkAttempts(stage, call, error.attempts);
  checkCause(stage, call, error);
  return call.isAdmitted ? 'failed' : 'out of time before it was let in';
}

/** The error of a wrapped call keeps the primary's own, and every one tells whose it is. */
function checkCause(stage: Stage, call: Call, error: FallbackError): void {
  const { watch } = stage;
  const { fallback_tag: tag, env, product, cache } = call.machine.address;
  const isOwn = call.kind === 'trigger' || call.begunAt !== undefined;
  const isPlaced = !isOwn || (error.env === env && error.product === product && error.cache === cache);
  const isNamed = call.id === undefined || error.id === call.id;
  if (!watch.holds('ids', error.tag === tag && isPlaced && isNamed)) {
    throw watch.broken(
      'ids',
      `its error is of ${error.tag} ${error.env} ${error.product} ${error.cache} ${error.id}`,
      call,
    );
  }
  if (call.primary === undefined) return;
  const { cause } = error;
  const isThrown = call.primary === 'error' && Object.is(cause, call.primaryValue);
  // What settles in the millisecond in which its time is over may have come too late.
  const isTimedOut = call.primary !== 'error' || call.primaryAt === primaryDue(call);
  const isTimeout = cause instanceof AttemptTimeoutError || cause instanceof DeadlineError;
  if (!watch.holds('errors', 'cause' in error && (isThrown || (isTimedOut && isTimeout)))) {
    throw watch.broken('errors', `its primary threw ${String(call.primaryValue)}, its cause is ${String(cause)}`, call);
  }
}

function disowned(stage: Stage, call: Call, error: unknown): string {
  const { watch } = stage;
  if (!watch.holds('errors', Object.is(error, call.disowned))) {
    throw watch.broken('errors', `disowned was ${String(call.disowned)}, thrown is ${String(error)}`, call);
  }
  return "the caller's own error";
}

function refusedChecks(stage: Stage, call: Call, error: unknown): string {
  const { watch } = stage;
  const isInput = call.refusal === 'input' && error instanceof InvalidInputError;
  const isSession = call.refusal === 'session' && error instanceof SessionError && error.reason === 'refused';
  const isDue = (isInput || isSession) && !call.isAdmitted;
  if (!watch.holds('refusals', isDue)) throw watch.broken('refusals', `rejected with ${String(error)}`, call);
  return isInput ? 'input refused' : 'session refused';
}

/** However it ended: nothing of it is left, but for what its providers still owe. */
export function finish(stage: Stage, call: Call, outcome: string): void {
  const { watch, calls, figures } = stage;
  doubtsTold(stage, call);
  if (!watch.holds('settles', !call.isSettled)) throw watch.broken('settles', 'it settled twice', call);
  if (!watch.holds('attempts', !call.open))
    throw watch.broken('attempts', 'it settled with an attempt under way', call);
  abandon(stage, call);
  call.isSettled = true;
  figures.add('outcome', outcome);
  stage.note(outcome, call);
  const { signal } = call;
  if (signal === stage.longLived) stage.heeding--;
  else if (signal) {
    const left = getEventListeners(signal, 'abort').length;
    if (!watch.holds('leaks', left === 0))
      throw watch.broken('leaks', `${left} abort listeners are left on its signal`, call);
  }
  calls.inFlight--;
  if (!call.owesLate) calls.drop(call);
}
