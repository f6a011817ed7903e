import type { Done } from './shapes.ts';

/** A primary or a provider: the same few functions for every library. */
export type Work = () => Promise<number>;
/** Work that reads its attempt's signal. */
export type AbortableWork = (signal: AbortSignal) => Promise<number>;

const ANSWER = 1;

export const isAnswer = (outcome: unknown): boolean => outcome === ANSWER;

/** Made once: what an error costs to make (its stack) is not what the libraries are compared by. */
export const REJECTION = new Error('down');

/** What has been done so far by all. */
const tally = { answered: 0, rejected: 0 };

export function done(): Done {
  return { ...tally };
}

export const answers: Work = async () => {
  tally.answered++;
  return ANSWER;
};

export const rejects: Work = async () => {
  tally.rejected++;
  throw REJECTION;
};

export const rejectsAfresh: Work = async () => {
  tally.rejected++;
  throw new Error('down');
};

export const answersUnlessAborted: AbortableWork = async (signal) => {
  if (signal.aborted) throw signal.reason;
  tally.answered++;
  return ANSWER;
};

export const rejectsAnyway: AbortableWork = async (signal) => {
  if (signal.aborted) throw signal.reason;
  tally.rejected++;
  throw REJECTION;
};
