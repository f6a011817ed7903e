import { configure } from '../definition/config.ts';
import type { Definition } from '../definition/definition.ts';
import { nearest } from '../definition/nearest.ts';
import { InvalidDefinitionError, UnknownFallbackError, type Where } from '../errors.ts';
import { spelt } from '../quote.ts';
import type { FallbackInfo } from '../types.ts';
import type { Home } from './machine.ts';

interface Place {
  readonly tag: string;
  readonly env: string;
  readonly product: string;
  readonly cache?: string | undefined;
}

/** The definitions of one engine, by tag. */
export class Registry {
  readonly #homes = new Map<string, Home[]>();
  readonly #timeout: number | null;
  #isRemembering = false;

  constructor(timeout: number | null) {
    this.#timeout = timeout;
  }

  /** @throws InvalidDefinitionError where the tag is taken in one of its envs and products */
  define(definition: Definition): void {
    const homes = this.#homes.get(definition.tag) ?? [];
    const taken = homes.find((home) => overlap(home.definition, definition));
    if (taken) {
      const message = `expected a tag of its own in each env and product, got ${spelt(definition.tag)} again`;
      throw new InvalidDefinitionError([{ path: 'tag', message }], { tag: definition.tag });
    }
    const configuration = configure(definition, [], this.#timeout);
    if (configuration.issues)
      throw new InvalidDefinitionError(configuration.issues, { tag: definition.tag }, configuration.thrown);
    const home = {
      definition,
      configuration: configuration.value,
      keyed: undefined,
      lastGood: undefined,
      reused: undefined,
      shared: undefined,
      recent: undefined,
      bare: undefined,
    };
    this.#isRemembering ||= definition.remembers;
    this.#homes.set(definition.tag, [...homes, home]);
  }

  /** @throws UnknownFallbackError */
  find({ tag, env, product, cache }: Place, where: Where = { tag, env, product, cache }): Home {
    const home = this.seek(tag, env, product);
    if (home) return home;
    const here = [...this].filter(({ definition }) => isIn(definition, env, product));
    return refuse(where, here, this.has(tag));
  }

  /** There is no such tag anywhere. @throws UnknownFallbackError */
  refuse(where: Where): never {
    return refuse(where, [...this]);
  }

  seek(tag: string, env: string, product: string): Home | undefined {
    const homes = this.#homes.get(tag);
    if (homes) for (const home of homes) if (isIn(home.definition, env, product)) return home;
    return undefined;
  }

  /** Whether any fallback gives last good answers. */
  get isRemembering(): boolean {
    return this.#isRemembering;
  }

  has(tag: string): boolean {
    return this.#homes.has(tag);
  }

  list(): FallbackInfo[] {
    return [...this].map(({ definition }) => structuredClone(definition.info));
  }

  *[Symbol.iterator](): Generator<Home> {
    for (const homes of this.#homes.values()) yield* homes;
  }
}

function refuse(where: Where, homes: readonly Home[], isElsewhere = false): never {
  const known = [...new Set(homes.map(({ definition }) => definition.tag))];
  throw new UnknownFallbackError(known, nearest(where.tag ?? '', known), where, isElsewhere);
}

function isIn({ envs, products }: Definition, env: string, product: string): boolean {
  return (envs?.has(env) ?? true) && (products?.has(product) ?? true);
}

function overlap(one: Definition, other: Definition): boolean {
  return meet(one.envs, other.envs) && meet(one.products, other.products);
}

function meet(one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean {
  return !one || !other || [...one].some((place) => other.has(place));
}
