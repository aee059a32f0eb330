import { open, readFile, symlink, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportDisk } from '../src/index.ts';
import { memorySource } from '../testing/index.ts';
import { collector, KIB, MIB, noise, randomDisk, temporaryDirectory } from './disks.ts';

describe('raw, to a file', () => {
  it('is the range of the disk, byte for byte, whatever lies where', async () => {
    await using directory = await temporaryDirectory();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(randomDisk, fc.boolean(), async ({ range, pieces, ...disk }, preallocate) => {
        const source = memorySource(pieces, disk);
        const name = `disk-${number++}.raw`;
        const report = await exportDisk(source, { kind: 'file', path: directory.file(name), preallocate }, { range, verify: true });
        expect((await directory.bytes(name)).equals(source.bytes(range))).toBe(true);
        expect(report).toMatchObject({ format: 'raw', sizeBytes: range.length, damaged: [], verified: true });
      }),
      { numRuns: 60 },
    );
  });

  it('leaves holes where there are zeros, inside of blocks and at an odd end too', async () => {
    await using directory = await temporaryDirectory();
    const pieces = [{ offset: 3 * MIB + 256 * KIB, data: noise(1, 64 * KIB) }];
    const source = memorySource(pieces, { sizeBytes: 64 * MIB + 777, blockSizeBytes: MIB });
    const { writtenBytes } = await exportDisk(source, { kind: 'file', path: directory.file('disk') });
    expect(writtenBytes).toBe(64 * KIB);
    expect(await directory.allocated('disk')).toBeLessThanOrEqual(128 * KIB);
    expect((await directory.bytes('disk')).length).toBe(64 * MIB + 777);
  });

  it('takes all the space when it is to be preallocated', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource([], { sizeBytes: 5 * MIB });
    await exportDisk(source, { kind: 'file', path: directory.file('disk'), preallocate: true });
    expect(await directory.allocated('disk')).toBeGreaterThanOrEqual(5 * MIB);
  });

  it('is readable to its owner only', async () => {
    await using directory = await temporaryDirectory();
    await exportDisk(memorySource([], { sizeBytes: MIB }), { kind: 'file', path: directory.file('disk') });
    await using file = await open(directory.file('disk'));
    expect((await file.stat()).mode & 0o777).toBe(0o600);
  });

  it('replaces nothing unless told to', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource([{ offset: 0, data: noise(1, 10) }], { sizeBytes: 10 });
    await writeFile(directory.file('disk'), 'precious');
    await expect(exportDisk(source, { kind: 'file', path: directory.file('disk') })).rejects.toMatchObject({ code: 'EXPORT_TARGET_EXISTS' });
    expect(await readFile(directory.file('disk'), 'utf8')).toBe('precious');
    await exportDisk(source, { kind: 'file', path: directory.file('disk'), replace: true });
    expect((await directory.bytes('disk')).equals(source.bytes())).toBe(true);
    expect(await directory.list()).toEqual(['disk']);
  });

  it('does not replace what came to exist while it was written', async () => {
    await using directory = await temporaryDirectory();
    const source = memorySource([{ offset: 0, data: noise(1, 10) }], { sizeBytes: 10 });
    const onProgress = (): void => void writeFile(directory.file('disk'), 'precious');
    const exporting = exportDisk(source, { kind: 'file', path: directory.file('disk') }, { onProgress, verify: true });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_TARGET_EXISTS' });
    expect(await readFile(directory.file('disk'), 'utf8')).toBe('precious');
    expect(await directory.list()).toEqual(['disk']);
  });

  it.each([
    ['a directory', '.', 'EXPORT_TARGET_KIND'],
    ['a character device', '/dev/null', 'EXPORT_TARGET_KIND'],
    ['a link to one', 'link', 'EXPORT_TARGET_KIND'],
    ['a directory that is not there', 'nowhere/disk', 'EXPORT_TARGET_UNUSABLE'],
    ['below a file', 'file/disk', 'EXPORT_TARGET_UNUSABLE'],
  ])('refuses %s', async (_title, name, code) => {
    await using directory = await temporaryDirectory();
    await writeFile(directory.file('file'), '');
    await symlink('/dev/null', directory.file('link'));
    const path = name.startsWith('/') ? name : directory.file(name);
    await expect(exportDisk(memorySource([], { sizeBytes: 1 }), { kind: 'file', path, replace: true })).rejects.toMatchObject({ code });
  });

  it.each([
    { offset: 100, length: 1 },
    { offset: 0, length: 0 },
    { offset: -1, length: 5 },
    { offset: 0.5, length: 1 },
    { offset: 50, length: 51 },
  ])('refuses $length bytes from $offset of 100', async (range) => {
    await using directory = await temporaryDirectory();
    const exporting = exportDisk(memorySource([], { sizeBytes: 100 }), { kind: 'file', path: directory.file('disk') }, { range });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_RANGE_INVALID' });
    expect(await directory.list()).toEqual([]);
  });

  it('an abort in the middle leaves nothing', async () => {
    await using directory = await temporaryDirectory();
    const controller = new AbortController();
    const source = memorySource([{ offset: 0, data: noise(1, 20 * MIB) }], { sizeBytes: 20 * MIB, blockSizeBytes: MIB });
    const onProgress = ({ doneBytes }: { readonly doneBytes: number }): void => {
      if (doneBytes >= 10 * MIB) controller.abort(new Error('enough'));
    };
    const exporting = exportDisk(source, { kind: 'file', path: directory.file('disk') }, { signal: controller.signal, onProgress });
    await expect(exporting).rejects.toThrow('enough');
    expect(await directory.list()).toEqual([]);
  });
});

describe('raw, to a stream', () => {
  it('is the range of the disk, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(randomDisk, async ({ range, pieces, ...disk }) => {
        const source = memorySource(pieces, disk);
        const stream = collector();
        await exportDisk(source, { kind: 'stream', stream }, { range });
        expect(stream.bytes().equals(source.bytes(range))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('says so when nobody reads any more', async () => {
    const stream = collector();
    const onProgress = (): void => void stream.destroy();
    const exporting = exportDisk(memorySource([], { sizeBytes: 8 * MIB }), { kind: 'stream', stream }, { onProgress });
    await expect(exporting).resolves.toBeDefined(); // all was taken before
    await expect(exportDisk(memorySource([], { sizeBytes: 8 }), { kind: 'stream', stream })).rejects.toMatchObject({ code: 'EXPORT_PIPE_CLOSED' });
  });

  it('an abort does not wait for a reader that has stopped reading', async () => {
    const stream = collector();
    stream._write = () => undefined;
    const controller = new AbortController();
    const exporting = exportDisk(memorySource([], { sizeBytes: MIB }), { kind: 'stream', stream }, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(exporting).rejects.toThrow('enough');
  });

  it('cannot be verified', async () => {
    const exporting = exportDisk(memorySource([], { sizeBytes: MIB }), { kind: 'stream', stream: collector() }, { verify: true });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_FORMAT_INVALID' });
  });
});
