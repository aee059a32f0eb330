import type { ProxyVmView, SysfsDisk } from './attach-api.ts';
import { AttachError } from './errors.ts';
import { disksAtTarget, scsiTargetOf } from './scsi-address.ts';
import { isOwnSerial } from './serial.ts';

/** virtio-blk, or virtio-scsi. `hd` cannot be hot-plugged. */
export type AttachBus = 'vd' | 'sd';

/**
 * One letter only: up to 7.2 OpenNebula takes just the first of two letters for the SCSI address, so `sdaa` collides with `sda`
 * (vmm/kvm/attach_disk, OpenNebula/one#7318).
 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Attachments of ours that one proxy VM carries at a time. A q35 machine has 16 hot-plug ports for disks and NICs together, i440fx about 25 slots; with
 * more than 26 SCSI disks OpenNebula's addresses collide.
 */
export const MAX_ATTACHMENTS = 12;

/** sdz: the highest of the addresses that one letter stands for. */
export const LAST_SCSI_TARGET = LETTERS.length - 1;

/**
 * SCSI disks are plugged from sdz downwards: the proxy's own have low letters, so the addresses from here on are ours, and a udev rule can say so
 * without knowing any serial.
 */
export function firstAttachedScsiTarget(): number {
  return LETTERS.length - MAX_ATTACHMENTS;
}

/** What else is known of a TARGET than the VM body says. */
export interface TargetFacts {
  /** Targets that OpenNebula said are in use. */
  readonly refused?: ReadonlySet<string>;
  /** The guest's disks: an address that still has a device there would show two, or the old one. */
  readonly devices?: readonly SysfsDisk[];
}

/**
 * A TARGET that is free on the proxy VM: the lowest vd, the highest sd. Every DISK's and CONTEXT's TARGET is taken; the letters of the proxy's own disks are skipped under
 * any prefix too, because a SATA or IDE boot disk may share the address that the letter stands for; so are SCSI addresses where the guest has a device.
 */
export function freeTarget(view: ProxyVmView, prefix: AttachBus, { refused = new Set(), devices = [] }: TargetFacts = {}): string {
  const ours = view.disks.filter(({ serial }) => serial !== undefined && isOwnSerial(serial));
  if (ours.length >= MAX_ATTACHMENTS) throw proxyFull(ours.length);
  const taken = new Set(refused);
  for (const disk of view.disks) {
    taken.add(disk.target);
    if (!ours.includes(disk)) taken.add(prefix + letterOf(disk.target));
  }
  const context = view.contextDisk?.target;
  if (context !== undefined) taken.add(context).add(prefix + letterOf(context));
  for (const letter of prefix === 'sd' ? [...LETTERS].reverse() : LETTERS) {
    if (!taken.has(prefix + letter) && !isOccupied(devices, prefix + letter)) return prefix + letter;
  }
  throw new AttachError({
    code: 'ATTACH_NO_FREE_TARGET',
    message: `attach a disk to the proxy VM: all of ${prefix}a to ${prefix}z are taken`,
    retryable: true,
    hint: 'detach what the proxy VM no longer needs, lower the number of disks handled at once, or use a second proxy VM',
  });
}

function isOccupied(devices: readonly SysfsDisk[], target: string): boolean {
  const scsiTarget = scsiTargetOf(target);
  return scsiTarget !== undefined && disksAtTarget(devices, scsiTarget).length > 0;
}

function proxyFull(attachments: number): AttachError {
  return new AttachError({
    code: 'ATTACH_PROXY_FULL',
    message: `attach a disk to the proxy VM: ${attachments} disks of ours are attached already, and ${MAX_ATTACHMENTS} is the limit`,
    retryable: true,
    hint: 'lower the number of disks handled at once; if no run is under way, remove what killed runs left attached (onevault recover)',
  });
}

/** `a` of `vda`, `hda`, `xvda`; empty for what is not a prefix and one letter. */
function letterOf(target: string): string {
  return /^(?:vd|sd|hd|xvd)([a-z])$/.exec(target)?.[1] ?? '';
}
