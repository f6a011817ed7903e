import type { Idiom, Library } from './idiom.ts';

/** One idiom alone, with no other library in the process. */
export async function load(library: Library): Promise<Idiom> {
  switch (library) {
    case 'ours':
      return (await import('./ours.ts')).ours;
    case 'cockatiel':
      return (await import('./cockatiel.ts')).cockatiel;
    case 'opossum':
      return (await import('./opossum.ts')).opossum;
    case 'mollitia':
      return (await import('./mollitia.ts')).mollitia;
    case 'p-retry':
      return (await import('./p-retry.ts')).pRetryIdiom;
    case 'effect':
      return (await import('./effect.ts')).effect;
    case 'loop':
      return (await import('./loop.ts')).loop;
  }
}
