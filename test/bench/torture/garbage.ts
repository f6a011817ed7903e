import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pause } from './settle.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage until nothing more is to be expected of it. */
export async function collected(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await pause(5);
    collect();
  }
}

/** Bytes that `fill` leaves behind on the heap. */
export async function leftBy(fill: () => Promise<void>): Promise<number> {
  await collected();
  const before = process.memoryUsage().heapUsed;
  await fill();
  await collected();
  return process.memoryUsage().heapUsed - before;
}
