import { conceal, errorText, type Met, plain, quote, spelt } from './quote.ts';
import type { AttemptRecord, Issue, State } from './types.ts';

/** What is known of the call that an error, or an event, belongs to. */
export interface Where {
  readonly id?: string | undefined;
  readonly tag?: string | undefined;
  readonly env?: string | undefined;
  readonly product?: string | undefined;
  readonly cache?: string | undefined;
  /** Never shown: every text about the call reads `[token]` in its place. */
  readonly token?: string | undefined;
  /** The wrapped primary's own error, once it has failed: the cause of whatever fails after it. */
  readonly primary?: { readonly error: unknown } | undefined;
  /** Errors met before that no other field would hold. */
  readonly met?: readonly unknown[] | undefined;
}

/** The base of every error that the engine itself throws. Tell them apart by `code`, or by class. */
export abstract class FallbackError extends Error {
  /** Stable, and safe to switch on. */
  abstract readonly code: string;
  declare readonly id?: string;
  declare readonly tag?: string;
  declare readonly env?: string;
  declare readonly product?: string;
  declare readonly cache?: string;
  /** The errors met on the way here, besides `cause`: as they were thrown, in order. */
  declare readonly errors?: readonly unknown[];
  readonly #token: string | undefined;

  constructor(message: string, where: Where, errors?: readonly unknown[]) {
    const cause = where.primary ?? (errors?.length === 1 && { error: errors[0] });
    super(conceal(message, where.token), cause ? { cause: cause.error } : undefined);
    this.#token = where.token;
    if (where.id !== undefined) this.id = where.id;
    if (where.tag !== undefined) this.tag = where.tag;
    if (where.env !== undefined) this.env = where.env;
    if (where.product !== undefined) this.product = where.product;
    if (where.cache !== undefined) this.cache = where.cache;
    const all = where.met ? [...where.met, ...(errors ?? [])] : errors;
    if (all) this.errors = all;
  }

  /** Plain JSON, safe to log: errors are quoted as text, and no session token is shown. Never throws. */
  toJSON(): Record<string, unknown> {
    // Only what is ours: others may hang anything on an error, a request that points at itself among it.
    const facts = FACTS.filter((fact) => this[fact as keyof this] !== undefined || Object.hasOwn(this, fact));
    return plain(Object.fromEntries(facts.map((fact) => [fact, this[fact as keyof this]])), this.#token) as Record<
      string,
      unknown
    >;
  }
}

const FACTS =
  'name code message id tag env product cache issues known suggestion reason provider state attempts retryAfter timeout deadline cause errors'.split(
    ' ',
  );

abstract class IssuesError extends FallbackError {
  readonly issues: readonly Issue[];
  constructor(lead: string, issues: readonly Issue[], where: Where = {}, errors?: readonly unknown[]) {
    super(
      `${lead}: ${issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ')}`,
      where,
      errors,
    );
    this.issues = issues.map(({ path, message }) => ({
      path: conceal(path, where.token),
      message: conceal(message, where.token),
    }));
  }
}

/** A request or an option is malformed, a key unknown, env or product missing. */
export class InvalidRequestError extends IssuesError {
  static {
    named(InvalidRequestError, 'InvalidRequestError');
  }
  readonly code = 'ERR_INVALID_REQUEST';
  constructor(issues: readonly Issue[], where?: Where, errors?: readonly unknown[]) {
    super('Invalid request', issues, where, errors);
  }
}

/** A definition cannot work, or its tag is taken. */
export class InvalidDefinitionError extends IssuesError {
  static {
    named(InvalidDefinitionError, 'InvalidDefinitionError');
  }
  readonly code = 'ERR_INVALID_DEFINITION';
  constructor(issues: readonly Issue[], where?: Where, errors?: readonly unknown[]) {
    super(
      where?.tag === undefined ? 'Invalid definition' : `Invalid definition of ${where.tag}`,
      issues,
      where,
      errors,
    );
  }
}

/** A trigger's input fails its schema. */
export class InvalidInputError extends IssuesError {
  static {
    named(InvalidInputError, 'InvalidInputError');
  }
  readonly code = 'ERR_INVALID_INPUT';
  constructor(issues: readonly Issue[], where: Where, errors?: readonly unknown[]) {
    super(`Invalid input for ${where.tag}`, issues, where, errors);
  }
}

/** An update is refused; nothing of it was applied. */
export class InvalidConfigError extends IssuesError {
  static {
    named(InvalidConfigError, 'InvalidConfigError');
  }
  readonly code = 'ERR_INVALID_CONFIG';
  constructor(issues: readonly Issue[], where: Where, errors?: readonly unknown[]) {
    super(`Invalid update for ${where.tag}`, issues, where, errors);
  }
}

/** A snapshot is refused; nothing was restored. */
export class InvalidSnapshotError extends IssuesError {
  static {
    named(InvalidSnapshotError, 'InvalidSnapshotError');
  }
  readonly code = 'ERR_INVALID_SNAPSHOT';
  constructor(issues: readonly Issue[], errors?: readonly unknown[]) {
    super('Invalid snapshot', issues, {}, errors);
  }
}

/** No such tag in that env and product. */
export class UnknownFallbackError extends FallbackError {
  static {
    named(UnknownFallbackError, 'UnknownFallbackError');
  }
  readonly code = 'ERR_UNKNOWN_FALLBACK';
  /** The tags that do exist there. */
  readonly known: readonly string[];
  /** The nearest of them, where one is near. */
  declare readonly suggestion?: string;
  constructor(known: readonly string[], suggestion: string | undefined, where: Where, isElsewhere: boolean) {
    const place =
      where.env === undefined ? '' : ` in env ${spelt(where.env)} and product ${spelt(where.product ?? '')}`;
    const some = known.length > 0 ? `; there is ${known.slice(0, 8).map(spelt).join(', ')}` : '';
    const near = suggestion === undefined ? some : `; did you mean ${spelt(suggestion)}?`;
    const hint = isElsewhere ? '; it exists in another env or product' : near;
    super(`No fallback ${spelt(where.tag ?? '')}${place}${hint}`, where);
    this.known = known;
    if (suggestion !== undefined) this.suggestion = suggestion;
  }
}

/** A session is missing, unknown or refused. What the verifier threw is not kept: it may hold the token. */
export class SessionError extends FallbackError {
  static {
    named(SessionError, 'SessionError');
  }
  readonly code = 'ERR_SESSION';
  readonly reason: 'missing' | 'unknown' | 'refused';
  constructor(reason: SessionError['reason'], message: string, where: Where) {
    super(message, where);
    this.reason = reason;
  }
}

/** Every provider failed. */
export class FallbackFailedError extends FallbackError {
  static {
    named(FallbackFailedError, 'FallbackFailedError');
  }
  readonly code = 'ERR_FALLBACK_FAILED';
  declare readonly errors: readonly unknown[];
  readonly attempts: readonly AttemptRecord[];
  /** The machine's state after the failure. */
  readonly state: State;
  constructor(errors: readonly unknown[], attempts: readonly AttemptRecord[], state: State, where: Where) {
    super(`${where.tag} failed: ${told(errors, attempts) || nobodyLeft(attempts)}`, where, errors);
    this.attempts = attempts;
    this.state = state;
  }
}

/** Refused while exhausted: no provider was called. */
export class FallbackExhaustedError extends FallbackError {
  static {
    named(FallbackExhaustedError, 'FallbackExhaustedError');
  }
  readonly code = 'ERR_FALLBACK_EXHAUSTED';
  /** Milliseconds until a probe may be admitted; absent where only a reset brings the fallback back. */
  declare readonly retryAfter?: number;
  /** The last provider error before this, as it was thrown. */
  declare readonly lastError?: unknown;
  readonly #last: Met | undefined;
  readonly #token: string | undefined;
  constructor(retryAfter: number | undefined, last: Met | undefined, where: Where, errors: readonly unknown[] = []) {
    const until = retryAfter === undefined ? 'until it is reset' : `for another ${Math.ceil(retryAfter)} ms at least`;
    super(`${where.tag} is exhausted ${until}`, where, errors.length > 0 ? errors : undefined);
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
    if (last) this.lastError = last.error;
    this.#last = last;
    this.#token = where.token;
  }

  override toJSON(): Record<string, unknown> {
    // Its text is without the token of whoever met it, and without that of whoever is refused now.
    const text = this.#last && conceal(errorText(this.#last), this.#token);
    return { ...super.toJSON(), ...(text !== undefined && { lastError: text }) };
  }
}

/** An attempt may have done its work, and its provider's `inDoubt` lets nobody else try. */
export class InDoubtError extends FallbackError {
  static {
    named(InDoubtError, 'InDoubtError');
  }
  readonly code = 'ERR_IN_DOUBT';
  declare readonly errors: readonly unknown[];
  /** Whose attempt is in doubt; `primary` for that of `wrap` and `call`. */
  readonly provider: string;
  readonly attempts: readonly AttemptRecord[];
  constructor(provider: string, errors: readonly unknown[], attempts: readonly AttemptRecord[], where: Where) {
    const why = told(errors, attempts);
    super(`${where.tag} is in doubt: ${spelt(provider)} may have done its work${why && `; ${why}`}`, where, errors);
    this.provider = provider;
    this.attempts = attempts;
  }
}

/** A verdict on a trigger that others have waited for, as one of them is told it: with its own id, and its own primary's error. */
export function toldTo(where: Where, error: unknown): unknown {
  if (error instanceof FallbackFailedError)
    return new FallbackFailedError(error.errors, error.attempts, error.state, where);
  if (error instanceof InDoubtError) return new InDoubtError(error.provider, error.errors, error.attempts, where);
  return error;
}

/**
 * A refusal, without a stack: an outage makes one for each call, and the stack, which says nothing that the error does not,
 * would be nine tenths of its cost.
 */
export function exhausted(...args: ConstructorParameters<typeof FallbackExhaustedError>): FallbackExhaustedError {
  const { stackTraceLimit } = Error;
  if (typeof stackTraceLimit !== 'number' || !limitStacks(0)) return new FallbackExhaustedError(...args);
  try {
    return new FallbackExhaustedError(...args);
  } finally {
    limitStacks(stackTraceLimit);
  }
}

/** Whether it could be done: in a hardened environment `Error` is frozen. */
function limitStacks(limit: number): boolean {
  try {
    Error.stackTraceLimit = limit;
    return true;
  } catch {
    return false;
  }
}

/** Inside `errors`: an attempt ran out of time. */
export class AttemptTimeoutError extends FallbackError {
  static {
    named(AttemptTimeoutError, 'AttemptTimeoutError');
  }
  readonly code = 'ERR_ATTEMPT_TIMEOUT';
  /** Milliseconds. */
  readonly timeout: number;
  constructor(timeout: number, who: string, where: Where) {
    super(`${who} did not answer within ${timeout} ms`, apart(where));
    this.timeout = timeout;
  }
}

/** Inside `errors`: the trigger ran out of time. */
export class DeadlineError extends FallbackError {
  static {
    named(DeadlineError, 'DeadlineError');
  }
  readonly code = 'ERR_DEADLINE';
  /** Milliseconds. */
  readonly deadline: number;
  constructor(deadline: number, where: Where) {
    super(`${where.tag} ran out of its ${deadline} ms`, apart(where));
    this.deadline = deadline;
  }
}

/** A call after `close()`, or one that `close()` cut short. */
export class EngineClosedError extends FallbackError {
  static {
    named(EngineClosedError, 'EngineClosedError');
  }
  readonly code = 'ERR_CLOSED';
  constructor(where: Where = {}, errors?: readonly unknown[]) {
    super('The engine is closed', where, errors);
  }
}

/** All of them; narrows by `code`. */
export type AnyFallbackError =
  | InvalidRequestError
  | InvalidDefinitionError
  | InvalidInputError
  | InvalidConfigError
  | InvalidSnapshotError
  | UnknownFallbackError
  | SessionError
  | FallbackFailedError
  | FallbackExhaustedError
  | InDoubtError
  | AttemptTimeoutError
  | DeadlineError
  | EngineClosedError;

/** Each attempt's error with whose it is, then those that belong to no attempt. */
function told(errors: readonly unknown[], attempts: readonly AttemptRecord[]): string {
  const failed = attempts.filter((attempt) => errors.includes(attempt.error) && attempt.outcome !== 'skipped');
  const others = errors.filter((error) => !failed.some((attempt) => Object.is(attempt.error, error)));
  const texts = failed.map(({ provider, attempt, error }) => `${provider} #${attempt}: ${quote(error)}`);
  return [...texts, ...others.map(quote)].join('; ');
}

/** Why nobody was tried. */
function nobodyLeft(attempts: readonly AttemptRecord[]): string {
  if (attempts.length === 0) return 'no provider is enabled';
  const skipped = attempts.filter(({ outcome }) => outcome === 'skipped');
  const why = skipped.map(({ provider, reason = 'when' }) => `${provider} was skipped (${reason})`);
  return ['no provider was left to try', ...why].join('; ');
}

/** For an error among other errors: the primary's is the cause of the whole, not of each. */
function apart({ id, tag, env, product, cache, token }: Where): Where {
  return { id, tag, env, product, cache, token };
}

/** On the prototype, as the built-in errors have it, so that the stack's first line reads right, minified or not. */
function named(type: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(type, 'name', { value: name, configurable: true });
}
