import { Circuit, Fallback } from 'mollitia';
import type { Idiom } from '../idioms/idiom.ts';
import { leadsTo } from '../reach.ts';
import { type Row, row, rowWith } from '../row.ts';
import { gave, settle, told } from '../settle.ts';
import { judge, type Verdict } from '../verdict.ts';
import { answers, counted, fails } from '../works.ts';

const thrower = () => {
  throw new Error('a bug in the callback');
};

async function listenerOfFailures(idiom: Idiom, onFailure: () => unknown): Promise<Verdict> {
  const error = new Error('503');
  const answered = await settle(idiom.chain({ providers: [fails(error).work, answers('backup').work], onFailure }));
  const alone = await settle(idiom.chain({ providers: [fails(error).work], onFailure }));
  return judge(
    !gave(answered, 'backup') && `the call ${told(answered)}`,
    !leadsTo(alone, error) && `without a second provider the call ${told(alone)}`,
  );
}

async function listenerOfSuccesses(idiom: Idiom): Promise<Verdict> {
  const [primary, backup] = [answers('answer'), answers('backup')];
  const run = idiom.chain({ providers: [primary.work, backup.work], onSuccess: thrower });
  const settled = await settle(run);
  return judge(
    !gave(settled, 'answer') && `the provider had answered; the call ${told(settled)}`,
    primary.calls > 1 && 'the provider that had answered was called again',
    backup.calls > 0 && 'the backup was called as well',
  );
}

async function predicate(idiom: Idiom): Promise<Verdict> {
  const error = new Error('503');
  const plan = { shouldRetry: thrower, ...retriesOf(idiom) };
  const answered = await settle(idiom.chain({ providers: [fails(error).work, answers('backup').work], ...plan }));
  const alone = await settle(idiom.chain({ providers: [fails(error).work], ...plan }));
  return judge(
    !gave(answered, 'backup') && !leadsTo(answered, error) && `the call ${told(answered)}`,
    !leadsTo(alone, error) && `without a second provider the call ${told(alone)}; the provider’s error is lost`,
  );
}

/** opossum has no retries; its predicate says what counts as a failure. */
const retriesOf = ({ library }: Idiom) => (library === 'opossum' ? {} : { retries: 1 });

async function fallbackThrows(idiom: Idiom): Promise<Verdict> {
  const error = new Error('a bug in the fallback');
  const backup = counted(() => {
    throw error;
  });
  const settled = await settle(idiom.chain({ providers: [fails(new Error('503')).work, backup.work] }));
  return judge(
    !leadsTo(settled, error) && `the call ${told(settled)}`,
    backup.calls !== 1 && `the fallback was called ${backup.calls} times`,
  );
}

async function mollitiaFallbackThrows(): Promise<Verdict> {
  const circuit = new Circuit({
    func: async () => {
      throw new Error('503');
    },
    options: { modules: [new Fallback({ callback: thrower })] },
  });
  const settled = await settle(() => circuit.execute());
  return judge(settled.kind !== 'rejected' && `the call ${told(settled)}`);
}

/** Three listeners; the first leaves while it is told. */
async function leavesWhileTold(idiom: Idiom): Promise<Verdict> {
  const { on, tell } = idiom.bus();
  const heard: string[] = [];
  const leave = on(() => {
    heard.push('first');
    leave();
  });
  on(() => heard.push('second'));
  on(() => heard.push('third'));
  await tell();
  const ofOne = heard.splice(0).join(', ');
  await tell();
  const ofNext = heard.join(', ');
  return judge(
    ofOne !== 'first, second, third' && `of the event heard: ${ofOne}`,
    ofNext !== 'second, third' && `of the next event heard: ${ofNext}`,
  );
}

/** Three listeners; the first two leave, in the order they came. */
async function leaves(idiom: Idiom): Promise<Verdict> {
  const { on, tell } = idiom.bus();
  const heard: string[] = [];
  const [first, second] = ['first', 'second', 'third'].map((name) => on(() => heard.push(name)));
  first?.();
  second?.();
  await tell();
  return judge(heard.join() !== 'third' && `of the next event heard: ${heard.join(', ') || 'nobody'}`);
}

const CALLBACK_ENDS_RETRIES = { 'p-retry': 'as documented: a callback that throws ends the retries' };

export const callbacks: readonly Row[] = [
  row(
    'A listener throws while it is told of a failure',
    'The first provider fails, the listener for failures throws, the second provider answers. Safe: the call gets that answer; without a second provider it rejects with the first’s error in it.',
    (idiom) => listenerOfFailures(idiom, thrower),
    CALLBACK_ENDS_RETRIES,
  ),
  row(
    'A listener throws while it is told of a success',
    'The first provider answers, the listener for successes throws. Safe: the caller gets the answer, nobody else is called.',
    listenerOfSuccesses,
  ),
  row(
    'An async listener rejects',
    'As the first row, with an async listener. Safe: the call comes to the same, and no rejection is left unhandled (Node ends the process for one).',
    (idiom) => listenerOfFailures(idiom, async () => thrower()),
    CALLBACK_ENDS_RETRIES,
  ),
  row(
    'A predicate throws',
    'The first provider fails; the predicate that is asked about its error (worth a retry? a failure at all?) throws. Safe: the second provider answers, or the call rejects with the provider’s error in it; without a second provider, the latter.',
    predicate,
    CALLBACK_ENDS_RETRIES,
  ),
  rowWith(
    'A fallback throws synchronously',
    'The first provider rejects, the fallback throws at once (mollitia: the callback of its Fallback module). Safe: the call rejects, and the thrown error is in what it rejects with.',
    { mollitia: mollitiaFallbackThrows },
    fallbackThrows,
  ),
  row(
    'A listener unsubscribes while it is told',
    'Of three listeners the first leaves when it is told. Safe: the other two hear of that event and of the next.',
    leavesWhileTold,
  ),
  row(
    'Two listeners unsubscribe, a third stays',
    'Of three listeners the first two leave by what subscribing returned. Safe: the third alone hears of the next event.',
    leaves,
  ),
];
