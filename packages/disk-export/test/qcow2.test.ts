import { open, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExportFormat, type ExportSource, exportDisk } from '../src/index.ts';
import { readEntry, writeCompressedEntry, writeStandardEntry } from '../src/qcow2/entries.ts';
import { geometryOf } from '../src/qcow2/geometry.ts';
import { tailOf } from '../src/qcow2/host-clusters.ts';
import { Qcow2Image } from '../src/qcow2/read-qcow2.ts';
import { memorySource } from '../testing/index.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { collector, type Directory, KIB, MIB, noise, prose, randomDisk, temporaryDirectory } from './disks.ts';

const GIB = 2 ** 30;
const TIB = 2 ** 40;
const clusterBytes = fc.constantFrom(4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB);
const compression = fc.constantFrom(undefined, 'zlib', 'zstd');

function qcow2(size: number, method: 'zlib' | 'zstd' | undefined): ExportFormat {
  return { kind: 'qcow2', clusterBytes: size, ...(method && { compression: method }) };
}

async function readImage(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const image = await Qcow2Image.open(file);
    const bytes = Buffer.alloc(image.sizeBytes);
    await image.readInto(0, bytes);
    return bytes;
  } finally {
    await file.close();
  }
}

function sectors(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

async function exported(directory: Directory, name: string, source: ExportSource, format: ExportFormat): Promise<Buffer> {
  await exportDisk(source, { kind: 'file', path: directory.file(name) }, { format, verify: true });
  return directory.bytes(name);
}

describe('qcow2, to a file', () => {
  it('reads as the range of the disk in whole sectors, and every cluster is counted as often as it is used', async () => {
    await using directory = await temporaryDirectory();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(randomDisk, clusterBytes, compression, async ({ range, pieces, ...disk }, size, method) => {
        const source = memorySource(pieces, disk);
        const name = `disk-${number++}`;
        const report = await exportDisk(source, { kind: 'file', path: directory.file(name) }, { format: qcow2(size, method), range, verify: true });
        expect((await readImage(directory.file(name))).equals(sectors(source.bytes(range)))).toBe(true);
        expect(checkQcow2(await directory.bytes(name))).toEqual([]);
        expect(report.sizeBytes).toBe(Math.ceil(range.length / 512) * 512);
      }),
      { numRuns: 35 },
    );
  });

  it.each(['zlib', 'zstd', undefined] as const)(
    'counts right across the end of refcount blocks (%s)',
    async (method) => {
      await using directory = await temporaryDirectory();
      // Clusters of 4 KiB: a refcount block counts 8 MiB of the file, an L2 table maps 2 MiB.
      const mixed = Array.from({ length: 18 }, (_, at) => ({ offset: at * MIB, data: at % 3 === 0 ? prose(at, MIB) : noise(at, 600 * KIB) }));
      const source = memorySource(mixed, { sizeBytes: 18 * MIB, blockSizeBytes: MIB });
      expect(checkQcow2(await exported(directory, 'disk', source, qcow2(4 * KIB, method)))).toEqual([]);
    },
    30_000,
  );

  it('has nothing for zeros: 16 TiB with a few clusters of data are a few clusters', async () => {
    await using directory = await temporaryDirectory();
    const pieces = [0, 3 * TIB + 12_345, 16 * TIB - 700].map((offset, at) => ({ offset, data: noise(at, 700) }));
    const source = memorySource(pieces, { sizeBytes: 16 * TIB, blockSizeBytes: MIB });
    const image = await exported(directory, 'disk', source, { kind: 'qcow2' });
    expect(image.length).toBeLessThan(MIB);
    expect(checkQcow2(image)).toEqual([]);
  });

  it('compresses: text is small, and noise is stored as it is', async () => {
    await using directory = await temporaryDirectory();
    const text = memorySource([{ offset: 0, data: prose(1, 4 * MIB) }], { sizeBytes: 4 * MIB, blockSizeBytes: MIB });
    const random = memorySource([{ offset: 0, data: noise(1, 4 * MIB) }], { sizeBytes: 4 * MIB, blockSizeBytes: MIB });
    for (const method of ['zlib', 'zstd'] as const) {
      expect((await exported(directory, `text-${method}`, text, qcow2(64 * KIB, method))).length).toBeLessThan(2 * MIB);
      expect((await exported(directory, `noise-${method}`, random, qcow2(64 * KIB, method))).length).toBeLessThan(4 * MIB + 8 * 64 * KIB);
    }
  });

  it('notices when it does not read back', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource([{ offset: 0, data: noise(1, MIB) }], { sizeBytes: MIB });
    let reads = 0;
    const forgetful: ExportSource = {
      ...source,
      blocks: (options) => (reads++ === 0 ? memorySource([{ offset: 1, data: noise(2, MIB - 1) }], { sizeBytes: MIB }) : source).blocks(options),
    };
    const exporting = exportDisk(forgetful, { kind: 'file', path: directory.file('disk') }, { format: { kind: 'qcow2' }, verify: true });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_MISMATCH', details: { path: directory.file('disk'), offset: 0 } });
    expect(await directory.list()).toEqual([]);
  });

  it.each([
    ['clusters of 3000 bytes', GIB, 3000],
    ['clusters of 512 bytes', GIB, 512],
    ['clusters of 4 MiB', GIB, 4 * MIB],
    ['a disk too large for its clusters', 16 * TIB, 4 * KIB],
  ])('refuses %s', async (_title, sizeBytes, size) => {
    await using directory = await temporaryDirectory();
    const exporting = exportDisk(
      memorySource([], { sizeBytes, blockSizeBytes: MIB }),
      { kind: 'file', path: directory.file('disk') },
      { format: qcow2(size, undefined) },
    );
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_FORMAT_INVALID' });
  });
});

describe('qcow2, to a stream', () => {
  it('is an image in one pass: the same disk, every cluster counted', async () => {
    await using directory = await temporaryDirectory();
    await fc.assert(
      fc.asyncProperty(randomDisk, clusterBytes, async ({ range, pieces, ...disk }, size) => {
        const source = memorySource(pieces, disk);
        const stream = collector();
        await exportDisk(source, { kind: 'stream', stream }, { format: qcow2(size, undefined), range });
        await writeFile(directory.file('disk'), stream.bytes());
        expect((await readImage(directory.file('disk'))).equals(sectors(source.bytes(range)))).toBe(true);
        expect(checkQcow2(stream.bytes())).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it('of 16 TiB with a few clusters of data is a few clusters and the L1 table', async () => {
    const pieces = [0, 3 * TIB + 12_345].map((offset, at) => ({ offset, data: noise(at, 700) }));
    const stream = collector();
    await exportDisk(memorySource(pieces, { sizeBytes: 16 * TIB, blockSizeBytes: 4 * MIB }), { kind: 'stream', stream }, { format: { kind: 'qcow2' } });
    expect(stream.bytes().length).toBeLessThan(10 * MIB);
    expect(checkQcow2(stream.bytes())).toEqual([]);
  });

  it('cannot be compressed, and the error says why', async () => {
    const exporting = exportDisk(
      memorySource([], { sizeBytes: MIB }),
      { kind: 'stream', stream: collector() },
      { format: { kind: 'qcow2', compression: 'zstd' } },
    );
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_FORMAT_INVALID' });
  });
});

describe('the parts of an image', () => {
  it('entries say what was written into them, at every offset up to 16 TiB and every cluster size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 12, max: 21 }),
        fc.integer({ min: 1, max: 16 * TIB }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (bits, offset, share) => {
          const table = Buffer.alloc(32);
          const length = Math.ceil(share * 2 ** bits);
          writeStandardEntry(table, 1, Math.floor(offset / 2 ** bits) * 2 ** bits + 2 ** bits);
          writeCompressedEntry(table, 2, { offset, length }, bits);
          expect(readEntry(table, 0, bits)).toEqual({ kind: 'unallocated' });
          expect(readEntry(table, 1, bits)).toEqual({ kind: 'standard', offset: Math.floor(offset / 2 ** bits) * 2 ** bits + 2 ** bits });
          const end = Math.ceil((offset + length) / 512) * 512;
          expect(readEntry(table, 2, bits)).toEqual({ kind: 'compressed', offset, length: end - offset });
        },
      ),
    );
  });

  it('refcounts count themselves: never one block too few', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400_000_000 }), fc.constantFrom(4 * KIB, 64 * KIB, 2 * MIB), (clusters, size) => {
        const geometry = geometryOf(TIB, Math.max(size, 64 * KIB));
        const { blocks, tableClusters } = tailOf(clusters, 0, geometry);
        expect(blocks * geometry.refcountEntries).toBeGreaterThanOrEqual(clusters + blocks + tableClusters);
        expect((blocks - 1) * geometry.refcountEntries).toBeLessThan(clusters + blocks + tableClusters);
        expect(tableClusters * geometry.l2Entries).toBeGreaterThanOrEqual(blocks);
      }),
    );
  });
});
