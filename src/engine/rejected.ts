/**
 * Rejects once the promise's owner can have heard of it: a promise that is rejected before it is handed out counts as
 * unhandled at first, and taking that back costs the runtime more than all the rest of a refusal.
 */
export function rejectLater(reject: (error: unknown) => void, error: unknown): void {
  SETTLED.then(() => reject(error));
}

const SETTLED = Promise.resolve();

export function rejected(error: unknown): Promise<never> {
  return new Promise((_, reject) => rejectLater(reject, error));
}
