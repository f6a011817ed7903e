import { FALLBACKS, type ProviderFacts } from './facts.ts';
import type { Stage } from './stage.ts';

/** How long the weather lasts, in virtual milliseconds. */
const SPELL = 1_500;

/** How well each provider is: good, bad and dead spells, at times all of a fallback's together. */
export class Health {
  readonly #stage: Stage;
  readonly #rates = new Map<ProviderFacts, number>();
  #until = Number.NEGATIVE_INFINITY;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** How probable it is that the provider fails now. */
  failureRate(provider: ProviderFacts): number {
    if (this.#stage.now >= this.#until) this.#change();
    return this.#rates.get(provider) ?? 0;
  }

  #change(): void {
    const { random, now } = this.#stage;
    this.#until = now + SPELL;
    for (const { providers } of FALLBACKS) {
      const isOutage = random.chance(0.2);
      for (const provider of providers)
        this.#rates.set(provider, isOutage ? 0.97 : random.pick([0.03, 0.05, 0.5, 0.95]));
    }
  }
}
