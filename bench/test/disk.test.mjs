import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requiresCommand, testWith } from '../../tests/support/requires.ts';
import { guestWrites } from '../disk/guest-writes.mjs';
import { keystream, randomNumbers } from '../disk/keystream.mjs';
import { mixedDisk } from '../disk/mixed-disk.mjs';
import { sparseDisk } from '../disk/sparse-disk.mjs';
import { textStream } from '../disk/text.mjs';

const MIB = 1 << 20;

let dir;
beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/onevault-bench-`);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('contents', () => {
  test.each([
    ['keystream', keystream],
    ['text', textStream],
  ])('%s repeats itself for a seed, and only for that', (_name, stream) => {
    const first = stream('seed').bytes(100_000);
    expect(stream('seed').bytes(100_000).equals(first)).toBe(true);
    expect(stream('other').bytes(100_000).equals(first)).toBe(false);
  });

  test('a keystream goes on where the last piece ended', () => {
    const pieces = keystream('seed');
    expect(Buffer.concat([pieces.bytes(1), pieces.bytes(99_999)]).equals(keystream('seed').bytes(100_000))).toBe(true);
  });

  test('text shrinks to about a third, a keystream not at all', () => {
    expect(deflateRawSync(textStream('seed').bytes(MIB)).length / MIB).toBeGreaterThan(0.25);
    expect(deflateRawSync(textStream('seed').bytes(MIB)).length / MIB).toBeLessThan(0.4);
    expect(deflateRawSync(keystream('seed').bytes(MIB)).length).toBeGreaterThan(MIB);
  });

  test('file sizes reach over all magnitudes between their bounds', () => {
    const random = randomNumbers('sizes');
    const sizes = Array.from({ length: 2000 }, () => random.logUniform(1024, MIB));
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MIB);
    expect(sizes.filter((size) => size < 32 * 1024).length).toBeGreaterThan(800);
  });
});

testWith(
  [requiresCommand('mke2fs', 'apt-get install e2fsprogs')],
  'the mixed disk is the same bytes each time, three quarters full, and found again',
  async () => {
    const first = await mixedDisk(dir, 32 * MIB);
    const digest = await sha256(first.path);
    const { blocks, size } = await stat(first.path);
    expect(size).toBe(32 * MIB);
    expect((blocks * 512) / size).toBeGreaterThan(0.7);
    expect((blocks * 512) / size).toBeLessThan(0.95); // the journal of so small a file system takes an eighth of it
    expect(await mixedDisk(dir, 32 * MIB)).toEqual({ path: first.path, cached: true });
    await rm(first.path);
    expect(await mixedDisk(dir, 32 * MIB)).toEqual({ path: first.path, cached: false });
    expect(await sha256(first.path)).toBe(digest);
  },
);

describe('guest writes', () => {
  const SIZE = 64 * MIB;

  async function zeroDisk(name) {
    const file = await open(`${dir}/${name}`, 'w');
    await file.truncate(SIZE);
    await file.close();
    return `${dir}/${name}`;
  }

  test('overwrite the asked part of the disk, the same bytes for the same round', async () => {
    const one = await zeroDisk('one.img');
    const two = `${dir}/two.img`;
    await copyFile(one, two);
    const options = { fraction: 0.02, round: 3, scattered: false };
    const report = await guestWrites(one, options);
    expect(report.writtenBytes).toBeGreaterThanOrEqual(0.02 * SIZE);
    expect(report.writtenBytes).toBeLessThan(0.02 * SIZE + 64 * 1024);
    expect(await guestWrites(two, options)).toEqual(report);
    expect(await sha256(two)).toBe(await sha256(one));
    await guestWrites(two, { ...options, round: 4 });
    expect(await sha256(two)).not.toBe(await sha256(one));
  });

  test('count the megabytes that they touch', async () => {
    const path = await zeroDisk('count.img');
    const { touchedMiB } = await guestWrites(path, { fraction: 0.01, round: 1, scattered: true });
    const bytes = await readFile(path);
    let changed = 0;
    for (let at = 0; at < SIZE; at += MIB) if (!bytes.subarray(at, at + MIB).equals(Buffer.alloc(MIB))) changed += 1;
    expect(touchedMiB).toBe(changed);
  });
});

test('a sparse disk has about the asked data, in order, apart, and nowhere else', async () => {
  const path = `${dir}/sparse.img`;
  const { sizeBytes, extents } = await sparseDisk(path, 2 ** 34, 0.001);
  expect((await stat(path)).size).toBe(sizeBytes);
  const dataBytes = extents.reduce((sum, { length }) => sum + length, 0);
  expect(dataBytes / 2 ** 34).toBeGreaterThan(0.0009);
  expect(dataBytes / 2 ** 34).toBeLessThan(0.0014);
  let end = 0;
  for (const { offset, length } of extents) {
    expect(offset).toBeGreaterThanOrEqual(end);
    end = offset + length;
  }
  expect(end).toBeLessThanOrEqual(sizeBytes);
  expect((await stat(path)).blocks * 512).toBeLessThan(dataBytes + extents.length * 8192);
});

async function sha256(path) {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
