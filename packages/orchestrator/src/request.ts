import type { DatastoreId, DiskId, VmId } from '@onevault/one-client';
import type { CaptureChoice } from './plan/plan-model.ts';

export interface BackupRequest {
  readonly vmId: VmId;
  /** auto: incremental when a parent can be trusted. full: trusts nothing, reads and looks up everything. */
  readonly mode: 'auto' | 'full';
  /** auto, or a method demanded: a snapshot also where it leaves something behind that OpenNebula cannot remove; the plan names it. */
  readonly capture: CaptureChoice;
  /** Captures also what makes the guest stand still while a whole disk is copied. */
  readonly allowLongFreeze?: boolean;
  readonly excludeDisks: readonly DiskId[];
  /** Disks read at the same time; each has its own scan workers. */
  readonly parallelDisks: number;
  /** Threads per disk. Default: as many as there are CPUs, at most 4. */
  readonly scanWorkers?: number;
}

export type NicChoice = 'keep' | 'new-addresses' | 'none';

export interface RestoreRequest {
  readonly pointId: string;
  /** Name of the new VM. */
  readonly name: string;
  /** For all disks; default: the datastore each disk came from. */
  readonly imageDatastore?: DatastoreId;
  readonly systemDatastore?: DatastoreId;
  /** Default: keep while the original VM is gone, new addresses while it lives. */
  readonly nics?: NicChoice;
  /** Leaves the VM in HOLD instead of waiting for RUNNING. */
  readonly hold: boolean;
  /** Reads every restored disk back and compares it with the restore point's digests. */
  readonly verify: boolean;
  readonly scanWorkers?: number;
}
