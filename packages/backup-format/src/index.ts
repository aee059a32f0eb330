/**
 * The onevault repository: where restore points live. Deduplicated chunks in packs, a two-level index for every disk, manifests written last;
 * the format is docs/format.md. Opens on a machine that has never heard of OpenNebula.
 * @packageDocumentation
 */
export { isRepositoryError, RepositoryError, type RepositoryErrorCode, type RepositoryErrorDetails } from './errors.ts';
export { createRepository, openRepository, type RepositoryInit } from './repository.ts';
export type {
  Damage,
  DigestAlgorithm,
  DiskReader,
  DiskStats,
  DiskWriteSpec,
  Json,
  ListedPoint,
  PointStats,
  Repository,
  RepositoryConfig,
  RestoredRun,
  RestorePoint,
  RestorePointSpec,
  RestorePointWriter,
  StoredDisk,
  StoredMetadata,
  VerifyProgress,
  VerifyReport,
  WritableRun,
} from './repository-api.ts';
export type { RepositoryDeps } from './repository-deps.ts';
export { type FileStoreOptions, fileStore } from './store/file-store.ts';
export { memoryStore } from './store/memory-store.ts';
export type { ByteRange, GetOptions, ObjectKey, ObjectStat, ObjectStore, ObjectWriter, PutOptions } from './store/object-store.ts';
export { type RebuildReport, rebuildIndex } from './verify/rebuild-index.ts';
