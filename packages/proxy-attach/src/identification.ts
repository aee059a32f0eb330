import type { AttachBus } from './target.ts';

/** How the disks of one proxy VM are plugged and recognised; from `chooseIdentification`. */
export interface Identification {
  readonly bus: AttachBus;
  /** OpenNebula passes DISK/SERIAL on to hot-attached disks: then the device must carry ours. */
  readonly serialReachesGuest: boolean;
  /** The last resort, for a device that neither serial nor address can tell: the one disk that came. Needs the lock of the proxy VM. */
  readonly byDifference: boolean;
}

export interface WantedIdentification {
  readonly bus?: AttachBus | undefined;
  readonly byDifference?: boolean | undefined;
}

/**
 * The safest way that a version of OpenNebula offers. vmm/kvm/attach_disk writes `<serial>` from 7.0.2 on; the SCSI address of an sd disk it writes in all
 * versions. So: virtio-blk by serial from 7.0.2 on, virtio-scsi by address before. On virtio-scsi with a serial both are checked. virtio-blk
 * without serial is recognised by nothing and refused, unless `byDifference` allows the last resort.
 */
export function chooseIdentification(version: string, wanted: WantedIdentification = {}): Identification {
  const serialReachesGuest = passesSerialOn(version);
  return { bus: wanted.bus ?? (serialReachesGuest ? 'vd' : 'sd'), serialReachesGuest, byDifference: wanted.byDifference ?? false };
}

/** 7.0.2 and later. A version that cannot be read is taken for an old one: the address is right in all of them. */
function passesSerialOn(version: string): boolean {
  const [major, minor, patch] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined || patch === undefined) return false;
  if (major !== 7) return major > 7;
  return minor > 0 || patch >= 2;
}
