import { expect, it } from 'vitest';
import { nearest } from '../../../src/definition/nearest.ts';

it('finds the known name that was meant by a typo, whatever its case', () => {
  const known = ['maxRetries', 'fallbackProvider', 'deadline'];
  expect(nearest('maxRetrys', known)).toBe('maxRetries');
  expect(nearest('MAXRETRIES', known)).toBe('maxRetries');
  expect(nearest('deadlin', known)).toBe('deadline');
});

it('prefers the nearer of two near names', () => {
  expect(nearest('stripee', ['strip', 'stripe'])).toBe('stripe');
});

it('finds nothing where nothing is near', () => {
  expect(nearest('colour', ['maxRetries', 'deadline'])).toBeUndefined();
  expect(nearest('x', [])).toBeUndefined();
});

it('tolerates two slips in a short name, and two in five in a long one', () => {
  expect(nearest('abc', ['axy'])).toBe('axy');
  expect(nearest('abc', ['xyz'])).toBeUndefined();
  expect(nearest('abcdefghij', ['abcdefWXYZ'])).toBe('abcdefWXYZ');
  expect(nearest('abcdefghij', ['abcdeVWXYZ'])).toBeUndefined();
});

it('compares no name of more than 128 characters', () => {
  expect(nearest('a'.repeat(128), ['a'.repeat(127)])).toBe('a'.repeat(127));
  expect(nearest('a'.repeat(129), ['a'.repeat(129)])).toBeUndefined();
});
