import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Context,
  createDuctape,
  defineFallback,
  EngineClosedError,
  type Fallback,
  type FallbackEvent,
  InDoubtError,
  type TriggerResult,
  type Verified,
} from '../../src/index.ts';
import { RUNS, settled, type VirtualClock, virtualClock } from '../virtual-clock.ts';

const TAG = 'charge';

/** What a provider does at one call. `stubborn`: it does its work though its signal aborts. */
interface Behaviour {
  readonly kind: 'ok' | 'bad output' | 'reject' | 'reset' | 'throw' | 'hang' | 'aborts its caller';
  readonly delay: number;
  readonly isStubborn: boolean;
}

/** What a verify does, each time. */
type Verifying = 'done' | 'not done' | 'bad output' | 'throw' | 'hang';

interface ProviderPolicy {
  readonly retries: number;
  readonly backoff: number;
  readonly timeout: number | null;
  readonly isIdempotent: boolean;
  readonly hedge: number | undefined;
  readonly inDoubt: 'next' | 'stop' | 'verify';
  readonly verify: { readonly kind: Verifying; readonly delay: number };
  readonly isResetInDoubt: boolean;
  /** How often undoing an effect fails before it succeeds; `undefined`: there is no `compensate`. */
  readonly undo: { readonly failures: number; readonly retries: number; readonly delay: number } | undefined;
}

interface Policy {
  readonly providers: readonly ProviderPolicy[];
  readonly deadline: number | undefined;
  /** Milliseconds that the output schema takes; `undefined`: there is none. */
  readonly schema: number | undefined;
}

type Command =
  | { readonly type: 'trigger'; readonly abortAfter?: number | undefined; readonly deadline?: number | undefined }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'close'; readonly grace: number };

const delay = fc.constantFrom(0, 0, 5, 20, 60);
const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  kind: fc.constantFrom<Behaviour['kind']>(
    ...(['ok', 'ok', 'ok', 'bad output', 'reject', 'reset', 'throw', 'hang', 'aborts its caller'] as const),
  ),
  delay,
  isStubborn: fc.boolean(),
});
const provider: fc.Arbitrary<ProviderPolicy> = fc.record({
  retries: fc.constantFrom(0, 0, 1, 2),
  backoff: fc.constantFrom(0, 5, 30),
  timeout: fc.constantFrom(null, 10, 10, 40),
  isIdempotent: fc.constantFrom(true, true, true, false),
  hedge: fc.constantFrom(undefined, 0, 5, 5, 25),
  inDoubt: fc.constantFrom('next', 'next', 'stop', 'verify', 'verify'),
  verify: fc.record({
    kind: fc.constantFrom<Verifying>('done', 'not done', 'not done', 'bad output', 'throw', 'hang'),
    delay,
  }),
  isResetInDoubt: fc.boolean(),
  undo: fc.option(
    fc.record({ failures: fc.constantFrom(0, 0, 1, 3), retries: fc.nat(3), delay: fc.constantFrom(0, 5, 20) }),
    { nil: undefined, freq: 4 },
  ),
});
const policy: fc.Arbitrary<Policy> = fc.record({
  providers: fc.array(provider, { minLength: 1, maxLength: 4, size: 'max' }),
  // Some end in the very moment in which an attempt does.
  deadline: fc.constantFrom(undefined, undefined, 15, 20, 70),
  schema: fc.constantFrom(undefined, undefined, 0, 10),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('trigger' as const),
      abortAfter: fc.constantFrom(undefined, undefined, 0, 7, 22, 40),
      deadline: fc.constantFrom(undefined, undefined, undefined, 12, 20, 30),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 20, 100) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('close' as const), grace: fc.constantFrom(0, 20, 200) }),
  },
);
const history = fc.array(command, { minLength: 1, maxLength: 10 });
const behaviours = fc.array(behaviour, { minLength: 1, maxLength: 10, size: 'max' });

/** One call of a provider, and what became of its effect. */
interface Call {
  readonly id: string;
  readonly provider: string;
  readonly attempt: number;
  hasLanded: boolean;
  undosBegun: number;
  undosDone: number;
}

/** What providers, and their verify, put out: `call` says whose work it is. */
interface Output {
  readonly call: number;
  readonly isBad: boolean;
}

interface Triggered {
  readonly id: string;
  readonly controller: AbortController;
  readonly deadlineAt: number;
  abortedAt: number | undefined;
  settlements: number;
  settledAt: number;
  result?: TriggerResult;
  error?: unknown;
}

/** Resolves or rejects after `ms`, at once for 0; never, once its signal has aborted, unless it is stubborn. */
function work<T>(clock: VirtualClock, ms: number, signal: AbortSignal | undefined, make: () => T): T | Promise<T> {
  if (ms === 0) return make();
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      try {
        resolve(make());
      } catch (error) {
        reject(error);
      }
    }, ms);
    signal?.addEventListener('abort', () => {
      clock.clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** The engine's view of a clock, and how many timers it has set there. */
function counted(clock: VirtualClock) {
  const timers = new Set<unknown>();
  return {
    now: () => clock.now(),
    setTimeout(callback: () => void, ms: number) {
      const timer = clock.setTimeout(() => {
        timers.delete(timer);
        callback();
      }, ms);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer: unknown) {
      timers.delete(timer);
      clock.clearTimeout(timer);
    },
    timers,
  };
}

function makeWorld(policy: Policy, script: readonly Behaviour[]) {
  const clock = virtualClock(1_000);
  const engineClock = counted(clock);
  const calls: Call[] = [];
  const triggers: Triggered[] = [];
  const events: FallbackEvent[] = [];
  /** The questions under way. */
  const asked = new Set<object>();
  /** At each start of an attempt: what else of the same trigger is under way. */
  const starts: { readonly event: FallbackEvent<'attempt-started'>; readonly beside: readonly Under[] }[] = [];
  const open = new Map<string, Under>();
  let closedAt: number | undefined;

  const run = (_: unknown, { id, provider, attempt, signal }: Context) => {
    const number = calls.length;
    const { kind, delay, isStubborn } = script[number % script.length] as Behaviour;
    const call: Call = { id, provider, attempt, hasLanded: false, undosBegun: 0, undosDone: 0 };
    calls.push(call);
    if (kind === 'aborts its caller') abort(triggers.find((trigger) => trigger.id === id) as Triggered);
    if (kind === 'hang') return new Promise<Output>(() => {});
    return work(clock, kind === 'throw' ? 0 : delay, isStubborn ? undefined : signal, (): Output => {
      if (['reject', 'reset', 'throw'].includes(kind)) throw new Error(kind);
      call.hasLanded = true;
      return { call: number, isBad: kind === 'bad output' };
    });
  };
  const verify =
    ({ kind, delay }: ProviderPolicy['verify']) =>
    (_: unknown, { id, provider, attempt, signal }: Context): Verified | Promise<Verified> => {
      const number = calls.findIndex(
        (call) => call.id === id && call.provider === provider && call.attempt === attempt,
      );
      const question = { id, provider };
      asked.add(question);
      const answered = () => void asked.delete(question);
      signal.addEventListener('abort', answered);
      if (kind === 'hang') return new Promise(() => {});
      return work(clock, delay, signal, (): Verified => {
        answered();
        if (kind === 'throw') throw new Error('nobody knows');
        // What is said to have been done is an effect, whoever says it.
        if (kind !== 'not done') (calls[number] as Call).hasLanded = true;
        return kind === 'not done'
          ? { done: false }
          : { done: true, output: { call: number, isBad: kind === 'bad output' } satisfies Output };
      });
    };
  const compensate =
    ({ failures, delay }: NonNullable<ProviderPolicy['undo']>) =>
    (output: unknown, _: unknown, { signal }: Context) => {
      const call = calls[(output as Output).call] as Call;
      const number = ++call.undosBegun;
      return work(clock, delay, signal, () => {
        if (number <= failures) throw new Error('undo');
        call.undosDone++;
      });
    };
  const providers = policy.providers.map((provider, index) => {
    const { retries, backoff, timeout, isIdempotent, hedge, inDoubt, isResetInDoubt, undo } = provider;
    const isHedged = hedge !== undefined && isIdempotent && policy.providers[index + 1]?.isIdempotent;
    return {
      name: `p${index}`,
      run,
      ...{ retries, backoff, timeout, inDoubt },
      ...(isIdempotent && { idempotent: true }),
      ...(isHedged && { hedge }),
      ...(inDoubt === 'verify' && { verify: verify(provider.verify) }),
      ...(isResetInDoubt && { inDoubtWhen: (error: unknown) => (error as Error).message === 'reset' }),
      ...(undo && { compensate: compensate(undo), compensateRetries: undo.retries }),
      accept: (output: unknown) => !(output as Output).isBad,
    };
  });
  const ms = policy.schema;
  const output = ms !== undefined && {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: async (value: unknown) => work(clock, ms, undefined, () => ({ value })),
    },
  };
  const fallback = defineFallback({
    tag: TAG,
    maxRetries: 1_000,
    providers,
    ...(output && { output }),
    ...(policy.deadline !== undefined && { deadline: policy.deadline }),
  } as never) as Fallback;
  const engine = createDuctape<readonly Fallback[]>({
    env: 'e',
    product: 'p',
    clock: engineClock,
    random: () => 0.5,
    fallbacks: [fallback],
  }).fallback;
  engine.on('*', (event) => events.push(event));
  engine.on('attempt-started', (event) => {
    const { id = '', provider, attempt, at } = event;
    const questions = [...asked].map((question) => question as Under).filter((question) => question.id === id);
    starts.push({ event, beside: [...open.values()].filter((other) => other.id === id).concat(questions) });
    open.set(`${id} ${provider} ${attempt}`, { id, provider, at });
  });
  engine.on('attempt-ended', ({ id, provider, attempt }) => void open.delete(`${id} ${provider} ${attempt}`));

  const abort = (trigger: Triggered) => {
    if (trigger.settlements === 0) trigger.abortedAt ??= clock.now();
    trigger.controller.abort(trigger.controller);
  };
  const trigger = (deadline?: number, abortAfter?: number) => {
    const limit = Math.min(deadline ?? Number.POSITIVE_INFINITY, policy.deadline ?? Number.POSITIVE_INFINITY);
    const triggered: Triggered = {
      id: `t${triggers.length}`,
      controller: new AbortController(),
      deadlineAt: clock.now() + limit,
      abortedAt: undefined,
      settlements: 0,
      settledAt: Number.NaN,
    };
    const settle = (outcome: Pick<Triggered, 'result' | 'error'>) => {
      triggered.settlements++;
      Object.assign(triggered, outcome, { settledAt: clock.now() });
    };
    triggers.push(triggered);
    if (abortAfter !== undefined) clock.setTimeout(() => abort(triggered), abortAfter);
    engine
      .run(
        { fallback_tag: TAG, action: 'trigger' },
        { id: triggered.id, signal: triggered.controller.signal, deadline },
      )
      .then(
        (result) => settle({ result }),
        (error: unknown) => settle({ error }),
      );
  };
  const act = async (command: Command): Promise<void> => {
    if (command.type === 'trigger') trigger(command.deadline, command.abortAfter);
    else if (command.type === 'advance') await clock.advance(command.ms);
    else {
      closedAt ??= clock.now();
      engine.close({ grace: command.grace });
    }
    await settled();
  };
  /** Ends what is still in flight, and lets every provider have its last word. */
  const finish = async () => {
    await clock.runUntilIdle();
    const end = engine.close().then(() => true);
    await clock.runUntilIdle();
    // With no time left to pass, whatever it still waits for never comes.
    expect(await Promise.race([end, settled()])).toBe(true);
  };
  const ofType = <T extends FallbackEvent['type']>(type: T) =>
    events.filter((event) => event.type === type) as unknown as (FallbackEvent & { readonly type: T })[];
  const policyOf = (provider: string) => {
    const index = Number(provider.slice(1));
    const own = policy.providers[index] as ProviderPolicy;
    const hedge = (providers[index] as { hedge?: number }).hedge;
    return { ...own, index, hedge };
  };
  const wasOpenAt = (at: number) => closedAt === undefined || at < closedAt;
  return { clock, engine, engineClock, calls, triggers, events, starts, act, finish, ofType, policyOf, wasOpenAt };
}

/** What is under way of a trigger: an attempt, or the question whether it has worked. */
interface Under {
  readonly id: string;
  readonly provider: string;
  readonly at?: number;
}

type World = ReturnType<typeof makeWorld>;

/** The law, of every world in the end. */
async function holds(law: (world: World) => void, after?: (world: World) => void): Promise<void> {
  await fc.assert(
    fc.asyncProperty(policy, behaviours, history, async (policy, behaviours, history) => {
      const world = makeWorld(policy, behaviours);
      for (const command of history) {
        await world.act(command);
        after?.(world);
      }
      await world.finish();
      law(world);
    }),
    { numRuns: RUNS },
  );
}

const same = (one: { id?: string | undefined; provider: string; attempt: number }) =>
  `${one.id} ${one.provider} ${one.attempt}`;
/** What an attempt does: that of a provider that may run twice is the same, whatever the attempt. */
const workOf = (one: { id?: string | undefined; provider: string; attempt: number }, policyOf: World['policyOf']) =>
  policyOf(one.provider).isIdempotent ? `${one.id} ${one.provider}` : same(one);
const winnerOf = ({ result }: Triggered) => (result?.output as Output | undefined)?.call;
const isCutShort = ({ error, controller }: Triggered) => error === controller || error instanceof EngineClosedError;

describe('an effect that landed and was not used', () => {
  it('is undone exactly once, or reported as not undone, exactly once; that of the winner never is', () =>
    holds(({ calls, triggers, ofType, policyOf }) => {
      const winners = triggers.map(winnerOf).map((number) => number !== undefined && calls[number]);
      const verdicts = [...ofType('compensated'), ...ofType('compensation-failed')];
      for (const work of new Set(calls.map((call) => workOf(call, policyOf)))) {
        const attempts = calls.filter((call) => workOf(call, policyOf) === work);
        const { undo } = policyOf(attempts[0]?.provider ?? '');
        const isUsed = winners.some((winner) => winner && workOf(winner, policyOf) === work);
        const isOwed = undo !== undefined && attempts.some(({ hasLanded }) => hasLanded) && !isUsed;
        const told = verdicts.filter((verdict) => workOf(verdict, policyOf) === work);
        const undone = told.filter(({ type }) => type === 'compensated').length;
        const total = (count: (call: Call) => number) => attempts.reduce((sum, call) => sum + count(call), 0);
        expect([told.length, total(({ undosDone }) => undosDone)]).toEqual([isOwed ? 1 : 0, undone]);
        expect(total(({ undosBegun }) => undosBegun)).toBeLessThanOrEqual(isOwed ? 1 + undo.retries : 0);
        for (const verdict of told)
          expect(attempts.some((call) => call.hasLanded && same(call) === same(verdict))).toBe(true);
      }
    }));

  it('is reported as not undone only where every try failed, or close came', () =>
    holds(({ ofType, policyOf, wasOpenAt }) => {
      for (const event of ofType('compensation-failed').filter(({ at }) => wasOpenAt(at))) {
        const { undo, timeout } = policyOf(event.provider);
        const isSlow = undo !== undefined && undo.delay >= (timeout ?? Number.POSITIVE_INFINITY);
        expect(isSlow || (undo !== undefined && undo.failures > undo.retries)).toBe(true);
      }
    }));
});

describe('the attempts of a trigger', () => {
  it('start in plan order; at most two are under way, and the second only once the first is due a hedge', () =>
    holds(({ starts, triggers, policyOf }) => {
      for (const { id } of triggers) {
        const mine = starts.filter(({ event }) => event.id === id);
        const turns = mine.map(({ event }) => policyOf(event.provider).index * 100 + event.attempt);
        expect(turns).toEqual([...turns].sort((one, other) => one - other));
        expect(new Set(turns).size).toBe(turns.length);
        for (const { event, beside } of mine) {
          expect(beside.length).toBeLessThanOrEqual(1);
          const [first] = beside;
          if (!first) continue;
          const { hedge, index } = policyOf(first.provider);
          expect([hedge === undefined, policyOf(event.provider).isIdempotent]).toEqual([false, true]);
          expect(index).toBeLessThan(policyOf(event.provider).index);
          if (first.at !== undefined) expect(event.at - first.at).toBeGreaterThanOrEqual(hedge ?? 0);
        }
      }
    }));

  it('end once each, and the caller is told of all of them', () =>
    holds(({ ofType, triggers }) => {
      const ends = ofType('attempt-ended').map(same);
      expect(ends.sort()).toEqual(ofType('attempt-started').map(same).sort());
      expect(new Set(ends).size).toBe(ends.length);
      for (const { id, result, error } of triggers) {
        const { attempts } = result ?? (error instanceof InDoubtError ? error : { attempts: undefined });
        if (!attempts) continue;
        expect(attempts.map((attempt) => same({ id, ...attempt }))).toEqual(
          ends.length > 0
            ? ofType('attempt-ended')
                .filter((end) => end.id === id)
                .map(same)
            : [],
        );
      }
    }));

  it('are in doubt where they were given up on, once each, for the reason that their record has', () =>
    holds(({ ofType, calls }) => {
      const begun = new Set(calls.map(same));
      const doubts = new Map(ofType('in-doubt').map((doubt) => [same(doubt), doubt.because]));
      expect(doubts.size).toBe(ofType('in-doubt').length);
      for (const end of ofType('attempt-ended')) {
        const because = doubts.get(same(end));
        if (end.outcome === 'succeeded' || !begun.has(same(end))) expect(because).toBeUndefined();
        else if (end.outcome === 'failed') expect([undefined, 'error', 'refused']).toContain(because);
        else expect(because).toBe(end.outcome);
      }
    }));
});

describe('a call', () => {
  it('settles once; promptly when it is aborted, and by its deadline', () =>
    holds(({ triggers }) => {
      for (const { settlements, settledAt, abortedAt, deadlineAt } of triggers) {
        expect(settlements).toBe(1);
        expect(settledAt).toBeLessThanOrEqual(Math.min(abortedAt ?? settledAt, deadlineAt));
      }
    }));

  it("starts nothing after 'stop', nor after it has settled, and says whom it is in doubt of", () =>
    holds(({ events, triggers, policyOf }) => {
      for (const trigger of triggers) {
        const mine = events.filter(({ id }) => id === trigger.id);
        const stop = mine.findIndex(
          (event) =>
            event.type === 'in-doubt' && event.because !== 'aborted' && policyOf(event.provider).inDoubt === 'stop',
        );
        const late = mine.findIndex(({ type }) => type === 'failed' || type === 'recovered');
        for (const end of [stop, late].filter((index) => index >= 0)) {
          expect(mine.slice(end).map(({ type }) => type)).not.toContain('attempt-started');
        }
        if (stop >= 0 && !isCutShort(trigger)) expect(trigger.error).toBeInstanceOf(InDoubtError);
        if (!(trigger.error instanceof InDoubtError)) continue;
        const { provider } = trigger.error;
        expect(policyOf(provider).inDoubt).not.toBe('next');
        expect(mine).toContainEqual(expect.objectContaining({ type: 'in-doubt', provider }));
      }
    }));

  it('that ends in doubt is a failure to the state; one cut short is nothing', () =>
    holds(({ engine, events, triggers, ofType }) => {
      const verdicts = events.filter(({ type }) => type === 'failed' || type === 'recovered');
      const failures = verdicts.reduce((count, { type }) => (type === 'failed' ? count + 1 : 0), 0);
      expect(engine.inspect({ fallback_tag: TAG }).failures).toBe(failures);
      const admitted = new Set(ofType('triggered').map(({ id }) => id));
      for (const trigger of triggers) {
        const mine = verdicts.filter(({ id }) => id === trigger.id).map(({ type }) => type);
        if (trigger.result) expect(mine).toEqual(['recovered']);
        else expect(mine).toEqual(isCutShort(trigger) || !admitted.has(trigger.id) ? [] : ['failed']);
      }
    }));

  it('leaves no timer, no listener and nothing in flight, whenever it is over and its effects are seen to', () =>
    holds(
      ({ clock, triggers }) => {
        expect(clock.pending).toBe(0);
        for (const { controller } of triggers) expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      },
      ({ engine, engineClock, triggers, calls, ofType, policyOf }) => {
        if (triggers.some(({ settlements }) => settlements === 0)) return;
        expect(engine.inspect({ fallback_tag: TAG }).inFlight).toBe(0);
        const winners = triggers.map(winnerOf);
        const owed = calls.filter((call, number) => call.hasLanded && !winners.includes(number));
        const seenTo = ofType('compensated').length + ofType('compensation-failed').length;
        if (owed.filter(({ provider }) => policyOf(provider).undo).length > seenTo) return;
        expect(engineClock.timers.size).toBe(0);
      },
    ));
});

describe('the primary of call and wrap', () => {
  const options = fc.record({
    timeout: fc.constantFrom(null, 10, 40),
    inDoubt: fc.constantFrom('next', 'stop', 'verify'),
    verify: provider.map(({ verify }) => verify),
    isResetInDoubt: fc.boolean(),
    failures: fc.constantFrom(undefined, 0, 0, 2, 5),
    isWrapped: fc.boolean(),
    abortAfter: fc.constantFrom(undefined, undefined, 0, 7, 22),
    deadline: fc.constantFrom(undefined, undefined, 12, 30),
    closeAfter: fc.constantFrom(undefined, undefined, undefined, 5, 25),
  });

  it('is undone exactly where it landed and was not used, and followed by nothing after a stop; the call settles once', () =>
    fc.assert(
      fc.asyncProperty(behaviour, options, async ({ kind, delay, isStubborn }, given) => {
        const clock = virtualClock(1_000);
        const engineClock = counted(clock);
        const controller = new AbortController();
        const told: FallbackEvent[] = [];
        let [hasLanded, undosDone, undosBegun, settlements, fallbacks] = [false, 0, 0, 0, 0];
        let answer: unknown;
        let error: unknown;
        const fallback = defineFallback({ tag: TAG, providers: [{ name: 'b', run: () => ++fallbacks && 'fallback' }] });
        const { fallback: engine } = createDuctape<readonly Fallback[]>({
          env: 'e',
          product: 'p',
          clock: engineClock,
          random: () => 0.5,
          fallbacks: [fallback],
        });
        engine.on('*', (event) => told.push(event));
        const primary = (signal?: AbortSignal) => {
          if (kind === 'aborts its caller') controller.abort(controller);
          if (kind === 'hang') return new Promise(() => {});
          return work(clock, delay, isStubborn ? undefined : signal, () => {
            if (['reject', 'reset', 'throw'].includes(kind)) throw new Error(kind);
            hasLanded = true;
            return 'primary';
          });
        };
        const verify = (): Verified | Promise<Verified> => {
          if (given.verify.kind === 'hang') return new Promise(() => {});
          return work(clock, given.verify.delay, undefined, (): Verified => {
            if (given.verify.kind === 'throw') throw new Error('nobody knows');
            if (given.verify.kind === 'not done') return { done: false };
            hasLanded = true;
            return { done: true, output: 'primary' };
          });
        };
        const { failures } = given;
        const settings = {
          ...{ timeout: given.timeout, inDoubt: given.inDoubt, deadline: given.deadline, signal: controller.signal },
          ...(given.inDoubt === 'verify' && { verify }),
          ...(given.isResetInDoubt && { inDoubtWhen: (thrown: unknown) => (thrown as Error).message === 'reset' }),
          ...(failures !== undefined && {
            compensate: () => {
              if (++undosBegun <= failures) throw new Error('undo');
              undosDone++;
            },
          }),
        };
        const call = given.isWrapped
          ? engine.wrap(TAG, () => primary(), { ...settings, input: () => ({}) })
          : () => engine.call(TAG, ({ signal }) => primary(signal), settings);
        if (given.abortAfter !== undefined) clock.setTimeout(() => controller.abort(controller), given.abortAfter);
        let closing: Promise<void> | undefined;
        if (given.closeAfter !== undefined) {
          clock.setTimeout(() => {
            closing = engine.close();
          }, given.closeAfter);
        }
        call().then(
          (output) => {
            settlements++;
            answer = output;
          },
          (reason: unknown) => {
            settlements++;
            error = reason;
          },
        );
        await clock.runUntilIdle();
        closing ??= engine.close();
        await clock.runUntilIdle();
        await closing;
        await settled();
        expect([settlements, engineClock.timers.size]).toEqual([1, 0]);
        expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
        const undone = told.filter(({ type }) => type === 'compensated').length;
        const failed = told.filter(({ type }) => type === 'compensation-failed').length;
        const isOwed = failures !== undefined && hasLanded && answer !== 'primary';
        expect([undone + failed, undosDone]).toEqual([isOwed ? 1 : 0, undone]);
        const doubt = told.find(({ type }) => type === 'in-doubt') as FallbackEvent<'in-doubt'> | undefined;
        if (error instanceof InDoubtError) expect([given.inDoubt !== 'next', fallbacks]).toEqual([true, 0]);
        if (given.inDoubt === 'stop' && doubt) expect([answer, fallbacks]).toEqual([undefined, 0]);
        expect(fallbacks).toBeLessThanOrEqual(1);
      }),
      { numRuns: RUNS },
    ));
});
