import { NotOffered } from './verdict.ts';

/** How a promise stood after a while. */
export type Settled =
  | { readonly kind: 'fulfilled'; readonly value: unknown }
  | { readonly kind: 'rejected'; readonly reason: unknown }
  | { readonly kind: 'pending' };

/** How long a call that has nothing left to wait for may take, on a busy machine: milliseconds. */
export const AT_ONCE = 400;
/** A wait that never ends within a run: milliseconds. */
export const ENDLESS = 1_200_000;

/** What a call comes to within `limit` ms; a synchronous throw counts as a rejection. @throws NotOffered */
export function settle(call: () => unknown, limit = AT_ONCE): Promise<Settled> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve({ kind: 'pending' }), limit);
    const end = (settled: Settled) => {
      clearTimeout(timer);
      resolve(settled);
    };
    new Promise((settled) => settled(call())).then(
      (value) => end({ kind: 'fulfilled', value }),
      (reason: unknown) => {
        // What the library does not have is no outcome of a call.
        if (reason instanceof NotOffered) reject(reason);
        end({ kind: 'rejected', reason });
      },
    );
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether it came to exactly this value. */
export function gave(settled: Settled, value: unknown): boolean {
  return settled.kind === 'fulfilled' && Object.is(settled.value, value);
}

/** Whether it was rejected with exactly this reason. */
export function threw(settled: Settled, reason: unknown): boolean {
  return settled.kind === 'rejected' && Object.is(settled.reason, reason);
}

/** In words that are the same in every run. */
export function told(settled: Settled): string {
  if (settled.kind === 'pending') return 'had not settled';
  return settled.kind === 'fulfilled'
    ? `resolved with ${shown(settled.value)}`
    : `rejected with ${shown(settled.reason)}`;
}

export function shown(value: unknown): string {
  if (value instanceof Error) return `${value.name} “${value.message}”`;
  if (typeof value === 'string') return `“${value}”`;
  if (value instanceof Promise) return 'a promise';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
