import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const folder = join('node_modules', '.cache', 'readme');
const readme = existsSync('README.md') ? readFileSync('README.md', 'utf8') : '';
const fences = fencesOf(readme);
const { FORCE_COLOR: _, ...env } = process.env;

interface Fence {
  /** Where it begins in README.md, 1-based. */
  readonly line: number;
  readonly isRun: boolean;
  readonly file: string;
  readonly code: string;
}

/** Every fence that is marked `ts`; those marked `ts no-run` are checked, but not run. */
function fencesOf(markdown: string): Fence[] {
  return [...markdown.matchAll(/^```ts(?<info>[ \t].*)?\n(?<code>[\s\S]*?)^```[ \t]*$/gm)].map(({ index, groups }) => {
    const line = markdown.slice(0, index).split('\n').length;
    const isRun = !groups?.info?.split(/\s+/).includes('no-run');
    return { line, isRun, file: join(folder, `line-${line}.ts`), code: groups?.code ?? '' };
  });
}

function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000, env });
  return { status, printed: stdout + stderr };
}

/** A project like a reader's own: the package is installed in it, and each fence is a module of its own. */
beforeAll(() => {
  if (!existsSync('dist/index.js')) throw new Error('The fences import the built package: run `npm run build` first');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(process.cwd(), join(folder, 'node_modules', 'ductape-fallback'), 'junction');
  const compilerOptions = { moduleDetection: 'force', noUnusedLocals: false, noUnusedParameters: false };
  const files = fences.map(({ line }) => `line-${line}.ts`);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions, files, include: [] }),
  );
  // Empty lines before it, so that a complaint names the line of README.md.
  for (const { line, file, code } of fences) writeFileSync(file, '\n'.repeat(line) + code);
});

describe('README.md', () => {
  it('has code to show, some of it to run', () => {
    expect(fences, 'README.md has no ```ts fence').not.toEqual([]);
    expect(
      fences.filter(({ isRun }) => isRun),
      'README.md has no ```ts fence to run',
    ).not.toEqual([]);
  });

  it('has fewer than 200 lines', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThan(200);
  });

  it.each(['npm ci && npm start', 'npm cit'])('names `%s`', (command) => {
    expect(readme).toContain(command);
  });

  it('shows code that compiles under strict rules', () => {
    expect(node('node_modules/typescript/bin/tsc', '-p', folder)).toEqual({ status: 0, printed: '' });
  });

  it.each(fences.filter(({ isRun }) => isRun))('shows code that runs, at line $line', ({ file }) => {
    const { status, printed } = node('--import', 'tsx', file);
    expect(status, printed).toBe(0);
  });
});

describe('fencesOf', () => {
  it('finds every ts fence, tells which are to be run, and leaves other languages alone', () => {
    const markdown =
      '# A\n```ts\none();\n```\n```sh\nnpm ci\n```\n```ts no-run\ntwo();\n\n```\n```tsx\nthree();\n```\n';
    expect(fencesOf(markdown)).toEqual([
      { line: 2, isRun: true, file: join(folder, 'line-2.ts'), code: 'one();\n' },
      { line: 8, isRun: false, file: join(folder, 'line-8.ts'), code: 'two();\n\n' },
    ]);
  });
});
