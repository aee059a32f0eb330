import type { SysfsDisk } from './attach-api.ts';
import { isSameDevice } from './find-device.ts';
import { disksAtTarget, scsiTargetOf } from './scsi-address.ts';
import { parseSerial } from './serial.ts';

/** A disk of the VM body that is about to be unplugged, as far as it helps to find its device. */
export interface UnpluggedDisk {
  readonly serial: string;
  /** Undefined when it says nothing of the device. */
  readonly target: string | undefined;
  readonly sizeBytes: number | undefined;
}

/** The devices of the guest that can belong to a disk of ours: one for certain, or, where nothing tells them, those that look like it. */
export interface GuestSide {
  readonly certain: SysfsDisk | undefined;
  readonly candidates: readonly SysfsDisk[];
}

/**
 * What an unplug must take from the guest. By serial; by SCSI address, unless a device of another attachment is there; else one of the virtio disks
 * without serial that have its size and no user: which one nobody knows, but one of them has to go.
 */
export function guestSideOf(disks: readonly SysfsDisk[], unplugged: UnpluggedDisk): GuestSide {
  const bySerial = disks.find((disk) => parseSerial(disk.serial) === unplugged.serial);
  if (bySerial !== undefined) return { certain: bySerial, candidates: [] };
  if (unplugged.target === undefined) return { certain: undefined, candidates: [] };
  const scsiTarget = scsiTargetOf(unplugged.target);
  if (scsiTarget !== undefined) {
    return { certain: disksAtTarget(disks, scsiTarget).find((disk) => parseSerial(disk.serial) === undefined), candidates: [] };
  }
  const candidates = disks.filter(
    (disk) =>
      disk.scsi === undefined &&
      disk.serial === undefined &&
      disk.name.startsWith('vd') &&
      disk.holders.length === 0 &&
      (unplugged.sizeBytes === undefined || disk.sizeBytes <= unplugged.sizeBytes),
  );
  return { certain: undefined, candidates };
}

/** The device that is still there though it should have gone, if any. `before`: what `guestSideOf` said before the unplug. */
export function stillThere(before: GuestSide, now: readonly SysfsDisk[]): SysfsDisk | undefined {
  const remains = (earlier: SysfsDisk): boolean => now.some((disk) => isSameDevice(disk, earlier));
  if (before.certain !== undefined) return remains(before.certain) ? before.certain : undefined;
  return before.candidates.every(remains) ? before.candidates[0] : undefined;
}
