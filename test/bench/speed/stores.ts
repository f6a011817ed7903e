import { type CircuitBreakerPolicy, ConsecutiveBreaker, circuitBreaker, fallback, handleAll, wrap } from 'cockatiel';
import { circuits, modules } from 'mollitia';
import CircuitBreaker from 'opossum';
import { createDuctape, defineFallback } from '../../../dist/index.js';
import * as byHand from './peers/by-hand.ts';
import { circuitOf } from './peers/mollitia.ts';
import { NEVER_OPENS } from './peers/opossum.ts';
import { NAME } from './peers/ours.ts';
import type { Work } from './work.ts';

const LONG = 2_147_483_647;

/** A state per key. */
export interface Store {
  /** One call of a primary with a provider behind it, for a key that need not have been seen before. */
  readonly call: (key: string) => Promise<unknown>;
  /** How many keys are remembered. */
  readonly size: () => number;
  readonly clear?: () => void;
}

type MakeStore = (primary: Work, provider: Work) => Store;

/** Of at most `max` keys. */
export function ourStore(primary: Work, provider: Work, max: number): Store {
  const definition = defineFallback({ tag: 'payment-failure', providers: [{ name: 'provider-0', run: provider }] });
  const { fallback } = createDuctape({ env: 'prd', product: 'payments', fallbacks: [definition], cache: { max } });
  const options = { input: () => ({}), cache: (key: string) => key };
  return {
    call: fallback.wrap('payment-failure', (_key: string) => primary(), options),
    // The unkeyed machine is in the snapshot, too.
    size: () => fallback.snapshot().machines.filter(({ cache }) => cache !== undefined).length,
  };
}

/** The peers' policies, one a key, in a Map. */
function mapped<P>(make: () => P, execute: (policy: P) => Promise<unknown>, drop?: (policy: P) => void): Store {
  const policies = new Map<string, P>();
  return {
    call(key) {
      let policy = policies.get(key);
      if (policy === undefined) {
        policy = make();
        policies.set(key, policy);
      }
      return execute(policy);
    },
    size: () => policies.size,
    clear() {
      if (drop) for (const policy of policies.values()) drop(policy);
      policies.clear();
    },
  };
}

function breaker(): CircuitBreakerPolicy {
  return circuitBreaker(handleAll, { halfOpenAfter: LONG, breaker: new ConsecutiveBreaker(LONG) });
}

const cockatiel: MakeStore = (primary, provider) =>
  mapped(
    () => wrap(fallback(handleAll, provider), breaker()),
    (policy) => policy.execute(primary),
  );

/** A fallback keeps no state: one would do for all keys. */
const cockatielShared: MakeStore = (primary, provider) => {
  const shared = fallback(handleAll, provider);
  return mapped(breaker, (own) => shared.execute(() => own.execute(primary)));
};

const opossum: MakeStore = (primary, provider) =>
  mapped(
    () => new CircuitBreaker(primary, { ...NEVER_OPENS }).fallback(provider),
    (policy) => policy.fire(),
    (policy) => policy.shutdown(),
  );

/** With two timers a breaker, one of which sums up its statistics each second for whoever may listen. */
const opossumAsItComes: MakeStore = (primary, provider) =>
  mapped(
    () => new CircuitBreaker(primary, { timeout: false, errorThresholdPercentage: 100 }).fallback(provider),
    (policy) => policy.fire(),
    (policy) => policy.shutdown(),
  );

/** Mollitia remembers all circuits and modules ever made, dropped or not. */
const mollitia: MakeStore = (primary, provider) => {
  const store = mapped(
    () => circuitOf(primary),
    (circuit) => circuit.execute<number>().catch(provider),
    (circuit) => circuit.dispose(),
  );
  const clear = () => {
    store.clear?.();
    circuits.length = modules.length = 0;
  };
  return { ...store, clear };
};

const counted: MakeStore = (primary, provider) =>
  mapped(
    () => byHand.counter(),
    (counter) => byHand.guarded(counter, primary, provider),
  );

/** By the name of the contender. */
export const peerStores: Readonly<Record<string, MakeStore>> = {
  'cockatiel fallback and breaker': cockatiel,
  'cockatiel breaker, one fallback for all': cockatielShared,
  opossum,
  'mollitia breaker': mollitia,
  'counter by hand': counted,
};

export const OPOSSUM_AS_IT_COMES = 'opossum with percentiles and snapshots';

export function storeOf(name: string, primary: Work, provider: Work, max: number): Store {
  if (name === NAME) return ourStore(primary, provider, max);
  const make = name === OPOSSUM_AS_IT_COMES ? opossumAsItComes : peerStores[name];
  if (!make) throw new Error(`there is no store called ${name}`);
  return make(primary, provider);
}
