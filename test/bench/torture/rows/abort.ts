import { getEventListeners } from 'node:events';
import type { Idiom, Plan } from '../idioms/idiom.ts';
import { type Row, row } from '../row.ts';
import { ENDLESS, pause, type Settled, settle, threw, told } from '../settle.ts';
import { judge, type Verdict } from '../verdict.ts';
import { answers, counted, fails, hangs, heeds, untilAborted } from '../works.ts';

/** Long enough to be in the middle of something. */
const A_MOMENT = 25;

/** Starts a call, aborts it in the middle, and tells what it came to soon afterwards. */
async function aborted(idiom: Idiom, plan: Plan, reason: unknown = new Error('the user left')): Promise<Settled> {
  const controller = new AbortController();
  const result = idiom.chain(plan)(controller.signal);
  result.catch(() => {});
  await pause(A_MOMENT);
  controller.abort(reason);
  const settled = await settle(() => result);
  await pause(A_MOMENT);
  return settled;
}

async function duringAnAttempt(idiom: Idiom, first = heeds()): Promise<Verdict> {
  const backup = answers('backup');
  const retries = idiom.library === 'opossum' ? {} : { retries: 1 };
  const settled = await aborted(idiom, { providers: [first.work, backup.work], ...retries });
  return judge(
    settled.kind === 'pending' && 'the call went on',
    first.calls > 1 && 'the provider was tried again',
    backup.calls > 0 && 'the next provider was called',
  );
}

async function duringABackoff(idiom: Idiom): Promise<Verdict> {
  const [first, backup] = [fails(new Error('503')), answers('backup')];
  const plan = { providers: [first.work, backup.work], retries: 1, backoff: ENDLESS };
  const settled = await aborted(idiom, plan);
  return judge(
    settled.kind === 'pending' && 'the call waited on',
    first.calls > 1 && 'the provider was tried again',
    backup.calls > 0 && 'the next provider was called',
  );
}

async function ownReason(idiom: Idiom, reason: unknown): Promise<Verdict> {
  const settled = await aborted(idiom, { providers: [heeds().work] }, reason);
  return judge(!threw(settled, reason) && `the call ${told(settled)}`);
}

async function asTimeout(idiom: Idiom): Promise<Verdict> {
  const heeding = await aborted(idiom, { providers: [heeds().work], timeout: ENDLESS });
  const ignoring = await aborted(idiom, { providers: [hangs().work], timeout: ENDLESS });
  return judge(
    heeding.kind === 'pending' && 'the call went on',
    isTimeout(heeding) && `the call ${told(heeding)}`,
    isTimeout(ignoring) && `with a provider that ignores its signal the call ${told(ignoring)}`,
  );
}

const isTimeout = (settled: Settled) => settled.kind === 'rejected' && /time.?out|timed out/i.test(told(settled));

async function asAnswer(idiom: Idiom): Promise<Verdict> {
  const settled = await aborted(idiom, { providers: [heeds().work, answers('yesterday’s rates').work] });
  return judge(settled.kind === 'fulfilled' && `the call ${told(settled)}`);
}

async function beforehand(idiom: Idiom): Promise<Verdict> {
  const reason = new Error('the user left');
  const [first, backup] = [counted(untilAborted), answers('backup')];
  const run = idiom.chain({ providers: [first.work, backup.work] });
  const settled = await settle(() => run(AbortSignal.abort(reason)));
  return judge(
    first.calls + backup.calls > 0 && 'a provider was called',
    settled.kind !== 'rejected' && `the call ${told(settled)}`,
  );
}

async function leak(idiom: Idiom): Promise<Verdict> {
  const { signal } = new AbortController();
  const run = idiom.chain({ providers: [fails(new Error('503')).work, answers('backup').work] });
  for (let call = 0; call < 50; call++) await settle(() => run(signal));
  await pause(A_MOMENT);
  const left = getEventListeners(signal, 'abort').length;
  return judge(left > 0 && `${left} listeners left after 50 calls`);
}

export const abort: readonly Row[] = [
  row(
    'The caller aborts during an attempt',
    'The provider heeds its signal, one retry and a second provider are left. Safe: the call ends at once, nobody is called afterwards.',
    (idiom) => duringAnAttempt(idiom),
  ),
  row(
    'The caller aborts while a provider ignores its signal',
    'As above, but the provider never settles. Safe: the call ends at once all the same, nobody is called afterwards.',
    (idiom) => duringAnAttempt(idiom, hangs()),
    { 'p-retry': 'as documented: a running attempt is not interrupted' },
  ),
  row(
    'The caller aborts during a backoff',
    'The provider fails, and the abort comes in the wait before its retry. Safe: the call ends at once, nobody is called afterwards.',
    duringABackoff,
  ),
  row(
    'The caller’s own reason gets lost',
    'Aborted during an attempt with an Error of the caller’s. Safe: the call rejects with that very object.',
    (idiom) => ownReason(idiom, new Error('the user left')),
  ),
  row(
    'The caller’s reason is falsy',
    'Aborted during an attempt with `null` as the reason. Safe: the call rejects with `null`.',
    (idiom) => ownReason(idiom, null),
  ),
  row(
    'A caller’s abort is reported as a timeout',
    'With a timeout far away, the caller aborts, once a provider that heeds its signal, once one that does not. Safe: the call ends in the first case, and in neither with a timeout’s error.',
    asTimeout,
    { cockatiel: 'under its aggressive strategy; the cooperative one waits for the provider' },
  ),
  row(
    'A caller’s abort is answered with a fallback value',
    'The caller aborts the first provider; a value of last resort stands behind it. Safe: the call rejects.',
    asAnswer,
  ),
  row(
    'The signal is aborted before the call',
    'A call with a signal that is aborted already. Safe: no provider is called, and the call rejects.',
    beforehand,
  ),
  row(
    'Listeners leak on a long-lived signal',
    '50 calls with one signal, each by way of a failing and an answering provider. Safe: no abort listener is left on it.',
    leak,
  ),
];
