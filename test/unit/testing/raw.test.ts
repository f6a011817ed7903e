import { expect, it } from 'vitest';
import { owned } from '../../../src/testing/raw.ts';

const FIELDS = [
  'retries',
  'timeout',
  'backoff',
  'accept',
  'shouldRetry',
  'idempotent',
  'hedge',
  'concurrency',
  'breaker',
  'healthcheck',
  'inDoubt',
  'inDoubtWhen',
  'verify',
  'compensate',
  'compensateRetries',
] as const;

it.each([...FIELDS, 'when'])('a copy has `%s` from the class of its provider', (field) => {
  class Inherited {
    readonly name = 'one';
  }
  Object.assign(Inherited.prototype, { [field]: 7 });
  expect(owned(new Inherited())).toStrictEqual({ name: 'one', [field]: 7 });
});

it('a copy has its name from a class, too, and what it has itself before what its class has', () => {
  class Named {
    declare retries: number;
    get name() {
      return 'one';
    }
  }
  Object.assign(Named.prototype, { retries: 7 });
  const provider = Object.assign(new Named(), { retries: 2 });
  expect(owned(provider)).toStrictEqual({ name: 'one', retries: 2 });
});

it('a copy has everything that its provider has itself, but what is undefined', () => {
  const provider = { name: 'one', retries: undefined, timeout: null, idempotent: false, mine: 'kept', run: undefined };
  expect(owned(provider)).toStrictEqual({ name: 'one', timeout: null, idempotent: false, mine: 'kept' });
});

it('a copy has a value even if that is undefined', () => {
  expect(owned({ name: 'later', value: undefined })).toStrictEqual({ name: 'later', value: undefined });
  expect('value' in owned({ name: 'one' })).toBe(false);
});

it('a copy has nothing of its class that is no field of a provider', () => {
  class Helped {
    readonly name = 'one';
    help() {
      return 'private';
    }
  }
  expect(owned(new Helped())).toStrictEqual({ name: 'one' });
});

it('a function of a copy has the provider it was written on as its `this`, whatever it is called on', () => {
  class Limited {
    readonly name = 'one';
    readonly most = 5;
    readonly own = function (this: Limited) {
      return this.most;
    };
    when(order: number) {
      return order <= this.most;
    }
  }
  const provider = new Limited();
  const { when, own } = owned(provider);
  expect([when(5), when(6), Reflect.apply(own, { most: 9 }, [])]).toEqual([true, false, 5]);
});
