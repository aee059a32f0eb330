import type { IdentifiedBy, SysfsDisk } from './attach-api.ts';
import type { Identification } from './identification.ts';
import { disksAtTarget, formatScsiAddress, scsiTargetOf, VIRTIO_SCSI } from './scsi-address.ts';
import { isOwnSerial, parseSerial } from './serial.ts';

export interface ExpectedDevice {
  /** From `newSerial`; any other is never matched. */
  readonly serial: string;
  /** The TARGET it was attached as; with the bus sd it stands for a SCSI address. */
  readonly target: string;
  readonly sizeBytes: number;
  /** The device may be this much smaller, never larger: OpenNebula rounds the SIZE of an image up to whole MiB. */
  readonly sizeToleranceBytes?: number;
  readonly readOnly: boolean;
}

export type DeviceMatch =
  | { readonly kind: 'found'; readonly disk: SysfsDisk; readonly by: IdentifiedBy }
  | { readonly kind: 'absent' }
  | { readonly kind: 'ambiguous'; readonly disks: readonly SysfsDisk[] }
  /** Two signs that contradict each other. */
  | { readonly kind: 'conflict'; readonly disk: SysfsDisk; readonly why: string }
  | { readonly kind: 'wrong-size'; readonly disk: SysfsDisk }
  | { readonly kind: 'in-use'; readonly disk: SysfsDisk }
  | { readonly kind: 'written'; readonly disk: SysfsDisk }
  | { readonly kind: 'writable-but-should-be-read-only'; readonly disk: SysfsDisk }
  | { readonly kind: 'read-only-but-should-be-writable'; readonly disk: SysfsDisk };

/**
 * The device of one attachment. Names and order of appearance say nothing (the guest's name and TARGET are unrelated), and a wrong guess would read or
 * overwrite another VM's disk: every doubt is its own verdict. `before`: the disks that were there before the attach.
 */
export function findDevice(
  disks: readonly SysfsDisk[],
  before: readonly SysfsDisk[],
  expected: ExpectedDevice,
  how: Pick<Identification, 'serialReachesGuest' | 'byDifference'>,
): DeviceMatch {
  if (!isOwnSerial(expected.serial)) return { kind: 'absent' };
  const match = identify(disks, before, expected, how);
  return match.kind === 'found' ? judge(match.disk, match.by, expected) : match;
}

function identify(
  disks: readonly SysfsDisk[],
  before: readonly SysfsDisk[],
  expected: ExpectedDevice,
  how: Pick<Identification, 'serialReachesGuest' | 'byDifference'>,
): DeviceMatch {
  const [bySerial, ...twins] = disks.filter((disk) => parseSerial(disk.serial) === expected.serial);
  if (bySerial !== undefined && twins.length > 0) return { kind: 'ambiguous', disks: [bySerial, ...twins] };
  const scsiTarget = scsiTargetOf(expected.target);
  if (scsiTarget !== undefined) return atAddress(disks, before, scsiTarget, bySerial, how.serialReachesGuest);
  if (bySerial !== undefined) return { kind: 'found', disk: bySerial, by: 'serial' };
  if (how.serialReachesGuest || !how.byDifference) return { kind: 'absent' };
  const [only, ...others] = disks.filter((disk) => !before.some((earlier) => isSameDevice(earlier, disk)));
  if (only === undefined) return { kind: 'absent' };
  return others.length > 0 ? { kind: 'ambiguous', disks: [only, ...others] } : byDifference(only);
}

/** By SCSI address, and by serial where it reaches the guest: then both must mean the same device. */
function atAddress(
  disks: readonly SysfsDisk[],
  before: readonly SysfsDisk[],
  scsiTarget: number,
  bySerial: SysfsDisk | undefined,
  serialReachesGuest: boolean,
): DeviceMatch {
  const [disk, ...others] = disksAtTarget(disks, scsiTarget).filter((candidate) => !before.some((earlier) => isSameDevice(earlier, candidate)));
  if (disk !== undefined && others.length > 0) return { kind: 'ambiguous', disks: [disk, ...others] };
  if (disk === undefined) {
    if (bySerial === undefined) return { kind: 'absent' };
    const where = bySerial.scsi === undefined ? 'on no SCSI bus' : `at ${formatScsiAddress(bySerial.scsi)} of ${bySerial.scsi.driver ?? 'an unknown driver'}`;
    return { kind: 'conflict', disk: bySerial, why: `it carries our serial ${where}, not at target ${scsiTarget} of ${VIRTIO_SCSI}` };
  }
  if (bySerial?.name === disk.name) return { kind: 'found', disk, by: 'serial+scsi' };
  if (bySerial !== undefined || serialReachesGuest) {
    return { kind: 'conflict', disk, why: `it is at target ${scsiTarget} and has the serial ${disk.serial ?? '(none)'}, not ours` };
  }
  const contradiction = contradictingSerial(disk.serial, scsiTarget);
  return contradiction === undefined ? { kind: 'found', disk, by: 'scsi' } : { kind: 'conflict', disk, why: contradiction };
}

/** A serial that QEMU made up from the address (`drive-scsi0-0-10-0`) must say the same; one of ours belongs to another attachment. */
function contradictingSerial(serial: string | undefined, scsiTarget: number): string | undefined {
  if (serial === undefined) return undefined;
  if (parseSerial(serial) !== undefined) return `it is at target ${scsiTarget} and has the serial ${serial} of another attachment of ours`;
  const madeUp = /^drive-scsi\d+-\d+-(\d+)-\d+$/.exec(serial)?.[1];
  return madeUp === undefined || Number(madeUp) === scsiTarget ? undefined : `it is at target ${scsiTarget}, but its serial ${serial} names target ${madeUp}`;
}

/** The one that came. It must be a plain virtio-blk disk, as was asked for, and carry nothing that says it is somebody else's. */
function byDifference(disk: SysfsDisk): DeviceMatch {
  if (disk.scsi !== undefined || !disk.name.startsWith('vd')) return { kind: 'conflict', disk, why: 'it is no virtio disk, which is what was attached' };
  if (disk.serial !== undefined) return { kind: 'conflict', disk, why: `it has the serial ${disk.serial}, and ours cannot have reached it` };
  return { kind: 'found', disk, by: 'difference' };
}

function judge(disk: SysfsDisk, by: IdentifiedBy, expected: ExpectedDevice): DeviceMatch {
  if (!sizeFits(disk.sizeBytes, expected)) return { kind: 'wrong-size', disk };
  if (disk.holders.length > 0) return { kind: 'in-use', disk };
  if (expected.readOnly && !disk.readOnly) return { kind: 'writable-but-should-be-read-only', disk };
  if (!expected.readOnly && disk.readOnly) return { kind: 'read-only-but-should-be-writable', disk };
  // Where the device is not proven by a serial of ours, one that somebody writes to is somebody's. No figure is a doubt too.
  if (by === 'difference' && disk.writtenSectors !== 0) return { kind: 'written', disk };
  return { kind: 'found', disk, by };
}

function sizeFits(actualBytes: number, expected: ExpectedDevice): boolean {
  const missing = expected.sizeBytes - actualBytes;
  return missing >= 0 && missing <= (expected.sizeToleranceBytes ?? 0);
}

type DeviceIdentity = Pick<SysfsDisk, 'name' | 'serial' | 'scsi' | 'sequence'>;

/** Whether two readings show one and the same device: its name alone may have passed to another meanwhile. */
export function isSameDevice(a: DeviceIdentity, b: DeviceIdentity): boolean {
  if (a.name !== b.name || a.sequence !== b.sequence || a.serial !== b.serial) return false;
  return (a.scsi && formatScsiAddress(a.scsi)) === (b.scsi && formatScsiAddress(b.scsi));
}
