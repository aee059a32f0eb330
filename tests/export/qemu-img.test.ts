import { execFile } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type ExportFormat, exportDisk } from '@onevault/disk-export';
import { type DiskPiece, type MemorySource, memorySource } from '@onevault/disk-export/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const TIB = 2 ** 40;

/** What QEMU says of our images: the only reader that counts. */
describeWith([requiresCommand('qemu-img', 'apt-get install qemu-utils')], 'qemu-img', () => {
  let dir: string;
  let source: MemorySource;
  const path = (name: string): string => join(dir, name);
  const qemuImg = async (...args: readonly string[]): Promise<string> => (await promisify(execFile)('qemu-img', args)).stdout;

  /** Throws with what it prints unless the image has no error and no leaked cluster, and is the disk in `raw`. */
  async function accepts(image: string, raw: string): Promise<void> {
    const checked = JSON.parse(await qemuImg('check', '--output=json', '-f', 'qcow2', image)) as Record<string, number>;
    expect(checked).toMatchObject({ 'check-errors': 0 });
    expect(checked['leaks']).toBeUndefined();
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', image, raw)).toContain('Images are identical');
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onevault-qemu-img-'));
    source = memorySource(mixedPieces(), { sizeBytes: 24 * MIB, blockSizeBytes: MIB });
    await exportDisk(source, { kind: 'file', path: path('disk.raw') });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each<readonly [string, ExportFormat]>([
    ['plain', { kind: 'qcow2' }],
    ['zlib', { kind: 'qcow2', compression: 'zlib' }],
    ['zstd', { kind: 'qcow2', compression: 'zstd' }],
    ['small clusters', { kind: 'qcow2', clusterBytes: 4 * KIB }],
    ['small clusters, zlib', { kind: 'qcow2', clusterBytes: 4 * KIB, compression: 'zlib' }],
    ['large clusters, zstd', { kind: 'qcow2', clusterBytes: 2 * MIB, compression: 'zstd' }],
  ])('check and compare accept an image that is %s', async (title, format) => {
    await exportDisk(source, { kind: 'file', path: path(`${title}.qcow2`) }, { format });
    await accepts(path(`${title}.qcow2`), path('disk.raw'));
  });

  test.each<ExportFormat>([{ kind: 'qcow2' }, { kind: 'qcow2', compression: 'zstd' }])('they accept a range that begins and ends anywhere', async (format) => {
    const range = { offset: 3 * MIB + 777, length: 9 * MIB + 512 * 3 - 5 };
    await exportDisk(source, { kind: 'file', path: path('range.raw'), replace: true }, { range });
    await exportDisk(source, { kind: 'file', path: path('range.qcow2'), replace: true }, { range, format });
    await accepts(path('range.qcow2'), path('range.raw'));
  });

  test('they accept an image that was streamed', async () => {
    const stream = createWriteStream(path('stream.qcow2'));
    await exportDisk(source, { kind: 'stream', stream }, { format: { kind: 'qcow2' } });
    await finished(stream.end());
    await accepts(path('stream.qcow2'), path('disk.raw'));
  });

  test('they accept 16 TiB with little data', async () => {
    const pieces = [0, 5 * TIB + 12_345, 16 * TIB - 70_000].map((offset, at) => ({ offset, data: noise(at, 70_000) }));
    const sparse = memorySource(pieces, { sizeBytes: 16 * TIB, blockSizeBytes: MIB });
    for (const compression of ['zlib', undefined] as const) {
      const name = path(`sparse-${compression}.qcow2`);
      await exportDisk(sparse, { kind: 'file', path: name }, { format: { kind: 'qcow2', ...(compression && { compression }) } });
      expect(await qemuImg('check', name)).toContain('No errors were found on the image');
      const map = JSON.parse(await qemuImg('map', '--output=json', name)) as readonly { data: boolean; start: number; length: number }[];
      const stretches = new Set(map.filter(({ data }) => data).map(({ start }) => Math.floor(start / MIB)));
      expect([...stretches]).toEqual(pieces.map(({ offset }) => Math.floor(offset / MIB)));
    }
  });

  test('a compressed image is at most a tenth larger than the one that qemu-img makes', async () => {
    for (const compression of ['zlib', 'zstd'] as const) {
      const ours = path(`ours-${compression}`);
      const theirs = path(`theirs-${compression}`);
      await exportDisk(source, { kind: 'file', path: ours }, { format: { kind: 'qcow2', compression } });
      await qemuImg('convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', `compression_type=${compression}`, path('disk.raw'), theirs);
      const [own, other] = await Promise.all([stat(ours), stat(theirs)]);
      expect(own.size / other.size).toBeLessThan(1.1);
      expect(own.blocks / other.blocks).toBeLessThan(1.1);
    }
  });
});

/** Like a disk in use: text and noise in files of all sizes, some zeros between them. */
function mixedPieces(): DiskPiece[] {
  const pieces: DiskPiece[] = [];
  let offset = 0;
  for (let file = 0; offset < 21 * MIB; file++) {
    const length = 4 * KIB * (1 + ((file * 37) % 150));
    pieces.push({ offset, data: file % 2 === 0 ? prose(file, length) : noise(file, length) });
    offset += length + (file % 5 === 0 ? 300 * KIB : 4 * KIB);
  }
  return pieces;
}

function noise(seed: number, length: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, `noise ${seed}`), Buffer.alloc(16)).update(Buffer.alloc(length));
}

function prose(seed: number, length: number): Buffer {
  const words = [
    'backup',
    'of',
    'the',
    'virtual',
    'machine',
    'disk',
    'cluster',
    'restore',
    'point',
    `vm-${seed}`,
    'block',
    'changed',
    'since',
    'yesterday',
    '\n',
    'zero',
  ];
  const random = noise(seed, Math.ceil(length / 2));
  return Buffer.from(
    Array.from(random, (byte) => words[byte % words.length])
      .join(' ')
      .slice(0, length),
  );
}
