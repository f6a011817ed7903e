import type { AnyFunction } from '../definition/check.ts';
import { isThenable } from '../definition/standard.ts';
import { EngineClosedError } from '../errors.ts';
import { failed, follow, isPlainPromise } from './attempt.ts';
import { Flight, type Interruption } from './flight.ts';
import type { Call } from './flights.ts';
import { rejected } from './rejected.ts';
import { rescue } from './rescue.ts';
import type { Addressed, Args, Protected, Risk } from './risk.ts';
import type { Engine } from './run.ts';

/** A primary that nothing but `close()` can end early: all that has to be paid for while all is well. */
class PlainCall implements Call, Protected {
  readonly engine: Engine;
  readonly risk: Risk;
  readonly args: Args;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** There once things have gone wrong. */
  flight!: Flight;
  place: Addressed | undefined = undefined;
  readonly #slot: number;
  #isOver = false;

  constructor(
    engine: Engine,
    risk: Risk,
    args: Args,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.engine = engine;
    this.risk = risk;
    this.args = args;
    this.resolve = resolve;
    this.reject = reject;
    this.#slot = engine.flights.enter(this);
  }

  succeed(value: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.engine.flights.leave(this.#slot);
    this.resolve(value);
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#takeOff();
    rescue(this, failed(error));
  }

  close(): void {
    const flight = this.#takeOff();
    flight.tag = this.risk.tag;
    flight.close();
    const { error } = flight.interruption as Interruption;
    rescue(this, { kind: 'aborted', error });
  }

  #takeOff(): Flight {
    this.#isOver = true;
    this.flight = new Flight(this.engine.flights, undefined, this.#slot);
    return this.flight;
  }
}

/** How to settle the promise made last: its executor is the same for all, where one for each would be paid for by each. */
const settlers: { resolve: (value: unknown) => void; reject: (error: unknown) => void } = { resolve() {}, reject() {} };
function keepSettlers(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}

export function protectPlainly(
  engine: Engine,
  risk: Risk,
  work: AnyFunction,
  self: unknown,
  args: Args,
): Promise<unknown> {
  if (engine.flights.isClosed) return rejected(new EngineClosedError({ tag: risk.tag }));
  const answer = new Promise(keepSettlers);
  const call = new PlainCall(engine, risk, args, settlers.resolve, settlers.reject);
  const succeed = (value: unknown) => call.succeed(value);
  const fail = (error: unknown) => call.fail(error);
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
