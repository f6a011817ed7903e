import { describe, expect, it } from 'vitest';
import { readUpdate } from '../../../src/definition/config.ts';
import { definitionOf } from '../../../src/definition/definition.ts';
import { Events } from '../../../src/events.ts';
import { defineFallback } from '../../../src/index.ts';
import { clear, reset, update } from '../../../src/memory/changes.ts';
import { Machines } from '../../../src/memory/machines.ts';
import { Registry } from '../../../src/memory/registry.ts';
import { virtualClock } from '../../virtual-clock.ts';

const address = { env: 'prd', product: 'payments', tag: 'pay', cache: undefined };
const key = (cache: string) => ({ ...address, cache });

function memoryOf(max = 10, name = 'one') {
  const clock = virtualClock();
  const registry = new Registry(null);
  registry.define(
    definitionOf(defineFallback({ tag: 'pay', maxRetries: 1, resetAfter: 100, providers: [{ name, value: 1 }] })),
  );
  const home = registry.find(address);
  const memory = new Machines(new Events(clock), {
    cache: { max, ttl: undefined },
    maxScopes: 10,
    timeout: null,
    clock,
  });
  const change = (at: typeof address | ReturnType<typeof key>, input: Record<string, unknown>, now = 0) => {
    const read = readUpdate(home.definition, input);
    return read.issues ? read : update(memory, at, home, read.value, now);
  };
  const failing = (at: typeof address | ReturnType<typeof key>, times: number) => {
    const machine = memory.hold(at, home);
    memory.move(machine, { type: 'TRIGGER' }, 0);
    for (let count = 0; count < times; count++) memory.move(machine, { type: 'FAILED' }, 0);
    memory.release(machine);
    return machine;
  };
  return { memory, home, change, failing };
}

describe('update', () => {
  it('of a fallback costs one assignment: its keys are left where they stand, and follow when next used', () => {
    const { memory, home, change, failing } = memoryOf();
    const machine = failing(key('k'), 1);
    const stood = machine.place;
    change(address, { maxRetries: 0 }, 70);
    expect(machine.place).toBe(stood);
    memory.release(memory.hold(key('k'), home));
    expect(machine).toMatchObject({ place: { state: 'exhausted', failures: 1 }, since: 70 });
  });

  it.each(['one', 'constructor', '__proto__'])(
    'that changes nothing keeps the configuration and the revision: %s',
    (name) => {
      const { memory, home, change } = memoryOf(10, name);
      change(address, { maxRetries: 1 });
      expect(memory.configuration(address, home)).toBe(home.configuration);
      expect(memory.unit(address)?.revisions).toBe(0);
    },
  );

  it('that takes everything back is the definition’s own configuration again', () => {
    const { memory, home, change } = memoryOf();
    change(address, { maxRetries: 5 });
    change(address, { maxRetries: null });
    expect(memory.configuration(address, home)).toBe(home.configuration);
    expect(memory.unit(address)?.updates).toEqual({});
  });

  it('starts a new generation where it ends or begins an exhaustion, and none where it does not', () => {
    const { change, failing } = memoryOf();
    const machine = failing(address, 1);
    const { generation } = machine;
    change(address, { deadline: 5 });
    expect(machine.generation).toBe(generation);
    change(address, { maxRetries: 0 });
    expect(machine.generation).toBeGreaterThan(generation);
    const exhausted = machine.generation;
    change(address, { maxRetries: 3 });
    expect(machine.generation).toBeGreaterThan(exhausted);
  });

  it('that is refused creates no machine', () => {
    const { memory, change } = memoryOf(1);
    change(key('a'), { maxRetries: 3 });
    expect(change(key('b'), { maxRetries: 3 }).issues).toMatchObject([{ path: 'cache' }]);
    expect(memory.peek(key('b'))).toBeUndefined();
  });
});

describe('reset', () => {
  it('starts a new generation', () => {
    const { memory, failing } = memoryOf();
    const machine = failing(address, 1);
    const { generation } = machine;
    reset(memory, address, {}, 0);
    expect(machine.generation).toBeGreaterThan(generation);
    expect(machine.place).toMatchObject({ state: 'idle', failures: 0 });
  });

  it('starts a new generation even from idle, so that nothing in flight counts afterwards', () => {
    const { memory, home } = memoryOf();
    const machine = memory.hold(address, home);
    const { generation } = machine;
    reset(memory, address, {}, 0);
    expect(machine.generation).toBeGreaterThan(generation);
    memory.release(machine);
  });

  it('forgets a key where it stands, without making one that is not there', () => {
    const { memory, failing } = memoryOf();
    failing(key('a'), 2);
    reset(memory, key('a'), {}, 0);
    reset(memory, key('b'), {}, 0);
    expect(memory.peek(key('a'))?.place.state).toBe('idle');
    expect(memory.peek(key('b'))).toBeUndefined();
  });

  it('with config drops the updates of the fallback, which every key follows; those of keys stay', () => {
    const { memory, home, change } = memoryOf();
    change(address, { maxRetries: 7 });
    change(key('own'), { deadline: 5 });
    reset(memory, address, { config: true }, 0);
    expect(memory.configuration(address, home).maxRetries).toBe(1);
    expect(memory.configuration(key('any'), home).maxRetries).toBe(1);
    expect(memory.configuration(key('own'), home)).toMatchObject({ maxRetries: 1, deadline: 5 });
  });

  it('with config of a key drops those of that key alone', () => {
    const { memory, home, change } = memoryOf();
    change(address, { maxRetries: 7 });
    change(key('own'), { maxRetries: 5 });
    reset(memory, key('own'), { config: true }, 0);
    expect(memory.configuration(key('own'), home).maxRetries).toBe(7);
    expect(memory.configuration(address, home).maxRetries).toBe(7);
  });
});

describe('clear', () => {
  it('forgets all that is not in flight', () => {
    const { memory, change, failing } = memoryOf();
    failing(address, 2);
    failing(key('a'), 1);
    change(key('b'), { maxRetries: 3 });
    clear(memory);
    expect(memory.units()).toEqual([]);
    expect([memory.peek(address), memory.peek(key('a')), memory.peek(key('b'))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('makes what is in flight as good as new, in a generation of its own', () => {
    const { memory, home, failing, change } = memoryOf();
    failing(key('a'), 2);
    change(key('a'), { maxRetries: 0 });
    const machine = memory.hold(key('a'), home);
    machine.triggers = 4;
    const { generation } = machine;
    clear(memory);
    expect(memory.peek(key('a'))).toBe(machine);
    expect(machine).toMatchObject({
      triggers: 0,
      revision: 0,
      inFlight: 1,
      own: undefined,
      place: { state: 'idle', failures: 0 },
    });
    expect(machine.generation).toBeGreaterThan(generation);
    memory.release(machine);
    clear(memory);
    expect(memory.peek(key('a'))).toBeUndefined();
  });
});
