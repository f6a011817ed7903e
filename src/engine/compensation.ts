import type { Wait } from '../definition/provider.ts';
import type { Doubts } from '../definition/safety.ts';
import type { Events } from '../events.ts';
import { spelt } from '../quote.ts';
import type { Clock } from '../types.ts';
import { Attempt, type Outcome } from './attempt.ts';
import { waitAfter } from './backoff.ts';
import { Flight } from './flight.ts';

/** What is needed to undo an effect. */
export interface Undoing {
  readonly events: Events;
  readonly clock: Clock;
  readonly random: () => number;
  /** The call that the effect belongs to. */
  readonly of: Flight;
  readonly provider: string;
  /** The number of the attempt. */
  readonly attempt: number;
  readonly input: unknown;
  readonly output: unknown;
  readonly retries: Doubts['compensateRetries'];
  readonly backoff: Wait;
  readonly timeout: number | null;
  work(undo: Attempt): unknown;
}

/** Undoes an effect, beside the call that it belongs to: in flight on its own, so that `close({ grace })` waits for it. */
export function compensate(undoing: Undoing): void {
  const { of } = undoing;
  const flight = new Flight(of.flights, of.id);
  flight.locate(of);
  Promise.resolve()
    .then(() => undo(undoing, flight))
    .catch(ignore);
}

async function undo(undoing: Undoing, flight: Flight): Promise<void> {
  const { events, clock, random, provider, attempt, input, output, retries, backoff, timeout } = undoing;
  const errors: unknown[] = [];
  try {
    let wait: number | undefined = 0;
    for (let number = 1; wait !== undefined && !flight.interruption; number++) {
      const once = new Undo(flight, undoing);
      once.watch();
      once.begin(timeout, clock.now());
      if (!once.outcome) await new Promise<void>((resume) => once.onEnd({ resume }));
      const outcome = once.outcome as Outcome;
      if (outcome.kind === 'succeeded') {
        if (events.wants('compensated')) events.emit('compensated', flight, { provider, attempt, input, output });
        return;
      }
      errors.push(outcome.error);
      const next: ReturnType<typeof waitAfter> =
        number > retries ? {} : waitAfter(backoff, number, outcome.error, wait, random, flight.token);
      if (next.fault) errors.push(next.fault.error);
      wait = next.delay;
      if (wait) await flight.pause(wait);
    }
    if (events.wants('compensation-failed')) {
      events.emit('compensation-failed', flight, { provider, attempt, input, output, errors });
    }
  } finally {
    flight.end();
  }
}

class Undo extends Attempt {
  readonly #undoing: Undoing;

  constructor(flight: Flight, undoing: Undoing) {
    super(flight);
    this.#undoing = undoing;
  }

  protected override get who(): string {
    return `the compensate of ${spelt(this.#undoing.provider)}`;
  }

  protected override work(): unknown {
    return this.#undoing.work(this);
  }
}

function ignore(): void {}
