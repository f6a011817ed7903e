import { describe, expect, it } from 'vitest';
import type { FallbackEvent } from '../../../src/index.ts';
import type { Policy } from '../../../src/testing/model.ts';
import { keyName, Witness } from '../../../src/testing/witness.ts';

const KEYED = 'law 7: trigger #1 moved a machine that it was not meant for';
const STALE = 'law 5: trigger #1 got a stale answer, and should have been let in';

/** A witness of a policy; the triggers are meant for the machine without a key, unless `keys` says otherwise. */
function watch(policy: Partial<Policy> = {}, keys: readonly number[] = [0, 0, 0, 0]) {
  const time = { now: 0 };
  const notes: object[] = [];
  const witness = new Witness({
    policy: { maxRetries: 0, resetAfter: 100, ...policy },
    now: () => time.now,
    keyOf: (trigger) => keys[trigger - 1],
    note: (type, facts) => notes.push({ type, ...facts }),
  });
  const hear = (number: number, type: FallbackEvent['type'], facts: object = {}, key = 0) =>
    witness.hear({ env: 'e', product: 'p', tag: 't', at: time.now, type, ...facts } as FallbackEvent, number, key);
  return { witness, time, notes, hear };
}

const IN = { state: 'triggered', probe: false };
const DOWN = { state: 'exhausted' };
const IDLE = { state: 'idle', failures: 0 };

describe('the name of a key', () => {
  it.each([
    [0, undefined],
    [1, 'key-1'],
    [12, 'key-12'],
  ])('of %i is %s', (key, name) => {
    expect(keyName(key)).toBe(name);
  });
});

describe('a trigger that the engine lets in', () => {
  it('is none to complain of where the model lets it in, too', () => {
    const { witness, hear } = watch();
    hear(1, 'triggered', IN);
    expect(witness.faults).toEqual([]);
  });

  it.each([
    { why: 'as meant', keys: [2], faults: [] },
    { why: 'meant for another key', keys: [1], faults: [KEYED] },
    { why: 'meant for none', keys: [0], faults: [KEYED] },
    { why: 'never made', keys: [], faults: [KEYED] },
  ])('stands where it was meant to: $why', ({ keys, faults }) => {
    const { witness, hear } = watch({}, keys);
    hear(1, 'triggered', IN, 2);
    expect(witness.faults).toEqual(faults);
  });

  it.each([
    { at: 99, probe: true, fault: 'law 5: trigger #2 was probe, and should be refused' },
    { at: 99, probe: false, fault: 'law 5: trigger #2 was admitted, and should be refused' },
    { at: 100, probe: true, fault: undefined },
    { at: 100, probe: false, fault: 'law 5: trigger #2 was admitted, and should be probe' },
  ])('$at ms after an exhaustion, probe $probe: $fault', ({ at, probe, fault }) => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now = at;
    hear(2, 'triggered', { ...DOWN, probe });
    expect(witness.faults).toEqual(fault === undefined ? [] : [fault]);
  });

  it('is no probe of a machine that is not exhausted', () => {
    const { witness, hear } = watch();
    hear(1, 'triggered', { ...IN, probe: true });
    expect(witness.faults).toEqual(['law 5: trigger #1 was probe, and should be admitted']);
  });

  it('is judged at the moment of its event, not of its hearing', () => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now = 500;
    hear(2, 'triggered', { ...DOWN, probe: true, at: 99 });
    expect(witness.faults).toEqual(['law 5: trigger #2 was probe, and should be refused']);
  });
});

describe('a caller that is refused', () => {
  it.each([
    { state: 'exhausted', at: 99, faults: [] },
    { state: 'exhausted', at: 100, faults: ['law 5: trigger #2 was refused, and should not be'] },
    { state: 'triggered', at: 0, faults: ['law 5: trigger #2 was refused, and should not be'] },
  ])('by an $state machine after $at ms: $faults', ({ state, at, faults }) => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, state === 'exhausted' ? 'failed' : 'recovered', { state });
    time.now = at;
    witness.refused(2, 0);
    expect(witness.faults).toEqual(faults);
  });
});

describe('a stale answer', () => {
  it.each([
    { why: 'in place of an admission', stale: true, reused: false, faults: [STALE] },
    { why: 'an equal trigger’s', stale: true, reused: true, faults: [] },
    { why: 'fresh and reused', stale: false, reused: true, faults: [] },
    { why: 'no stale one at all', stale: false, reused: false, faults: [] },
  ])('of one never let in, by an open machine: $why', ({ stale, reused, faults }) => {
    const { witness } = watch();
    witness.answered(1, 0, stale, reused);
    expect(witness.faults).toEqual(faults);
  });

  it('is fine for one that was let in, even when it is over', () => {
    const { witness, hear } = watch({ maxRetries: 1 });
    hear(1, 'triggered', IN);
    hear(1, 'failed', IN);
    witness.answered(1, 0, true, false);
    expect(witness.faults).toEqual([]);
  });

  it('is fine in place of a refusal', () => {
    const { witness, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    witness.answered(2, 0, true, false);
    expect(witness.faults).toEqual([]);
  });
});

describe('what a caller is told', () => {
  it.each([
    { heard: 'recovered', told: 'recovered', again: false, faults: [] },
    { heard: 'failed', told: 'failed', again: false, faults: [] },
    {
      heard: 'recovered',
      told: 'failed',
      again: false,
      faults: ['law 1: trigger #1 recovered, but its caller was told failed'],
    },
    {
      heard: 'failed',
      told: 'recovered',
      again: false,
      faults: ['law 1: trigger #1 failed, but its caller was told recovered'],
    },
    { heard: 'failed', told: 'failed', again: true, faults: ['law 1: trigger #1 settled twice'] },
  ] as const)('$told after $heard, again $again: $faults', ({ heard, told, again, faults }) => {
    const { witness, hear } = watch({ maxRetries: 1 });
    hear(1, 'triggered', IN);
    hear(1, heard, IN);
    witness.told(1, told, again);
    expect(witness.faults).toEqual(faults);
  });

  it.each([
    { letIn: true, told: 'recovered', faults: ['law 1: trigger #1 recovered, and no event said so'] },
    { letIn: true, told: 'refused', faults: ['law 1: trigger #1 refused, and no event said so'] },
    { letIn: true, told: 'rejected', faults: [] },
    { letIn: false, told: 'recovered', faults: [] },
  ] as const)('$told without a word before, let in $letIn: $faults', ({ letIn, told, faults }) => {
    const { witness, hear } = watch();
    if (letIn) hear(1, 'triggered', IN);
    witness.told(1, told, false);
    expect(witness.faults).toEqual(faults);
  });

  it.each(['recovered', 'failed'] as const)('is no verdict (%s) of one that was never let in', (verdict) => {
    const { witness, hear } = watch();
    hear(1, verdict, IN);
    expect(witness.faults).toEqual([`law 1: trigger #1 ${verdict} without having been let in`]);
  });

  it('is no matter where nothing was heard of its trigger', () => {
    const { witness } = watch();
    witness.told(1, 'refused', false);
    expect(witness.faults).toEqual([]);
  });

  it('is no matter for one that gave up its place', () => {
    const { witness, hear } = watch();
    hear(1, 'triggered', IN);
    witness.compare('abort', 0, [1], () => ({ state: 'triggered', failures: 0 }));
    witness.told(1, 'rejected', false);
    expect(witness.faults).toEqual([]);
  });
});

describe('a look at the machines', () => {
  it('finds no fault with machines that stand where they should, the last key’s included', () => {
    const { witness, hear } = watch({}, [2]);
    hear(1, 'triggered', IN, 2);
    witness.compare('trigger', 2, [], (key) => (key === 2 ? { state: 'triggered', failures: 0 } : IDLE));
    expect(witness.faults).toEqual([]);
  });

  it('tells of each machine that stands elsewhere, by its name', () => {
    const { witness } = watch();
    witness.compare('wait', 1, [], () => ({ state: 'triggered', failures: 0 }));
    expect(witness.faults).toEqual([
      'laws 4 to 8: after wait, the machine stands at {"state":"triggered","failures":0}, and should at {"state":"idle","failures":0}',
      'laws 4 to 8: after wait, key-1 stands at {"state":"triggered","failures":0}, and should at {"state":"idle","failures":0}',
    ]);
  });

  it.each([
    { resetAfter: 100, after: 0, due: 100 },
    { resetAfter: 100, after: 99, due: 1 },
    { resetAfter: 100, after: 100, due: 0 },
    { resetAfter: 100, after: 101, due: 0 },
    { resetAfter: 0, after: 0, due: 0 },
    { resetAfter: 'never', after: 50, due: undefined },
    { resetAfter: null, after: 50, due: undefined },
  ] as const)('after $after of $resetAfter ms of cooling expects a wait of $due', ({ resetAfter, after, due }) => {
    const { witness, time, hear } = watch({ resetAfter });
    time.now = 1_000;
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now += after;
    const wait = due === undefined ? {} : { retryAfter: due };
    witness.compare('wait', 0, [], () => ({ ...DOWN, failures: 1, ...wait }));
    expect(witness.faults).toEqual([]);
    witness.compare('wait', 0, [], () => ({ ...DOWN, failures: 1, retryAfter: (due ?? 0) + 1 }));
    expect(witness.faults).toEqual([
      `laws 4 to 8: after wait, the machine stands at {"state":"exhausted","failures":1,"retryAfter":${(due ?? 0) + 1}}, ` +
        `and should at {"state":"exhausted","failures":1${due === undefined ? '' : `,"retryAfter":${due}`}}`,
    ]);
  });

  it('expects a wait of one that is exhausted, and of no other', () => {
    const { witness, hear } = watch();
    hear(1, 'triggered', IN);
    witness.compare('trigger', 0, [], () => ({ state: 'triggered', failures: 0, retryAfter: 100 }));
    expect(witness.faults).toEqual([
      'laws 4 to 8: after trigger, the machine stands at {"state":"triggered","failures":0,"retryAfter":100}, ' +
        'and should at {"state":"triggered","failures":0}',
    ]);
  });

  it('knows a probe under way as exhausted, its wait begun anew', () => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now = 150;
    hear(2, 'triggered', { ...DOWN, probe: true });
    time.now = 160;
    witness.compare('wait', 0, [1], () => ({ ...DOWN, failures: 1, retryAfter: 90 }));
    expect(witness.faults).toEqual([]);
  });

  it('takes a probe that is over without a verdict as abandoned: the next is due at once', () => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now = 100;
    hear(2, 'triggered', { ...DOWN, probe: true });
    witness.compare('abort', 0, [1, 2], () => ({ ...DOWN, failures: 1, retryAfter: 0 }));
    hear(2, 'recovered', { state: 'triggered' });
    witness.compare('wait', 0, [1, 2], () => ({ ...DOWN, failures: 1, retryAfter: 0 }));
    // Whether such an event is a fault in itself is not said here.
    expect(witness.faults.filter((fault) => fault.startsWith('laws 4 to 8'))).toEqual([]);
  });

  it('counts a verdict once, and only of one that was let in', () => {
    const { witness, hear } = watch({ maxRetries: 5 });
    hear(1, 'triggered', IN);
    hear(1, 'failed', IN);
    hear(1, 'failed', IN);
    hear(2, 'failed', IN);
    witness.compare('trigger', 0, [], () => ({ state: 'triggered', failures: 1 }));
    // Whether such an event is a fault in itself is not said here.
    expect(witness.faults.filter((fault) => fault.startsWith('laws 4 to 8'))).toEqual([]);
  });

  it('counts failures where they were let in, and none once a trigger recovers', () => {
    const { witness, hear } = watch({ maxRetries: 5 }, [0, 1, 0]);
    hear(1, 'triggered', IN);
    hear(2, 'triggered', IN, 1);
    hear(3, 'triggered', IN);
    hear(1, 'failed', IN);
    hear(2, 'failed', IN, 1);
    witness.compare('wait', 1, [], () => ({ state: 'triggered', failures: 1 }));
    hear(3, 'recovered', IN);
    witness.compare('wait', 1, [], (key) => ({ state: 'triggered', failures: key }));
    expect(witness.faults).toEqual([]);
  });
});

describe('what changes the machines', () => {
  it.each([
    { update: { maxRetries: 0 }, seen: { ...DOWN, failures: 1, retryAfter: 100 } },
    { update: { maxRetries: 1 }, seen: { state: 'triggered', failures: 1 } },
  ])('is an update, as it was asked for: $update', ({ update, seen }) => {
    const { witness, hear } = watch({ maxRetries: 2 });
    hear(1, 'triggered', IN);
    hear(1, 'failed', IN);
    witness.expect(update);
    hear(0, 'updated');
    witness.compare('update', 0, [], () => seen);
    expect(witness.faults).toEqual([]);
  });

  it('is an update of nothing, where none was asked for', () => {
    const { witness, hear } = watch();
    hear(0, 'updated');
    witness.compare('update', 0, [], () => IDLE);
    expect(witness.faults).toEqual([]);
  });

  it.each([
    { keys: false, seen: [IDLE, { state: 'triggered', failures: 1 }] },
    { keys: true, seen: [IDLE, IDLE] },
  ])('is a reset, as its event says: keys $keys', ({ keys, seen }) => {
    const { witness, hear } = watch({ maxRetries: 2 }, [0, 1]);
    hear(1, 'triggered', IN);
    hear(1, 'failed', IN);
    hear(2, 'triggered', IN, 1);
    hear(2, 'failed', IN, 1);
    hear(0, 'reset', { config: false, keys });
    witness.compare('reset', 1, [], (key) => seen[key] ?? IDLE);
    expect(witness.faults).toEqual([]);
  });

  it('is an eviction: the key begins again', () => {
    const { witness, notes, hear } = watch({ maxRetries: 2 }, [1]);
    hear(1, 'triggered', IN, 1);
    hear(1, 'failed', IN, 1);
    hear(0, 'evicted', { reason: 'full' }, 1);
    witness.compare('evict', 1, [], () => IDLE);
    expect(witness.faults).toEqual([]);
    expect(witness.edges).toEqual(['idle → triggered']);
    expect(notes).toEqual([{ type: 'state', key: 1, state: 'triggered' }]);
  });

  it.each(['exhausted', 'probing', 'attempt-ended', 'late'] as const)('is not %s', (type) => {
    const { witness, notes, hear } = watch({ maxRetries: 2 });
    hear(1, 'triggered', IN);
    hear(1, 'failed', IN);
    hear(1, type, DOWN);
    witness.compare('wait', 0, [], () => ({ state: 'triggered', failures: 1 }));
    expect(witness.faults).toEqual([]);
    expect(notes).toHaveLength(1);
  });

  it('is a restart: a probe under way is abandoned', () => {
    const { witness, time, hear } = watch();
    hear(1, 'triggered', IN);
    hear(1, 'failed', DOWN);
    time.now = 100;
    hear(2, 'triggered', { ...DOWN, probe: true });
    witness.restored();
    hear(2, 'recovered', { state: 'triggered' });
    witness.compare('restart', 0, [1, 2], () => ({ ...DOWN, failures: 1, retryAfter: 0 }));
    expect(witness.faults).toEqual([]);
  });

  it('is a restart: what was in flight counts no more, not even on a key forgotten since', () => {
    const { witness, hear } = watch({ maxRetries: 2 }, [1, 1]);
    hear(1, 'triggered', IN, 1);
    witness.restored();
    hear(0, 'evicted', { reason: 'full' }, 1);
    hear(2, 'triggered', IN, 1);
    hear(1, 'failed', IN, 1);
    witness.compare('wait', 1, [], (key) => (key === 1 ? { state: 'triggered', failures: 0 } : IDLE));
    expect(witness.faults).toEqual([]);
  });
});

describe('the way of a machine', () => {
  it('is noted at each step elsewhere, and at no other', () => {
    const { witness, notes, hear } = watch({}, [3]);
    hear(1, 'triggered', IN, 3);
    hear(1, 'failed', DOWN, 3);
    expect(witness.edges).toEqual(['idle → triggered', 'triggered → exhausted']);
    witness.compare('trigger', 3, [1], (key) => (key === 3 ? { ...DOWN, failures: 1, retryAfter: 100 } : IDLE));
    hear(0, 'reset', { config: false, keys: true });
    witness.compare('reset', 3, [], () => IDLE);
    expect(witness.faults).toEqual([]);
    expect(witness.edges).toEqual(['idle → triggered', 'triggered → exhausted', 'exhausted → idle']);
    expect(notes).toEqual([
      { type: 'state', key: 3, state: 'triggered' },
      { type: 'state', key: 3, state: 'exhausted' },
      { type: 'state', key: 3, state: 'idle' },
    ]);
  });
});
