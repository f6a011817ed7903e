import { AttemptTimeoutError, type Context, DeadlineError, type FallbackEvent } from '../../../dist/index.js';
import { abandon, abort } from './admission-laws.ts';
import { AttemptModel, type Call } from './call.ts';
import { configFrom } from './config-model.ts';
import type { Stage } from './stage.ts';
import { checkCutWait, checkWait } from './waits.ts';

/** The plan of a call goes on to `provider`, which is the next one. The one before has had all its attempts, or a reason. */
export function turn(stage: Stage, call: Call, provider: string): void {
  const { watch } = stage;
  endTurn(stage, call);
  call.position++;
  call.isTurnCut = false;
  const expected = call.config?.plan[call.position];
  if (!watch.holds('order', provider === expected)) {
    throw watch.broken('order', `it was the turn of ${expected}, and ${provider} got it`, call);
  }
}

/** Whether a provider's turn may be over: its retries are used up, or something has cut it short. */
function endTurn(stage: Stage, call: Call): void {
  const { watch } = stage;
  if (call.position < 0 || call.isTurnCut) return;
  const last = call.attempts.at(-1);
  const most = 1 + (call.config?.retries.get(last?.provider ?? '') ?? 0);
  // A wait that would pass the deadline is not begun, and how long it would be is the engine's own affair.
  const isOver = last?.attempt === most || call.deadlineAt < Number.POSITIVE_INFINITY;
  if (!watch.holds('bounds', isOver)) {
    throw watch.broken('bounds', `${last?.provider} got ${last?.attempt} attempts of ${most}, for no reason`, call);
  }
}

/** All of the plan has been tried: there is nothing left but to fail. */
export function endPlan(stage: Stage, call: Call): void {
  const { watch, now } = stage;
  if (now >= call.deadlineAt) {
    checkCutWait(stage, call);
    return;
  }
  endTurn(stage, call);
  if (!watch.holds('order', call.position + 1 === call.config?.plan.length)) {
    throw watch.broken(
      'order',
      `it failed with ${call.position + 1} of ${call.config?.plan.length} providers tried`,
      call,
    );
  }
}

export function started(stage: Stage, call: Call, { provider, attempt }: FallbackEvent<'attempt-started'>): void {
  const { watch, now } = stage;
  if (!watch.holds('attempts', !call.open)) throw watch.broken('attempts', 'two attempts are under way at once', call);
  const isGoingOn = call.isAdmitted && !call.isSettled && call.verdict === undefined && call.decision === undefined;
  const isCut = call.abortedAt !== undefined || now >= call.deadlineAt || call.host.isInterrupted;
  if (!watch.holds('bounds', isGoingOn && !isCut)) {
    throw watch.broken('bounds', `${provider} was started after the end, an abort, the deadline or the close`, call);
  }
  if (attempt === 1) turn(stage, call, provider);
  else {
    const before = call.attempts.at(-1);
    const most = 1 + (call.config?.retries.get(provider) ?? 0);
    const isNext = before?.provider === provider && before.attempt + 1 === attempt && !call.isTurnCut;
    if (!watch.holds('bounds', isNext && attempt <= most)) {
      throw watch.broken('bounds', `attempt ${attempt} of ${most} on ${provider} after ${before?.provider}`, call);
    }
  }
  checkWait(stage, call, provider, attempt);
  call.open = new AttemptModel(provider, attempt, now);
  call.attempts.push(call.open);
  if (call.abortsOn === 'start' && stage.random.chance(0.5)) abort(stage, call, stage.random.pick(REASONS));
}

/** What a caller aborts with; nothing: the platform's own reason. */
export const REASONS: readonly unknown[] = [undefined, 0, '', null, new Error('the user has left')];

/** The provider is being called: for an attempt that was announced, and with a true context. */
export function entered(stage: Stage, call: Call, ctx: Context): AttemptModel {
  const { watch, now } = stage;
  const { open } = call;
  const isAnnounced = open?.provider === ctx.provider && open.attempt === ctx.attempt && !open.isEntered;
  if (!open || !watch.holds('attempts', isAnnounced)) {
    throw watch.broken('attempts', `${ctx.provider} #${ctx.attempt} was called without an attempt-started`, call);
  }
  open.isEntered = true;
  if (!watch.holds('bounds', call.abortedAt === undefined && now < call.deadlineAt && !call.fault)) {
    throw watch.broken('bounds', `${ctx.provider} was called after an abort, a deadline or a fault of its when`, call);
  }
  const { fallback_tag: tag, env, product } = call.machine.address;
  const isOwn = ctx.tag === tag && ctx.env === env && ctx.product === product && ctx.id === call.id;
  const isTrue = ctx.previous.length === call.records.length && ctx.remaining() === call.deadlineAt - now;
  if (!watch.holds('events', isOwn && isTrue)) {
    throw watch.broken(
      'events',
      `a context of ${ctx.id}, with ${ctx.remaining()} ms and ${ctx.previous.length} before`,
      call,
    );
  }
  const { session } = ctx;
  const isSame = session?.tag === call.session?.tag && session?.token === call.session?.token;
  if (!watch.holds('events', isSame)) throw watch.broken('events', 'the session is another', call);
  enteredWith(stage, call, ctx);
  return open;
}

function enteredWith(stage: Stage, call: Call, { config }: Context): void {
  const { watch, sameConfigs } = stage;
  if (call.config === undefined || sameConfigs.get(config) === call.config) return;
  const { signature } = configFrom(call.machine.unit.home.facts, config);
  if (!watch.holds('config', signature === call.config.signature)) {
    throw watch.broken('config', `it started with ${call.config.signature}, and a provider got ${signature}`, call);
  }
  sameConfigs.set(config, call.config);
}

export function ended(stage: Stage, call: Call, event: FallbackEvent<'attempt-ended'>): void {
  const { watch, now } = stage;
  const { provider, attempt, outcome, error, duration } = event;
  const { open } = call;
  if (!open || !watch.holds('attempts', open.provider === provider && open.attempt === attempt)) {
    throw watch.broken('attempts', `${provider} #${attempt} has ended, and had not started`, call);
  }
  call.open = undefined;
  open.endedAt = now;
  if (!watch.holds('events', duration === now - open.startedAt)) {
    throw watch.broken(
      'events',
      `${provider} #${attempt} took ${now - open.startedAt} ms, and ${duration} are told`,
      call,
    );
  }
  stage.figures.add('attempt', outcome);
  const isGivenUp = outcome === 'timed-out' || outcome === 'aborted';
  if (isGivenUp) open.doubt = open.isEntered ? outcome : undefined;
  else if (outcome === 'failed' && open.came === 'refused') open.doubt = 'refused';
  if (!watch.holds('attempts', isGivenUp || !open.isLateHeard)) {
    throw watch.broken('attempts', `${provider} #${attempt} is told to have settled late, and in time`, call);
  }
  if (outcome === 'succeeded') succeeded(stage, call, open);
  else if (outcome === 'failed') failed(stage, call, open, error);
  else givenUp(stage, call, open, outcome, error);
  call.records.push({ provider, attempt, outcome, error });
  if (outcome === 'aborted') abandon(stage, call);
  if (outcome === 'aborted' || outcome === 'succeeded') return;
  call.errors.push(error);
  remember(stage, call, error);
  if (call.abortsOn === 'failure' && stage.random.chance(0.7)) {
    stage.time.setTimeout(() => abort(stage, call, stage.random.pick(REASONS)), 1);
  }
}

/** The last provider error is the machine's, while the call belongs to it. */
function remember(stage: Stage, { host, machine, generation, life }: Call, error: unknown): void {
  if (host !== stage.host || life !== host.life) return;
  machine.catchUp();
  if (machine.generation !== generation) return;
  machine.hasLastError = true;
  machine.lastError = error;
}

function succeeded(stage: Stage, call: Call, open: AttemptModel): void {
  const { watch, now } = stage;
  const { value } = call.machine.unit.home.facts.providers.find(({ name }) => name === open.provider) ?? {};
  if (value !== undefined) open.come('output', value, now);
  if (!watch.holds('errors', open.came === 'output')) {
    throw watch.broken('errors', `${open.provider} succeeded, and came to ${open.came ?? 'nothing'}`, call);
  }
  if (!watch.holds('settles', open.doneAt === now)) {
    throw watch.broken('settles', `${open.provider} succeeded at ${open.doneAt}, and is heard of only now`, call);
  }
}

function failed(stage: Stage, call: Call, open: AttemptModel, error: unknown): void {
  const { watch, now } = stage;
  const { fault } = call;
  call.fault = undefined;
  if (fault) {
    call.isTurnCut = true;
    if (!watch.holds('errors', Object.is(error, fault.error))) {
      throw watch.broken('errors', `a predicate threw ${String(fault.error)}, and ${String(error)} is told`, call);
    }
    return;
  }
  const isIts = open.came === 'error' ? Object.is(error, open.value) : error instanceof TypeError;
  if (!watch.holds('errors', isIts && open.came !== undefined && open.came !== 'output')) {
    throw watch.broken('errors', `${open.provider} came to ${open.came ?? 'nothing'}, told is ${String(error)}`, call);
  }
  if (!watch.holds('settles', open.doneAt === now)) {
    throw watch.broken('settles', `${open.provider} failed at ${open.doneAt}, and is heard of only now`, call);
  }
}

function givenUp(stage: Stage, call: Call, open: AttemptModel, outcome: string, error: unknown): void {
  const { watch, now } = stage;
  open.isGivenUp = true;
  if (outcome === 'aborted') {
    const isDue = call.abortedAt === now || call.host.endsAt === now;
    if (!watch.holds('settles', isDue))
      throw watch.broken('settles', `${open.provider} was aborted, and by nobody`, call);
    return;
  }
  const timeout = call.config?.timeouts.get(open.provider) ?? Number.POSITIVE_INFINITY;
  const isDeadline = error instanceof DeadlineError && now === call.deadlineAt;
  const isTimeout = error instanceof AttemptTimeoutError && error.timeout === timeout;
  if (!watch.holds('settles', isDeadline || (isTimeout && now === open.startedAt + timeout))) {
    const due = Math.min(open.startedAt + timeout, call.deadlineAt);
    throw watch.broken('settles', `${open.provider} timed out, due at ${due}, with ${String(error)}`, call);
  }
}

/**
 * An attempt that was given up on has settled, as its provider says. Told once; and, where both happened within one stretch
 * of code, before its end is told.
 */
export function late(stage: Stage, call: Call, event: FallbackEvent<'late'>): void {
  const { watch, figures } = stage;
  const attempt = call.attempts.find(
    ({ provider, attempt, isLateHeard }) => provider === event.provider && attempt === event.attempt && !isLateHeard,
  );
  const outcome = attempt?.came === 'error' ? 'rejected' : 'fulfilled';
  const isOver = attempt?.isGivenUp || (attempt === call.open && attempt?.doneAt === stage.now);
  const isTrue = isOver && attempt?.doneAt !== undefined && event.outcome === outcome;
  if (!attempt || !watch.holds('attempts', isTrue)) {
    throw watch.broken('attempts', `${event.provider} #${event.attempt} has ${event.outcome} late, it is said`, call);
  }
  if (!watch.holds('errors', outcome === 'fulfilled' || Object.is(event.error, attempt.value))) {
    throw watch.broken('errors', `${event.provider} rejected late, with another error`, call);
  }
  attempt.isLateHeard = true;
  figures.add('and', 'late settlements');
  if (!attempt.isGivenUp) figures.add('and', 'late settlements told before the end');
  if (call.isSettled && !call.owesLate) stage.calls.drop(call);
}
