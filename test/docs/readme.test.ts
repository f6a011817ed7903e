import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { safetyFields } from '../../src/definition/safety.ts';
import { Events } from '../../src/events.ts';
import { systemClock } from '../../src/index.ts';

const folder = join('node_modules', '.cache', 'readme');
const pages = ['README.md', ...pagesIn('docs')];
const fences = pages.flatMap((page) => fencesOf(read(page), page));
const { FORCE_COLOR: _, ...env } = process.env;

interface Fence {
  /** Where it begins in its page, 1-based. */
  readonly line: number;
  readonly page: string;
  readonly isRun: boolean;
  /** In {@link folder}. */
  readonly file: string;
  readonly code: string;
}

function pagesIn(place: string): string[] {
  if (!existsSync(place)) return [];
  const names = readdirSync(place).filter((name) => name.endsWith('.md'));
  return names.sort().map((name) => `${place}/${name}`);
}

function read(page: string): string {
  return existsSync(page) ? readFileSync(page, 'utf8') : '';
}

/** Every fence that is marked `ts`; those marked `ts no-run` are checked, but not run. */
function fencesOf(markdown: string, page: string): Fence[] {
  return [...markdown.matchAll(/^```ts(?<info>[ \t].*)?\n(?<code>[\s\S]*?)^```[ \t]*$/gm)].map(({ index, groups }) => {
    const line = markdown.slice(0, index).split('\n').length;
    const isRun = !groups?.info?.split(/\s+/).includes('no-run');
    const file = `${page.replace(/\.md$/, '').replace(/\W/g, '-')}-line-${line}.ts`;
    return { line, page, isRun, file, code: groups?.code ?? '' };
  });
}

/** What a fence says that it prints: each comment `// → this`. */
function promisesOf(code: string): string[] {
  return [...code.matchAll(/\/\/ → (?<printed>.+)$/gm)].map(({ groups }) => groups?.printed ?? '');
}

/** As links name them. */
function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (?<title>.+)$/gm)].map(({ groups }) =>
    (groups?.title ?? '')
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
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
  const files = fences.map(({ file }) => file);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions, files, include: [] }),
  );
  // Empty lines before it, so that a complaint names the line of its page.
  for (const { line, file, code } of fences) writeFileSync(join(folder, file), '\n'.repeat(line) + code);
});

describe('README.md', () => {
  const readme = read('README.md');

  it('has fewer than 200 lines', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThan(200);
  });

  it.each(['npm ci && npm start', 'npm cit'])('names `%s`', (command) => {
    expect(readme).toContain(command);
  });
});

describe('docs/provider-safety.md', () => {
  const page = read('docs/provider-safety.md');
  const rows = [...page.matchAll(/^\| `(?<name>[\w-]+)/gm)].map(({ groups }) => groups?.name);

  it.each([...Object.keys(safetyFields()), 'lastGood', 'reuse', 'retryBudget', 'whenAllUnhealthy'])(
    'has a row for the field %s',
    (field) => {
      expect(rows).toContain(field);
    },
  );

  it.each(new Events(systemClock).types.filter((type) => /provider|doubt|compensat|late/.test(type)))(
    'has a row for the event %s',
    (type) => {
      expect(rows).toContain(type);
    },
  );
});

describe.each(['README.md', 'docs/provider-safety.md'])('%s', (page) => {
  it('has code to show, some of it to run', () => {
    const shown = fences.filter((fence) => fence.page === page);
    expect(shown, `${page} has no \`\`\`ts fence`).not.toEqual([]);
    expect(
      shown.filter(({ isRun }) => isRun),
      `${page} has no \`\`\`ts fence to run`,
    ).not.toEqual([]);
  });
});

describe.each(pages)('%s', (page) => {
  it('links to nothing that is not there', () => {
    const links = [...read(page).matchAll(/\]\((?<path>[^)#]*)(?:#(?<heading>[^)]*))?\)/g)];
    const broken = links.filter(({ groups }) => {
      const path = groups?.path ?? '';
      const heading = groups?.heading;
      if (/^\w+:/.test(path)) return false;
      const target = path ? join(page, '..', path) : page;
      return !existsSync(target) || (heading !== undefined && !headingsOf(read(target)).includes(heading));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

describe('the code of all pages', () => {
  it('compiles under strict rules', () => {
    expect(node('node_modules/typescript/bin/tsc', '-p', folder)).toEqual({ status: 0, printed: '' });
  });

  it.each(fences.filter(({ isRun }) => isRun))('runs, at $page:$line, and prints what it says', ({ file, code }) => {
    const { status, printed } = node('--import', 'tsx', join(folder, file));
    expect(status, printed).toBe(0);
    expect(printed.split('\n')).toEqual(expect.arrayContaining(promisesOf(code)));
  });
});

describe('fencesOf', () => {
  it('finds every ts fence, tells which are to be run, and leaves other languages alone', () => {
    const markdown =
      '# A\n```ts\none();\n```\n```sh\nnpm ci\n```\n```ts no-run\ntwo();\n\n```\n```tsx\nthree();\n```\n';
    const page = 'docs/a-b.md';
    expect(fencesOf(markdown, page)).toEqual([
      { line: 2, page, isRun: true, file: 'docs-a-b-line-2.ts', code: 'one();\n' },
      { line: 8, page, isRun: false, file: 'docs-a-b-line-8.ts', code: 'two();\n\n' },
    ]);
  });
});

describe('promisesOf', () => {
  it('finds what is said to be printed, and no other comment', () => {
    expect(promisesOf('// a\nlog(1); // → 1, or so\n// → 2\nlog(3); // 3\n')).toEqual(['1, or so', '2']);
  });
});
