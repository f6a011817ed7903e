import { amended, type ConfigModel, configOf, type Layer, NO_LAYER } from './config-model.ts';
import type { FallbackFacts } from './facts.ts';

export type Phase = 'idle' | 'triggered' | 'cooling' | 'probing';

/** The address of a machine, as requests spell it. */
export interface Address {
  readonly env: string;
  readonly product: string;
  readonly fallback_tag: string;
  readonly cache?: string;
}

/** One definition: what all its keyed machines share is an LRU. */
export class HomeModel {
  readonly facts: FallbackFacts;
  /** How often a key of it was used: an upper bound of how often the LRU's order has changed. */
  uses = 0;

  constructor(facts: FallbackFacts) {
    this.facts = facts;
  }
}

/** One fallback in one env and product. */
export class UnitModel {
  readonly home: HomeModel;
  readonly machines: MachineModel[] = [];
  layer: Layer = NO_LAYER;
  config: ConfigModel;
  revisions = 0;
  /** The `maxRetries` that were in force for all, and until when; without those that a greater one has come after. */
  #limits: readonly { readonly most: number; readonly until: number }[] = [];

  constructor(home: HomeModel) {
    this.home = home;
    this.config = configOf(home.facts);
  }

  reconfigure(layer: Layer, now: number): void {
    this.layer = layer;
    const config = configOf(this.home.facts, layer);
    if (config.signature === this.config.signature) return;
    const most = this.config.maxRetries;
    if (config.maxRetries !== most)
      this.#limits = [...this.#limits.filter((limit) => limit.most > most), { most, until: now }];
    this.config = config;
    this.revisions++;
  }

  /** Since when so many failures are too many. */
  limitedAt(failures: number): number {
    return this.#limits.findLast(({ most }) => most >= failures)?.until ?? 0;
  }
}

/** What a machine would say to a trigger. `either`: a probe has been aborted, and its place may not be free yet. */
export type Admission = 'admitted' | 'probe' | 'refused' | 'either';

/** Where one remembered machine stands, in the plainest words that work. */
export class MachineModel {
  readonly index: number;
  readonly unit: UnitModel;
  readonly address: Address;
  phase: Phase = 'idle';
  failures = 0;
  generation = 0;
  /** When the exhaustion or the probe under way began. */
  since = 0;
  triggers = 0;
  recoveries = 0;
  revisions = 0;
  inFlight = 0;
  /** Calls that were ended in a wait, and of which it is not known whether the engine has let go. */
  inLimbo = 0;
  probeInLimbo = false;
  hasLastError = false;
  lastError: unknown = undefined;
  own: Layer | undefined = undefined;
  #ownConfig: ConfigModel | undefined = undefined;
  #ownBase: ConfigModel | undefined = undefined;
  isRemembered = false;
  /** The use of its home at which it was last used. */
  usedAt = 0;
  /** It has become exhausted, and no event has told of it yet. */
  isUnheard = false;
  isRevisionUnknown = false;
  /** When it last changed. */
  changedAt = Number.NEGATIVE_INFINITY;

  constructor(index: number, unit: UnitModel, address: Address) {
    this.index = index;
    this.unit = unit;
    this.address = address;
    unit.machines.push(this);
  }

  get isKey(): boolean {
    return this.address.cache !== undefined;
  }

  get state(): 'idle' | 'triggered' | 'exhausted' {
    return this.phase === 'cooling' || this.phase === 'probing' ? 'exhausted' : this.phase;
  }

  get config(): ConfigModel {
    const { unit, own } = this;
    if (!own) return unit.config;
    if (!this.#ownConfig || this.#ownBase !== unit.config) {
      this.#ownConfig = configOf(unit.home.facts, unit.layer, own);
      this.#ownBase = unit.config;
    }
    return this.#ownConfig;
  }

  get revision(): number {
    return this.unit.revisions + this.revisions;
  }

  retryAfter(now: number): number | undefined {
    const { resetAfter } = this.config;
    if (this.state !== 'exhausted' || resetAfter === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(0, this.since + resetAfter - now);
  }

  /** `exhausted ⇔ failures > maxRetries`, by the newest configuration; what this changes began at `since`. */
  catchUp(since = this.unit.limitedAt(this.failures)): void {
    const isSpent = this.failures > this.config.maxRetries;
    if (this.phase === 'triggered' && isSpent) {
      this.#enter('cooling', since);
      this.generation++;
      this.isUnheard = true;
    } else if (this.state === 'exhausted' && !isSpent) {
      this.#enter('triggered', this.since);
      this.generation++;
    }
  }

  /** What a trigger would hear now. Changes nothing but that it catches up. */
  forecast(now: number): Admission {
    this.catchUp();
    if (this.state !== 'exhausted') return 'admitted';
    const { resetAfter } = this.config;
    if (resetAfter === Number.POSITIVE_INFINITY) return 'refused';
    if (now - this.since >= resetAfter) return 'probe';
    return this.probeInLimbo ? 'either' : 'refused';
  }

  admit(now: number): Admission {
    const admission = this.forecast(now);
    if (admission === 'refused') return admission;
    if (this.phase === 'idle') this.#enter('triggered', this.since);
    if (this.state === 'exhausted') {
      this.#enter('probing', now);
      this.generation++;
    }
    this.changedAt = now;
    this.triggers++;
    this.inFlight++;
    return admission;
  }

  /** The verdict of a trigger admitted in `generation`; `none`: aborted, or the error was the caller's own. */
  settle(generation: number, verdict: 'recovered' | 'failed' | 'none', now: number): void {
    this.catchUp();
    if (this.generation !== generation) return;
    if (this.phase === 'probing') {
      if (verdict === 'recovered') {
        this.failures = 0;
        this.#enter('triggered', this.since);
        this.generation++;
      } else this.#enter('cooling', verdict === 'failed' ? now : Number.NEGATIVE_INFINITY);
      this.changedAt = now;
    } else if (this.phase === 'triggered' && verdict !== 'none') {
      this.failures = verdict === 'recovered' ? 0 : this.failures + 1;
      this.changedAt = now;
      this.catchUp(now);
    }
  }

  update(change: Readonly<Record<string, unknown>>, now: number): void {
    this.catchUp();
    const { unit } = this;
    if (!this.isKey) unit.reconfigure(amended(unit.layer, change), now);
    else {
      const layer = amended(this.own ?? NO_LAYER, change);
      if (!this.own && layer.size === 0) return;
      this.#replaceOwn(layer);
      this.isRemembered = true;
    }
    this.catchUp(now);
    this.changedAt = now;
  }

  reset(dropsConfig: boolean, now: number): void {
    if (dropsConfig) this.#replaceOwn(undefined);
    this.failures = 0;
    this.#enter('idle', this.since);
    this.changedAt = now;
    this.generation++;
    this.forgetError();
  }

  /** Evicted: it starts again. The generation goes on, so that nothing from before can count. */
  forget(): void {
    this.isRemembered = false;
    this.own = undefined;
    this.failures = this.triggers = this.recoveries = this.revisions = 0;
    this.#enter('idle', 0);
    this.generation++;
    this.forgetError();
  }

  /** Restored from a snapshot just taken: what was in flight is abandoned. */
  restore(): void {
    if (this.phase === 'probing') this.#enter('cooling', Number.NEGATIVE_INFINITY);
    this.generation++;
    this.isUnheard = false;
    this.forgetError();
    this.probeInLimbo = false;
  }

  forgetError(): void {
    this.hasLastError = false;
    this.lastError = undefined;
  }

  #enter(phase: Phase, since: number): void {
    this.phase = phase;
    this.since = since;
    if (this.state !== 'exhausted') this.isUnheard = false;
    if (phase !== 'probing') this.probeInLimbo = false;
  }

  #replaceOwn(own: Layer | undefined): void {
    const before = this.config.signature;
    this.own = own;
    this.#ownConfig = undefined;
    if (this.config.signature !== before) this.revisions++;
  }
}
