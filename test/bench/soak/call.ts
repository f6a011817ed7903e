import type { FallbackFailedError } from '../../../dist/index.js';
import type { ConfigModel } from './config-model.ts';
import type { Host } from './host.ts';
import type { Admission, MachineModel } from './machine-model.ts';
import type { Subject } from './watch.ts';

export type Kind = 'trigger' | 'wrap' | 'call' | 'update' | 'reset' | 'invalid';

/** One attempt, as seen from both sides: what the provider did, and what the engine said of it. */
export class AttemptModel {
  readonly provider: string;
  readonly attempt: number;
  readonly startedAt: number;
  endedAt = Number.NaN;
  /** Whether the provider was called at all. */
  isEntered = false;
  /** What the provider came to; `undefined` while it has not, and for ever where it hangs. */
  came: 'output' | 'error' | 'refused' | undefined = undefined;
  value: unknown = undefined;
  doneAt: number | undefined = undefined;
  /** It has settled, or will some time. */
  isToSettle = false;
  /** The engine gave up on it: a timeout, a deadline, an abort. */
  isGivenUp = false;
  isLateHeard = false;
  /** Why it may have done its work, though it gave no answer that will do. */
  doubt: 'timed-out' | 'aborted' | 'refused' | undefined = undefined;
  isDoubtHeard = false;

  constructor(provider: string, attempt: number, startedAt: number) {
    this.provider = provider;
    this.attempt = attempt;
    this.startedAt = startedAt;
  }

  come(came: 'output' | 'error' | 'refused', value: unknown, now: number): void {
    this.isToSettle = true;
    this.came = came;
    this.value = value;
    this.doneAt = now;
  }
}

type AttemptRecord = FallbackFailedError['attempts'][number];

/** What ended a call before any verdict could: it is settled, whatever the caller aborts afterwards. */
export type Decision = 'refused' | 'invalid' | 'disowned' | 'answered' | 'failed';

/** Stands in the list of expected errors for one that the engine makes: of a `backoff` that answered nonsense. */
export const BAD_BACKOFF = Symbol('bad backoff');

/** One call from its start to its end. */
export class Call implements Subject {
  readonly number: number;
  readonly kind: Kind;
  readonly machine: MachineModel;
  readonly host: Host;
  readonly startedAt: number;
  life: number;
  id: string | undefined = undefined;
  isIdOwn = false;
  signal: AbortSignal | undefined = undefined;
  controller: AbortController | undefined = undefined;
  abortsOn: 'start' | 'inside' | 'failure' | undefined = undefined;
  abortedAt: number | undefined = undefined;
  deadlineAt = Number.POSITIVE_INFINITY;
  session: { tag: string; token: string } | undefined = undefined;

  /** When its trigger began; a wrapped one's begins after its primary. */
  begunAt: number | undefined = undefined;
  config: ConfigModel | undefined = undefined;
  forecast: Admission | undefined = undefined;
  retryAfter: number | undefined = undefined;
  isAdmitted = false;
  isProbe = false;
  generation = -1;
  isReleased = false;
  isInLimbo = false;

  /** The place in the plan of the provider whose turn it is. */
  position = -1;
  /** Why that provider may get fewer attempts than `1 + retries`. */
  isTurnCut = false;
  open: AttemptModel | undefined = undefined;
  /** The wait before the last attempt, and what a `backoff` of its own last answered. */
  lastWait = 0;
  ownWait = 0;
  readonly attempts: AttemptModel[] = [];
  readonly records: Pick<AttemptRecord, 'provider' | 'attempt' | 'outcome' | 'error'>[] = [];
  readonly errors: unknown[] = [];
  /** A `handle` that threw when asked about the primary's error. */
  readonly met: unknown[] = [];
  fault: { readonly error: unknown } | undefined = undefined;

  decision: Decision | undefined = undefined;
  refusal: 'input' | 'session' | undefined = undefined;
  disowned: unknown = undefined;
  primary: 'pending' | 'output' | 'error' | undefined = undefined;
  primaryValue: unknown = undefined;
  primaryAt: number | undefined = undefined;
  isPrimaryInDoubt = false;
  /** Its primary was wrapped without a limit: nothing but itself and `close()` ends it. */
  isPlain = false;
  verdict: 'recovered' | 'failed' | undefined = undefined;
  verdictState: string | undefined = undefined;
  winner: AttemptModel | undefined = undefined;
  isSettled = false;

  constructor(number: number, kind: Kind, machine: MachineModel, host: Host, now: number) {
    this.number = number;
    this.kind = kind;
    this.machine = machine;
    this.host = host;
    this.life = host.life;
    this.startedAt = now;
  }

  /** Whether the engine still owes an event: of an attempt it gave up on, and that will settle. */
  get owesLate(): boolean {
    return this.attempts.some(({ isGivenUp, isToSettle, isLateHeard }) => isGivenUp && isToSettle && !isLateHeard);
  }

  get isAsyncChecked(): boolean {
    return this.machine.unit.home.facts.input === 'async' || this.session?.tag === 'device';
  }
}
