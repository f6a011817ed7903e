import { Cache, Circuit } from 'mollitia';
import CircuitBreaker from 'opossum';
import type { Library } from './idioms/idiom.ts';
import { AMPLE, effectKeyed, type Keyed, loopKeyed, ourKeyed } from './keyed.ts';
import type { Cell } from './row.ts';
import { gave, settle, told } from './settle.ts';
import { judge, type Verdict } from './verdict.ts';
import { answers, fails } from './works.ts';

type Fetch = (key: string) => Promise<unknown>;

/** Answers remembered by two instances of one options object. */
async function answersApart(first: Fetch, second: Fetch): Promise<Verdict> {
  await settle(() => first('key'));
  const settled = await settle(() => second('key'));
  return judge(!gave(settled, 'of the second') && `a call of the second instance ${told(settled)}`);
}

/** States remembered by two instances of one options object. */
async function statesApart(make: () => Keyed): Promise<Verdict> {
  const [first, second] = [make(), make()];
  await settle(() => first.call('key', fails(new Error('503')).work));
  const provider = answers('answer');
  await settle(() => second.call('key', provider.work));
  return judge(provider.calls === 0 && 'the second instance refused a key that had failed in the first');
}

function opossum(): Promise<Verdict> {
  const options = { cache: true };
  const [first, second] = ['of the first', 'of the second'].map((name) => {
    const breaker = new CircuitBreaker(async (_key: string) => name, options);
    return (key: string) => breaker.fire(key);
  }) as [Fetch, Fetch];
  return answersApart(first, second);
}

async function mollitia(): Promise<Verdict> {
  const options = { ttl: 60_000, cacheClearInterval: 0 };
  const [first, second] = ['of the first', 'of the second'].map((name) => {
    const circuit = new Circuit({ func: async (_key: string) => name, options: { modules: [new Cache(options)] } });
    return (key: string) => circuit.execute(key);
  }) as [Fetch, Fetch];
  return answersApart(first, second);
}

export const sharedCaches: Record<Library, Cell | string> = {
  ours: () => statesApart(ourKeyed(AMPLE)),
  cockatiel: 'no cache, no keys',
  opossum,
  mollitia,
  'p-retry': 'no cache, no keys',
  effect: () => statesApart(effectKeyed(AMPLE)),
  loop: () => statesApart(loopKeyed()),
};
