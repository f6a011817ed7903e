import { describe, expect, it } from 'vitest';
import { Answers } from '../../../src/memory/answers.ts';
import type { Home } from '../../../src/memory/machine.ts';
import { Recall } from '../../../src/memory/recall.ts';

const given = (output: unknown, at: number) => ({ provider: 'stripe', output, at });

describe('answers', () => {
  it('are found while not older than maxAge, by the key they were kept under', () => {
    const answers = new Answers(10);
    answers.keep('a', given('A', 100));
    expect(answers.find('a', 50, 100)).toEqual(given('A', 100));
    expect(answers.find('a', 50, 150)).toEqual(given('A', 100));
    expect(answers.find('a', 50, 150.5)).toBeUndefined();
    expect(answers.find('b', 50, 100)).toBeUndefined();
  });

  it('of age 0 are found at their own moment only where maxAge is 0', () => {
    const answers = new Answers(10);
    answers.keep('a', given('A', 100));
    expect(answers.find('a', 0, 100)).toBeDefined();
    expect(answers.find('a', 0, 101)).toBeUndefined();
  });

  it('are of the age that is asked for: one who allows more still finds what another may not have', () => {
    const answers = new Answers(10);
    answers.keep('a', given('A', 0));
    expect(answers.find('a', 10, 20)).toBeUndefined();
    expect(answers.find('a', 30, 20)).toBeDefined();
  });

  it('keep their falsy outputs', () => {
    const answers = new Answers(10);
    for (const output of [undefined, null, 0, '', false]) {
      answers.keep('a', given(output, 0));
      expect(answers.find('a', 0, 0)).toEqual(given(output, 0));
    }
  });

  it('give way to newer ones of their key, and begin to age anew', () => {
    const answers = new Answers(10);
    answers.keep('a', given('old', 0));
    answers.keep('a', given('new', 80));
    expect(answers.find('a', 50, 120)?.output).toBe('new');
  });

  it('are an LRU: the least recently used goes, and finding one is a use', () => {
    const answers = new Answers(2);
    answers.keep('a', given('A', 0));
    answers.keep('b', given('B', 0));
    answers.find('a', 9, 0);
    answers.keep('c', given('C', 0));
    expect(['a', 'b', 'c'].map((key) => answers.find(key, 9, 0)?.output)).toEqual(['A', undefined, 'C']);
  });
});

describe('the key of an answer', () => {
  const recall = new Recall(10);
  const request = { tag: 't', action: 'trigger', input: {}, session: undefined, token: undefined } as const;
  const place = { ...request, env: 'e', product: 'p', cache: 'k' };

  it('is the same for the same place, asker and value', () => {
    expect(recall.key(place, 'old', { a: [1] })).toBe(recall.key({ ...place }, 'old', { a: [1] }));
  });

  it('tells env, product, cache key, no cache key, session, asker and value apart, whatever characters they contain', () => {
    const keys = [
      recall.key(place, 'old', 1),
      recall.key({ ...place, env: 'e2' }, 'old', 1),
      recall.key({ ...place, product: 'p2' }, 'old', 1),
      recall.key({ ...place, cache: 'k2' }, 'old', 1),
      recall.key({ ...place, cache: undefined }, 'old', 1),
      recall.key({ ...place, cache: 'null' }, 'old', 1),
      recall.key({ ...place, env: 'e","p', product: 'k' }, 'old', 1),
      recall.key({ ...place, env: 'e', product: 'p","k' }, 'old', 1),
      recall.key({ ...place, cache: 'k","old"]number 1' }, '', 1),
      recall.key({ ...place, session: { tag: 's', token: 't' } }, 'old', 1),
      recall.key({ ...place, session: { tag: 's', token: 't2' } }, 'old', 1),
      recall.key({ ...place, session: { tag: 's","t', token: '' } }, 'old', 1),
      recall.key(place, 'older', 1),
      recall.key(place, '', 1),
      recall.key(place, 'old', '1'),
      recall.key(place, 'old', undefined),
    ];
    for (const key of keys) expect(key).toBeTypeOf('string');
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is none where the value cannot be read', () => {
    expect(recall.key(place, 'old', { a: Symbol('a') })).toBeUndefined();
  });
});

describe('the memory of one fallback', () => {
  it('is made when first asked for, once, and keeps last good answers apart from those to reuse', () => {
    const recall = new Recall(1);
    const home = { lastGood: undefined, reused: undefined } as Home;
    recall.lastGood(home).keep('a', given('A', 0));
    expect(home.reused).toBeUndefined();
    expect(recall.reused(home).find('a', 9, 0)).toBeUndefined();
    expect(recall.lastGood(home)).toBe(home.lastGood);
    expect(recall.reused(home)).toBe(home.reused);
    expect(recall.lastGood(home).find('a', 9, 0)?.output).toBe('A');
  });

  it('holds as many answers as it was allowed', () => {
    const recall = new Recall(1);
    const home = { lastGood: undefined, reused: undefined } as Home;
    recall.reused(home).keep('a', given('A', 0));
    recall.reused(home).keep('b', given('B', 0));
    expect(['a', 'b'].map((key) => recall.reused(home).find(key, 9, 0)?.output)).toEqual([undefined, 'B']);
  });
});
