import type { Disk, Vm } from '@onevault/one-client';
import type { SwappedDisk } from '../cloud-object.ts';

/**
 * Where one disk of an exchange stands, by the VM's body alone, so that any process can tell. `old`: it was never detached. `back`: what has its bytes is
 * attached in its place. A TARGET is taken once, and survives; a DISK_ID does not.
 */
export type Standing = 'old' | 'back' | 'next' | 'empty' | 'foreign';

export function whereItStands(vm: Vm, disk: SwappedDisk): { readonly standing: Standing; readonly found: Disk | undefined } {
  const found = vm.disks.find((entry) => entry.target === disk.target);
  if (found === undefined) return { standing: 'empty', found };
  if (found.imageId === disk.next.imageId) return { standing: 'next', found };
  if (found.imageId === disk.imageId && found.diskId === disk.diskId) return { standing: 'old', found };
  return { standing: found.imageId === disk.back.imageId ? 'back' : 'foreign', found };
}

export function hasOldBytes(vm: Vm, disk: SwappedDisk): boolean {
  const { standing } = whereItStands(vm, disk);
  return standing === 'old' || standing === 'back';
}
