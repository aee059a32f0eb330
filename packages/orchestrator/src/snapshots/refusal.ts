import type { Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';

/** Why something is not done to snapshots. Part of the JSON API: codes are added, never renamed. */
export type SnapshotRefusalCode =
  | 'SNAPSHOT_VERSION'
  | 'SNAPSHOT_VM_STATE'
  | 'SNAPSHOT_VM_SUSPENDED'
  | 'SNAPSHOT_VM_LOCKED'
  | 'SNAPSHOT_VM_NOT_KVM'
  | 'SNAPSHOT_VM_IS_PROXY'
  | 'SNAPSHOT_NO_DISK'
  | 'SNAPSHOT_DISK_UNKNOWN'
  | 'SNAPSHOT_DISK_VOLATILE'
  | 'SNAPSHOT_DISK_READONLY'
  | 'SNAPSHOT_NATIVE_INCREMENTAL'
  | 'SNAPSHOT_DRIVER_NONE'
  | 'SNAPSHOT_DRIVER_UNKNOWN'
  | 'SNAPSHOT_CHAIN_FULL'
  | 'SNAPSHOT_LONG_FREEZE'
  | 'SNAPSHOT_PERMANENT'
  | 'SNAPSHOT_FOREIGN'
  | 'SNAPSHOT_OF_BACKUP'
  | 'SNAPSHOT_MISSING'
  | 'SNAPSHOT_DISK_RESIZED'
  | 'SNAPSHOT_BRANCH'
  | 'SNAPSHOT_DROPS_YOUNGER'
  | 'SNAPSHOT_UNLINKS_IMAGE'
  | 'SNAPSHOT_FIRST_OF_PERSISTENT'
  | 'SNAPSHOT_HAS_CHILDREN'
  | 'SNAPSHOT_ACTIVE'
  | 'SNAPSHOT_ACTIVE_WITH_CHILDREN'
  | 'SNAPSHOT_CHILD_HAS_CHILDREN'
  | 'SNAPSHOT_PARENT_HAS_CHILDREN'
  | 'SNAPSHOT_SAME_ID_ACTIVE'
  | 'SNAPSHOT_LOCAL_BASE';

export interface SnapshotRefusal {
  readonly code: SnapshotRefusalCode;
  readonly diskId?: number;
  readonly snapshotId?: number;
  /** Why, as the end of a sentence about the VM or the disk. */
  readonly text: string;
  /** What would make it possible. */
  readonly remedy: string;
}

/** What a user should know of something that is done all the same. */
export interface SnapshotNote {
  readonly code:
    | 'SNAPSHOT_SKIPPED'
    | 'SNAPSHOT_FULL_COPY'
    | 'SNAPSHOT_GUEST_STANDS'
    | 'SNAPSHOT_NEEDS_AGENT'
    | 'SNAPSHOT_STAYS'
    | 'SNAPSHOT_STAYS_WHILE_RUNNING'
    | 'SNAPSHOT_BRANCHES';
  readonly diskId?: number;
  readonly message: string;
}

/** Nothing was done. `what`: `snapshot`, `revert to 'x'`. */
export function snapshotRefused(vm: Vm, what: string, refusals: readonly SnapshotRefusal[]): JobError {
  return new JobError({
    code: 'JOB_SNAPSHOT_REFUSED',
    message: `${what} of VM ${vm.id} '${vm.name}' is not possible: ${refusals.map(refusalText).join('; ')}`,
    details: { vmId: vm.id, reasons: refusals.map(({ code, diskId, snapshotId }) => ({ code, diskId, snapshotId })) },
    hint: [...new Set(refusals.map((refusal) => refusal.remedy))].join('; '),
  });
}

export function refusalText({ diskId, snapshotId, text }: SnapshotRefusal): string {
  if (diskId === undefined) return text;
  return snapshotId === undefined ? `disk ${diskId}: ${text}` : `disk ${diskId}, snapshot ${snapshotId}: ${text}`;
}
