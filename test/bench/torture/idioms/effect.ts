import { Context, Effect, ExecutionPlan, Layer, ManagedRuntime, Schedule } from 'effect';
import { CircuitBreaker } from 'effect/persistence';
import { missing } from '../verdict.ts';
import type { Guard, Idiom, Limits, Plan, Run, Work, Wrapped } from './idiom.ts';

class Provider extends Context.Service<Provider, { readonly work: Work }>()('torture/Provider') {}

/** A promise-returning function as an effect; the error stays as it is. */
export function attempt(work: Work): Effect.Effect<unknown, unknown> {
  return Effect.tryPromise({ try: async (signal) => work({ signal }), catch: (error) => error });
}

function stepOf(work: Work, { retries = 0, backoff, shouldRetry }: Plan) {
  return {
    provide: Layer.succeed(Provider, { work }),
    attempts: 1 + retries,
    ...(backoff !== undefined && { schedule: Schedule.spaced(backoff) }),
    ...(shouldRetry && { while: shouldRetry }),
  };
}

/** An ExecutionPlan with a step for each provider, the timeout inside the step. */
function chain(plan: Plan): Run {
  const { providers, timeout, onFailure, onSuccess } = plan;
  const [first, ...rest] = providers.map((work) => stepOf(work, plan));
  if (!first) missing('make() takes no empty list: a compile error');
  const tell = (event: { readonly _tag: string }) => {
    if (event._tag === 'AttemptFailure') return onFailure?.();
    return event._tag === 'AttemptSuccess' ? onSuccess?.() : undefined;
  };
  const once = Effect.flatMap(Provider, ({ work }) => attempt(work));
  const timed = timeout === undefined ? once : Effect.timeout(once, timeout);
  const isHeard = onFailure !== undefined || onSuccess !== undefined;
  const program = Effect.withExecutionPlan(timed, ExecutionPlan.make(first, ...rest), {
    ...(isHeard && { onEvent: (event) => Effect.promise(async () => tell(event)) }),
  });
  return (signal) => Effect.runPromise(program, { signal });
}

function guard({ failures, coolDown }: Limits): Guard {
  const runtime = ManagedRuntime.make(
    CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(failures), openDuration: coolDown }).pipe(
      Layer.provide(CircuitBreaker.layerStoreMemory()),
    ),
  );
  return {
    call: (work, signal) =>
      runtime.runPromise(
        Effect.flatMap(CircuitBreaker.CircuitBreaker, (breaker) => breaker.execute(attempt(work), { key: 'only' })),
        { signal },
      ),
  };
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  return (order) => chain({ providers: [() => primary(order), () => backup(order)] })();
}

export const effect: Idiom = {
  library: 'effect',
  chain,
  guard,
  bus: () => missing('one handler of a run; nothing to unsubscribe'),
  wrap,
};
