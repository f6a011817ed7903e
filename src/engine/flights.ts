import type { Clock } from '../types.ts';

/** The calls in flight of one engine, and what is the same for all of them: ids, the clock, and the end of it all. */
export class Flights {
  readonly clock: Clock;
  readonly #prefix: string;
  readonly #ring = new Link();
  #count = 0;
  #closing: { readonly resolve: () => void; timer: unknown } | undefined;
  #closed: Promise<void> | undefined;

  constructor(clock: Clock, nonce: string) {
    this.clock = clock;
    this.#prefix = `${nonce}-`;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  nextId(): string {
    return this.#prefix + (++this.#count).toString(36);
  }

  add(call: Link): void {
    call.insertBefore(this.#ring);
  }

  remove(call: Link): void {
    call.unlink();
    if (this.#closing && this.#ring.next === this.#ring) this.#land(this.#closing);
  }

  /** Refuses what comes, waits up to `grace` ms for what is in flight, then interrupts it. */
  close(grace: number): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#ring.next === this.#ring) resolve();
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
    // All of them first: what one is told may well take another out of the ring.
    const calls: Link[] = [];
    for (let link = this.#ring.next; link !== this.#ring; link = link.next) calls.push(link);
    for (const call of calls) call.close();
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

/** A call's place in the ring of those in flight: entering and leaving it cost a few assignments. */
export class Link {
  previous: Link = this;
  next: Link = this;

  insertBefore(other: Link): void {
    this.previous = other.previous;
    this.next = other;
    this.previous.next = this;
    other.previous = this;
  }

  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.previous = this.next = this;
  }

  /** The engine has no more time for this call. */
  close(): void {}
}
