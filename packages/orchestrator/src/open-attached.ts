import { type CallOptions, errorCode } from '@onevault/base';
import type { BlockDevice, WritableBlockDevice } from '@onevault/block-cbt';
import type { AttachedDisk } from '@onevault/proxy-attach';
import { JobError } from './errors.ts';
import type { JobDeps } from './ports.ts';

/** What opening a device of the proxy needs. */
export type AttachedDeps = Pick<JobDeps, 'attacher' | 'clock' | 'devices'>;

/**
 * Opens the device of an attached disk for reading, exclusively: nobody has it mounted or holds it, nor can while it is open. A name in /dev can come to
 * mean another device at any moment, so size and identity are checked once it is open: what an open descriptor means cannot change.
 */
export function openAttached(deps: AttachedDeps, attached: AttachedDisk, options: CallOptions): Promise<BlockDevice> {
  return openConfirmed(deps, attached, options, () => deps.devices.open(attached.devicePath, { ...options, exclusive: true }));
}

/** As above, for writing. */
export function openAttachedWritable(deps: AttachedDeps, attached: AttachedDisk, options: CallOptions): Promise<WritableBlockDevice> {
  return openConfirmed(deps, attached, options, () => deps.devices.openWritable(attached.devicePath, options));
}

async function openConfirmed<D extends BlockDevice>(deps: AttachedDeps, attached: AttachedDisk, options: CallOptions, open: () => Promise<D>): Promise<D> {
  const device = await openWhenFree(deps, options, open);
  try {
    requireSize(device, attached);
    await deps.attacher.confirm(attached, options);
    return device;
  } catch (error) {
    await device[Symbol.asyncDispose]();
    throw error;
  }
}

/** udev's own programs open a device that has just come exclusively too, for a moment each. */
const OPEN_TRIES = 5;
const OPEN_PAUSE_MS = 1_000;

async function openWhenFree<D>(deps: AttachedDeps, options: CallOptions, open: () => Promise<D>): Promise<D> {
  for (let tries = 1; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (errorCode(error) !== 'CBT_DEVICE_BUSY' || tries === OPEN_TRIES) throw error;
    }
    await deps.clock.sleep(OPEN_PAUSE_MS, options);
  }
}

function requireSize(device: BlockDevice, attached: AttachedDisk): void {
  if (device.sizeBytes === attached.sizeBytes) return;
  throw new JobError({
    code: 'JOB_DEVICE_MISMATCH',
    message: `${attached.devicePath} (serial ${attached.serial}) has ${device.sizeBytes} bytes where ${attached.sizeBytes} were attached`,
    details: { devicePath: attached.devicePath, sizeBytes: device.sizeBytes, expectedBytes: attached.sizeBytes },
    hint: 'the device was resized or replaced under us: look at the disks of the proxy VM (lsblk, onevm show)',
  });
}
