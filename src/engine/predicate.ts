import { isThenable } from '../definition/standard.ts';
import { InvalidDefinitionError } from '../errors.ts';

/** What a predicate said, or how it failed to. */
export interface Answer {
  readonly says?: unknown;
  readonly fault?: { readonly error: unknown };
}

/** Asks a user's predicate, which is to answer at once: a promise is a fault of it, as a throw is. */
export function ask<A extends readonly unknown[]>(
  name: string,
  predicate: (...args: A) => unknown,
  ...args: A
): Answer {
  try {
    const says = predicate(...args);
    if (!isThenable(says)) return { says };
    new Promise((resolve) => resolve(says)).catch(() => {});
    return fault(name, 'a synchronous answer, got a promise');
  } catch (error) {
    return { fault: { error } };
  }
}

export function fault(path: string, expected: string): Answer {
  return { fault: { error: new InvalidDefinitionError([{ path, message: `expected ${expected}` }]) } };
}
