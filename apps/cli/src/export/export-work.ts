import type { Repository, RestorePoint, StoredDisk } from '@onevault/backup-format';
import type { ExportReport } from '@onevault/disk-export';
import type { ExportFlags } from './export-flags.ts';

/** What the ways to export have in common. */
export interface ExportWork {
  readonly repository: Repository;
  readonly point: RestorePoint;
  readonly flags: ExportFlags;
}

/** A disk and what became of it. */
export interface ExportedDisk {
  readonly disk: StoredDisk;
  /** Where it is; undefined for stdout. */
  readonly path: string | undefined;
  readonly report: ExportReport;
}

export interface Exported {
  readonly disks: readonly ExportedDisk[];
  /** Files of metadata that are damaged and were left out. */
  readonly lost: readonly string[];
}
