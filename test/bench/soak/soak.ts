import { getEventListeners } from 'node:events';
import { checksOf } from './checks.ts';
import { definitionsOf } from './definitions.ts';
import { EngineRoom } from './engine-room.ts';
import { Faults } from './faults.ts';
import { touch } from './machine-laws.ts';
import type { Plan } from './plan.ts';
import { type Restart, restart } from './restarts.ts';
import { Stage } from './stage.ts';
import { Traffic } from './traffic.ts';

/** How many users call at once. */
export const USERS = 64;
/** A soak is so many segments; each ends with nothing in flight. */
export const SEGMENTS = 20;

/** How many timers may fire within a millisecond before that is a busy loop. */
const MOST_TURNS = 100_000;

/** One soak: segments of traffic, restarts in the midst of each and after it, and the laws all the while. */
export class Soak {
  readonly plan: Plan;
  readonly stage: Stage;
  readonly #room: EngineRoom;
  readonly #traffic: Traffic;
  /** Calls that the segment has left. */
  #left = 0;
  #users = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.stage = new Stage(plan.seed, plan.keys);
    const { checkInput, sessions } = checksOf(this.stage);
    const fallbacks = definitionsOf(new Faults(this.stage), checkInput);
    this.#traffic = new Traffic(this.stage);
    const meddle = this.#traffic.resetWithin.bind(this.#traffic);
    this.#room = new EngineRoom(this.stage, plan.seed, { fallbacks, sessions, meddle });
    this.stage.host = this.#room.make();
  }

  /** One segment, down to silence. */
  async segment(): Promise<void> {
    const { stage, plan } = this;
    this.#left = Math.ceil(plan.calls / SEGMENTS);
    const middle = stage.random.below(this.#left);
    for (this.#users = 0; this.#users < USERS; this.#users++) this.#use(middle).catch(stage.watch.keep);
    await this.#drive();
    this.#checkSilence();
    await restart(stage, this.#room, 'quiet');
    stage.watch.stopIfBroken();
    for (const machine of stage.machines) touch(stage, machine);
  }

  async #use(middle: number): Promise<void> {
    const { random, time, watch } = this.stage;
    while (this.#left > 0) {
      if (--this.#left === middle) {
        restart(this.stage, this.#room, random.pick<Restart>(['in flight', 'in place'])).catch(watch.keep);
      }
      await this.#traffic.next();
      const pause = random.chance(0.5) ? 0 : random.between(1, 24);
      if (pause > 0) await new Promise<void>((resolve) => time.setTimeout(resolve, pause));
    }
    this.#users--;
  }

  /** Lets time go on whenever all has happened that can happen without; until every user is done, and all is quiet. */
  async #drive(): Promise<void> {
    const { clock, random, watch, calls } = this.stage;
    let since = clock.now;
    for (let turns = 0; ; turns++) {
      await turn();
      watch.stopIfBroken();
      if (clock.now !== since) turns = 0;
      since = clock.now;
      if (turns > MOST_TURNS) throw watch.broken('settles', 'time stands still: timers of 0 ms without end');
      if (this.#users === 0 && calls.inFlight === 0) break;
      if (!clock.fire()) {
        const [stuck] = calls;
        throw watch.broken('settles', `nothing is left that could settle ${this.#users} users' calls`, stuck);
      }
      // At times those of one millisecond all at once: who comes first is then the engine's to say.
      if (random.chance(0.1)) while (clock.isDue) clock.fire();
    }
    this.#checkTimers();
    while (clock.fire()) await turn();
    watch.stopIfBroken();
  }

  /** Before time goes on: what the engine has left behind can still be seen. */
  #checkTimers(): void {
    const { watch, host } = this.stage;
    if (!watch.holds('leaks', host.port.pending === 0)) {
      throw watch.broken('leaks', `${host.port.pending} timers are set with nothing in flight`);
    }
  }

  #checkSilence(): void {
    const { watch, calls, longLived, heeding, machines, homes, most, closing } = this.stage;
    const listeners = getEventListeners(longLived, 'abort').length;
    if (!watch.holds('leaks', listeners === 0 && heeding === 0)) {
      throw watch.broken('leaks', `${listeners} abort listeners are left on a signal with nothing in flight`);
    }
    if (!watch.holds('settles', closing === 0)) {
      throw watch.broken('settles', `${closing} engines have been told to close, and have not`);
    }
    const [owed] = calls;
    if (!watch.holds('attempts', !owed)) {
      throw watch.broken('attempts', `${calls.size} calls have attempts that settled late, and no event told`, owed);
    }
    for (const home of homes) {
      const kept = machines.filter(
        ({ unit, isKey, isRemembered, own }) => unit.home === home && isKey && isRemembered && !own,
      );
      if (!watch.holds('eviction', kept.length <= most)) {
        throw watch.broken('eviction', `${kept.length} keys of ${home.facts.tag} are remembered, and ${most} may be`);
      }
    }
  }
}

/** A turn of the event loop: every promise that can settle has then settled. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
