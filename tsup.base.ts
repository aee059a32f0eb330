import type { Options } from 'tsup';

/** The one build shape: ESM for Node 20; declarations are the typecheck's. Kept trivial so that a successor of tsup is one file away. */
export function library(entry: NonNullable<Options['entry']> = { index: 'src/index.ts' }): Options {
  return {
    entry,
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    clean: ['!types/**'],
    // Contract suites of a testing entry register their tests with the reader's own vitest, not with a copy bundled here.
    external: ['vitest'],
  };
}
