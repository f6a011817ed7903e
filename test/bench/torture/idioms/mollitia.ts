import { Circuit, Retry, SlidingCountBreaker, Timeout } from 'mollitia';
import { missing } from '../verdict.ts';
import type { Bus, Guard, Idiom, Limits, Plan, Run, Work, Wrapped } from './idiom.ts';

const NO_SIGNAL = 'no signal anywhere';

/** The first module is the outermost. */
function modulesOf({ retries, backoff = 0, shouldRetry, timeout, onFailure, onSuccess }: Plan) {
  const modules = [];
  if (retries !== undefined || shouldRetry || onFailure || onSuccess) {
    const retry = new Retry({
      attempts: retries ?? 0,
      interval: backoff,
      ...(shouldRetry && { onRejection: shouldRetry }),
    });
    if (onFailure) for (const kind of ['with', 'without']) retry.on(`failure-${kind}-retry`, onFailure);
    if (onSuccess) for (const kind of ['with', 'without']) retry.on(`success-${kind}-retry`, onSuccess);
    modules.push(retry);
  }
  if (timeout !== undefined) modules.push(new Timeout({ delay: timeout }));
  return modules;
}

/** A circuit for each provider. Its Fallback module maps errors, so the next provider is what the caller's `catch` calls. */
function chain(plan: Plan): Run {
  const circuits = plan.providers.map((work, index) => {
    const { onFailure: _, onSuccess: __, ...quiet } = plan;
    return new Circuit({
      func: () => work({}) as Promise<unknown>,
      options: { modules: modulesOf(index === 0 ? plan : quiet) },
    });
  });
  if (circuits.length === 0) circuits.push(new Circuit());
  const from = async (index: number): Promise<unknown> => {
    const circuit = circuits[index] as Circuit;
    if (index === circuits.length - 1) return circuit.execute();
    return circuit.execute().catch(() => from(index + 1));
  };
  return (signal) => (signal ? missing(NO_SIGNAL) : from(0));
}

function guard({ failures, coolDown, probeLimit = 0 }: Limits): Guard {
  const breaker = new SlidingCountBreaker({
    slidingWindowSize: failures,
    minimumNumberOfCalls: failures,
    failureRateThreshold: 99,
    openStateDelay: coolDown,
    permittedNumberOfCallsInHalfOpenState: 1,
    halfOpenStateMaxDelay: probeLimit,
  });
  const circuit = new Circuit({
    func: (work: Work) => work({}) as Promise<unknown>,
    options: { modules: [breaker] },
  });
  return {
    call: (work, signal) => (signal ? missing(NO_SIGNAL) : circuit.execute(work)),
    reset: () => breaker.close(),
  };
}

function bus(): Bus {
  const circuit = new Circuit({ func: async () => 'answer' });
  return {
    on: (listener) => {
      const subscription = circuit.on('execute', listener);
      return () => subscription.dispose();
    },
    tell: () => circuit.execute(),
  };
}

function wrap(primary: Wrapped, backup: Wrapped): Wrapped {
  const circuit = new Circuit({ func: primary });
  return (order) => circuit.execute(order).catch(() => backup(order));
}

export const mollitia: Idiom = { library: 'mollitia', chain, guard, bus, wrap };
