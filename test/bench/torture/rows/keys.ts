import { Cache, Circuit } from 'mollitia';
import CircuitBreaker from 'opossum';
import { AMPLE, effectKeyed, type Keyed, loopKeyed, ourKeyed } from '../keyed.ts';
import { type Row, rowOf } from '../row.ts';
import { gave, settle } from '../settle.ts';
import { judge, type Verdict } from '../verdict.ts';
import { answers, fails } from '../works.ts';

const ODD_KEYS = ['__proto__', 'constructor', 'toString', ' ', 'null', 'undefined', 'a:b', 'a\u0000b', 'é', 'e\u0301'];

/** Tenant and key, beside the key “c” of tenant “a:b”. */
const OTHER_TENANTS = [
  ['a', 'b:c'],
  ['a', 'c'],
] as const;

/** One odd key fails; no other may be refused for it. */
async function oddStates({ call, callFor }: Keyed): Promise<Verdict> {
  const [down, up] = [fails(new Error('503')), answers('answer')];
  await settle(() => call('__proto__', down.work));
  await settle(() => callFor?.('a:b', 'c', down.work));
  const refused: string[] = [];
  for (const key of ODD_KEYS.slice(1)) {
    if (!gave(await settle(() => outputOf(call(key, up.work))), 'answer')) refused.push(key);
  }
  for (const [tenant, key] of callFor ? OTHER_TENANTS : []) {
    const settled = await settle(() => outputOf(callFor?.(tenant, key, up.work)));
    if (!gave(settled, 'answer')) refused.push(`“${key}” of “${tenant}”`);
  }
  return judge(refused.length > 0 && `refused for the failure of another key: ${refused.join(', ')}`);
}

/** What the provider gave, with the record of a trigger around it or without. */
async function outputOf(result: unknown): Promise<unknown> {
  const given = await result;
  return typeof given === 'object' && given !== null && 'output' in given ? given.output : given;
}

type Fetch = (...args: unknown[]) => Promise<unknown>;

/** Pairs of arguments that are not the same. */
const UNLIKE: readonly (readonly [string, unknown, unknown])[] = [
  ['null and undefined', null, undefined],
  ['null and NaN', null, Number.NaN],
  ['two maps', new Map([['order', 1]]), new Map([['order', 2]])],
  ['a date and its text', new Date(0), new Date(0).toJSON()],
];

/** Answers remembered by the call's arguments. */
async function oddArguments(make: () => Fetch): Promise<Verdict> {
  const mixed: string[] = [];
  for (const [names, first, second] of UNLIKE) {
    const fetch = make();
    await settle(() => fetch(first));
    if (!gave(await settle(() => fetch(second)), 'call 2')) mixed.push(names);
  }
  return judge(mixed.length > 0 && `one got the other’s answer: ${mixed.join(', ')}`);
}

function numbered(): () => Promise<string> {
  let calls = 0;
  return async () => `call ${++calls}`;
}

function opossumFetch(): Fetch {
  const breaker = new CircuitBreaker<unknown[], unknown>(numbered(), { cache: true });
  return (...args) => breaker.fire(...args);
}

function mollitiaFetch(): Fetch {
  const modules = [new Cache({ ttl: 60_000, cacheClearInterval: 0 })];
  const circuit = new Circuit({ func: numbered(), options: { modules } });
  return (...args) => circuit.execute(...args);
}

const NO_KEYS = 'no cache, no keys';

export const keys: readonly Row[] = [
  rowOf(
    'Keys of odd characters collide',
    'One key (`__proto__`), and one key of a tenant where tenants are told apart (`a:b`, `c`), fails and is refused; others, of odd characters, and of tenant `a` with keys `b:c` and `c`, are called. Where answers are remembered by argument: null and undefined, null and NaN, two maps, a date and its text. Safe: no key gets what belongs to another.',
    {
      ours: () => oddStates(ourKeyed(AMPLE)()),
      cockatiel: NO_KEYS,
      opossum: () => oddArguments(opossumFetch),
      mollitia: () => oddArguments(mollitiaFetch),
      'p-retry': NO_KEYS,
      effect: () => oddStates(effectKeyed(AMPLE)()),
      loop: () => oddStates(loopKeyed()()),
    },
    { opossum: 'by its default `cacheGetKey`' },
  ),
];
