import type { Doubts } from '../definition/safety.ts';
import type { EventFacts } from '../events.ts';
import type { Failure } from './attempt.ts';
import { type Answer, ask } from './predicate.ts';

export type Because = EventFacts['in-doubt']['because'];

interface Doubt {
  readonly because?: Because;
  readonly fault?: Answer['fault'];
}

/**
 * Why an attempt may have done its work although it failed; no `because`: it has not. A `fault` is that of `inDoubtWhen`,
 * which counts as a yes.
 */
export function doubtOf(failure: Failure, { inDoubtWhen }: Doubts): Doubt {
  if (failure.kind !== 'failed') return { because: failure.kind };
  if (failure.isDone) return { because: 'refused' };
  if (!inDoubtWhen) return NONE;
  const { says, fault } = ask('inDoubtWhen', inDoubtWhen, failure.error);
  return fault || says ? { because: 'error', fault } : NONE;
}

const NONE: Doubt = {};
