import { admits, coolDown, FOR_GOOD, SHORT } from '../guards.ts';
import { type Row, rowOf } from '../row.ts';
import { cockatielSaved, type Make, opossumSaved, ourSaved, type Saved } from '../saved.ts';
import { settle } from '../settle.ts';
import { judge, type Verdict } from '../verdict.ts';

const down = () => Promise.reject(new Error('503'));

async function fail(guard: Saved, times: number): Promise<void> {
  for (let time = 0; time < times; time++) await settle(() => guard.call(down));
}

const throughJson = (saved: unknown): unknown => JSON.parse(JSON.stringify(saved));

/** What the restored instance does differently, state by state. */
async function everyState(make: Make): Promise<Verdict> {
  const fresh = make(FOR_GOOD, throughJson(make(FOR_GOOD).save()));
  await fail(fresh, 1);
  return judge(
    (await admits(fresh)) !== 'admitted' && 'unused: it refused calls after one failure',
    await afterOneFailure(make),
    await whileRefusing(make),
    await onceDue(make),
    await whileProbing(make),
  );
}

async function afterOneFailure(make: Make): Promise<string | false> {
  const original = make(FOR_GOOD);
  await fail(original, 1);
  const restored = make(FOR_GOOD, throughJson(original.save()));
  await fail(restored, 1);
  return (await admits(restored)) === 'admitted' && 'after one of two failures: the failure was forgotten';
}

/** The instance is older than its refusal would last, as in a server that has run for long. */
async function whileRefusing(make: Make): Promise<string | false> {
  const original = make(SHORT);
  await coolDown();
  await fail(original, 2);
  const restored = make(SHORT, throughJson(original.save()));
  return (await admits(restored)) !== 'refused' && 'while refusing calls: the restored one let a call through at once';
}

async function onceDue(make: Make): Promise<string | false> {
  const original = make(SHORT);
  await fail(original, 2);
  const saved = throughJson(original.save());
  await coolDown();
  const restored = make(SHORT, saved);
  // Time between two processes need not count: the whole refusal may have to pass once more.
  await coolDown();
  return (
    (await admits(restored)) !== 'admitted' && 'while refusing calls: the restored one let no probe in when it was due'
  );
}

async function whileProbing(make: Make): Promise<string | false> {
  const original = make(SHORT);
  await fail(original, 2);
  await coolDown();
  settle(() => original.call(() => new Promise(() => {})));
  const restored = make(SHORT, throughJson(original.save()));
  await coolDown();
  return (await admits(restored)) !== 'admitted' && 'while probing: the restored one let no probe in';
}

/** What can be parsed, and is no snapshot. */
interface Nonsense {
  readonly name: string;
  readonly value: unknown;
}

/** Refused with an error at once, each of them. */
async function refused(make: Make, values: readonly Nonsense[]): Promise<Verdict> {
  const taken: string[] = [];
  for (const { name, value } of values) {
    const settled = await settle(() => make(FOR_GOOD, value));
    if (settled.kind === 'fulfilled') taken.push(name);
  }
  return judge(taken.length > 0 && `taken without a word: ${taken.join(', ')}`);
}

const entry = { env: 'test', product: 'torture', tag: 'hazard', triggers: 3, recoveries: 0, revision: 0 };
const entries = (machine: unknown) => ({ version: 1, takenAt: 0, machines: [machine] });

const OUR_NONSENSE: readonly Nonsense[] = [
  { name: 'null', value: null },
  { name: 'an empty object', value: {} },
  { name: 'an unknown version', value: { version: 2, takenAt: 0, machines: [] } },
  { name: 'a machine without a state', value: entries(entry) },
  {
    name: 'an unknown state',
    value: entries({ ...entry, snapshot: { status: 'active', value: 'tired', context: { failures: 1 } } }),
  },
  {
    name: 'a negative count',
    value: entries({ ...entry, snapshot: { status: 'active', value: 'triggered', context: { failures: -1 } } }),
  },
];

const COCKATIEL_NONSENSE: readonly Nonsense[] = [
  { name: 'an empty object', value: {} },
  { name: 'an unknown state', value: { ownState: { value: 7 }, breakerState: 0 } },
  {
    name: 'an opening that is no time',
    value: { ownState: { value: 1, openedAt: 'yesterday', attemptNo: 1 }, breakerState: 2 },
  },
  { name: 'a negative count', value: { ownState: { value: 0 }, breakerState: -100 } },
];

const OPOSSUM_NONSENSE: readonly Nonsense[] = [
  { name: 'an unknown state', value: { state: { closed: 'tired' }, status: {} } },
  {
    name: 'an opening that is no time',
    value: { state: { closed: false, open: true, lastTimerAt: 'yesterday' }, status: {} },
  },
  { name: 'a negative count', value: { state: { closed: true }, status: { failures: -1, fires: -1 } } },
];

const NO_SNAPSHOT = {
  mollitia: 'no snapshot: a state can be given to the constructor, its counts cannot',
  'p-retry': 'remembers nothing between calls',
  effect: 'no snapshot: the memory’s store cannot be written out',
  loop: 'no snapshot',
} as const;

export const snapshots: readonly Row[] = [
  rowOf(
    'A snapshot does not survive JSON',
    'Saved, through JSON and restored in every state: unused; after one of two failures; while refusing calls, in an instance older than the refusal lasts; while a probe is under way. Safe: the restored one counts on, refuses what the original would refuse, and lets a probe in when it is due.',
    {
      ours: () => everyState(ourSaved),
      cockatiel: () => everyState(cockatielSaved),
      opossum: () => everyState(opossumSaved),
      ...NO_SNAPSHOT,
    },
  ),
  rowOf(
    'A nonsense snapshot is restored',
    'JSON that is no snapshot: of the wrong shape, of an unknown state, with a time that is none, with a negative count. Safe: each is refused with an error when it is restored.',
    {
      ours: () => refused(ourSaved, OUR_NONSENSE),
      cockatiel: () => refused(cockatielSaved, COCKATIEL_NONSENSE),
      opossum: () => refused(opossumSaved, OPOSSUM_NONSENSE),
      ...NO_SNAPSHOT,
    },
  ),
];
