import { type AnyFunction, isFunction, isText } from '../definition/check.ts';
import { inputFor, type Request, readRequest } from '../definition/request.ts';
import type { Breaker, Doubts } from '../definition/safety.ts';
import { isThenable } from '../definition/standard.ts';
import { InvalidInputError, InvalidRequestError, type Where } from '../errors.ts';
import type { Home } from '../memory/machine.ts';
import { quote } from '../quote.ts';
import type { Attempt } from './attempt.ts';
import type { Flight } from './flight.ts';
import { disregard } from './predicate.ts';
import type { Engine } from './run.ts';

export type Args = readonly unknown[];

/** A risky call, its primary, and how to trigger its fallback: all that is the same from call to call. */
export interface Risk {
  readonly tag: string;
  readonly timeout: number | null;
  readonly handle: AnyFunction | undefined;
  readonly breaker: Breaker | undefined;
  readonly doubts: Doubts;
  work(attempt: Attempt, self: unknown, args: Args): unknown;
  limits(args: Args): unknown;
  session(args: Args): unknown;
  place(args: Args): { readonly env: unknown; readonly product: unknown; readonly cache: unknown };
  input(error: unknown, args: Args): unknown;
  /** Where its fallback is, if that is the same for every call. */
  readonly standing: Addressed | undefined;
}

/** A trigger's request, its input still to come, and the fallback that it asks for. */
export interface Addressed {
  readonly request: Request;
  readonly home: Home;
}

/** A call of a risk that is under way, and whom to tell how it ends. */
export interface Protected {
  readonly engine: Engine;
  readonly flight: Flight;
  readonly risk: Risk;
  readonly args: Args;
  resolve(output: unknown): void;
  reject(error: unknown): void;
  /** Once that has been asked. */
  place?: Addressed | undefined;
}

/** A place with nothing in it that depends on the call, read once. One that is wrong is told of when it is needed. */
export function standing({ registry, defaults }: Engine, asked: Record<string, unknown>): Addressed | undefined {
  if (Object.values(asked).some(isFunction)) return undefined;
  try {
    const request = readRequest(asked, defaults);
    return { request, home: registry.find(request) };
  } catch {
    return undefined;
  }
}

/** Where this call's fallback is; its flight knows it from now on. */
export function addressed(call: Protected): Addressed {
  const { engine, flight, risk, args } = call;
  const known = risk.standing ?? call.place;
  if (known) {
    flight.locate(known.request);
    return known;
  }
  const session = made(flight, () => risk.session(args));
  // From here on nothing that goes wrong may show it.
  flight.token = tokenOf(() => session);
  const place = made(flight, () => risk.place(args));
  const asked = { ...place, session, fallback_tag: risk.tag, action: 'trigger' };
  const request = readRequest(asked, engine.defaults, flight);
  flight.locate(request);
  call.place = { request, home: engine.registry.find(request, flight) };
  return call.place;
}

/** As much of where as is known before the call has a flight; its token is asked for only where something is told. */
export class Whereabouts implements Where {
  readonly tag: string;
  readonly #risk: Risk;
  readonly #args: Args;

  constructor(risk: Risk, args: Args) {
    this.tag = risk.tag;
    this.#risk = risk;
    this.#args = args;
  }

  get token(): string | undefined {
    return tokenOf(() => this.#risk.session(this.#args));
  }
}

function tokenOf(make: () => unknown): string | undefined {
  try {
    const { token } = Object(make()) as { readonly token?: unknown };
    return isText(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

/** What the functions among the options make of a call's arguments. */
export function made<T>(where: Where, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    const message = `expected functions that make options of the call's arguments, got one that threw ${quote(thrown)}`;
    throw new InvalidRequestError([{ path: 'options', message }], where, [thrown]);
  }
}

/** The trigger's input, which is made of the primary's error. */
export function asked({ flight, risk, args }: Protected, request: Request, error: unknown): unknown {
  return inputFor(request, inputOf(flight, risk, args, error), flight);
}

function inputOf(flight: Flight, risk: Risk, args: Args, error: unknown): unknown {
  let message: string;
  const thrown: unknown[] = [];
  try {
    const input = risk.input(error, args);
    if (!isThenable(input)) return input;
    disregard(input);
    message = 'got a promise';
  } catch (fault) {
    thrown.push(fault);
    message = `got one that threw ${quote(fault)}`;
  }
  const issue = { path: 'input', message: `expected a function that makes the fallback's input at once, ${message}` };
  throw new InvalidInputError([issue], flight, thrown);
}
