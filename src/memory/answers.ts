import { LRUCache } from 'lru-cache';

/** An output that was given, by whom and when. */
export interface Kept {
  readonly provider: string;
  readonly output: unknown;
  readonly at: number;
}

/** An answer as it is given again; one that was stale already is so for all. */
export type Given = Pick<Kept, 'provider' | 'output'> & { readonly stale?: true; readonly age?: number };

/** What equal triggers are told of the one that they wait for; nothing: it came to no verdict, another has to try. */
export interface Shared {
  readonly result?: Given;
  readonly error?: { readonly thrown: unknown };
}

/** The answers of one definition: an LRU of its own, beside that of the machines. */
export class Answers {
  readonly #lru: LRUCache<string, Kept>;

  constructor(max: number) {
    this.#lru = new LRUCache({ max });
  }

  keep(key: string, kept: Kept): void {
    this.#lru.set(key, kept);
  }

  /** Where it is not older than `maxAge` ms. */
  find(key: string, maxAge: number, now: number): Kept | undefined {
    const kept = this.#lru.get(key);
    return kept && now - kept.at <= maxAge ? kept : undefined;
  }
}
