import { admits, coolDown, FOR_GOOD, letIn, SHORT, trip } from '../guards.ts';
import type { Idiom } from '../idioms/idiom.ts';
import { type Row, row } from '../row.ts';
import { pause, settle } from '../settle.ts';
import { judge, missing, type Verdict } from '../verdict.ts';
import { byHand, untilAborted } from '../works.ts';

async function lateSuccessWhileOpen(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: FOR_GOOD });
  const slow = byHand();
  const admitted = guard.call(slow.work);
  await trip(guard);
  slow.resolve('answer');
  await settle(() => admitted);
  return judge((await admits(guard)) === 'admitted' && 'the old success ended the refusal');
}

async function lateSuccessWhileProbing(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT });
  const [slow, probe] = [byHand(), byHand()];
  const admitted = guard.call(slow.work);
  await trip(guard);
  await coolDown();
  const probing = guard.call(probe.work);
  await pause(20);
  slow.resolve('answer');
  await settle(() => admitted);
  const during = await admits(guard);
  probe.resolve('answer');
  await settle(() => probing);
  await pause(20);
  const after = await admits(guard);
  return judge(
    during === 'admitted' && 'it closed the breaker: calls were let through while the probe was undecided',
    after !== 'admitted' && `the probe’s own success counted no more: the next call was ${after}`,
  );
}

async function oldFailure(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: FOR_GOOD });
  if (!guard.reset) missing('no reset');
  const slow = byHand();
  const admitted = guard.call(slow.work);
  await trip(guard);
  await guard.reset();
  await settle(() => guard.call(async () => 'answer'));
  slow.reject(new Error('503'));
  await settle(() => admitted);
  await pause(20);
  return judge(
    (await admits(guard)) !== 'admitted' && 'after the reset a failure from before it had calls refused again',
  );
}

async function lostProbe(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT, probeLimit: SHORT });
  await trip(guard);
  await coolDown();
  const probe = byHand();
  settle(() => guard.call(probe.work));
  let stand = await admits(guard);
  // Long enough to give up on the probe, and to refuse calls anew after that.
  for (let round = 0; round < 8 && stand !== 'admitted'; round++) {
    await pause(SHORT / 2);
    stand = await admits(guard);
  }
  return judge(probe.calls !== 1 && 'no probe was let in', stand !== 'admitted' && `every later call was ${stand}`);
}

async function abortedProbe(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT });
  await trip(guard);
  await coolDown();
  const controller = new AbortController();
  const probing = guard.call(untilAborted, controller.signal);
  probing.catch(() => {});
  await pause(20);
  controller.abort(new Error('the user left'));
  await settle(() => probing);
  const calls = await letIn(guard, 3);
  return judge(
    calls === 0 && 'the abort counted as a failed probe: calls were refused anew',
    calls > 1 && `the abort counted as a success: ${calls} of 3 calls were let through at once`,
  );
}

async function twoProbes(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT });
  await trip(guard);
  await coolDown();
  const calls = await letIn(guard, 10);
  return judge(calls !== 1 && `${calls} of 10 simultaneous calls were let through`);
}

async function reentrance(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT });
  await trip(guard);
  await coolDown();
  const inner = () => guard.call(async () => 'inner');
  const settled = await settle(() => guard.call(async () => inner().catch(() => 'refused')), 600);
  return judge(settled.kind === 'pending' && 'neither of the two calls had settled');
}

/** What is set back is the wall clock, as an administrator or NTP does; the time that passes is real. */
async function clockSetBack(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: SHORT });
  const { now } = Date;
  try {
    await trip(guard);
    Date.now = () => now() - 3_600_000;
    await coolDown();
    return judge((await admits(guard)) !== 'admitted' && 'still refused when the time had passed');
  } finally {
    Date.now = now;
  }
}

export const state: readonly Row[] = [
  row(
    'A success admitted before the trip ends the refusal',
    'A slow call is under way when another fails and further calls are refused; then the slow one succeeds. Safe: calls are still refused.',
    lateSuccessWhileOpen,
  ),
  row(
    'A success admitted before the trip decides for the probe',
    'As above, but the slow success comes while a probe is under way; then the probe succeeds. Safe: nobody is let in before the probe is decided, and its success counts.',
    lateSuccessWhileProbing,
  ),
  row(
    'A reset is undone by an old failure',
    'A slow call is under way, calls come to be refused, the state is reset, a call succeeds, then the slow one fails. Safe: the next call is let in.',
    oldFailure,
  ),
  row(
    'A probe never settles',
    'The probe hangs, with no timeout but what the library itself sets (opossum’s, on by default, and mollitia’s limit of the half-open state are shortened). Safe: some later call is let in.',
    lostProbe,
    { effect: 'its documentation has a timeout put inside the breaker' },
  ),
  row(
    'A probe is aborted by its caller',
    'The probe’s caller aborts it, then three calls come at once. Safe: exactly one of them is let in, as the next probe, as the abort says nothing about the provider.',
    abortedProbe,
  ),
  row(
    'Two probes at once',
    'Ten simultaneous calls when the refusal is over, each with a provider that does not settle. Safe: one is let through.',
    twoProbes,
  ),
  row(
    'A probe calls through the breaker it probes for',
    'The probe’s provider makes a call of its own through the same instance, and takes whatever that comes to. Safe: the call settles.',
    reentrance,
  ),
  row(
    'The wall clock is set back while calls are refused',
    '`Date.now` goes back by an hour, real time passes. Safe: a probe is let in when the refusal’s time has passed.',
    clockSetBack,
  ),
];
