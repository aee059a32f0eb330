import { expect, test } from 'vitest';
import { node, ROOT, scratchTree } from './scratch.mjs';

const VITEST = `${ROOT}node_modules/vitest/vitest.mjs`;

/** Runs `files` with the reporter as `npm test` configures it. */
async function runSuite(files, args = [], env = {}) {
  const root = await scratchTree({ 'package.json': '{"type":"module"}', ...files });
  const reporters = ['--reporter=default', `--reporter=${ROOT}scripts/vitest-tally.mjs`];
  return node([VITEST, 'run', '--globals', '--root', root, ...reporters, ...args], { cwd: root, env: { CI: '', ONEVAULT_TALLY_FILE: '', ...env } });
}

test('the last line counts passed, failed and skipped tests', async () => {
  const { code, lastLine } = await runSuite({
    'a.test.js': `test('one', () => {}); test('two', () => { expect(1).toBe(2) }); test.skip('three', () => {}); test.todo('four')`,
    'b.test.js': `describe('group', () => { test('five', () => {}) })`,
  });
  expect(lastLine).toBe('2 passed, 1 failed, 2 skipped');
  expect(code).toBe(1);
});

test('each failure is named once more in a line at the end', async () => {
  const { stdout } = await runSuite({
    'a.test.js': `describe('group', () => { test('one', () => { throw new Error('first line\\nsecond line') }); test('two', () => {}) })`,
    'b.test.js': `import './missing.js'; test('three', () => {})`,
    'c.test.js': `test('four', () => { throw new Error('x'.repeat(300)) })`,
  });
  const named = stdout.split('\n').filter((line) => line.startsWith('FAILED '));
  expect(named.toSorted()).toEqual([
    'FAILED a.test.js > group > one: first line',
    expect.stringMatching(/^FAILED b\.test\.js: .*missing\.js/),
    `FAILED c.test.js > four: ${'x'.repeat(199)}…`,
  ]);
  expect(stdout.indexOf(named[0])).toBeGreaterThan(stdout.indexOf('Duration'));
});

test('without skipped tests the line has two numbers', async () => {
  const { code, lastLine } = await runSuite({ 'a.test.js': `test('one', () => {})` });
  expect(lastLine).toBe('1 passed, 0 failed');
  expect(code).toBe(0);
});

test.each([
  ['a file that does not load', { 'a.test.js': `import './missing.js'; test('one', () => {})` }, '0 passed, 1 failed'],
  ['a rejection that nobody caught', { 'a.test.js': `test('one', () => { Promise.reject(new Error('lost')) })` }, '1 passed, 1 failed'],
  [
    'a hook that failed',
    { 'a.test.js': `describe('group', () => { beforeAll(() => { throw new Error('hook') }); test('one', () => {}) })` },
    '0 passed, 1 failed, 1 skipped',
  ],
])('%s counts as a failure', async (_title, files, expected) => {
  const { code, lastLine } = await runSuite(files);
  expect(lastLine).toBe(expected);
  expect(code).toBe(1);
});

test.each([
  ['no file', {}, []],
  ['no test of that name', { 'a.test.js': `test('one', () => {})` }, ['-t', 'another']],
  ['only skipped tests', { 'a.test.js': `test.skip('one', () => {})` }, []],
])('a run that executed nothing is a failure: %s', async (_title, files, args) => {
  const { code, lastLine } = await runSuite(files, args);
  expect(lastLine).toMatch(/^0 passed, 1 failed(, 1 skipped)?$/);
  expect(code).toBe(1);
});

const NEEDING = `
  import { requiresCommand, testWith } from '${ROOT}packages/base/testing/requires.ts';
  test('always', () => {});
  testWith([requiresCommand('no-such-program', 'apt-get install no-such-package')], 'with it', () => { throw new Error('must not run') });
  testWith([requiresCommand('sh', 'apt-get install dash')], 'with a shell', () => {});
`;

test('a test whose program is missing is skipped, and what to install is printed', async () => {
  const { code, lastLine, stdout } = await runSuite({ 'a.test.js': NEEDING });
  expect(lastLine).toBe('2 passed, 0 failed, 1 skipped');
  expect(stdout).toContain('skipped 1: no-such-program is missing: apt-get install no-such-package');
  expect(code).toBe(0);
});

test('under CI a test whose program is missing fails', async () => {
  const { code, lastLine, stdout, stderr } = await runSuite({ 'a.test.js': NEEDING }, [], { CI: 'true' });
  expect(lastLine).toBe('2 passed, 1 failed');
  expect(stdout + stderr).toContain('apt-get install no-such-package');
  expect(code).toBe(1);
});

test('npm test prints one failure when vitest does not get as far as its reporters', async () => {
  const { code, lastLine } = await node([`${ROOT}scripts/test.mjs`, '--no-such-option-of-vitest']);
  expect(lastLine).toBe('0 passed, 1 failed');
  expect(code).not.toBe(0);
});
