import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { diskName, selectDisks } from '../point/select-disk.ts';

export interface ServedDisk {
  /** The name of its export. */
  readonly name: string;
  readonly point: RestorePoint;
  readonly disk: StoredDisk;
}

/** The disks to serve, all of them unless some are named: `disk-0`, and with several points `<point>/disk-0`. */
export function servedDisks(points: readonly RestorePoint[], wanted: readonly string[] | undefined): ServedDisk[] {
  return points.flatMap((point) =>
    selectDisks(point, wanted).map((disk) => ({ name: points.length === 1 ? diskName(disk) : `${point.id}/${diskName(disk)}`, point, disk })),
  );
}
