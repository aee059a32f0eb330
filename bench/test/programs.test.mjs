import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requiresCommand, testWith } from '../../tests/support/requires.ts';

const MIB = 2 ** 20;
const BENCH = fileURLToPath(new URL('..', import.meta.url));

let dir;
beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/onevault-bench-`);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs a program of the bench on the built packages and returns what it printed as JSON. */
async function bench(program, ...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [`${BENCH}${program}`, '--dir', dir, '--json', ...args], { maxBuffer: 16 * MIB });
  return JSON.parse(stdout);
}

test('64 GiB of sparse disk with 0.1 % data are backed up, kept apart and read back equal within 350 MiB of memory', async () => {
  const { sizeBytes, dataBytes, repositoryBytes, steps } = await bench('sparse.mjs', '--size', '64GiB', '--data', '0.1%');
  expect(sizeBytes).toBe(64 * 1024 * MIB);
  expect(steps['full backup'].readBytes).toBeLessThan(dataBytes * 2);
  expect(repositoryBytes).toBeLessThan(dataBytes);
  expect(steps['unchanged incremental'].stats.changedBlocks).toBe(0);
  expect(steps['read back and compared'].comparedBytes).toBeGreaterThanOrEqual(dataBytes);
  for (const { peakBytes } of Object.values(steps)) expect(peakBytes).toBeLessThan(350 * MIB);
}, 120_000);

testWith(
  [requiresCommand('mke2fs', 'apt-get install e2fsprogs')],
  'a small run measures us beside the peers, compares what everybody restores, and leaves only the disk behind',
  async () => {
    const { facts, rows } = await bench('main.mjs', '--size', '32MiB', '--rounds', '1', '--only', 'incremental,restore');
    expect(facts).toMatchObject({ sizeBytes: 32 * MIB, rounds: 1 });
    for (const measure of ['incremental', 'restore to a file']) {
      const row = rows.find((candidate) => candidate.measure === measure && candidate.peer === 'restic');
      expect(row.ours).toHaveLength(1);
      expect(row.ours[0]).toBeGreaterThan(0);
      expect(row.theirs.length === 1 || row.absent === 'restic is not installed').toBe(true);
    }
    const { stdout } = await promisify(execFile)('ls', [dir]);
    expect(stdout.trim()).toMatch(/^mixed-32MiB-r\d+\.img$/);
  },
  120_000,
);

// Everything is a process of its own here, and the parts have tests of their own.
const testLong = process.env['ONEVAULT_LONG'] === '1' ? testWith : () => undefined;

testLong(
  [requiresCommand('mke2fs', 'apt-get install e2fsprogs'), requiresCommand('nbdcopy', 'apt-get install libnbd-bin')],
  'nbdcopy is measured beside an export, a delta beside a full restore, and every copy is compared with the disk',
  async () => {
    const { rows } = await bench('export.mjs', '--size', '32MiB', '--rounds', '1', '--only', 'nbdcopy');
    expect(rows).toMatchObject([{ measure: 'nbdcopy from our server', ours: [expect.any(Number)], theirs: [expect.any(Number)] }]);
    const delta = await bench('delta.mjs', '--size', '32MiB', '--rounds', '1', '--changed', '10%');
    const [written] = delta.rows.filter(({ measure }) => measure === 'delta restore: written');
    expect(written.ours[0]).toBe(3 * MIB);
    expect(written.theirs[0]).toBeGreaterThan(20 * MIB);
  },
  120_000,
);
