/** What a tenth may add to the heap of the first tenth: a tenth of it, and what V8 itself may take for compiled code. */
const GROWTH = 1.1;
const CONSTANT = 4 * 2 ** 20;

/** Bytes in use after a full collection. Twice: what the first one's finalizers let go, the second takes. */
export async function heapUsed(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** The bound that every tenth after the first has to keep. */
export function bound(tenths: readonly number[]): number {
  return (tenths[0] ?? 0) * GROWTH + CONSTANT;
}

/** Why the heap is not flat, if it is not. */
export function growth(tenths: readonly number[]): string | undefined {
  const most = bound(tenths);
  const at = tenths.findIndex((bytes) => bytes > most);
  if (at === -1) return undefined;
  return `the heap after tenth ${at + 1} is ${mebibytes(tenths[at] ?? 0)}, at most ${mebibytes(most)} are allowed`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
