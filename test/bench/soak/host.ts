import type { Fallback, FallbackApi } from '../../../dist/index.js';
import type { Call } from './call.ts';
import type { ClockPort } from './clock.ts';
import type { FallbackFacts } from './facts.ts';

export type Wrapped = (this: unknown, call: Call) => Promise<unknown>;

/** One engine, from its creation to its close. */
export class Host {
  readonly api: FallbackApi<readonly Fallback[]>;
  readonly port: ClockPort;
  readonly nonce: string;
  /** Of each definition: a primary wrapped without a limit, and one with every option. */
  readonly plain = new Map<FallbackFacts, Wrapped>();
  readonly full = new Map<FallbackFacts, Wrapped>();
  /** The ids it has made. */
  readonly ids = new Set<string>();
  /** A restore in place begins another. */
  life = 0;
  /** From when on its calls in flight are cut short. */
  endsAt: number | undefined = undefined;
  /** They have been: nothing of it starts any more. */
  isInterrupted = false;

  constructor(api: FallbackApi<readonly Fallback[]>, port: ClockPort, nonce: string) {
    this.api = api;
    this.port = port;
    this.nonce = nonce;
  }
}
