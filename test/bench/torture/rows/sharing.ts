import { Circuit, Retry } from 'mollitia';
import pRetry from 'p-retry';
import { createDuctape, defineFallback } from '../engine.ts';
import { createLoop } from '../idioms/hand-written.ts';
import type { Guard, Idiom } from '../idioms/idiom.ts';
import { type Row, row, rowOf } from '../row.ts';
import { AT_ONCE, gave, pause, settle, told } from '../settle.ts';
import { sharedCaches } from '../shared-caches.ts';
import { twins } from '../twins.ts';
import { judge, type Verdict } from '../verdict.ts';
import { counted } from '../works.ts';

/** The first provider fails, the second answers, the third would fail too: five calls at once. */
async function cursor(idiom: Idiom): Promise<Verdict> {
  const down = () => pause(5).then(() => Promise.reject(new Error('503')));
  const [first, second, third] = [counted(down), counted(async () => 'answer'), counted(down)];
  const run = idiom.chain({ providers: [first.work, second.work, third.work] });
  const settled = await Promise.all([1, 2, 3, 4, 5].map(() => settle(() => run())));
  const unanswered = settled.filter((each) => !gave(each, 'answer'));
  return judge(
    unanswered.length > 0 &&
      `${unanswered.length} of 5 calls were not answered: one ${told(unanswered[0] ?? { kind: 'pending' })}`,
    first.calls !== 5 && `the first provider was called ${first.calls} times`,
    third.calls > 0 && `the third provider was called ${third.calls} times`,
  );
}

async function ownArguments(idiom: Idiom): Promise<Verdict> {
  const call = idiom.wrap(
    async (order) => (order === 'order 3' ? Promise.reject(new Error('503')) : `paid ${order}`),
    async (order) => `queued ${order}`,
  );
  const alone = [await settle(() => call('order 1')), await settle(() => call('order 2'))];
  const together = await Promise.all(['order 3', 'order 4'].map((order) => settle(() => call(order))));
  const expected = ['paid order 1', 'paid order 2', 'queued order 3', 'paid order 4'];
  const complaints = [...alone, ...together].map(
    (settled, index) => !gave(settled, expected[index]) && `instead of “${expected[index]}” the call ${told(settled)}`,
  );
  return judge(...complaints);
}

/** One failure in each of two instances, where each is to take two. */
async function independent([first, second]: readonly [Guard, Guard]): Promise<Verdict> {
  const down = () => Promise.reject(new Error('503'));
  await settle(() => first.call(down));
  await settle(() => second.call(down));
  const provider = counted(async () => 'answer');
  await settle(() => second.call(provider.work));
  return judge(
    provider.calls === 0 && 'a failure in the one counted in the other: it refused calls after a single one',
  );
}

const INTERVAL = 30;

/** A call with two retries is changed to none while it waits for the first. */
async function changed(start: () => Promise<unknown>, change: () => unknown, calls: () => number): Promise<Verdict> {
  const inFlight = settle(start, AT_ONCE);
  await pause(INTERVAL / 3);
  await change();
  await inFlight;
  const before = calls();
  await settle(start, AT_ONCE);
  const after = calls() - before;
  return judge(
    before !== 3 && `the call in flight made ${before} attempts, not the 3 it had begun with`,
    after !== 1 && `the call after the change made ${after} attempts, not 1`,
  );
}

const down = () => counted(() => Promise.reject(new Error('503')));

function oursChanged(): Promise<Verdict> {
  const provider = down();
  const { fallback } = createDuctape({
    env: 'test',
    product: 'torture',
    fallbacks: [
      defineFallback({
        tag: 'hazard',
        providers: [{ name: 'only', run: () => provider.work({}), retries: 2, backoff: INTERVAL }],
      }),
    ],
  });
  const place = { fallback_tag: 'hazard' } as const;
  return changed(
    () => fallback.run({ ...place, action: 'trigger' }),
    () => fallback.run({ ...place, action: 'update', input: { providers: { only: { retries: 0 } } } }),
    () => provider.calls,
  );
}

function mollitiaChanged(): Promise<Verdict> {
  const provider = down();
  const retry = new Retry({ attempts: 2, interval: INTERVAL });
  const circuit = new Circuit({ func: () => provider.work({}) as Promise<unknown>, options: { modules: [retry] } });
  const change = () => {
    retry.attempts = 0;
  };
  return changed(
    () => circuit.execute(),
    change,
    () => provider.calls,
  );
}

function pRetryChanged(): Promise<Verdict> {
  const provider = down();
  const options = { retries: 2, minTimeout: INTERVAL, factor: 1 };
  const change = () => {
    options.retries = 0;
  };
  return changed(
    () => pRetry(() => provider.work({}), options),
    change,
    () => provider.calls,
  );
}

function loopChanged(): Promise<Verdict> {
  const provider = down();
  const options = { providers: [() => provider.work({})], retries: 2, backoff: INTERVAL };
  const loop = createLoop<undefined>(options);
  const change = () => {
    options.retries = 0;
  };
  return changed(
    () => loop.run(undefined),
    change,
    () => provider.calls,
  );
}

const NO_CHANGE = 'cannot be reconfigured: made anew instead';

export const sharing: readonly Row[] = [
  row(
    'Concurrent calls share a cursor',
    'Five simultaneous calls; of three providers only the second answers. Safe: each call asks the first, then the second, which answers.',
    cursor,
  ),
  row(
    'A wrapper replays its first call',
    'A wrapped function is called with four different arguments, twice alone and twice at once; for one it falls back. Safe: each call gets what belongs to its own arguments.',
    ownArguments,
  ),
  rowOf(
    'Two instances share state through one options object',
    'Two instances are made of one options object, each to refuse calls after two failures (p-retry: two calls with one options object, each with two retries). One failure in each. Safe: neither refuses.',
    twins(independent),
  ),
  rowOf(
    'Two instances share a cache through one options object',
    'Two instances are made of one options object, with what the library remembers by key turned on: answers, or how a key is doing. The first learns something of a key. Safe: the second knows nothing of it.',
    sharedCaches,
  ),
  rowOf(
    'The configuration is changed while a call is in flight',
    'A call with two retries is waiting for the first when they are set to none (p-retry and the loop: in their options object). Safe: it makes its three attempts, the next call makes one.',
    {
      ours: oursChanged,
      cockatiel: NO_CHANGE,
      opossum: NO_CHANGE,
      mollitia: mollitiaChanged,
      'p-retry': pRetryChanged,
      effect: NO_CHANGE,
      loop: loopChanged,
    },
  ),
];
