import { createHash } from 'node:crypto';
import type { Disk, Vm } from '@onevault/one-client';

/** The group all restore points of one VM belong to: stable over renames and changes, another one when a VM id is used again. */
export function groupOf(vm: Pick<Vm, 'id' | 'uuid' | 'startTime'>): string {
  const identity = createHash('sha256')
    .update(`${vm.uuid?.toLowerCase() ?? ''}\0${vm.startTime}`)
    .digest('hex')
    .slice(0, 12);
  return `vm-${vm.id}-${identity}`;
}

/** Key of a disk inside a restore point. */
export function diskKey(disk: Pick<Disk, 'diskId'>): string {
  return `disk-${disk.diskId}`;
}
