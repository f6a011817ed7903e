import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Report } from './shapes.ts';

export const BENCH = join(import.meta.dirname, '..');
export const ROOT = join(BENCH, '../..');

const PEERS = ['cockatiel', 'opossum', 'mollitia', 'p-retry', 'effect'];

/** What the figures depend on besides the code. */
export function environment(): Pick<Report, 'cpu' | 'node' | 'packages'> {
  const packages = [
    ['ductape-fallback', versionIn(ROOT)],
    ...PEERS.map((name) => [name, versionIn(join(BENCH, 'node_modules', name))]),
    ...['xstate', 'zod'].map((name) => [name, versionIn(join(ROOT, 'node_modules', name))]),
  ];
  const [first, ...rest] = cpus();
  const cpu = `${(first?.model ?? 'unknown processor').trim()}, ${rest.length + 1} cores`;
  return { cpu, node: process.versions.node, packages: Object.fromEntries(packages) };
}

function versionIn(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}
