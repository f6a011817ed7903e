/** What is watched: the laws of SPEC.md section 11 by their number, and what the contract promises beside them. */
export const LAWS = {
  settles: 'law 1: every call settles, once, and at its time',
  order: 'law 2: providers in plan order, one after the other',
  bounds: 'law 3: at most 1 + retries attempts, none after the end',
  waits: 'backoff: each wait as its provider says, none that passes the deadline',
  exhausted: 'law 4: exhausted if and only if failures > maxRetries',
  probes: 'law 5: an exhausted fallback calls nobody but through a due probe',
  model: 'laws 5, 6 and 7: each machine stands where the model says',
  restore: 'law 8: a restored engine is the one that was snapshot',
  leaks: 'law 9: no timer and no abort listener without a call in flight',
  errors: 'law 10: every error and every output arrives as it was',
  attempts: 'events: every attempt-started has one attempt-ended',
  doubts: 'events: each doubt is told once, right after the attempt that it is about',
  events: 'events: true, in order, of the call they name',
  ids: 'ids: unique, and the same everywhere',
  config: 'configuration: as the updates left it',
  refusals: 'refusals: the right error, and nothing changed',
  eviction: 'eviction: only the least recently used, never in flight',
} as const;

export type Law = keyof typeof LAWS;

const NONE = Object.fromEntries(Object.keys(LAWS).map((law) => [law, 0])) as Record<Law, number>;

/** The first thing that went wrong. */
export class Violation extends Error {
  readonly law: Law;
  readonly call: number | undefined;
  readonly machine: number | undefined;

  constructor(law: Law, message: string, subject?: Subject) {
    super(message);
    this.law = law;
    this.call = subject?.number;
    this.machine = subject?.machine.index;
  }
}

/** Whose doing something is. */
export interface Subject {
  readonly number?: number;
  readonly machine: { readonly index: number };
}

interface Note {
  at: number;
  call: number | undefined;
  machine: number | undefined;
  what: string;
  detail: unknown;
}

/** How many notes are kept. Fixed, so that the heap stays flat. */
const NOTES = 4_096;

/** Counts the checks, keeps the first violation, and remembers what happened lately. */
export class Watch {
  readonly checks: Record<Law, number> = { ...NONE };
  readonly #notes: Note[] = [];
  #next = 0;
  violation: Violation | undefined;

  constructor() {
    for (let i = 0; i < NOTES; i++) {
      this.#notes.push({ at: 0, call: undefined, machine: undefined, what: '', detail: undefined });
    }
  }

  /** Counts one check of a law and hands its verdict back: `if (!watch.holds(law, fact)) throw watch.broken(law, …)`. */
  holds(law: Law, fact: boolean): boolean {
    this.checks[law]++;
    return fact;
  }

  /** Kept as well as thrown: where this is called, an engine may catch it. */
  broken(law: Law, message: string, subject?: Subject): never {
    const violation = new Violation(law, message, subject);
    this.violation ??= violation;
    throw violation;
  }

  /** Keeps what went wrong where nobody awaits: a violation, or whatever an engine should not have thrown. */
  readonly keep = (error: unknown): void => {
    this.violation ??= error instanceof Violation ? error : new Violation('errors', `thrown: ${String(error)}`);
  };

  stopIfBroken(): void {
    if (this.violation) throw this.violation;
  }

  note(at: number, what: string, subject: Subject | undefined, detail?: unknown): void {
    const note = this.#notes[this.#next++ % NOTES] as Note;
    note.at = at;
    note.call = subject?.number;
    note.machine = subject?.machine.index;
    note.what = what;
    note.detail = typeof detail === 'object' && detail !== null ? String(detail) : detail;
  }

  /** The last `count` notes, or those of one machine. */
  history(count: number, machine?: number): string[] {
    const kept = Math.min(this.#next, NOTES);
    const notes = Array.from({ length: kept }, (_, i) => this.#notes[(this.#next - kept + i) % NOTES] as Note);
    const wanted = notes.filter((note) => machine === undefined || note.machine === machine);
    return wanted.slice(-count).map(({ at, call, machine: of, what, detail }) => {
      const subject = call === undefined ? '' : `#${call} on machine ${of}`;
      return `${String(at).padStart(10)} ms  ${subject.padEnd(28)} ${what}${detail === undefined ? '' : ` ${String(detail)}`}`;
    });
  }

  get total(): number {
    return Object.values(this.checks).reduce((sum, count) => sum + count, 0);
  }
}

/** How often each thing happened, by group. */
export class Figures {
  readonly #groups = new Map<string, Map<string, number>>();

  add(group: string, name: string, count = 1): void {
    let counts = this.#groups.get(group);
    if (!counts) {
      counts = new Map();
      this.#groups.set(group, counts);
    }
    counts.set(name, (counts.get(name) ?? 0) + count);
  }

  get(group: string, name: string): number {
    return this.#groups.get(group)?.get(name) ?? 0;
  }

  /** The most frequent first. */
  group(group: string): [name: string, count: number][] {
    return [...(this.#groups.get(group) ?? [])].sort((one, other) => other[1] - one[1]);
  }
}
