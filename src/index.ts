export { defineFallback } from './definition/define.ts';
export { createDuctape } from './ductape.ts';
export { systemClock } from './engine/clock.ts';
export {
  type AnyFallbackError,
  AttemptTimeoutError,
  DeadlineError,
  EngineClosedError,
  FallbackError,
  FallbackExhaustedError,
  FallbackFailedError,
  InvalidConfigError,
  InvalidDefinitionError,
  InvalidInputError,
  InvalidRequestError,
  InvalidSnapshotError,
  SessionError,
  UnknownFallbackError,
} from './errors.ts';
export type { EventBase, EventFacts, EventType, FallbackEvent, Listener } from './events.ts';
export type {
  AttemptRecord,
  Backoff,
  BackoffOptions,
  BaseConfig,
  Clock,
  Context,
  DuctapeOptions,
  Fallback,
  FallbackInfo,
  IFallbackProcessorInput,
  Inspection,
  ISession,
  Issue,
  MachineEntry,
  Provider,
  ProviderConfig,
  ResetResult,
  RestoreResult,
  RunOptions,
  Session,
  SessionVerifier,
  Snapshot,
  StandardSchema,
  State,
  TriggerResult,
  UpdateResult,
} from './types.ts';
export type { CallOptions, Ductape, FallbackApi, InputOf, OutputOf, ResetInput, UpdateInput, WrapOptions } from './typing.ts';
