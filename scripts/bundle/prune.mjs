import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';

/** Never read at run time: source maps, type declarations, prose (licences are kept: they must go where the code goes), test entries, what pnpm notes. */
const UNUSED_FILES = [
  /\.map$/,
  /\.d\.[cm]?ts$/,
  /\.(md|markdown|flow)$/i,
  /^\.(modules\.yaml|pnpm-workspace-state.*|package-lock\.json|npmignore|editorconfig|eslintrc.*)$/,
];
const LICENCE = /^(licen[cs]e|copying|notice)/i;
const UNUSED_DIRS = new Set(['.bin', '.github', '.turbo']);

/** Removes from a deployed tree what a run cannot need, and says how many files that were. */
export async function prune(root) {
  const removed = await pruneDir(root);
  // The test entries of our own packages, and the TypeScript sources that zod ships beside its build.
  for (const dir of await ownPackages(root)) await rm(`${dir}/dist/testing`, { recursive: true, force: true });
  await rm(`${root}/node_modules/zod/src`, { recursive: true, force: true });
  // The AWS SDK ships each module three times; Node loads the one in dist-cjs.
  for (const dir of await awsPackages(root)) for (const unused of ['dist-es', 'dist-types']) await rm(`${dir}/${unused}`, { recursive: true, force: true });
  return `${removed} files`;
}

async function pruneDir(dir) {
  let removed = 0;
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory() && !UNUSED_DIRS.has(entry.name)) removed += await pruneDir(path);
    else if (entry.isDirectory() || isUnused(entry.name)) {
      await rm(path, { recursive: true });
      removed += 1;
    }
  }
  return removed;
}

function isUnused(name) {
  return !LICENCE.test(name) && UNUSED_FILES.some((pattern) => pattern.test(name));
}

async function awsPackages(root) {
  const scopes = ['@aws', '@aws-sdk', '@smithy'].map((scope) => `${root}/node_modules/${scope}`);
  const found = await Promise.all(scopes.filter((scope) => existsSync(scope)).map(async (scope) => (await readdir(scope)).map((name) => `${scope}/${name}`)));
  return found.flat();
}

async function ownPackages(root) {
  const scope = `${root}/node_modules/@onevault`;
  return (await readdir(scope)).map((name) => `${scope}/${name}`);
}
