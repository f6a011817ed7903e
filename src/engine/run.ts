import type { Checked } from '../definition/check.ts';
import { parted, readUpdate } from '../definition/config.ts';
import { Asked, readReset, readRunOptions } from '../definition/options.ts';
import { type Defaults, type Request, readRequest } from '../definition/request.ts';
import { isThenable } from '../definition/standard.ts';
import { EngineClosedError, InvalidConfigError, type Where } from '../errors.ts';
import { reset, setHealth, update } from '../memory/changes.ts';
import type { Home } from '../memory/machine.ts';
import type { Registry } from '../memory/registry.ts';
import { openSession } from '../session.ts';
import type { ResetResult, TriggerResult, UpdateResult } from '../types.ts';
import { Flight } from './flight.ts';
import type { Flights } from './flights.ts';
import { rejected } from './rejected.ts';
import type { Tools } from './tools.ts';
import { Trigger } from './trigger.ts';

type Result = TriggerResult | UpdateResult | ResetResult;

/** What the parts of an engine share. */
export interface Engine extends Tools {
  readonly registry: Registry;
  readonly flights: Flights;
  readonly defaults: Defaults;
}

/** check → find → trigger | update | reset */
export function run(engine: Engine, raw: unknown, rawOptions: unknown): Promise<Result> {
  let flight: Flight | undefined;
  try {
    refuseIfClosed(engine);
    const request = readRequest(raw, engine.defaults, rawOptions === undefined ? undefined : new Asked(rawOptions));
    const options = readRunOptions(rawOptions, request);
    flight = new Flight(engine.flights, options.id);
    flight.locate(request);
    const home = engine.registry.find(request, flight);
    flight.limit(options.deadline, flight.now());
    flight.heed(options.signal);
    return request.action === 'trigger'
      ? new Trigger(engine, flight, request, request.input, home).run()
      : reconfigure(engine, flight, request, home);
  } catch (error) {
    flight?.end();
    return rejected(error);
  }
}

async function reconfigure(
  engine: Engine,
  flight: Flight,
  request: Request,
  home: Home,
): Promise<UpdateResult | ResetResult> {
  try {
    flight.throwIfOver();
    const session = openSession(engine.sessions, request, false, flight);
    if (isThenable(session)) await flight.wait(session);
    flight.pass();
    flight.throwIfOver();
    const now = flight.now();
    return request.action === 'update'
      ? applyUpdate(engine, flight, request, home, now)
      : applyReset(engine, flight, request, now);
  } finally {
    flight.end();
  }
}

function applyUpdate(
  { memory, events }: Engine,
  flight: Flight,
  request: Request,
  home: Home,
  now: number,
): UpdateResult {
  const change = parted(accepted(readUpdate(home.definition, request.input), flight));
  const [first] = change.byHand;
  if (first && request.cache !== undefined) {
    const path = `providers.${first[0]}.health`;
    const message = "expected no cache beside it, which a provider's health does not depend on";
    throw new InvalidConfigError([{ path, message }], flight);
  }
  const machine = accepted(update(memory, request, home, change.updates, now, flight), flight);
  setHealth(memory, request, home, change.byHand, now, flight);
  const state = machine?.place.state ?? 'idle';
  const revision = machine?.revision ?? memory.unit(request)?.revisions ?? 0;
  const config = memory.configuration(request, home).values;
  if (events.wants('updated')) events.emit('updated', flight, { state, config, revision });
  return { action: 'update', state, config, revision };
}

function applyReset({ memory, events }: Engine, flight: Flight, request: Request, now: number): ResetResult {
  const { config = false, keys = false } = readReset(request.input, flight);
  reset(memory, request, { config, keys }, now, flight);
  if (events.wants('reset')) events.emit('reset', flight, { config, keys });
  return { action: 'reset', state: 'idle' };
}

function accepted<T>(checked: Checked<T>, where: Where): T {
  if (checked.issues) throw new InvalidConfigError(checked.issues, where, checked.thrown);
  return checked.value;
}

export function refuseIfClosed({ flights }: Engine): void {
  if (flights.isClosed) throw new EngineClosedError();
}
