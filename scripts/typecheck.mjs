/**
 * Typechecks the package in the working directory, tests included; `--emit` writes its declarations to dist/types. Other packages are seen as their users see them, by
 * their own declarations: turbo has those made before.
 */
import { endLike, run } from './tools/child.mjs';
import { ROOT } from './tools/paths.mjs';

const EMIT = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', 'dist/types', '--rootDir', '.'];

// The native compiler is not yet one that other tools can load: those have the one before it.
const compiler = `${ROOT}node_modules/typescript-7/bin/tsc`;
endLike(await run(process.execPath, [compiler, '--customConditions', 'null', ...(process.argv.includes('--emit') ? EMIT : [])]));
