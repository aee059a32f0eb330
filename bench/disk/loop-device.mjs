import { runPlain } from '../measure/run.mjs';

/**
 * Runs `work` with a block device over the image, read past the page cache of the image's file system as well; without root or loop devices with
 * undefined.
 */
export function wholeDisk(image, work, { readOnly = true } = {}) {
  return withLoopDevices(image, [[]], (devices) => work(devices?.[0]), readOnly);
}

/** Runs `work` with four block devices, each a quarter of the image. */
export function fourQuarters(image, sizeBytes, work) {
  const quarter = Math.floor(sizeBytes / 4 / 4096) * 4096;
  const parts = [0, 1, 2, 3].map((index) => ['--offset', String(index * quarter), '--sizelimit', String(quarter)]);
  return withLoopDevices(image, parts, work);
}

async function withLoopDevices(image, parts, work, readOnly = true) {
  const devices = [];
  try {
    for (const part of parts) {
      const device = await attach(image, readOnly ? ['--read-only', ...part] : part);
      if (device === undefined) return await work(undefined);
      devices.push(device);
    }
    return await work(devices);
  } finally {
    for (const device of devices) await runPlain('losetup', ['--detach', device]);
  }
}

async function attach(image, part) {
  if (process.getuid() !== 0) return undefined;
  try {
    return (await runPlain('losetup', ['--find', '--show', '--direct-io=on', ...part, image])).trim();
  } catch (error) {
    process.stderr.write(`· no loop device: ${error.message.trim()}\n`);
    return undefined;
  }
}
