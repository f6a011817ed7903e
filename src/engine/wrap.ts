import { type AnyFunction, isFunction } from '../definition/check.ts';
import { readCallOptions, readRunOptions, readWrapOptions } from '../definition/options.ts';
import { placed, readAddress, readRequest } from '../definition/request.ts';
import { isThenable } from '../definition/standard.ts';
import { InvalidInputError, InvalidRequestError, type Where } from '../errors.ts';
import { quote, show } from '../quote.ts';
import { Attempt, failed, type Outcome, succeeded } from './attempt.ts';
import { PrimaryContext } from './context.ts';
import { Flight, type Interruption } from './flight.ts';
import { ask } from './predicate.ts';
import { type Engine, refuseIfClosed, whereOf } from './run.ts';
import { Trigger } from './trigger.ts';

type Args = readonly unknown[];

/** A risky call, its primary, and how to trigger its fallback: all that is the same from call to call. */
interface Risk {
  readonly tag: string;
  readonly timeout: number | null;
  readonly handle: AnyFunction | undefined;
  /** Whether anything but `close()` can end the primary early. */
  readonly isPlain: boolean;
  work(context: PrimaryContext, self: unknown, args: Args): unknown;
  limits(args: Args): unknown;
  place(args: Args): { readonly env: unknown; readonly product: unknown; readonly cache: unknown; readonly session: unknown };
  input(error: unknown, args: Args): unknown;
}

/** The primary with its fallback behind it. @throws InvalidRequestError, UnknownFallbackError, EngineClosedError */
export function wrap(engine: Engine, tag: unknown, primary: unknown, rawOptions: unknown): (this: unknown, ...args: Args) => Promise<unknown> {
  refuseIfClosed(engine);
  const { input, timeout = null, handle, env, product, cache, session, signal, deadline, id } = readWrapOptions(rawOptions);
  const work = functionOf(primary);
  const risk: Risk = {
    tag: tagOf(engine, tag, env, product),
    timeout,
    handle,
    isPlain: timeout === null && signal === undefined && deadline === undefined && id === undefined,
    work: (_, self, args) => Reflect.apply(work, self, args),
    limits: (args) => ({ signal: valueOf(signal, args), deadline: valueOf(deadline, args), id: valueOf(id, args) }),
    place: (args) => ({
      env: valueOf(env, args),
      product: valueOf(product, args),
      cache: valueOf(cache, args),
      session: valueOf(session, args),
    }),
    input: (error, args) => (input ? input(error, ...args) : args[0]),
  };
  return function (...args) {
    return protect(engine, risk, this, args);
  };
}

/** One risky call, here and now. */
export async function call(engine: Engine, tag: unknown, primary: unknown, rawOptions: unknown): Promise<unknown> {
  refuseIfClosed(engine);
  const { input, timeout = null, handle, env, product, cache, session, signal, deadline, id } = readCallOptions(rawOptions);
  const work = functionOf(primary);
  const risk: Risk = {
    tag: tagOf(engine, tag, env, product),
    timeout,
    handle,
    isPlain: false,
    work: (context) => work(context),
    limits: () => ({ signal, deadline, id }),
    place: () => ({ env, product, cache, session }),
    input: () => input,
  };
  return protect(engine, risk, undefined, []);
}

async function protect(engine: Engine, risk: Risk, self: unknown, args: Args): Promise<unknown> {
  refuseIfClosed(engine);
  const limits = risk.isPlain ? undefined : readRunOptions(made(risk, () => risk.limits(args)), risk);
  const flight = new Flight(engine.flights, limits?.id);
  try {
    flight.tag = risk.tag;
    const start = limits ? engine.clock.now() : 0;
    flight.limit(limits?.deadline, start);
    flight.heed(limits?.signal);
    flight.throwIfOver(start);
    let outcome = attemptPrimary(flight, risk, self, args, start);
    if (outcome instanceof Promise) outcome = await outcome;
    if (outcome.kind === 'succeeded') return outcome.output;
    return await fallBack(engine, flight, risk, args, outcome);
  } finally {
    flight.end();
  }
}

function attemptPrimary(flight: Flight, risk: Risk, self: unknown, args: Args, start: number): Outcome | Promise<Outcome> {
  const context = new PrimaryContext(flight);
  const attempt = new Attempt(flight, context, 'the primary');
  let result: unknown;
  try {
    result = risk.work(context, self, args);
  } catch (error) {
    return attempt.end(failed(error));
  }
  return attempt.settle(result, succeeded, risk.timeout, start);
}

async function fallBack(
  engine: Engine,
  flight: Flight,
  risk: Risk,
  args: Args,
  { kind, error }: Exclude<Outcome, { kind: 'succeeded' }>,
): Promise<unknown> {
  // The caller's abort never falls back, and after close() there is nothing to fall back to.
  if (kind === 'aborted') throw flight.refusal(flight.interruption as Interruption);
  flight.primary = { error };
  const place = { fallback_tag: risk.tag, ...made(flight, () => risk.place(args)) };
  const address = readAddress(place, engine.defaults, flight);
  flight.locate(address);
  const home = engine.registry.find({ ...address, id: flight.id, primary: flight.primary });
  const handle = risk.handle ?? home.definition.handle;
  const answer = kind === 'failed' && handle ? ask('handle', handle, error) : { says: true };
  if (!answer.fault && !answer.says) throw error;
  const request = readRequest({ ...place, action: 'trigger', input: inputOf(flight, risk, args, error) }, engine.defaults, flight);
  flight.locate(whereOf(request));
  const met = answer.fault ? [answer.fault.error] : [];
  const { output } = await new Trigger(engine, flight, request, home, engine.clock.now(), met).run();
  return output;
}

/** What the functions among the options make of a call's arguments. */
function made<T>(where: Where, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    const message = `expected functions that make options of the call's arguments, got one that threw ${quote(thrown)}`;
    throw new InvalidRequestError([{ path: 'options', message }], where, [thrown]);
  }
}

function inputOf(flight: Flight, risk: Risk, args: Args, error: unknown): unknown {
  let message: string;
  const thrown: unknown[] = [];
  try {
    const input = risk.input(error, args);
    if (!isThenable(input)) return input;
    new Promise((resolve) => resolve(input)).catch(() => {});
    message = 'got a promise';
  } catch (fault) {
    thrown.push(fault);
    message = `got one that threw ${quote(fault)}`;
  }
  const issue = { path: 'input', message: `expected a function that makes the fallback's input at once, ${message}` };
  throw new InvalidInputError([issue], flight, thrown);
}

/** The tag, if there is such a fallback: better now than on the day the primary fails. */
function tagOf({ registry, defaults }: Engine, tag: unknown, env: unknown, product: unknown): string {
  if (typeof tag !== 'string' || !registry.has(tag)) return registry.refuse({ tag: typeof tag === 'string' ? tag : show(tag) });
  if (isFunction(env) || isFunction(product)) return tag;
  const place = placed({ env, product } as { env?: string; product?: string }, defaults, { tag });
  return registry.find({ tag, ...place }).definition.tag;
}

function functionOf(primary: unknown): AnyFunction {
  if (isFunction(primary)) return primary;
  throw new InvalidRequestError([{ path: 'primary', message: `expected a function, got ${show(primary)}` }]);
}

function valueOf(option: unknown, args: Args): unknown {
  return isFunction(option) ? option(...args) : option;
}
