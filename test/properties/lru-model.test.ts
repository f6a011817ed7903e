import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDuctape, defineFallback } from '../../src/index.ts';
import { RUNS, settled, virtualClock } from '../virtual-clock.ts';

const TAG = 'keyed';

type Flight = { readonly key: string; readonly fail: () => void; readonly end: Promise<unknown> };

class Model {
  /** Failures by key, the least recently used first. */
  readonly lru = new Map<string, number>();
  readonly pinned = new Map<string, number>();
  readonly inFlight = new Map<string, number>();
  readonly evicted: string[] = [];
  readonly kept = new Map<string, number>();
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  use(key: string): void {
    if (this.pinned.has(key) || this.kept.has(key)) return;
    const failures = this.lru.get(key) ?? 0;
    this.lru.delete(key);
    this.lru.set(key, failures);
    this.#evict();
  }

  start(key: string): void {
    this.inFlight.set(key, (this.inFlight.get(key) ?? 0) + 1);
    this.use(key);
  }

  fail(key: string): void {
    for (const place of [this.lru, this.pinned, this.kept])
      if (place.has(key)) place.set(key, (place.get(key) ?? 0) + 1);
    this.inFlight.set(key, (this.inFlight.get(key) ?? 0) - 1);
    const failures = this.kept.get(key);
    if (failures === undefined || this.inFlight.get(key) !== 0) return;
    this.kept.delete(key);
    this.lru.set(key, failures);
    this.#evict();
  }

  pin(key: string): boolean {
    if (this.pinned.has(key)) return true;
    if (this.pinned.size >= this.max) return false;
    this.pinned.set(key, this.kept.get(key) ?? this.lru.get(key) ?? 0);
    this.lru.delete(key);
    this.kept.delete(key);
    return true;
  }

  reset(key: string): void {
    for (const place of [this.lru, this.kept]) if (place.has(key)) place.set(key, 0);
    if (!this.pinned.delete(key)) return;
    if (this.inFlight.get(key)) this.kept.set(key, 0);
    else {
      this.lru.set(key, 0);
      this.#evict();
    }
  }

  failures(key: string): number {
    return this.pinned.get(key) ?? this.kept.get(key) ?? this.lru.get(key) ?? 0;
  }

  #evict(): void {
    for (const [key, failures] of this.lru) {
      if (this.lru.size <= this.max) return;
      this.lru.delete(key);
      if (this.inFlight.get(key)) this.kept.set(key, failures);
      else this.evicted.push(key);
    }
  }
}

interface Real {
  readonly engine: ReturnType<typeof makeEngine>;
  readonly flights: Flight[];
}

function makeEngine(max: number) {
  const fails: (() => void)[] = [];
  const fallback = defineFallback({
    tag: TAG,
    maxRetries: 1_000,
    providers: [
      { name: 'held', run: () => new Promise<never>((_, reject) => fails.push(() => reject(new Error('no')))) },
    ],
  });
  const { fallback: engine } = createDuctape({
    env: 'e',
    product: 'p',
    clock: virtualClock(),
    cache: { max },
    fallbacks: [fallback] as const,
  });
  const evicted: string[] = [];
  engine.on('evicted', ({ cache }) => evicted.push(cache as string));
  return { ...engine, evicted, fails };
}

class Start implements fc.AsyncCommand<Model, Real> {
  readonly #key: string;
  constructor(key: string) {
    this.#key = key;
  }
  check = () => true;
  async run(model: Model, { engine, flights }: Real): Promise<void> {
    const end = engine.run({ fallback_tag: TAG, action: 'trigger', cache: this.#key }).catch(() => {});
    flights.push({ key: this.#key, fail: engine.fails.at(-1) as () => void, end });
    model.start(this.#key);
    agree(model, engine);
  }
  toString = () => `start ${this.#key}`;
}

class End implements fc.AsyncCommand<Model, Real> {
  readonly #which: number;
  constructor(which: number) {
    this.#which = which;
  }
  check = () => true;
  async run(model: Model, { engine, flights }: Real): Promise<void> {
    const [flight] = flights.splice(this.#which % Math.max(1, flights.length), 1);
    if (!flight) return;
    flight.fail();
    await flight.end;
    model.fail(flight.key);
    agree(model, engine);
  }
  toString = () => `end ${this.#which}`;
}

class Pin implements fc.AsyncCommand<Model, Real> {
  readonly #key: string;
  constructor(key: string) {
    this.#key = key;
  }
  check = () => true;
  async run(model: Model, { engine }: Real): Promise<void> {
    const updated = engine.run({ fallback_tag: TAG, action: 'update', cache: this.#key, input: { maxRetries: 500 } });
    const isDone = await updated.then(
      () => true,
      () => false,
    );
    expect(isDone).toBe(model.pin(this.#key));
    agree(model, engine);
  }
  toString = () => `pin ${this.#key}`;
}

class Reset implements fc.AsyncCommand<Model, Real> {
  readonly #key: string;
  constructor(key: string) {
    this.#key = key;
  }
  check = () => true;
  async run(model: Model, { engine, flights }: Real): Promise<void> {
    await engine.run({ fallback_tag: TAG, action: 'reset', cache: this.#key, input: { config: true } });
    model.reset(this.#key);
    // What was in flight will not count any more: it leaves the story here.
    for (const flight of flights.filter(({ key }) => key === this.#key)) {
      flights.splice(flights.indexOf(flight), 1);
      flight.fail();
      await flight.end;
      const before = model.failures(this.#key);
      model.fail(this.#key);
      for (const place of [model.lru, model.pinned, model.kept]) if (place.has(this.#key)) place.set(this.#key, before);
    }
    agree(model, engine);
  }
  toString = () => `reset ${this.#key}`;
}

const KEYS = ['a', 'b', 'c', 'd', 'e'];

function agree(model: Model, engine: ReturnType<typeof makeEngine>): void {
  const told = KEYS.map((cache) => engine.inspect({ fallback_tag: TAG, cache }));
  expect(told.map(({ failures }) => failures)).toEqual(KEYS.map((key) => model.failures(key)));
  expect(told.map(({ inFlight }) => inFlight)).toEqual(KEYS.map((key) => model.inFlight.get(key) ?? 0));
  expect(told.map(({ config }) => config.maxRetries)).toEqual(KEYS.map((key) => (model.pinned.has(key) ? 500 : 1_000)));
  expect(engine.evicted).toEqual(model.evicted);
}

it('keys are forgotten by last use, told of, and never while in flight or with updates of their own', async () => {
  const key = fc.constantFrom(...KEYS);
  const commands = fc.commands(
    [
      key.map((key) => new Start(key)),
      fc.nat(4).map((which) => new End(which)),
      fc.nat(4).map((which) => new End(which)),
      key.map((key) => new Pin(key)),
      key.map((key) => new Reset(key)),
    ],
    { maxCommands: 40, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), commands, async (max, commands) => {
      const engine = makeEngine(max);
      await fc.asyncModelRun(() => ({ model: new Model(max), real: { engine, flights: [] } }), commands);
      await engine.close();
      await settled();
    }),
    { numRuns: RUNS },
  );
});
