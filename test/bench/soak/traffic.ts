import { FallbackError, type ISession } from '../../../dist/index.js';
import { begin } from './admission-laws.ts';
import { Call, type Kind } from './call.ts';
import { changeOf } from './changes.ts';
import { configFrom, NO_LAYER } from './config-model.ts';
import { checkLeaks, limit } from './limits.ts';
import { touch } from './machine-laws.ts';
import type { MachineModel } from './machine-model.ts';
import { calledPrimary, PRIMARY_TIMEOUT, SELF } from './primaries.ts';
import { Choice } from './random.ts';
import { NONSENSE } from './refusals.ts';
import { finish, rejected, resolved } from './settle-laws.ts';
import type { Stage } from './stage.ts';

const KINDS = new Choice<Kind>([
  [63, 'trigger'],
  [15, 'wrap'],
  [11, 'call'],
  [3, 'update'],
  [6, 'reset'],
  [2, 'invalid'],
]);

/** Half of all calls go to so many machines: every fallback's own, and some of its keys. */
const HOT = 256;
/** One key in so many has updates of its own at times. */
const AMENDED = 25;

/** Makes the calls, one at a time for each of its users. */
export class Traffic {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** One call, from its choice to its end. */
  async next(): Promise<void> {
    const stage = this.#stage;
    const { random } = stage;
    const kind = KINDS.draw(random);
    const machine = this.#machine(kind);
    checkLeaks(stage);
    // What changes a machine is told apart from what it stood at before.
    if (kind === 'update' || kind === 'reset' || kind === 'invalid' || random.chance(0.3)) touch(stage, machine);
    const call = this.#make(kind, machine);
    if (kind === 'update') await this.#update(call);
    else if (kind === 'reset') await this.#reset(call);
    else if (kind === 'invalid') await this.#refused(call);
    else await this.#trigger(call, kind);
    if (random.chance(0.2)) touch(stage, machine);
  }

  /** A reset from within a listener, of the machine that it is told of. */
  resetWithin(machine: MachineModel): void {
    const { calls, watch } = this.#stage;
    const { starting } = calls;
    const call = this.#make('reset', machine);
    this.#reset(call).catch(watch.keep);
    calls.starting = starting;
  }

  #make(kind: Kind, machine: MachineModel): Call {
    const { calls, host, now, figures } = this.#stage;
    const call = new Call(++calls.made, kind, machine, host, now);
    calls.add(call);
    calls.inFlight++;
    figures.add(machine.isKey ? 'call with cache' : 'call', kind);
    return call;
  }

  #machine(kind: Kind): MachineModel {
    const { random, machines } = this.#stage;
    const isHot = random.chance(0.5);
    const index = isHot ? random.below(Math.min(HOT, machines.length)) : random.below(machines.length);
    const machine = machines[index] as MachineModel;
    if (kind !== 'update' || !machine.isKey) return machine;
    return machines[index - (index % AMENDED)] as MachineModel;
  }

  #session(): ISession | undefined {
    const { random } = this.#stage;
    return random.chance(0.06) ? { tag: random.pick(['user', 'device']), token: '' } : undefined;
  }

  async #trigger(call: Call, kind: 'trigger' | 'wrap' | 'call'): Promise<void> {
    const stage = this.#stage;
    const { random } = stage;
    call.isPlain = kind === 'wrap' && call.machine.unit.home.facts.input !== 'async' && random.chance(0.4);
    const session = call.isPlain ? undefined : this.#session();
    if (session) call.session = { tag: session.tag, token: `token-${call.number}` };
    const options = call.isPlain ? {} : limit(stage, call);
    stage.note(kind, call, call.signal && (call.abortsOn ?? 'signal'));
    const work = kind === 'trigger' ? this.#run(call, options) : this.#protect(call, kind, options);
    stage.calls.starting = undefined;
    await this.#settle(call, work);
  }

  #run(call: Call, options: ReturnType<typeof limit>): Promise<unknown> {
    begin(this.#stage, call);
    const { session, number, host, machine } = call;
    const input = { n: number };
    return host.api.run({ ...machine.address, action: 'trigger', input, ...(session && { session }) }, options);
  }

  #protect(call: Call, kind: 'wrap' | 'call', options: ReturnType<typeof limit>): Promise<unknown> {
    const { host, machine, session, number } = call;
    const { fallback_tag: tag, ...place } = machine.address;
    if (kind === 'wrap') {
      const wrapped = (call.isPlain ? host.plain : host.full).get(machine.unit.home.facts);
      return wrapped?.call(SELF, call) ?? this.#stage.watch.broken('events', 'nothing is wrapped', call);
    }
    const own = { ...options, ...(session && { session }), timeout: PRIMARY_TIMEOUT, input: { n: number } };
    return host.api.call(tag, ({ id }) => calledPrimary(this.#stage, call, id), { ...place, ...own });
  }

  async #settle(call: Call, work: Promise<unknown>): Promise<void> {
    const stage = this.#stage;
    let value: unknown;
    try {
      value = await work;
    } catch (error) {
      stage.watch.stopIfBroken();
      return rejected(stage, call, error);
    }
    resolved(stage, call, value);
  }

  async #update(call: Call): Promise<void> {
    const stage = this.#stage;
    const { machine, host } = call;
    const { home } = machine.unit;
    const input = changeOf(home.facts, stage.random);
    stage.note('update', call, JSON.stringify(input));
    if (stage.random.chance(0.02)) return this.#aborted(call, 'update', input);
    home.uses += 2;
    machine.update(input, stage.now);
    stage.calls.starting = call;
    const session = stage.random.chance(0.05) && { session: { tag: 'user', token: `token-${call.number}` } };
    const work = host.api.run({ ...machine.address, action: 'update', input, ...session });
    stage.calls.starting = undefined;
    touch(stage, machine);
    const { state, revision } = machine;
    const { signature } = machine.config;
    const result = await work;
    const isTrue = result.state === state && result.revision === revision;
    if (!stage.watch.holds('config', isTrue && configFrom(home.facts, result.config).signature === signature)) {
      throw stage.watch.broken(
        'config',
        `it resolved to ${JSON.stringify(result)}, expected ${state} ${revision}`,
        call,
      );
    }
    finish(stage, call, 'updated');
  }

  async #reset(call: Call): Promise<void> {
    const stage = this.#stage;
    const { machine, host } = call;
    const { random, now } = stage;
    const config = random.chance(0.4);
    const keys = !machine.isKey && random.chance(0.05);
    stage.note('reset', call, JSON.stringify({ config, keys }));
    const input = { ...(config && { config }), ...(keys && { keys }) };
    if (stage.random.chance(0.02)) return this.#aborted(call, 'reset', input);
    machine.unit.home.uses += machine.unit.machines.length;
    if (config && !machine.isKey) machine.unit.reconfigure(NO_LAYER, now);
    for (const one of keys ? machine.unit.machines : [machine]) {
      // What a key's updates came to before it had caught up with the others is the engine's own affair.
      if (keys && config && one.own) one.isRevisionUnknown = true;
      one.reset(config, now);
    }
    stage.calls.starting = call;
    const work = host.api.run({ ...machine.address, action: 'reset', input });
    stage.calls.starting = undefined;
    const result = await work;
    if (!stage.watch.holds('model', result.state === 'idle'))
      throw stage.watch.broken('model', 'reset, and not idle', call);
    finish(stage, call, 'reset');
  }

  /** Its caller has left before it begins: nothing is changed. */
  async #aborted(call: Call, action: 'update' | 'reset', input: Record<string, unknown>): Promise<void> {
    const stage = this.#stage;
    call.controller = new AbortController();
    call.signal = call.controller.signal;
    call.abortedAt = stage.now;
    call.controller.abort(new Error('the operator has left'));
    await this.#settle(call, call.host.api.run({ ...call.machine.address, action, input }, { signal: call.signal }));
    touch(stage, call.machine);
  }

  async #refused(call: Call): Promise<void> {
    const stage = this.#stage;
    const { watch } = stage;
    const { code, make } = NONSENSE.draw(stage.random);
    stage.note('nonsense', call, code);
    let error: unknown;
    try {
      await make(call.host, call.machine.address);
    } catch (thrown) {
      error = thrown;
    }
    if (!watch.holds('refusals', error instanceof FallbackError && error.code === code)) {
      throw watch.broken('refusals', `expected ${code}, got ${String(error)}`, call);
    }
    touch(stage, call.machine);
    finish(stage, call, `refused as it should be`);
  }
}
