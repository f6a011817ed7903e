import type { HealthPhase, HealthPlace, HealthState, Tolerance } from '../machine/health-machine.ts';
import type { Met } from '../quote.ts';
import { Standing } from './standing.ts';

/** What is known of a provider, or of the primary, in one env and product: shared by all cache keys. */
export class Health extends Standing<Tolerance, HealthPhase, HealthState> {
  readonly provider: string;
  /** Milliseconds until an unhealthy one is probed; `null`: no attempt ever probes it. */
  cooldown: number | null;
  /** Attempts under way. */
  inFlight = 0;
  /** When a health check last gave its verdict. */
  checkedAt: number | undefined = undefined;
  isBeingChecked = false;
  /** What the last failed attempt met. */
  lastError: Met | undefined = undefined;

  constructor(provider: string, cooldown: number | null, place: HealthPlace) {
    super(place);
    this.provider = provider;
    this.cooldown = cooldown;
  }

  /** Whether nobody would miss it: failures that have not tripped anything do not count. */
  get isIdle(): boolean {
    return this.place.phase === 'healthy' && this.inFlight === 0 && !this.isBeingChecked;
  }

  /** Milliseconds until an attempt may probe it; `undefined` unless one is to. */
  retryAfter(now: number): number | undefined {
    const { phase } = this.place;
    if (this.cooldown === null || phase === 'healthy' || phase === 'held') return undefined;
    return Math.max(0, this.since + this.cooldown - now);
  }
}

/** An attempt's leave to be made: its outcome counts only in this generation. */
export interface Leave {
  readonly health: Health;
  readonly generation: number;
}
