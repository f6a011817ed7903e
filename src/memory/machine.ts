import type { Configuration, Updates } from '../definition/config.ts';
import type { Definition } from '../definition/definition.ts';
import type { Phase, Place } from '../machine/step.ts';
import type { Met } from '../quote.ts';
import type { State } from '../types.ts';
import type { Answers, Shared } from './answers.ts';
import type { Health } from './health.ts';
import type { KeyedMachines } from './keyed.ts';
import type { RetryBudget } from './retry-budget.ts';
import { Standing } from './standing.ts';

/** One definition in one engine. */
export interface Home {
  readonly definition: Definition;
  /** The configuration without updates. */
  readonly configuration: Configuration;
  /** Made at the first keyed use. */
  keyed: KeyedMachines<Machine> | undefined;
  /** Made when first needed. */
  lastGood: Answers | undefined;
  reused: Answers | undefined;
  /** The triggers under way whose answer others wait for, by the key of their answers. */
  shared: Map<string, Promise<Shared>> | undefined;
  /** The unit asked for last: the next call is likely to ask for it too. */
  recent: Unit | undefined;
  /** The unit whose keys stand in the LRU as they are. */
  bare: Unit | undefined;
}

/** One env and product. */
export interface Scope {
  readonly env: string;
  readonly product: string;
  readonly units: Map<string, Unit>;
  /** The order of last uses. */
  used: number;
}

/** One fallback in one env and product: what all its machines share. */
export interface Unit {
  readonly home: Home;
  readonly env: string;
  readonly product: string;
  readonly scope: Scope;
  readonly prefix: string;
  readonly machine: Machine;
  /** By provider; made when first needed. */
  health: Map<string, Health> | undefined;
  primary: Health | undefined;
  /** By provider, where the definition bounds retries. */
  budgets: Map<string, RetryBudget> | undefined;
  updates: Updates;
  configuration: Configuration;
  revisions: number;
  /** The `maxRetries` that have been in force for all, each greater than all after it, the present one included. */
  readonly limits: Limit[];
  /** What keeps its scope from making room for another: machines held, with failures, with updates of their own. */
  held: number;
  failing: number;
  amended: number;
  /** How many of its keys are remembered. */
  keys: number;
}

/** A `maxRetries` that was in force, and until when. */
interface Limit {
  readonly maxRetries: number;
  readonly until: number;
}

/** More than these are forgotten, the oldest first, so that updates without end fill no memory. */
const MOST_LIMITS = 64;

/** Another `maxRetries` is in force from now on. */
export function limit({ limits, configuration }: Unit, now: number): void {
  const { maxRetries } = configuration;
  while ((limits.at(-1)?.maxRetries ?? Number.POSITIVE_INFINITY) <= maxRetries) limits.pop();
  limits.push({ maxRetries, until: now });
  if (limits.length > MOST_LIMITS) limits.shift();
}

/** Since when so many failures have been too many: an exhaustion that an update causes began then, whoever noticed it when. */
export function limitedAt({ limits }: Unit, failures: number): number {
  return limits.findLast(({ maxRetries }) => maxRetries >= failures)?.until ?? limits[0]?.until ?? 0;
}

/** All of whom a unit knows how they are: its providers, and the primary. */
export function healthsOf({ health, primary }: Unit): Health[] {
  return [...(health?.values() ?? []), ...(primary ? [primary] : [])];
}

/** A key's own updates. */
export interface Own {
  readonly updates: Updates;
  readonly configuration: Configuration;
  /** The unit's configuration that they were merged into. */
  readonly base: Configuration;
}

/** One remembered machine: its place in the statechart, and beside it what is unbounded or tells of time. */
export class Machine extends Standing<Configuration, Phase, State> {
  /** A restore begins another: what is in flight from before it is not counted. */
  life = 0;
  triggers = 0;
  recoveries = 0;
  /** Effective updates of its own; the unit counts its own apart. */
  revisions = 0;
  inFlight = 0;
  /** The last provider error. */
  lastError: Met | undefined = undefined;
  own: Own | undefined = undefined;
  readonly unit: Unit;
  /** The unit's prefix and the cache key; `undefined` for the unit's own machine. */
  readonly key: string | undefined;

  constructor(unit: Unit, key: string | undefined, place: Place<Configuration>) {
    super(place);
    this.unit = unit;
    this.key = key;
  }

  get cache(): string | undefined {
    return this.key === undefined ? undefined : cacheOf(this.unit, this.key);
  }

  get revision(): number {
    return this.unit.revisions + this.revisions;
  }

  /** Stands at `place` from now on. */
  override stand(place: Place<Configuration>): void {
    this.unit.failing += Number(place.failures > 0) - Number(this.place.failures > 0);
    super.stand(place);
  }

  /** Whether `resetAfter` has elapsed since the exhaustion, or the probe under way, began. */
  isDue(now: number): boolean {
    return this.hasWaited(this.place.config.resetAfter, now);
  }
}

const MARK = '\0';

/** What no other unit's keys begin with. */
export function prefixOf(unit: number): string {
  return `${MARK}${unit}:`;
}

/**
 * A cache key as it stands in the LRU. Nearly every definition has one unit, whose keys stand there as they are; those of
 * others, and any that looks like one, stand behind their unit's prefix, so that no two units' keys can meet.
 */
export function keyOf(unit: Unit, cache: string): string {
  return unit.home.bare === unit && !cache.startsWith(MARK) ? cache : unit.prefix + cache;
}

function cacheOf({ prefix }: Unit, key: string): string {
  return key.startsWith(MARK) ? key.slice(prefix.length) : key;
}

/** Milliseconds until a probe may be admitted; `undefined` unless exhausted, and where there never will be one. */
export function retryAfter(place: Place<Configuration>, since: number, now: number): number | undefined {
  const { resetAfter } = place.config;
  if (place.state !== 'exhausted' || resetAfter === null) return undefined;
  return Math.max(0, since + resetAfter - now);
}
