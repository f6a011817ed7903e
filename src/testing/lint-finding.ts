import type { RawProvider } from './raw.ts';

/** What a finding is about. Stable, and safe to switch on. */
export type LintCode =
  /** A provider behind a `value` that always answers. */
  | 'unreachable-provider'
  /** A timeout that cannot strike: the deadline is shorter. */
  | 'deadline-below-timeout'
  /** Retries for which the deadline leaves no time. */
  | 'retries-beyond-deadline'
  /** A provider that may hang for ever: no timeout, no deadline. */
  | 'unlimited-provider'
  /** Where every provider fails, the trigger fails: there is no `value` to fall back on. */
  | 'no-last-resort'
  /** One failed trigger, and only a reset brings the fallback back. */
  | 'locked-by-one-failure'
  /** A timed-out attempt may have done its work, and the next one does it again. Found where effects matter: see `effects`. */
  | 'double-effect'
  /** A hedge that never starts: the timeout, or the deadline, strikes before. */
  | 'hedge-never-used'
  /** A `verify` that is never asked, or that may hang for ever: it has its provider's timeout, and there is none. */
  | 'verify-without-timeout'
  /** An exhausted fallback admits its probe while every provider is still cooling down. */
  | 'probe-finds-nobody'
  /** Health that is watched to no end: there is no other provider. */
  | 'health-without-choice'
  /** A health check without a breaker: it alone decides, whatever becomes of attempts. */
  | 'healthcheck-alone'
  /** A last good answer that stands before a provider of fresh ones. */
  | 'stale-first'
  /** A budget of retries, and none to bound. */
  | 'budget-without-retries'
  /** A limit of 0 that leaves nothing of what it limits. */
  | 'limit-of-nothing';

/** `error`: it cannot work as written. `warning`: it will hurt one day. `info`: worth a thought. */
export type LintSeverity = 'error' | 'warning' | 'info';

export interface LintFinding {
  readonly code: LintCode;
  readonly severity: LintSeverity;
  /** Where in the definition: `providers[1].retries`. */
  readonly path: string;
  readonly message: string;
  /** How to mend it. */
  readonly suggestion: string;
}

/** A provider, where it stands in the definition, and how long one attempt may take. */
export interface Entry {
  readonly provider: RawProvider;
  readonly path: string;
  /** `undefined`: no limit. */
  readonly limit: number | undefined;
}
