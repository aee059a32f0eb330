import type { CallOptions } from '@onevault/base';
import type { AttachedDisk, SysfsDisk } from './attach-api.ts';
import { AttachError, type AttachErrorCode } from './errors.ts';
import { isSameDevice } from './find-device.ts';
import type { HotplugDeps } from './hotplug.ts';

/** The device of an attachment is what it was when it was identified. */
export async function confirmDevice(deps: Pick<HotplugDeps, 'sysfs'>, attached: AttachedDisk, options: CallOptions): Promise<void> {
  const disks = await deps.sysfs(options);
  const doubt = doubtOf(disks, attached);
  if (doubt === undefined) return;
  throw new AttachError({
    code: doubt.code,
    message: `${attached.devicePath}, the disk of image ${attached.imageId} with serial ${attached.serial}: ${doubt.why}`,
    details: {
      diskId: attached.diskId,
      imageId: attached.imageId,
      serial: attached.serial,
      devicePath: attached.devicePath,
      ...(doubt.holders && { holders: doubt.holders }),
    },
    hint:
      doubt.code === 'ATTACH_DEVICE_IN_USE'
        ? 'keep LVM, multipath, software RAID and automounters of the proxy VM away from attached disks: onevault doctor shows how'
        : 'somebody detached or replaced the disk meanwhile: leave the proxy VM to onevault while it works (lsblk, onevm show)',
  });
}

interface Doubt {
  readonly code: AttachErrorCode;
  readonly why: string;
  readonly holders?: readonly string[];
}

function doubtOf(disks: readonly SysfsDisk[], attached: AttachedDisk): Doubt | undefined {
  const device = disks.find((disk) => isSameDevice(disk, attached.device));
  if (device === undefined) return { code: 'ATTACH_DEVICE_CHANGED', why: 'it is gone, or its name has passed to another device' };
  if (device.sizeBytes !== attached.sizeBytes)
    return { code: 'ATTACH_DEVICE_CHANGED', why: `it has ${device.sizeBytes} bytes now, and had ${attached.sizeBytes}` };
  if (device.readOnly !== attached.readOnly)
    return { code: 'ATTACH_DEVICE_CHANGED', why: device.readOnly ? 'it refuses writes now' : 'it accepts writes, and was attached read-only' };
  if (device.holders.length > 0)
    return { code: 'ATTACH_DEVICE_IN_USE', why: `it is used in the proxy VM by ${device.holders.join(', ')}`, holders: device.holders };
  return undefined;
}
