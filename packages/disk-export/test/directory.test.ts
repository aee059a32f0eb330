import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type DirectoryContents, type ExportSource, exportDirectory } from '../src/index.ts';
import { memorySource } from '../testing/index.ts';
import { KIB, MIB, noise, temporaryDirectory } from './disks.ts';

const disk = memorySource([{ offset: 100, data: noise(1, 70 * KIB) }], { sizeBytes: 2 * MIB });

function opened(source: ExportSource, given: string[] = []): () => Promise<ExportSource & AsyncDisposable> {
  return async () => ({ ...source, [Symbol.asyncDispose]: async () => void given.push('back') });
}

const files = new Map([
  ['vm.xml', Buffer.from('<VM/>')],
  ['images/7.xml', Buffer.from('<IMAGE/>')],
]);

describe('a directory', () => {
  it('has the disks, the files and their checksums, and every disk was given back', async () => {
    await using place = await temporaryDirectory();
    const given: string[] = [];
    const disks = ['disk-0.raw', 'disk-2.raw'].map((name) => ({ name, open: opened(disk, given) }));
    const reports = await exportDirectory(place.file('web'), { disks, files }, { verify: true });
    expect(reports).toHaveLength(2);
    expect(given).toEqual(['back', 'back']);
    expect((await readdir(place.file('web'), { recursive: true })).sort()).toEqual([
      'SHA256SUMS',
      'disk-0.raw',
      'disk-2.raw',
      'images',
      'images/7.xml',
      'vm.xml',
    ]);
    const sums = await readFile(place.file('web/SHA256SUMS'), 'utf8');
    const contents = new Map<string, Uint8Array>([...files, ['disk-0.raw', disk.bytes()], ['disk-2.raw', disk.bytes()]]);
    expect(sums).toBe([...contents].map(([name, bytes]) => `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`).join(''));
    expect(await place.list()).toEqual(['web']);
  });

  it('that exists is filled when it is empty, and refused when it is not', async () => {
    await using place = await temporaryDirectory();
    await mkdir(place.file('empty'));
    await mkdir(place.file('full'));
    await writeFile(place.file('full/precious'), 'mine');
    await writeFile(place.file('file'), 'mine');
    await exportDirectory(place.file('empty'), { disks: [], files }, { checksums: false });
    expect((await readdir(place.file('empty'))).sort()).toEqual(['images', 'vm.xml']);
    for (const name of ['full', 'file'])
      await expect(exportDirectory(place.file(name), { disks: [], files })).rejects.toMatchObject({ code: 'EXPORT_TARGET_EXISTS' });
    expect(await readdir(place.file('full'))).toEqual(['precious']);
  });

  it('does not appear when a disk fails', async () => {
    await using place = await temporaryDirectory();
    const damaged = memorySource([{ offset: 0, data: noise(1, MIB) }], { sizeBytes: MIB, damagedBlocks: [3] });
    const contents: DirectoryContents = { files, disks: [disk, damaged].map((source, at) => ({ name: `disk-${at}`, open: opened(source) })) };
    await expect(exportDirectory(place.file('web'), contents)).rejects.toMatchObject({ range: { offset: 3 * 64 * KIB } });
    expect(await place.list()).toEqual([]);
  });

  it.each(['../out', '/etc/passwd', 'a/../../b', '.hidden', 'a//b', '', 'a/.', 'SHA256SUMS', 'vm.xml'])('refuses a file called %j', async (name) => {
    await using place = await temporaryDirectory();
    const contents = { files, disks: [{ name, open: opened(disk) }] };
    await expect(exportDirectory(place.file('web'), contents)).rejects.toBeInstanceOf(TypeError);
    expect(await place.list()).toEqual([]);
  });
});
