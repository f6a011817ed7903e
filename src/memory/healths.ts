import type { ProviderDefinition } from '../definition/provider.ts';
import type { Breaker } from '../definition/safety.ts';
import type { Where } from '../errors.ts';
import type { Events } from '../events.ts';
import { HEALTH_CHART, type HealthEvent, type HealthPhase, type HealthStepper } from '../machine/health-machine.ts';
import { Stepper } from '../machine/step.ts';
import { Health, type Leave } from './health.ts';
import type { Unit } from './machine.ts';

/** What a snapshot says of one. */
export interface RevivedHealth {
  readonly provider: string;
  readonly phase: HealthPhase;
  readonly failures: number;
  readonly waited?: number | null | undefined;
  /** Of the primary: the one that it was judged by. */
  readonly breaker?: Breaker | undefined;
}

/** Why an attempt is not made now. */
export type Refused = 'unhealthy' | 'busy';

/** The health of every provider of every unit. Where nothing asks for it, nothing is kept. */
export class Healths {
  readonly stepper: HealthStepper = new Stepper(HEALTH_CHART);
  readonly #events: Events;

  constructor(events: Events) {
    this.#events = events;
  }

  /** What is known of a provider, if anything is or has to be. */
  of(unit: Unit, provider: ProviderDefinition): Health | undefined {
    return provider.isGuarded ? this.made(unit, provider) : unit.health?.get(provider.name);
  }

  made(unit: Unit, { name, tolerance, breaker }: ProviderDefinition): Health {
    unit.health ??= new Map();
    const known = unit.health.get(name);
    if (known) return known;
    const health = new Health(name, breaker?.cooldown ?? null, this.stepper.fresh(tolerance));
    unit.health.set(name, health);
    return health;
  }

  /** What is known of the primary of `wrap` and `call`, judged by this breaker from now on. */
  primary(unit: Unit, { failures, cooldown }: Breaker, now: number): Health {
    unit.primary ??= new Health('primary', cooldown, this.stepper.fresh({ failures }));
    const { primary } = unit;
    primary.cooldown = cooldown;
    if (primary.place.config.failures !== failures) {
      primary.move(this.stepper, { type: 'UPDATE', config: { failures } }, now);
    }
    return primary;
  }

  /**
   * Leave to make an attempt, as the probe where that is due; or why not.
   *
   * @param isDesperate health does not matter: there is nobody else to ask
   */
  admit(health: Health, most: number, now: number, where: Where, isDesperate = false): Leave | Refused {
    if (health.inFlight >= most) return 'busy';
    let { generation } = health;
    if (health.place.state !== 'healthy') {
      const due = health.hasWaited(health.cooldown, now);
      this.move(health, { type: 'PROBE', due }, now, where);
      // A listener may have made of the probe what it likes.
      const { state } = health.place;
      const isProbe = health.generation !== generation && state !== 'unhealthy';
      if (!isDesperate && !isProbe) return 'unhealthy';
      // Beside a probe that is under way, what comes of it is no verdict on that.
      generation = isProbe || state !== 'probing' ? health.generation : Number.NaN;
    }
    health.inFlight++;
    return { health, generation };
  }

  /** The attempt is over. */
  settle({ health, generation }: Leave, type: 'SUCCEEDED' | 'FAILED' | 'ABANDONED', now: number, where: Where): void {
    health.inFlight--;
    if (health.generation === generation) this.move(health, { type }, now, where);
  }

  move(health: Health, event: HealthEvent, now: number, where: Where): void {
    const before = health.place.state;
    const { generation } = health;
    health.move(this.stepper, event, now);
    const { state, failures } = health.place;
    // A probe that takes the place of a lost one is one, too.
    if (state === before && (state !== 'probing' || health.generation === generation)) return;
    const type = `provider-${state}` as const;
    if (!this.#events.wants(type)) return;
    const { provider } = health;
    const retryAfter = health.retryAfter(now);
    this.#events.emit(type, where, {
      provider,
      failures,
      ...(state === 'unhealthy' && retryAfter !== undefined && { retryAfter }),
    });
  }

  /** As new, whoever is under way; nobody hears of it. */
  renew(health: Health): void {
    health.stand(this.stepper.fresh(health.place.config));
    health.generation++;
    health.checkedAt = health.lastError = undefined;
  }

  /** Stands where a snapshot has it. */
  restore(health: Health, revived: RevivedHealth, now: number): void {
    health.resume(this.stepper, revived, { type: 'UPDATE', config: health.place.config }, now);
  }
}
