import CircuitBreaker from 'opossum';
import type { Context, Guard, Idiom, Plan } from '../idioms/idiom.ts';
import { type Row, row, rowWith } from '../row.ts';
import { AT_ONCE, gave, pause, settle, told } from '../settle.ts';
import { judge, missing, type Verdict } from '../verdict.ts';
import { answers, counted, fails } from '../works.ts';

/** Twice what a timer can hold, and so too long even for a library that takes off what has passed: 49.7 days. */
const TOO_LONG = 2 ** 32;
/** Milliseconds. */
const [BRIEF, LONGER] = [40, 120];

/** A call with an odd duration, which may be refused when the chain is made as well as when it is called. */
const odd = (idiom: Idiom, plan: Plan) => settle(() => idiom.chain(plan)());

async function longTimeout(idiom: Idiom): Promise<Verdict> {
  const slow = counted(() => pause(LONGER).then(() => 'answer'));
  const settled = await odd(idiom, { providers: [slow.work], timeout: TOO_LONG });
  const isRefused = settled.kind === 'rejected' && slow.calls === 0;
  return judge(!isRefused && !gave(settled, 'answer') && `after a moment, not 50 days, the call ${told(settled)}`);
}

/** A provider that fails may not be called again before a wait that is never over, or that is no wait at all. */
async function waits(idiom: Idiom, backoff: number): Promise<Verdict> {
  const first = fails(new Error('503'));
  const retries = 5;
  const settled = await odd(idiom, { providers: [first.work], retries, backoff });
  return judge(
    first.calls > 1 && `tried ${first.calls} times within a moment`,
    first.calls === 1 && settled.kind !== 'pending' && `its retries were dropped in silence: the call ${told(settled)}`,
  );
}

async function strangeTimeout(idiom: Idiom, timeout: number): Promise<Verdict> {
  const slow = counted(() => pause(BRIEF).then(() => 'answer'));
  const settled = await odd(idiom, { providers: [slow.work], timeout });
  const isRefused = settled.kind === 'rejected' && slow.calls === 0;
  if (isRefused) return judge();
  return judge(
    settled.kind === 'rejected' && `taken for no time at all: the call ${told(settled)}`,
    settled.kind === 'fulfilled' && 'taken for no limit at all, in silence',
  );
}

/** Calls are refused after a failure, for a time that no timer holds, or that is no time. */
async function strangeRefusal(idiom: Idiom, coolDown: number): Promise<Verdict> {
  const first = fails(new Error('503'));
  let guard: Guard | undefined;
  const made = await settle(() => {
    guard = idiom.guard({ failures: 1, coolDown });
  });
  if (!guard) return judge(made.kind !== 'rejected' && 'it was neither made nor refused');
  const { call } = guard;
  await settle(() => call(first.work));
  await pause(BRIEF);
  await settle(() => call(first.work));
  return judge(first.calls > 1 && 'calls were let in again within a moment');
}

async function signalOfTimedOut(idiom: Idiom): Promise<Verdict> {
  let signal: AbortSignal | undefined;
  const first = counted((context: Context) => {
    signal = context.signal;
    return new Promise(() => {});
  });
  const run = idiom.chain({ providers: [first.work, answers('backup').work], timeout: BRIEF });
  const settled = await settle(run, AT_ONCE + BRIEF);
  if (!signal) missing('no signal for a provider');
  return judge(
    !gave(settled, 'backup') && `the call ${told(settled)}`,
    !signal.aborted && 'the attempt that was given up on was never told',
  );
}

async function signalOfSuccessful(idiom: Idiom): Promise<Verdict> {
  let signal: AbortSignal | undefined;
  const run = idiom.chain({
    providers: [
      async (context) => {
        signal = context.signal;
        return 'a body still to be read';
      },
    ],
    ...(idiom.library === 'p-retry' ? {} : { timeout: LONGER }),
  });
  await settle(run);
  await pause(LONGER + BRIEF);
  if (!signal) missing('no signal for a provider');
  return judge(signal.aborted && 'the signal was aborted after the answer');
}

/** The first call hangs until its timeout; the second began half-way, and has half its time left by then. */
async function othersSignal(idiom: Idiom): Promise<Verdict> {
  const signals: (AbortSignal | undefined)[] = [];
  const provider = counted(({ signal }: Context) => {
    signals.push(signal);
    return new Promise(() => {});
  });
  const run = idiom.chain({ providers: [provider.work], timeout: LONGER });
  const first = settle(() => run(), AT_ONCE + LONGER);
  await pause(LONGER / 2);
  settle(() => run(), AT_ONCE + LONGER);
  const settled = await first;
  const [, second] = signals;
  if (!second) missing('no signal for a provider');
  return judge(
    second.aborted && 'the other call’s signal was aborted with it',
    settled.kind === 'pending' && 'the first call did not time out',
  );
}

async function zeroProviders(make: () => unknown): Promise<Verdict> {
  const settled = await settle(make);
  const isClear = settled.kind === 'rejected' && settled.reason instanceof Error;
  return judge(!isClear && `the call ${told(settled)}`);
}

export const time: readonly Row[] = [
  row(
    'A timeout over 2³¹ − 1 ms',
    'A timeout of 2³² ms, which no timer holds, and a provider that answers a little later. Safe: the answer arrives, or the timeout is refused before the provider is called.',
    longTimeout,
  ),
  row(
    'A wait over 2³¹ − 1 ms',
    'A provider fails with five retries, 2³² ms apart. Safe: it is not tried again within a moment, or the wait is refused before it is called.',
    (idiom) => waits(idiom, TOO_LONG),
  ),
  row(
    'A wait of NaN',
    'A provider fails with five retries, NaN ms apart. Safe: the wait is refused before it is called; a busy loop is not.',
    (idiom) => waits(idiom, Number.NaN),
  ),
  row('A negative wait', 'As above, with −1 ms.', (idiom) => waits(idiom, -1)),
  row(
    'A cool-down over 2³¹ − 1 ms',
    'After one failure calls are to be refused for 2³² ms (a breaker’s reset time). Safe: a moment later they still are, or the time is refused beforehand.',
    (idiom) => strangeRefusal(idiom, TOO_LONG),
  ),
  row('A cool-down of NaN', 'As above, with NaN ms.', (idiom) => strangeRefusal(idiom, Number.NaN)),
  row(
    'A timeout of NaN',
    'A timeout of NaN and a provider that answers after a little while. Safe: it is refused before the provider is called, neither taken for no time nor for no limit.',
    (idiom) => strangeTimeout(idiom, Number.NaN),
  ),
  row('A negative timeout', 'As above, with −1 ms.', (idiom) => strangeTimeout(idiom, -1)),
  rowWith(
    'Zero providers',
    'An empty list of providers (opossum, mollitia: no function). Safe: refused with an Error.',
    { opossum: () => zeroProviders(() => new CircuitBreaker(undefined as never)) },
    (idiom) => zeroProviders(() => idiom.chain({ providers: [] })()),
  ),
  row(
    'An attempt that timed out is not told',
    'The first provider hangs until its timeout, the second answers. Safe: the call gets that answer, and the first’s signal is aborted.',
    signalOfTimedOut,
  ),
  row(
    'One call’s timeout aborts another’s signal',
    'Two calls through one instance, the second begun half-way through the first’s timeout. Safe: when the first times out, the second’s signal is not aborted.',
    othersSignal,
  ),
  row(
    'The signal of a successful attempt is aborted',
    'A provider answers in time; what its signal governs, a response body say, is still being read. Safe: the signal stays as it is.',
    signalOfSuccessful,
    { cockatiel: 'the default; its option `abortOnReturn: false` leaves the signal alone' },
  ),
];
