import { describe, expect, it } from 'vitest';
import { readSnapshot } from '../../../src/definition/snapshot-shape.ts';

const entry = {
  env: 'prd',
  product: 'payments',
  tag: 'payment-failure',
  snapshot: { status: 'active', value: 'idle', context: { failures: 0 } },
  triggers: 0,
  recoveries: 0,
  revision: 0,
};
const complete = { ...entry, cache: 'k', updates: { maxRetries: 3 }, waited: null, age: 12.5 };

it('reads the entries of a snapshot', () => {
  const checked = readSnapshot({ version: 1, takenAt: 5, machines: [entry, complete] });
  expect(checked).toEqual({ value: [entry, complete] });
  expect(readSnapshot({ version: 1, takenAt: -5.5, machines: [] })).toEqual({ value: [] });
});

describe('refuses', () => {
  it.each([
    ['no object', 'snapshot', ''],
    ['nothing', undefined, ''],
    ['another version', { version: 2, takenAt: 0, machines: [] }, 'version'],
    ['a version that is text', { version: '1', takenAt: 0, machines: [] }, 'version'],
    ['no time', { version: 1, machines: [] }, 'takenAt'],
    ['a time that is none', { version: 1, takenAt: Number.NaN, machines: [] }, 'takenAt'],
    ['an infinite time', { version: 1, takenAt: Number.POSITIVE_INFINITY, machines: [] }, 'takenAt'],
    ['machines that are no list', { version: 1, takenAt: 0, machines: {} }, 'machines'],
    ['an unknown key', { version: 1, takenAt: 0, machines: [], extra: 1 }, 'extra'],
  ])('%s', (_, raw, path) => {
    expect(readSnapshot(raw)).toMatchObject({ issues: [{ path, message: expect.stringMatching(/expected|did you/) }] });
  });

  it.each([
    ['env', ''],
    ['product', 5],
    ['tag', ''],
    ['tag', undefined],
    ['cache', ''],
    ['cache', null],
    ['snapshot', null],
    ['snapshot', []],
    ['triggers', -1],
    ['triggers', 1.5],
    ['recoveries', Number.NaN],
    ['revision', '0'],
    ['updates', []],
    ['updates', null],
    ['waited', -1],
    ['waited', Number.POSITIVE_INFINITY],
    ['age', null],
    ['age', -0.1],
    ['extra', 1],
  ])('an entry whose %s is %o', (key, value) => {
    const checked = readSnapshot({ version: 1, takenAt: 0, machines: [entry, { ...complete, [key]: value }] });
    expect(checked).toMatchObject({ issues: [{ path: `machines[1].${key}` }] });
  });
});
