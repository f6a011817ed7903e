import {
  type createDuctape,
  defineFallback,
  type FallbackEvent,
  FallbackExhaustedError,
  FallbackFailedError,
  InDoubtError,
  InvalidInputError,
} from '../index.ts';
import { Aftermath, type Told, type Undoing, type Verdict } from './aftermath.ts';
import { behave } from './behave.ts';
import type { Actors, CallContext } from './cast.ts';
import type { Aftercare, Command, Faults, History } from './history.ts';
import type { Policy } from './model.ts';
import type { RawDefinition, RawProvider } from './raw.ts';
import type { TraceEntry, TraceType } from './trace.ts';
import { flush, virtualClock } from './virtual-clock.ts';
import { keyName, type Seen, Witness } from './witness.ts';

const ENV = 'test';
const PRODUCT = 'policy';

/** Milliseconds at a time that compensations are given before an engine closes, and how often. */
const GRACE = 50;
const PATIENCE = 1_000;

/** Makes an engine; another one than ours only in tests of this kit. */
export type Create = (options: Parameters<typeof createDuctape>[0]) => { readonly fallback: Engine };

/** What a caller gets. */
interface Answer {
  readonly provider?: string;
  readonly output?: unknown;
  readonly state: string;
  readonly stale?: true;
  readonly reused?: true;
}

type Run = (request: object, options?: object) => Promise<Answer>;

interface Engine {
  run: Run;
  inspect(request: object): Seen;
  snapshot(): unknown;
  restore(snapshot: unknown): unknown;
  on(type: '*', listener: (event: FallbackEvent) => void): () => void;
  close(): Promise<void>;
}

/** Who triggers: a session that counts as verified, with these data. */
export interface CheckSession {
  readonly tag: string;
  readonly token: string;
  readonly data?: unknown;
}

/** The policy on its stage: the user's definition, and what its providers are to do. */
export interface Play {
  readonly tag: string;
  /** As its user wrote it. */
  readonly definition: RawDefinition;
  /** The definition, played by these actors. */
  readonly cast: (actors: Actors) => Parameters<typeof defineFallback>[0];
  readonly policy: Policy;
  readonly keys: number;
  /** An output for a call that nothing was said about, and one that is refused, where there is any. */
  readonly outputs: ReadonlyMap<
    string,
    { readonly usual: unknown; readonly invalid: { readonly output: unknown } | undefined }
  >;
  /** Milliseconds by which a call of a provider is in time. */
  readonly limits: ReadonlyMap<string, number>;
  /** Milliseconds after the last command within which each trigger should be over; `undefined`: as long as it takes. */
  readonly horizon: number | undefined;
  /** Of each trigger. */
  readonly session?: CheckSession | undefined;
  readonly create: Create;
}

export interface Call {
  readonly trigger: number;
  readonly provider: string;
  readonly attempt: number;
  readonly at: number;
  readonly config: CallContext['config'];
}

/** What a history came to. */
export interface Outcome {
  readonly trace: TraceEntry[];
  readonly calls: readonly Call[];
  /** What the engine's machines did against the model, if anything. */
  readonly faults: readonly string[];
  readonly unsettled: readonly number[];
  readonly leaks: readonly string[];
  /** Inputs that the schema refused: the arbitrary's fault. */
  readonly refusedInput: unknown;
  readonly edges: readonly string[];
  readonly definition: RawDefinition;
  /** The calls whose effects may have to be undone, and that have answered. */
  readonly answers: readonly Told[];
  readonly undoings: readonly Undoing[];
  readonly verdicts: readonly Verdict[];
}

interface Trigger {
  readonly number: number;
  readonly key: number;
  readonly faults: Faults;
  readonly aftermath: Readonly<Partial<Record<Aftercare, Faults>>>;
  readonly controller: AbortController;
  isOver: boolean;
}

/** Plays a history in virtual time. */
export async function simulate(play: Play, history: History): Promise<Outcome> {
  const simulation = new Simulation(play);
  for (const command of history) await simulation.step(command);
  return simulation.end();
}

/** One life of a policy: commands one after another, and what came of them. */
export class Simulation {
  readonly #play: Play;
  readonly #clock = virtualClock();
  readonly #witness: Witness;
  readonly #trace: TraceEntry[] = [];
  readonly #calls: Call[] = [];
  readonly #triggers: Trigger[] = [];
  #refusedInput: unknown;
  /** The last input given: any will do for triggers that do not matter. */
  #input: unknown;
  #engine: Engine;
  /** Those of the engine, and not of the providers. */
  readonly #timers = new Set<unknown>();
  #listeners = 0;
  #fillers = 0;
  readonly #aftermath: Aftermath;
  readonly #providers: ReadonlyMap<string, RawProvider>;

  constructor(play: Play) {
    this.#play = play;
    this.#witness = new Witness({
      policy: play.policy,
      now: () => this.#clock.now(),
      keyOf: (trigger) => this.#triggers[trigger - 1]?.key,
      note: (type, facts) => this.#note(type, facts),
    });
    this.#providers = new Map(play.definition.providers.map((provider) => [provider.name, provider]));
    this.#aftermath = new Aftermath({
      clock: this.#clock,
      trace: this.#trace,
      limitOf: (provider) => play.limits.get(provider) ?? 1_000,
      usualOf: (provider) => play.outputs.get(provider)?.usual,
      triggerOf: (id) => this.#triggers[Number(id.slice(1)) - 1],
      note: (type, facts) => this.#note(type, facts),
    });
    this.#engine = this.#open();
  }

  /** Carries out one command; returns what the machines have done against the model so far. */
  async step(command: Command): Promise<readonly string[]> {
    await this.#act(command);
    await flush();
    const over = this.#triggers.filter(({ isOver }) => isOver).map(({ number }) => number);
    const look = (key: number) => this.#engine.inspect(this.#request(key, 'trigger'));
    this.#witness.compare(command.type, this.#play.keys, over, look);
    return this.#witness.faults;
  }

  /** Ends what is still in flight; what it all came to. */
  async end(): Promise<Outcome> {
    await this.#finish();
    return {
      trace: this.#trace,
      calls: this.#calls,
      faults: this.#witness.faults,
      unsettled: this.#triggers.filter(({ isOver }) => !isOver).map(({ number }) => number),
      leaks: [
        ...(this.#timers.size === 0 ? [] : [`${this.#timers.size} timers are left`]),
        ...(this.#listeners === 0 ? [] : [`${this.#listeners} abort listeners are left`]),
      ],
      refusedInput: this.#refusedInput,
      edges: this.#witness.edges,
      definition: this.#play.definition,
      answers: this.#aftermath.answers,
      undoings: this.#aftermath.undoings,
      verdicts: this.#aftermath.verdicts,
    };
  }

  #open(): Engine {
    const { create, cast, keys, session } = this.#play;
    const clock = this.#clock;
    const fallback = defineFallback(
      cast({
        run: (provider, input, ctx) => this.#provide(provider, ctx, input),
        verify: (provider, ctx) => this.#aftermath.verify(provider, ctx),
        compensate: (provider, output, ctx) => this.#aftermath.compensate(provider, output, ctx),
        check: (provider, { signal }) => this.#aftermath.check(provider, signal),
      }),
    );
    const counting = {
      now: () => clock.now(),
      setTimeout: (callback: () => void, ms: number) => {
        const fire = () => {
          this.#timers.delete(handle);
          callback();
        };
        const handle = clock.setTimeout(fire, ms);
        this.#timers.add(handle);
        return handle;
      },
      clearTimeout: (handle: unknown) => {
        this.#timers.delete(handle);
        clock.clearTimeout(handle);
      },
    };
    const options = {
      env: ENV,
      product: PRODUCT,
      clock: counting,
      random: () => 0.5,
      cache: { max: Math.max(1, keys) },
      ...(session && { sessions: { [session.tag]: () => session.data } }),
    };
    const { fallback: engine } = create({ ...options, nonce: 'kit', fallbacks: [fallback] });
    engine.on('*', (event) => this.#hear(event));
    return engine;
  }

  async #act(command: Command): Promise<void> {
    switch (command.type) {
      case 'trigger':
        return this.#trigger(command);
      case 'wait':
        return this.#clock.advance(command.ms);
      case 'abort':
        return this.#abort(command.which);
      case 'evict':
        return this.#evict();
      case 'restart':
        return this.#restart();
      case 'health':
        return this.#aftermath.say(command.provider, command.answer);
      default:
        return this.#change(command);
    }
  }

  #trigger({ key, input, faults, aftermath = {} }: Extract<Command, { type: 'trigger' }>): void {
    const trigger: Trigger = {
      number: this.#triggers.length + 1,
      key,
      faults,
      aftermath,
      controller: new AbortController(),
      isOver: false,
    };
    const { number, controller } = trigger;
    this.#triggers.push(trigger);
    this.#input = input;
    this.#note('trigger', { trigger: number, key, input });
    const { signal } = controller;
    const { addEventListener, removeEventListener } = signal;
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof addEventListener>) => {
        this.#listeners++;
        addEventListener.apply(signal, args);
      },
      removeEventListener: (...args: Parameters<typeof removeEventListener>) => {
        this.#listeners--;
        removeEventListener.apply(signal, args);
      },
    });
    const over = (type: TraceType, facts: object) => {
      this.#witness.told(number, type, trigger.isOver);
      trigger.isOver = true;
      this.#note(type, { trigger: number, key, ...facts });
    };
    this.#engine.run(this.#triggering(key, input), { id: `t${number}`, signal }).then(
      ({ provider, output, stale, reused }) => {
        this.#witness.answered(number, key, stale === true, reused === true);
        over('recovered', { provider, output, ...(stale && { stale }), ...(reused && { reused }) });
      },
      (error) => {
        if (error instanceof InvalidInputError) this.#refusedInput ??= error;
        const type =
          error instanceof FallbackFailedError || error instanceof InDoubtError
            ? 'failed'
            : error instanceof FallbackExhaustedError
              ? 'refused'
              : 'rejected';
        if (type === 'refused') this.#witness.refused(number, key);
        over(type, { error });
      },
    );
  }

  #abort(which: number): void {
    const open = this.#triggers.filter(({ isOver, controller }) => !isOver && !controller.signal.aborted);
    const trigger = open[which % Math.max(1, open.length)];
    if (!trigger) return;
    this.#note('abort', { trigger: trigger.number, key: trigger.key });
    trigger.controller.abort(new Error('the caller gave up'));
  }

  /** As many other keys as the LRU holds: every key that nothing holds is forgotten. */
  async #evict(): Promise<void> {
    const input = this.#input;
    if (input === undefined) return;
    this.#note('evict', {});
    for (let count = 0; count < Math.max(1, this.#play.keys); count++) {
      const request = { ...this.#triggering(0, input), cache: `filler-${++this.#fillers}` };
      this.#engine.run(request, { id: 'filler' }).catch(() => {});
      await flush();
    }
  }

  async #restart(): Promise<void> {
    await this.#compensated();
    const snapshot = JSON.parse(JSON.stringify(this.#engine.snapshot()));
    this.#note('restart', {});
    // What it leaves to undo takes its time, and is not waited for.
    void this.#engine.close();
    await flush();
    this.#engine = this.#open();
    this.#engine.restore(snapshot);
    this.#witness.restored();
  }

  /** What is being undone is undone: a restart gives it the grace that `close({ grace })` would. */
  async #compensated(): Promise<void> {
    for (let waited = 0; this.#aftermath.open > 0 && waited < PATIENCE; waited++) await this.#clock.advance(GRACE);
  }

  async #change({ type, key, input }: Extract<Command, { type: 'update' | 'reset' }>): Promise<void> {
    this.#witness.expect(input);
    const error = await this.#engine.run({ ...this.#request(key, type), input }).then(
      () => undefined,
      (error) => error,
    );
    this.#note(type, { key, input, ...(error !== undefined && { error }) });
  }

  #triggering(key: number, input: unknown): object {
    const { session } = this.#play;
    const request = { ...this.#request(key, 'trigger'), input };
    return session ? { ...request, session: { tag: session.tag, token: session.token } } : request;
  }

  #request(key: number, action: Command['type']): object {
    const cache = keyName(key);
    return { fallback_tag: this.#play.tag, action, ...(cache !== undefined && { cache }) };
  }

  /** What a provider does instead of its `run`. */
  #provide(provider: string, { id, attempt, signal, config }: CallContext, input: unknown): unknown {
    const outputs = this.#play.outputs.get(provider);
    const trigger = this.#triggers[Number(id.slice(1)) - 1];
    if (!trigger) return outputs?.usual;
    const { number, key } = trigger;
    const mine = this.#calls.filter((call) => call.trigger === number && call.provider === provider);
    const fault = trigger.faults[provider]?.[mine.length] ?? { kind: 'ok', delay: 0, output: outputs?.usual };
    this.#calls.push({ trigger: number, provider, attempt, at: this.#clock.now(), config });
    const about = { trigger: number, key, provider, attempt };
    this.#note('call', { ...about, fault: fault.kind, input });
    const limit = this.#play.limits.get(provider) ?? 1_000;
    const { idempotent, compensate } = this.#providers.get(provider) ?? {};
    const land = () => this.#note('effect', { ...about, ...(idempotent && { idempotent }) });
    const result = behave(fault, { clock: this.#clock, signal, limit, invalid: outputs?.invalid?.output, land });
    if (compensate !== undefined) this.#aftermath.answered(about, result);
    return result;
  }

  #hear(event: FallbackEvent): void {
    const { type, id = '', cache } = event;
    const key = cache === undefined ? 0 : Number(cache.slice(4));
    const number = Number(id.slice(1));
    if (this.#aftermath.hear(event, number, key) || cache?.startsWith('filler-')) return;
    this.#witness.hear(event, number, key);
    if (type !== 'attempt-ended') return;
    const { provider, attempt, outcome } = event;
    const error = 'error' in event && { error: event.error };
    this.#note('ended', { trigger: number, key, provider, attempt, outcome, ...error });
  }

  async #finish(): Promise<void> {
    if (this.#play.horizon === undefined) await this.#clock.runUntilIdle();
    else await this.#clock.advance(this.#play.horizon + 1);
    await this.#compensated();
    const closed = this.#engine.close();
    await flush();
    await this.#clock.runUntilIdle();
    await closed;
    await flush();
  }

  #note(
    type: TraceType,
    { key = 0, ...facts }: { key?: number } & Omit<Partial<TraceEntry>, 'key' | 'state'> & { state?: string },
  ): void {
    const name = keyName(key);
    const at = this.#clock.now();
    this.#trace.push({ at, type, ...(name !== undefined && { key: name }), ...facts } as TraceEntry);
  }
}
