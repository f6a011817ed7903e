import type { Cell } from './row.ts';
import { pause, shown } from './settle.ts';
import { NotOffered, notOffered, unsafe, type Verdict } from './verdict.ts';

/** A cell ends of its own accord long before: milliseconds. */
const CELL_LIMIT = 15_000;
/** Lets what a cell has left behind come to light: milliseconds. */
const AFTERMATH = 5;

/** Judges one cell after the other: an error that nobody handles belongs to the cell under way. */
export class Cells {
  #unhandled: unknown[] = [];

  constructor() {
    const note = (error: unknown) => void this.#unhandled.push(error);
    process.on('unhandledRejection', note).on('uncaughtException', note);
    // Timers of NaN and the like are what is being provoked; Node's own warnings of them are no part of the table.
    process.removeAllListeners('warning');
  }

  async judge(cell: Cell): Promise<Verdict> {
    this.#unhandled = [];
    const verdict = await Promise.race([guarded(cell), overdue()]);
    await pause(AFTERMATH);
    if (this.#unhandled.length === 0 || verdict.kind === 'not offered') return verdict;
    const seen = `left unhandled: ${[...new Set(this.#unhandled.map(shown))].join(', ')}`;
    return unsafe(verdict.kind === 'unsafe' ? `${verdict.seen}; ${seen}` : seen);
  }
}

async function guarded(cell: Cell): Promise<Verdict> {
  try {
    return await cell();
  } catch (error) {
    return error instanceof NotOffered ? notOffered(error.message) : unsafe(`the check itself failed: ${shown(error)}`);
  }
}

async function overdue(): Promise<Verdict> {
  await pause(CELL_LIMIT);
  return unsafe('the check did not end');
}
