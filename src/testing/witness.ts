import type { FallbackEvent } from '../index.ts';
import type { Command } from './history.ts';
import { Model, type Policy } from './model.ts';
import { json, type TraceType } from './trace.ts';

/** What a machine is seen to be. */
export interface Seen {
  readonly state: string;
  readonly failures: number;
  readonly retryAfter?: number;
}

/** What a witness has to be told. */
export interface Sight {
  readonly policy: Policy;
  now(): number;
  /** The cache key that a trigger was meant for. */
  keyOf(trigger: number): number | undefined;
  note(type: TraceType, facts: object): void;
}

export function keyName(key: number): string | undefined {
  return key === 0 ? undefined : `key-${key}`;
}

/** Follows the model beside the engine, event by event, and says where the engine's machines or its callers saw otherwise. */
export class Witness {
  /** What was done against the model. */
  readonly faults: string[] = [];
  readonly edges: string[] = [];
  readonly #sight: Sight;
  readonly #model: Model;
  readonly #admitted = new Map<number, { readonly key: number; readonly generation: number }>();
  /** Every trigger that was ever admitted. */
  readonly #letIn = new Set<number>();
  readonly #verdicts = new Map<number, string>();
  readonly #states = new Map<number, string>();
  #updating: Record<string, unknown> = {};

  constructor(sight: Sight) {
    this.#sight = sight;
    this.#model = new Model(sight.policy);
  }

  hear(event: FallbackEvent, number: number, key: number): void {
    const { type, at } = event;
    if (type === 'triggered') {
      if (this.#sight.keyOf(number) !== key) {
        this.faults.push(`law 7: trigger #${number} moved a machine that it was not meant for`);
      }
      const expected = this.#model.admit(key, at);
      const actual = event.probe ? 'probe' : 'admitted';
      if (expected !== actual) this.faults.push(`law 5: trigger #${number} was ${actual}, and should be ${expected}`);
      this.#letIn.add(number);
      this.#admitted.set(number, { key, generation: this.#model.at(key).generation });
      this.#stand(key, event.state);
    } else if (type === 'recovered' || type === 'failed') {
      if (!this.#letIn.has(number)) this.faults.push(`law 1: trigger #${number} ${type} without having been let in`);
      this.#settle(number, type, at);
      this.#stand(key, event.state);
    } else if (type === 'updated') this.#model.update(key, this.#updating, at);
    else if (type === 'reset') this.#model.reset(key, event, at);
    else if (type === 'evicted') {
      this.#model.forget(key);
      this.#states.delete(key);
    }
  }

  /** An update is on its way: what it asks for is in no event. */
  expect(update: Record<string, unknown>): void {
    this.#updating = update;
  }

  /** A caller was given an answer. What was answered without having been let in was answered in place of a refusal. */
  answered(number: number, key: number, isStale: boolean, isReused: boolean): void {
    if (isStale && !isReused && !this.#letIn.has(number) && this.#isOpen(key)) {
      this.faults.push(`law 5: trigger #${number} got a stale answer, and should have been let in`);
    }
  }

  refused(number: number, key: number): void {
    if (this.#isOpen(key)) this.faults.push(`law 5: trigger #${number} was refused, and should not be`);
  }

  /** A caller was told how its trigger ended. */
  told(number: number, type: TraceType, isAgain: boolean): void {
    if (isAgain) this.faults.push(`law 1: trigger #${number} settled twice`);
    const verdict = this.#verdicts.get(number);
    const isUnheard = !verdict && this.#letIn.has(number) && type !== 'rejected';
    if (isUnheard) this.faults.push(`law 1: trigger #${number} ${type}, and no event said so`);
    if (verdict && verdict !== type)
      this.faults.push(`law 1: trigger #${number} ${verdict}, but its caller was told ${type}`);
  }

  /** Another engine goes on from a snapshot: what was in flight is not counted. */
  restored(): void {
    this.#admitted.clear();
    this.#model.restore();
  }

  /** Holds each machine against the model; `over` are the triggers that have ended. */
  compare(after: Command['type'], keys: number, over: readonly number[], look: (key: number) => Seen): void {
    // What is over without a verdict gave up its place.
    for (const number of over) this.#settle(number, 'none', this.#sight.now());
    for (let key = 0; key <= keys; key++) {
      const { state, failures, retryAfter } = look(key);
      const { phase, failures: expected, since } = this.#model.at(key);
      const { resetAfter } = this.#model.limits(key);
      const isExhausted = phase === 'cooling' || phase === 'probing';
      const wait =
        isExhausted && Number.isFinite(resetAfter) ? Math.max(0, since + resetAfter - this.#sight.now()) : undefined;
      const actual = json({ state, failures, retryAfter });
      const due = json({ state: isExhausted ? 'exhausted' : phase, failures: expected, retryAfter: wait });
      if (actual !== due) {
        this.faults.push(
          `laws 4 to 8: after ${after}, ${keyName(key) ?? 'the machine'} stands at ${actual}, and should at ${due}`,
        );
      }
      this.#stand(key, state);
    }
  }

  #isOpen(key: number): boolean {
    return this.#model.admit(key, this.#sight.now()) !== 'refused';
  }

  #settle(number: number, verdict: 'recovered' | 'failed' | 'none', at: number): void {
    const admitted = this.#admitted.get(number);
    if (admitted) this.#model.settle(admitted.key, admitted.generation, verdict, at);
    this.#admitted.delete(number);
    if (verdict !== 'none') this.#verdicts.set(number, verdict);
  }

  #stand(key: number, state: string): void {
    const before = this.#states.get(key) ?? 'idle';
    this.#states.set(key, state);
    if (before === state) return;
    this.edges.push(`${before} → ${state}`);
    this.#sight.note('state', { key, state });
  }
}
