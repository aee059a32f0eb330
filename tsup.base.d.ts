import type { Options } from 'tsup';
/** The one build shape: ESM for Node 20, types beside it. Kept trivial so that a successor of tsup is one file away. */
export declare function library(entry?: NonNullable<Options['entry']>): Options;
