import { type AnyFunction, isFunction, isText } from '../definition/check.ts';
import {
  Asked,
  type CallSettings,
  readCallOptions,
  readRunOptions,
  readWrapOptions,
  type WrapSettings,
} from '../definition/options.ts';
import { placed } from '../definition/request.ts';
import { type Breaker, doubtsOf, NO_DOUBTS } from '../definition/safety.ts';
import { InvalidRequestError, type Where } from '../errors.ts';
import type { Health } from '../memory/health.ts';
import { show } from '../quote.ts';
import type { RunOptions } from '../types.ts';
import type { Outcome } from './attempt.ts';
import { Flight, type Interruption } from './flight.ts';
import { protectPlainly } from './plain-call.ts';
import { PrimaryAttempt, PrimaryContext } from './primary.ts';
import { rejected } from './rejected.ts';
import { fallBack, type Guard, giveUp, rememberPrimary, rescue } from './rescue.ts';
import {
  type Addressed,
  type Args,
  addressed,
  made,
  type Protected,
  type Risk,
  standing,
  Whereabouts,
} from './risk.ts';
import { type Engine, refuseIfClosed } from './run.ts';

/** The primary with its fallback behind it. @throws InvalidRequestError, UnknownFallbackError, EngineClosedError */
export function wrap(
  engine: Engine,
  tag: unknown,
  primary: unknown,
  rawOptions: unknown,
): (this: unknown, ...args: Args) => Promise<unknown> {
  refuseIfClosed(engine);
  const where = new Asked(rawOptions, tag);
  return wrapped(engine, tag, functionOf(primary, where), readWrapOptions(rawOptions, where));
}

/** The same, of what has been checked. */
export function wrapped(
  engine: Engine,
  tag: unknown,
  work: AnyFunction,
  options: WrapSettings,
): (this: unknown, ...args: Args) => Promise<unknown> {
  const { input } = options;
  const risk = riskOf(engine, tag, options, chosen, {
    work: (_, self, args) => Reflect.apply(work, self, args),
    input: (error, args) => (input ? input(error, ...args) : args[0]),
  });
  const { timeout, signal, deadline, id, breaker } = options;
  const isPlain = (timeout ?? signal ?? deadline ?? id ?? breaker) === undefined && risk.doubts === NO_DOUBTS;
  return isPlain
    ? function (...args) {
        // A fallback defined later may remember what primaries answer.
        if (engine.registry.isRemembering) return protect(engine, risk, this, args);
        return protectPlainly(engine, risk, work, this, args);
      }
    : function (...args) {
        return protect(engine, risk, this, args);
      };
}

/** One risky call, here and now. */
export async function call(engine: Engine, tag: unknown, primary: unknown, rawOptions: unknown): Promise<unknown> {
  refuseIfClosed(engine);
  const where = new Asked(rawOptions, tag);
  return called(engine, tag, functionOf(primary, where), readCallOptions(rawOptions, where));
}

/** The same, of what has been checked. */
export function called(engine: Engine, tag: unknown, work: AnyFunction, options: CallSettings): Promise<unknown> {
  const { input } = options;
  const asGiven = (option: unknown) => option;
  const risk = riskOf(engine, tag, options, asGiven, {
    work: (attempt) => work(new PrimaryContext(attempt)),
    input: () => input,
  });
  return protect(engine, risk, undefined, []);
}

/** What `wrap` and `call` have in common; `pick` makes an option of a call's arguments. */
function riskOf(
  engine: Engine,
  tag: unknown,
  {
    timeout = null,
    handle,
    breaker,
    inDoubt,
    inDoubtWhen,
    verify,
    compensate,
    env,
    product,
    cache,
    session,
    signal,
    deadline,
    id,
  }: Omit<WrapSettings, 'input'> | Omit<CallSettings, 'input'>,
  pick: (option: unknown, args: Args) => unknown,
  own: Pick<Risk, 'work' | 'input'>,
): Risk {
  const known = tagOf(engine, tag, env, product);
  return {
    ...own,
    tag: known,
    timeout,
    handle,
    breaker,
    doubts: doubtsOf({ inDoubt, inDoubtWhen, verify, compensate }, (method) => method),
    standing: standing(engine, { env, product, fallback_tag: known, action: 'trigger', cache, session }),
    limits: (args) => ({ signal: pick(signal, args), deadline: pick(deadline, args), id: pick(id, args) }),
    place: (args) => ({
      env: pick(env, args),
      product: pick(product, args),
      cache: pick(cache, args),
    }),
    session: (args) => pick(session, args),
  };
}

function protect(engine: Engine, risk: Risk, self: unknown, args: Args): Promise<unknown> {
  try {
    refuseIfClosed(engine);
    const where = new Whereabouts(risk, args);
    const limits = readRunOptions(
      made(where, () => risk.limits(args)),
      where,
    );
    const flight = new Flight(engine.flights, limits.id);
    return new Promise((resolve, reject) => {
      const call = { engine, flight, risk, args, resolve, reject };
      try {
        primaryFirst(call, limits, self);
      } catch (error) {
        giveUp(call, error);
      }
    });
  } catch (error) {
    return rejected(error);
  }
}

function primaryFirst(call: Protected, { deadline, signal }: RunOptions, self: unknown): void {
  const { engine, flight, risk, resolve } = call;
  const start = flight.now();
  flight.tag = risk.tag;
  flight.limit(deadline, start);
  flight.heed(signal);
  if (flight.isOver()) {
    giveUp(call, flight.refusal(flight.interruption as Interruption));
    return;
  }
  const guard = risk.breaker && guarded(call, risk.breaker, start);
  if (guard === 'over') return;
  const attempt = new PrimaryAttempt(call, self);
  attempt.watch();
  const conclude = () => {
    const outcome = attempt.outcome as Outcome;
    if (outcome.kind === 'succeeded') {
      guard?.('SUCCEEDED');
      attempt.effect?.use();
      if (engine.registry.isRemembering) rememberPrimary(call, outcome.output);
      flight.end();
      resolve(outcome.output);
    } else rescue(call, outcome, attempt, guard);
  };
  if (!attempt.outcome) attempt.begin(risk.timeout, start);
  if (attempt.outcome) conclude();
  else attempt.onEnd({ resume: conclude });
}

/** Asks the primary's health whether it may be called. If not, the fallback has been triggered. */
function guarded(call: Protected, breaker: Breaker, start: number): Guard | 'over' | undefined {
  const { flight } = call;
  const { memory, clock } = call.engine;
  let place: Addressed;
  let health: Health;
  try {
    place = addressed(call);
    health = memory.healths.primary(memory.settled(place.request, place.home, flight), breaker, start);
  } catch {
    // Where nothing can be known of it, it is called: should it fail, the fallback says why it has no place.
    return undefined;
  }
  const leave = memory.healths.admit(health, Number.POSITIVE_INFINITY, start, flight);
  if (typeof leave === 'string') {
    fallBack(call, place, health.lastError ? health.lastError.error : new Error('the primary is unhealthy'));
    return 'over';
  }
  let isTold = false;
  return (verdict, error) => {
    if (isTold) return;
    isTold = true;
    if (verdict === 'FAILED') health.lastError = { error, token: flight.token };
    memory.healths.settle(leave, verdict, clock.now(), flight);
  };
}

/** The tag, if there is such a fallback: better now than on the day the primary fails. */
function tagOf({ registry, defaults }: Engine, tag: unknown, env: unknown, product: unknown): string {
  if (!isText(tag)) {
    throw new InvalidRequestError([{ path: 'tag', message: `expected a string that is not empty, got ${show(tag)}` }]);
  }
  if (!registry.has(tag)) return registry.refuse({ tag });
  if (isFunction(env) || isFunction(product)) return tag;
  const place = placed({ env, product } as { env?: string; product?: string }, defaults, { tag });
  return registry.find({ tag, ...place }).definition.tag;
}

function functionOf(primary: unknown, where: Where): AnyFunction {
  if (isFunction(primary)) return primary;
  throw new InvalidRequestError([{ path: 'primary', message: `expected a function, got ${show(primary)}` }], where);
}

function chosen(option: unknown, args: Args): unknown {
  return isFunction(option) ? option(...args) : option;
}
