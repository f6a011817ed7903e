import type { Guard } from './idioms/idiom.ts';
import { pause, settle } from './settle.ts';

/** How long a call may take to reach its provider: milliseconds. */
const SOON = 120;
/** A refusal that outlasts the run: milliseconds. */
export const FOR_GOOD = 600_000;
/** A refusal that ends within a cell: milliseconds. */
export const SHORT = 300;

/** Brings it to refuse calls. What does not come to that is no ground to judge anything on. */
export async function trip(guard: Guard): Promise<void> {
  await settle(() =>
    guard.call(async () => {
      throw new Error('503');
    }),
  );
  const stand = await admits(guard);
  if (stand !== 'refused') throw new Error(`the hazard was not reached: after its failure a call was ${stand}`);
}

/** Lets the refusal pass. */
export const coolDown = () => pause(SHORT + 60);

/** Whether a call gets to its provider. */
export async function admits(guard: Guard): Promise<'admitted' | 'refused' | 'kept waiting'> {
  let called = false;
  const settled = await settle(
    () =>
      guard.call(async () => {
        called = true;
      }),
    SOON,
  );
  if (called) return 'admitted';
  return settled.kind === 'pending' ? 'kept waiting' : 'refused';
}

/** How many of so many simultaneous calls get to their provider before any of them is answered. */
export async function letIn(guard: Guard, count: number): Promise<number> {
  let calls = 0;
  const work = () => {
    calls++;
    return new Promise(() => {});
  };
  for (let call = 0; call < count; call++) settle(() => guard.call(work));
  await pause(SOON);
  return calls;
}
