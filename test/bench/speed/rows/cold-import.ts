import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { figures, interleaved, told } from '../children.ts';
import { BENCH, ROOT } from '../environment.ts';
import { NAME } from '../peers/ours.ts';
import type { OwnRow, Result, Settings } from '../shapes.ts';

/** Ours first; the last imports nothing that has to be read. */
const ENTRIES = [NAME, 'cockatiel', 'opossum', 'mollitia', 'p-retry', 'effect', 'effect/ExecutionPlan', 'nothing'];

const PROBE = `
  const start = performance.now();
  const loaded = await import(process.argv[2]);
  const end = performance.now();
  if (Object.keys(loaded).length === 0) throw new Error('it exports nothing');
  console.log(end - start);
`;

interface Import {
  /** Milliseconds, told by the process itself. */
  readonly inside: number;
  /** Milliseconds from before the process to after it. */
  readonly whole: number;
}

async function measure({ imports }: Settings): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-fallback-import-'));
  try {
    install(folder);
    // Once for nothing, so that each finds its files in the system's cache.
    for (const entry of ENTRIES) await importOnce(folder, entry);
    return resultsOf(await interleaved(ENTRIES, imports, (entry) => importOnce(folder, entry)), imports);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resultsOf(all: ReadonlyMap<string, readonly Import[]>, imports: number): readonly Result[] {
  return [
    {
      row: 'cold import',
      how: `a fresh process imports the package as npm packs it, and tells how long \`await import()\` took. \`nothing\` is an empty module. Medians of ${imports} processes each.`,
      unit: 'ms',
      targets: { cockatiel: 1.25, effect: 1, 'effect/ExecutionPlan': 1 },
      contenders: figures(all, ({ inside }) => inside),
    },
    {
      row: 'cold import, the whole process',
      how: 'the same processes from their start to their end.',
      unit: 'ms',
      targets: {},
      contenders: figures(all, ({ whole }) => whole),
    },
  ];
}

async function importOnce(cwd: string, entry: string): Promise<Import> {
  const start = performance.now();
  const inside = Number(await told(['probe.mjs', entry], cwd));
  return { inside, whole: performance.now() - start };
}

/** Ours from its tarball, the peers beside it as they were installed from theirs. */
function install(folder: string): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  writeFileSync(join(folder, 'probe.mjs'), PROBE);
  npm(ROOT, 'pack', '--ignore-scripts', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (!tarball) throw new Error('npm pack made no tarball');
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', `./${tarball}`);
  const modules = join(BENCH, 'node_modules');
  for (const name of readdirSync(modules).filter((name) => !/^[.@]/.test(name))) {
    cpSync(join(modules, name), join(folder, 'node_modules', name), { recursive: true });
  }
  const nothing = join(folder, 'node_modules/nothing');
  mkdirSync(nothing);
  writeFileSync(join(nothing, 'package.json'), JSON.stringify({ name: 'nothing', type: 'module', main: 'index.js' }));
  writeFileSync(join(nothing, 'index.js'), 'export const nothing = undefined;\n');
}

/** npm by itself: what the npm that runs this script was told is not for this one. */
function npm(cwd: string, ...args: readonly string[]): void {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  execFileSync('npm', args, { cwd, env, stdio: 'pipe' });
}

export const coldImport: OwnRow = { name: 'cold import', measure };
