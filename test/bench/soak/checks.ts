import type { SessionVerifier, StandardSchema } from '../../../dist/index.js';
import { begin } from './admission-laws.ts';
import type { Call } from './call.ts';
import type { Stage } from './stage.ts';

/** A verifier, a schema: what a trigger has to pass. Each knows its call by the number in the token or the input. */
export function checksOf(stage: Stage) {
  const checkInput: StandardSchema['~standard']['validate'] = (value) => {
    const call = callOf(stage, (value as { n: number }).n);
    begin(stage, call);
    const isRefused = stage.random.chance(0.01);
    const verdict = isRefused ? { issues: [{ message: 'expected another input' }] } : { value };
    const conclude = () => refuse(call, isRefused && 'input', verdict);
    return call.machine.unit.home.facts.input === 'async' ? soon(stage, conclude) : decide(call, conclude);
  };
  const verify = (token: string, isAsync: boolean) => {
    const call = callOf(stage, Number(token.slice('token-'.length)));
    if (call.kind === 'update' || call.kind === 'reset') return { user: 'operator' };
    begin(stage, call);
    const isRefused = stage.random.chance(0.03);
    const conclude = () => {
      refuse(call, isRefused && 'session', undefined);
      if (isRefused) throw new Error(`no such session: ${token}`);
      return { user: call.number };
    };
    return isAsync ? soon(stage, conclude) : decide(call, conclude);
  };
  const sessions: Record<string, SessionVerifier> = {
    user: (token) => verify(token, false),
    device: (token) => verify(token, true),
  };
  return { checkInput, sessions };
}

function callOf({ calls, watch }: Stage, number: number): Call {
  return calls.numbered(number) ?? watch.broken('events', `a check was asked for call ${number}, which is over`);
}

function refuse<T>(call: Call, refusal: 'input' | 'session' | false, verdict: T): T {
  if (refusal) call.refusal = refusal;
  return verdict;
}

/** Refused at once, nothing that its caller does can come before. */
function decide<T>(call: Call, conclude: () => T): T {
  try {
    return conclude();
  } finally {
    if (call.refusal && call.abortedAt === undefined) call.decision = 'invalid';
  }
}

/** In a microtask, or in some milliseconds. */
async function soon<T>({ random, time }: Stage, conclude: () => T): Promise<T> {
  if (random.chance(0.5)) await new Promise<void>((resolve) => time.setTimeout(resolve, random.between(0, 6)));
  else await undefined;
  return conclude();
}
