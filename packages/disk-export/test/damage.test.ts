import { describe, expect, it } from 'vitest';
import { type ExportFormat, exportDisk } from '../src/index.ts';
import { memorySource } from '../testing/index.ts';
import { KIB, noise, temporaryDirectory } from './disks.ts';

const BLOCK = 64 * KIB;
const disk = { sizeBytes: 10 * BLOCK - 100, blockSizeBytes: BLOCK };
const pieces = [{ offset: 0, data: noise(5, disk.sizeBytes) }];
const damagedBlocks = [2, 3, 6, 9];
const formats: readonly ExportFormat[] = [{ kind: 'raw' }, { kind: 'qcow2', compression: 'zlib' }];

describe('a damaged block', () => {
  it.each(formats)('ends the export with the error of the source, and leaves nothing ($kind)', async (format) => {
    await using directory = await temporaryDirectory();
    const source = memorySource(pieces, { ...disk, damagedBlocks });
    const exporting = exportDisk(source, { kind: 'file', path: directory.file('disk') }, { format });
    await expect(exporting).rejects.toMatchObject({ range: { offset: 2 * BLOCK, length: BLOCK } });
    expect(await directory.list()).toEqual([]);
  });

  it('becomes a hole that is reported, when asked for, and everything else is there', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource(pieces, { ...disk, damagedBlocks });
    const report = await exportDisk(source, { kind: 'file', path: directory.file('disk') }, { damageOf: source.damageOf, verify: true });
    const expected = source.bytes();
    for (const block of damagedBlocks) expected.fill(0, block * BLOCK, Math.min(expected.length, (block + 1) * BLOCK));
    expect((await directory.bytes('disk')).equals(expected)).toBe(true);
    expect(report.damaged.map(({ offset, length }) => ({ offset, length }))).toEqual([
      { offset: 2 * BLOCK, length: 2 * BLOCK },
      { offset: 6 * BLOCK, length: BLOCK },
      { offset: 9 * BLOCK, length: BLOCK - 100 },
    ]);
  });

  it('whose digest is lost too takes its page of digests with it, and no more', async () => {
    await using directory = await temporaryDirectory();
    const small = { sizeBytes: 3000 * 4 * KIB, blockSizeBytes: 4 * KIB };
    const whole = memorySource([{ offset: 0, data: noise(1, small.sizeBytes) }], small);
    const lost = memorySource([{ offset: 0, data: noise(1, small.sizeBytes) }], {
      ...small,
      damagedBlocks: Array.from({ length: 1024 }, (_, at) => 1024 + at),
    });
    const source = {
      ...lost,
      digests: async (first: number, count: number) => (first + count > 1024 && first < 2048 ? undefined : whole.digests(first, count)),
    };
    for (const format of [{ kind: 'raw' }, { kind: 'qcow2' }] as const) {
      const report = await exportDisk(source, { kind: 'file', path: directory.file(format.kind) }, { format, damageOf: lost.damageOf, verify: true });
      expect(report.damaged.map(({ offset, length }) => ({ offset, length }))).toEqual([{ offset: 4096 * KIB, length: 4096 * KIB }]);
    }
  });

  it('that is an error of another kind is never skipped', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource(pieces, { ...disk, damagedBlocks });
    const exporting = exportDisk(source, { kind: 'file', path: directory.file('disk') }, { damageOf: () => undefined });
    await expect(exporting).rejects.toThrow('cannot be read');
    expect(await directory.list()).toEqual([]);
  });
});
