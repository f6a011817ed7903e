import * as Context from 'effect/Context';
import * as Effect from 'effect/Effect';
import * as ExecutionPlan from 'effect/ExecutionPlan';
import * as Layer from 'effect/Layer';
import type { AbortableWork, Work } from '../work.ts';

const Provider = Context.Service<{ readonly attempt: Effect.Effect<number, unknown> }>('Provider');

const work = Effect.flatMap(Effect.service(Provider), ({ attempt }) => attempt);

type Provided = Context.Service.Identifier<typeof Provider>;
type Provide = (attempt: Effect.Effect<number, unknown>) => Context.Context<Provided> | Layer.Layer<Provided>;

/** One step a provider, its service given by a layer, as its documentation has it. */
export function plan(...works: readonly Work[]): Work {
  return execute(works.map(attemptOf), (attempt) => Layer.succeed(Provider, { attempt }));
}

/** The service given by a context, which is cheaper. */
export function planOfContexts(...works: readonly Work[]): Work {
  return execute(works.map(attemptOf), (attempt) => Context.make(Provider, { attempt }));
}

/** With a timeout around each provider. */
export function planWithin(ms: number, ...works: readonly AbortableWork[]): Work {
  const attempts = works.map((work) => {
    const attempt = Effect.tryPromise({ try: (signal) => work(signal), catch: (error) => error });
    return Effect.timeout(attempt, ms);
  });
  return execute(attempts, (attempt) => Context.make(Provider, { attempt }));
}

function attemptOf(work: Work): Effect.Effect<number, unknown> {
  return Effect.tryPromise({ try: () => work(), catch: (error) => error });
}

/** The program is made once. */
function execute(attempts: readonly Effect.Effect<number, unknown>[], provide: Provide): Work {
  const [first, ...rest] = attempts.map((attempt) => ({ provide: provide(attempt) }));
  if (!first) throw new Error('expected one or more');
  const program = Effect.withExecutionPlan(work, ExecutionPlan.make(first, ...rest));
  return () => Effect.runPromise(program);
}
