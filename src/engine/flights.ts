import type { Clock } from '../types.ts';

/** A call in flight. */
export interface Call {
  /** The engine has no more time for it. */
  close(): void;
}

const NOWHERE = -1;
/** Calls after which their code is worth keeping: whoever makes fewer, in a short-lived process say, pays for nothing. */
const MANY = 1_000;

/** The calls in flight of one engine, and what is the same for all of them: ids, the clock, and the end of it all. */
export class Flights {
  readonly clock: Clock;
  readonly #prefix: string;
  /** Those in flight, each in its slot; a free slot holds the number of the next free one, so that both ways cost little. */
  readonly #slots: (Call | number)[] = [];
  #free = 0;
  #inFlight = 0;
  #isCut = false;
  #count = 0;
  #entered = 0;
  #closing: { readonly resolve: () => void; timer: unknown } | undefined;
  #closed: Promise<void> | undefined;

  #onMany: (() => unknown) | undefined;

  /** `onMany` is called once, by the thousandth call; what it keeps is kept for as long as this. */
  constructor(clock: Clock, nonce: string, onMany?: () => unknown) {
    this.clock = clock;
    this.#onMany = onMany;
    this.#prefix = `${nonce}-`;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  nextId(): string {
    return `${this.#prefix}${++this.#count}`;
  }

  /** The slot that the call is in until it leaves. */
  enter(call: Call): number {
    // Once all has been cut short nobody waits any more: what comes then is on its own.
    if (this.#isCut) return NOWHERE;
    const slot = this.#free;
    const next = slot === this.#slots.length ? slot + 1 : (this.#slots[slot] as number);
    this.#free = next;
    this.#slots[slot] = call;
    this.#inFlight++;
    if (++this.#entered === MANY) this.#onMany?.();
    return slot;
  }

  /** The slot is another's from now on, whose call it is all the same. */
  handOver(slot: number, call: Call): void {
    if (slot !== NOWHERE) this.#slots[slot] = call;
  }

  leave(slot: number): void {
    if (slot === NOWHERE) return;
    this.#slots[slot] = this.#free;
    this.#free = slot;
    this.#inFlight--;
    if (this.#closing && this.#inFlight === 0) this.#land(this.#closing);
  }

  /** Refuses what comes, waits up to `grace` ms for what is in flight, then interrupts it. */
  close(grace: number): Promise<void> {
    this.#onMany = undefined;
    this.#closed ??= new Promise((resolve) => {
      if (this.#inFlight === 0) resolve();
      else this.#closing = { resolve, timer: undefined };
    });
    if (!this.#closing) return this.#closed;
    if (grace === 0) this.#interruptAll();
    else {
      // The later call decides how long is waited: it knows more.
      this.#disarm(this.#closing);
      this.#closing.timer = this.clock.setTimeout(() => this.#interruptAll(), grace);
    }
    return this.#closed;
  }

  #interruptAll(): void {
    this.#isCut = true;
    // What one is told may well end another, or hand its slot over; none enters any more.
    for (const slot of this.#slots.keys()) {
      const call = this.#slots[slot];
      if (typeof call === 'object') call.close();
    }
  }

  #land(closing: { readonly resolve: () => void; timer: unknown }): void {
    this.#disarm(closing);
    this.#closing = undefined;
    closing.resolve();
  }

  #disarm(closing: { timer: unknown }): void {
    if (closing.timer !== undefined) this.clock.clearTimeout(closing.timer);
    closing.timer = undefined;
  }
}
