import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MODULES = resolve(import.meta.dirname, '../../node_modules');

let folder: string;

/** No runner may take itself for a part of the one that runs this test, nor npm for a part of its npm. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|FORCE_COLOR)/i.test(name)),
  ),
  NO_COLOR: '1',
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ductape-fallback-runners-'));
  // The build has run; packing must not run it again beside the other tests.
  const told = npm(resolve(MODULES, '..'), 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  const [{ filename }] = JSON.parse(told) as [{ filename: string }];
  for (const user of ['alone', 'tester']) {
    mkdirSync(join(folder, user));
    write(user, 'package.json', JSON.stringify({ name: user, private: true, type: 'module' }));
    npm(join(folder, user), 'install', '--offline', '--no-audit', '--no-fund', join(folder, filename));
  }
  symlinkSync(join(MODULES, 'fast-check'), join(folder, 'tester/node_modules/fast-check'), 'junction');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function npm(cwd: string, ...args: readonly string[]): string {
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function write(user: string, name: string, text: string): void {
  writeFileSync(join(folder, user, name), text);
}

function node(user: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const options = { cwd: join(folder, user), env: { ...env, ...more }, encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  return { status, stdout, told: stdout + stderr };
}

describe('without fast-check', () => {
  it('the package installs alone', () => {
    const installed = readdirSync(join(folder, 'alone/node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed).toEqual(['ductape-fallback']);
  });

  it('the main entry works', () => {
    write(
      'alone',
      'main.js',
      `import { createDuctape, defineFallback } from 'ductape-fallback';
      const fallbacks = [defineFallback({ tag: 'payment-failure', providers: [{ name: 'queue', value: 'queued' }] })];
      const { fallback } = createDuctape({ env: 'prd', product: 'payments', fallbacks });
      console.log((await fallback.run({ fallback_tag: 'payment-failure', action: 'trigger' })).output);`,
    );
    expect(node('alone', ['main.js'])).toMatchObject({ status: 0, told: 'queued\n' });
  });

  it('the kit says that it is missing', () => {
    write('alone', 'kit.js', `import 'ductape-fallback/testing';`);
    const { status, told } = node('alone', ['kit.js']);
    expect(status).toBe(1);
    expect(told).toContain('ERR_MODULE_NOT_FOUND');
    expect(told).toContain("Cannot find package 'fast-check'");
  });
});

/** The double charge: the same lines under every runner, from the same seed. */
const TIMELINE = [
  '     0 ms  #1 trigger  {"orderId":0}',
  '     0 ms  state is triggered',
  '     0 ms  #1 stripe  attempt 1 → lost         effect landed',
  '     0 ms  #1 stripe  attempt 1 ✗ failed: answer lost',
  '     0 ms  #1 paypal  attempt 1 → ok           effect landed   ← second effect of trigger #1',
  '     0 ms  #1 recovered by paypal',
];

const POLICIES = `
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { defineFallback } from 'ductape-fallback';
import { alwaysRecovers, atMostOneEffect, checkFallback, PolicyViolation, settlesWithin } from 'ductape-fallback/testing';

const input = fc.record({ orderId: fc.nat(9) });
const stripe = { name: 'stripe', run: async () => 'charged', timeout: 800 };
const paypal = { name: 'paypal', run: async () => 'captured', timeout: 800 };
const queue = { name: 'queue', value: 'queued' };
const sound = defineFallback({ tag: 'sound', providers: [stripe, queue] });
const double = defineFallback({ tag: 'double', providers: [stripe, paypal, queue] });
`;

const TESTS = `
test('a policy keeps its promises', async () => {
  const invariants = [settlesWithin(800), alwaysRecovers(), atMostOneEffect()];
  const report = await checkFallback(sound, { input, invariants, runs: 100, seed: 1 });
  assert.equal(report.runs, 100);
  assert.ok(report.winners.queue > 0);
});

test('a double charge is found', async () => {
  const checked = checkFallback(double, { input, invariants: [atMostOneEffect()], seed: 1 });
  const found = await checked.catch((error) => error);
  assert.ok(found instanceof PolicyViolation, String(found));
  assert.equal(found.invariant, 'atMostOneEffect');
  assert.deepEqual(found.timeline.split('\\n'), ${JSON.stringify(TIMELINE)});
});

test('time is virtual where the runner has frozen its own', async () => {
  freeze();
  try {
    assert.equal((await checkFallback(sound, { input, runs: 20, seed: 1 })).runs, 20);
  } finally {
    thaw();
  }
});
`;

const TITLES = [...TESTS.matchAll(/^test\('(.+?)'/gm)].map(([, title]) => title);

const BROKEN = `
test('a promise that does not hold', () => checkFallback(double, { input, invariants: [atMostOneEffect()], seed: 1 }));
`;

/** Titles of the tests that passed, as vitest and jest tell them. */
function fromJson(told: string): string[] {
  type Told = { testResults: { assertionResults: { title: string; status: string }[] }[] };
  const tests = (JSON.parse(told) as Told).testResults.flatMap(({ assertionResults }) => assertionResults);
  return tests.filter(({ status }) => status === 'passed').map(({ title }) => title);
}

describe.each([
  {
    name: 'vitest',
    head: `import { test, vi } from 'vitest';
      const [freeze, thaw] = [() => vi.useFakeTimers(), () => vi.useRealTimers()];`,
    // A loaded machine may take longer than the five seconds that vitest and jest grant.
    args: [join(MODULES, 'vitest/vitest.mjs'), 'run', '--root', '.', '--testTimeout', '30000'],
    forReaders: [],
    forPrograms: ['--reporter', 'json'],
    passed: fromJson,
  },
  {
    name: 'jest',
    head: `import { jest, test } from '@jest/globals';
      const [freeze, thaw] = [() => jest.useFakeTimers(), () => jest.useRealTimers()];`,
    args: [
      // Without being told, jest 29 takes no .mjs for a test.
      ...[join(MODULES, 'jest/bin/jest.js'), '--rootDir', '.', '--testMatch', '**/*.mjs', '--testTimeout', '30000'],
      ...['--cacheDirectory', '.jest', '--watchman', 'false', '--runTestsByPath'],
    ],
    more: { NODE_OPTIONS: '--experimental-vm-modules' },
    forReaders: [],
    forPrograms: ['--json'],
    passed: fromJson,
  },
  {
    name: 'node',
    head: `import { mock, test } from 'node:test';
      const [freeze, thaw] = [() => mock.timers.enable(), () => mock.timers.reset()];`,
    args: ['--test'],
    forReaders: ['--test-reporter', 'spec'],
    forPrograms: ['--test-reporter', 'tap'],
    passed: (told: string) => [...told.matchAll(/^ *ok \d+ - (.+)$/gm)].map(([, title]) => title),
  },
])('the kit under $name', ({ name, head, args, more, forReaders, forPrograms, passed }) => {
  it('finds what breaks a promise, and nothing where none is broken', () => {
    write('tester', `${name}.test.mjs`, head + POLICIES + TESTS);
    // Options first: all that follows --runTestsByPath, and --test, is files.
    const [program = '', ...rest] = args;
    const { status, stdout, told } = node('tester', [program, ...forPrograms, ...rest, `${name}.test.mjs`], more);
    expect(status, told).toBe(0);
    expect(passed(stdout)).toEqual(TITLES);
    expect(TITLES).toHaveLength(3);
  });

  it('fails the test whose promise is broken, and shows how to replay it', () => {
    write('tester', `${name}-broken.test.mjs`, head + POLICIES + BROKEN);
    const [program = '', ...rest] = args;
    const { status, told } = node('tester', [program, ...forReaders, ...rest, `${name}-broken.test.mjs`], more);
    expect(status, told).toBe(1);
    expect(told).toMatch(/PolicyViolation.*: atMostOneEffect broke after \d+ histor(y|ies)/);
    expect(told).toMatch(/replay with \{ seed: 1, path: "[\d:]+" \}/);
    for (const line of TIMELINE) expect(told).toContain(line.trim());
  });
});
