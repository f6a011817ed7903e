import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    // Laws run 1,000 random histories each here, 100,000 in `npm run test:deep`.
    testTimeout: process.env.DEEP ? 3_600_000 : 120_000,
    typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      exclude: ['src/types.ts', 'src/typing.ts'],
      reporter: ['text', 'html'],
    },
  },
});
