import { calls } from './rows/calls.ts';
import { coldImport } from './rows/cold-import.ts';
import { keys } from './rows/keys.ts';
import { limits } from './rows/limits.ts';
import { memo } from './rows/memo.ts';
import { memory } from './rows/memory.ts';
import { safety } from './rows/safety.ts';
import type { Row } from './shapes.ts';

/** In the order of the table. */
export const rows: readonly Row[] = [...calls, ...limits, memory, ...keys, ...safety, coldImport, ...memo];
