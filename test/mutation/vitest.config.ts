import { defineConfig, type Plugin } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** From quick to slow; a file takes the last that fits. */
const PACE = [/\/test\/unit\//, /\/properties\//, /\/unit\/testing\//, /\/testing\/check\.test/];

/**
 * Stryker stops at the first test that kills, so the mutated file's own tests come first and the slow ones last. The slow
 * tests of the testing kit are shown only to mutants of the kit, which can make a score lower, never higher.
 */
class NearestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const [mutated, ...others] = this.ctx.config.related ?? [];
    const isDryRun = mutated === undefined || others.length > 0;
    return files
      .filter(({ moduleId }) => isDryRun || isMeantFor(moduleId, mutated))
      .toSorted((a, b) => paceOf(a.moduleId, mutated) - paceOf(b.moduleId, mutated));
  }
}

function isMeantFor(test: string, mutated: string): boolean {
  return !/\/unit\/testing\//.test(test) || mutated.includes('/src/testing/');
}

function paceOf(test: string, mutated = ''): number {
  const own = mutated.replace(/.*\/src\//, '/unit/').replace(/\.ts$/, '.test.ts');
  return own !== '' && test.endsWith(own) ? -1 : PACE.findLastIndex((pattern) => pattern.test(test));
}

/**
 * What `once` makes is made anew in each test: else only the first test to need a shape would meet the mutants in it, and
 * all others would be taken for blind to them.
 */
const ONCE = `export function once<T>(make: () => T): () => T {
  return () => {
    const made = ((globalThis as { madeOnce?: Map<unknown, unknown> }).madeOnce ??= new Map());
    if (!made.has(make)) made.set(make, make());
    return made.get(make) as T;
  };
}

`;
const forgetful: Plugin = {
  name: 'forgetful',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/src/definition/check.ts')) return undefined;
    const changed = code.replace(/export function once[\s\S]*?\n(?=export const duration)/, ONCE);
    if (changed === code) throw new Error('there is no `once` before `duration` any more');
    return changed;
  },
};

export default defineConfig({
  plugins: [forgetful],
  test: {
    include: ['test/unit/**/*.test.ts', 'test/properties/**/*.test.ts'],
    // These search for long, and every survivor would have to meet them all: without them a score can only be lower.
    exclude: ['test/properties/bad-input.test.ts', 'test/unit/testing/{zoo,planted,planted-safety,replay}.test.ts'],
    setupFiles: ['test/mutation/setup.ts'],
    // Each mutant gets a worker of its own all the same; within its run, modules are loaded once and not per file.
    isolate: false,
    sequence: { sequencer: NearestFirst },
    // A multiple of 20: laws take a quarter and a fifth of it.
    env: { RUNS: '40' },
    // Stryker reports. An empty list would stand for Vitest's own.
    reporters: [{}],
  },
});
