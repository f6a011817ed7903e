import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { createDuctape, defineFallback } from '../../src/index.ts';
import { virtualClock } from '../virtual-clock.ts';

class Hidden {
  readonly #region: string;
  constructor(region: string) {
    this.#region = region;
  }
  tell() {
    return this.#region;
  }
}

class Open {
  constructor(readonly region: string) {}
}

/** What a schema may make of a setting, and how to read it again. Made anew each time, and never the same object. */
const KINDS: Record<string, readonly [make: (region: string) => unknown, read: (made: never) => unknown]> = {
  'a text': [(region) => region, (made: string) => made],
  'a plain object': [
    (region) => ({ deep: [{ region }] }),
    (made: { deep: [{ region: string }] }) => made.deep[0].region,
  ],
  'a Date': [(region) => new Date(region.length), (made: Date) => 'x'.repeat(made.getTime())],
  'a Map': [
    (region) => new Map([[1, new Set([region])]]),
    (made: Map<number, Set<string>>) => [...(made.get(1) ?? [])][0],
  ],
  'a URL': [(region) => new URL(`https://${region}.test`), (made: URL) => made.hostname.split('.')[0]],
  Headers: [(region) => new Headers({ region }), (made: Headers) => made.get('region')],
  'an instance': [(region) => new Open(region), (made: Open) => made.region],
  'an instance with something private': [(region) => new Hidden(region), (made: Hidden) => made.tell()],
  'a function': [(region) => () => region, (made: () => string) => made()],
  'a list of functions': [(region) => [() => region], ([made]: [() => string]) => made()],
};

const DEFAULT = 'x';
const updates = fc.array(
  fc.record({ cache: fc.constantFrom(undefined, 'k'), region: fc.constantFrom('xx', 'xxx', 'xxxx', null) }),
  { minLength: 1, maxLength: 8 },
);

it.each(Object.entries(KINDS))(
  '%s from the settings’ schema is what updates last made it, each change counted',
  (_, kind) => {
    const [make, read] = kind;
    const settings = z.object({ region: z.string().default(DEFAULT).transform(make) });
    const fallback = defineFallback({ tag: 'x', settings, providers: [{ name: 'a', value: 1 }] });
    return fc.assert(
      fc.asyncProperty(updates, async (sequence) => {
        const engine = createDuctape({ env: 'e', product: 'p', clock: virtualClock(), fallbacks: [fallback] }).fallback;
        const told = (cache?: string) => {
          const { config, revision } = engine.inspect({ fallback_tag: 'x', ...(cache !== undefined && { cache }) });
          return { region: read((config as unknown as { readonly region: never }).region), revision };
        };
        let whole: string | undefined;
        let own: string | undefined;
        let changes = 0;
        for (const { cache, region } of sequence) {
          await engine.run({
            fallback_tag: 'x',
            action: 'update',
            input: { region },
            ...(cache !== undefined && { cache }),
          });
          if (cache === undefined) {
            changes += Number((region ?? undefined) !== whole);
            whole = region ?? undefined;
          } else own = region ?? undefined;
          expect(told()).toEqual({ region: whole ?? DEFAULT, revision: changes });
          expect(told('k').region).toBe(own ?? whole ?? DEFAULT);
        }
      }),
    );
  },
);
