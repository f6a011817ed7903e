import { execFileSync } from 'node:child_process';
import { builtinModules } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const DIST = resolve(ROOT, 'dist/index.js');

/** Bytes of our own code, without its dependencies, minified and gzipped. */
const OWN_CODE_LIMIT = 32_000;

/** What every browser and worker has of the things the engine needs; no process, no Buffer. */
function browserGlobals() {
  return { performance, crypto, setTimeout, clearTimeout, AbortController, AbortSignal, DOMException };
}

async function forTheBrowser(contents: string, minify = false) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    minify,
    platform: 'browser',
    format: 'iife',
    globalName: 'answer',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  return { text: outputFiles[0]?.text ?? '', metafile };
}

describe('a bundle for the browser', () => {
  it('imports nothing, and holds no file but ours', async () => {
    const { metafile } = await forTheBrowser(`export * from './dist/index.js'`);
    expect(Object.keys(metafile.inputs).sort()).toEqual(['<stdin>', 'dist/index.js']);
    expect(Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))).toEqual([
      'dist/index.js',
    ]);
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
  });

  it('names no Node built-in, neither imported nor required', async () => {
    const { text } = await forTheBrowser(`export * from './dist/index.js'`);
    expect(text).toContain('ERR_FALLBACK_EXHAUSTED');
    expect(text).not.toMatch(/["'`]node:/);
    const named = builtinModules.filter((name) =>
      new RegExp(`(?:from|import|require)\\s*\\(?["'\`]${name}["'\`]`).test(text),
    );
    expect(named).toEqual([]);
  });

  it('calls our errors by their names, minified too', async () => {
    const { text } = await forTheBrowser(
      `
      import { createDuctape, InvalidRequestError } from './dist/index.js';
      const { fallback } = createDuctape({ env: 'prd', product: 'shop', fallbacks: [] });
      export const result = fallback.run({}).catch(({ name, stack }) => [InvalidRequestError.name, name, stack]);
      `,
      true,
    );
    const names = await runInContext(`${text}; answer.result`, createContext(browserGlobals()));
    expect([...names]).toEqual([
      'InvalidRequestError',
      'InvalidRequestError',
      expect.stringMatching(/^InvalidRequestError: /),
    ]);
  });

  it('works where there is no Node', async () => {
    const { text } = await forTheBrowser(`
      import { createDuctape, defineFallback } from './dist/index.js';
      const fallback = defineFallback({
        tag: 'page',
        providers: [
          { name: 'origin', run: () => { throw new Error('down'); } },
          { name: 'static', value: typeof process + typeof Buffer },
        ],
      });
      const ductape = createDuctape({ env: 'prd', product: 'shop', fallbacks: [fallback] });
      export const result = ductape.fallback.run({ fallback_tag: 'page', action: 'trigger' });
    `);
    const context = createContext(browserGlobals());
    const { output, provider, state } = await runInContext(`${text}; answer.result`, context);
    expect({ output, provider, state }).toEqual({
      output: 'undefinedundefined',
      provider: 'static',
      state: 'triggered',
    });
  });
});

describe('an import', () => {
  it('adds nothing to globalThis, and starts no timer, handle or listener', () => {
    const program = `
      const look = () => ({
        names: Reflect.ownKeys(globalThis).map(String).sort(),
        // But for the requests by which Node itself reads modules: FSReqPromise, CloseReq.
        resources: process.getActiveResourcesInfo().filter((kind) => !kind.includes('Req')).sort(),
        listeners: process.eventNames().map(String).sort(),
      });
      await 0;
      const before = look();
      const { createDuctape } = await import(process.argv[1]);
      const after = look();
      console.log(JSON.stringify({ before, after, imported: typeof createDuctape }));
    `;
    const options = ['--input-type=module', '--eval', program, pathToFileURL(DIST).href];
    const { before, after, imported } = JSON.parse(execFileSync(process.execPath, options, { encoding: 'utf8' }));
    expect(imported).toBe('function');
    expect(before.names).toContain('setTimeout');
    expect(after).toEqual(before);
  });

  it('leaves the globals of a page alone', async () => {
    const { text } = await forTheBrowser(`export * from './dist/index.js'`);
    const context = createContext(browserGlobals());
    const names = () => runInContext('Reflect.ownKeys(globalThis)', context).map(String).sort();
    const before = names();
    expect(runInContext(`${text}; typeof answer.createDuctape`, context)).toBe('function');
    expect(names()).toEqual([...before, 'answer'].sort());
  });
});

describe('our own code', () => {
  it(`is at most ${OWN_CODE_LIMIT} bytes, minified and gzipped`, async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [resolve(ROOT, 'src/index.ts')],
      absWorkingDir: ROOT,
      bundle: true,
      external: ['zod', 'xstate', 'lru-cache', 'leven'],
      format: 'esm',
      target: 'es2022',
      platform: 'neutral',
      minify: true,
      write: false,
      metafile: true,
    });
    expect(Object.keys(metafile.inputs).filter((input) => !input.startsWith('src/'))).toEqual([]);
    const size = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
    expect(size).toBeGreaterThan(OWN_CODE_LIMIT / 4);
    expect(size).toBeLessThanOrEqual(OWN_CODE_LIMIT);
  });
});
