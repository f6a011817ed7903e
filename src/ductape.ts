import { once } from './definition/check.ts';
import { definitionOf } from './definition/definition.ts';
import { readEngineOptions, readGrace, readListener } from './definition/options.ts';
import { readAddress } from './definition/request.ts';
import { ownSystemClock } from './engine/clock.ts';
import { Flights } from './engine/flights.ts';
import { type Engine, refuseIfClosed, run } from './engine/run.ts';
import { call, called, wrap, wrapped } from './engine/wrap.ts';
import { exhausted } from './errors.ts';
import { Events } from './events.ts';
import { inspect } from './memory/inspect.ts';
import { Machines } from './memory/machines.ts';
import { Registry } from './memory/registry.ts';
import { restoreSnapshot } from './memory/restore.ts';
import { takeSnapshot } from './memory/snapshot.ts';
import type { Clock, DuctapeOptions, Fallback } from './types.ts';
import type { Ductape } from './typing.ts';

/**
 * Makes a fallback engine: in this process, with no server, no timer of its own, and nothing shared with another engine.
 *
 * @throws InvalidRequestError for a bad option, InvalidDefinitionError for a bad fallback
 * @example
 * const ductape = createDuctape({ env: 'prd', product: 'payments', fallbacks: [paymentFailure] });
 * const { output } = await ductape.fallback.run({ fallback_tag: 'payment-failure', action: 'trigger', input });
 */
export function createDuctape<const Fs extends readonly Fallback[] = readonly Fallback[]>(
  options?: DuctapeOptions<Fs>,
): Ductape<Fs> {
  const { engine, fallbacks } = engineOf(options, once(sleepers));
  for (const fallback of fallbacks) engine.registry.define(definitionOf(fallback));
  // Typed by its definitions; what the compiler promises of them is checked again on every call.
  return { fallback: faceOf(engine) } as unknown as Ductape<Fs>;
}

/** `onMany`: see {@link Flights}. */
function engineOf(
  options: unknown,
  onMany?: () => unknown,
): { readonly engine: Engine; readonly fallbacks: readonly unknown[] } {
  const {
    env,
    product,
    sessions,
    cache,
    clock = ownSystemClock(),
    random = Math.random,
    ...rest
  } = readEngineOptions(options);
  const { timeout = null, maxScopes = 1_000, nonce = randomNonce(), fallbacks } = rest;
  const events = new Events(clock);
  const registry = new Registry(timeout);
  const engine: Engine = {
    clock,
    random,
    events,
    registry,
    memory: new Machines(events, { cache: { max: cache?.max ?? 10_000, ttl: cache?.ttl }, maxScopes, timeout, clock }),
    flights: new Flights(clock, nonce, onMany),
    sessions,
    defaults: { env, product },
  };
  return { engine, fallbacks };
}

/**
 * Calls that never end, in an engine of their own, which knows nothing of any other. Where no object of a class is left, Node
 * forgets with the next collection of garbage what they look like, and all that it has compiled for them: after a moment
 * without calls an engine would be slow again, for thousands of calls. Each busy engine has its own, and they go with it.
 */
function sleepers(): unknown {
  const { engine } = engineOf({ env: ASLEEP, product: ASLEEP, nonce: ASLEEP, clock: STANDING });
  const forever = () => new Promise(() => {});
  engine.registry.define(definitionOf({ tag: ASLEEP, providers: [{ name: ASLEEP, run: forever }] }));
  void run(engine, { fallback_tag: ASLEEP, action: 'trigger' }, undefined);
  void wrapped(engine, ASLEEP, forever, {})();
  void called(engine, ASLEEP, forever, {});
  return [engine, exhausted(0, { error: ASLEEP, token: undefined }, { id: '', tag: '', env: '', product: '' })];
}

const ASLEEP = 'asleep';
/** With a fraction, as real clocks have it. */
const STANDING: Clock = { now: () => 0.5, setTimeout: () => undefined, clearTimeout() {} };

/** The methods need no `this`: they may be passed around. */
function faceOf(engine: Engine) {
  const { registry, memory, events, flights, clock } = engine;
  return {
    run: (request: unknown, options?: unknown) => run(engine, request, options),
    wrap: (tag: unknown, primary: unknown, options?: unknown) => wrap(engine, tag, primary, options),
    call: (tag: unknown, primary: unknown, options?: unknown) => call(engine, tag, primary, options),
    define(fallback: unknown) {
      refuseIfClosed(engine);
      registry.define(definitionOf(fallback));
    },
    has: (asked: unknown) => has(engine, asked),
    list: () => registry.list(),
    inspect: (request: unknown) => inspect(memory, registry, readAddress(request, engine.defaults), clock.now()),
    snapshot: () => takeSnapshot(memory, clock.now()),
    restore(snapshot: unknown) {
      refuseIfClosed(engine);
      return restoreSnapshot(memory, registry, snapshot, clock.now());
    },
    on: (type: unknown, listener: unknown) => events.subscribe(...readListener(type, listener, events.types)),
    close: async (options?: unknown) => flights.close(readGrace(options)),
  };
}

function has({ registry, defaults }: Engine, asked: unknown): boolean {
  if (typeof asked === 'string') return registry.has(asked);
  try {
    const { tag, env, product } = readAddress(asked, defaults);
    return registry.seek(tag, env, product) !== undefined;
  } catch {
    return false;
  }
}

function randomNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
