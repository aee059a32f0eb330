import type { DiskStats, PointStats } from '@onevault/backup-format';
import type { RevertProof } from './cloud/revert-disk.ts';
import type { DrillReport } from './drill/drill-model.ts';
import type { CaptureMethod, Consistency, GuestPause, Reason } from './plan/plan-model.ts';
import type { SnapshotNote } from './snapshots/refusal.ts';

export interface DiskReport {
  readonly diskId: number;
  readonly key: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly mode: 'full' | 'incremental';
  /** Why that mode: NO_PARENT, FULL_REQUESTED, PARENT_TRUSTED, … */
  readonly modeReason: string;
  readonly method: CaptureMethod;
  readonly consistency: Consistency;
  /** What the capture may have done to the guest, as the driver is known to do it. */
  readonly pause: GuestPause;
  /** Why that method; also that another one failed before. */
  readonly reasons: readonly Reason[];
  /** When its bytes were what they are, RFC 3339. */
  readonly capturedAt: string;
  readonly readBytes: number;
  readonly durationMs: number;
  readonly stats: DiskStats;
}

export interface BackupReport {
  readonly kind: 'backup';
  readonly runId: string;
  readonly vmId: number;
  readonly vmName: string;
  readonly pointId: string;
  readonly parentId: string | undefined;
  readonly group: string;
  readonly mode: 'full' | 'incremental';
  /** Of the repository: what `stats` counts blocks of. */
  readonly blockSizeBytes: number;
  readonly disks: readonly DiskReport[];
  readonly skipped: readonly { readonly diskId: number; readonly target: string; readonly reasons: readonly Reason[] }[];
  /** From the moment of the first disk's bytes to that of the last one's, ms. */
  readonly captureSpreadMs: number;
  readonly durationMs: number;
  readonly stats: PointStats;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** What is still in the cloud and should not be. */
  readonly residue: readonly string[];
}

export interface RestoredDiskReport {
  readonly key: string;
  /** In the saved VM. */
  readonly diskId: number;
  readonly imageId: number;
  readonly imageName: string;
  readonly method: 'direct' | 'saveas';
  readonly persistent: boolean;
  readonly sizeBytes: number;
  readonly writtenBytes: number;
  readonly verified: boolean;
  readonly durationMs: number;
}

export interface RestoreReport {
  readonly kind: 'restore';
  readonly runId: string;
  readonly pointId: string;
  readonly vmId: number;
  readonly vmName: string;
  readonly disks: readonly RestoredDiskReport[];
  /** Disks that came back empty or not at all, and attributes that were changed: what and why. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  readonly durationMs: number;
  readonly residue: readonly string[];
}

/** One disk of a restore point as a new image. */
export interface RestoreDiskReport {
  readonly kind: 'restore-disk';
  readonly runId: string;
  readonly pointId: string;
  readonly disk: RestoredDiskReport;
  /** Where it was attached. */
  readonly attached: { readonly vmId: number; readonly vmName: string; readonly diskId: number; readonly target: string } | undefined;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  readonly durationMs: number;
  readonly residue: readonly string[];
}

/** One disk's snapshot, and what was done with it. */
export interface DiskSnapshotReport {
  readonly diskId: number;
  readonly target: string;
  readonly snapshotId: number;
  readonly snapshotName: string;
  /** Of a revert. */
  readonly proof?: RevertProof;
  readonly durationMs: number;
}

export interface SnapshotReport {
  readonly kind: 'snapshot';
  readonly action: 'create' | 'revert' | 'delete';
  readonly runId: string;
  readonly vmId: number;
  readonly vmName: string;
  /** What it was about: sets of ours, or single snapshots. */
  readonly sets: readonly { readonly setId: string | undefined; readonly name: string }[];
  readonly disks: readonly DiskSnapshotReport[];
  /** Taken right before a revert, to which one can go back. */
  readonly safetySet?: { readonly setId: string; readonly name: string };
  /** Of a create: from the first disk's snapshot to the last one's. */
  readonly spreadMs?: number;
  /** Of a revert: how long the guest did not run. */
  readonly downMs?: number;
  readonly notes: readonly SnapshotNote[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly durationMs: number;
  readonly residue: readonly string[];
}

/** A disk of a VM that got another image in place of the one it had. */
export interface SwappedDiskReport {
  readonly target: string;
  /** DISK_ID before and after: OpenNebula gives a new one. */
  readonly diskId: number;
  readonly newDiskId: number;
  /** The image that the VM has now. */
  readonly imageId: number;
  /** The image that has what the disk was: kept as the way back. */
  readonly undoImageId: number;
  /** How the new one came to be: `undo`: it was there. */
  readonly method: 'full' | 'delta' | 'undo';
  readonly sizeMiB: number;
  /** Of the device that was compared; 0 where nothing was. */
  readonly scannedBytes: number;
  readonly writtenBytes: number;
  readonly verified: boolean;
  /** What became of its snapshots, by name. */
  readonly snapshots: readonly { readonly id: number; readonly name: string; readonly fate: 'lost' | 'with-undo' }[];
}

/** Disks of a VM exchanged in place: for those of a restore point, or back again. */
export interface SwapReport {
  readonly kind: 'swap';
  readonly action: 'in-place' | 'undo';
  readonly runId: string;
  readonly vmId: number;
  readonly vmName: string;
  readonly pointId?: string | undefined;
  readonly disks: readonly SwappedDiskReport[];
  /** How long the guest did not run; absent when it did not run before. */
  readonly downMs?: number;
  /** RFC 3339: until when one can go back with `onevault undo`. */
  readonly undoUntil: string;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly durationMs: number;
  readonly residue: readonly string[];
}

/** A disk of a restore point written over an image. */
export interface DeltaImageReport {
  readonly kind: 'delta';
  readonly runId: string;
  readonly pointId: string;
  readonly key: string;
  readonly imageId: number;
  readonly imageName: string;
  readonly sizeBytes: number;
  readonly scannedBytes: number;
  readonly writtenBytes: number;
  readonly verified: boolean;
  readonly durationMs: number;
  readonly residue: readonly string[];
}

/** What a run ends with. */
export type RunReport = BackupReport | RestoreReport | RestoreDiskReport | SnapshotReport | SwapReport | DeltaImageReport | DrillReport;
