import type { Disk, DiskId, ImageId, Vm, VmId } from '@onevault/one-client';
import type { RestingState } from './resting-state.ts';

/** snapshot: disk snapshot, saved as an image. live-copy: disksaveas of the running disk. offline: disksaveas while nothing runs. */
export type CaptureMethod = 'snapshot' | 'live-copy' | 'offline';

/** What the user wants; auto: the best that leaves nothing behind. */
export type CaptureChoice = 'auto' | CaptureMethod;

/** How consistent the captured bytes are with what the guest had written; `-if-agent`: the driver asks a guest agent to freeze the file systems, and goes on without one. */
export type Consistency = 'crash-consistent' | 'filesystem-consistent-if-agent' | 'filesystem-consistent' | 'offline';

/** How long the guest stands still. moment: while a snapshot is taken (frozen, at most 60 s until the driver gives up, or suspended). whole-copy: while the whole disk is copied. */
export type GuestPause = 'none' | 'moment' | 'whole-copy';

/** Stable codes: reports, manifests and metrics carry them. */
export type ReasonCode =
  // why it is captured as it is
  | 'CAPTURE_SNAPSHOT_CLEAN'
  | 'CAPTURE_LIVE_COPY_CLEANER'
  | 'CAPTURE_OFFLINE'
  | 'CAPTURE_READONLY'
  | 'CAPTURE_DEMANDED'
  | 'CAPTURE_FELL_BACK'
  // what speaks against a snapshot
  | 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL'
  | 'SNAPSHOT_NOT_SUPPORTED'
  | 'SNAPSHOT_NEEDS_GUEST_AGENT'
  | 'SNAPSHOT_UNREADABLE'
  | 'SNAPSHOT_STAYS'
  | 'SNAPSHOT_PAUSES_GUEST'
  | 'SNAPSHOT_COPIES_TWICE'
  | 'SNAPSHOT_TREE_BRANCHES'
  | 'SNAPSHOT_ID_SHARED'
  | 'SNAPSHOT_NUMBERING_DRIFT'
  | 'SNAPSHOT_ORPHAN_MODE'
  | 'SNAPSHOT_NOT_MEASURED'
  // what speaks against a copy of the running disk
  | 'LIVE_COPY_TORN'
  | 'LIVE_COPY_PAUSES_GUEST'
  | 'LIVE_COPY_NOT_SUPPORTED'
  | 'LIVE_COPY_NOT_MEASURED'
  // what else there is to know
  | 'GUEST_MEMORY_ELSEWHERE'
  | 'NATIVE_INCREMENTAL_BLOCKED'
  | 'SPACE_TIGHT'
  | 'VM_BUSY'
  // what could not be found out, and what is taken for granted
  | 'ASSUMED_AGENT_ANSWERS'
  | 'ASSUMED_BLOCKCOPY'
  | 'ASSUMED_DRIVER'
  | 'ASSUMED_SPACE'
  | 'ASSUMED_QUOTA'
  | 'ASSUMED_RIGHTS'
  // why a disk is left out
  | 'SKIP_VOLATILE'
  | 'SKIP_CDROM'
  | 'SKIP_FILESYSTEM'
  | 'SKIP_EXCLUDED'
  // why there can be no backup
  | 'REFUSE_DRIVER_NO_CONSISTENT_METHOD'
  | 'REFUSE_DRIVER_UNKNOWN'
  | 'REFUSE_DRIVER_NO_EXPORT'
  | 'REFUSE_DRIVER_STATE'
  | 'REFUSE_DEMANDED_METHOD'
  | 'REFUSE_LONG_FREEZE'
  | 'REFUSE_VM_RUNS'
  | 'REFUSE_VM_STATE'
  | 'REFUSE_VM_FAILED'
  | 'REFUSE_VM_LOCKED'
  | 'REFUSE_VM_NOT_KVM'
  | 'REFUSE_VM_IS_PROXY'
  | 'REFUSE_NO_SPACE'
  | 'REFUSE_QUOTA'
  | 'REFUSE_RIGHTS'
  | 'REFUSE_PROXY_CLUSTER';

export interface Reason {
  readonly code: ReasonCode;
  /** One sentence for a person. */
  readonly text: string;
  /** What to change; every refusal has one. */
  readonly remedy?: string;
}

/** What a capture will cost, by what the driver copies; times by an assumed rate (`COPY_BYTES_PER_SECOND`), without the merging of a snapshot's delta. */
export interface CaptureEstimate {
  /** Read in the proxy: the whole disk, once. */
  readonly readBytes: number;
  /** Moved by OpenNebula's drivers, at most: an empty block costs less. */
  readonly copyBytes: number;
  /** How long the VM refuses every other action. */
  readonly busyMs: number;
  /** How long the guest stands still, at most. */
  readonly pauseMs: number;
}

export interface DiskCapture {
  readonly verdict: 'capture';
  readonly disk: Disk;
  readonly imageId: ImageId;
  readonly method: CaptureMethod;
  readonly consistency: Consistency;
  readonly pause: GuestPause;
  /** Of which moment the bytes are: when the call leaves, or when the copy ends. */
  readonly moment: 'start' | 'end';
  /** What instead, when the driver accepts a snapshot and then fails. */
  readonly fallback: CaptureFallback | undefined;
  /** What stays in OpenNebula afterwards; nothing, as a rule. */
  readonly residue: readonly string[];
  readonly degraded: boolean;
  readonly reasons: readonly Reason[];
  readonly estimate: CaptureEstimate;
}

export type CaptureFallback = Pick<DiskCapture, 'method' | 'consistency' | 'pause' | 'moment'>;

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

/** What will be done to whom, and why; made from what was read of the cloud, and from nothing else. */
export interface BackupPlan {
  readonly vm: Vm;
  readonly vmId: VmId;
  readonly verdict: 'ok' | 'degraded' | 'impossible';
  /** The state its disks are planned for: the one it is in, or the one that whatever is under way ends in. */
  readonly state: RestingState | undefined;
  /** Why there can be no backup of the VM as a whole: state, lock, hypervisor. */
  readonly reasons: readonly Reason[];
  /** What is no obstacle, but good to know: somebody else is at work on it. */
  readonly notes: readonly Reason[];
  /** What could not be found out and is taken for granted. */
  readonly assumptions: readonly Reason[];
  readonly disks: readonly DiskPlan[];
  /** Of all captures together, one after another. */
  readonly estimate: CaptureEstimate;
}

export interface PlanRequest {
  readonly capture: CaptureChoice;
  /** Captures also what makes the guest stand still while a whole disk is copied. */
  readonly allowLongFreeze?: boolean;
  readonly excludeDisks: readonly DiskId[];
  readonly proxyVm?: VmId;
  /** Temporary images that may exist at a time, for the space they take; default 1. */
  readonly parallelDisks?: number;
}
