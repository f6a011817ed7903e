import fc from 'fast-check';
import type { FaultKind } from './trace.ts';

/** What one simulated call does. */
export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds before it shows. */
  readonly delay: number;
  readonly output: unknown;
}

/** `key` 0 is the machine without a cache key. */
export type Command =
  | {
      readonly type: 'trigger';
      readonly key: number;
      readonly input: unknown;
      /** By provider, for its calls in order; then all is well. */
      readonly faults: Faults;
      /** The same for what comes after a call: whether it has worked is asked, its effect undone. */
      readonly aftermath?: Readonly<Partial<Record<Aftercare, Faults>>>;
    }
  | { readonly type: 'update'; readonly key: number; readonly input: Record<string, unknown> }
  | {
      readonly type: 'reset';
      readonly key: number;
      readonly input: { readonly config: boolean; readonly keys: boolean };
    }
  /** `which`: of those in flight, the oldest first. */
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'evict' }
  | { readonly type: 'restart' }
  /** What a provider's health check answers from now on. */
  | { readonly type: 'health'; readonly provider: string; readonly answer: HealthAnswer };

export type Faults = Readonly<Record<string, readonly Fault[]>>;

/** What may be called for the sake of an attempt that is over. */
export type Aftercare = 'verify' | 'compensate';

const HEALTH_ANSWERS = ['well', 'sick', 'throw', 'hang'] as const;
export type HealthAnswer = (typeof HEALTH_ANSWERS)[number];

export type History = readonly Command[];

export interface Stage {
  readonly input: fc.Arbitrary<unknown>;
  readonly updates: fc.Arbitrary<Record<string, unknown>>;
  readonly keys: number;
  readonly commands: number;
  /** The providers that run something, each with its outputs and the weights of its faults. */
  readonly providers: readonly {
    readonly name: string;
    readonly outputs: fc.Arbitrary<unknown>;
    readonly weights: Readonly<Partial<Record<FaultKind, number>>>;
    /** The most attempts that one trigger makes on it. */
    readonly attempts: number;
  }[];
  /** The providers with a `verify`, or a `compensate`, and what may go wrong with that. */
  readonly aftermath?: readonly {
    readonly name: string;
    readonly of: Aftercare;
    readonly kinds: readonly FaultKind[];
    /** The most faults in a row. */
    readonly most: number;
  }[];
  /** The providers with a health check. */
  readonly checked?: readonly string[];
  /** Delays and waits worth trying, in milliseconds: around the policy's own limits. */
  readonly delays: readonly number[];
}

/** Histories: each part shrinks towards nothing, `ok`, no delay, and the machine without a key. */
export function histories(stage: Stage): fc.Arbitrary<History> {
  return fc.array(fc.oneof(...commandArbitraries(stage)), { maxLength: stage.commands, size: 'max' });
}

export function commandArbitraries(
  stage: Stage,
): { readonly arbitrary: fc.Arbitrary<Command>; readonly weight: number }[] {
  // Histories bite where much happens to one machine: the one without a key has half of it all.
  const key = fc.constantFrom(
    0,
    ...Array.from({ length: 2 * stage.keys }, (_, index) => Math.max(0, index + 1 - stage.keys)),
  );
  const delay = fc.nat(stage.delays.length - 1).map((index) => stage.delays[index] as number);
  const faults = Object.fromEntries(
    stage.providers.map((provider) => {
      const kind = weighted(provider.weights);
      const fault = fc.record({ kind, delay, output: provider.outputs });
      const some = fc.array(fault, { maxLength: provider.attempts, size: 'max' });
      // Faults on every attempt, more often than not: only outages lead far into the machine.
      const all = fc.array(fault, { minLength: provider.attempts, maxLength: provider.attempts });
      const list = fc.oneof({ withCrossShrink: true }, { arbitrary: some, weight: 1 }, { arbitrary: all, weight: 3 });
      return [provider.name, list];
    }),
  );
  const trigger = fc.record({
    type: fc.constant('trigger' as const),
    key,
    input: stage.input,
    faults: fc.record(faults),
    // Nothing is added where there is nothing to add: an old history is to be found again.
    ...((stage.aftermath ?? []).length > 0 && { aftermath: aftermathOf(stage, delay) }),
  }) as fc.Arbitrary<Command>;
  const reset = fc.record({ config: fc.boolean(), keys: fc.boolean() });
  return [
    { weight: 8, arbitrary: trigger },
    { weight: 6, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: delay }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('abort' as const), which: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('update' as const), key, input: stage.updates }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('reset' as const), key, input: reset }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('evict' as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
    ...((stage.checked ?? []).length > 0 ? [{ weight: 2, arbitrary: healthOf(stage) }] : []),
  ];
}

function aftermathOf({ aftermath = [] }: Stage, delay: fc.Arbitrary<number>): fc.Arbitrary<object> {
  const faultsOf = (asked: Aftercare) => {
    const lists = aftermath
      .filter(({ of }) => of === asked)
      .map(({ name, kinds, most }) => {
        // All right more often than not: an outage is what leads here, and need not go on.
        const weights = Object.fromEntries(kinds.map((kind) => [kind, 1]));
        const kind = weighted({ ok: 2 * kinds.length + 1, ...weights });
        const fault = fc.record({ kind, delay, output: fc.constant(undefined) });
        return [name, fc.array(fault, { maxLength: most, size: 'max' })] as const;
      });
    return fc.record(Object.fromEntries(lists));
  };
  return fc.record({ verify: faultsOf('verify'), compensate: faultsOf('compensate') });
}

function healthOf({ checked = [] }: Stage): fc.Arbitrary<Command> {
  const [provider, answer] = [fc.constantFrom(...checked), fc.constantFrom(...HEALTH_ANSWERS)];
  return fc.record({ type: fc.constant('health' as const), provider, answer });
}

/** A kind, the likelier the greater its weight; it shrinks towards the first, `ok`. */
function weighted(weights: Readonly<Partial<Record<FaultKind, number>>>): fc.Arbitrary<FaultKind> {
  const entries = Object.entries(weights).filter(([, weight]) => weight > 0) as [FaultKind, number][];
  return fc.oneof(
    { withCrossShrink: true },
    ...entries.map(([kind, weight]) => ({
      arbitrary: fc.constant(kind),
      weight: Math.max(1, Math.round(weight * 100)),
    })),
  );
}

/** What stays when each part that is not needed for `fails` is taken away: no single part can be spared any more. */
export async function minimal(history: History, fails: (candidate: History) => Promise<boolean>): Promise<History> {
  let best = history;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of simpler(best)) {
      if (!(await fails(candidate))) continue;
      [best, isSmaller] = [candidate, true];
      break;
    }
  }
  return best;
}

/** Each history that is one step simpler, the greatest steps first. */
function* simpler(history: History): Generator<History> {
  for (let at = history.length - 1; at >= 0; at--) yield history.toSpliced(at, 1);
  // Two that need each other, and are needed by nothing else.
  for (let at = history.length - 1; at >= 0; at--) {
    for (let other = at - 1; other >= 0; other--) yield history.toSpliced(at, 1).toSpliced(other, 1);
  }
  for (const [at, command] of history.entries()) {
    for (const lesser of simplerCommands(command)) yield history.with(at, lesser);
  }
}

function* simplerCommands(command: Command): Generator<Command> {
  if ('key' in command && command.key > 0) yield { ...command, key: 0 };
  if (command.type === 'abort' && command.which > 0) yield { ...command, which: 0 };
  if (command.type === 'reset') {
    if (command.input.config) yield { ...command, input: { ...command.input, config: false } };
    if (command.input.keys) yield { ...command, input: { ...command.input, keys: false } };
  }
  if (command.type === 'update') {
    for (const key of Object.keys(command.input)) {
      const { [key]: _, ...input } = command.input;
      yield { ...command, input };
    }
  }
  if (command.type === 'health' && command.answer !== 'sick' && command.answer !== 'well')
    yield { ...command, answer: 'sick' };
  if (command.type !== 'trigger') return;
  for (const faults of simplerFaults(command.faults)) yield { ...command, faults };
  const { aftermath } = command;
  for (const asked of ['verify', 'compensate'] as const) {
    for (const faults of simplerFaults(aftermath?.[asked] ?? {}))
      yield { ...command, aftermath: { ...aftermath, [asked]: faults } };
  }
}

function* simplerFaults(all: Faults): Generator<Faults> {
  for (const [name, faults] of Object.entries(all)) {
    const having = (list: readonly Fault[]): Faults => ({ ...all, [name]: list });
    if (faults.length > 0) yield having(faults.slice(0, -1));
    for (const [at, fault] of faults.entries()) {
      if (fault.kind !== 'ok') yield having(faults.with(at, { ...fault, kind: 'ok' }));
      if (fault.delay > 0) yield having(faults.with(at, { ...fault, delay: 0 }));
    }
  }
}
