import { type AnyFunction, isFunction, isText } from '../definition/check.ts';
import {
  type CallSettings,
  readCallOptions,
  readRunOptions,
  readWrapOptions,
  type WrapSettings,
} from '../definition/options.ts';
import { placed, readRequest, withInput } from '../definition/request.ts';
import { isThenable } from '../definition/standard.ts';
import { EngineClosedError, InvalidInputError, InvalidRequestError, type Where } from '../errors.ts';
import { quote, show } from '../quote.ts';
import { Attempt, type Failure, failed, follow, type Outcome, succeeded } from './attempt.ts';
import { PrimaryContext } from './context.ts';
import { Flight, type Interruption } from './flight.ts';
import { type Flights, Link } from './flights.ts';
import { type Answer, ask } from './predicate.ts';
import { type Engine, refuseIfClosed, whereOf } from './run.ts';
import { Trigger } from './trigger.ts';

type Args = readonly unknown[];

/** A risky call, its primary, and how to trigger its fallback: all that is the same from call to call. */
interface Risk {
  readonly tag: string;
  readonly timeout: number | null;
  readonly handle: AnyFunction | undefined;
  work(context: PrimaryContext, self: unknown, args: Args): unknown;
  limits(args: Args): unknown;
  place(args: Args): {
    readonly env: unknown;
    readonly product: unknown;
    readonly cache: unknown;
    readonly session: unknown;
  };
  input(error: unknown, args: Args): unknown;
}

/** The primary with its fallback behind it. @throws InvalidRequestError, UnknownFallbackError, EngineClosedError */
export function wrap(
  engine: Engine,
  tag: unknown,
  primary: unknown,
  rawOptions: unknown,
): (this: unknown, ...args: Args) => Promise<unknown> {
  refuseIfClosed(engine);
  const options = readWrapOptions(rawOptions);
  const { input } = options;
  const work = functionOf(primary);
  const risk = riskOf(engine, tag, options, chosen, {
    work: (_, self, args) => Reflect.apply(work, self, args),
    input: (error, args) => (input ? input(error, ...args) : args[0]),
  });
  const { timeout, signal, deadline, id } = options;
  const isPlain = (timeout ?? signal ?? deadline ?? id) === undefined;
  return isPlain
    ? function (...args) {
        return protectPlainly(engine, risk, work, this, args);
      }
    : function (...args) {
        return protect(engine, risk, this, args);
      };
}

/** One risky call, here and now. */
export async function call(engine: Engine, tag: unknown, primary: unknown, rawOptions: unknown): Promise<unknown> {
  refuseIfClosed(engine);
  const options = readCallOptions(rawOptions);
  const { input } = options;
  const work = functionOf(primary);
  const asGiven = (option: unknown) => option;
  const risk = riskOf(engine, tag, options, asGiven, { work: (context) => work(context), input: () => input });
  return protect(engine, risk, undefined, []);
}

/** What `wrap` and `call` have in common; `pick` makes an option of a call's arguments. */
function riskOf(
  engine: Engine,
  tag: unknown,
  {
    timeout = null,
    handle,
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
  return {
    ...own,
    tag: tagOf(engine, tag, env, product),
    timeout,
    handle,
    limits: (args) => ({ signal: pick(signal, args), deadline: pick(deadline, args), id: pick(id, args) }),
    place: (args) => ({
      env: pick(env, args),
      product: pick(product, args),
      cache: pick(cache, args),
      session: pick(session, args),
    }),
  };
}

/** A primary that nothing but `close()` can end early: all that has to be paid for while all is well. */
class PlainCall extends Link {
  readonly #flights: Flights;
  readonly #reject: (error: unknown) => void;
  readonly #tag: string;
  isOver = false;

  constructor(flights: Flights, reject: (error: unknown) => void, tag: string) {
    super();
    this.#flights = flights;
    this.#reject = reject;
    this.#tag = tag;
    flights.add(this);
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#flights.remove(this);
  }

  override close(): void {
    this.#reject(new EngineClosedError({ tag: this.#tag }));
    this.end();
  }
}

function protectPlainly(engine: Engine, risk: Risk, work: AnyFunction, self: unknown, args: Args): Promise<unknown> {
  if (engine.flights.isClosed) return Promise.reject(new EngineClosedError({ tag: risk.tag }));
  return new Promise((resolve, reject) => {
    const call = new PlainCall(engine.flights, reject, risk.tag);
    const succeed = (value: unknown) => {
      call.end();
      resolve(value);
    };
    const fail = (error: unknown) => {
      if (call.isOver) return;
      // The flight begins before the call ends: to close(), they are one.
      resolve(
        inFlight(new Flight(engine.flights, undefined), (flight) =>
          fallBack(engine, flight, risk, args, failed(error)),
        ),
      );
      call.end();
    };
    try {
      const result = Reflect.apply(work, self, args);
      if (isThenable(result)) follow(result, succeed, fail);
      else succeed(result);
    } catch (error) {
      fail(error);
    }
  });
}

function protect(engine: Engine, risk: Risk, self: unknown, args: Args): Promise<unknown> {
  try {
    refuseIfClosed(engine);
    const limits = readRunOptions(
      made(risk, () => risk.limits(args)),
      risk,
    );
    return inFlight(new Flight(engine.flights, limits.id), async (flight) => {
      const start = engine.clock.now();
      flight.tag = risk.tag;
      flight.limit(limits.deadline, start);
      flight.heed(limits.signal);
      flight.throwIfOver(start);
      let outcome = attemptPrimary(flight, risk, self, args, start);
      if (outcome instanceof Promise) outcome = await outcome;
      return outcome.kind === 'succeeded' ? outcome.output : fallBack(engine, flight, risk, args, outcome);
    });
  } catch (error) {
    return Promise.reject(error);
  }
}

async function inFlight(flight: Flight, work: (flight: Flight) => Promise<unknown>): Promise<unknown> {
  try {
    return await work(flight);
  } finally {
    flight.end();
  }
}

function attemptPrimary(
  flight: Flight,
  risk: Risk,
  self: unknown,
  args: Args,
  start: number,
): Outcome | Promise<Outcome> {
  const context = new PrimaryContext(flight);
  const attempt = new Attempt(flight, context, 'primary');
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
  { kind, error }: Failure,
): Promise<unknown> {
  // The caller's abort never falls back, and after close() there is nothing to fall back to.
  if (kind === 'aborted') throw flight.refusal(flight.interruption as Interruption);
  flight.primary = { error };
  flight.tag = risk.tag;
  const { env, product, cache, session } = made(flight, () => risk.place(args));
  const asked = { env, product, fallback_tag: risk.tag, action: 'trigger', cache, session };
  const place = readRequest(asked, engine.defaults, flight);
  flight.locate(whereOf(place));
  const home = engine.registry.find(place, flight);
  const handle = risk.handle ?? home.definition.handle;
  const answer: Answer = kind === 'failed' && handle ? ask('handle', handle, error) : { says: true };
  if (!answer.fault && !answer.says) throw error;
  if (answer.fault) flight.met = [answer.fault.error];
  const request = withInput(place, inputOf(flight, risk, args, error), flight);
  const { output } = await new Trigger(engine, flight, request, home, engine.clock.now()).run();
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
  if (!isText(tag)) {
    throw new InvalidRequestError([{ path: 'tag', message: `expected a string that is not empty, got ${show(tag)}` }]);
  }
  if (!registry.has(tag)) return registry.refuse({ tag });
  if (isFunction(env) || isFunction(product)) return tag;
  const place = placed({ env, product } as { env?: string; product?: string }, defaults, { tag });
  return registry.find({ tag, ...place }).definition.tag;
}

function functionOf(primary: unknown): AnyFunction {
  if (isFunction(primary)) return primary;
  throw new InvalidRequestError([{ path: 'primary', message: `expected a function, got ${show(primary)}` }]);
}

function chosen(option: unknown, args: Args): unknown {
  return isFunction(option) ? option(...args) : option;
}
