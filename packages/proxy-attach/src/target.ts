import type { ProxyVmView } from './attach-api.ts';
import { AttachError } from './errors.ts';
import { isOwnSerial } from './serial.ts';

/** virtio-blk, or virtio-scsi. `hd` cannot be hot-plugged. */
export type AttachBus = 'vd' | 'sd';

/**
 * One letter only: up to 7.2 OpenNebula takes just the first of two letters for the SCSI address, so `sdaa` collides with `sda`
 * (vmm/kvm/attach_disk, OpenNebula/one#7318).
 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * The first TARGET that is free on the proxy VM. Every DISK's and CONTEXT's TARGET is taken; the letters of the proxy's own disks are skipped under
 * any prefix too, because a SATA or IDE boot disk may share the address that the letter stands for. `refused`: targets OpenNebula said are in use.
 */
export function freeTarget(view: ProxyVmView, prefix: AttachBus, refused: ReadonlySet<string> = new Set()): string {
  const taken = new Set(refused);
  for (const disk of view.disks) {
    taken.add(disk.target);
    if (disk.serial === undefined || !isOwnSerial(disk.serial)) taken.add(prefix + letterOf(disk.target));
  }
  const context = view.contextDisk?.target;
  if (context !== undefined) taken.add(context).add(prefix + letterOf(context));
  for (const letter of LETTERS) {
    if (!taken.has(prefix + letter)) return prefix + letter;
  }
  throw new AttachError({
    code: 'ATTACH_NO_FREE_TARGET',
    message: `attach a disk to the proxy VM: all of ${prefix}a to ${prefix}z are taken`,
    retryable: true,
    hint: 'detach what the proxy VM no longer needs, lower the number of disks handled at once, or use a second proxy VM',
  });
}

/** `a` of `vda`, `hda`, `xvda`; empty for what is not a prefix and one letter. */
function letterOf(target: string): string {
  return /^(?:vd|sd|hd|xvd)([a-z])$/.exec(target)?.[1] ?? '';
}
