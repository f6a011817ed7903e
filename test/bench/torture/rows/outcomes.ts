import type { Idiom, Work } from '../idioms/idiom.ts';
import { leadsTo } from '../reach.ts';
import { type Row, row, rowWith } from '../row.ts';
import { gave, type Settled, settle, shown, told } from '../settle.ts';
import { judge, NotOffered, type Verdict } from '../verdict.ts';
import { answers, counted, fails } from '../works.ts';

const lacks = (settled: Settled, error: unknown) => !leadsTo(settled, error);

async function originalError(idiom: Idiom): Promise<Verdict> {
  const [own, later] = [new Error('the primary’s'), new Error('the fallback’s')];
  const call = idiom.wrap(
    () => Promise.reject(own),
    () => Promise.reject(later),
  );
  const settled = await settle(() => call('order 1'));
  return judge(lacks(settled, own) && `the call ${told(settled)}; the primary’s error is lost`);
}

async function allErrors(idiom: Idiom): Promise<Verdict> {
  const errors = ['first', 'second', 'third'].map((name) => new Error(name));
  const settled = await settle(idiom.chain({ providers: errors.map((error) => fails(error).work) }));
  const lost = errors.filter((error) => lacks(settled, error));
  return judge(lost.length > 0 && `the call ${told(settled)}; lost: ${lost.map(shown).join(', ')}`);
}

async function thrownUndefined(idiom: Idiom): Promise<Verdict> {
  const answered = await settle(idiom.chain({ providers: [fails(undefined).work, answers('backup').work] }));
  const alone = await settle(idiom.chain({ providers: [fails(undefined).work] }));
  return judge(
    !gave(answered, 'backup') && `with a second provider the call ${told(answered)}`,
    lacks(alone, undefined) && `alone, the call ${told(alone)}`,
  );
}

const FALSY = [0, '', false, null, undefined, Number.NaN];

async function falsyAnswers(idiom: Idiom): Promise<Verdict> {
  const complaints: string[] = [];
  for (const value of FALSY) {
    const backup = answers('backup');
    const first = await settle(idiom.chain({ providers: [answers(value).work, backup.work] }));
    const last = await settle(idiom.chain({ providers: [fails(new Error('503')).work, answers(value).work] }));
    if (!gave(first, value) || backup.calls > 0)
      complaints.push(`${shown(value)} from the first: the call ${told(first)}`);
    if (!gave(last, value)) complaints.push(`${shown(value)} from the fallback: the call ${told(last)}`);
  }
  return judge(...complaints);
}

async function plainAnswers(idiom: Idiom): Promise<Verdict> {
  const complaints: string[] = [];
  for (const value of ['answer', undefined]) {
    const settled = await settle(idiom.chain({ providers: [() => value, answers('backup').work] }));
    if (!gave(settled, value)) complaints.push(`for ${shown(value)} the call ${told(settled)}`);
  }
  return judge(...complaints);
}

async function synchronousThrow(idiom: Idiom): Promise<Verdict> {
  const first = counted(() => {
    throw new Error('not connected');
  });
  const retries = idiom.library === 'opossum' ? {} : { retries: 1 };
  const settled = await settle(idiom.chain({ providers: [first.work, answers('backup').work], ...retries }));
  const tries = 1 + (retries.retries ?? 0);
  return judge(
    !gave(settled, 'backup') && `the call ${told(settled)}`,
    first.calls !== tries && `tried ${first.calls} times, not ${tries}: the throw was not retried as a rejection is`,
  );
}

async function thrownIsCounted(idiom: Idiom): Promise<Verdict> {
  const guard = idiom.guard({ failures: 1, coolDown: 600_000 });
  const broken = counted(() => {
    throw new Error('not connected');
  });
  await settle(() => guard.call(broken.work));
  await settle(() => guard.call(broken.work));
  return judge(broken.calls !== 1 && 'the throw did not count as a failure: the next call was let through');
}

/** Settles three times over, at once, and returns nothing from its `then`, as many a query builder does. */
const restless: Work = () => {
  const method = 'then';
  return {
    [method](resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve('first');
      reject(new Error('second'));
      resolve('third');
    },
  };
};

async function settlesTwice(idiom: Idiom): Promise<Verdict> {
  let successes = 0;
  const backup = answers('backup');
  const providers = [restless, backup.work];
  const settled = await settle(listening(idiom, providers, () => void successes++));
  return judge(
    !gave(settled, 'first') && `the call ${told(settled)}`,
    backup.calls > 0 && 'the next provider was called as well',
    successes > 1 && `${successes} successes were reported for one call`,
  );
}

/** With a listener for successes, where there is one. */
function listening(idiom: Idiom, providers: readonly Work[], onSuccess: () => unknown) {
  try {
    return idiom.chain({ providers, onSuccess });
  } catch (error) {
    if (error instanceof NotOffered) return idiom.chain({ providers });
    throw error;
  }
}

/** Neither can be written to, and one throws when it is looked at. */
function awkwardErrors(): Error[] {
  const spiteful = Object.defineProperties(new Error('spiteful'), {
    message: { get: () => thrower() },
    stack: { get: () => thrower() },
    name: { get: () => thrower() },
  });
  return [Object.freeze(new Error('frozen')), spiteful];
}

function thrower(): never {
  throw new Error('do not look at me');
}

async function awkward(idiom: Idiom): Promise<Verdict> {
  const complaints: string[] = [];
  for (const [index, error] of awkwardErrors().entries()) {
    const kind = index === 0 ? 'a frozen error' : 'an error with throwing getters';
    const answered = await settle(idiom.chain({ providers: [fails(error).work, answers('backup').work] }));
    const alone = await settle(idiom.chain({ providers: [fails(error).work] }));
    if (!gave(answered, 'backup')) complaints.push(`with ${kind} the next provider’s answer was lost`);
    if (lacks(alone, error)) complaints.push(`${kind} did not reach the caller`);
  }
  return judge(...complaints);
}

const NO_NEXT_PROVIDER = 'its Fallback module maps errors; the next provider is called by the caller’s own catch';
const PROMISES_ONLY = 'its functions have to return a native promise';

export const outcomes: readonly Row[] = [
  rowWith(
    'The original error is lost when the fallback fails too',
    'A wrapped call rejects, and so does its fallback. Safe: the primary’s error is what the call rejects with, or in its `cause` or `errors`.',
    { mollitia: NO_NEXT_PROVIDER },
    originalError,
    { opossum: 'the fallback is given the error, as its last argument' },
  ),
  rowWith(
    'Of several errors only the last is kept',
    'Three providers fail, each with its own error. Safe: all three can be reached from what the call rejects with, not from listeners only.',
    { mollitia: NO_NEXT_PROVIDER },
    allErrors,
  ),
  row(
    'A provider throws `undefined`',
    'Once with a second provider that answers, once alone. Safe: the second answers; alone, the caller gets `undefined`, as such or among the errors.',
    thrownUndefined,
  ),
  row(
    'Falsy answers are taken for none',
    '0, an empty string, false, null, undefined and NaN, from the first provider and from the fallback. Safe: each arrives as it is.',
    falsyAnswers,
  ),
  rowWith(
    'A provider answers without a promise',
    'A provider that is not async returns a text, then `undefined`. Safe: both arrive as they are.',
    { mollitia: PROMISES_ONLY },
    plainAnswers,
  ),
  row(
    'A provider throws synchronously',
    'The first provider throws before it returns a promise, with one retry (opossum has none). Safe: it is retried as a rejection is, then the second answers.',
    synchronousThrow,
  ),
  row(
    'A synchronous throw does not count as a failure',
    'A provider throws synchronously where one failure is enough to refuse further calls. Safe: the second call does not reach it.',
    thrownIsCounted,
  ),
  rowWith(
    'A thenable settles twice',
    'The provider returns a thenable that resolves, rejects and resolves again. Safe: the call gets the first value, nobody else is called, and one success at most is reported.',
    { mollitia: PROMISES_ONLY },
    settlesTwice,
  ),
  row(
    'An error that is frozen, or throws when it is read',
    'A provider fails with a frozen error, then with one whose getters throw. Safe: the second provider answers; alone, the caller gets that very error, as such or among the errors.',
    awkward,
  ),
];
