import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, fileStore, keyFileSecret } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { openBlockDevice, scan } from '@onevault/block-cbt';
import { escapeName, type GuestEntry, type GuestFiles, openGuestFiles } from '@onevault/guest-files';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { documentOf, type Finished, runCommand } from '../support/command-line.ts';
import { describeWith, requiresApplianceKernel, requiresCommand } from '../support/requires.ts';
import { makeGuestDisks, needsGuestDisks } from './guest-disks.ts';
import { census, makeOddTree } from './odd-tree.ts';

/** KVM may be there and hang (nested); emulation works everywhere, and 15 s of it are what a start costs. */
const EMULATED = { LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };
const SEED = 20261127;
const LONG = process.env['ONEVAULT_LONG'] === '1';
const PATIENCE_MS = 600_000;
const ROOT = Buffer.from('/');

const needs = [...needsGuestDisks, requiresCommand('guestfish', 'apt-get install guestfish qemu-utils'), requiresApplianceKernel()];

describeWith(needs, `files of ext4 and xfs in LVM over two disks, of FAT and NTFS (seed ${SEED})`, () => {
  let dir: string;
  let disks: readonly string[];
  let tree: ReadonlyMap<string, string>;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ov-files-'));
    makeOddTree(join(dir, 'tree'), SEED);
    tree = census(join(dir, 'tree'));
    disks = makeGuestDisks(dir, join(dir, 'tree'));
  }, PATIENCE_MS);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const differences = (found: ReadonlyMap<string, string>): unknown[] =>
    [...new Set([...tree.keys(), ...found.keys()])]
      .filter((path) => tree.get(path) !== found.get(path) && path !== '/lost+found')
      .map((path) => [escapeName(Buffer.from(path, 'latin1')), tree.get(path), found.get(path)]);

  /** The disks as a restore point in an encrypted repository, and what opens it: all that a machine has. */
  async function backUp(): Promise<{ readonly args: readonly string[]; readonly pointId: string }> {
    const key = randomBytes(64);
    await writeFile(join(dir, 'key'), key);
    await using repository = await createRepository(fileStore(join(dir, 'repository')), { encryption: { secret: keyFileSecret(key) } }, { clock: systemClock });
    await using writer = await repository.begin({ group: 'one-1-vm-7', runId: 'run-1', capturedAt: '2026-11-27T19:00:00Z', mode: 'full' });
    for (const [diskId, path] of disks.entries()) {
      await using device = await openBlockDevice(path);
      const runs = scan(device, { blockSizeBytes: repository.config.blockSizeBytes, digest: repository.digest });
      await writer.writeDisk({ key: `disk-${diskId}`, sizeBytes: device.sizeBytes, annotations: { diskId, target: `vd${'abc'[diskId]}` } }, runs);
    }
    const point = await writer.commit({ annotations: { vm: { id: 7, name: 'web' } } });
    return { pointId: point.id, args: ['--repo', join(dir, 'repository'), '--key-file', join(dir, 'key'), '--state-dir', join(dir, 'state')] };
  }

  it(
    'the library lists, reads, unpacks and archives them byte by byte, odd names included',
    async () => {
      await using files = await openGuestFiles(
        { disks: disks.map((path) => ({ kind: 'file', path }) as const), environment: { PATH: process.env['PATH'], ...EMULATED }, tempDir: tmpdir() },
        { clock: systemClock, randomBytes },
      );
      if (LONG) await surveys(files); // what blkid and LVM take in an emulated machine is most of the time
      for (const device of ['/dev/vg/root', '/dev/vg/data']) {
        await files.useFileSystem(device);
        expect(await listed(files), device).toEqual(expectedListing(tree));
        const target = join(dir, 'out', device.slice(8));
        expect(await files.extract(ROOT, { target })).toMatchObject({ refusedCount: 0 });
        expect(differences(census(target)), device).toEqual([]);
        const sparse = lstatSync(join(target, 'sparse'));
        expect(sparse.blocks * 512).toBeLessThan(sparse.size / 10);
        expect(lstatSync(join(target, 'first name')).ino).toBe(lstatSync(join(target, 'second name')).ino);
      }
      await archives(files);
      await escapes(files);

      await files.useFileSystem('/dev/sdc1');
      expect(await text(files, '/Program Files/Größe.txt')).toBe('fat');
      await files.useFileSystem('/dev/sdc2');
      expect(await text(files, '/Größe und Maß.txt')).toBe('ntfs');
    },
    PATIENCE_MS,
  );

  async function surveys(files: GuestFiles): Promise<void> {
    const systems = await files.fileSystems({ usage: true });
    expect(systems.map(({ device, type, label, disk }) => [device, type, label, disk])).toEqual([
      ['/dev/sdc1', 'vfat', 'FAT', 2],
      ['/dev/sdc2', 'ntfs', 'NTFS', 2],
      ['/dev/sdc3', 'crypto_LUKS', undefined, 2],
      ['/dev/vg/data', 'xfs', 'data', undefined],
      ['/dev/vg/root', 'ext4', 'root', undefined],
    ]);
    expect(systems.map(({ usedBytes, sizeBytes }) => usedBytes !== undefined && usedBytes > 0 && usedBytes < sizeBytes)).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    await expect(files.useFileSystem('/dev/sdc3')).rejects.toMatchObject({ code: 'FILES_FILE_SYSTEM_UNREADABLE', message: expect.stringContaining('LUKS') });
    await expect(files.useFileSystem()).rejects.toMatchObject({ details: { candidates: ['/dev/sdc1', '/dev/sdc2', '/dev/vg/data', '/dev/vg/root'] } });
  }

  /** Of what is in use. GNU tar reads what we pass on. */
  async function archives(files: GuestFiles): Promise<void> {
    const big = await readFile(join(dir, 'tree/big'));
    const range = await collect(files.read(Buffer.from('/big'), { offset: 4_000_001, length: 70_000 }));
    expect(range.equals(big.subarray(4_000_001, 4_070_001))).toBe(true);
    const archive = await collect(files.tar(Buffer.from('/odd'), { attributes: true }));
    await writeFile(join(dir, 'odd.tar'), archive);
    const target = join(dir, 'untarred');
    mkdirSync(target);
    execFileSync('tar', ['-xf', join(dir, 'odd.tar'), '-C', target]);
    expect(census(target)).toEqual(census(join(dir, 'tree/odd')));
  }

  async function escapes(files: GuestFiles): Promise<void> {
    const [outside, target] = [join(dir, 'outside'), join(dir, 'planted')];
    mkdirSync(outside);
    mkdirSync(target);
    symlinkSync(outside, join(target, 'odd'));
    symlinkSync(join(outside, 'big'), join(target, 'big'));
    const odd = await files.extract(Buffer.from('/odd'), { target });
    expect(odd.refusedCount).toBe(odd.entries);
    expect((await files.extract(Buffer.from('/big'), { target })).refused.map(({ why }) => why)).toEqual(['exists']);
    expect(readdirSync(outside)).toEqual([]);
    await expect(files.list(Buffer.from('/../etc'))).rejects.toMatchObject({ code: 'FILES_PATH_INVALID' });
    await expect(collect(files.read(Buffer.from('/absolute link')))).rejects.toMatchObject({ code: 'FILES_PATH_NOT_FOUND' });
    await expect(files.list(Buffer.from('/link out/etc'))).rejects.toMatchObject({ code: 'FILES_PATH_NOT_FOUND' });
  }

  it(
    'the command unpacks them from a restore point, with nothing but the repository and its key',
    async () => {
      const { args, pointId } = await backUp();
      const target = join(dir, 'restored');
      const done = await runCommand(['files', 'extract', pointId, '/', '--fs', '/dev/vg/data', '--to', target, ...args], EMULATED);
      expect(done, done.stderr).toMatchObject({ exit: 0 });
      expect(done.stdout).toMatch(/^files action=extract result=ok point=\S+ entries=\d+ left_out=0 size=\S+ duration=\S+\n$/);
      expect(differences(census(target))).toEqual([]);
      if (LONG) await everyCommand((...words) => runCommand([...words, ...args], EMULATED), pointId);
    },
    PATIENCE_MS * 3,
  );

  /** A start of the micro-VM each. */
  async function everyCommand(run: (...words: string[]) => Promise<Finished>, pointId: string): Promise<void> {
    const systems = documentOf(await run('files', 'filesystems', pointId, '--systems', '--json'));
    expect(systems).toMatchObject({ type: 'files.filesystems', pointId, systems: [] });
    const lines = (await run('files', 'ls', pointId, '/odd', '-R', '--fs', '/dev/vg/root', '--jsonl')).stdout.trim().split('\n');
    const names = lines.slice(0, -1).map((line) => Buffer.from((JSON.parse(line) as { pathBase64: string }).pathBase64, 'base64').toString('latin1'));
    expect(names.sort()).toEqual([...tree.keys()].filter((path) => path.startsWith('/odd/')).sort());
    const cat = await run('files', 'cat', pointId, '--escaped', '/odd/a\\x0ab', '--fs', '/dev/vg/root');
    expect(cat).toMatchObject({ exit: 0, stdout: '\n\n' });
    const tar = await run('files', 'tar', pointId, '/empty', '--fs', '/dev/vg/root', '--output', join(dir, 'empty.tar'));
    expect(tar).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^files action=tar result=ok point=\S+ entries=1 left_out=0 /) });
    const absent = await run('files', 'ls', pointId, '/nothing', '--fs', '/dev/vg/root', '--json');
    expect(absent).toMatchObject({ exit: 1, stderr: expect.stringContaining('FILES_PATH_NOT_FOUND') });
  }
});

async function listed(files: GuestFiles): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of files.walk(ROOT)) found.set(entry.path.toString('latin1'), facts(entry));
  found.delete('/lost+found');
  return found;
}

function facts({ facts }: GuestEntry): string {
  if (facts === undefined) return 'unreadable';
  const { type, mode, modifiedMs, sizeBytes, target } = facts;
  if (type === 'symlink') return `link ${target?.toString('latin1')}`;
  return `${type} ${mode.toString(8)} ${Math.floor(modifiedMs / 1000)}${type === 'file' ? ` ${sizeBytes}` : ''}`;
}

/** What a listing can know of the tree: all but the checksums. */
function expectedListing(tree: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...tree].map(([path, description]) => [path, description.replace(/^(file .*) [0-9a-f]{64}$/, '$1')]));
}

async function text(files: GuestFiles, path: string): Promise<string> {
  return (await collect(files.read(Buffer.from(path)))).toString();
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
