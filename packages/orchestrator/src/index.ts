/**
 * The workflows of onevault over ports: plan, back up, restore. Each reads top to bottom; nothing here opens a file or a socket but the journal.
 * @packageDocumentation
 */
export { backupVm } from './backup.ts';
export type { CloudObject } from './cloud-object.ts';
export { JobError, type JobErrorCode } from './errors.ts';
export type { JobEvent, JobEventBody, StepName } from './events.ts';
export { type FileJournalOptions, fileJournals } from './file-journal.ts';
export type { Journal, JournalRecord, JournalStore } from './journal.ts';
export { findLeftovers, type Leftover } from './leftovers.ts';
export { planBackup } from './plan.ts';
export type { BackupPlan, CaptureMethod, Consistency, DiskCapture, DiskPlan, DiskRefusal, DiskSkip, PlanRequest, Reason, ReasonCode } from './plan-model.ts';
export { DEFAULT_PATIENCE, type DevicePort, type JobDeps, type Patience } from './ports.ts';
export { proxyHotplug } from './proxy-vm.ts';
export type { BackupReport, DiskReport, RestoredDiskReport, RestoreReport } from './report.ts';
export type { BackupRequest, CaptureChoice, NicChoice, RestoreRequest } from './request.ts';
export { restoreVm } from './restore.ts';
export { groupOf } from './restore-point.ts';
