import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { rejected } from '../../../src/engine/rejected.ts';

it('rejects with what it was given, falsy or not', async () => {
  const thrown: unknown[] = [];
  for (const error of [new Error('x'), undefined, 0]) await rejected(error).catch((caught) => thrown.push(caught));
  expect(thrown).toEqual([new Error('x'), undefined, 0]);
});

it('stays unhandled where nobody handles it', () => {
  const script = `import { rejected } from './src/engine/rejected.ts';
    process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
    rejected(new Error('lost'));`;
  const told = execFileSync('node', ['--import', 'tsx', '--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(told).toBe('unhandled lost\n');
});
