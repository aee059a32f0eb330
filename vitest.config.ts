import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@onevault/source'] },
  ssr: { resolve: { conditions: ['@onevault/source'], externalConditions: ['@onevault/source'] } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'tests/**/*.test.{ts,mjs}', 'bench/test/**/*.test.mjs'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 30_000,
    reporters: ['default', './scripts/vitest-tally.mjs'],
  },
});
