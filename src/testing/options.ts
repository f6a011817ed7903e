import fc from 'fast-check';
import { createDuctape, defineFallback, type Fallback, InvalidRequestError } from '../index.ts';
import { aftermathFor, cast } from './cast.ts';
import type { Stage } from './history.ts';
import { type Invariant, isInvariant } from './invariants.ts';
import { isObject, type RawDefinition, type RawProvider } from './raw.ts';
import type { CheckSession, Create, Play } from './simulate.ts';
import { FAULTS, type FaultKind, json } from './trace.ts';

/** Weights of faults: `{ hang: 0 }` leaves one out, `{ lost: 5 }` makes one likelier. */
export type Weights = Readonly<Partial<Record<FaultKind, number>>>;

export interface CheckOptions {
  /** Arbitrary for a trigger's input. */
  readonly input: fc.Arbitrary<unknown>;
  /** What providers answer: one arbitrary, or one by provider name. Default: `undefined`. */
  readonly output?: fc.Arbitrary<unknown> | Readonly<Record<string, fc.Arbitrary<unknown>>>;
  /** Arbitrary for an update's input. Default: legal values of `maxRetries` and `resetAfter`, and of health that is watched. */
  readonly updates?: fc.Arbitrary<Record<string, unknown>>;
  /** Weights for all providers, or by name; 0 leaves a fault out of `verify` and `compensate`, too. Default: all, evenly. */
  readonly faults?: Weights | Readonly<Record<string, Weights>>;
  /** Who triggers: its session counts as verified, with these `data`. Needed where the definition asks for one. Default: nobody. */
  readonly session?: CheckSession;
  /** What must hold besides the laws. */
  readonly invariants?: readonly (Invariant | ((trace: import('./trace.ts').Trace) => unknown))[];
  /** Random histories tried. Default: 300. */
  readonly runs?: number;
  /** The longest history. Default: 20. */
  readonly commands?: number;
  /** Cache keys in play, the machine without one besides. Default: 3. */
  readonly keys?: number;
  /** With `path`: replays exactly one failure, as a violation printed it. */
  readonly seed?: number;
  readonly path?: string;
}

const KNOWN = [
  'input',
  'output',
  'updates',
  'faults',
  'session',
  'invariants',
  'runs',
  'commands',
  'keys',
  'seed',
  'path',
];

/** All that a check needs, or an error that says how to mend what is wrong with it. */
export async function prepare(
  fallback: Fallback,
  options: CheckOptions,
  create: Create = createDuctape as unknown as Create,
) {
  const raw = defineFallback(fallback as never) as unknown as RawDefinition;
  const given: Partial<CheckOptions> = Object(options);
  refuse(
    Object.keys(given)
      .filter((key) => !KNOWN.includes(key))
      .map((key) => [key, `unknown option; expected one of ${KNOWN.join(', ')}`]),
  );
  const { runs = 300, commands = 20, keys = 3, invariants = [], faults = {}, updates, session, seed, path } = given;
  refuse([
    ...wholes({ runs, commands }, 1),
    ...wholes({ keys }, 0),
    ...(isArbitrary(given.input)
      ? []
      : [['input', "expected a fast-check arbitrary for a trigger's input: fc.record({ … })"] as const]),
    ...(updates === undefined || isArbitrary(updates)
      ? []
      : [['updates', `expected a fast-check arbitrary for an update's input, got ${json(updates)}`] as const]),
    ...(isObject(faults) ? [] : [['faults', `expected weights of faults, got ${json(faults)}`] as const]),
    ...unfitSession(raw, session),
    ...(path !== undefined && seed === undefined
      ? [['path', 'expected a seed beside it, as the violation printed them'] as const]
      : []),
    ...(seed === undefined ? [] : wholes({ seed }, Number.NEGATIVE_INFINITY)),
    ...(path === undefined || typeof path === 'string'
      ? []
      : [['path', `expected a string, as the violation printed it, got ${json(path)}`] as const]),
    ...(Array.isArray(invariants)
      ? unfit(invariants)
      : [['invariants', `expected a list, got ${json(invariants)}`] as const]),
  ]);
  const known = raw.providers.map(({ name }) => name);
  const running = raw.providers.filter(({ run }) => run !== undefined);
  if (running.length === 0) refuse([['definition', 'no provider runs anything, so there is nothing to check']]);
  const names = running.map(({ name }) => name);
  const outputs = new Map<string, { usual: unknown; invalid: { output: unknown } | undefined }>();
  const leftOut: string[] = [];
  const providers: Stage['providers'][number][] = [];
  for (const provider of running) {
    const arbitrary = outputOf(raw, options, provider, names);
    const usual = fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0];
    const invalid = await refusedOutput(raw, provider);
    if (!invalid) leftOut.push(`${provider.name}: invalid`);
    outputs.set(provider.name, { usual, invalid });
    const weights = weightsOf(faults, provider.name, known, invalid !== undefined);
    providers.push({ name: provider.name, outputs: arbitrary, weights, attempts: 1 + (provider.retries ?? 0) });
  }
  await checkInputs(raw, options.input);
  const all = invariants.map(
    (invariant): Invariant =>
      typeof invariant === 'function' ? { name: invariant.name || 'invariant', judge: invariant } : invariant,
  );
  refuse(
    all.flatMap(({ name, providers = [] }) =>
      providers
        .filter((provider) => !known.includes(provider))
        .map(
          (provider) =>
            [`invariants.${name}`, `unknown provider ${json(provider)}; expected one of ${known.join(', ')}`] as const,
        ),
    ),
  );
  const within = all.flatMap(({ within }) => (within === undefined ? [] : [within]));
  const resetAfter = raw.resetAfter ?? (raw.resetAfter === null ? null : 30_000);
  const stage: Stage = {
    input: options.input,
    updates: updates ?? legalUpdates(raw, resetAfter),
    keys,
    commands,
    providers,
    aftermath: running.flatMap((provider) =>
      aftermathFor(provider, providers.find(({ name }) => name === provider.name)?.weights ?? {}),
    ),
    checked: raw.providers.filter(({ healthcheck }) => healthcheck).map(({ name }) => name),
    delays: delaysFor(raw, resetAfter),
  };
  const play: Play = {
    tag: raw.tag,
    definition: raw,
    cast: (actors) => cast(raw, actors) as Parameters<typeof defineFallback>[0],
    policy: { maxRetries: raw.maxRetries ?? 10, resetAfter },
    keys,
    session,
    outputs,
    limits: new Map(running.map(({ name, timeout }) => [name, Math.min(timeout ?? 1_000, raw.deadline ?? 1_000)])),
    horizon: within.length > 0 ? Math.max(...within) : undefined,
    create,
  };
  return { play, stage, invariants: all, names: known, runs, seed, path, leftOut };
}

function unfit(invariants: readonly unknown[]): (readonly [string, string])[] {
  return invariants.flatMap((invariant, index) =>
    isInvariant(invariant)
      ? []
      : [[`invariants[${index}]`, `expected an invariant or a function of the trace, got ${json(invariant)}`] as const],
  );
}

function unfitSession({ session: asked }: RawDefinition, session: unknown): (readonly [string, string])[] {
  if (session === undefined)
    return asked === 'required' ? [['session', 'expected { tag, token }, which the definition requires']] : [];
  const { tag, token } = Object(session) as { readonly tag?: unknown; readonly token?: unknown };
  const isFit = [tag, token].every((text) => typeof text === 'string' && text !== '');
  return isFit ? [] : [['session', 'expected { tag, token, data? }, its tag and its token strings that are not empty']];
}

function legalUpdates(
  { providers }: RawDefinition,
  resetAfter: number | 'never' | null,
): fc.Arbitrary<Record<string, unknown>> {
  const waits = typeof resetAfter === 'number' ? [resetAfter, 0, 1_000] : [1_000, 0];
  const limits = { maxRetries: fc.nat(3), resetAfter: fc.constantFrom(...waits) };
  const watched = providers.filter(({ breaker, healthcheck }) => breaker ?? healthcheck).map(({ name }) => name);
  if (watched.length === 0) return fc.record(limits, { requiredKeys: [] });
  const byHand = fc
    .tuple(fc.constantFrom(...watched), fc.constantFrom('healthy', 'unhealthy'))
    .map(([name, health]) => ({ [name]: { health } }));
  return fc.record({ ...limits, providers: byHand }, { requiredKeys: [] });
}

/** Milliseconds over which retries are counted. */
const BUDGET_WINDOW = 10_000;

/** Nothing, a little, and a little less and more than each limit of the policy's own. */
function delaysFor(
  { providers, deadline, reuse, retryBudget }: RawDefinition,
  resetAfter: number | 'never' | null,
): readonly number[] {
  const own = providers.flatMap(({ timeout, hedge, breaker, healthcheck, lastGood }) => [
    timeout,
    hedge,
    breaker?.cooldown,
    healthcheck?.interval,
    lastGood?.maxAge,
  ]);
  const limits = [deadline, resetAfter, ...own, reuse?.maxAge, retryBudget && BUDGET_WINDOW];
  const around = limits.flatMap((limit) =>
    typeof limit === 'number' ? [Math.max(0, limit - 1), limit, limit + 1] : [],
  );
  return [...new Set([0, 3, 20, 150, ...around])].sort((one, other) => one - other);
}

function outputOf(
  raw: RawDefinition,
  { output }: CheckOptions,
  { name, accept }: RawProvider,
  names: readonly string[],
): fc.Arbitrary<unknown> {
  if (output === undefined) {
    if (raw.output || accept)
      refuse([['output', `expected an arbitrary for what ${name} answers, since the definition checks it`]]);
    return fc.constant(undefined);
  }
  if (isArbitrary(output)) return output;
  const expected = 'expected a fast-check arbitrary for what it answers';
  if (!isObject(output))
    refuse([['output', `expected a fast-check arbitrary, or one by provider name, got ${json(output)}`]]);
  refuse(
    Object.entries(output).flatMap(([key, arbitrary]) => {
      if (!names.includes(key)) return [[`output.${key}`, `unknown provider; expected one of ${names.join(', ')}`]];
      return isArbitrary(arbitrary) ? [] : [[`output.${key}`, `${expected}, got ${json(arbitrary)}`]];
    }),
  );
  return output[name] ?? fc.constant(undefined);
}

function weightsOf(faults: object, name: string, names: readonly string[], hasInvalid: boolean): Weights {
  const isByName = Object.values(faults).some(isObject);
  const known: readonly string[] = isByName ? names : FAULTS;
  const kind = isByName ? 'provider' : 'fault';
  refuse(
    Object.entries(faults).flatMap(([key, value]) => {
      if (!known.includes(key)) return [[`faults.${key}`, `unknown ${kind}; expected one of ${known.join(', ')}`]];
      return isByName && !isObject(value) ? [[`faults.${key}`, `expected weights of faults, got ${json(value)}`]] : [];
    }),
  );
  const mine = (isByName ? ((faults as Record<string, object>)[name] ?? {}) : faults) as Record<string, unknown>;
  const path = isByName ? `faults.${name}` : 'faults';
  const bad = Object.entries(mine).filter(
    ([key, weight]) =>
      !(FAULTS as readonly string[]).includes(key) || !(Number.isFinite(weight) && (weight as number) >= 0),
  );
  refuse(
    bad.map(([key, weight]) => [
      `${path}.${key}`,
      `expected the weight (0 or more) of one of ${FAULTS.join(', ')}, got ${json(weight)}`,
    ]),
  );
  const weights = {
    ...Object.fromEntries(FAULTS.map((fault) => [fault, 1])),
    ...mine,
    ...(hasInvalid ? {} : { invalid: 0 }),
  } as Record<FaultKind, number>;
  // Even where the user wants nothing but faults, a call must be able to be all right: it is what others shrink to.
  return { ...weights, ok: Math.max(weights.ok, 0.01) };
}

const CANDIDATES = [undefined, null, '', 0, -1, false, 'invalid', {}, [], Number.NaN, Symbol('invalid')];

/** An output that the schema or `accept` is seen to refuse. */
async function refusedOutput(
  { output: schema }: RawDefinition,
  provider: RawProvider,
): Promise<{ readonly output: unknown } | undefined> {
  for (const output of CANDIDATES) {
    const isRefused = async () => {
      const parsed = schema ? await schema['~standard'].validate(output) : { value: output };
      if (parsed.issues) return true;
      return provider.accept ? !provider.accept(parsed.value) : false;
    };
    if (await isRefused().catch(() => true)) return { output };
  }
  return undefined;
}

async function checkInputs({ input: schema, tag }: RawDefinition, arbitrary: fc.Arbitrary<unknown>): Promise<void> {
  for (const input of fc.sample(arbitrary, { numRuns: 20, seed: 1 })) {
    if (!isObject(input)) refuse([['input', `expected an arbitrary that makes objects, got ${json(input)}`]]);
    const issues = schema && (await schema['~standard'].validate(input)).issues;
    if (issues)
      refuse([
        [
          'input',
          `expected an arbitrary whose inputs the schema of ${tag} takes; it refused ${json(input)}: ${issues[0]?.message}`,
        ],
      ]);
  }
}

function wholes(values: Readonly<Record<string, unknown>>, from: number): (readonly [string, string])[] {
  return Object.entries(values).flatMap(([key, value]) =>
    Number.isInteger(value) && (value as number) >= from
      ? []
      : [
          [
            key,
            `expected a whole number${Number.isFinite(from) ? ` of ${from} or more` : ''}, got ${json(value)}`,
          ] as const,
        ],
  );
}

function isArbitrary(value: unknown): value is fc.Arbitrary<unknown> {
  return typeof (value as { generate?: unknown } | undefined | null)?.generate === 'function';
}

function refuse(issues: readonly (readonly [path: string, message: string])[]): void {
  if (issues.length > 0) throw new InvalidRequestError(issues.map(([path, message]) => ({ path, message })));
}
