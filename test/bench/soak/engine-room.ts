import { createDuctape, type Fallback, type FallbackEvent, type SessionVerifier } from '../../../dist/index.js';
import type { Call } from './call.ts';
import { ENGINE_TIMEOUT, FALLBACKS } from './facts.ts';
import { Host } from './host.ts';
import { hear } from './listener.ts';
import type { MachineModel } from './machine-model.ts';
import { fallBack, PRIMARY_TIMEOUT, wrappedPrimary } from './primaries.ts';
import type { Stage } from './stage.ts';

/** What every engine of a soak is made of. */
export interface Parts {
  readonly fallbacks: readonly Fallback[];
  readonly sessions: Readonly<Record<string, SessionVerifier>>;
  /** A reset from within a listener. */
  readonly meddle: (machine: MachineModel) => void;
}

/** Makes engines, one after the other, each with its listeners and its wrapped primaries. */
export class EngineRoom {
  readonly #stage: Stage;
  readonly #parts: Parts;
  readonly #seed: number;
  #made = 0;

  constructor(stage: Stage, seed: number, parts: Parts) {
    this.#stage = stage;
    this.#seed = seed;
    this.#parts = parts;
  }

  make(): Host {
    const stage = this.#stage;
    const { fallbacks, sessions } = this.#parts;
    const port = stage.port();
    const nonce = `soak${this.#seed}engine${++this.#made}`;
    const { fallback } = createDuctape<readonly Fallback[]>({
      fallbacks,
      sessions,
      cache: { max: stage.most },
      timeout: ENGINE_TIMEOUT,
      clock: port,
      random: stage.random.next,
      nonce,
    });
    const host = new Host(fallback, port, nonce);
    fallback.on('*', (event) => hear(stage, host, event));
    // In every other one: a second listener costs as much as the first.
    if (this.#made % 2 === 1) fallback.on('*', (event) => this.#meddle(host, event));
    this.#wrap(host);
    return host;
  }

  /** Each definition's primary, once without a limit of its own and once with all of them. */
  #wrap(host: Host): void {
    const stage = this.#stage;
    const primary = function (this: unknown, call: Call) {
      return wrappedPrimary(stage, this, call);
    };
    const place = {
      env: ({ machine }: Call) => machine.address.env,
      product: ({ machine }: Call) => machine.address.product,
      cache: ({ machine }: Call) => machine.address.cache,
      input: (_: unknown, call: Call) => fallBack(stage, call),
    };
    const limits = {
      signal: ({ signal }: Call) => signal,
      id: ({ isIdOwn, id }: Call) => (isIdOwn ? id : undefined),
      deadline: ({ deadlineAt, startedAt }: Call) =>
        deadlineAt < Number.POSITIVE_INFINITY ? deadlineAt - startedAt : undefined,
      session: ({ session }: Call) => session,
      timeout: PRIMARY_TIMEOUT,
    };
    for (const facts of FALLBACKS) {
      host.plain.set(facts, host.api.wrap(facts.tag, primary, place));
      host.full.set(facts, host.api.wrap(facts.tag, primary, { ...place, ...limits }));
    }
  }

  /** A listener as bad as can be: it throws, rejects, subscribes others, and resets what it is told of. */
  #meddle(host: Host, { type, env, product, tag, cache }: FallbackEvent): unknown {
    const stage = this.#stage;
    const { random } = stage;
    if (!random.chance(0.04)) return undefined;
    stage.figures.add('and', 'listeners that meddled');
    const isResettable = type !== 'updated' && type !== 'reset' && type !== 'evicted';
    if (isResettable && host === stage.host && !stage.isRestarting && random.chance(0.03)) {
      return this.#parts.meddle(stage.machineAt(env, product, tag, cache));
    }
    if (random.chance(0.1)) {
      const leave: () => void = host.api.on('*', () => leave());
    }
    if (random.chance(0.5)) throw new Error('a listener is broken');
    return Promise.reject(new Error('a listener is broken, later'));
  }
}
