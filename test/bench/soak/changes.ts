import type { FallbackFacts } from './facts.ts';
import type { Random } from './random.ts';

type Change = Record<string, unknown>;

/** A random update that the fallback takes: one to three of its values, at times taken back. */
export function changeOf({ providers, limit }: FallbackFacts, random: Random): Change {
  const some: Record<string, () => unknown> = {
    maxRetries: () => random.below(7),
    resetAfter: () => (random.chance(0.1) ? 'never' : random.between(0, 1_500)),
    deadline: () => random.between(30, 400),
    fallbackProvider: () => random.pick(providers).name,
    providers: () => Object.fromEntries([[random.pick(providers).name, providerChange(random)]]),
    ...(limit !== undefined && { limit: () => random.below(100) }),
  };
  const keys = Object.keys(some);
  const change: Change = {};
  for (let i = random.between(1, 3); i > 0; i--) {
    const key = random.pick(keys);
    change[key] = random.chance(0.35) ? null : some[key]?.();
  }
  return change;
}

function providerChange(random: Random): unknown {
  if (random.chance(0.2)) return null;
  const values: Change = {
    enabled: random.chance(0.7),
    retries: random.below(4),
    timeout: random.between(0, 80),
  };
  const key = random.pick(Object.keys(values));
  return { [key]: random.chance(0.3) ? null : values[key] };
}
