import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { openFailure } from './errors.ts';

/** <linux/fs.h>: _IO(0x12, 97). */
const BLKFLSBUF = 0x1261;

/**
 * Brings what the kernel still keeps of a block device to it and forgets it (fsync, then BLKFLSBUF where the foreign-function module loads): to be
 * called before a device is unplugged, when everybody has closed it. Does nothing to a file, which has no device of its own.
 */
export async function flushBlockDevice(path: string): Promise<void> {
  const handle = await openQuietly(path);
  try {
    if (!(await handle.stat()).isBlockDevice()) return;
    await handle.sync();
    await (await loadFlushBuffers())?.(handle.fd);
  } catch (error) {
    throw openFailure(path, error);
  } finally {
    await handle.close();
  }
}

/** Without waiting for anything: a device that is on its way out may have nobody behind it. */
async function openQuietly(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw openFailure(path, error);
  }
}

type FlushBuffers = (fd: number) => Promise<void>;

let loaded: Promise<FlushBuffers | undefined> | undefined;

function loadFlushBuffers(): Promise<FlushBuffers | undefined> {
  loaded ??= bindFlushBuffers().catch(() => undefined); // an optional part: the last close forgets the buffers too
  return loaded;
}

/** Node has no ioctl. A refusal (EACCES, for those who are not root) leaves the buffers to the last close. */
async function bindFlushBuffers(): Promise<FlushBuffers> {
  const { default: koffi } = await import('koffi');
  const ioctl = koffi.load(null).func('int ioctl(int fd, unsigned long request, unsigned long argument)');
  return (fd) =>
    new Promise((resolve, reject) => {
      ioctl.async(fd, BLKFLSBUF, 0, (error: unknown) => {
        if (error) reject(error);
        else resolve();
      });
    });
}
