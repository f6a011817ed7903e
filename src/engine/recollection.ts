import type { ProviderDefinition } from '../definition/provider.ts';
import type { Request } from '../definition/request.ts';
import type { Kept } from '../memory/answers.ts';
import type { Home } from '../memory/machine.ts';
import { type Answer, ask } from './predicate.ts';
import type { Tools } from './tools.ts';

/** By provider: the key of the last good answer to an input, none, or the fault of the function that makes it. */
export type Keys = ReadonlyMap<string, { readonly key?: string | undefined; readonly fault?: Answer['fault'] }>;

/** What has to be known of a call for its answers to be told apart. */
export interface Asking {
  readonly tools: Tools;
  readonly request: Request;
  readonly home: Home;
  readonly input: unknown;
}

/** The keys of the last good answers that providers may give to this input. */
export function keysOf(asking: Asking): Keys {
  const keys = new Map<string, { key?: string | undefined; fault?: Answer['fault'] }>();
  for (const { name, lastGood } of asking.home.definition.providers) {
    if (lastGood) keys.set(name, keyOf(asking, name, lastGood.key));
  }
  return keys;
}

/** A key of an input, which is undefined where the input is like no other. */
export function keyOf(
  { tools, request, input }: Asking,
  who: string,
  make: ((input: unknown) => unknown) | undefined,
): { readonly key?: string | undefined; readonly fault?: Answer['fault'] } {
  const { says, fault } = make ? ask('key', make, input) : { says: input };
  if (fault || says === undefined) return fault ? { fault } : {};
  return { key: tools.memory.recall.key(request, who, says) };
}

/** The last good answer that a provider may give again, if there is one; or the fault of its `key`. */
export function lastGood(
  home: Home,
  keys: Keys | undefined,
  { name, lastGood }: ProviderDefinition,
  now: number,
): { readonly kept?: Kept | undefined; readonly fault?: Answer['fault'] } {
  const { key, fault } = keys?.get(name) ?? {};
  if (fault) return { fault };
  return { kept: key === undefined || !lastGood ? undefined : home.lastGood?.find(key, lastGood.maxAge, now) };
}

/** Remembers an output for every provider that may give it again. */
export function remember({ memory }: Tools, home: Home, keys: Keys | undefined, kept: Kept): void {
  for (const { key } of keys?.values() ?? []) if (key !== undefined) memory.recall.lastGood(home).keep(key, kept);
}
