import { isThenable } from '../definition/standard.ts';
import { InvalidDefinitionError } from '../errors.ts';

/** What a predicate said, or how it failed to. */
export interface Answer {
  readonly says?: unknown;
  readonly fault?: { readonly error: unknown };
}

/** What is said where there is nobody to ask. */
export const YES: Answer = { says: true };

/** Asks a user's predicate, which is to answer at once: a promise is a fault of it, as a throw is. */
export function ask<A extends readonly unknown[]>(
  name: string,
  predicate: (...args: A) => unknown,
  ...args: A
): Answer {
  try {
    const says = predicate(...args);
    if (!isThenable(says)) return { says };
    disregard(says);
    return fault(name, 'a synchronous answer, got a promise');
  } catch (error) {
    return { fault: { error } };
  }
}

/** Nobody waits for it; should it reject, that is handled. */
export function disregard(promised: PromiseLike<unknown>): void {
  new Promise((resolve) => resolve(promised)).catch(() => {});
}

export function fault(path: string, expected: string): Answer {
  return { fault: { error: new InvalidDefinitionError([{ path, message: `expected ${expected}` }]) } };
}
