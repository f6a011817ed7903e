import type { Machine, Unit } from '../memory/machine.ts';
import type { Machines } from '../memory/machines.ts';
import type { Flight } from './flight.ts';

/** As what a trigger was let in: its outcome counts only in this generation. */
export class Admission {
  readonly machine: Machine;
  readonly #memory: Machines;
  readonly #flight: Flight;
  readonly #generation: number;
  /** A restore begins another. */
  readonly #life: number;
  #hasVerdict = false;

  constructor(memory: Machines, machine: Machine, flight: Flight) {
    this.#memory = memory;
    this.machine = machine;
    this.#flight = flight;
    this.#generation = machine.generation;
    this.#life = machine.life;
  }

  /** `undefined`: it is exhausted, and this trigger is not the probe. */
  static of(memory: Machines, machine: Machine, flight: Flight): Admission | undefined {
    const { generation, place } = machine;
    if (place.state === 'exhausted') {
      memory.move(machine, machine.isDue(flight.now()) ? EVENTS.DUE : EVENTS.EARLY, flight);
      if (machine.generation === generation) return undefined;
    } else memory.move(machine, EVENTS.TRIGGER, flight);
    machine.triggers++;
    return new Admission(memory, machine, flight);
  }

  get unit(): Unit {
    return this.machine.unit;
  }

  /** The outcome of a trigger admitted in an older generation moves no machine; an update may have begun a new one. */
  get isCurrent(): boolean {
    const { machine } = this;
    this.#memory.catchUp(machine);
    return machine.generation === this.#generation;
  }

  recovered(): void {
    if (this.machine.life === this.#life) this.machine.recoveries++;
    this.#move('RECOVERED');
  }

  failed(): void {
    this.#move('FAILED');
  }

  /** A trigger without a verdict leaves its place, if it was the probe, to another. */
  end(): void {
    if (!this.#hasVerdict) this.#move('ABANDONED');
    this.#memory.release(this.machine);
  }

  #move(type: 'RECOVERED' | 'FAILED' | 'ABANDONED'): void {
    this.#hasVerdict = true;
    if (this.isCurrent) this.#memory.move(this.machine, EVENTS[type], this.#flight, this.#flight);
  }
}

/** Made once: a step's event is looked up, never built. */
const EVENTS = {
  TRIGGER: { type: 'TRIGGER' },
  DUE: { type: 'PROBE', due: true },
  EARLY: { type: 'PROBE', due: false },
  RECOVERED: { type: 'RECOVERED' },
  FAILED: { type: 'FAILED' },
  ABANDONED: { type: 'ABANDONED' },
} as const;
