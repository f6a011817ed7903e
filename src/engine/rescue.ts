import type { Checked } from '../definition/check.ts';
import { isThenable, validate } from '../definition/standard.ts';
import { InDoubtError } from '../errors.ts';
import type { StandardSchema } from '../types.ts';
import type { Failure, Outcome } from './attempt.ts';
import { type Because, doubtOf } from './doubt.ts';
import type { Interruption } from './flight.ts';
import { type Answer, ask } from './predicate.ts';
import { inputOf, type PrimaryAttempt } from './primary.ts';
import { keysOf, remember } from './recollection.ts';
import { rejectLater } from './rejected.ts';
import { type Addressed, addressed, asked, type Protected } from './risk.ts';
import { Trigger } from './trigger.ts';
import { NOT_DONE } from './verification.ts';

/** Tells the primary's health how it went. */
export type Guard = (verdict: 'SUCCEEDED' | 'FAILED' | 'ABANDONED', error?: unknown) => void;

/**
 * The primary has failed: what then; the flight ends with it.
 *
 * @param attempt `undefined`: its work has been asked for, and nothing is to be done about its effect
 */
export function rescue(call: Protected, failure: Failure, attempt?: PrimaryAttempt, guard?: Guard): void {
  const { engine, flight, risk } = call;
  const { kind, error } = failure;
  try {
    // The caller's abort never falls back, and after close() there is nothing to fall back to.
    if (kind === 'aborted') {
      guard?.('ABANDONED');
      const isHeard = engine.events.wants('in-doubt') && attempt?.isBegun !== false;
      if (isHeard || attempt?.effect) locate(call);
      if (isHeard) tellDoubt(call, 'aborted', error);
      attempt?.effect?.drop();
      throw flight.refusal(flight.interruption as Interruption);
    }
    flight.primary = { error };
    flight.tag = risk.tag;
    const place = addressed(call);
    const handle = risk.handle ?? place.home.definition.handle;
    const answer: Answer = kind === 'failed' && handle ? ask('handle', handle, error) : { says: true };
    const isTheirs = !answer.fault && !answer.says;
    guard?.(isTheirs ? 'ABANDONED' : 'FAILED', error);
    if (isTheirs) throw error;
    if (answer.fault) flight.met = [answer.fault.error];
    if (!attempt || !resolveDoubt(call, place, failure, attempt)) fallBack(call, place, error);
  } catch (thrown) {
    guard?.('ABANDONED');
    attempt?.effect?.drop();
    giveUp(call, thrown);
  }
}

/** Triggers the fallback; `error` is what the primary met, now or when last called. */
export function fallBack(call: Protected, { request, home }: Addressed, error: unknown): void {
  const { engine, flight, resolve, reject } = call;
  try {
    const input = asked(call, request, error);
    flight.pass();
    const trigger = new Trigger(engine, flight, request, input, home);
    trigger.settle(({ output }) => resolve(output), reject);
  } catch (thrown) {
    giveUp(call, thrown);
  }
}

/** The primary's answer is a good one, too, for the providers that give the last of them again, if the schema of outputs takes it. */
export function rememberPrimary(call: Protected, output: unknown): void {
  try {
    const { request, home } = addressed(call);
    if (!home.definition.remembers) return;
    const at = call.engine.clock.now();
    const input = asked(call, request, undefined);
    const keep = ([asking, answer]: readonly Checked<unknown>[]) => {
      if (!asking || !answer || asking.issues || answer.issues) return;
      const keys = keysOf({ tools: call.engine, request, home, input: asking.value });
      remember(call.engine, home, keys, { provider: 'primary', output: answer.value, at });
    };
    const both = [parsed(home.definition.input, input), parsed(home.definition.output, output)] as const;
    if (both.some(isThenable)) Promise.all(both).then(keep, () => {});
    else keep(both as readonly Checked<unknown>[]);
  } catch {
    // What has no input of its own has no key to be remembered by.
  }
}

function parsed(schema: StandardSchema | undefined, value: unknown): Checked<unknown> | PromiseLike<Checked<unknown>> {
  return schema ? validate(schema, value) : { value };
}

export function giveUp({ flight, reject }: Protected, error: unknown): void {
  flight.end();
  rejectLater(reject, error);
}

/** Whether the primary is in such doubt that nothing is triggered, or not yet. @throws InDoubtError */
function resolveDoubt(call: Protected, place: Addressed, failure: Failure, attempt: PrimaryAttempt): boolean {
  const { risk, flight, engine } = call;
  const { doubts } = risk;
  const { because, fault } = doubtOf(failure, doubts);
  flight.pass();
  if (fault) flight.met = [...(flight.met ?? []), fault.error];
  if (because) tellDoubt(call, because, failure.error);
  if (!because || doubts.inDoubt === 'next') {
    attempt.effect?.drop();
    return false;
  }
  if (doubts.inDoubt === 'stop' || flight.isOver()) {
    attempt.effect?.drop();
    throw new InDoubtError('primary', [], [], flight);
  }
  const verification = attempt.verification();
  const conclude = () => concludeVerification(call, place, failure, attempt, verification.outcome as Outcome);
  verification.watch();
  verification.begin(risk.timeout, engine.clock.now());
  if (verification.outcome) conclude();
  else verification.onEnd({ resume: conclude });
  return true;
}

function concludeVerification(
  call: Protected,
  place: Addressed,
  { error }: Failure,
  { effect }: PrimaryAttempt,
  outcome: Outcome,
): void {
  const { flight, resolve } = call;
  if (outcome.kind === 'succeeded' && outcome.output !== NOT_DONE) {
    effect?.use();
    if (call.engine.registry.isRemembering) rememberPrimary(call, outcome.output);
    flight.end();
    resolve(outcome.output);
    return;
  }
  effect?.drop();
  if (outcome.kind === 'succeeded') fallBack(call, place, error);
  else if (outcome.kind === 'aborted') giveUp(call, flight.refusal(flight.interruption as Interruption));
  else giveUp(call, new InDoubtError('primary', [outcome.error], [], flight));
}

/** What is told of it from now on has a place, and no token: events of what it did may come long after. */
function locate(call: Protected): void {
  try {
    addressed(call);
  } catch {
    // Aborted before it was known where its fallback is, which is nowhere.
  }
}

function tellDoubt(call: Protected, because: Because, error: unknown): void {
  const { engine, flight, args } = call;
  if (flight.env === undefined || !engine.events.wants('in-doubt')) return;
  const facts = { provider: 'primary', attempt: 1, because, input: inputOf(args), error };
  engine.events.emit('in-doubt', flight, facts);
}
