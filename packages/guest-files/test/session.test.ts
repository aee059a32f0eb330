import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from '@onevault/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GuestFiles, type GuestFilesErrorCode, type GuestLimits, isGuestFilesError, openGuestFiles } from '../src/index.ts';
import { type FakeAnswers, fakeGuestfish, tarArchive } from '../testing/index.ts';
import { scratchDirectory } from './scratch.ts';

const DIRECTORY = 'st_ino: 2\nst_mode: 16877\nst_size: 4096\n';
/** Minutes pass in moments. */
const hurried: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms / 200, options) };
let opened = 0;

describe('a session with guestfish', () => {
  let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
  beforeEach(async () => {
    scratch = await scratchDirectory();
  });
  afterEach(() => scratch[Symbol.asyncDispose]());

  async function open(answers: FakeAnswers, more: { readonly clock?: Clock; readonly limits?: Partial<GuestLimits> } = {}): Promise<GuestFiles> {
    const { clock = systemClock, ...options } = more;
    const environment = await fakeGuestfish(scratch.path, { 'blockdev-getsize64': { output: '1048576\n' }, ...answers });
    const randomBytes = (length: number): Uint8Array => Buffer.alloc(length, ++opened % 256);
    return await openGuestFiles({ disks: [{ kind: 'file', path: '/x' }], environment, tempDir: scratch.path, ...options }, { clock, randomBytes });
  }
  const failsWith = (code: GuestFilesErrorCode): unknown => expect.toSatisfy((error) => isGuestFilesError(error, code));
  /** What lies beside the fake programs when no session is open: nothing. */
  const leftovers = async (): Promise<string[]> => (await readdir(scratch.path)).filter((name) => name.startsWith('onevault-'));

  it('without libguestfs it says what to install', async () => {
    const disks = [{ kind: 'file', path: '/x' }] as const;
    const session = openGuestFiles({ disks, environment: { PATH: '/nowhere' }, tempDir: scratch.path }, { clock: systemClock, randomBytes: Buffer.alloc });
    await expect(session).rejects.toMatchObject({ code: 'FILES_LIBGUESTFS_MISSING' });
    expect(await leftovers()).toEqual([]);
  });

  it('a micro-VM that does not start is an error that says why', async () => {
    const session = open({ launch: { fails: 'guestfs_launch failed: \u001b[31mno kernel' } });
    await expect(session).rejects.toMatchObject({ code: 'FILES_APPLIANCE_FAILED', details: { said: 'guestfs_launch failed: \\x1b[31mno kernel' } });
    expect(await leftovers()).toEqual([]);
  });

  it('a micro-VM that hangs is ended with all it has started, and the hint names what helps', async () => {
    const pidFile = join(scratch.path, 'pid');
    const session = open({ launch: { spawns: pidFile } }, { clock: hurried });
    await expect(session).rejects.toMatchObject({ code: 'FILES_APPLIANCE_TIMEOUT', hint: expect.stringContaining('force_tcg') });
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
    expect(await leftovers()).toEqual([]);
  });

  it('an abort ends the micro-VM and rejects with its reason', async () => {
    const pidFile = join(scratch.path, 'pid');
    const controller = new AbortController();
    await using files = await open({ 'inspect-os': { spawns: pidFile } });
    const inspected = files.operatingSystems({ signal: controller.signal });
    inspected.catch(() => undefined);
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await setImmediate();
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(inspected).rejects.toBe(reason);
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
    await expect(files.list(Buffer.from('/'))).rejects.toBe(reason);
  });

  it('when guestfish dies, the call under way and all later ones say so', async () => {
    await using files = await open({ 'inspect-os': { exits: 3 } });
    await expect(files.operatingSystems()).rejects.toThrow(failsWith('FILES_APPLIANCE_LOST'));
    await expect(files.list(Buffer.from('/'))).rejects.toThrow(failsWith('FILES_APPLIANCE_LOST'));
  });

  it('a stream that does not come ends by the clock', async () => {
    await using files = await open({ statns: { output: DIRECTORY }, 'tar-out': { hangs: true } }, { clock: hurried });
    await expect(drain(files.tar(Buffer.from('/')))).rejects.toThrow(failsWith('FILES_APPLIANCE_TIMEOUT'));
  });

  it('a stream that nobody reads to its end ends the session', async () => {
    await using files = await open({ statns: { output: DIRECTORY }, 'tar-out': { file: tarArchive([{ path: './a', body: Buffer.alloc(2 ** 20) }]) } });
    for await (const _ of files.tar(Buffer.from('/'))) break;
    await expect(files.list(Buffer.from('/'))).rejects.toThrow(failsWith('FILES_APPLIANCE_LOST'));
  });

  it('a command that fails after it has written is a failure at the end of what came', async () => {
    const fails = 'tar-out: ./b: Read error';
    await using files = await open({
      statns: { output: DIRECTORY },
      lstatns: { output: DIRECTORY },
      'tar-out': { file: tarArchive([{ path: './a', body: 'x' }]), fails },
    });
    await expect(drain(files.tar(Buffer.from('/')))).rejects.toThrow(failsWith('FILES_APPLIANCE_REFUSED'));
    const target = join(scratch.path, 'target');
    await expect(files.extract(Buffer.from('/'), { target })).rejects.toThrow(failsWith('FILES_APPLIANCE_REFUSED'));
    // Whole or not begun: the failure may overtake what came before it.
    expect(['', 'a']).toContain((await readdir(target)).join());
  });

  it('one that fails before it opens its file is a failure, too, and the session goes on', async () => {
    const absent = (verb: string): { readonly fails: string } => ({ fails: `${verb}: /./x: No such file or directory` });
    await using files = await open({ ls0: absent('ls0'), statns: absent('statns') });
    await expect(files.list(Buffer.from('/x'))).rejects.toThrow(failsWith('FILES_PATH_NOT_FOUND'));
    await expect(files.read(Buffer.from('/x')).next()).rejects.toThrow(failsWith('FILES_PATH_NOT_FOUND'));
  });

  it('a directory with more entries than allowed is refused', async () => {
    await using files = await open({ ls0: { file: Buffer.from('x\0'.repeat(11)) } }, { limits: { maxListed: 10 } });
    await expect(files.list(Buffer.from('/'))).rejects.toThrow(failsWith('FILES_LIMIT_EXCEEDED'));
  });

  it('directories in one another without end are refused', async () => {
    await using files = await open({ ls0: { file: Buffer.from('d\0') }, lstatnslist: { output: `[0] = {\n${DIRECTORY}}\n` } }, { limits: { maxDepth: 5 } });
    await expect(drain(files.walk(Buffer.from('/')))).rejects.toThrow(failsWith('FILES_LIMIT_EXCEEDED'));
  });

  it('an entry whose inode cannot be read is listed without facts', async () => {
    await using files = await open({ ls0: { file: Buffer.from('bad\0') }, lstatnslist: { output: '[0] = {\nst_ino: -1\nst_mode: 0\n}\n' } });
    expect(await files.list(Buffer.from('/'))).toEqual([{ path: Buffer.from('/bad'), name: Buffer.from('bad'), facts: undefined }]);
  });

  it('targets with line breaks are asked for one by one', async () => {
    const link = 'st_ino: 5\nst_mode: 41471\nst_size: 3\n';
    await using files = await open({
      ls0: { file: Buffer.from('a\0b\0') },
      lstatnslist: { output: `[0] = {\n${link}}\n[1] = {\n${link}}\n` },
      readlinklist: { output: 'x\ny\nz\n' },
      'readlink "/./a"': { output: 'x\ny\n' },
      'readlink "/./b"': { output: 'z\n' },
    });
    expect((await files.list(Buffer.from('/'))).map(({ facts }) => facts?.target?.toString())).toEqual(['x\ny', 'z']);
  });

  it('an encrypted file system is named as such, and what is not there with what is', async () => {
    await using files = await open({
      'list-filesystems': { output: '/dev/sda1: ext4\n' },
      'list-partitions': { output: '/dev/sda1\n/dev/sda2\n' },
      'vfs-type "/dev/sda2"': { output: 'crypto_LUKS\n' },
      blkid: { output: 'TYPE: crypto_LUKS\n' },
    });
    await expect(files.useFileSystem('/dev/sda2')).rejects.toMatchObject({
      code: 'FILES_FILE_SYSTEM_UNREADABLE',
      message: expect.stringContaining('LUKS'),
    });
    await expect(files.useFileSystem('/dev/sdb1')).rejects.toMatchObject({
      code: 'FILES_FILE_SYSTEM_UNKNOWN',
      details: { candidates: ['/dev/sda1', '/dev/sda2'] },
    });
  });
});

async function drain(source: AsyncGenerator<unknown, unknown>): Promise<void> {
  while ((await source.next()).done !== true);
}

/** A killed child of a child is a zombie until init has seen it: that does not count. */
function isRunning(pid: number): boolean {
  expect(pid).toBeGreaterThan(0);
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
