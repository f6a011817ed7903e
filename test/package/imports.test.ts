import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript-5.9';
import { describe, expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

/** Who may import whom, himself aside: index → ductape → engine → memory → machine, and what all of them stand on. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  index: ['ductape', 'engine', 'definition', 'errors', 'events', 'types', 'typing'],
  ductape: ['engine', 'memory', 'definition', 'errors', 'events', 'types', 'typing'],
  engine: ['memory', 'definition', 'session', 'errors', 'events', 'quote', 'types'],
  memory: ['machine', 'definition', 'errors', 'events', 'quote', 'types'],
  machine: ['quote', 'types'],
  session: ['definition', 'errors', 'quote', 'types'],
  definition: ['errors', 'quote', 'types'],
  typing: ['events', 'types'],
  events: ['errors', 'quote', 'types'],
  errors: ['quote', 'types'],
  quote: ['types'],
  // The kit stands on the public face; nothing stands on the kit.
  testing: ['index'],
  types: [],
};

/** One dependency, one door. */
const DOORS: Record<string, string> = {
  xstate: 'machine',
  'lru-cache': 'memory',
  zod: 'definition',
  leven: 'definition',
  'fast-check': 'testing',
};

/** Where time, chance and the world around come in. */
const AMBIENT: Record<string, readonly string[]> = {
  // Only to be told from other values.
  Date: ['memory/canon.ts'],
  performance: ['engine/clock.ts'],
  setTimeout: ['engine/clock.ts'],
  clearTimeout: ['engine/clock.ts'],
  setInterval: [],
  setImmediate: ['testing/virtual-clock.ts'],
  'AbortSignal.timeout': [],
  'Math.random': ['ductape.ts'],
  crypto: ['ductape.ts'],
  globalThis: [],
  global: [],
  process: [],
  Buffer: [],
  require: [],
  console: [],
};

interface SourceFile {
  /** Its path below src. */
  readonly path: string;
  /** Its folder, or its own name where it stands at the top. */
  readonly room: string;
  /** What it imports, types included: paths below src, and packages. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
  /** The ambient names that it reads. */
  readonly ambient: readonly string[];
  readonly awaits: boolean;
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => read(path.replaceAll('\\', '/')));

function read(path: string): SourceFile {
  const specifiers: string[] = [];
  const ambient = new Set<string>();
  let awaits = false;
  const visit = (node: ts.Node): void => {
    const from =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : undefined;
    if (from && ts.isStringLiteral(from)) specifiers.push(from.text);
    if (ts.isPropertyAccessExpression(node) && node.getText() in AMBIENT) ambient.add(node.getText());
    if (ts.isIdentifier(node) && node.text in AMBIENT && !isName(node)) ambient.add(node.text);
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) awaits = true;
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(join(SRC, path), 'utf8'), ts.ScriptTarget.ES2022, true));
  const inside = (specifier: string) => specifier.startsWith('.');
  return {
    path,
    room: roomOf(path),
    files: specifiers.filter(inside).map((specifier) => relative(SRC, resolve(SRC, dirname(path), specifier))),
    packages: specifiers.filter((specifier) => !inside(specifier)),
    ambient: [...ambient],
    awaits,
  };
}

/** `clock.setTimeout`, `{ setTimeout: … }`: a name of someone's own, not the global. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return node !== parent.getChildAt(0);
  return 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
}

function roomOf(path: string): string {
  return path.replace(/\.ts$/, '').split('/')[0] ?? path;
}

function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

describe('the imports of src', () => {
  it('are read, types included', () => {
    expect(sources.length).toBeGreaterThan(30);
    expect(sources.find(({ path }) => path === 'machine/persist.ts')).toMatchObject({
      files: expect.arrayContaining(['machine/step.ts']),
    });
    const known = new Set(sources.map(({ path }) => path));
    expect(sources.flatMap(({ files }) => files).filter((file) => !known.has(file))).toEqual([]);
  });

  it('form no cycle', () => {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (path: string, way: readonly string[]): void => {
      if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' → '));
      if (way.includes(path) || done.has(path)) return;
      for (const next of byPath.get(path)?.files ?? []) walk(next, [...way, path]);
      done.add(path);
    };
    for (const { path } of sources) walk(path, []);
    expect(cycles).toEqual([]);
  });

  it('go one way', () => {
    const wrong = sources.flatMap(({ path, room, files }) =>
      files
        .filter((file) => roomOf(file) !== room && !MAY_IMPORT[room]?.includes(roomOf(file)))
        .map((file) => `${path} imports ${file}`),
    );
    expect(wrong).toEqual([]);
    const rooms = new Set(sources.map(({ room }) => room));
    expect(Object.keys(MAY_IMPORT).sort()).toEqual([...rooms].sort());
  });

  it('reach each dependency through one door, and no other package', () => {
    const doors = new Map<string, Set<string>>();
    for (const { room, packages } of sources) {
      for (const name of packages.map(packageOf)) doors.set(name, (doors.get(name) ?? new Set()).add(room));
    }
    const found = Object.fromEntries([...doors].map(([name, rooms]) => [name, [...rooms].join()]));
    expect(found).toEqual(DOORS);
  });

  it('name no Node built-in', () => {
    const builtIn = (name: string) => name.startsWith('node:') || builtinModules.includes(packageOf(name));
    expect(sources.filter(({ packages }) => packages.some(builtIn)).map(({ path }) => path)).toEqual([]);
  });
});

describe('the world around src', () => {
  it('is read where time, chance and the nonce come in, and nowhere else', () => {
    const readers = (name: string) => sources.filter(({ ambient }) => ambient.includes(name)).map(({ path }) => path);
    expect(Object.fromEntries(Object.keys(AMBIENT).map((name) => [name, readers(name)]))).toEqual(AMBIENT);
  });

  it('is awaited in engine, and in the kit, alone', () => {
    const awaiting = sources.filter(({ awaits }) => awaits).map(({ room }) => room);
    expect([...new Set(awaiting)].sort()).toEqual(['engine', 'testing']);
  });
});
