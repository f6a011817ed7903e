import { LRUCache } from 'lru-cache';
import type { Clock } from '../types.ts';

export interface CacheOptions {
  readonly max: number;
  /** Milliseconds since the last use; `undefined`: for ever. */
  readonly ttl: number | undefined;
}

/** What is kept here: whether a flight or updates of its own hold it. */
interface Keepable {
  readonly inFlight: number;
  readonly own: object | undefined;
}

/**
 * The keyed machines of one definition: an LRU, and beside it the machines that may not be forgotten now, since a trigger
 * of theirs is in flight or updates of their own are to last. A machine is in one of the two, never in both.
 */
export class KeyedMachines<Machine extends Keepable> {
  readonly #lru: LRUCache<string, Machine>;
  readonly #kept = new Map<string, Machine>();
  readonly #ttl: number;
  #amended = 0;
  readonly #now: () => number;

  constructor(
    { max, ttl }: CacheOptions,
    clock: Clock,
    forgotten: (machine: Machine, reason: 'full' | 'expired') => void,
  ) {
    this.#ttl = ttl ?? 0;
    // The LRU takes an entry of time 0 for one without a time: it counts from far before any, restored ones included.
    const origin = clock.now() - 2 ** 40;
    this.#now = () => clock.now() - origin;
    this.#lru = new LRUCache({
      max,
      ...(ttl !== undefined && { ttl, updateAgeOnGet: true, ttlResolution: 0 }),
      perf: { now: this.#now },
      disposeAfter: (machine, key, reason) => {
        if (reason !== 'evict' && reason !== 'expire') return;
        if (isKept(machine)) this.#kept.set(key, machine);
        else forgotten(machine, reason === 'evict' ? 'full' : 'expired');
      },
    });
  }

  /** The machine of a key, which does not age until it is settled. */
  get(key: string): Machine | undefined {
    const machine = this.#lru.get(key);
    if (!machine) return this.kept(key);
    if (this.#ttl > 0) this.#lru.set(key, machine, { ttl: 0 });
    return machine;
  }

  /** As {@link get}, but it renews nothing and forgets nothing. */
  peek(key: string): Machine | undefined {
    return this.#lru.peek(key) ?? this.kept(key);
  }

  /** The machine of a key that may not be forgotten now and is therefore not in the LRU. */
  kept(key: string): Machine | undefined {
    return this.#kept.size > 0 ? this.#kept.get(key) : undefined;
  }

  /** A machine new here, which does not age until it is settled. */
  add(key: string, machine: Machine): void {
    this.#lru.set(key, machine, this.#ttl > 0 ? { ttl: 0 } : undefined);
  }

  /** A machine new here that is never to be in the LRU. */
  keep(key: string, machine: Machine): void {
    this.#kept.set(key, machine);
  }

  /** Forgets what has expired. */
  purge(): void {
    if (this.#ttl > 0) this.#lru.purgeStale();
  }

  /** After its last flight: a machine is its LRU's again, and begins to age. */
  settle(key: string, machine: Machine, age = 0): void {
    if (isKept(machine)) return;
    const wasKept = this.#kept.size > 0 && this.#kept.delete(key);
    if (wasKept || this.#ttl > 0) this.#lru.set(key, machine, this.#ttl > 0 ? { start: this.#now() - age } : undefined);
  }

  /** How many have updates of their own. */
  get amended(): number {
    return this.#amended;
  }

  /** Keeps a machine that has got updates of its own. */
  pin(key: string, machine: Machine): void {
    this.#amended++;
    this.#kept.set(key, machine);
    this.#lru.delete(key);
  }

  /** Lets go a machine that has lost them. */
  unpin(key: string, machine: Machine): void {
    this.#amended--;
    this.settle(key, machine);
  }

  delete(key: string, machine: Machine): void {
    if (machine.own) this.#amended--;
    this.#lru.delete(key);
    this.#kept.delete(key);
  }

  /** All of them, the least recently used first. */
  *[Symbol.iterator](): Generator<readonly [key: string, machine: Machine, age: number | undefined]> {
    for (const [key, machine] of [...this.#lru.rentries()] as [string, Machine][]) {
      yield [key, machine, this.#ttl > 0 ? Math.max(0, this.#ttl - this.#lru.getRemainingTTL(key)) : undefined];
    }
    for (const [key, machine] of [...this.#kept]) yield [key, machine, this.#ttl > 0 ? 0 : undefined];
  }
}

function isKept(machine: Keepable): boolean {
  return machine.inFlight > 0 || machine.own !== undefined;
}
