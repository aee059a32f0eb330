import { type DiskId, diskId, type Vm } from '@onevault/one-client';
import { fitsGlob } from '@onevault/policies';

/**
 * Disks of a VM that a policy leaves out: by DISK_ID, by target (`vdb`), or by a pattern of the image's name (`image=*-scratch`). What fits no disk excludes none: the
 * policy is of many VMs.
 */
export function excludedDisks({ disks }: Pick<Vm, 'disks'>, wanted: readonly string[]): DiskId[] {
  const isMeant = (disk: Vm['disks'][number]): boolean =>
    wanted.some((text) => {
      if (text.startsWith('image=')) return disk.imageName !== undefined && fitsGlob(text.slice('image='.length), disk.imageName);
      return /^\d+$/.test(text) ? disk.diskId === Number(text) : disk.target === text;
    });
  return disks.filter(isMeant).map((disk) => diskId(disk.diskId));
}
