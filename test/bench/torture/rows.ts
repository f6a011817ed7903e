import type { Row } from './row.ts';
import { abort } from './rows/abort.ts';
import { callbacks } from './rows/callbacks.ts';
import { keys } from './rows/keys.ts';
import { memory } from './rows/memory.ts';
import { outcomes } from './rows/outcomes.ts';
import { processes } from './rows/process.ts';
import { sharing } from './rows/sharing.ts';
import { snapshots } from './rows/snapshots.ts';
import { state } from './rows/state.ts';
import { time } from './rows/time.ts';

/** All hazards, by theme. */
export const rows: readonly Row[] = [
  ...callbacks,
  ...abort,
  ...outcomes,
  ...time,
  ...state,
  ...sharing,
  ...keys,
  ...memory,
  ...snapshots,
  ...processes,
];
