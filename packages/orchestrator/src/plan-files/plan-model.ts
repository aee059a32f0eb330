import type { RestorePoint } from '@onevault/backup-format';
import type { CallOptions, SerializedError } from '@onevault/base';
import type { SignReport } from '../drill/drill-model.ts';
import type { ProbePort } from '../drill/probe-port.ts';
import type { JobDeps } from '../ports.ts';
import type { RestoreReport } from '../report.ts';
import type { RestoreRequest } from '../request.ts';
import type { RestoreChecks } from '../restore-checks/check-restore.ts';
import type { RestoreFinding } from '../restore-checks/restore-finding.ts';
import type { PlanWait, PointChoice } from './plan-file.ts';

export interface PlanDeps extends JobDeps {
  readonly probes?: ProbePort;
  /** The restore point that a plan means: how VMs and points are named is for whoever reads the file. */
  choosePoint(vm: string, choice: PointChoice, options?: CallOptions): Promise<RestorePoint>;
}

/** A VM of a plan with everything it names looked up. */
export interface PlanEntry {
  readonly key: string;
  /** What has to be there before it begins. */
  readonly after: readonly string[];
  readonly point: RestorePoint;
  readonly request: RestoreRequest;
  readonly wait: PlanWait | undefined;
}

/** In the order in which they come back. */
export interface ResolvedPlan {
  readonly name: string;
  readonly onFailure: 'stop' | 'continue' | 'undo';
  readonly entries: readonly PlanEntry[];
}

/** What would become of a VM of a plan. `present`: a run of this plan has restored it. */
export interface CheckedEntry {
  readonly entry: PlanEntry;
  readonly presentAs: number | undefined;
  readonly checks: RestoreChecks | undefined;
  readonly error: SerializedError | undefined;
}

export interface CheckedPlan {
  readonly vms: readonly CheckedEntry[];
  /** Of the plan as a whole. */
  readonly findings: readonly RestoreFinding[];
}

/**
 * restored: by this run. present: by an earlier one. failed: it is not there. silent: it is there, and did not show the signs of life that were waited for.
 * blocked: something it comes after is missing. not-reached: the plan ended before. undone: it was there, and was taken away again. undo-failed: it should have been.
 */
export type PlanStatus = 'restored' | 'present' | 'failed' | 'silent' | 'blocked' | 'not-reached' | 'undone' | 'undo-failed';

export interface PlanOutcome {
  readonly key: string;
  readonly vmName: string;
  readonly pointId: string;
  readonly status: PlanStatus;
  readonly vmId: number | undefined;
  readonly restore: RestoreReport | undefined;
  readonly signs: readonly SignReport[];
  readonly error: SerializedError | undefined;
}

export interface PlanReport {
  readonly name: string;
  /** complete: every VM of the plan is there and lives. undone: nothing of it is. incomplete: all else. */
  readonly outcome: 'complete' | 'undone' | 'incomplete';
  readonly vms: readonly PlanOutcome[];
  readonly durationMs: number;
  readonly residue: readonly string[];
}
