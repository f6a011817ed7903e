import { expect, it } from 'vitest';
import { drive, type Pending } from '../../../src/engine/drive.ts';

function driven(walk: () => Generator<Pending, unknown, void>): { log: unknown[] } {
  const log: unknown[] = [];
  drive(
    walk(),
    (value) => log.push(['resolved', value]),
    (error) => log.push(['rejected', error]),
  );
  return { log };
}

it('resolves at once where nothing is waited for', () => {
  // biome-ignore lint/correctness/useYield: nothing is waited for
  const { log } = driven(function* () {
    return 1;
  });
  expect(log).toEqual([['resolved', 1]]);
});

it('resumes in the very turn in which what it waits for ends', () => {
  let end = () => {};
  const { log } = driven(function* () {
    yield {
      onEnd(resume: () => void) {
        end = resume;
      },
    };
    return 2;
  });
  expect(log).toEqual([]);
  end();
  expect(log).toEqual([['resolved', 2]]);
});

it('waits for promises', async () => {
  const { log } = driven(function* () {
    yield Promise.resolve();
    return 3;
  });
  expect(log).toEqual([]);
  await Promise.resolve();
  expect(log).toEqual([['resolved', 3]]);
});

it('rejects with what is thrown, at first or later, after its last wishes', async () => {
  const wishes: string[] = [];
  const walk = (first: boolean) =>
    function* (): Generator<Pending, never, void> {
      try {
        if (!first) yield Promise.resolve();
        throw 'up';
      } finally {
        wishes.push('done');
      }
    };
  const [early, late] = [driven(walk(true)), driven(walk(false))];
  expect(early.log).toEqual([['rejected', 'up']]);
  await Promise.resolve();
  expect(late.log).toEqual([['rejected', 'up']]);
  expect(wishes).toEqual(['done', 'done']);
});
