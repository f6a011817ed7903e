import { amend, type Configuration, NO_UPDATES } from '../definition/config.ts';
import type { Address } from '../definition/request.ts';
import { InvalidRequestError, type Where } from '../errors.ts';
import type { Events } from '../events.ts';
import type { MachineEvent } from '../machine/fallback-machine.ts';
import { Stepper } from '../machine/step.ts';
import type { Clock } from '../types.ts';
import { Healths } from './healths.ts';
import { type CacheOptions, KeyedMachines } from './keyed.ts';
import {
  type Home,
  healthsOf,
  keyOf,
  limitedAt,
  Machine,
  prefixOf,
  retryAfter,
  type Scope,
  type Unit,
} from './machine.ts';
import { Recall } from './recall.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Moment } from './standing.ts';

export interface MemoryOptions {
  readonly cache: CacheOptions;
  /** The most env and product pairs. */
  readonly maxScopes: number;
  /** The engine's timeout for attempts. */
  readonly timeout: number | null;
  readonly clock: Clock;
}

/** All that an engine remembers: env → product → tag → a unit with its own machine, and its keyed ones in the LRU. */
export class Machines {
  readonly stepper = new Stepper<Configuration>();
  readonly healths: Healths;
  readonly recall: Recall;
  readonly options: MemoryOptions;
  readonly #events: Events;
  readonly #scopes = new Map<string, Map<string, Scope>>();
  /** Told only once the memory is whole again: a listener may well call the engine. */
  #news: (() => void)[] = [];
  #quiet = 0;
  #scopeCount = 0;
  #unitCount = 0;
  #uses = 0;

  constructor(events: Events, options: MemoryOptions) {
    this.#events = events;
    this.healths = new Healths(events);
    this.recall = new Recall(options.cache.max);
    this.options = options;
  }

  /** The unit at an address, if it is remembered. */
  unit({ env, product, tag }: Address): Unit | undefined {
    return this.#scopes.get(env)?.get(product)?.units.get(tag);
  }

  /** The machine at an address, if it is remembered; asking changes nothing, its recency neither. */
  peek(address: Address): Machine | undefined {
    const unit = this.unit(address);
    if (address.cache === undefined) return unit?.machine;
    return unit?.home.keyed?.peek(keyOf(unit, address.cache));
  }

  /** The configuration in force at an address. */
  configuration(address: Address, home: Home): Configuration {
    const unit = this.#known(address, home);
    if (!unit) return home.configuration;
    const machine = address.cache === undefined ? undefined : home.keyed?.kept(keyOf(unit, address.cache));
    return machine ? this.#current(machine) : unit.configuration;
  }

  /** The machine at an address, if it is remembered, caught up with the newest configuration. */
  look(address: Address): Machine | undefined {
    const machine = this.peek(address);
    if (machine) this.quietly(() => this.catchUp(machine));
    return machine;
  }

  /**
   * The machine at an address, made if need be, caught up with the newest configuration, and held until {@link release}:
   * meanwhile it is neither forgotten nor made twice.
   *
   * @param isToStay a new key is going to get updates of its own: it costs no other key its place
   * @throws InvalidRequestError where there is no room for one more env and product
   */
  hold(address: Address, home: Home, where: Where = address, isToStay = false): Machine {
    const unit = this.settled(address, home, where);
    const machine =
      address.cache === undefined ? unit.machine : this.#keyed(unit, keyOf(unit, address.cache), isToStay);
    machine.inFlight++;
    unit.held++;
    this.catchUp(machine);
    this.#tell();
    return machine;
  }

  /** The budget of a provider's retries. */
  budget(unit: Unit, provider: string): RetryBudget {
    unit.budgets ??= new Map();
    const known = unit.budgets.get(provider);
    if (known) return known;
    const budget = new RetryBudget();
    unit.budgets.set(provider, budget);
    return budget;
  }

  /** `age`: milliseconds that it has been out of use already. */
  release(machine: Machine, age = 0): void {
    const { unit, key } = machine;
    machine.inFlight--;
    unit.held--;
    if (key !== undefined) unit.home.keyed?.settle(key, machine, age);
    this.#tell();
  }

  /** `where`: whose step it is, where a call takes it. */
  move(machine: Machine, event: MachineEvent<Configuration>, moment: Moment, where?: Where): void {
    const before = machine.place;
    machine.move(this.stepper, event, moment);
    const { place, since } = machine;
    if (place === before || place.state !== 'exhausted' || before.state === 'exhausted') return;
    if (!this.#events.wants('exhausted')) return;
    this.#news.push(() => {
      // A listener that heard of something else before may have reset it meanwhile.
      if (machine.place.state !== 'exhausted') return;
      const after = retryAfter(place, since, this.options.clock.now());
      const facts = { failures: place.failures, ...(after !== undefined && { retryAfter: after }) };
      this.#events.emit('exhausted', where ?? whereOf(machine), facts);
    });
    this.#tell();
  }

  /** Takes over the newest configuration, if that is news; an exhaustion that this causes began at `since`, or when it was made. */
  catchUp(machine: Machine, since?: number): void {
    const config = this.#current(machine);
    if (machine.place.config === config) return;
    this.move(machine, { type: 'UPDATE', config }, since ?? limitedAt(machine.unit, machine.place.failures));
  }

  /** All units, those of the least recently used env and product first. */
  units(): Unit[] {
    return this.#allScopes()
      .sort((one, other) => one.used - other.used)
      .flatMap(({ units }) => [...units.values()]);
  }

  /** The remembered keyed machines, those of one definition together, the least recently used first. */
  *keyed(): Generator<readonly [machine: Machine, age: number | undefined]> {
    for (const home of this.#homes()) for (const [, machine, age] of home.keyed ?? []) yield [machine, age];
  }

  /** The remembered keyed machines of a unit. */
  keysOf(unit: Unit): Machine[] {
    if (unit.keys === 0) return [];
    return [...(unit.home.keyed ?? [])].map(([, machine]) => machine).filter((machine) => machine.unit === unit);
  }

  /** Forgets a keyed machine, whatever it holds. */
  delete(machine: Machine): void {
    machine.unit.home.keyed?.delete(machine.key as string, machine);
    this.#uncount(machine);
  }

  #homes(): Set<Home> {
    return new Set(this.units().map(({ home }) => home));
  }

  #uncount({ unit, place, own }: Machine): void {
    unit.keys--;
    if (place.failures > 0) unit.failing--;
    if (own) unit.amended--;
  }

  /** Forgets the keys whose time is over, as would otherwise happen at their next use. */
  forgetExpired(): void {
    for (const home of this.#homes()) home.keyed?.purge();
  }

  /** Forgets each env and product with which nothing would be lost. */
  dropClean(): void {
    for (const scope of this.#allScopes()) if (isClean(scope)) this.#drop(scope);
  }

  /** Whether one more key of a definition may have updates of its own. */
  canPin({ keyed }: Home): boolean {
    return !keyed || keyed.amended < this.options.cache.max;
  }

  get scopeCount(): number {
    return this.#scopeCount;
  }

  #current(machine: Machine): Configuration {
    const { own, unit } = machine;
    if (!own) return unit.configuration;
    if (own.base === unit.configuration) return own.configuration;
    const merged = amend(unit.home.definition, [unit.updates], own.updates, NO_UPDATES, this.options.timeout);
    // Where the settings' schema refuses the two updates together, the key keeps what it has.
    const configuration = merged.issues ? own.configuration : merged.value.configuration;
    machine.own = { ...own, configuration, base: unit.configuration };
    return configuration;
  }

  #keyed(unit: Unit, key: string, isToStay: boolean): Machine {
    const { home } = unit;
    home.keyed ??= new KeyedMachines(this.options.cache, this.options.clock, this.#forget);
    const known = home.keyed.get(key);
    if (known) return known;
    const machine = new Machine(unit, key, this.stepper.fresh(unit.configuration));
    unit.keys++;
    if (isToStay) home.keyed.keep(key, machine);
    else home.keyed.add(key, machine);
    return machine;
  }

  readonly #forget = (machine: Machine, reason: 'full' | 'expired'): void => {
    this.#uncount(machine);
    this.#tellEvicted(machine, reason);
  };

  /** Does `work`, and only then tells what news it made. */
  quietly<T>(work: () => T): T {
    this.#quiet++;
    try {
      return work();
    } finally {
      this.#quiet--;
      this.#tell();
    }
  }

  #tellEvicted(machine: Machine, reason: 'full' | 'expired'): void {
    if (!this.#events.wants('evicted')) return;
    const where = whereOf(machine);
    this.#news.push(() => this.#events.emit('evicted', where, { reason }));
  }

  #tell(): void {
    while (this.#quiet === 0 && this.#news.length > 0) this.#news.shift()?.();
  }

  /** The unit at an address, made if need be. @throws InvalidRequestError where there is no room for it */
  settled(address: Address, home: Home, where: Where): Unit {
    const unit = this.#known(address, home) ?? this.#newUnit(address, home, where);
    unit.scope.used = ++this.#uses;
    return unit;
  }

  #known(address: Address, home: Home): Unit | undefined {
    const { recent } = home;
    if (recent && recent.env === address.env && recent.product === address.product) return recent;
    const unit = this.unit(address);
    if (unit) home.recent = unit;
    return unit;
  }

  #newUnit({ env, product, tag }: Address, home: Home, where: Where): Unit {
    const scope = this.#scopes.get(env)?.get(product) ?? this.#scope(env, product, where);
    const { configuration } = home;
    const counts = {
      health: undefined,
      primary: undefined,
      budgets: undefined,
      revisions: 0,
      limits: [] as Unit['limits'],
      held: 0,
      failing: 0,
      amended: 0,
      keys: 0,
    };
    const prefix = prefixOf(++this.#unitCount);
    const unit = { home, scope, env, product, prefix, updates: NO_UPDATES, configuration, ...counts } as Unit;
    (unit as { machine: Machine }).machine = new Machine(unit, undefined, this.stepper.fresh(configuration));
    home.bare ??= unit;
    scope.units.set(tag, unit);
    return unit;
  }

  #scope(env: string, product: string, where: Where): Scope {
    if (this.#scopeCount >= this.options.maxScopes) this.#makeRoom(where);
    const products = this.#scopes.get(env) ?? new Map<string, Scope>();
    const scope = { env, product, units: new Map(), used: 0 };
    this.#scopes.set(env, products.set(product, scope));
    this.#scopeCount++;
    return scope;
  }

  #makeRoom(where: Where): void {
    this.forgetExpired();
    const [oldest] = this.#allScopes()
      .filter((scope) => isClean(scope))
      .sort((one, other) => one.used - other.used);
    if (!oldest) {
      const message = `expected at most ${this.options.maxScopes} env and product pairs (maxScopes), got one more, and none is idle`;
      throw new InvalidRequestError([{ path: 'product', message }], where);
    }
    this.#drop(oldest);
  }

  #drop({ env, product, units }: Scope): void {
    for (const unit of units.values()) {
      for (const machine of this.keysOf(unit)) {
        this.delete(machine);
        this.#tellEvicted(machine, 'full');
      }
      const { home } = unit;
      if (home.recent === unit) home.recent = undefined;
      if (home.bare === unit) home.bare = undefined;
    }
    const products = this.#scopes.get(env);
    products?.delete(product);
    if (products?.size === 0) this.#scopes.delete(env);
    this.#scopeCount--;
  }

  #allScopes(): Scope[] {
    return [...this.#scopes.values()].flatMap((products) => [...products.values()]);
  }
}

/** Whether this env and product may be forgotten: no failed triggers, no updates, nothing in flight, nobody unhealthy. */
function isClean({ units }: Scope): boolean {
  return [...units.values()].every(
    (unit) =>
      unit.held + unit.failing + unit.amended === 0 &&
      Object.keys(unit.updates).length === 0 &&
      healthsOf(unit).every(({ isIdle }) => isIdle),
  );
}

export function whereOf({ unit, cache }: Machine): {
  env: string;
  product: string;
  tag: string;
  cache: string | undefined;
} {
  return { env: unit.env, product: unit.product, tag: unit.home.definition.tag, cache };
}
