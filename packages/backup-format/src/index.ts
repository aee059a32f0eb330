/**
 * The onevault repository: where restore points live. Deduplicated chunks in packs, a two-level index for every disk, manifests written last;
 * the format is docs/format.md. Opens on a machine that has never heard of OpenNebula.
 * @packageDocumentation
 */
export type { CopyOptions, CopyOutcome, CopyProgress, CopyReport } from './copy/copy-api.ts';
export type { DrillFilter, DrillOutcome, DrillRecord, DrillSpec, DrillStanding, RepositoryDrills } from './drills/drills-api.ts';
export { isRepositoryError, RepositoryError, type RepositoryErrorCode, type RepositoryErrorDetails } from './errors.ts';
export type { GcOptions, GcProgress, GcReport, KeptReason, PackSum } from './gc/gc-api.ts';
export type { ScryptWork } from './keys/key-derivation.ts';
export type { KeySlotInfo, KeySlotSpec, ListedKeySlot, RepositoryKeys } from './keys/keys-api.ts';
export { looksLikeRecoveryKey, newRecoveryKey, parseRecoveryKey } from './keys/recovery-key.ts';
export { keyFileSecret, type RepositorySecret } from './keys/secret.ts';
export type { ReadingLease } from './lease/lease-for-reading.ts';
export type { LeaseInfo, UnlockOptions, UnlockReport } from './lease/lease-info.ts';
export type { LeaseHolder, LeaseKind } from './lease/lease-record.ts';
export type { DamagedMark, Hold, HoldSpec, PointMarks, RepositoryMarks } from './marks/marks-api.ts';
export { type StandingHold, standingHolds } from './marks/standing.ts';
export type { RepositoryInit } from './new-repository.ts';
export { createRepository, openRepository } from './repository.ts';
export type {
  Damage,
  DigestAlgorithm,
  DigestSpec,
  DiskReader,
  DiskStats,
  DiskWriteSpec,
  Json,
  ListedPoint,
  PointFilter,
  PointStats,
  Repository,
  RepositoryConfig,
  RestoredRun,
  RestorePoint,
  RestorePointSpec,
  RestorePointWriter,
  StoredDisk,
  StoredMetadata,
  VerifyMode,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  WritableRun,
} from './repository-api.ts';
export type { RepositoryDeps } from './repository-deps.ts';
export { applyRetention, type RetentionOutcome } from './retention/apply-retention.ts';
export { formatRetentionDuration, parseRetentionDuration, type RetentionDuration } from './retention/duration.ts';
export { forgottenBy, planRetention, type RetentionGroup, type RetentionPlan, type RetentionScope } from './retention/plan-retention.ts';
export {
  parseRetentionPolicy,
  type RetentionCountRule,
  type RetentionPolicy,
  type RetentionPolicyInput,
  type RetentionRule,
  type RetentionWithinRule,
  retentionPolicySchema,
} from './retention/policy.ts';
export { formatRetentionReason, type RetentionReason } from './retention/reason.ts';
export { groupForRetention, type RetentionHold, type RetentionPoint } from './retention/retention-point.ts';
export { type RetentionDecision, type RetentionRuleReport, type RetentionSelection, selectForRetention } from './retention/select.ts';
export { retentionTemplates } from './retention/templates.ts';
export { TimeZone } from './retention/time-zone.ts';
export type { ObjectCount, RepositoryStats } from './stats/repository-stats.ts';
export { type CachingStoreDeps, type CachingStoreOptions, cachingStore } from './store/decorators/caching-store.ts';
export { limitedStore, type StoreLimits } from './store/decorators/limited-store.ts';
export { type RetryingStoreDeps, retryingStore } from './store/decorators/retrying-store.ts';
export { type FileStoreOptions, fileStore } from './store/file-store.ts';
export { memoryStore } from './store/memory-store.ts';
export type { ByteRange, GetOptions, ObjectKey, ObjectStat, ObjectStore, ObjectWriter, PutOptions, SweepOptions, SweepReport } from './store/object-store.ts';
export { openStore, type StoreDeps } from './store/open-store.ts';
export type { S3CredentialSource, S3Credentials, S3ObjectLock, S3StoreDeps, S3StoreOptions } from './store/s3/s3-options.ts';
export { s3Store } from './store/s3/s3-store.ts';
export { type FileAddress, formatStoreUrl, parseStoreUrl, type S3Address, type StoreAddress } from './store/store-url.ts';
export type { RepairOptions, RepairReport } from './verify/repair.ts';
export type { RecordedDamage, VerifyRecord } from './verify/verify-record.ts';
