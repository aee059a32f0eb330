import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requiresLoopDevice, testWith } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { openFailure } from '../src/errors.ts';
import { DeviceError, flushBlockDevice, openBlockDevice, openWritableBlockDevice } from '../src/index.ts';
import { fileDevice, type Piece, temporaryDirectory, writeImage } from '../testing/index.ts';
import { loopDevice } from './loop-device.ts';

const ONE_MIB: readonly Piece[] = [{ kind: 'data', length: 2 ** 20, seed: 1 }];

describe('openBlockDevice', () => {
  it('names what is not there', async () => {
    await expect(openBlockDevice('/nonexistent/disk')).rejects.toMatchObject({
      code: 'CBT_DEVICE_ABSENT',
      details: { path: '/nonexistent/disk', errno: 'ENOENT' },
      hint: expect.any(String),
      cause: { code: 'ENOENT' },
    });
  });

  it('refuses directories, FIFOs and character devices without waiting on them', async () => {
    await using directory = await temporaryDirectory();
    const fifo = join(directory.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const path of [directory.path, fifo, '/dev/null']) {
      await expect(openBlockDevice(path)).rejects.toMatchObject({ code: 'CBT_DEVICE_KIND', details: { path } });
      await expect(openWritableBlockDevice(path, { exclusive: true })).rejects.toMatchObject({ code: 'CBT_DEVICE_KIND' });
    }
  });

  it('reads past the page cache when the file system lets it, and says why when not', async () => {
    await using subject = await fileDevice(ONE_MIB, { direct: 'auto' });
    expect(subject.device.direct).toBe(subject.device.bufferedBecause === undefined);
    // procfs has no direct I/O on any kernel.
    await using refused = await openBlockDevice('/proc/version', { direct: 'auto' });
    expect(refused).toMatchObject({ direct: false, bufferedBecause: expect.stringContaining('EINVAL') });
    await expect(openBlockDevice('/proc/version', { direct: 'on' })).rejects.toMatchObject({ code: 'CBT_DIRECT_REFUSED', details: { errno: 'EINVAL' } });
    await using buffered = await openBlockDevice(subject.device.path, { direct: 'off' });
    expect(buffered).toMatchObject({ direct: false, bufferedBecause: 'asked for' });
  });

  it('opens an empty file', async () => {
    await using subject = await fileDevice([], { direct: 'auto' });
    expect(subject.device.sizeBytes).toBe(0);
  });

  it('does nothing once aborted', async () => {
    const reason = new Error('stop');
    await expect(openBlockDevice('/nonexistent', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(openWritableBlockDevice('/nonexistent', { exclusive: true, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('names the bytes that a file lost after it was opened', async () => {
    for (const direct of ['on', 'off'] as const) {
      await using subject = await fileDevice(ONE_MIB, { direct });
      await subject.resize(500_000);
      await subject.device.readInto(0, new Uint8Array(500_000));
      await expect(subject.device.readInto(400_000, new Uint8Array(200_000))).rejects.toMatchObject({
        code: 'CBT_SHORT_READ',
        details: { path: subject.device.path, offset: 500_000, length: 100_000 },
      });
    }
  });
});

describe('open failures', () => {
  it.each([
    ['EBUSY', 'CBT_DEVICE_BUSY'],
    ['EACCES', 'CBT_DEVICE_DENIED'],
    ['EPERM', 'CBT_DEVICE_DENIED'],
    ['EROFS', 'CBT_DEVICE_DENIED'],
    ['ENXIO', 'CBT_DEVICE_ABSENT'],
    ['EMFILE', 'CBT_OPEN_FAILED'],
  ])('%s is %s', (errno, code) => {
    const cause = Object.assign(new Error(errno), { code: errno });
    const error = openFailure('/dev/x', cause);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error).toMatchObject({ code, cause, retryable: false, hint: expect.any(String), details: { path: '/dev/x', errno } });
  });
});

describe('flushBlockDevice', () => {
  it('has nothing to do for a file, and says when there is no device', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'disk.img');
    await writeFile(path, 'abc');
    await flushBlockDevice(path);
    await expect(flushBlockDevice(join(directory.path, 'nowhere'))).rejects.toMatchObject({ code: 'CBT_DEVICE_ABSENT' });
  });
});

describe('openWritableBlockDevice', () => {
  it('neither creates nor truncates', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'disk.img');
    await expect(openWritableBlockDevice(path, { exclusive: true })).rejects.toMatchObject({ code: 'CBT_DEVICE_ABSENT' });
    await writeFile(path, 'abc');
    await using device = await openWritableBlockDevice(path, { exclusive: true });
    expect(device.sizeBytes).toBe(3);
  });

  it('names the bytes that could not be written', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'disk.img');
    await writeFile(path, new Uint8Array(8192));
    await using device = await openWritableBlockDevice(path, { exclusive: true });
    await device[Symbol.asyncDispose]();
    await expect(device.writeFrom(4096, new Uint8Array(100))).rejects.toMatchObject({
      code: 'CBT_WRITE_FAILED',
      details: { path, offset: 4096, length: 100, errno: 'EBADF' },
    });
    await expect(device.flush()).rejects.toMatchObject({ code: 'CBT_WRITE_FAILED' });
  });

  testWith([requiresLoopDevice()], 'says that space is used up, and from which byte on', async () => {
    await using directory = await temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'onevault-test', directory.path]);
    try {
      const path = join(directory.path, 'disk.img');
      await writeImage(path, [{ kind: 'hole', length: 2 ** 20 }]);
      await using device = await openWritableBlockDevice(path, { exclusive: true });
      await expect(device.writeFrom(0, new Uint8Array(2 ** 20).fill(1))).rejects.toMatchObject({
        code: 'CBT_WRITE_FAILED',
        details: { offset: 65_536, length: 2 ** 20 - 65_536, errno: 'ENOSPC' },
        hint: expect.stringContaining('no space'),
      });
    } finally {
      execFileSync('umount', [directory.path]);
    }
  });
});

describe('block devices', () => {
  testWith([requiresLoopDevice()], 'have the size that sysfs says, in sectors of 512 bytes', async () => {
    await using loop = await loopDevice([{ kind: 'hole', length: 2 ** 20 + 512 }]);
    await using device = await openBlockDevice(loop.path);
    expect(device).toMatchObject({ sizeBytes: 2 ** 20 + 512, direct: true });
    const number = execFileSync('stat', ['-c', '%Hr:%Lr', loop.path], { encoding: 'utf8' }).trim();
    await using sysfs = await temporaryDirectory();
    await expect(openBlockDevice(loop.path, { sysfsRoot: sysfs.path })).rejects.toMatchObject({ code: 'CBT_DEVICE_ABSENT' });
    const entry = join(sysfs.path, 'dev/block', number);
    await mkdir(entry, { recursive: true });
    await writeFile(join(entry, 'size'), '1024\n');
    await using injected = await openBlockDevice(loop.path, { sysfsRoot: sysfs.path });
    expect(injected.sizeBytes).toBe(1024 * 512);
    for (const nonsense of ['', '-\n', '99999999999999999999\n']) {
      await writeFile(join(entry, 'size'), nonsense);
      await expect(openBlockDevice(loop.path, { sysfsRoot: sysfs.path })).rejects.toMatchObject({ code: 'CBT_OPEN_FAILED' });
    }
  });

  testWith([requiresLoopDevice()], 'can be read exclusively: refused while something holds them, and held by nobody else meanwhile', async () => {
    await using loop = await loopDevice(ONE_MIB);
    await using reader = await openBlockDevice(loop.path, { exclusive: true });
    await expect(openBlockDevice(loop.path, { exclusive: true })).rejects.toMatchObject({ code: 'CBT_DEVICE_BUSY' });
    await expect(openWritableBlockDevice(loop.path, { exclusive: true })).rejects.toMatchObject({ code: 'CBT_DEVICE_BUSY' });
    await using another = await openBlockDevice(loop.path);
    expect([reader.direct, another.sizeBytes]).toEqual([true, 2 ** 20]);
  });

  testWith([requiresLoopDevice()], 'are flushed: what was written through the page cache is on the device', async () => {
    await using loop = await loopDevice(ONE_MIB);
    await writeFile(loop.path, new Uint8Array(4096).fill(7), { flag: 'r+' });
    await flushBlockDevice(loop.path);
    await using device = await openBlockDevice(loop.path, { direct: 'on' });
    const read = new Uint8Array(4096);
    await device.readInto(0, read);
    expect(read.every((byte) => byte === 7)).toBe(true);
  });

  testWith([requiresLoopDevice()], 'are refused for writing while something else holds them', async () => {
    await using loop = await loopDevice(ONE_MIB);
    await using device = await openWritableBlockDevice(loop.path, { exclusive: true });
    await expect(openWritableBlockDevice(loop.path, { exclusive: true })).rejects.toMatchObject({ code: 'CBT_DEVICE_BUSY', details: { errno: 'EBUSY' } });
    expect(device.sizeBytes).toBe(2 ** 20);
  });

  testWith([requiresLoopDevice()], 'that fail to read say which bytes', async () => {
    await using loop = await loopDevice([{ kind: 'data', length: 4 * 2 ** 20, seed: 1 }]);
    await using device = await openBlockDevice(loop.path, { direct: 'on' });
    loop.truncateBacking(2 ** 20);
    await device.readInto(0, new Uint8Array(2 ** 20));
    await expect(device.readInto(2 ** 21, new Uint8Array(4096))).rejects.toMatchObject({
      code: 'CBT_READ_FAILED',
      details: { path: loop.path, offset: 2 ** 21, length: 4096, errno: 'EIO' },
      cause: { code: 'EIO' },
    });
  });
});
