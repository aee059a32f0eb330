import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitError } from '../../apps/cli/test/support/json-lines-schema.ts';
import { documentOf, type Finished, runCommand } from '../support/command-line.ts';
import { requiresCommand, requiresLoopDevice, requiresRoot, testWith } from '../support/requires.ts';
import { saveDisk } from './library-example.ts';
import { MIB, type StoredPoint, storedPoint } from './stored-point.ts';

const run = promisify(execFile);

/** `onevault export` where there is nothing but a repository and its key: no OpenNebula, no settings for it, no journal. */
describe('onevault export', { timeout: 60_000 }, () => {
  let stored: StoredPoint;
  beforeAll(async () => {
    stored = await storedPoint();
  });
  afterAll(() => stored[Symbol.asyncDispose]());

  function environment(repository = stored.repository): Readonly<Record<string, string>> {
    return { HOME: stored.file('home'), ONEVAULT_REPO: repository, ONEVAULT_KEY_FILE: stored.keyFile };
  }

  function exported(args: readonly string[], repository?: string): Promise<Finished> {
    return runCommand(['export', 'latest', ...args], environment(repository));
  }

  function expectError(finished: Finished, exit: number, code: string): Record<string, unknown> {
    expect(finished.exit, finished.stderr).toBe(exit);
    const error = exitError.parse(JSON.parse(finished.stderr.trim())) as Record<string, unknown>;
    expect(error).toMatchObject({ exitCode: exit, code });
    return error;
  }

  test('a disk to a file, read back, with one line that says what was done', async () => {
    const finished = await exported(['--disk', '0', '--output', stored.file('disk'), '--verify']);
    expect(finished).toMatchObject({ exit: 0, stderr: '' });
    expect(finished.stdout).toMatch(/^export point=\S+ result=ok format=raw disks=1 size=12\.0MiB written=5\.0MiB duration=\d+\.\ds\n$/);
    expect((await readFile(stored.file('disk'))).equals(stored.disks[0])).toBe(true);
    expectError(await exported(['--disk', 'vda', '-o', stored.file('disk'), '--json']), 1, 'EXPORT_TARGET_EXISTS');
    expect(await exported(['--disk', 'vdb', '-o', stored.file('disk'), '--force'])).toMatchObject({ exit: 0 });
    expect((await readFile(stored.file('disk'))).equals(stored.disks[1])).toBe(true);
    const leases = await readdir(`${stored.repository}/leases`, { recursive: true, withFileTypes: true });
    expect(leases.filter((entry) => entry.isFile())).toEqual([]); // the point was leased, and is not any more
  });

  test('a range to stdout, byte for byte; what is said of it goes to stderr', async () => {
    const bin = fileURLToPath(new URL('../../apps/cli/bin/onevault.js', import.meta.url));
    const args = [bin, 'export', 'latest', '--disk', '0', '-o', '-', '--offset', '512KiB', '--length', '2MiB'];
    const { stdout, stderr } = await run(process.execPath, args, { env: environment(), encoding: 'buffer', maxBuffer: 8 * MIB });
    expect(stdout.equals(stored.disks[0].subarray(MIB / 2, MIB * 2.5))).toBe(true);
    expect(stderr.toString()).toMatch(/^export point=\S+ result=ok /);
  });

  test('a reader that has enough ends the export, which says so', async () => {
    const bin = fileURLToPath(new URL('../../apps/cli/bin/onevault.js', import.meta.url));
    const child = spawn(process.execPath, [bin, 'export', 'latest', '--disk', '0', '-o', '-'], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.once('data', () => child.stdout.destroy());
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    const exit = await new Promise((resolve) => child.once('close', resolve));
    expect(exit).toBe(1);
    expect(stderr).toContain('code: EXPORT_PIPE_CLOSED');
  });

  test('everything into a directory: disks, what was saved of the VM, checksums, and what it is', async () => {
    const document = documentOf(await exported(['--directory', stored.file('web'), '--format', 'qcow2', '--compress', 'zstd', '--json']));
    expect(document).toMatchObject({
      type: 'export.result',
      result: 'ok',
      vm: { id: 7, name: 'web server' },
      disks: [{ diskId: 0, damaged: [] }, { diskId: 1 }],
      lost: [],
    });
    expect((await readdir(stored.file('web'))).sort()).toEqual(['README.txt', 'SHA256SUMS', 'disk-0.qcow2', 'disk-1.qcow2', 'images', 'vm.xml']);
    await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: stored.file('web') });
    expect(await readFile(stored.file('web/images/7.xml'), 'utf8')).toBe('<IMAGE/>');
    expect(await readFile(stored.file('web/README.txt'), 'utf8')).toContain('VM 7 web server as it was at 2026-11-22T19:00:00Z');
    expectError(await exported(['--directory', stored.file('web'), '--json']), 1, 'EXPORT_TARGET_EXISTS');
  });

  test('what makes no sense is refused before anything is opened or written', async () => {
    expectError(await exported(['--disk', '0', '-o', '-', '--json']), 2, 'CLI_USAGE');
    expectError(await exported(['-o', stored.file('nothing'), '--json']), 2, 'CLI_USAGE');
    expect(await readdir(stored.file('.'))).not.toContain('nothing');
  });

  test('without the key there is nothing', async () => {
    const finished = await runCommand(['export', 'latest', '--disk', '0', '-o', stored.file('keyless'), '--json'], {
      HOME: stored.file('home'),
      ONEVAULT_REPO: stored.repository,
    });
    expectError(finished, 12, 'REPO_KEY_REQUIRED');
  });

  test('damage names the bytes; skipped it is a hole, a warning and exit code 3', async () => {
    const repository = await stored.damaged();
    const target = stored.file('holes');
    const error = expectError(await exported(['--disk', '0', '-o', target, '--json'], repository), 13, 'REPO_CHUNK_CORRUPT');
    const { offset, length } = error['details'] as { readonly offset: number; readonly length: number };
    const finished = await exported(['--disk', '0', '-o', target, '--skip-damaged', '--verify'], repository);
    expect(finished).toMatchObject({ exit: 3, stdout: expect.stringContaining(' result=damaged ') });
    expect(finished.stderr).toContain(`bytes ${offset} to ${offset + length} are damaged (REPO_CHUNK_CORRUPT)`);
    const expected = Buffer.from(stored.disks[0]).fill(0, offset, offset + length);
    expect((await readFile(target)).equals(expected)).toBe(true);
    expect(stored.disks[0].equals(expected)).toBe(false);
  });

  test('from a Node program', async () => {
    await saveDisk(stored.repository, stored.keyFile, stored.point.id, 'disk-1', stored.file('saved.qcow2'));
    expect((await readFile(stored.file('saved.qcow2'))).subarray(0, 4).toString('latin1')).toBe('QFI\xfb');
    const guide = await readFile(new URL('../../docs/operate/exporting.md', import.meta.url), 'utf8');
    expect(guide).toContain(await readFile(new URL('library-example.ts', import.meta.url), 'utf8'));
  });

  testWith(
    [requiresRoot(), requiresCommand('mount', 'apt-get install mount')],
    'a disk that is full is an error that names the file, and nothing is left',
    async () => {
      await mkdir(stored.file('small'));
      await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', stored.file('small')]);
      try {
        for (const format of ['raw', 'qcow2']) {
          const error = expectError(await exported(['--disk', '0', '-o', stored.file('small/disk'), '--format', format, '--json']), 1, 'EXPORT_NO_SPACE');
          expect(error['message']).toContain(stored.file('small/'));
          expect(await readdir(stored.file('small'))).toEqual([]);
        }
      } finally {
        await run('umount', [stored.file('small')]);
      }
    },
  );

  testWith(
    [requiresLoopDevice(), requiresCommand('mke2fs', 'apt-get install e2fsprogs')],
    'a block device is written when it is named as one, is large enough, and nobody has it mounted',
    async () => {
      const image = stored.file('device.img');
      await writeFile(image, Buffer.alloc(2 * MIB, 7));
      await truncate(image, 16 * MIB);
      const device = (await run('losetup', ['--find', '--show', image])).stdout.trim();
      try {
        expectError(await exported(['--disk', '0', '-o', device, '--force', '--json']), 1, 'EXPORT_TARGET_KIND');
        expect(await exported(['--disk', '0', '--to-device', device, '--verify'])).toMatchObject({ exit: 0 });
        expect(sha256((await readFile(device)).subarray(0, 12 * MIB))).toBe(sha256(stored.disks[0]));
        await run('mke2fs', ['-q', device]);
        await mkdir(stored.file('mounted'));
        await run('mount', [device, stored.file('mounted')]);
        expectError(await exported(['--disk', '0', '--to-device', device, '--json']), 1, 'CBT_DEVICE_BUSY');
        await run('umount', [stored.file('mounted')]);
        await truncate(image, 4 * MIB);
        await run('losetup', ['--set-capacity', device]);
        expectError(await exported(['--disk', '0', '--to-device', device, '--json']), 1, 'EXPORT_DEVICE_SMALL');
      } finally {
        await run('umount', [stored.file('mounted')]).catch(() => undefined);
        await run('losetup', ['--detach', device]);
      }
    },
  );
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
