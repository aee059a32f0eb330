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

/** Packages whose tests replace no modules and change nothing of their process: their files share what they load, which halves their time. */
const SHARING = ['packages/{api,one-client,one-sim,orchestrator,policies,proxy-attach}/test/**/*.test.ts', 'apps/cli/test/**/*.test.ts'];
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
      project('across', ACROSS, { include: ['tests/**/*.test.{ts,mjs}', 'bench/test/**/*.test.mjs', 'apps/{server,web}/test/**/*.test.ts'] }),
      project('packages', SOURCES, { include: ['packages/*/test/**/*.test.ts'], exclude: SHARING }),
      project('sharing', SOURCES, { include: SHARING, isolate: false }),
    ],
    testTimeout: 30_000,
    // By default vitest leaves one core free, which on two of them means one file at a time; much of the suite waits for processes and disks.
    maxWorkers: Math.max(2, availableParallelism() + 1),
    reporters: ['default', './scripts/vitest-tally.mjs'],
  },
});
