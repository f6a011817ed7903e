import fc from 'fast-check';
import {
  createDuctape,
  defineFallback,
  type FallbackEvent,
  FallbackExhaustedError,
  type TriggerResult,
} from '../../src/index.ts';
import { settled, type VirtualClock, virtualClock } from '../virtual-clock.ts';

/** What a provider does at one call: `delay` 0 answers synchronously. */
export interface Behaviour {
  readonly kind: 'ok' | 'reject' | 'throw' | 'hang' | 'stubborn';
  readonly delay: number;
}

export interface Policy {
  readonly maxRetries: number;
  readonly resetAfter: number | 'never';
  readonly deadline?: number | undefined;
  readonly providers: readonly {
    readonly retries: number;
    readonly backoff: number;
    readonly timeout: number | null;
  }[];
}

/** `key` 0 is the machine without a cache key. */
export type Command =
  | {
      readonly type: 'trigger';
      readonly key: number;
      readonly abortAfter?: number | undefined;
      readonly deadline?: number | undefined;
    }
  | {
      readonly type: 'update';
      readonly key: number;
      readonly input: { readonly maxRetries?: number | null; readonly resetAfter?: number };
    }
  | {
      readonly type: 'reset';
      readonly key: number;
      readonly input: { readonly config?: boolean; readonly keys?: boolean };
    }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'restore' };

export const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  kind: fc.constantFrom('reject', 'reject', 'throw', 'throw', 'ok', 'hang', 'stubborn'),
  delay: fc.constantFrom(0, 0, 5, 30, 120),
});

export const policy: fc.Arbitrary<Policy> = fc.record({
  maxRetries: fc.constantFrom(0, 0, 1, 3),
  resetAfter: fc.constantFrom<number | 'never'>(10, 10, 50, 0, 'never'),
  deadline: fc.option(fc.integer({ min: 20, max: 200 }), { nil: undefined }),
  providers: fc.array(
    fc.record({
      retries: fc.nat(2),
      backoff: fc.constantFrom(0, 5, 40),
      timeout: fc.constantFrom<number | null>(null, 15, 60),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

const key = fc.constantFrom(0, 0, 0, 1, 2);

export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('trigger' as const),
      key,
      abortAfter: fc.constantFrom(undefined, undefined, undefined, 0, 7, 40),
      deadline: fc.constantFrom(undefined, undefined, 0, 25),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('update' as const),
      key,
      input: fc.record(
        { maxRetries: fc.constantFrom(0, 1, 2, 3, null), resetAfter: fc.constantFrom(0, 20, 100) },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('reset' as const),
      key,
      input: fc.record({ config: fc.boolean(), keys: fc.boolean() }, { requiredKeys: [] }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 50, 200) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restore' as const) }) },
);

export const history = fc.array(command, { maxLength: 30, size: 'max' });
export const behaviours = fc.array(behaviour, { minLength: 1, maxLength: 12 });

export interface ProviderCall {
  readonly id: string;
  readonly provider: number;
  readonly attempt: number;
  readonly at: number;
  readonly behaviour: Behaviour;
  /** What it threw or rejected with. */
  error?: Error;
  endedAt?: number;
}

export interface Triggered {
  readonly id: string;
  readonly key: number;
  readonly at: number;
  readonly deadline: number;
  readonly controller: AbortController;
  settlements: number;
  settledAt?: number;
  result?: TriggerResult;
  error?: unknown;
}

export const TAG = 'policy';

export function cacheOf(key: number): { cache?: string } {
  return key === 0 ? {} : { cache: `key-${key}` };
}

/** An engine with one fallback whose providers do, call by call, what the behaviours say. */
export function makeWorld(policy: Policy, script: readonly Behaviour[], clock: VirtualClock = virtualClock(1_000)) {
  const calls: ProviderCall[] = [];
  const triggers: Triggered[] = [];
  const events: FallbackEvent[] = [];
  const provide = (provider: number) => (_: unknown, ctx: { id: string; attempt: number; signal: AbortSignal }) => {
    const doing = script[calls.length % script.length] as Behaviour;
    const call: ProviderCall = { id: ctx.id, provider, attempt: ctx.attempt, at: clock.now(), behaviour: doing };
    calls.push(call);
    const fail = (): never => {
      call.endedAt = clock.now();
      call.error = new Error(`call ${calls.indexOf(call)}`);
      throw call.error;
    };
    const answer = () => {
      call.endedAt = clock.now();
      return calls.indexOf(call);
    };
    if (doing.kind === 'throw') return fail();
    if (doing.kind === 'hang') return new Promise<number>(() => {});
    if (doing.delay === 0) return doing.kind === 'reject' ? Promise.reject(tryError(fail)) : answer();
    return new Promise<number>((resolve, reject) => {
      const timer = clock.setTimeout(
        () => (doing.kind === 'reject' ? reject(tryError(fail)) : resolve(answer())),
        doing.delay,
      );
      if (doing.kind === 'stubborn') return;
      ctx.signal.addEventListener('abort', () => {
        clock.clearTimeout(timer);
        reject(ctx.signal.reason);
      });
    });
  };
  const fallback = defineFallback({
    tag: TAG,
    maxRetries: policy.maxRetries,
    resetAfter: policy.resetAfter,
    ...(policy.deadline !== undefined && { deadline: policy.deadline }),
    providers: policy.providers.map((provider, index) => ({ name: `p${index}`, run: provide(index), ...provider })),
  });
  const engine = createDuctape({
    env: 'e',
    product: 'p',
    clock,
    random: () => 0.5,
    nonce: 'n',
    fallbacks: [fallback] as const,
  }).fallback;
  engine.on('*', (event) => events.push(event));

  const trigger = (key: number, deadline?: number, abortAfter?: number): Triggered => {
    const controller = new AbortController();
    const id = `t${triggers.length}`;
    const limit = Math.min(deadline ?? Number.POSITIVE_INFINITY, policy.deadline ?? Number.POSITIVE_INFINITY);
    const triggered: Triggered = {
      id,
      key,
      at: clock.now(),
      deadline: clock.now() + limit,
      controller,
      settlements: 0,
    };
    triggers.push(triggered);
    const done = (outcome: { result?: TriggerResult; error?: unknown }) => {
      triggered.settlements++;
      triggered.settledAt = clock.now();
      Object.assign(triggered, outcome);
    };
    if (abortAfter !== undefined) clock.setTimeout(() => controller.abort(new Error(`abort ${id}`)), abortAfter);
    const request = { fallback_tag: TAG, action: 'trigger', input: {}, ...cacheOf(key) } as const;
    engine.run(request, { id, signal: controller.signal, deadline }).then(
      (result) => done({ result }),
      (error) => done({ error }),
    );
    return triggered;
  };

  /** Carries out one command, and lets all happen that happens without time passing. */
  const act = async (command: Command): Promise<void> => {
    if (command.type === 'trigger') trigger(command.key, command.deadline, command.abortAfter);
    else if (command.type === 'advance') await clock.advance(command.ms);
    else if (command.type === 'restore') engine.restore(JSON.parse(JSON.stringify(engine.snapshot())));
    else if (command.type === 'update')
      await engine.run({ fallback_tag: TAG, action: 'update', input: command.input, ...cacheOf(command.key) });
    else await engine.run({ fallback_tag: TAG, action: 'reset', input: command.input, ...cacheOf(command.key) });
    await settled();
  };

  const inspect = (key: number) => engine.inspect({ fallback_tag: TAG, ...cacheOf(key) });

  /** Ends what is still in flight, and lets every provider have its last word. */
  const finish = async (): Promise<void> => {
    const closed = engine.close();
    await clock.runUntilIdle();
    await closed;
    await settled();
  };

  return { clock, engine, calls, triggers, events, act, inspect, finish };
}

function tryError(fail: () => never): unknown {
  try {
    return fail();
  } catch (error) {
    return error;
  }
}

export function isRefused({ error }: Pick<Triggered, 'error'>): boolean {
  return error instanceof FallbackExhaustedError;
}
