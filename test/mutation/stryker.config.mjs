import { fileURLToPath } from 'node:url';

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  testRunner: 'vitest',
  // The vitest configuration reads from `related` which file is mutated.
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: true },
  mutate: ['src/**/*.ts'],
  coverageAnalysis: 'perTest',
  // A timeout counts as a kill, so that none may come from a busy machine; endless loops are mostly seen by their hits.
  timeoutFactor: 2.5,
  timeoutMS: 30_000,
  concurrency: 2,
  // All test files run in one process, the kit's histories among them.
  testRunnerNodeArgs: ['--max-old-space-size=8192'],
  // TypeScript 7 has no API for Stryker to rewrite a tsconfig with, and ours needs no rewriting.
  tsconfigFile: 'none',
  ignorePatterns: ['dist', 'coverage', 'examples', '.scratch', 'test/bench', 'test/docs', 'test/package'],
  tempDirName: '.scratch/stryker',
  incremental: true,
  incrementalFile: '.scratch/mutation-incremental.json',
  appendPlugins: [fileURLToPath(new URL('report.mjs', import.meta.url))],
  reporters: ['progress-append-only', 'json', 'markdown'],
  jsonReporter: { fileName: '.scratch/mutation.json' },
  thresholds: { high: 95, low: 90, break: 90 },
};
