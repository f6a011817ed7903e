import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { evidence, report, result, withSummary } from '../bench/evidence.ts';
import { toMarkdown } from '../bench/speed/table.ts';
import { markdown } from '../mutation/table.ts';

it('shows in docs/evidence.md what the scripts printed, and nothing else', () => {
  expect(readFileSync('docs/evidence.md', 'utf8')).toBe(evidence());
});

it('shows in the README the figures that have a target', () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(readme).toContain('<!-- speed -->');
  expect(withSummary(readme)).toBe(readme);
});

it('derives the table of speeds from the raw figures', () => {
  expect(result('speed.md')).toBe(toMarkdown(report()).trim());
});

it('derives the table of mutants from what became of each file, and their reasons', () => {
  expect(`${result('mutation.md')}\n`).toBe(markdown());
});

it('claims no row of the torture to be safe that the script found unsafe', () => {
  const rows = result('torture.md').matchAll(/^\| \d+ \| (?<hazard>[^|]+) \| (?<ours>[^|]+) \|/gm);
  const ours = [...rows].map(({ groups }) => groups?.ours?.trim());
  expect(ours.length).toBeGreaterThanOrEqual(30);
  expect(new Set(ours)).toEqual(new Set(['safe']));
});
