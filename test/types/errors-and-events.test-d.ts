import { describe, expectTypeOf, it } from 'vitest';
import {
  type AnyFallbackError,
  type AttemptRecord,
  type AttemptTimeoutError,
  type BaseConfig,
  createDuctape,
  type DeadlineError,
  type EngineClosedError,
  type EventType,
  FallbackError,
  type FallbackEvent,
  type FallbackExhaustedError,
  type FallbackFailedError,
  type InvalidConfigError,
  type InvalidDefinitionError,
  type InvalidInputError,
  type InvalidRequestError,
  type InvalidSnapshotError,
  type Issue,
  type Listener,
  type SessionError,
  type State,
  type UnknownFallbackError,
} from '../../src/index.ts';

describe('AnyFallbackError', () => {
  it('narrows by code to each class', () => {
    type ByCode<C extends AnyFallbackError['code']> = Extract<AnyFallbackError, { code: C }>;
    expectTypeOf<ByCode<'ERR_INVALID_REQUEST'>>().toEqualTypeOf<InvalidRequestError>();
    expectTypeOf<ByCode<'ERR_INVALID_DEFINITION'>>().toEqualTypeOf<InvalidDefinitionError>();
    expectTypeOf<ByCode<'ERR_INVALID_INPUT'>>().toEqualTypeOf<InvalidInputError>();
    expectTypeOf<ByCode<'ERR_INVALID_CONFIG'>>().toEqualTypeOf<InvalidConfigError>();
    expectTypeOf<ByCode<'ERR_INVALID_SNAPSHOT'>>().toEqualTypeOf<InvalidSnapshotError>();
    expectTypeOf<ByCode<'ERR_UNKNOWN_FALLBACK'>>().toEqualTypeOf<UnknownFallbackError>();
    expectTypeOf<ByCode<'ERR_SESSION'>>().toEqualTypeOf<SessionError>();
    expectTypeOf<ByCode<'ERR_FALLBACK_FAILED'>>().toEqualTypeOf<FallbackFailedError>();
    expectTypeOf<ByCode<'ERR_FALLBACK_EXHAUSTED'>>().toEqualTypeOf<FallbackExhaustedError>();
    expectTypeOf<ByCode<'ERR_ATTEMPT_TIMEOUT'>>().toEqualTypeOf<AttemptTimeoutError>();
    expectTypeOf<ByCode<'ERR_DEADLINE'>>().toEqualTypeOf<DeadlineError>();
    expectTypeOf<ByCode<'ERR_CLOSED'>>().toEqualTypeOf<EngineClosedError>();
  });

  it('covers thirteen codes, and a switch over them is exhaustive', () => {
    function lasting(error: AnyFallbackError): number | string | undefined {
      switch (error.code) {
        case 'ERR_INVALID_REQUEST':
        case 'ERR_INVALID_DEFINITION':
        case 'ERR_INVALID_INPUT':
        case 'ERR_INVALID_CONFIG':
        case 'ERR_INVALID_SNAPSHOT':
          return error.issues.length;
        case 'ERR_UNKNOWN_FALLBACK':
          return error.suggestion ?? error.known.length;
        case 'ERR_SESSION':
          return error.reason;
        case 'ERR_FALLBACK_FAILED':
          return error.state;
        case 'ERR_FALLBACK_EXHAUSTED':
          return error.retryAfter;
        case 'ERR_ATTEMPT_TIMEOUT':
          return error.timeout;
        case 'ERR_DEADLINE':
          return error.deadline;
        case 'ERR_IN_DOUBT':
          return error.provider;
        case 'ERR_CLOSED':
          return error.id;
        default:
          return error satisfies never;
      }
    }
    // @ts-expect-error no such code
    ((error: AnyFallbackError) => error.code === 'ERR_FAILED')(new Error() as never);
    expectTypeOf(lasting).parameter(0).toEqualTypeOf<AnyFallbackError>();
  });

  it('holds nothing that is any', () => {
    expectTypeOf<FallbackFailedError['errors']>().toEqualTypeOf<readonly unknown[]>();
    expectTypeOf<FallbackFailedError['attempts']>().toEqualTypeOf<readonly AttemptRecord[]>();
    expectTypeOf<FallbackFailedError['state']>().toEqualTypeOf<State>();
    expectTypeOf<FallbackExhaustedError['lastError']>().toBeUnknown();
    expectTypeOf<FallbackExhaustedError['retryAfter']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<InvalidInputError['issues']>().toEqualTypeOf<readonly Issue[]>();
    expectTypeOf<SessionError['reason']>().toEqualTypeOf<'missing' | 'unknown' | 'refused'>();
    expectTypeOf<AnyFallbackError['cause']>().toBeUnknown();
    expectTypeOf<AnyFallbackError['cache']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<ReturnType<AnyFallbackError['toJSON']>>().toEqualTypeOf<Record<string, unknown>>();
  });
});

describe('FallbackError', () => {
  it('is an Error, the base of them all, and cannot be made', () => {
    expectTypeOf<FallbackError>().toExtend<Error>();
    expectTypeOf<AnyFallbackError>().toExtend<FallbackError>();
    const caught = new Error() as unknown;
    if (caught instanceof FallbackError) expectTypeOf(caught.code).toEqualTypeOf<string>();
    // @ts-expect-error abstract
    new FallbackError('message', {});
  });
});

describe('on', () => {
  const { on } = createDuctape().fallback;

  it('narrows an event by the type subscribed to', () => {
    expectTypeOf(on('triggered', () => {})).toEqualTypeOf<() => void>();
    on('attempt-ended', (event) => {
      expectTypeOf(event.type).toEqualTypeOf<'attempt-ended'>();
      expectTypeOf(event.outcome).toEqualTypeOf<AttemptRecord['outcome']>();
      expectTypeOf(event.error).toBeUnknown();
      expectTypeOf(event.at).toEqualTypeOf<number>();
      expectTypeOf(event.cache).toEqualTypeOf<string | undefined>();
      // @ts-expect-error a fact of another type
      event.errors;
    });
    on('updated', async ({ config }) => expectTypeOf(config).toEqualTypeOf<BaseConfig>());
    on('late', ({ outcome }) => expectTypeOf(outcome).toEqualTypeOf<'fulfilled' | 'rejected'>());
    on('evicted', ({ reason }) => expectTypeOf(reason).not.toBeAny());
  });

  it('narrows any event by its type', () => {
    on('*', (event) => {
      expectTypeOf(event).toEqualTypeOf<FallbackEvent>();
      expectTypeOf(event.type).toEqualTypeOf<EventType>();
      if (event.type === 'failed') expectTypeOf(event.errors).toEqualTypeOf<readonly unknown[]>();
      if (event.type === 'exhausted') expectTypeOf(event.retryAfter).toEqualTypeOf<number | undefined>();
      if (event.type === 'recovered') expectTypeOf(event.provider).toEqualTypeOf<string>();
      // @ts-expect-error not before narrowing
      event.errors;
    });
  });

  it('knows the documented types, and no other', () => {
    expectTypeOf<EventType>().toEqualTypeOf<
      | 'triggered'
      | 'attempt-started'
      | 'attempt-ended'
      | 'recovered'
      | 'failed'
      | 'exhausted'
      | 'probing'
      | 'updated'
      | 'reset'
      | 'evicted'
      | 'late'
      | 'provider-unhealthy'
      | 'provider-probing'
      | 'provider-healthy'
      | 'in-doubt'
      | 'compensated'
      | 'compensation-failed'
    >();
    // @ts-expect-error no such type
    on('trigger', () => {});
    const typed: Listener<'reset'> = ({ keys }) => keys;
    on('reset', typed);
    // @ts-expect-error a listener of another type
    on('late', typed);
  });
});
