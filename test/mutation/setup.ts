import { beforeEach, expect, vi } from 'vitest';

/** Tests that play many histories; each of the others takes a fraction of a second, and meets no mutant 20,000 times. */
const isLong = /\/(properties|unit\/testing)\//.test(expect.getState().testPath ?? '');

// A mutant that hangs has to fail a test soon, and a busy machine has to fail none.
vi.setConfig({ testTimeout: isLong ? 90_000 : 10_000 });

// Stryker allows a mutant a hundred times the hits of the whole run before it calls it an endless loop: minutes, here.
const stryker = (globalThis as { __stryker__?: { hitLimit?: number } }).__stryker__;
if (stryker?.hitLimit) stryker.hitLimit = Math.min(stryker.hitLimit, isLong ? 10_000_000 : 200_000);

// The same histories each time: what killed a mutant once kills it again.
if (isLong) (await import('fast-check')).configureGlobal({ seed: 1 });

/** See vitest.config.ts. */
beforeEach(() => {
  Reflect.deleteProperty(globalThis, 'madeOnce');
});
