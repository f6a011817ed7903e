import type { ProviderDefinition } from '../definition/provider.ts';
import type { HealthCheck } from '../definition/safety.ts';
import type { Health } from '../memory/health.ts';
import type { Healths } from '../memory/healths.ts';
import type { Unit } from '../memory/machine.ts';
import { spelt } from '../quote.ts';
import type { HealthContext } from '../types.ts';
import { Attempt, type Outcome } from './attempt.ts';
import { Flight } from './flight.ts';
import type { Flights } from './flights.ts';

/**
 * Has a provider's health checked, where there is no verdict yet or it is too old: beside the trigger that asks, never on
 * its time. The last verdict holds meanwhile.
 */
export function checkUp(
  healths: Healths,
  flights: Flights,
  unit: Unit,
  { healthcheck }: ProviderDefinition,
  health: Health,
  now: number,
): void {
  if (!healthcheck || health.isBeingChecked || health.place.phase === 'held' || flights.isClosed) return;
  if (health.checkedAt !== undefined && now - health.checkedAt < healthcheck.interval) return;
  health.isBeingChecked = true;
  const { env, product, home } = unit;
  const where = { env, product, tag: home.definition.tag };
  const flight = new Flight(flights, undefined);
  flight.locate(where);
  const asked = new CheckUp(flight, healthcheck, { ...where, provider: health.provider });
  const { generation } = health;
  const conclude = () => {
    flight.end();
    health.isBeingChecked = false;
    const outcome = asked.outcome as Outcome;
    // A verdict on what has changed meanwhile is none.
    if (outcome.kind === 'aborted' || health.generation !== generation) return;
    health.checkedAt = flights.clock.now();
    const isWell = outcome.kind === 'succeeded' && Boolean(outcome.output);
    healths.move(health, { type: isWell ? 'WELL' : 'SICK' }, health.checkedAt, where);
  };
  asked.watch();
  asked.onEnd({ resume: conclude });
  Promise.resolve().then(() => {
    if (!asked.outcome) asked.begin(healthcheck.timeout ?? Math.max(healthcheck.interval, 1_000), flights.clock.now());
  });
}

class CheckUp extends Attempt {
  readonly #healthcheck: HealthCheck;
  readonly #about: Omit<HealthContext, 'signal'>;

  constructor(flight: Flight, healthcheck: HealthCheck, about: Omit<HealthContext, 'signal'>) {
    super(flight);
    this.#healthcheck = healthcheck;
    this.#about = about;
  }

  protected override get who(): string {
    return `the health check of ${spelt(this.#about.provider)}`;
  }

  protected override work(): unknown {
    const attempt = this;
    return this.#healthcheck.check({
      ...this.#about,
      get signal() {
        return attempt.signal;
      },
    });
  }
}
