import { expect, test } from 'vitest';
import layers from '../../.dependency-cruiser.mjs';
import { node, ROOT, scratchTree } from './scratch.mjs';

/** For each rule a file that breaks it (the first), and what it needs to do so. No path occurs twice: all of them are one tree. */
const VIOLATIONS = {
  'base-stands-alone': { 'packages/base/src/with-files.ts': `import { open } from 'node:fs';\nexport const a = open;` },
  'capabilities-apart': {
    'packages/block-cbt/src/with-client.ts': `import type { Vm } from '../../one-client/src/index.ts';\nexport type A = Vm;`,
    'packages/one-client/src/index.ts': 'export type Vm = 1;\nexport const states = 1;',
  },
  'api-is-data': { 'packages/api/src/with-node.ts': `import { createHash } from 'node:crypto';\nexport const a = createHash;` },
  'audit-log-alone': { 'packages/audit-log/src/with-socket.ts': `import { connect } from 'node:net';\nexport const a = connect;` },
  'run-queue-alone': { 'packages/run-queue/src/with-policies.ts': `import { states } from '../../one-client/src/index.ts';\nexport const a = states;` },
  'composition-for-roots': {
    'packages/policies/src/with-composition.ts': `import { open } from '../../composition/src/index.ts';\nexport const a = open;`,
    'packages/composition/src/index.ts': 'export const open = 1;',
  },
  'web-speaks-http': {
    'apps/web/src/with-base.ts': `import { fake } from '../../../packages/base/src/index.ts';\nexport const a = fake;`,
    'packages/base/src/index.ts': 'export const fake = 1;',
  },
  'policies-are-pure': { 'packages/policies/src/with-files.ts': `import { open } from 'node:fs';\nexport const a = open;` },
  'simulator-independent': { 'packages/one-sim/src/with-client.ts': `import { states } from '../../one-client/src/index.ts';\nexport const a = states;` },
  'orchestrator-without-io': { 'packages/orchestrator/src/with-files.ts': `import { open } from 'node:fs/promises';\nexport const a = open;` },
  'journal-without-network': { 'packages/orchestrator/src/file-journal.ts': `import { connect } from 'node:net';\nexport const a = connect;` },
  'workflows-below-apps': {
    'packages/orchestrator/src/with-app.ts': `import { main } from '../../../apps/cli/src/main.ts';\nexport const a = main;`,
    'apps/cli/src/main.ts': 'export const main = 1;',
  },
  'orchestrator-without-simulator': {
    'packages/orchestrator/src/with-simulator.ts': `import { start } from '../../one-sim/src/index.ts';\nexport const a = start;`,
    'packages/one-sim/src/index.ts': 'export const start = 1;',
  },
  'production-without-testing': {
    'packages/base/src/with-fake.ts': `import { fake } from '../testing/index.ts';\nexport const a = fake;`,
    'packages/base/testing/index.ts': 'export const fake = 1;',
  },
  'public-entries-only': {
    'apps/cli/src/with-hidden.ts': `import { hidden } from '../../../packages/base/src/hidden.ts';\nexport const a = hidden;`,
    'packages/base/src/hidden.ts': 'export const hidden = 1;',
  },
  'tests-through-public-entries': { 'tests/e2e/x.test.ts': `import { hidden } from '../../packages/base/src/hidden.ts';\nexport const a = hidden;` },
  'stores-know-keys-and-bytes': {
    'packages/backup-format/src/store/with-manifest.ts': `import { manifest } from '../manifest.ts';\nexport const a = manifest;`,
    'packages/backup-format/src/manifest.ts': 'export const manifest = 1;',
  },
  'format-is-pure': { 'packages/backup-format/src/format/with-files.ts': `import { open } from 'node:fs';\nexport const a = open;` },
  'no-cycle': {
    'packages/base/src/cycle-a.ts': `import { b } from './cycle-b.ts';\nexport const a = () => b;`,
    'packages/base/src/cycle-b.ts': `import { a } from './cycle-a.ts';\nexport const b = () => a;`,
  },
  resolvable: { 'packages/base/src/with-missing.ts': `import { b } from './missing.ts';\nexport const a = b;` },
  'declared-for-production': {
    'packages/block-cbt/src/with-dev-dependency.ts': `import { b } from 'fast-check';\nexport const a = b;`,
    'packages/block-cbt/package.json': '{"name":"@onevault/block-cbt","devDependencies":{"fast-check":"1"}}',
    'packages/block-cbt/node_modules/fast-check/package.json': '{"name":"fast-check","version":"1.0.0","main":"index.js"}',
    'packages/block-cbt/node_modules/fast-check/index.js': 'exports.b = 1;',
  },
};

test('every rule has an import that breaks it here, and a reason there', () => {
  expect(Object.keys(VIOLATIONS).sort()).toEqual(layers.forbidden.map(({ name }) => name).sort());
  for (const { comment } of layers.forbidden) expect(comment.length).toBeGreaterThan(40);
});

/** What the rules say of a tree of these files: `rule file` for each violation. */
async function violationsIn(files) {
  const dir = await scratchTree({ 'package.json': '{"type":"module"}', 'tsconfig.base.json': '{}', ...files });
  const folders = [...new Set(Object.keys(files).map((path) => path.split('/')[0]))];
  const args = [
    `${ROOT}node_modules/dependency-cruiser/bin/dependency-cruise.mjs`,
    '--config',
    `${ROOT}.dependency-cruiser.mjs`,
    '--output-type',
    'json',
    ...folders,
  ];
  const { stdout } = await node(args, { cwd: dir });
  return JSON.parse(stdout).summary.violations.map(({ rule, from }) => `${rule.name} ${from}`);
}

test('an import against each rule is found where it is', async () => {
  const found = await violationsIn(Object.assign({}, ...Object.values(VIOLATIONS)));
  expect(found).toEqual(expect.arrayContaining(Object.entries(VIOLATIONS).map(([rule, files]) => `${rule} ${Object.keys(files)[0]}`)));
});

test('what the layers allow is not reported', async () => {
  const allowed = {
    'packages/base/src/index.ts': `import { inspect } from 'node:util';\nexport const a = inspect;`,
    'packages/one-client/src/index.ts': `export { a } from '../../base/src/index.ts';`,
    'packages/orchestrator/src/file-journal.ts': `import { open } from 'node:fs/promises';\nexport const journal = open;`,
    'packages/orchestrator/src/index.ts': `import type { a } from '../../one-client/src/index.ts';\nexport { journal } from './file-journal.ts';\nexport type A = typeof a;`,
    'apps/cli/src/main.ts': `import { journal } from '../../../packages/orchestrator/src/index.ts';\nexport const main = journal;`,
    'packages/one-sim/src/world.ts': `import { step } from './step.ts';\nexport type World = typeof step;\nexport const a = step;`,
    'packages/one-sim/src/step.ts': `import type { World } from './world.ts';\nexport const step = (world: World) => world;`,
    'packages/backup-format/src/errors.ts': 'export const failed = 1;',
    'packages/backup-format/src/store/file-store.ts': `import { failed } from '../errors.ts';\nimport { open } from 'node:fs/promises';\nexport const a = [failed, open];`,
  };
  expect(await violationsIn(allowed)).toEqual([]);
});
