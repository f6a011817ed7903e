import { type AnyFunction, isFunction, isText } from '../definition/check.ts';
import {
  type CallSettings,
  readCallOptions,
  readRunOptions,
  readWrapOptions,
  type WrapSettings,
} from '../definition/options.ts';
import { placed, type Request, readRequest, withInput } from '../definition/request.ts';
import { isThenable } from '../definition/standard.ts';
import { EngineClosedError, InvalidInputError, InvalidRequestError, type Where } from '../errors.ts';
import type { Home } from '../memory/machine.ts';
import { quote, show } from '../quote.ts';
import type { RunOptions } from '../types.ts';
import { Attempt, type Failure, failed, follow, isPlainPromise, type Outcome, succeeded } from './attempt.ts';
import { Flight, type Interruption } from './flight.ts';
import type { Call, Flights } from './flights.ts';
import { type Answer, ask } from './predicate.ts';
import { rejected, rejectLater } from './rejected.ts';
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
  /** Where its fallback is, if that is the same for every call. */
  readonly standing: Addressed | undefined;
}

/** A trigger's request, its input still to come, and the fallback that it asks for. */
interface Addressed {
  readonly request: Request;
  readonly home: Home;
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
  const known = tagOf(engine, tag, env, product);
  return {
    ...own,
    tag: known,
    timeout,
    handle,
    standing: standing(engine, { env, product, fallback_tag: known, action: 'trigger', cache, session }),
    limits: (args) => ({ signal: pick(signal, args), deadline: pick(deadline, args), id: pick(id, args) }),
    place: (args) => ({
      env: pick(env, args),
      product: pick(product, args),
      cache: pick(cache, args),
      session: pick(session, args),
    }),
  };
}

/** A place with nothing in it that depends on the call, read once. One that is wrong is told of when it is needed. */
function standing({ registry, defaults }: Engine, asked: Record<string, unknown>): Addressed | undefined {
  if (Object.values(asked).some(isFunction)) return undefined;
  try {
    const request = readRequest(asked, defaults);
    return { request, home: registry.find(request) };
  } catch {
    return undefined;
  }
}

/** A primary that nothing but `close()` can end early: all that has to be paid for while all is well. */
class PlainCall implements Call {
  readonly #flights: Flights;
  readonly #reject: (error: unknown) => void;
  readonly #tag: string;
  readonly #slot: number;
  isOver = false;

  constructor(flights: Flights, reject: (error: unknown) => void, tag: string) {
    this.#flights = flights;
    this.#reject = reject;
    this.#tag = tag;
    this.#slot = flights.enter(this);
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#flights.leave(this.#slot);
  }

  close(): void {
    this.#reject(new EngineClosedError({ tag: this.#tag }));
    this.end();
  }
}

function protectPlainly(engine: Engine, risk: Risk, work: AnyFunction, self: unknown, args: Args): Promise<unknown> {
  const { flights } = engine;
  if (flights.isClosed) return rejected(new EngineClosedError({ tag: risk.tag }));
  let resolve!: (value: unknown) => void;
  let reject!: (error: unknown) => void;
  const answer = new Promise((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  const call = new PlainCall(flights, reject, risk.tag);
  const succeed = (value: unknown) => {
    call.end();
    resolve(value);
  };
  const fail = (error: unknown) => {
    if (call.isOver) return;
    // The flight begins before the call ends: to close(), they are one.
    const flight = new Flight(flights, undefined);
    call.end();
    fallBack({ engine, flight, risk, args, resolve, reject }, failed(error));
  };
  try {
    const result = Reflect.apply(work, self, args);
    if (isPlainPromise(result)) result.then(succeed, fail);
    else if (isThenable(result)) follow(result, succeed, fail);
    else succeed(result);
  } catch (error) {
    fail(error);
  }
  return answer;
}

function protect(engine: Engine, risk: Risk, self: unknown, args: Args): Promise<unknown> {
  try {
    refuseIfClosed(engine);
    const limits = readRunOptions(
      made(risk, () => risk.limits(args)),
      risk,
    );
    const flight = new Flight(engine.flights, limits.id);
    return new Promise((resolve, reject) => {
      primaryFirst({ engine, flight, risk, args, resolve, reject }, limits, self);
    });
  } catch (error) {
    return rejected(error);
  }
}

/** A call of a risk that is under way, and whom to tell how it ends. */
interface Protected {
  readonly engine: Engine;
  readonly flight: Flight;
  readonly risk: Risk;
  readonly args: Args;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

function primaryFirst(call: Protected, { deadline, signal }: RunOptions, self: unknown): void {
  const { engine, flight, risk, resolve } = call;
  const start = engine.clock.now();
  flight.tag = risk.tag;
  flight.limit(deadline, start);
  flight.heed(signal);
  if (flight.isOver(start)) {
    giveUp(call, flight.refusal(flight.interruption as Interruption));
    return;
  }
  const primary = new PrimaryAttempt(call, self);
  primary.watch();
  const conclude = () => {
    const outcome = primary.outcome as Outcome;
    if (outcome.kind === 'succeeded') {
      flight.end();
      resolve(outcome.output);
    } else fallBack(call, outcome);
  };
  primary.begin(risk.timeout, start);
  if (primary.outcome) conclude();
  else primary.onEnd(conclude);
}

function giveUp({ flight, reject }: Protected, error: unknown): void {
  flight.end();
  rejectLater(reject, error);
}

/** The risky call itself: any answer of it will do, and what it does after it was given up on is its own affair. */
class PrimaryAttempt extends Attempt {
  readonly #risk: Risk;
  readonly #self: unknown;
  readonly #args: Args;

  constructor({ flight, risk, args }: Protected, self: unknown) {
    super(flight);
    this.#risk = risk;
    this.#self = self;
    this.#args = args;
  }

  protected override get who(): string {
    return show('primary');
  }

  protected override work(): unknown {
    return this.#risk.work(new PrimaryContext(this), this.#self, this.#args);
  }

  protected override judge(output: unknown): Outcome {
    return succeeded(output);
  }

  protected override late(): void {}
}

/** What the primary of `call` is given. */
class PrimaryContext {
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get id(): string {
    return this.#attempt.flight.id;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }
}

/** Triggers the fallback, which ends the flight. */
function fallBack(call: Protected, { kind, error }: Failure): void {
  const { engine, flight, risk, args, resolve, reject } = call;
  try {
    // The caller's abort never falls back, and after close() there is nothing to fall back to.
    if (kind === 'aborted') throw flight.refusal(flight.interruption as Interruption);
    flight.primary = { error };
    flight.tag = risk.tag;
    const { request, home } = risk.standing ?? addressed(engine, flight, risk, args);
    flight.locate(whereOf(request));
    const handle = risk.handle ?? home.definition.handle;
    const answer: Answer = kind === 'failed' && handle ? ask('handle', handle, error) : { says: true };
    if (!answer.fault && !answer.says) throw error;
    if (answer.fault) flight.met = [answer.fault.error];
    const asked = withInput(request, inputOf(flight, risk, args, error), flight);
    new Trigger(engine, flight, asked, home, engine.clock.now()).settle(({ output }) => resolve(output), reject);
  } catch (thrown) {
    giveUp(call, thrown);
  }
}

/** Where this call's fallback is. */
function addressed(engine: Engine, flight: Flight, risk: Risk, args: Args): Addressed {
  const place = made(flight, () => risk.place(args));
  const request = readRequest({ ...place, fallback_tag: risk.tag, action: 'trigger' }, engine.defaults, flight);
  flight.locate(whereOf(request));
  return { request, home: engine.registry.find(request, flight) };
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
