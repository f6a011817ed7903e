import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttemptRecord,
  type Context,
  createDuctape,
  defineFallback,
  type FallbackEvent,
  FallbackFailedError,
  type HealthContext,
  type ProviderHealth,
  type TriggerResult,
} from '../../src/index.ts';
import { RUNS, settled, type VirtualClock, virtualClock } from '../virtual-clock.ts';

const TAG = 'health';

interface Guard {
  readonly breaker?: { readonly failures: number; readonly cooldown: number } | undefined;
  readonly healthcheck?: { readonly interval: number; readonly timeout?: number } | undefined;
  readonly concurrency?: number | undefined;
}

interface Policy {
  readonly whenAllUnhealthy: 'try' | 'fail';
  readonly providers: readonly (Guard & { readonly retries: number; readonly timeout: number | null })[];
}

/** What a provider does at one call, or a health check: `delay` 0 answers at once. */
interface Behaviour {
  readonly kind: 'ok' | 'reject' | 'throw' | 'theirs' | 'hang';
  readonly delay: number;
}

type Command =
  | { readonly type: 'trigger'; readonly key: number; readonly abortAfter?: number; readonly deadline?: number }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'reset'; readonly key: number }
  | { readonly type: 'by hand'; readonly provider: number; readonly health: 'healthy' | 'unhealthy' }
  | { readonly type: 'restore' | 'restart' };

const breaker = fc.record({ failures: fc.integer({ min: 1, max: 3 }), cooldown: fc.constantFrom(0, 20, 20, 70) });

const guard = fc.oneof(
  { weight: 4, arbitrary: fc.record({ breaker }) },
  {
    weight: 4,
    arbitrary: fc.record(
      {
        breaker,
        healthcheck: fc.record(
          { interval: fc.constantFrom(10, 60), timeout: fc.constantFrom(8, 25) },
          { requiredKeys: ['interval'] },
        ),
        concurrency: fc.integer({ min: 1, max: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
);

const policy: fc.Arbitrary<Policy> = fc
  .record({
    whenAllUnhealthy: fc.constantFrom('try', 'fail'),
    providers: fc.array(
      fc
        .tuple(guard, fc.record({ retries: fc.constantFrom(0, 0, 2), timeout: fc.constantFrom(null, 15, 60) }))
        .map(([guard, more]) => ({ ...guard, ...more })),
      { minLength: 1, maxLength: 3 },
    ),
  })
  // Health is told of every provider where one is guarded; one that is not is never healthy nor unhealthy.
  .map(({ providers, ...rest }) => ({
    ...rest,
    providers: providers.map((one) => ('breaker' in one || 'healthcheck' in one ? one : { concurrency: 1, ...one })),
  }));

const behaviours = fc.array(
  fc.record({
    kind: fc.constantFrom('reject', 'reject', 'reject', 'throw', 'ok', 'ok', 'theirs', 'hang'),
    delay: fc.constantFrom(0, 0, 5, 30, 100),
  }),
  { minLength: 1, maxLength: 12 },
) as fc.Arbitrary<Behaviour[]>;

const triggerCommand: fc.Arbitrary<Command> = fc.record(
  {
    type: fc.constant('trigger' as const),
    key: fc.nat(2),
    abortAfter: fc.constantFrom(0, 7, 40),
    deadline: fc.constantFrom(0, 25),
  },
  { requiredKeys: ['type', 'key'] },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: triggerCommand },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 20, 70) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reset' as const), key: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('by hand' as const),
      provider: fc.nat(2),
      health: fc.constantFrom('healthy' as const, 'unhealthy' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('restore' as const, 'restart' as const) }) },
);
const history = fc.array(command, { maxLength: 30, size: 'max' });

/** Leave to make an attempt; it counts only as long as nothing else has changed the provider's health. */
interface Leave {
  readonly epoch: number;
}

/** A provider's health once more, in the plainest words that work. */
class Model {
  readonly guard: Guard;
  state: 'healthy' | 'unhealthy' | 'probing' = 'healthy';
  isByHand = false;
  failures = 0;
  inFlight = 0;
  /** Each state changed as this model has it, and as the engine's events should. */
  readonly told: string[] = [];
  #since = 0;
  #epoch = 0;
  #checkedAt: number | undefined;
  #checking: Leave | undefined;

  constructor(guard: Guard) {
    this.guard = guard;
  }

  inspection(now: number): ProviderHealth {
    const { state: health, failures, inFlight } = this;
    const { breaker } = this.guard;
    if (!breaker || health === 'healthy' || this.isByHand) return { health, failures, inFlight };
    return { health, failures, inFlight, retryAfter: Math.max(0, this.#since + breaker.cooldown - now) };
  }

  admit(now: number, isDesperate: boolean): Leave | 'busy' | 'unhealthy' {
    const { breaker, concurrency = Number.POSITIVE_INFINITY } = this.guard;
    if (this.inFlight >= concurrency) return 'busy';
    if (this.state !== 'healthy') {
      if (!this.isByHand && breaker && now >= this.#since + breaker.cooldown) this.#become('probing', now);
      else if (!isDesperate) return 'unhealthy';
      else if (this.state === 'probing') {
        // Beside a probe that is under way: no verdict on it.
        this.inFlight++;
        return { epoch: -1 };
      }
    }
    this.inFlight++;
    return { epoch: this.#epoch };
  }

  settle({ epoch }: Leave, verdict: 'succeeded' | 'failed' | 'none', now: number): void {
    this.inFlight--;
    if (epoch !== this.#epoch || this.isByHand) return;
    if (verdict === 'succeeded') {
      this.failures = 0;
      if (this.state !== 'healthy') this.#become('healthy', now);
    } else if (this.state === 'probing') this.#become('unhealthy', verdict === 'failed' ? now : -Infinity);
    else if (this.state === 'healthy' && verdict === 'failed') {
      this.failures++;
      if (this.failures >= (this.guard.breaker?.failures ?? Infinity)) this.#become('unhealthy', now);
    }
  }

  /** Whether the trigger whose turn it is has a health check made. */
  asksForCheck(now: number): boolean {
    const { healthcheck } = this.guard;
    if (!healthcheck || this.#checking || this.isByHand) return false;
    if (this.#checkedAt !== undefined && now < this.#checkedAt + healthcheck.interval) return false;
    this.#checking = { epoch: this.#epoch };
    return true;
  }

  checked(isWell: boolean, now: number): void {
    const isCurrent = this.#checking?.epoch === this.#epoch;
    this.#checking = undefined;
    if (!isCurrent) return;
    this.#checkedAt = now;
    if (isWell && this.state !== 'healthy') {
      this.failures = 0;
      this.#become('healthy', now);
    } else if (!isWell && this.state === 'healthy') this.#become('unhealthy', now);
  }

  byHand(health: 'healthy' | 'unhealthy', now: number): void {
    if (health === 'healthy') this.failures = 0;
    this.isByHand = health === 'unhealthy';
    this.#become(health, now);
  }

  /** As a snapshot has it: a probe under way is abandoned, and nothing from before it counts. */
  restore(): void {
    if (this.state === 'probing') Object.assign(this, { state: 'unhealthy' }).#since = Number.NEGATIVE_INFINITY;
    this.#epoch++;
    this.#checkedAt = undefined;
  }

  /** In another process there is nothing from before it. */
  restart(): void {
    this.restore();
    this.inFlight = 0;
    this.#checking = undefined;
  }

  #become(state: Model['state'], since: number): void {
    if (state !== this.state) this.told.push(`provider-${state}`);
    this.state = state;
    this.#since = since;
    this.#epoch++;
  }
}

/** How a trigger is expected to go, so far. */
interface Expected {
  readonly id: string;
  readonly deadline: number;
  readonly signal: AbortSignal;
  readonly records: (readonly [provider: string, outcome: string])[];
  next: { readonly provider: string; readonly leave: Leave } | undefined;
  settlements: number;
}

interface ProviderCall {
  readonly id: string;
  readonly provider: number;
  readonly at: number;
  /** The provider's health as the engine tells it at the time of the call. */
  readonly health: ProviderHealth | undefined;
  readonly previous: readonly AttemptRecord[];
  /** How often all was restored before. */
  readonly restores: number;
  endedAt?: number;
}

const THEIRS = new Error('theirs');
const nameOf = (provider: number) => `p${provider}`;
const cacheOf = (key: number) => (key === 0 ? {} : { cache: `key-${key}` });
const collapse = (types: readonly string[]) => types.filter((type, index) => type !== types[index - 1]);

/** Does what a behaviour says; `end` is told in the very step in which whoever waits will know, too. */
function behave({ kind, delay }: Behaviour, signal: AbortSignal, clock: VirtualClock, end: (isOk: boolean) => void) {
  let isOver = false;
  const over = (isOk: boolean) => {
    if (!isOver) end(isOk);
    isOver = true;
  };
  const error = kind === 'theirs' ? THEIRS : new Error(kind);
  if (kind === 'throw') {
    over(false);
    throw error;
  }
  if (kind === 'ok' && delay === 0) {
    over(true);
    return true;
  }
  return new Promise<boolean>((resolve, reject) => {
    const answer = () => {
      over(kind === 'ok');
      if (kind === 'ok') resolve(true);
      else reject(error);
    };
    signal.addEventListener('abort', () => over(false));
    if (kind === 'hang') return;
    if (delay === 0) answer();
    else clock.setTimeout(answer, delay);
  });
}

/** An engine and its models: each turn, attempt and check is told to the models as it happens, and held against them. */
class World {
  readonly clock = virtualClock(1_000);
  readonly policy: Policy;
  readonly models: readonly Model[];
  readonly calls: ProviderCall[] = [];
  readonly triggers: Expected[] = [];
  readonly faults: unknown[] = [];
  readonly heard = new Map<string, string[]>();
  readonly inFlight: number[];
  readonly most: number[];
  readonly timers = new Set<unknown>();
  /** Whose health checks were asked for, and are still to be made. */
  readonly asked = new Set<number>();
  engine: ReturnType<World['make']>;
  #life = 0;
  #restores = 0;
  #script: readonly Behaviour[];
  #played = 0;

  constructor(policy: Policy, script: readonly Behaviour[]) {
    this.policy = policy;
    this.#script = script;
    this.models = policy.providers.map((guard) => new Model(guard));
    this.inFlight = policy.providers.map(() => 0);
    this.most = policy.providers.map(() => 0);
    this.engine = this.make();
  }

  /** Carries out one command, and lets all happen that happens without time passing. */
  async act(command: Command): Promise<void> {
    const { engine, models, clock } = this;
    if (command.type === 'trigger') this.#fire(command);
    else if (command.type === 'advance') await clock.advance(command.ms);
    else if (command.type === 'reset') {
      if (command.key === 0) for (const model of models) model.byHand('healthy', clock.now());
      await engine.run({ fallback_tag: TAG, action: 'reset', ...cacheOf(command.key) });
    } else if (command.type === 'by hand') {
      const provider = command.provider % models.length;
      models[provider]?.byHand(command.health, clock.now());
      const providers = { [nameOf(provider)]: { health: command.health } };
      await engine.run({ fallback_tag: TAG, action: 'update', input: { providers } });
    } else this.#restore(command.type === 'restart');
    await settled();
  }

  inspect() {
    return this.engine.inspect({ fallback_tag: TAG, cache: 'any' }).providers ?? {};
  }

  make() {
    const life = this.#life;
    const { clock, timers, policy } = this;
    const isAlive = () => life === this.#life;
    const fallback = defineFallback({
      tag: TAG,
      maxRetries: 1_000_000,
      whenAllUnhealthy: policy.whenAllUnhealthy,
      handle: (error) => error !== THEIRS,
      providers: policy.providers.map(({ healthcheck, ...more }, provider) => ({
        name: nameOf(provider),
        ...more,
        backoff: 0,
        when: (_input: unknown, { id }: Context) => {
          if (isAlive()) this.#judged(() => this.#turn(id, provider));
          return true;
        },
        run: (_input: unknown, context: Context) => this.#call(provider, context, isAlive),
        ...(healthcheck && {
          healthcheck: { ...healthcheck, check: (context: HealthContext) => this.#check(provider, context, isAlive) },
        }),
      })) as never,
    });
    const { fallback: engine } = createDuctape<readonly (typeof fallback)[]>({
      env: 'e',
      product: 'p',
      nonce: 'n',
      fallbacks: [fallback],
      // Its own timers apart from those of its providers.
      clock: {
        now: clock.now,
        setTimeout: (callback, ms) => {
          const timer = clock.setTimeout(() => {
            timers.delete(timer);
            callback();
          }, ms);
          timers.add(timer);
          return timer;
        },
        clearTimeout: (timer) => {
          timers.delete(timer);
          clock.clearTimeout(timer);
        },
      },
    });
    engine.on('*', (event) => {
      if (isAlive()) this.#judged(() => this.#hear(event));
    });
    return engine;
  }

  /** What a hook finds wrong is no business of the engine's, which would swallow it. */
  #judged(judge: () => void): void {
    try {
      judge();
    } catch (fault) {
      this.faults.push(fault);
    }
  }

  #fire({ key, abortAfter, deadline }: Command & { type: 'trigger' }): void {
    const { clock, triggers } = this;
    const controller = new AbortController();
    const { signal } = controller;
    const id = `t${triggers.length}`;
    const ends = clock.now() + (deadline ?? Number.POSITIVE_INFINITY);
    const expected: Expected = { id, deadline: ends, signal, records: [], next: undefined, settlements: 0 };
    triggers.push(expected);
    if (abortAfter !== undefined) clock.setTimeout(() => controller.abort(new Error(`abort ${id}`)), abortAfter);
    const life = this.#life;
    const over = (attempts: readonly AttemptRecord[] | undefined, isExhaustive: boolean) => {
      expected.settlements++;
      if (attempts && life === this.#life) this.#judged(() => this.#over(expected, attempts, isExhaustive));
    };
    this.engine.run({ fallback_tag: TAG, action: 'trigger', ...cacheOf(key) }, { id, signal, deadline }).then(
      ({ attempts }: TriggerResult) => over(attempts, false),
      (error: unknown) => {
        const isFailed = error instanceof FallbackFailedError;
        over(isFailed ? error.attempts : undefined, isFailed && clock.now() < ends);
      },
    );
  }

  #expected(id: string | undefined): Expected {
    return this.triggers.find((trigger) => trigger.id === id) as Expected;
  }

  /** It is a provider's turn: is it to be passed over? */
  #turn(id: string, provider: number): void {
    const trigger = this.#expected(id);
    expect(trigger.next).toBeUndefined();
    const name = nameOf(provider);
    const isDesperate = trigger.records.some(([known]) => known === name);
    const tried = trigger.records.filter(([, outcome]) => outcome !== 'unhealthy');
    if (isDesperate && trigger.records.filter(([known]) => known === name).length === 1 && tried.length === 0) {
      expect(this.policy.whenAllUnhealthy).toBe('try');
      expect(trigger.records.length).toBe(this.models.length);
    }
    this.#decide(trigger, provider, isDesperate);
  }

  #decide(trigger: Expected, provider: number, isDesperate: boolean): void {
    const now = this.clock.now();
    const model = this.models[provider] as Model;
    if (model.asksForCheck(now)) this.asked.add(provider);
    const leave = model.admit(now, isDesperate);
    if (typeof leave === 'string') trigger.records.push([nameOf(provider), leave]);
    else trigger.next = { provider: nameOf(provider), leave };
  }

  #check(provider: number, { signal, ...about }: HealthContext, isAlive: () => boolean) {
    if (!isAlive()) return true;
    this.#judged(() => {
      expect(about).toEqual({ env: 'e', product: 'p', tag: TAG, provider: nameOf(provider) });
      expect(this.asked.delete(provider)).toBe(true);
    });
    // What rejects at once is heard of some steps later; a throw is not.
    const { kind, delay } = this.#next();
    const isAtOnce = delay === 0 && kind !== 'ok' && kind !== 'hang';
    const { healthcheck } = this.policy.providers[provider] ?? {};
    const { interval = Number.NaN, timeout = Math.max(1_000, interval) } = healthcheck ?? {};
    const end = this.clock.now() + timeout;
    return behave({ kind: isAtOnce ? 'throw' : kind, delay }, signal, this.clock, (isWell) => {
      if (!isAlive()) return;
      const now = this.clock.now();
      this.#judged(() => (signal.aborted ? expect(now).toBe(end) : expect(now).toBeLessThanOrEqual(end)));
      this.models[provider]?.checked(isWell, now);
    });
  }

  #call(provider: number, { id, signal, previous }: Context, isAlive: () => boolean) {
    const health = isAlive() ? this.inspect()[nameOf(provider)] : undefined;
    const call: ProviderCall = { id, provider, at: this.clock.now(), health, previous, restores: this.#restores };
    if (isAlive()) this.calls.push(call);
    return behave(this.#next(), signal, this.clock, () => {
      call.endedAt = this.clock.now();
    });
  }

  #next(): Behaviour {
    return this.#script[this.#played++ % this.#script.length] as Behaviour;
  }

  #hear(event: FallbackEvent): void {
    if (event.type.startsWith('provider-') && 'provider' in event) {
      this.heard.set(event.provider, [...(this.heard.get(event.provider) ?? []), event.type]);
    } else if (event.type === 'attempt-started') {
      const trigger = this.#expected(event.id);
      expect(trigger.next?.provider).toBe(event.provider);
      const provider = Number(event.provider.slice(1));
      this.inFlight[provider] = (this.inFlight[provider] ?? 0) + 1;
      this.most[provider] = Math.max(this.most[provider] ?? 0, this.inFlight[provider] ?? 0);
    } else if (event.type === 'attempt-ended') this.#ended(this.#expected(event.id), event);
  }

  #ended(trigger: Expected, { provider: name, attempt, outcome, error, at }: FallbackEvent<'attempt-ended'>): void {
    const provider = Number(name.slice(1));
    this.inFlight[provider] = (this.inFlight[provider] ?? 0) - 1;
    const { leave } = trigger.next as { leave: Leave };
    trigger.next = undefined;
    trigger.records.push([name, outcome]);
    const isNone = outcome === 'aborted' || error === THEIRS;
    this.models[provider]?.settle(leave, outcome === 'succeeded' ? outcome : isNone ? 'none' : 'failed', at);
    // A retry follows in the same step, as there is no wait before it.
    const { retries = 0 } = this.policy.providers[provider] ?? {};
    if (outcome === 'succeeded' || isNone || attempt > retries || at >= trigger.deadline) return;
    const isDesperate = trigger.records.some(([known, outcome]) => known === name && outcome === 'unhealthy');
    this.#decide(trigger, provider, isDesperate);
  }

  #over({ records, next }: Expected, attempts: readonly AttemptRecord[], isExhaustive: boolean): void {
    expect(next).toBeUndefined();
    expect(attempts.map(({ provider, outcome, reason }) => [provider, reason ?? outcome])).toEqual(records);
    // Where all were unhealthy, and may be tried all the same, they have been.
    if (isExhaustive && this.policy.whenAllUnhealthy === 'try')
      expect(records.some(([, outcome]) => outcome !== 'unhealthy')).toBe(true);
  }

  #restore(isElsewhere: boolean): void {
    const snapshot = JSON.parse(JSON.stringify(this.engine.snapshot()));
    this.#restores++;
    if (isElsewhere) {
      this.#life++;
      void this.engine.close();
      this.asked.clear();
      this.inFlight.fill(0);
      for (const { next, ...trigger } of this.triggers) if (next) this.#expected(trigger.id).next = undefined;
      this.engine = this.make();
    }
    for (const model of this.models)
      if (isElsewhere) model.restart();
      else model.restore();
    this.#judged(() => expect(this.engine.restore(snapshot).skipped).toEqual([]));
  }
}

async function lived(policy: Policy, script: readonly Behaviour[], history: readonly Command[]): Promise<World> {
  const world = new World(policy, script);
  for (const command of history) await world.act(command);
  return world;
}

describe('the health of providers', () => {
  it('is what a plain model says, after every step: where each stands, who is called, who is passed over, and why', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        const world = new World(policy, script);
        for (const command of history) {
          await world.act(command);
          expect(world.faults).toEqual([]);
          expect(world.asked.size).toBe(0);
          const now = world.clock.now();
          const expected = world.models.map((model, provider) => [nameOf(provider), model.inspection(now)]);
          expect(world.inspect()).toEqual(Object.fromEntries(expected));
          for (const [provider, { told }] of world.models.entries())
            expect(collapse(world.heard.get(nameOf(provider)) ?? [])).toEqual(collapse(told));
        }
        await world.engine.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('is found out by one probe at a time, but for one that is lost, or abandoned by a restore', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        // Where all are unhealthy, none is called that is no probe.
        const world = await lived({ ...policy, whenAllUnhealthy: 'fail' }, script, history);
        const ended = (call: ProviderCall) => call.endedAt ?? Number.POSITIVE_INFINITY;
        for (const [provider, { breaker }] of policy.providers.entries()) {
          const probes = world.calls.filter((call) => call.provider === provider && call.health?.health === 'probing');
          for (const [index, probe] of probes.entries()) {
            for (const before of probes.slice(0, index)) {
              const isOver = ended(before) <= probe.at;
              const isLost = probe.at - before.at >= (breaker?.cooldown ?? Number.POSITIVE_INFINITY);
              expect(isOver || isLost || before.restores < probe.restores).toBe(true);
            }
          }
        }
        await world.engine.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('keeps an unhealthy provider from being called, but by a probe or where all are unhealthy', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        const world = await lived(policy, script, history);
        for (const { health, previous } of world.calls) {
          if (health?.health !== 'unhealthy') continue;
          expect(policy.whenAllUnhealthy).toBe('try');
          const passedOver = previous.filter(({ reason }) => reason === 'unhealthy').map(({ provider }) => provider);
          expect(new Set(passedOver)).toEqual(new Set(policy.providers.map((_, provider) => nameOf(provider))));
        }
        await world.engine.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('never lets more attempts be in flight than its concurrency, and tells how many there are', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        const world = new World(policy, script);
        for (const command of history) {
          await world.act(command);
          expect(Object.values(world.inspect()).map(({ inFlight }) => inFlight)).toEqual(
            // A restore in the same process goes on counting what it has not ended.
            world.inFlight,
          );
        }
        for (const [provider, { concurrency = Number.POSITIVE_INFINITY }] of policy.providers.entries())
          expect(world.most[provider]).toBeLessThanOrEqual(concurrency);
        await world.engine.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('leaves nothing: no timer, no attempt, no trigger, once all has had its time', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        const providers = policy.providers.map((provider) => ({ ...provider, timeout: provider.timeout ?? 500 }));
        const world = await lived({ ...policy, providers }, script, history);
        await world.clock.runUntilIdle();
        expect(world.timers.size).toBe(0);
        expect(Object.values(world.inspect()).map(({ inFlight }) => inFlight)).toEqual(providers.map(() => 0));
        expect(world.triggers.map(({ settlements }) => settlements)).toEqual(world.triggers.map(() => 1));
        await world.engine.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('leaves nothing when closed in the middle of it all, health checks included', async () => {
    await fc.assert(
      fc.asyncProperty(policy, behaviours, history, async (policy, script, history) => {
        const world = await lived(policy, script, history);
        const before = world.inspect();
        await world.engine.close();
        await settled();
        expect(world.timers.size).toBe(0);
        expect(world.triggers.map(({ settlements }) => settlements)).toEqual(world.triggers.map(() => 1));
        for (const [name, { health, failures, inFlight }] of Object.entries(world.inspect())) {
          expect(inFlight).toBe(0);
          // What close() cuts short is no verdict: a probe leaves its place, and that is all.
          const { health: stood } = before[name] as ProviderHealth;
          expect([health, failures]).toEqual([stood === 'probing' ? 'unhealthy' : stood, before[name]?.failures]);
        }
      }),
      { numRuns: RUNS },
    );
  });
});

it('the health of one env, product, tag or engine is never that of another', async () => {
  const place = fc.record({
    env: fc.constantFrom('e', 'e:', '__proto__'),
    product: fc.constantFrom('p', ':p', 'constructor'),
    fallback_tag: fc.constantFrom('t', 't:p', 'toString'),
  });
  const step = fc.record({ at: fc.nat(2), command });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(place, { minLength: 3, maxLength: 3, selector: (value) => JSON.stringify(value) }),
      fc.array(step, { maxLength: 25, size: 'max' }),
      behaviours,
      guard,
      async (places, steps, script, guard) => {
        /** The story of one place, told by an engine that also lives through the others' or does not. */
        const story = async (which: number, isAlone: boolean) => {
          const clock = virtualClock();
          const played = places.map(() => 0);
          const indexOf = ({ env, product, tag }: { env: string; product: string; tag: string }) =>
            places.findIndex((one) => one.env === env && one.product === product && one.fallback_tag === tag);
          const play = (at: number, signal: AbortSignal) => {
            const count = played[at] ?? 0;
            played[at] = count + 1;
            return behave(script[(count + at) % script.length] as Behaviour, signal, clock, () => {});
          };
          const { fallback: engine } = createDuctape({ clock });
          const provider = (name: string) => ({
            name,
            ...guard,
            ...('healthcheck' in guard &&
              guard.healthcheck && {
                healthcheck: {
                  ...guard.healthcheck,
                  check: (context: HealthContext) => play(indexOf(context), context.signal),
                },
              }),
            run: (_input: unknown, context: Context) => play(indexOf(context), context.signal),
          });
          for (const tag of new Set(places.map(({ fallback_tag }) => fallback_tag)))
            engine.define(defineFallback({ tag, providers: [provider('p0'), provider('p1')] as never }));
          const told: unknown[] = [];
          const mine = places[which] as (typeof places)[number];
          engine.on('*', ({ at, type, ...event }) => {
            if (indexOf(event) === which && type.startsWith('provider-')) told.push({ at, type, ...event });
          });
          for (const { at, command } of steps) {
            if (command.type === 'advance') await clock.advance(command.ms);
            else if (at === which || !isAlone) {
              const address = places[at] as typeof mine;
              const tell = (outcome: unknown) => at === which && told.push(outcome);
              const failed = (error: unknown) => tell(error instanceof Error ? error.message : error);
              const run = (action: 'trigger' | 'update' | 'reset', more: object = {}) =>
                void engine.run({ ...address, action, ...more } as never, { id: 'same' }).then(tell, failed);
              if (command.type === 'trigger') run('trigger', cacheOf(command.key));
              else if (command.type === 'reset') run('reset', cacheOf(command.key));
              else if (command.type === 'by hand')
                run('update', { input: { providers: { [nameOf(command.provider % 2)]: { health: command.health } } } });
              await settled();
            }
            told.push(engine.inspect(mine).providers);
          }
          // Whom close() interrupts first is nobody's health.
          const story = JSON.parse(JSON.stringify(told));
          await engine.close();
          return story;
        };
        for (const which of [0, 1, 2]) expect(await story(which, false)).toEqual(await story(which, true));
      },
    ),
    { numRuns: RUNS / 4 },
  );
});

it('the health of a primary is what the same model says, of wrap and of call', async () => {
  const risk = fc.record({
    type: fc.constant('risk' as const),
    how: fc.constantFrom('wrap' as const, 'call' as const),
    behaviour: behaviours.map(([first]) => first as Behaviour),
    timeout: fc.constantFrom(undefined, 15),
    abortAfter: fc.constantFrom(undefined, undefined, 0, 7),
  });
  const step = fc.oneof({ weight: 3, arbitrary: risk }, { weight: 2, arbitrary: command });
  await fc.assert(
    fc.asyncProperty(breaker, fc.array(step, { maxLength: 30, size: 'max' }), async (breaker, steps) => {
      const clock = virtualClock(1_000);
      const make = () => {
        const { fallback } = createDuctape({ env: 'e', product: 'p', clock });
        fallback.define(
          defineFallback({
            tag: TAG,
            handle: (error) => error !== THEIRS,
            providers: [{ name: 'last', value: 'last' }],
          }),
        );
        return fallback;
      };
      let engine = make();
      let life = 0;
      const model = new Model({ breaker });
      for (const step of steps) {
        if (step.type === 'advance') await clock.advance(step.ms);
        else if (step.type === 'reset') {
          if (step.key === 0) model.byHand('healthy', clock.now());
          await engine.run({ fallback_tag: TAG, action: 'reset', ...cacheOf(step.key) });
        } else if (step.type === 'restore' || step.type === 'restart') {
          const snapshot = JSON.parse(JSON.stringify(engine.snapshot()));
          if (step.type === 'restart') {
            life++;
            void engine.close();
            engine = make();
            model.restart();
          } else model.restore();
          engine.restore(snapshot);
        } else if (step.type === 'risk') {
          const controller = new AbortController();
          const { signal } = controller;
          const mine = life;
          const leave = model.admit(clock.now(), false);
          let isCalled = false;
          const primary = (own: AbortSignal) => {
            isCalled = true;
            return behave(step.behaviour, own, clock, (isOk) => {
              if (typeof leave === 'string' || mine !== life) return;
              const isNone = own.aborted ? signal.aborted : step.behaviour.kind === 'theirs';
              model.settle(leave, isOk ? 'succeeded' : isNone ? 'none' : 'failed', clock.now());
            });
          };
          const { timeout, how } = step;
          // Only call gives its primary a signal to tell what has become of it.
          const call =
            how === 'call'
              ? engine.call(TAG, (own) => primary(own.signal), { breaker, signal, ...(timeout && { timeout }) })
              : engine.wrap(TAG, () => primary(new AbortController().signal), { breaker })();
          call.catch(() => {});
          expect(isCalled).toBe(typeof leave !== 'string');
          if (step.abortAfter !== undefined) clock.setTimeout(() => controller.abort(), step.abortAfter);
        }
        await settled();
        const { primary } = engine.inspect({ fallback_tag: TAG });
        expect(primary ?? { health: 'healthy', failures: 0, inFlight: 0 }).toEqual(model.inspection(clock.now()));
      }
      await engine.close();
    }),
    { numRuns: RUNS },
  );
});
