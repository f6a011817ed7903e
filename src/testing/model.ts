/** The part of a definition that decides where its machines stand. */
export interface Policy {
  readonly maxRetries: number;
  readonly resetAfter: number | 'never' | null;
}

type Phase = 'idle' | 'triggered' | 'cooling' | 'probing';

interface Machine {
  phase: Phase;
  failures: number;
  generation: number;
  since: number;
}

interface Amendments {
  readonly maxRetries?: number | null;
  readonly resetAfter?: number | 'never' | null;
}

/** The states of a fallback once more, in the plainest words that work: what the engine's machines are held against. */
export class Model {
  readonly #policy: Policy;
  readonly #machines = new Map<number, Machine>();
  #shared: Amendments = {};
  #limitedAt = 0;
  readonly #own = new Map<number, Amendments>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  limits(key: number): { maxRetries: number; resetAfter: number } {
    const own = this.#own.get(key) ?? {};
    const resetAfter = own.resetAfter ?? this.#shared.resetAfter ?? this.#policy.resetAfter;
    return {
      maxRetries: own.maxRetries ?? this.#shared.maxRetries ?? this.#policy.maxRetries,
      resetAfter: typeof resetAfter === 'number' ? resetAfter : Number.POSITIVE_INFINITY,
    };
  }

  /** The machine of a key, its configuration taken over. */
  at(key: number): Machine {
    const machine = this.#machines.get(key) ?? { phase: 'idle', failures: 0, generation: 0, since: 0 };
    this.#machines.set(key, machine);
    this.#law(machine, key, this.#limitedAt);
    return machine;
  }

  /** What becomes of a trigger that asks to be let in. */
  admit(key: number, now: number): 'admitted' | 'probe' | 'refused' {
    const machine = this.at(key);
    if (machine.phase === 'idle') machine.phase = 'triggered';
    if (machine.phase === 'triggered') return 'admitted';
    if (now - machine.since < this.limits(key).resetAfter || this.limits(key).resetAfter === Number.POSITIVE_INFINITY)
      return 'refused';
    Object.assign(machine, { phase: 'probing', since: now, generation: machine.generation + 1 });
    return 'probe';
  }

  settle(key: number, generation: number, verdict: 'recovered' | 'failed' | 'none', now: number): void {
    const machine = this.#machines.get(key);
    if (!machine || machine.generation !== generation) return;
    if (machine.phase === 'probing') {
      if (verdict === 'recovered')
        Object.assign(machine, { phase: 'triggered', failures: 0, generation: generation + 1 });
      else Object.assign(machine, { phase: 'cooling', since: verdict === 'failed' ? now : Number.NEGATIVE_INFINITY });
    } else if (machine.phase === 'triggered') {
      if (verdict === 'recovered') machine.failures = 0;
      if (verdict === 'failed') machine.failures++;
      this.#law(machine, key, now);
    }
  }

  update(key: number, input: Amendments, now: number): void {
    const machine = this.at(key);
    if (key !== 0) this.#own.set(key, join(this.#own.get(key) ?? {}, input));
    else {
      const before = this.limits(0).maxRetries;
      this.#shared = join(this.#shared, input);
      if (this.limits(0).maxRetries !== before) this.#limitedAt = now;
    }
    this.#law(machine, key, now);
  }

  reset(key: number, { config = false, keys = false }, now: number): void {
    if (config && key === 0) {
      const before = this.limits(0).maxRetries;
      this.#shared = {};
      if (this.limits(0).maxRetries !== before) this.#limitedAt = now;
    }
    for (const [other, machine] of this.#machines) {
      if (other !== key && !(keys && other !== 0)) continue;
      if (config) this.#own.delete(other);
      Object.assign(machine, { phase: 'idle', failures: 0, generation: machine.generation + 1 });
    }
  }

  /** An evicted key starts again. */
  forget(key: number): void {
    this.#machines.delete(key);
  }

  /** A snapshot restored: what was in flight is abandoned. */
  restore(): void {
    for (const key of this.#machines.keys()) {
      const machine = this.at(key);
      if (machine.phase === 'probing') Object.assign(machine, { phase: 'cooling', since: Number.NEGATIVE_INFINITY });
      machine.generation += 1;
    }
  }

  #law(machine: Machine, key: number, since: number): void {
    const isSpent = machine.failures > this.limits(key).maxRetries;
    if (machine.phase === 'triggered' && isSpent)
      Object.assign(machine, { phase: 'cooling', since, generation: machine.generation + 1 });
    if ((machine.phase === 'cooling' || machine.phase === 'probing') && !isSpent) {
      Object.assign(machine, { phase: 'triggered', generation: machine.generation + 1 });
    }
  }
}

/** What is `undefined` says nothing; `null` takes back what was said before. */
function join(before: Amendments, input: Amendments): Amendments {
  return { ...before, ...Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) };
}
