// Builds dist/: one bundled module, the type declarations its users need, and the licences of what is bundled.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

const ENTRIES = ['index', 'testing/index'];
/** What the declarations of an entry may mention: the kit's users have fast-check. */
const TYPES_OF = ['fast-check'];

rmSync('dist', { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ENTRIES.map((entry) => `src/${entry}.ts`),
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  // lru-cache's browser build is the one without Node's diagnostics channel.
  conditions: ['browser', 'import'],
  // zod keeps its configuration on globalThis, and xstate looks there for its dev tools. Bundled, both get an object of our
  // own instead: the package leaves no trace outside itself, and nobody else's configuration reaches in.
  define: { globalThis: 'nothingGlobal' },
  inject: ['scripts/nothing-global.mjs'],
  minify: true,
  // Node prints the line that an uncaught error came from: let it be a short one.
  lineLimit: 120,
  metafile: true,
  // The kit stands on the package's own face and on its user's fast-check.
  external: ['fast-check'],
  plugins: [
    {
      name: 'face',
      setup: (build) =>
        build.onResolve({ filter: /^\.\.\/index\.ts$/ }, () => ({ path: '../index.js', external: true })),
    },
  ],
});
declarations();
licences(Object.keys(metafile.inputs));

/** tsc writes a declaration for every file; the ones that the entries reach are published, and no others. */
function declarations() {
  const all = mkdtempSync(join(tmpdir(), 'ductape-fallback-types-'));
  const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--rootDir', 'src', '--outDir', all];
  execFileSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', ...options], {
    stdio: 'inherit',
  });
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, from] of text.matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
      if (TYPES_OF.includes(from)) continue;
      if (!from.startsWith('.')) throw new Error(`${relative(all, file)} imports the types of ${from}`);
      visit(join(dirname(file), from.replace(/\.(ts|js)$/, '.d.ts')));
    }
  };
  for (const entry of ENTRIES) visit(join(all, `${entry}.d.ts`));
  for (const file of reached) {
    const target = join('dist', relative(all, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, readFileSync(file, 'utf8').replace(/(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'));
  }
  rmSync(all, { recursive: true });
}

function licences(inputs) {
  const names = new Set(inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]).filter(Boolean));
  const texts = [...names].sort().map((name) => {
    const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
    const file = ['LICENSE', 'LICENSE.md', 'license'].find((candidate) => read(`node_modules/${name}/${candidate}`));
    if (!file) throw new Error(`${name} has no licence file`);
    return `## ${name} ${version} (${license})\n\n${read(`node_modules/${name}/${file}`).trim()}\n`;
  });
  writeFileSync('dist/THIRD-PARTY-LICENSES.md', `# Bundled into ductape-fallback\n\n${texts.join('\n')}`);
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
