/**
 * The workflows of onevault over ports: plan, back up, restore, recover. Each reads top to bottom; nothing here opens a file or a socket but the journal.
 * @packageDocumentation
 */
export { backupVm } from './backup.ts';
export type { CloudObject } from './cloud-object.ts';
export { type Action, type Answers, QUESTIONS, type Question } from './definition/attribute-rule.ts';
export type { DefinitionChange } from './definition/definition-change.ts';
export { type DeltaDeps, type DeltaDevice, type DeltaOptions, type DeltaReport, deltaRestore } from './delta/delta-restore.ts';
export { type OverwritePlan, type OverwriteRequest, overwriteImage, planOverwrite } from './delta/overwrite-image.ts';
export type { Volume } from './doctor/check-space.ts';
export type { DoctorArea, DoctorVerdict, Finding } from './doctor/finding.ts';
export { type DoctorDeps, runDoctor } from './doctor/run-doctor.ts';
export { chooseDrills, type DrillCandidate, type DrillChoice, type DrillWishes } from './drill/choose-drills.ts';
export type { ConsolePort, SerialConsole } from './drill/console-port.ts';
export type { DrillDeps, DrillFailure, DrillReport, DrillRequest, DrillStage, SignOfLife, SignReport } from './drill/drill-model.ts';
export { type DrillFacts, readDrillFacts } from './drill/drill-record.ts';
export { drillVm } from './drill/drill-vm.ts';
export type { ProbeCommand, ProbeEnd, ProbePort } from './drill/probe-port.ts';
export { removeDurably, replaceDurably } from './durable-file.ts';
export { JobError, type JobErrorCode } from './errors.ts';
export type { DiskStanding, JobEvent, JobEventBody, StepName } from './events.ts';
export { type FileJournalOptions, fileJournals } from './file-journal.ts';
export { restoreInPlace } from './in-place/in-place.ts';
export { type InPlacePlan, type InPlaceRequest, type PlannedDisk, planInPlace } from './in-place/plan-in-place.ts';
export { type PrunedUndo, type PrunedUndoImage, type PruneUndoRequest, pruneUndo } from './in-place/prune-undo.ts';
export type { SwapNote, SwapRefusal, SwapRefusalCode } from './in-place/refusal.ts';
export { planUndo, type UndoPlan, type UndoRequest, undoSwap } from './in-place/undo.ts';
export type { UndoImage } from './in-place/undo-marks.ts';
export { chooseUndoSet, listUndoSets, type UndoSet } from './in-place/undo-sets.ts';
export type { ClaimedJournal, ClaimOptions, Journal, JournalRecord, JournalStore, RunRecord } from './journal.ts';
export { findLeftovers, type Leftover } from './leftovers.ts';
export { type JournalCopy, mirroredJournals } from './mirrored-journals.ts';
export { passingVm } from './names.ts';
export { findOrphans, type Orphan, type OrphanDeps, type OrphanOptions, type OrphanReport, type Spared } from './orphans/find-orphans.ts';
export type { Claim, OrphanObject } from './orphans/ownership.ts';
export { type RemovedOrphan, type RemoveOrphansDeps, removeOrphans } from './orphans/remove-orphans.ts';
export { type CaptureFacts, captureFacts, type OrphanMode, type SnapshotFacts } from './plan/capture-facts.ts';
export { type CaptureCell, type CaptureMatrixRow, captureMatrix, cellOf, type DatastoreTraits, factsOf, traitsOf } from './plan/capture-matrix.ts';
export { type CaptureVerdict, type CaptureWishes, chooseCapture } from './plan/choose-capture.ts';
export { COPY_BYTES_PER_SECOND } from './plan/estimate.ts';
export { planBackup } from './plan/plan-backup.ts';
export type {
  BackupPlan,
  CaptureChoice,
  CaptureEstimate,
  CaptureMethod,
  Consistency,
  DiskCapture,
  DiskPlan,
  DiskRefusal,
  DiskSkip,
  GuestPause,
  PlanRequest,
  Reason,
  ReasonCode,
} from './plan/plan-model.ts';
export { RESTING_STATES, type RestingState, recoverHint, type Standing, standingOf } from './plan/resting-state.ts';
export { type Caller, readSurroundings, type Surroundings } from './plan/surroundings.ts';
export { type CheckPlanOptions, checkPlan } from './plan-files/check-plan.ts';
export { type OrderProblem, orderPlan, type PlanNode } from './plan-files/order-plan.ts';
export { type PlanFile, type PointChoice, planFileSchema } from './plan-files/plan-file.ts';
export type { CheckedEntry, CheckedPlan, PlanDeps, PlanEntry, PlanOutcome, PlanReport, PlanStatus, ResolvedPlan } from './plan-files/plan-model.ts';
export { type PlanProblem, resolvePlan } from './plan-files/resolve-plan.ts';
export { type RunPlanOptions, runPlan } from './plan-files/run-plan.ts';
export { type ControlDeps, DEFAULT_PATIENCE, type DevicePort, type JobDeps, type LookDeps, type Patience } from './ports.ts';
export { type PreviewObject, type PreviewQuestion, previewRestore, type RestorePreview } from './preview-restore.ts';
export { type ProcessIdentity, thisProcess } from './process-identity.ts';
export { proxyHotplug } from './proxy-vm.ts';
export {
  type RecoverDeps,
  type RecoveredObject,
  type RecoveredRun,
  type RecoverOptions,
  type RecoverReport,
  recoverRuns,
} from './recovery/recover-runs.ts';
export type { RetriedResidue } from './recovery/retry-residue.ts';
export { hasKept, keptObjects, parseJournalCopies, rememberedJournals } from './remembered-journals.ts';
export type {
  BackupReport,
  DeltaImageReport,
  DiskReport,
  DiskSnapshotReport,
  RestoreDiskReport,
  RestoredDiskReport,
  RestoreReport,
  RunReport,
  SnapshotReport,
  SwappedDiskReport,
  SwapReport,
} from './report.ts';
export type {
  AttachWish,
  BackupRequest,
  NetworkChange,
  NicChoice,
  OwnershipWish,
  RestoreDiskRequest,
  RestoreMethod,
  RestoreRequest,
  RestoreWishes,
} from './request.ts';
export type { Residue, ResidueStore } from './residue.ts';
export { restoreVm } from './restore.ts';
export type { RestoreChecks, RestoreVerdict } from './restore-checks/check-restore.ts';
export type { RestoreFinding, RestoreSeverity } from './restore-checks/restore-finding.ts';
export { restoreDisk } from './restore-disk.ts';
export { groupOf } from './restore-point.ts';
export { type CreateSetRequest, createSnapshotSet } from './snapshots/create-set.ts';
export { type DeleteRequest, deleteSnapshots } from './snapshots/delete-snapshots.ts';
export { type CreateLimits, DEFAULT_MAX_CHAIN } from './snapshots/plan-create.ts';
export { planDelete } from './snapshots/plan-delete.ts';
export { planRevert, type RevertLimits } from './snapshots/plan-revert.ts';
export { type PrunedSet, type PruneReport, type PruneRequest, pruneSnapshots } from './snapshots/prune.ts';
export { checkPrunePolicy, type PruneDecision, type PrunePolicy, planPrune } from './snapshots/prune-policy.ts';
export { refusalText, type SnapshotNote, type SnapshotRefusal, type SnapshotRefusalCode } from './snapshots/refusal.ts';
export { type RevertRequest, revertSnapshots } from './snapshots/revert-set.ts';
export { type SelectedSnapshots, type SnapshotChoice, selectSnapshots } from './snapshots/select-snapshots.ts';
export { type DiskSnapshot, readSnapshots, type SnapshotOrigin, type SnapshotSet, type VmSnapshots } from './snapshots/snapshot-set.ts';
