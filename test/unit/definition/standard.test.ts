import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isStandardSchema, isThenable, validate } from '../../../src/definition/standard.ts';
import type { StandardSchema } from '../../../src/index.ts';

const answering = (validate: (value: unknown) => unknown): StandardSchema => ({
  '~standard': { version: 1, vendor: 'test', validate: validate as never },
});

describe('isThenable', () => {
  const withThen = (then: unknown, target: object = {}) => Object.assign(target, Object.fromEntries([['then', then]]));

  it('knows promises, and whatever else has a then to call', () => {
    for (const value of [
      Promise.resolve(),
      withThen(() => {}),
      withThen(
        () => {},
        () => {},
      ),
    ]) {
      expect(isThenable(value)).toBe(true);
    }
    for (const value of [null, undefined, 'then', {}, withThen(5), () => {}]) expect(isThenable(value)).toBe(false);
  });
});

describe('isStandardSchema', () => {
  it('takes the schemas of zod, valibot and arktype', () => {
    for (const schema of [z.string(), v.string(), type('string')]) expect(isStandardSchema(schema)).toBe(true);
  });

  it('takes nothing else', () => {
    for (const value of [null, undefined, {}, { '~standard': {} }, { '~standard': { validate: 1 } }, () => {}, 'z']) {
      expect(isStandardSchema(value)).toBe(false);
    }
  });
});

describe('validate', () => {
  it.each([
    ['zod', z.object({ n: z.coerce.number() })],
    ['valibot', v.object({ n: v.pipe(v.unknown(), v.transform(Number), v.number()) })],
    ['arktype', type({ n: 'string.numeric.parse' })],
  ] as [string, StandardSchema][])('gives the output of a schema of %s', (_, schema) => {
    expect(validate(schema, { n: '5' })).toEqual({ value: { n: 5 } });
  });

  it.each([
    ['zod', z.object({ list: z.array(z.object({ n: z.number() })) })],
    ['valibot', v.object({ list: v.array(v.object({ n: v.number() })) })],
    ['arktype', type({ list: type({ n: 'number' }).array() })],
  ] as [string, StandardSchema][])('tells the path, and what came, of a complaint of %s', (_, schema) => {
    const checked = validate(schema, { list: [{ n: 1 }, { n: 'five' }] });
    expect(checked).toMatchObject({
      issues: [{ path: 'list[1].n', message: expect.stringMatching(/, got a string$/) }],
    });
  });

  it('waits for an asynchronous schema, and for no other', async () => {
    const slow = answering(async (value) => ({ value }));
    await expect(validate(slow, 5)).resolves.toEqual({ value: 5 });
    expect(validate(z.number() as StandardSchema, 5)).toEqual({ value: 5 });
  });

  it('refuses, with the error, what makes a schema throw or reject', async () => {
    const fault = new Error('broken schema');
    const throwing = answering(() => {
      throw fault;
    });
    const expected = {
      issues: [{ path: '', message: expect.stringContaining('broken schema') }],
      thrown: [fault],
    };
    expect(validate(throwing, 5)).toEqual(expected);
    await expect(
      validate(
        answering(() => Promise.reject(fault)),
        5,
      ),
    ).resolves.toEqual(expected);
  });

  it.each([[null], [undefined], [{ issues: 5 }], [{ issues: [null] }], [{ issues: [{ message: 'x', path: 5 }] }]])(
    'refuses when a schema answers %o, or reads its complaints as far as they go',
    (answer) => {
      const checked = validate(
        answering(() => answer),
        5,
      );
      expect(checked).toHaveProperty('issues');
    },
  );

  it('takes a falsy output for the output that it is', () => {
    for (const value of [0, '', false, null, undefined])
      expect(
        validate(
          answering(() => ({ value })),
          1,
        ),
      ).toEqual({ value });
  });

  it('reads paths of keys and of key objects', () => {
    const schema = answering(() => ({ issues: [{ message: 'no', path: [{ key: 'a' }, 0, { key: 'b' }] }] }));
    expect(validate(schema, { a: [{ b: 1 }] })).toEqual({ issues: [{ path: 'a[0].b', message: 'no, got a number' }] });
  });
});
