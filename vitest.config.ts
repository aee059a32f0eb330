import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@onevault/source'] },
  ssr: { resolve: { conditions: ['@onevault/source'], externalConditions: ['@onevault/source'] } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'tests/**/*.test.{ts,mjs}', 'bench/test/**/*.test.mjs'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 30_000,
    // By default vitest leaves one core free, which on two of them means one file at a time; much of the suite waits for processes and disks.
    maxWorkers: Math.max(2, availableParallelism() + 1),
    reporters: ['default', './scripts/vitest-tally.mjs'],
  },
});
