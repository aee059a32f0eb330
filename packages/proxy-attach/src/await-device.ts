import type { CallOptions } from '@onevault/base';
import type { AttachRequest, IdentifiedBy, SysfsDisk } from './attach-api.ts';
import { AttachError, type AttachErrorCode, type AttachErrorDetails } from './errors.ts';
import { type DeviceMatch, findDevice } from './find-device.ts';
import { type HotplugDeps, pollDevices } from './hotplug.ts';
import type { Identification } from './identification.ts';
import { scsiTargetOf, VIRTIO_SCSI } from './scsi-address.ts';

type Wanted = AttachRequest & { readonly target: string };
type Mismatch = Exclude<DeviceMatch, { kind: 'found' }>;

/** Waits for the guest to show the device and judges it: the only one it can be, of the exact size, nobody's, and as writable as asked. */
export async function awaitDevice(
  deps: HotplugDeps,
  wanted: Wanted,
  before: readonly SysfsDisk[],
  options: CallOptions,
): Promise<{ readonly device: SysfsDisk; readonly by: IdentifiedBy }> {
  const match = await pollDevices(deps, (disks) => settled(findDevice(disks, before, wanted, deps.identification)), options);
  if (match?.kind === 'found') return { device: match.disk, by: match.by };
  const { code, reason, hint, details } = verdict(wanted, match ?? { kind: 'absent' }, deps);
  throw new AttachError({
    code,
    message: `find the device of image ${wanted.imageId} with serial ${wanted.serial}: ${reason}`,
    details: { imageId: wanted.imageId, serial: wanted.serial, target: wanted.target, ...details },
    hint,
  });
}

/** A device of no size is still being set up by its driver; so is one that is not there. */
function settled(match: DeviceMatch): DeviceMatch | undefined {
  if (match.kind === 'absent') return undefined;
  return match.kind === 'wrong-size' && match.disk.sizeBytes === 0 ? undefined : match;
}

interface Verdict {
  readonly code: AttachErrorCode;
  readonly reason: string;
  readonly hint: string;
  readonly details: AttachErrorDetails;
}

function verdict(wanted: Wanted, match: Mismatch, { identification, timeouts }: HotplugDeps): Verdict {
  switch (match.kind) {
    case 'absent':
      return {
        code: 'ATTACH_DEVICE_ABSENT',
        reason: `not in /sys/block after ${Math.round(timeouts.deviceMs / 1000)} s`,
        hint: absentHint(wanted, identification),
        details: { timeoutMs: timeouts.deviceMs },
      };
    case 'ambiguous': {
      const devicePaths = match.disks.map((disk) => disk.devicePath);
      return {
        code: 'ATTACH_DEVICE_AMBIGUOUS',
        reason: `it could be any of ${devicePaths.join(', ')}`,
        hint: 'detach from the proxy VM what does not belong there, and let nobody else plug disks into it',
        details: { devicePaths },
      };
    }
    default:
      return ofOneDevice(wanted, match);
  }
}

function absentHint({ target }: Wanted, { serialReachesGuest }: Identification): string {
  const scsiTarget = scsiTargetOf(target);
  const inside = 'this must run inside the proxy VM itself';
  if (scsiTarget !== undefined) return `${inside}, which must have the ${VIRTIO_SCSI} controller of OpenNebula (no disk came at SCSI target ${scsiTarget})`;
  if (!serialReachesGuest) return `${inside}; bus sd does not depend on how the disk looks`;
  return `${inside}; OpenNebula passes SERIAL to hot-attached disks only since 7.0.2; a q35 proxy needs a free PCI port for each disk (bus sd does not)`;
}

function ofOneDevice(wanted: Wanted, match: Exclude<Mismatch, { kind: 'absent' | 'ambiguous' }>): Verdict {
  const { devicePath, sizeBytes, holders, writtenSectors } = match.disk;
  switch (match.kind) {
    case 'conflict':
      return {
        code: 'ATTACH_DEVICE_CONFLICT',
        reason: `${devicePath} is not it beyond doubt: ${match.why}`,
        hint: 'see the disks of the proxy VM (lsblk --scsi, onevm show) and detach what does not belong there; with SD_DISK_BUS=sata, or several SCSI controllers, use bus vd',
        details: { devicePath },
      };
    case 'wrong-size':
      return {
        code: 'ATTACH_DEVICE_SIZE',
        reason: `${devicePath} has ${sizeBytes} bytes, expected ${wanted.sizeBytes}`,
        hint: 'the image is not the copy that was asked for; a qcow2 image whose backing file is missing looks like this',
        details: { devicePath, expectedBytes: wanted.sizeBytes, actualBytes: sizeBytes },
      };
    case 'in-use':
      return {
        code: 'ATTACH_DEVICE_IN_USE',
        reason: `${devicePath} is already used in the proxy VM by ${holders.join(', ')}`,
        hint: 'keep LVM, multipath, software RAID and automounters of the proxy VM away from attached disks: onevault doctor shows how',
        details: { devicePath, holders },
      };
    case 'written':
      return {
        code: 'ATTACH_DEVICE_WRITTEN',
        reason: `${devicePath} ${writtenSectors === undefined ? 'may have been' : 'has been'} written to since it came, so it may be somebody else's`,
        hint: 'keep LVM, multipath, software RAID and automounters of the proxy VM away from attached disks: onevault doctor shows how; or use bus sd',
        details: { devicePath, ...(writtenSectors === undefined ? {} : { writtenSectors }) },
      };
    case 'writable-but-should-be-read-only':
      return {
        code: 'ATTACH_DEVICE_WRITABLE',
        reason: `${devicePath} accepts writes though it was attached read-only`,
        hint: "the READONLY attribute did not reach the hypervisor; see the proxy VM's log on the front-end",
        details: { devicePath },
      };
    case 'read-only-but-should-be-writable':
      return {
        code: 'ATTACH_DEVICE_READ_ONLY',
        reason: `${devicePath} refuses writes though it was attached for writing`,
        hint: 'the image may be a CD-ROM or persistent IMMUTABLE; make a DATABLOCK for the restore',
        details: { devicePath },
      };
  }
}
