import type { Context } from '../../../dist/index.js';
import { abort } from './admission-laws.ts';
import { REASONS } from './attempt-laws.ts';
import type { AttemptModel, Call } from './call.ts';
import { Choice } from './random.ts';
import type { Stage } from './stage.ts';

/** What a provider gives: anything, the falsy ones too. */
export const OUTPUTS: readonly unknown[] = [{ receipt: 1 }, 'sent', 0, '', false, null, undefined, Number.NaN];
/** What a provider throws, besides errors. */
const NON_ERRORS: readonly unknown[] = [undefined, null, 0, '', 'overloaded'];

/** An output to be refused, by the schema or by `accept`. */
export class Refusable {
  readonly attempt: AttemptModel;
  readonly call: Call;
  /** `accept` throws this instead of saying no. */
  readonly fault: Error | undefined;

  constructor(attempt: AttemptModel, call: Call, fault: Error | undefined) {
    this.attempt = attempt;
    this.call = call;
    this.fault = fault;
  }
}

/** An error that `handle` takes for the caller's own. It knows its call by number: errors are kept, calls are not. */
export class Declined extends Error {
  readonly number: number;

  constructor(number: number) {
    super(`declined #${number}`);
    this.number = number;
  }
}

/** What a provider does next. */
export type Behaviour = (stage: Stage, call: Call, attempt: AttemptModel, ctx: Context) => unknown;

/** A promise that settles after some milliseconds, and the attempt with it. */
function later(stage: Stage, attempt: AttemptModel, ms: number, isOutput: boolean, value: unknown): Promise<unknown> {
  const { time, clock } = stage;
  attempt.isToSettle = true;
  return new Promise((resolve, reject) => {
    time.setTimeout(() => {
      attempt.come(isOutput ? 'output' : 'error', value, clock.now);
      if (isOutput) resolve(value);
      else reject(value);
    }, ms);
  });
}

function errorOf({ random }: Stage, call: Call): unknown {
  return random.chance(0.8) ? new Error(`provider down, #${call.number}`) : random.pick(NON_ERRORS);
}

const NOW: Behaviour = (stage, _, attempt) => {
  const output = stage.random.pick(OUTPUTS);
  attempt.come('output', output, stage.now);
  return output;
};
const SOON: Behaviour = async (stage, call, attempt, ctx) => NOW(stage, call, attempt, ctx);
const LATER: Behaviour = (stage, _, attempt) => {
  const { random } = stage;
  return later(stage, attempt, random.between(1, 18), true, random.pick(OUTPUTS));
};
/** A thenable that settles twice, the second time otherwise. */
const TWICE: Behaviour = (stage, _, attempt) => {
  attempt.isToSettle = true;
  const output = stage.random.pick(OUTPUTS);
  const settle = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
    attempt.come('output', output, stage.now);
    resolve(output);
    reject(new Error('and yet it failed'));
    resolve('again');
  };
  return Object.fromEntries([['then', settle]]);
};
const THROWING: Behaviour = (stage, call, attempt) => {
  const error = errorOf(stage, call);
  attempt.come('error', error, stage.now);
  throw error;
};
const REJECTING: Behaviour = async (stage, call, attempt, ctx) => THROWING(stage, call, attempt, ctx);
const REJECTING_LATER: Behaviour = (stage, call, attempt) =>
  later(stage, attempt, stage.random.between(1, 18), false, errorOf(stage, call));
/** Beyond its timeout, whatever that is now; and then one way or the other. */
const SLOW: Behaviour = (stage, call, attempt, ctx) => {
  const { random } = stage;
  const timeout = ctx.config.providers[ctx.provider]?.timeout ?? 0;
  const isOutput = random.chance(0.5);
  const value = isOutput ? random.pick(OUTPUTS) : errorOf(stage, call);
  return later(stage, attempt, timeout + random.between(0, 40), isOutput, value);
};
const HANGING: Behaviour = () => new Promise(() => {});
/** Ends only when it is told to. */
const HEEDING: Behaviour = (stage, _, attempt, ctx) =>
  new Promise((_, reject) => {
    attempt.isToSettle = true;
    const leave = () => {
      attempt.come('error', ctx.signal.reason, stage.now);
      reject(ctx.signal.reason);
    };
    ctx.signal.addEventListener('abort', leave, { once: true });
  });
export const DECLINING: Behaviour = (stage, call, attempt) => {
  const error = new Declined(call.number);
  attempt.come('error', error, stage.now);
  throw error;
};
/** The caller leaves while the provider runs; it then throws, or answers. */
export const ABORTING: Behaviour = (stage, call, attempt, ctx) => {
  abort(stage, call, stage.random.pick(REASONS));
  return stage.random.pick([NOW, SOON, LATER, THROWING, REJECTING])(stage, call, attempt, ctx);
};

/** To be refused by the schema, or by `accept`. */
export const UNFIT: Behaviour = (stage, call, attempt) => refusable(stage, call, attempt, undefined);
/** The same, or `accept` throws at it. */
export const UNACCEPTABLE: Behaviour = (stage, call, attempt) =>
  refusable(stage, call, attempt, stage.random.chance(0.2) ? new Error('accept is broken') : undefined);

function refusable({ random, now }: Stage, call: Call, attempt: AttemptModel, fault: Error | undefined): unknown {
  const output = new Refusable(attempt, call, fault);
  attempt.come('refused', output, now);
  return random.chance(0.5) ? output : Promise.resolve(output);
}

export const WELL = new Choice<Behaviour>([
  [30, NOW],
  [30, SOON],
  [30, LATER],
  [10, TWICE],
]);
export const BADLY = new Choice<Behaviour>([
  [20, THROWING],
  [25, REJECTING],
  [25, REJECTING_LATER],
  [15, SLOW],
  [8, HANGING],
  [7, HEEDING],
]);
