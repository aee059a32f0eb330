import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Packages whose tests replace no modules and change nothing of their process: their files share what they load, which halves their time. */
const SHARING = ['packages/{api,one-client,one-sim,orchestrator,policies,proxy-attach}/test/**/*.test.ts', 'apps/cli/test/**/*.test.ts'];
const ALL = ['{packages,apps}/*/test/**/*.test.ts', 'tests/**/*.test.{ts,mjs}', 'bench/test/**/*.test.mjs'];
const NEVER = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  resolve: { conditions: ['@onevault/source'] },
  ssr: { resolve: { conditions: ['@onevault/source'], externalConditions: ['@onevault/source'] } },
  test: {
    projects: [
      { extends: true, test: { name: 'apart', include: ALL, exclude: [...NEVER, ...SHARING] } },
      { extends: true, test: { name: 'sharing', include: SHARING, exclude: NEVER, isolate: false } },
    ],
    testTimeout: 30_000,
    // By default vitest leaves one core free, which on two of them means one file at a time; much of the suite waits for processes and disks.
    maxWorkers: Math.max(2, availableParallelism() + 1),
    reporters: ['default', './scripts/vitest-tally.mjs'],
  },
});
