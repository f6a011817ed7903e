import { expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { createDuctape, defineFallback, type InputOf, type OutputOf } from '../../src/index.ts';

/** One definition unlike any other: its number is in the type of its input, and of its output. */
const numbered = <const T extends string, const K extends number>(tag: T, key: K) =>
  defineFallback({
    tag,
    input: z.custom<{ key: K }>(),
    settings: z.object({ region: z.enum(['eu', 'us']).default('eu') }),
    providers: [
      { name: 'first', run: async (input, ctx) => ({ answer: input.key, region: ctx.config.region }) },
      { name: 'last', value: key },
    ],
  });

// biome-ignore format: one definition a line
const fifty = [
  numbered('tag-01', 1),
  numbered('tag-02', 2),
  numbered('tag-03', 3),
  numbered('tag-04', 4),
  numbered('tag-05', 5),
  numbered('tag-06', 6),
  numbered('tag-07', 7),
  numbered('tag-08', 8),
  numbered('tag-09', 9),
  numbered('tag-10', 10),
  numbered('tag-11', 11),
  numbered('tag-12', 12),
  numbered('tag-13', 13),
  numbered('tag-14', 14),
  numbered('tag-15', 15),
  numbered('tag-16', 16),
  numbered('tag-17', 17),
  numbered('tag-18', 18),
  numbered('tag-19', 19),
  numbered('tag-20', 20),
  numbered('tag-21', 21),
  numbered('tag-22', 22),
  numbered('tag-23', 23),
  numbered('tag-24', 24),
  numbered('tag-25', 25),
  numbered('tag-26', 26),
  numbered('tag-27', 27),
  numbered('tag-28', 28),
  numbered('tag-29', 29),
  numbered('tag-30', 30),
  numbered('tag-31', 31),
  numbered('tag-32', 32),
  numbered('tag-33', 33),
  numbered('tag-34', 34),
  numbered('tag-35', 35),
  numbered('tag-36', 36),
  numbered('tag-37', 37),
  numbered('tag-38', 38),
  numbered('tag-39', 39),
  numbered('tag-40', 40),
  numbered('tag-41', 41),
  numbered('tag-42', 42),
  numbered('tag-43', 43),
  numbered('tag-44', 44),
  numbered('tag-45', 45),
  numbered('tag-46', 46),
  numbered('tag-47', 47),
  numbered('tag-48', 48),
  numbered('tag-49', 49),
  numbered('tag-50', 50),
] as const;
const { fallback } = createDuctape({ env: 'e', product: 'p', fallbacks: fifty });

it('infers each of fifty definitions in one engine', async () => {
  expectTypeOf<(typeof fifty)['length']>().toEqualTypeOf<50>();
  expectTypeOf<InputOf<typeof fifty, 'tag-37'>>().toEqualTypeOf<{ key: 37 }>();
  expectTypeOf<OutputOf<typeof fifty, 'tag-50'>>().toEqualTypeOf<{ answer: 50; region: 'eu' | 'us' } | 50>();
  const { output } = await fallback.run({ fallback_tag: 'tag-42', action: 'trigger', input: { key: 42 } });
  expectTypeOf(output).toEqualTypeOf<{ answer: 42; region: 'eu' | 'us' } | 42>();
  expectTypeOf(fallback.wrap('tag-08', (input: { key: 8 }) => input)).returns.resolves.toEqualTypeOf<
    { key: 8 } | { answer: 8; region: 'eu' | 'us' } | 8
  >();
});

it('refuses the input of one of fifty where it is meant for another', () => {
  // @ts-expect-error the key of tag-42 is 42
  void fallback.run({ fallback_tag: 'tag-42', action: 'trigger', input: { key: 41 } });
  // @ts-expect-error there is no fifty-first
  void fallback.run({ fallback_tag: 'tag-51', action: 'reset' });
  // @ts-expect-error no such provider
  void fallback.run({ fallback_tag: 'tag-50', action: 'update', input: { fallbackProvider: 'second' } });
  // @ts-expect-error no such region
  void fallback.run({ fallback_tag: 'tag-50', action: 'update', input: { region: 'mars' } });
});
