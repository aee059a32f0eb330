import type { CallOptions } from '@onevault/base';
import type { AttachRequest, SysfsDisk } from './attach-api.ts';
import { AttachError, type AttachErrorCode, type AttachErrorDetails } from './errors.ts';
import { type DeviceMatch, findDevice } from './find-device.ts';
import { type HotplugDeps, pollDevices } from './hotplug.ts';

/** Waits for the guest to show the device and judges it: serial, exact size, nobody's, and as writable as asked. */
export async function awaitDevice(deps: HotplugDeps, request: AttachRequest, options: CallOptions): Promise<SysfsDisk> {
  const match = await pollDevices(deps, (disks) => settled(findDevice(disks, request)), options);
  if (match?.kind === 'found') return match.disk;
  throw mismatch(request, match, deps.timeouts.deviceMs);
}

/** A device of no size is still being set up by its driver; so is one that is not there. */
function settled(match: DeviceMatch): DeviceMatch | undefined {
  if (match.kind === 'absent') return undefined;
  return match.kind === 'wrong-size' && match.disk.sizeBytes === 0 ? undefined : match;
}

function mismatch(request: AttachRequest, match: Exclude<DeviceMatch, { kind: 'found' }> | undefined, waitedMs: number): AttachError {
  const { code, reason, hint, details } = verdict(request, match, waitedMs);
  return new AttachError({
    code,
    message: `find the device of image ${request.imageId} with serial ${request.serial}: ${reason}`,
    details: { imageId: request.imageId, serial: request.serial, ...details },
    hint,
  });
}

interface Verdict {
  readonly code: AttachErrorCode;
  readonly reason: string;
  readonly hint: string;
  readonly details: AttachErrorDetails;
}

function verdict(request: AttachRequest, match: Exclude<DeviceMatch, { kind: 'found' }> | undefined, waitedMs: number): Verdict {
  switch (match?.kind) {
    case undefined:
    case 'absent':
      return {
        code: 'ATTACH_DEVICE_ABSENT',
        reason: `not in /sys/block after ${Math.round(waitedMs / 1000)} s`,
        hint: 'this must run inside the proxy VM itself; OpenNebula passes SERIAL to hot-attached disks only since 7.0.2; a q35 proxy needs a free PCI port for each disk',
        details: { timeoutMs: waitedMs },
      };
    case 'ambiguous':
      return {
        code: 'ATTACH_DEVICE_AMBIGUOUS',
        reason: `${match.disks.length} devices carry it: ${match.disks.map((disk) => disk.devicePath).join(', ')}`,
        hint: 'detach from the proxy VM what does not belong there',
        details: { devicePaths: match.disks.map((disk) => disk.devicePath) },
      };
    case 'wrong-size':
      return {
        code: 'ATTACH_DEVICE_SIZE',
        reason: `${match.disk.devicePath} has ${match.disk.sizeBytes} bytes, expected ${request.sizeBytes}`,
        hint: 'the image is not the copy that was asked for; a qcow2 image whose backing file is missing looks like this',
        details: { devicePath: match.disk.devicePath, expectedBytes: request.sizeBytes, actualBytes: match.disk.sizeBytes },
      };
    case 'in-use':
      return {
        code: 'ATTACH_DEVICE_IN_USE',
        reason: `${match.disk.devicePath} is already used in the proxy VM by ${match.disk.holders.join(', ')}`,
        hint: 'keep LVM, multipath, software RAID and automounters of the proxy VM away from attached disks (a global_filter in lvm.conf that accepts only its own disks)',
        details: { devicePath: match.disk.devicePath, holders: match.disk.holders },
      };
    case 'writable-but-should-be-read-only':
      return {
        code: 'ATTACH_DEVICE_WRITABLE',
        reason: `${match.disk.devicePath} accepts writes though it was attached read-only`,
        hint: "the READONLY attribute did not reach the hypervisor; see the proxy VM's log on the front-end",
        details: { devicePath: match.disk.devicePath },
      };
    case 'read-only-but-should-be-writable':
      return {
        code: 'ATTACH_DEVICE_READ_ONLY',
        reason: `${match.disk.devicePath} refuses writes though it was attached for writing`,
        hint: 'the image may be a CD-ROM or persistent IMMUTABLE; make a DATABLOCK for the restore',
        details: { devicePath: match.disk.devicePath },
      };
  }
}
