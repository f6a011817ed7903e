import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

let folder: string;
let user: string;
let tarball: string;
let packed: readonly string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ductape-fallback-tarball-'));
  // The build has run; packing must not run it again beside the other tests.
  const told = npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  const [{ filename, files }] = JSON.parse(told) as [{ filename: string; files: { path: string }[] }];
  tarball = join(folder, filename);
  packed = files.map(({ path }) => path).sort();
  user = join(folder, 'user');
  mkdirSync(user);
  write('package.json', JSON.stringify({ name: 'user', private: true, type: 'module' }));
  npm(user, 'install', '--offline', '--no-audit', '--no-fund', tarball);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** npm by itself: what the npm that runs the tests was told is not for this one. */
function npm(cwd: string, ...args: readonly string[]): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function write(name: string, text: string): void {
  writeFileSync(join(user, name), text);
}

function node(...args: readonly string[]): { status: number | null; told: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: user, encoding: 'utf8' });
  return { status, told: (stdout + stderr).trim() };
}

const PROGRAM = `
  const fallback = defineFallback({
    tag: 'payment-failure',
    providers: [
      { name: 'stripe', run: async () => { throw new Error('down'); } },
      { name: 'queue', value: { status: 'queued' } },
    ],
  });
  const ductape = createDuctape({ env: 'prd', product: 'payments', fallbacks: [fallback] });
  const { provider, output, state } = await ductape.fallback.run({ fallback_tag: 'payment-failure', action: 'trigger' });
  console.log(provider, output.status, state);
`;

describe('the tarball', () => {
  it('holds the build, the papers, and nothing else', () => {
    const papers = packed.filter((path) => !/^(?:dist|docs|examples)\//.test(path));
    expect(papers).toEqual(['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'package.json']);
    const built = packed.filter((path) => path.startsWith('dist/'));
    expect(built.filter((path) => !/\.(?:js|d\.ts)$/.test(path))).toEqual(['dist/THIRD-PARTY-LICENSES.md']);
    expect(built).toContain('dist/index.js');
    expect(built).toContain('dist/index.d.ts');
  });

  it('holds all that the README links to', () => {
    const links = [...readFileSync('README.md', 'utf8').matchAll(/\]\((?!https?:)(?<path>[^)#]+)/g)];
    const paths = links.map(({ groups }) => groups?.path ?? '');
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !packed.some((file) => file === path || file.startsWith(`${path}/`)))).toEqual([]);
  });

  it('depends on nothing, and installs alone', () => {
    const manifest = JSON.parse(readFileSync(join(user, 'node_modules/ductape-fallback/package.json'), 'utf8'));
    expect(manifest.dependencies ?? {}).toEqual({});
    // Only the testing kit asks for it.
    expect(manifest.peerDependencies).toEqual({ 'fast-check': '^4.0.0' });
    expect(manifest.peerDependenciesMeta).toEqual({ 'fast-check': { optional: true } });
    expect(manifest.sideEffects).toBe(false);
    expect(readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'ductape-fallback',
    ]);
  });

  it('names the licence of all that is bundled', () => {
    const text = readFileSync(join(user, 'node_modules/ductape-fallback/dist/THIRD-PARTY-LICENSES.md'), 'utf8');
    const named = [...text.matchAll(/^## (\S+) \d+\.\d+\.\d+ \(\S+\)$/gm)].map(([, name]) => name);
    expect(named).toEqual(['leven', 'lru-cache', 'xstate', 'zod']);
  });

  it('works from an ES module', () => {
    write('esm.js', `import { createDuctape, defineFallback } from 'ductape-fallback';\n${PROGRAM}`);
    expect(node('esm.js')).toEqual({ status: 0, told: 'queue queued triggered' });
  });

  it('works from CommonJS, by await import', () => {
    write(
      'common.cjs',
      `(async () => { const { createDuctape, defineFallback } = await import('ductape-fallback'); ${PROGRAM} })();`,
    );
    expect(node('common.cjs')).toEqual({ status: 0, told: 'queue queued triggered' });
  });

  it('lets its package.json be read, and nothing behind its face', () => {
    write('manifest.cjs', `console.log(require('ductape-fallback/package.json').name)`);
    expect(node('manifest.cjs')).toEqual({ status: 0, told: 'ductape-fallback' });
    write('behind.js', `import 'ductape-fallback/dist/index.js'`);
    expect(node('behind.js').told).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});

describe('its types', () => {
  const program = `
    import { createDuctape, defineFallback, type FallbackError, type TriggerResult } from 'ductape-fallback';
    ${PROGRAM.replace('console.log(provider, output.status, state)', 'export const told: string[] = [provider, output.status, state]')}
    // @ts-expect-error no such tag: what the engine knows of its tags has come through
    void ductape.fallback.run({ fallback_tag: 'payment', action: 'trigger' });
    export type Result = TriggerResult<FallbackError>;
  `;
  const browser = { lib: ['es2022', 'dom'], types: [] };
  const server = { lib: ['es2022'], types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] };

  it.each([
    ['nodenext, without Node’s types', { module: 'nodenext', ...browser }],
    ['nodenext, without the DOM’s', { module: 'nodenext', ...server }],
    ['a bundler', { module: 'esnext', moduleResolution: 'bundler', ...browser }],
  ])('compile under %s', (_name, options) => {
    const compilerOptions = { target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, ...options };
    write('main.ts', program);
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    expect(node(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')).toEqual({ status: 0, told: '' });
  });
});

describe('the linters of packages', () => {
  it('publint has nothing to say', async () => {
    const { buffer, byteOffset, byteLength } = readFileSync(tarball);
    const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const { messages, pkg } = await publint({ pack: { tarball: bytes }, strict: true });
    expect(pkg.name).toBe('ductape-fallback');
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('the types are not wrong', () => {
    const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    const { status, told } = node(attw, tarball, '--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii');
    expect(told).toContain('ductape-fallback');
    expect(status, told).toBe(0);
  });
});
