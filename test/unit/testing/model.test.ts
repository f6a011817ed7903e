import { describe, expect, it } from 'vitest';
import { Model } from '../../../src/testing/model.ts';

const NONE = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;

/** A model whose machines of these keys have each met so many failures, at 10 ms, under a policy that takes them. */
function failed(failures: Readonly<Record<number, number>>, maxRetries = 3, resetAfter: number | 'never' | null = 100) {
  const model = new Model({ maxRetries, resetAfter });
  for (const [key, count] of Object.entries(failures)) {
    model.admit(Number(key), 10);
    for (let met = 0; met < count; met++) model.settle(Number(key), 0, 'failed', 10);
  }
  return model;
}

describe('the limits of a machine', () => {
  it.each([
    { resetAfter: 100, due: 100 },
    { resetAfter: 0, due: 0 },
    { resetAfter: 'never', due: NONE },
    { resetAfter: null, due: NONE },
  ] as const)('are its policy’s: resetAfter $resetAfter', ({ resetAfter, due }) => {
    const model = new Model({ maxRetries: 2, resetAfter });
    expect(model.limits(0)).toEqual({ maxRetries: 2, resetAfter: due });
    expect(model.limits(1)).toEqual({ maxRetries: 2, resetAfter: due });
  });

  it('are those of an update, for every key', () => {
    const model = failed({});
    model.update(0, { maxRetries: 0 }, 20);
    model.update(0, { resetAfter: 'never' }, 20);
    expect([0, 1].map((key) => model.limits(key))).toEqual([
      { maxRetries: 0, resetAfter: NONE },
      { maxRetries: 0, resetAfter: NONE },
    ]);
  });

  it('are those of a key’s own update before those of all, and for no other key', () => {
    const model = failed({});
    model.update(1, { maxRetries: 0, resetAfter: 5 }, 20);
    model.update(0, { maxRetries: 7, resetAfter: 70 }, 30);
    expect([0, 1, 2].map((key) => model.limits(key))).toEqual([
      { maxRetries: 7, resetAfter: 70 },
      { maxRetries: 0, resetAfter: 5 },
      { maxRetries: 7, resetAfter: 70 },
    ]);
  });

  it('are not touched by what an update leaves undefined', () => {
    const model = new Model({ maxRetries: 3, resetAfter: 100 });
    model.update(0, { maxRetries: 2 }, 10);
    model.update(0, { maxRetries: undefined, resetAfter: 50 } as never, 20);
    expect(model.limits(0)).toEqual({ maxRetries: 2, resetAfter: 50 });
  });

  it.each([0, 1])('are amended by each update of key %i, and by null no more', (key) => {
    const model = failed({});
    model.update(key, { maxRetries: 0 }, 20);
    model.update(key, { resetAfter: 5 }, 20);
    expect(model.limits(key)).toEqual({ maxRetries: 0, resetAfter: 5 });
    model.update(key, { maxRetries: null }, 20);
    expect(model.limits(key)).toEqual({ maxRetries: 3, resetAfter: 5 });
    model.update(key, { resetAfter: null }, 20);
    expect(model.limits(key)).toEqual({ maxRetries: 3, resetAfter: 100 });
  });
});

describe('a machine', () => {
  it('is idle at first, and triggered by the first trigger', () => {
    const model = failed({});
    expect(model.at(1)).toEqual({ phase: 'idle', failures: 0, generation: 0, since: 0 });
    expect(model.admit(1, 5)).toBe('admitted');
    expect(model.at(1)).toEqual({ phase: 'triggered', failures: 0, generation: 0, since: 0 });
    expect(model.at(0)).toEqual({ phase: 'idle', failures: 0, generation: 0, since: 0 });
  });

  it.each([
    { failures: 3, phase: 'triggered', generation: 0, since: 0 },
    { failures: 4, phase: 'cooling', generation: 1, since: 10 },
  ])('whose maxRetries is 3 is $phase after $failures failures', ({ failures, ...due }) => {
    expect(failed({ 1: failures }).at(1)).toEqual({ failures, ...due });
  });

  it('forgets its failures when a trigger recovers', () => {
    const model = failed({ 1: 3 });
    model.settle(1, 0, 'recovered', 20);
    expect(model.at(1)).toEqual({ phase: 'triggered', failures: 0, generation: 0, since: 0 });
  });

  it('takes a trigger without a verdict for nothing', () => {
    const model = failed({ 1: 3 });
    model.settle(1, 0, 'none', 20);
    expect(model.at(1)).toEqual({ phase: 'triggered', failures: 3, generation: 0, since: 0 });
  });

  it('takes no verdict of a trigger admitted before it was exhausted', () => {
    const model = failed({ 1: 4 });
    model.settle(1, 0, 'recovered', 20);
    model.settle(1, 0, 'failed', 20);
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 4, generation: 1, since: 10 });
  });

  it('takes no verdict while it cools', () => {
    const model = failed({ 1: 4 });
    model.settle(1, 1, 'recovered', 20);
    model.settle(1, 1, 'failed', 20);
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 4, generation: 1, since: 10 });
  });

  it('that nobody has used takes no verdict', () => {
    const model = failed({});
    model.settle(1, 0, 'failed', 20);
    expect(model.at(1)).toEqual({ phase: 'idle', failures: 0, generation: 0, since: 0 });
  });
});

describe('an exhausted machine', () => {
  it.each([
    { resetAfter: 100, now: 109, answer: 'refused' },
    { resetAfter: 100, now: 110, answer: 'probe' },
    { resetAfter: 0, now: 10, answer: 'probe' },
    { resetAfter: 'never', now: 1_000_000, answer: 'refused' },
    { resetAfter: null, now: 1_000_000, answer: 'refused' },
    { resetAfter: 'never', now: NONE, answer: 'refused' },
  ] as const)('since 10 ms, resetAfter $resetAfter, answers $answer at $now ms', ({ resetAfter, now, answer }) => {
    expect(failed({ 1: 4 }, 3, resetAfter).admit(1, now)).toBe(answer);
  });

  it('is probed by one trigger at a time, and by another when the first takes as long again', () => {
    const model = failed({ 1: 4 });
    expect(model.admit(1, 110)).toBe('probe');
    expect(model.at(1)).toEqual({ phase: 'probing', failures: 4, generation: 2, since: 110 });
    expect(model.admit(1, 209)).toBe('refused');
    expect(model.admit(1, 210)).toBe('probe');
    expect(model.at(1)).toEqual({ phase: 'probing', failures: 4, generation: 3, since: 210 });
  });

  it.each([
    { verdict: 'recovered', due: { phase: 'triggered', failures: 0, generation: 3, since: 110 } },
    { verdict: 'failed', due: { phase: 'cooling', failures: 4, generation: 2, since: 150 } },
    { verdict: 'none', due: { phase: 'cooling', failures: 4, generation: 2, since: AT_ONCE } },
  ] as const)('whose probe ends as $verdict is $due.phase', ({ verdict, due }) => {
    const model = failed({ 1: 4 });
    model.admit(1, 110);
    model.settle(1, 2, verdict, 150);
    expect(model.at(1)).toEqual(due);
  });

  it.each(['recovered', 'failed', 'none'] as const)('hears of no probe but the last: %s', (verdict) => {
    const model = failed({ 1: 4 });
    model.admit(1, 110);
    model.admit(1, 210);
    model.settle(1, 2, verdict, 220);
    expect(model.at(1)).toEqual({ phase: 'probing', failures: 4, generation: 3, since: 210 });
  });

  it('may be probed at once when a probe was abandoned', () => {
    const model = failed({ 1: 4 });
    model.admit(1, 110);
    model.settle(1, 2, 'none', 111);
    expect(model.admit(1, 111)).toBe('probe');
  });
});

describe('an update', () => {
  it.each([
    { maxRetries: 3, due: { phase: 'triggered', failures: 3, generation: 0, since: 0 } },
    { maxRetries: 2, due: { phase: 'cooling', failures: 3, generation: 1, since: 20 } },
  ])('exhausts what has failed too often for it: $maxRetries after 3', ({ maxRetries, due }) => {
    for (const key of [0, 1]) {
      const model = failed({ [key]: 3 });
      model.update(key, { maxRetries }, 20);
      expect(model.at(key)).toEqual(due);
    }
  });

  it.each([
    { maxRetries: 3, due: { phase: 'cooling', failures: 4, generation: 1, since: 10 } },
    { maxRetries: 4, due: { phase: 'triggered', failures: 4, generation: 2, since: 10 } },
  ])('ends the exhaustion of what has not: $maxRetries after 4', ({ maxRetries, due }) => {
    const model = failed({ 1: 4 });
    model.update(1, { maxRetries }, 20);
    expect(model.at(1)).toEqual(due);
  });

  it('ends the exhaustion of one that is probed', () => {
    const model = failed({ 1: 4 });
    model.admit(1, 110);
    model.update(1, { maxRetries: 4 }, 120);
    expect(model.at(1)).toEqual({ phase: 'triggered', failures: 4, generation: 3, since: 110 });
  });

  it('leaves an idle machine idle', () => {
    const model = failed({});
    model.update(1, { maxRetries: 0 }, 20);
    expect(model.at(1)).toEqual({ phase: 'idle', failures: 0, generation: 0, since: 0 });
  });

  it('of all exhausts keys from the moment it was made, whenever they are looked at', () => {
    const model = failed({ 1: 3 });
    model.update(0, { maxRetries: 2 }, 20);
    model.update(0, { resetAfter: 50 }, 30);
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 3, generation: 1, since: 20 });
  });

  it('of a key comes after what one of all has made of it', () => {
    const model = failed({ 1: 3 });
    model.update(0, { maxRetries: 2 }, 20);
    model.update(1, { maxRetries: 1 }, 30);
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 3, generation: 1, since: 20 });
  });
});

describe('a reset', () => {
  it('makes a machine idle, keeps its limits, and counts nothing admitted before', () => {
    const model = failed({ 1: 4, 2: 3 });
    model.update(1, { maxRetries: 0 }, 15);
    model.reset(1, {}, 20);
    expect(model.at(1)).toEqual({ phase: 'idle', failures: 0, generation: 2, since: 10 });
    expect(model.at(2)).toEqual({ phase: 'triggered', failures: 3, generation: 0, since: 0 });
    expect(model.limits(1)).toEqual({ maxRetries: 0, resetAfter: 100 });
  });

  it.each([
    { key: 0, keys: false, idle: [0] },
    { key: 0, keys: true, idle: [0, 1, 2] },
    { key: 1, keys: false, idle: [1] },
    { key: 1, keys: true, idle: [1, 2] },
  ])('of $key, keys $keys, makes $idle idle', ({ key, keys, idle }) => {
    const model = failed({ 0: 1, 1: 1, 2: 1 });
    model.reset(key, { keys }, 20);
    expect([0, 1, 2].filter((other) => model.at(other).phase === 'idle')).toEqual(idle);
  });

  it.each([
    { key: 0, config: false, keys: true, limits: [2, 1] },
    { key: 0, config: true, keys: false, limits: [3, 1] },
    { key: 0, config: true, keys: true, limits: [3, 3] },
    { key: 1, config: false, keys: false, limits: [2, 1] },
    { key: 1, config: true, keys: false, limits: [2, 2] },
    { key: 1, config: true, keys: true, limits: [2, 2] },
  ])('of $key, config $config, keys $keys, leaves maxRetries at $limits', ({ key, config, keys, limits }) => {
    const model = failed({});
    model.update(0, { maxRetries: 2 }, 5);
    model.update(1, { maxRetries: 1 }, 5);
    model.reset(key, { config, keys }, 20);
    expect([0, 1].map((other) => model.limits(other).maxRetries)).toEqual(limits);
  });

  it.each([
    { why: 'from its own moment', before: {}, since: 40 },
    { why: 'but for those that an update had exhausted before', before: { maxRetries: null }, since: 20 },
  ])('of all updates exhausts keys that have failed too often without, $why', ({ before, since }) => {
    const model = failed({ 1: 0 });
    model.update(0, { maxRetries: 9 }, 15);
    for (let met = 0; met < 4; met++) model.settle(1, 0, 'failed', 15);
    model.update(0, before, 20);
    model.reset(0, { config: true }, 40);
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 4, generation: 1, since });
  });
});

describe('a machine that is gone for a while', () => {
  it('begins again when its key was forgotten, its updates kept', () => {
    const model = failed({ 1: 4, 2: 4 });
    model.update(1, { resetAfter: 5 }, 15);
    model.forget(1);
    expect(model.at(1)).toEqual({ phase: 'idle', failures: 0, generation: 0, since: 0 });
    expect(model.at(2)).toEqual({ phase: 'cooling', failures: 4, generation: 1, since: 10 });
    expect(model.limits(1)).toEqual({ maxRetries: 3, resetAfter: 5 });
  });

  it('is restored as it was, its probe abandoned, and counts nothing admitted before', () => {
    const model = failed({ 0: 4, 1: 4, 2: 3 });
    model.admit(1, 110);
    model.restore();
    expect([0, 1, 2].map((key) => model.at(key))).toEqual([
      { phase: 'cooling', failures: 4, generation: 2, since: 10 },
      { phase: 'cooling', failures: 4, generation: 3, since: AT_ONCE },
      { phase: 'triggered', failures: 3, generation: 1, since: 0 },
    ]);
  });

  it('is restored under the limits of its time: what they had exhausted has been so since', () => {
    const model = failed({ 1: 3 });
    model.update(0, { maxRetries: 2 }, 20);
    model.restore();
    expect(model.at(1)).toEqual({ phase: 'cooling', failures: 3, generation: 2, since: 20 });
  });
});
