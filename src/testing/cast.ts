import type { Stage } from './history.ts';
import { owned, type RawDefinition, type RawProvider } from './raw.ts';
import type { FaultKind } from './trace.ts';

/** What an actor knows of the call. */
export interface CallContext {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly config: {
    readonly fallbackProvider?: string;
    readonly deadline?: number;
    readonly providers: Readonly<Record<string, { readonly retries: number }>>;
  };
}

/** Who acts in the place of providers: by name, for each thing that one may be asked to do. */
export interface Actors {
  run(provider: string, input: unknown, ctx: CallContext): unknown;
  verify(provider: string, ctx: CallContext): unknown;
  compensate(provider: string, output: unknown, ctx: CallContext): unknown;
  check(provider: string, ctx: Pick<CallContext, 'signal'>): unknown;
}

/** The definition as it is, but for what its providers would do to the world, and for where it exists. */
export function cast(raw: RawDefinition, actors: Actors): object {
  const { env: _env, product: _product, ...definition } = raw;
  return { ...definition, providers: raw.providers.map((provider) => recast(provider, actors)) };
}

function recast(provider: RawProvider, actors: Actors): object {
  const { name, run, verify, compensate, healthcheck } = provider;
  return {
    ...owned(provider),
    ...(run !== undefined && { run: (input: unknown, ctx: CallContext) => actors.run(name, input, ctx) }),
    ...(verify !== undefined && { verify: (_: unknown, ctx: CallContext) => actors.verify(name, ctx) }),
    ...(compensate !== undefined && {
      compensate: (output: unknown, _: unknown, ctx: CallContext) => actors.compensate(name, output, ctx),
    }),
    ...(healthcheck && {
      healthcheck: { ...healthcheck, check: (ctx: Pick<CallContext, 'signal'>) => actors.check(name, ctx) },
    }),
  };
}

/**
 * What may go wrong with a provider's `verify` and `compensate`. A compensation works in the end: that one may be given up
 * on is for the user's journal, and no policy could mend it.
 */
export function aftermathFor(
  { name, verify, compensate, compensateRetries = 3, retries = 0, timeout }: RawProvider,
  weights: Readonly<Partial<Record<FaultKind, number>>>,
): NonNullable<Stage['aftermath']> {
  const allowed = (kinds: readonly FaultKind[]) => kinds.filter((kind) => weights[kind] !== 0);
  // Nobody would end a compensation that hangs.
  const long: readonly FaultKind[] = typeof timeout === 'number' ? ['slow', 'hang'] : [];
  return [
    ...(verify === undefined
      ? []
      : [
          {
            name,
            of: 'verify' as const,
            kinds: allowed(['reject', 'throw', 'slow', 'hang']),
            most: 1 + retries,
          },
        ]),
    ...(compensate === undefined
      ? []
      : [
          {
            name,
            of: 'compensate' as const,
            kinds: allowed(['reject', 'throw', 'lost', ...long]),
            most: compensateRetries,
          },
        ]),
  ];
}
