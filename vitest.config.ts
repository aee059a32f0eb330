import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** Packages see one another's sources: nothing need be built while one works. */
const SOURCES = {
  resolve: { conditions: ['@onevault/source'] },
  ssr: { resolve: { conditions: ['@onevault/source'], externalConditions: ['@onevault/source'] } },
};
/**
 * What crosses packages sees them under CI as users do, built; loading 200 sources for each file took as long as a fifth of the tests. Their testing entries talk to vitest
 * and so go through it.
 */
const ACROSS =
  process.env['CI'] === 'true'
    ? { test: { server: { deps: { external: [/\/packages\/[^/]+\/dist\/(?!testing\/)/], inline: [/\/dist\/testing\//] } } } }
    : SOURCES;

/** Files that replace modules, or count what their process keeps, have what they load to themselves; all others share it, which halves their time. */
const REPLACING = [
  'packages/backup-format/test/{bad-stores,gc,model}/**/*.test.ts',
  'packages/block-cbt/test/{holes-absent,scan-memory}.test.ts',
  'packages/one-client/test/answer-decoder.test.ts',
];
const NEVER = ['**/node_modules/**', '**/dist/**'];

function project(
  name: string,
  how: typeof SOURCES | typeof ACROSS,
  test: { include: string[]; exclude?: string[]; isolate?: boolean },
): TestProjectInlineConfiguration {
  const own = 'test' in how ? how.test : {};
  return { extends: true, ...how, test: { name, ...own, ...test, exclude: [...NEVER, ...(test.exclude ?? [])] } };
}

export default defineConfig({
  test: {
    projects: [
      project('across', ACROSS, {
        include: ['tests/**/*.test.{ts,mjs}', 'bench/test/**/*.test.mjs', 'apps/{server,web}/test/**/*.test.ts'],
        isolate: false,
      }),
      project('packages', SOURCES, { include: ['{packages/*,apps/cli}/test/**/*.test.ts'], exclude: REPLACING, isolate: false }),
      project('replacing', SOURCES, { include: REPLACING }),
    ],
    testTimeout: 60_000,
    // The defaults, ten seconds for a hook and one for a poll, pass on a busy machine without a turn for whoever is waited for.
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    // By default vitest leaves one core free, which on two of them means one file at a time; much of the suite waits for processes and disks.
    maxWorkers: availableParallelism() + 2,
    reporters: ['default', './scripts/vitest-tally.mjs'],
  },
});
