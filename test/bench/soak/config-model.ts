import type { BaseConfig } from '../../../dist/index.js';
import { ENGINE_TIMEOUT, type FallbackFacts } from './facts.ts';

/** What updates have set, flat: `maxRetries`, `providers.stripe.retries` … */
export type Layer = ReadonlyMap<string, unknown>;

export const NO_LAYER: Layer = new Map();

/** An update over a layer: key by key, `null` taking back what the layer has there. */
export function amended(layer: Layer, update: Readonly<Record<string, unknown>>): Layer {
  const after = new Map(layer);
  amend(after, '', update);
  return after;
}

function amend(layer: Map<string, unknown>, path: string, update: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(update)) {
    const at = path + key;
    if (value === null) {
      for (const known of [...layer.keys()]) if (known === at || known.startsWith(`${at}.`)) layer.delete(known);
    } else if (typeof value === 'object') amend(layer, `${at}.`, value as Record<string, unknown>);
    else layer.set(at, value);
  }
}

/** A configuration in force, as the model expects it. */
export interface ConfigModel {
  readonly maxRetries: number;
  /** `Infinity`: never. */
  readonly resetAfter: number;
  readonly deadline: number;
  readonly plan: readonly string[];
  readonly retries: ReadonlyMap<string, number>;
  readonly timeouts: ReadonlyMap<string, number>;
  /** Equal for equal configurations. */
  readonly signature: string;
}

/** The definition's values with the layers over them, the later ones winning. */
export function configOf(facts: FallbackFacts, ...layers: readonly Layer[]): ConfigModel {
  const read = <T>(key: string, otherwise: T): T => {
    const layer = layers.findLast((one) => one.has(key));
    return layer ? (layer.get(key) as T) : otherwise;
  };
  const deadline = read('deadline', facts.deadline);
  const first = read('fallbackProvider', facts.fallbackProvider);
  const limit = read('limit', facts.limit);
  const resetAfter = read('resetAfter', facts.resetAfter);
  return configFrom(facts, {
    maxRetries: read('maxRetries', facts.maxRetries),
    ...(first !== undefined && { fallbackProvider: first }),
    ...(deadline !== undefined && { deadline }),
    resetAfter: resetAfter === 'never' ? null : resetAfter,
    providers: Object.fromEntries(
      facts.providers.map(({ name, retries, timeout = ENGINE_TIMEOUT }) => [
        name,
        {
          enabled: read(`providers.${name}.enabled`, true),
          retries: read(`providers.${name}.retries`, retries),
          timeout: read(`providers.${name}.timeout`, timeout),
        },
      ]),
    ),
    ...(limit !== undefined && { limit }),
  });
}

/** The same from a configuration that an engine shows. */
export function configFrom(facts: FallbackFacts, values: BaseConfig & { readonly limit?: unknown }): ConfigModel {
  const { maxRetries, resetAfter, deadline, fallbackProvider: first, providers, limit } = values;
  const enabled = facts.providers.map(({ name }) => name).filter((name) => providers[name]?.enabled);
  const plan = [...enabled.filter((name) => name === first), ...enabled.filter((name) => name !== first)];
  const each = Object.entries(providers);
  const flat = each.map(([name, { enabled: on, retries, timeout }]) => `${name} ${on} ${retries} ${timeout}`);
  const others = Object.keys(values).sort().join();
  return {
    maxRetries,
    resetAfter: resetAfter ?? Number.POSITIVE_INFINITY,
    deadline: deadline ?? Number.POSITIVE_INFINITY,
    plan,
    retries: new Map(each.map(([name, { retries }]) => [name, retries])),
    timeouts: new Map(each.map(([name, { timeout }]) => [name, timeout ?? Number.POSITIVE_INFINITY])),
    signature: [others, maxRetries, resetAfter, deadline, first, limit, ...flat].join(' | '),
  };
}
