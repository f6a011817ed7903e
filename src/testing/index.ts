export {
  ChaosError,
  type ChaosFault,
  type ChaosInjection,
  type ChaosLatency,
  type ChaosOptions,
  type ChaosRates,
  chaos,
} from './chaos.ts';
export { checkFallback, PolicyViolation, type Report } from './check.ts';
export { type FallbackCommands, type FallbackModel, type FallbackReal, fallbackCommands } from './commands.ts';
export {
  alwaysRecovers,
  atMostOneEffect,
  attemptsAtMost,
  type Invariant,
  neverCalls,
  reaches,
  settlesWithin,
} from './invariants.ts';
export { type LintCode, type LintFinding, type LintOptions, type LintSeverity, lintFallback } from './lint.ts';
export type { CheckOptions, Weights } from './options.ts';
export { type Behaviour, hang, ok, reject, type Script, script, slow, slowReject, stubborn } from './script.ts';
export type { CheckSession } from './simulate.ts';
export type { FaultKind, Trace, TraceEntry, TraceType } from './trace.ts';
export { type VirtualClock, virtualClock } from './virtual-clock.ts';
