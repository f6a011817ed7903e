export { flush as settled, type VirtualClock, virtualClock } from '../src/testing/virtual-clock.ts';

/** How many runs a law gets. */
export const RUNS = process.env.DEEP ? 100_000 : 1_000;
