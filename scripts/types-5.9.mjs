// Compiles the type tests as a user would meet them: against dist/*.d.ts, library checks on, without Node's types; under both
// supported compilers and both module resolutions, with exactOptionalPropertyTypes and without.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const COMPILERS = ['typescript-5.9', 'typescript'];
const LIBRARIES = ['zod', 'valibot', 'arktype', 'expect-type'];
const VARIANTS = [
  { module: 'nodenext', exactOptionalPropertyTypes: true },
  { module: 'esnext', moduleResolution: 'bundler', exactOptionalPropertyTypes: false },
];

execFileSync('node', ['scripts/build.mjs'], { stdio: 'inherit' });
const user = mkdtempSync(join(tmpdir(), 'ductape-fallback-user-'));
try {
  const tests = settle();
  const verdicts = COMPILERS.flatMap((compiler) => VARIANTS.map((variant) => compiles(compiler, variant, tests)));
  if (verdicts.includes(false)) process.exitCode = 1;
} finally {
  rmSync(user, { recursive: true });
}

/** A user's folder: the package with what it publishes, the schema libraries, and the type tests as the user's code. */
function settle() {
  for (const part of ['package.json', 'dist']) cpSync(part, placeOf('ductape-fallback', part), { recursive: true });
  for (const name of LIBRARIES) symlinkSync(resolve('node_modules', name), placeOf(name), 'dir');
  // Of vitest the type tests need three names; its own declarations would bring Node's with them.
  const block = '(name: string, body: () => unknown): void;';
  const names = `export declare function describe${block}\nexport declare function it${block}\n`;
  writeFileSync(placeOf('vitest', 'index.d.ts'), `export { expectTypeOf } from 'expect-type';\n${names}`);
  writeFileSync(placeOf('vitest', 'package.json'), '{ "name": "vitest", "type": "module", "types": "index.d.ts" }');
  // arktype's declarations name this one class of Node's; the package itself names none.
  const buffer = "declare module 'buffer' { const File: typeof globalThis.File; export { File } }";
  writeFileSync(join(user, 'buffer.d.ts'), buffer);
  const tests = readdirSync('test/types').filter((file) => file.endsWith('.test-d.ts'));
  if (tests.length === 0) throw new Error('no type tests in test/types');
  for (const file of tests) {
    const text = readFileSync(join('test/types', file), 'utf8').replace("'../../src/index.ts'", "'ductape-fallback'");
    if (text.includes('/src/')) throw new Error(`${file} reaches into src, which no user can`);
    writeFileSync(join(user, file.replace('.test-d.ts', '.ts')), text);
  }
  writeFileSync(join(user, 'package.json'), '{ "type": "module" }');
  return tests;
}

function placeOf(name, ...path) {
  const place = join(user, 'node_modules', name, ...path);
  mkdirSync(dirname(place), { recursive: true });
  return place;
}

function compiles(compiler, variant, tests) {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    ...variant,
  };
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const tsc = (...args) =>
    spawnSync('node', [resolve('node_modules', compiler, 'bin/tsc'), ...args], { cwd: user, encoding: 'utf8' });
  const { status, stdout, stderr } = tsc('-p', '.', '--pretty', 'false');
  const what = `TypeScript ${tsc('--version').stdout.replace('Version', '').trim()}, ${JSON.stringify(variant)}`;
  console.log(`${what}, ${tests.length} type tests: ${status === 0 ? 'ok' : `failed\n${stdout}${stderr}`}`);
  return status === 0;
}
