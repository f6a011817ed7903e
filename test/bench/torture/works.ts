import type { Context, Work } from './idioms/idiom.ts';

/** A provider, and how often it was called. */
export interface Counted {
  readonly work: Work;
  readonly calls: number;
}

export function counted(work: Work): Counted {
  let calls = 0;
  return {
    work: (context) => {
      calls++;
      return work(context);
    },
    get calls() {
      return calls;
    },
  };
}

export const answers = (value: unknown): Counted => counted(async () => value);
export const fails = (error: unknown): Counted =>
  counted(async () => {
    throw error;
  });
/** Never settles, whatever its signal says. */
export const hangs = (): Counted => counted(() => new Promise(() => {}));
/** Never settles but by its signal, with the signal's reason, as `fetch` does. */
export const heeds = (): Counted => counted(untilAborted);

export function untilAborted({ signal }: Context): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A provider that the test settles by hand. */
export interface ByHand extends Counted {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export function byHand(): ByHand {
  let resolve: (value: unknown) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise((...settle) => {
    [resolve, reject] = settle;
  });
  const provider = counted(() => promise);
  return {
    work: provider.work,
    get calls() {
      return provider.calls;
    },
    resolve,
    reject,
  };
}
