import fc from 'fast-check';
import type { Fallback } from '../index.ts';
import { type Command, commandArbitraries } from './history.ts';
import { type CheckOptions, prepare } from './options.ts';
import { Simulation } from './simulate.ts';

/** What the kit's own commands run on; a test's own may use it, too. */
export interface FallbackReal {
  readonly simulation: Simulation;
}

/** What the kit expects is kept inside the simulation, which holds every machine against it after every command. */
export type FallbackModel = Record<string, unknown>;

export interface FallbackCommands {
  /** For `fc.commands([...commands, ...yours])`. */
  readonly commands: readonly fc.Arbitrary<fc.AsyncCommand<FallbackModel, FallbackReal>>[];
  /** For `fc.asyncModelRun(setup, …)`: a fresh engine on a fresh clock. */
  readonly setup: () => { readonly model: FallbackModel; readonly real: FallbackReal };
}

/** The histories of `checkFallback` as fast-check commands, for a model-based test that brings more of its own. */
export async function fallbackCommands(definition: Fallback, options: CheckOptions): Promise<FallbackCommands> {
  const { play, stage } = await prepare(definition, options);
  const commands = commandArbitraries(stage).flatMap(({ arbitrary, weight }) =>
    // fc.commands draws evenly: what is likelier stands there more often.
    Array.from({ length: Math.min(weight, 3) }, () => arbitrary.map((command) => new FallbackCommand(command))),
  );
  return { commands, setup: () => ({ model: {}, real: { simulation: new Simulation(play) } }) };
}

class FallbackCommand implements fc.AsyncCommand<FallbackModel, FallbackReal> {
  readonly #command: Command;

  constructor(command: Command) {
    this.#command = command;
  }

  check(): boolean {
    return true;
  }

  async run(_: FallbackModel, { simulation }: FallbackReal): Promise<void> {
    const [fault] = await simulation.step(this.#command);
    if (fault !== undefined) throw new Error(fault);
  }

  toString(): string {
    const { type, ...rest } = this.#command;
    return `${type} ${fc.stringify(rest)}`;
  }
}
