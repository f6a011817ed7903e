import { RUNS } from '../../virtual-clock.ts';

/** Where a search begins, from each of these: the fewer, the fewer histories a law gets. */
export const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89].slice(0, Math.ceil(RUNS / 100));
