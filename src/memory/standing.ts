import type { Place, Stepper } from '../machine/step.ts';
import type { Clock } from '../types.ts';

/** A time, or who can tell it: it is asked for only where it matters. */
export type Moment = number | Pick<Clock, 'now'>;

interface Event<C> {
  readonly type: string;
  readonly due?: boolean;
  readonly config?: C;
}

/** Where one remembered machine stands in its statechart, and beside it the time and the generation. */
export class Standing<C extends object, P extends string, S extends string> {
  place: Place<C, P, S>;
  /** Outcomes of what was admitted in an older one move nothing. */
  generation = 0;
  /** When the wait that it is in began; `-Infinity`: it is over. */
  since = 0;

  constructor(place: Place<C, P, S>) {
    this.place = place;
  }

  /** Takes a step: the statechart decides, the time and the generation follow. */
  move<E extends Event<C>>(stepper: Stepper<C, P, S, E>, event: E, moment: Moment): void {
    const step = stepper.step(this.place, event);
    if (step.to !== this.place) this.stand(step.to);
    if (step.newGeneration) this.generation++;
    if (step.wait === 'no more') this.since = Number.NEGATIVE_INFINITY;
    if (step.wait === 'anew') this.since = typeof moment === 'number' ? moment : moment.now();
  }

  /** Stands at `place` from now on. */
  stand(place: Place<C, P, S>): void {
    this.place = place;
  }

  /** Stands where it did before a restart, as by an UPDATE to the configuration now in force; `waited` as {@link waited} told it. */
  resume<E extends Event<C>>(
    stepper: Stepper<C, P, S, E>,
    {
      phase,
      failures,
      waited,
    }: { readonly phase: P; readonly failures: number; readonly waited?: number | null | undefined },
    update: E,
    now: number,
  ): void {
    const step = stepper.step(stepper.place(phase, failures, this.place.config), update);
    this.stand(step.to);
    const isNew = step.wait === 'anew' || waited === undefined;
    this.since = isNew ? now : waited === null ? Number.NEGATIVE_INFINITY : now - waited;
  }

  /** Milliseconds of the wait that have been served; `null`: it is over, as it is for a probe under way, which is taken as abandoned. */
  waited(now: number): number | null {
    const phase: string = this.place.phase;
    return phase === 'probing' || this.since === Number.NEGATIVE_INFINITY ? null : Math.max(0, now - this.since);
  }

  /** Whether `wait` ms have passed since the wait began; `null`: it never ends. */
  hasWaited(wait: number | null, now: number): boolean {
    return wait !== null && now - this.since >= wait;
  }
}
