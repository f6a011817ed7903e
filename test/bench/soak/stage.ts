import type { BaseConfig } from '../../../dist/index.js';
import type { Call } from './call.ts';
import { type ClockPort, HeapClock } from './clock.ts';
import type { ConfigModel } from './config-model.ts';
import { ENVS, FALLBACKS, PRODUCTS } from './facts.ts';
import type { Host } from './host.ts';
import { type Address, HomeModel, MachineModel, UnitModel } from './machine-model.ts';
import { Random } from './random.ts';
import { Figures, Watch } from './watch.ts';

/** The calls that are not over yet, an attempt of theirs that settles late included. */
class Calls {
  readonly #byNumber = new Map<number, Call>();
  readonly #byId = new Map<string, Call>();
  /** Whose trigger begins at this very moment: the next id that nobody knows is its. */
  starting: Call | undefined;
  made = 0;
  inFlight = 0;

  get size(): number {
    return this.#byNumber.size;
  }

  add(call: Call): void {
    this.#byNumber.set(call.number, call);
    if (call.id !== undefined) this.#byId.set(call.id, call);
  }

  identify(call: Call, id: string): void {
    call.id = id;
    this.#byId.set(id, call);
  }

  numbered(number: number): Call | undefined {
    return this.#byNumber.get(number);
  }

  named(id: string | undefined): Call | undefined {
    return id === undefined ? undefined : this.#byId.get(id);
  }

  drop(call: Call): void {
    this.#byNumber.delete(call.number);
    if (call.id !== undefined) this.#byId.delete(call.id);
  }

  [Symbol.iterator](): Iterator<Call> {
    return this.#byNumber.values();
  }
}

/** All that the parts of a soak share. */
export class Stage {
  readonly watch = new Watch();
  readonly figures = new Figures();
  readonly calls = new Calls();
  readonly clock = new HeapClock();
  readonly random: Random;
  /** The soak's own timers: latencies, aborts, pauses. */
  readonly time: ClockPort;
  readonly homes: readonly HomeModel[] = FALLBACKS.map((facts) => new HomeModel(facts));
  readonly machines: MachineModel[] = [];
  /** The most keys that one definition's LRU holds. */
  readonly most: number;
  /** A signal that outlives the calls it is given to. It never aborts. */
  readonly longLived = new AbortController().signal;
  /** How many calls in flight have it. */
  heeding = 0;
  /** Between a snapshot and its restore: listeners hear of what it caught up with, and may change nothing. */
  isRestarting = false;
  /** How many engines are being closed. */
  closing = 0;
  /** Configurations of the engine that have been found to be the model's. */
  readonly sameConfigs = new WeakMap<BaseConfig, ConfigModel>();
  readonly #byAddress = new Map<string, MachineModel>();
  #host: Host | undefined;

  constructor(seed: number, keys: number) {
    this.random = new Random(seed);
    this.time = this.port();
    this.most = Math.ceil(keys / 12);
    const units = this.homes.flatMap((home) => placesOf(home).map((place) => ({ unit: new UnitModel(home), place })));
    for (const { unit, place } of units) this.#add(unit, place);
    for (let key = 0; key < keys; key++) {
      const { unit, place } = units[key % units.length] as (typeof units)[number];
      // The same names in every unit: a key is its own only together with its unit.
      this.#add(unit, { ...place, cache: `key-${Math.floor(key / units.length)}` });
    }
  }

  /** The engine that takes the calls now. */
  get host(): Host {
    if (!this.#host) throw new Error('no engine has been started yet');
    return this.#host;
  }

  set host(host: Host) {
    this.#host = host;
  }

  get now(): number {
    return this.clock.now;
  }

  port(): ClockPort {
    return this.clock.port((ms) => this.watch.broken('leaks', `a timer of ${ms} ms was asked for`));
  }

  machineAt(env: string, product: string, tag: string, cache: string | undefined): MachineModel {
    const machine = this.#byAddress.get([env, product, tag, cache ?? ''].join('|'));
    return machine ?? this.watch.broken('events', `an event of an unknown machine: ${tag} ${env} ${product} ${cache}`);
  }

  note(what: string, call?: Call, detail?: unknown): void {
    this.watch.note(this.now, what, call, detail);
  }

  #add(unit: UnitModel, address: Address): void {
    const machine = new MachineModel(this.machines.length, unit, address);
    this.machines.push(machine);
    const { env, product, fallback_tag: tag, cache = '' } = address;
    this.#byAddress.set([env, product, tag, cache].join('|'), machine);
  }
}

function placesOf({ facts: { tag, envs = ENVS } }: HomeModel): Address[] {
  return envs.flatMap((env) => PRODUCTS.map((product) => ({ env, product, fallback_tag: tag })));
}
