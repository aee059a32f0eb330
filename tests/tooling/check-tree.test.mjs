import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { node, ROOT, scratchTree } from './scratch.mjs';

const MANIFEST = JSON.parse(await readFile(`${ROOT}packages/base/package.json`, 'utf8'));

async function findingsIn(files) {
  const dir = await scratchTree(files);
  execFileSync('git', ['init', '-q', dir]);
  const { code, stdout } = await node([`${ROOT}scripts/check-tree.mjs`, dir]);
  const findings = stdout.split('\n').filter((line) => line !== '');
  expect(code).toBe(findings.length === 0 ? 0 : 1);
  return findings;
}

function basePackage(changes = {}) {
  return { 'packages/base/package.json': JSON.stringify({ ...MANIFEST, ...changes }), 'packages/base/README.md': '# base' };
}

test('a tree that follows the rules has no findings', async () => {
  expect(await findingsIn({ ...basePackage(), 'packages/base/src/clock.ts': '', 'packages/base/test/clock.test.ts': '' })).toEqual([]);
});

test.each(['packages/base/src/utils.ts', 'packages/base/src/helpers/a.ts', 'apps/cli/src/types.ts', 'tests/common/a.mjs'])('%s says nothing', async (path) => {
  expect(await findingsIn({ ...basePackage(), [path]: '' })).toEqual([expect.stringContaining(path)]);
});

test.each([
  ['another licence', { license: 'MIT' }, '"license"'],
  ['an export of every file', { exports: { './*': './*' } }, '"exports"'],
  ['side effects', { sideEffects: undefined }, '"sideEffects"'],
  ['a version of its own', { dependencies: { zod: '^4.0.0' } }, 'zod must be "catalog:"'],
  ['a workspace package by version', { devDependencies: { '@onevault/base': '0.1.0' } }, '@onevault/base must be "workspace:*"'],
])('a manifest with %s is found', async (_title, changes, expected) => {
  expect(await findingsIn(basePackage(changes))).toEqual([expect.stringContaining(expected)]);
});

test('a package without README is found', async () => {
  const { 'packages/base/README.md': _, ...files } = basePackage();
  expect(await findingsIn(files)).toEqual([expect.stringContaining('README')]);
});

test.each(['Date.now()', 'new Date()', 'performance.now()', 'Math.random()'])('%s in a package is found, with its line', async (call) => {
  const findings = await findingsIn({ ...basePackage(), 'packages/base/src/a.ts': `// ${call} in a comment\nexport const a = ${call};` });
  expect(findings).toEqual([expect.stringContaining('packages/base/src/a.ts:2: ')]);
});

test('only the clock itself reads the time, and tests may', async () => {
  const text = 'export const a = Date.now();';
  expect(await findingsIn({ ...basePackage(), 'packages/base/src/clock.ts': text, 'packages/base/test/a.test.ts': text })).toEqual([]);
});
