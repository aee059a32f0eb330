import type { CallOptions } from '@onevault/base';
import type { BlockDevice, WritableBlockDevice } from '@onevault/block-cbt';
import type { AttachedDisk } from '@onevault/proxy-attach';
import { JobError } from './errors.ts';
import type { DevicePort } from './ports.ts';

/** Opens the device of an attached disk; its size is checked each time, since a name in /dev can come to mean another device. */
export async function openAttached(devices: DevicePort, attached: AttachedDisk, options: CallOptions): Promise<BlockDevice> {
  return ofSize(await devices.open(attached.devicePath, options), attached);
}

/** As above, exclusively and for writing. */
export async function openAttachedWritable(devices: DevicePort, attached: AttachedDisk, options: CallOptions): Promise<WritableBlockDevice> {
  return ofSize(await devices.openWritable(attached.devicePath, options), attached);
}

async function ofSize<D extends BlockDevice>(device: D, attached: AttachedDisk): Promise<D> {
  if (device.sizeBytes === attached.sizeBytes) return device;
  await device[Symbol.asyncDispose]();
  throw new JobError({
    code: 'JOB_DEVICE_MISMATCH',
    message: `${attached.devicePath} (serial ${attached.serial}) has ${device.sizeBytes} bytes where ${attached.sizeBytes} were attached`,
    details: { devicePath: attached.devicePath, sizeBytes: device.sizeBytes, expectedBytes: attached.sizeBytes },
    hint: 'the device was resized or replaced under us: look at the disks of the proxy VM (lsblk, onevm show)',
  });
}

const PROBE_BYTES = 4096;

/** An image can be READY and still be unreadable (M.1): the device must have the size it says, and give its first and last bytes. */
export async function proveReadable(devices: DevicePort, attached: AttachedDisk, options: CallOptions): Promise<void> {
  await using device = await openAttached(devices, attached, options);
  const probe = new Uint8Array(Math.min(PROBE_BYTES, device.sizeBytes));
  await device.readInto(0, probe, options);
  await device.readInto(device.sizeBytes - probe.length, probe, options);
}
