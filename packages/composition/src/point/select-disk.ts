import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { settingError } from '../errors.ts';
import { diskFacts } from './point-facts.ts';

/** The disks named by id in the VM, by target or by key in the repository; without names all. */
export function selectDisks(point: RestorePoint, wanted: readonly string[] | undefined): readonly StoredDisk[] {
  if (wanted === undefined) return point.disks;
  return [...new Set(wanted.map((text) => selectDisk(point, text)))];
}

export function selectDisk(point: RestorePoint, text: string): StoredDisk {
  const disk = point.disks.find((one) => [String(diskFacts(one).diskId ?? ''), diskFacts(one).target, one.key].includes(text));
  if (disk) return disk;
  throw settingError(`the restore point ${point.id} has no disk '${text}'`, `it has ${point.disks.map(diskText).join(', ') || 'none'}`);
}

/** `0 (vda)` */
export function diskText(disk: StoredDisk): string {
  const { diskId, target } = diskFacts(disk);
  return `${diskId ?? disk.key}${target === undefined ? '' : ` (${target})`}`;
}

/** `disk-0`: for names of files and the like. */
export function diskName(disk: StoredDisk): string {
  const { diskId } = diskFacts(disk);
  return diskId === undefined ? disk.key : `disk-${diskId}`;
}
