import { array } from 'zod/mini';
import {
  a,
  type Checked,
  check,
  count,
  fields,
  type Infer,
  maybe,
  once,
  orNull,
  record,
  text,
  unreadable,
} from './check.ts';
import { frozenCopy, isJson } from './json.ts';
import { breaker } from './safety.ts';

const wait = once(() =>
  a<number>('milliseconds of 0 or more', (value) => Number.isFinite(value) && (value as number) >= 0),
);

const healthShape = once(() =>
  fields({ provider: text(), snapshot: record(), waited: maybe(orNull(wait())), breaker: maybe(breaker()) }),
);

const entryShape = once(() =>
  fields({
    env: text(),
    product: text(),
    tag: text(),
    cache: maybe(text()),
    snapshot: record(),
    triggers: count(),
    recoveries: count(),
    revision: count(),
    updates: maybe(record()),
    waited: maybe(orNull(wait())),
    age: maybe(wait()),
    health: maybe(array(healthShape(), 'a list of providers')),
    primary: maybe(healthShape()),
  }),
);

const snapshotShape = once(() =>
  fields({
    version: a<1>('version 1', (value) => value === 1),
    takenAt: a<number>('a time in milliseconds', Number.isFinite),
    machines: array(entryShape(), 'a list of machines'),
  }),
);

export type SnapshotEntry = Infer<ReturnType<typeof entryShape>>;

/** The entries of a snapshot, checked but for what only the statechart knows. */
export function readSnapshot(raw: unknown): Checked<readonly SnapshotEntry[]> {
  let own: unknown;
  try {
    own = frozenCopy(raw);
  } catch (error) {
    return unreadable(error);
  }
  const checked = check(snapshotShape(), own);
  if (checked.issues) return checked;
  if (!isJson(own)) return { issues: [{ path: '', message: 'expected plain JSON, got something else among it' }] };
  return { value: checked.value.machines };
}
