import type { Options } from 'tsup';

/** The one build shape: ESM for Node 20, types beside it. Kept trivial so that a successor of tsup is one file away. */
export function library(entry: NonNullable<Options['entry']> = { index: 'src/index.ts' }): Options {
  return {
    entry,
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    clean: true,
    // tsup 8.5 injects baseUrl, which TypeScript 6 reports as TS5101 (egoist/tsup#1388).
    // The source condition is for development; published types must resolve through dist.
    dts: { compilerOptions: { ignoreDeprecations: '6.0', customConditions: [], rewriteRelativeImportExtensions: false } },
  };
}
