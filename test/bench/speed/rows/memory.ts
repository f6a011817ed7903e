import { join } from 'node:path';
import { figures, interleaved, told } from '../children.ts';
import { NAME } from '../peers/ours.ts';
import type { OwnRow, Result, Settings } from '../shapes.ts';
import { OPOSSUM_AS_IT_COMES, peerStores } from '../stores.ts';
import type { Told } from '../stores-child.ts';

const CHILD = join(import.meta.dirname, '../stores-child.ts');

const COCKATIEL = 'cockatiel fallback and breaker';

/** Measures, in a process of its own, what a library keeps; `provider`: whether that answers or rejects. */
type Remember = (name: string, provider: 'answers' | 'rejects') => Promise<Told>;

async function measure({ heaps, keys }: Settings): Promise<readonly Result[]> {
  const remember: Remember = async (name, provider) => {
    const args = ['--expose-gc', '--max-old-space-size=4096', CHILD, name, String(keys), provider];
    return JSON.parse(await told(args, import.meta.dirname)) as Told;
  };
  const names = [NAME, ...Object.keys(peerStores), OPOSSUM_AS_IT_COMES];
  const answered = await interleaved(names, heaps, (name) => remember(name, 'answers'));
  const rejected = await interleaved([NAME, COCKATIEL], 1, (name) => remember(name, 'rejects'));
  const count = keys.toLocaleString('en');
  return [
    {
      row: '100,000 cache keys, a new one each call',
      how: `wrap with a cache key; the primary rejects, the provider answers. Each library in a process of its own, where it keeps all that it has made for ${count} keys: the peers a policy a key in a Map. Collections of garbage included. opossum has percentiles and snapshots unless told not to; everywhere else they are off, in its favour. Medians of ${heaps} processes each.`,
      unit: 'ns per call',
      targets: { [COCKATIEL]: 0.6, [OPOSSUM_AS_IT_COMES]: 0.05 },
      contenders: figures(answered, ({ nsPerCall }) => nsPerCall),
    },
    {
      row: 'heap per remembered key, the key itself apart',
      how: `of the same processes: heap and array buffers after a collection, less what they were before, by ${count}. The keys are made before.`,
      unit: 'bytes per key',
      targets: {},
      limit: 250,
      contenders: figures(answered, ({ bytesPerKey }) => bytesPerKey),
    },
    {
      row: 'heap per remembered key whose last trigger failed',
      how: 'as above, one process each, but the provider rejects as well, and what is known of that is remembered.',
      unit: 'bytes per key',
      targets: {},
      contenders: figures(rejected, ({ bytesPerKey }) => bytesPerKey),
    },
  ];
}

export const memory: OwnRow = { name: '100,000 cache keys and heap per remembered key', measure };
