export { flush as settled, type VirtualClock, virtualClock } from '../src/testing/virtual-clock.ts';

/** How many runs a law gets: `RUNS` if set, else 100,000 in `npm run test:deep`, else 1,000. */
export const RUNS = Number(process.env.RUNS ?? (process.env.DEEP ? 100_000 : 1_000));
