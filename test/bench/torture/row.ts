import { cockatiel } from './idioms/cockatiel.ts';
import { effect } from './idioms/effect.ts';
import { type Idiom, LIBRARIES, type Library } from './idioms/idiom.ts';
import { loop } from './idioms/loop.ts';
import { mollitia } from './idioms/mollitia.ts';
import { opossum } from './idioms/opossum.ts';
import { ours } from './idioms/ours.ts';
import { pRetryIdiom } from './idioms/p-retry.ts';
import { notOffered, type Verdict } from './verdict.ts';

const IDIOMS: Readonly<Record<Library, Idiom>> = {
  ours,
  cockatiel,
  opossum,
  mollitia,
  'p-retry': pRetryIdiom,
  effect,
  loop,
};

export type Cell = () => Promise<Verdict> | Verdict;

/** One hazard, provoked in every library. */
export interface Row {
  readonly hazard: string;
  /** How it was provoked, and what counts as safe. */
  readonly how: string;
  readonly cells: Readonly<Record<Library, Cell>>;
  /** What has to be said for a library that is unsafe. */
  readonly notes: Notes;
}

/** What a library's own documentation says of it, or offers against it. */
export type Notes = Partial<Readonly<Record<Library, string>>>;

type Provoke = (idiom: Idiom) => Promise<Verdict> | Verdict;

/** The same provocation and the same judgement for every library, through its idiom. */
export function row(hazard: string, how: string, provoke: Provoke, notes: Notes = {}): Row {
  const cells = LIBRARIES.map((library): [Library, Cell] => [library, () => provoke(IDIOMS[library])]);
  return { hazard, how, cells: Object.fromEntries(cells) as Record<Library, Cell>, notes };
}

/** The same, but for the libraries that need words of their own; a text says why one does not offer it. */
export function rowWith(
  hazard: string,
  how: string,
  own: Partial<Record<Library, Cell | string>>,
  provoke: Provoke,
  notes: Notes = {},
): Row {
  const general = row(hazard, how, provoke, notes);
  return { ...general, cells: { ...general.cells, ...cellsOf(own) } };
}

/** Each library in its own words. */
export function rowOf(hazard: string, how: string, own: Record<Library, Cell | string>, notes: Notes = {}): Row {
  return { hazard, how, cells: cellsOf(own) as Record<Library, Cell>, notes };
}

function cellsOf(own: Partial<Record<Library, Cell | string>>): Partial<Record<Library, Cell>> {
  const cells = Object.entries(own).map(([library, cell]) => [
    library,
    typeof cell === 'string' ? () => notOffered(cell) : cell,
  ]);
  return Object.fromEntries(cells) as Partial<Record<Library, Cell>>;
}
