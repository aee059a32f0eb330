import type { Disk, DiskId, ImageId, Vm, VmId } from '@onevault/one-client';

/** snapshot: disk snapshot, saved as an image. live-copy: disksaveas of the running disk (its state at the END of the copy). offline: disksaveas while nothing runs. */
export type CaptureMethod = 'snapshot' | 'live-copy' | 'offline';

/** How consistent the captured bytes are with what the guest had written. */
export type Consistency = 'crash-consistent' | 'filesystem-consistent-if-agent' | 'offline';

/** Stable codes: reports, manifests and metrics carry them. */
export type ReasonCode =
  | 'CAPTURE_SNAPSHOT_CLEAN'
  | 'CAPTURE_LIVE_COPY_CLEANER'
  | 'CAPTURE_OFFLINE'
  | 'CAPTURE_FORCED'
  | 'RESIDUE_SNAPSHOT_STAYS'
  | 'GUEST_PAUSED_FOR_COPY'
  | 'SNAPSHOT_NEEDS_GUEST_AGENT'
  | 'SKIP_VOLATILE'
  | 'SKIP_CDROM'
  | 'SKIP_EXCLUDED'
  | 'REFUSE_DRIVER_NO_CONSISTENT_METHOD'
  | 'REFUSE_DRIVER_UNKNOWN'
  | 'REFUSE_DRIVER_NO_EXPORT'
  | 'REFUSE_NATIVE_INCREMENTAL'
  | 'REFUSE_VM_STATE'
  | 'REFUSE_VM_LOCKED'
  | 'REFUSE_VM_NOT_KVM'
  | 'REFUSE_VM_IS_PROXY';

export interface Reason {
  readonly code: ReasonCode;
  /** One sentence for a person. */
  readonly text: string;
}

export interface DiskCapture {
  readonly verdict: 'capture';
  readonly disk: Disk;
  readonly imageId: ImageId;
  readonly method: CaptureMethod;
  readonly consistency: Consistency;
  /** Clean: nothing is left in OpenNebula afterwards. */
  readonly residue: readonly string[];
  readonly degraded: boolean;
  readonly reasons: readonly Reason[];
}

export interface DiskSkip {
  readonly verdict: 'skip';
  readonly disk: Disk;
  readonly reasons: readonly Reason[];
}

export interface DiskRefusal {
  readonly verdict: 'refuse';
  readonly disk: Disk;
  readonly reasons: readonly Reason[];
}

export type DiskPlan = DiskCapture | DiskSkip | DiskRefusal;

/** What will be done to whom, and why; made from a reading of the VM alone. */
export interface BackupPlan {
  readonly vm: Vm;
  readonly vmId: VmId;
  readonly verdict: 'ok' | 'degraded' | 'impossible';
  /** Of the VM as a whole: state, lock, hypervisor. */
  readonly reasons: readonly Reason[];
  readonly disks: readonly DiskPlan[];
}

export interface PlanRequest {
  readonly capture: 'auto' | 'snapshot';
  readonly excludeDisks: readonly DiskId[];
  readonly proxyVm?: VmId;
}
