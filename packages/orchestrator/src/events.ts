import type { DiskStats } from '@onevault/backup-format';
import type { SerializedError } from '@onevault/base';
import type { BackupPlan } from './plan/plan-model.ts';
import type { RunReport, SnapshotReport, SwapReport } from './report.ts';

export type StepName =
  | 'inventory'
  | 'check-parent'
  | 'snapshot'
  | 'export'
  | 'attach'
  | 'scan'
  | 'delete-snapshot'
  | 'detach'
  | 'delete-image'
  | 'metadata'
  | 'commit'
  | 'allocate-image'
  | 'save-image'
  | 'write'
  | 'verify'
  | 'set-persistence'
  | 'attach-to-vm'
  | 'allocate-template'
  | 'instantiate'
  | 'wait-running'
  | 'await-life'
  | 'record'
  | 'delete-template'
  | 'terminate-vm'
  | 'stop-vm'
  | 'start-vm'
  | 'revert-snapshot'
  | 'save-disk'
  | 'swap-disk'
  | 'swap-back'
  | 'delta';

/** What happens, as it happens. Fields are added, never renamed: JSON lines are an API. Sizes in bytes, durations in ms. */
export type JobEvent = { readonly time: string; readonly runId: string } & JobEventBody;

export type JobEventBody =
  | { readonly type: 'run.started'; readonly kind: 'backup' | 'restore' | 'drill'; readonly vmId?: number; readonly vmName: string; readonly pointId?: string }
  | { readonly type: 'run.started'; readonly kind: 'snapshot'; readonly action: SnapshotReport['action']; readonly vmId: number; readonly vmName: string }
  | { readonly type: 'run.started'; readonly kind: 'restore-disk'; readonly pointId: string; readonly diskId: number; readonly imageName: string }
  | {
      readonly type: 'run.started';
      readonly kind: 'swap';
      readonly action: SwapReport['action'];
      readonly vmId: number;
      readonly vmName: string;
      readonly pointId?: string;
    }
  | { readonly type: 'run.started'; readonly kind: 'delta'; readonly imageId: number; readonly imageName: string; readonly pointId: string }
  /** Somebody else is at work on it; the run begins when that is over. */
  | { readonly type: 'vm.waiting'; readonly vmId: number; readonly vmName: string; readonly state: string; readonly limitMs: number }
  | { readonly type: 'vm.planned'; readonly plan: BackupPlan }
  | { readonly type: 'disk.skipped'; readonly diskId: number; readonly reasons: readonly { readonly code: string; readonly text: string }[] }
  | { readonly type: 'disk.mode'; readonly diskId: number; readonly mode: 'full' | 'incremental'; readonly reason: string; readonly parentId?: string }
  | { readonly type: 'step.started'; readonly step: StepName; readonly diskId?: number; readonly object?: string }
  | { readonly type: 'step.finished'; readonly step: StepName; readonly diskId?: number; readonly object?: string; readonly durationMs: number }
  /** A step that was started ends in this or in `step.finished`; what an abort ends has no code. */
  | {
      readonly type: 'step.failed';
      readonly step: StepName;
      readonly diskId?: number;
      readonly object?: string;
      readonly durationMs: number;
      readonly code?: string;
    }
  | {
      readonly type: 'disk.progress';
      readonly phase: 'scan' | 'write' | 'verify';
      readonly diskId: number;
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly changedBytes?: number;
      readonly storedBytes?: number;
    }
  | {
      readonly type: 'disk.finished';
      readonly diskId: number;
      readonly sizeBytes: number;
      readonly readBytes: number;
      readonly stats: DiskStats;
      readonly durationMs: number;
    }
  | { readonly type: 'restore-point.committed'; readonly pointId: string }
  | { readonly type: 'vm.restored'; readonly vmId: number; readonly vmName: string }
  /** After a revert or a deletion that stopped half-way: what became of each disk. */
  | { readonly type: 'snapshot.standing'; readonly vmId: number; readonly action: 'revert' | 'delete'; readonly disks: readonly DiskStanding[] }
  | { readonly type: 'cleanup.failed'; readonly object: string; readonly error: SerializedError }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }
  | {
      readonly type: 'run.finished';
      readonly outcome: 'complete' | 'residue' | 'failed' | 'cancelled';
      readonly report?: RunReport;
      readonly error?: SerializedError;
      /** What is still in the cloud and should not be, by name; the journal has it too. */
      readonly residue: readonly string[];
      /** What a failed run left because it was told to, by name. */
      readonly kept?: readonly string[];
    };

export interface DiskStanding {
  readonly diskId: number;
  readonly snapshotId: number;
  readonly snapshotName: string;
  /** unknown: OpenNebula took the order and what came of it cannot be seen. */
  readonly state: 'done' | 'not-done' | 'unknown';
}
