import type { BlockGrid, CallOptions, DigestSource, Secret } from '@onevault/base';
import type { CopyOptions, CopyOutcome, CopyReport } from './copy/copy-api.ts';
import type { RepositoryDrills } from './drills/drills-api.ts';
import type { GcOptions, GcReport } from './gc/gc-api.ts';
import type { RepositoryKeys } from './keys/keys-api.ts';
import type { ReadingLease } from './lease/lease-for-reading.ts';
import type { LeaseInfo, UnlockOptions, UnlockReport } from './lease/lease-info.ts';
import type { RepositoryMarks } from './marks/marks-api.ts';
import type { RepositoryStats } from './stats/repository-stats.ts';
import type { RepairOptions, RepairReport } from './verify/repair.ts';
import type { VerifyRecord } from './verify/verify-record.ts';

export type DigestAlgorithm = 'blake3' | 'sha256';

/** How blocks are digested: what a scan for this repository must use. Matches block-cbt's DigestSpec structurally. */
export interface DigestSpec {
  readonly algorithm: DigestAlgorithm;
  /** 32 bytes as hex, in an encrypted repository: keyed BLAKE3 or HMAC-SHA-256. */
  readonly key?: Secret;
}

/** Fixed at creation, kept in the repository's own config object. */
export interface RepositoryConfig {
  readonly id: string;
  readonly formatVersion: 1;
  readonly digest: DigestAlgorithm;
  readonly blockSizeBytes: number;
  readonly compression: { readonly codec: 'zstd'; readonly level: number };
  /** Absent where the repository is not encrypted. The MAC is over the config, with a key of the repository. */
  readonly encryption?: { readonly cipher: 'aes-256-gcm'; readonly kdf: 'hkdf-sha256'; readonly mac: string };
  readonly created: string;
}

export interface Repository extends AsyncDisposable {
  readonly config: RepositoryConfig;
  /** Give this to the scan whose runs `writeDisk` takes. */
  readonly digest: DigestSpec;
  /** Undefined where the repository is not encrypted. */
  readonly keys: RepositoryKeys | undefined;
  /** For people: where it is, without secrets. */
  readonly location: string;
  /** Newest last. A manifest that cannot be read is yielded as `damaged`, never skipped in silence. */
  points(filter?: PointFilter, options?: CallOptions): AsyncIterable<ListedPoint>;
  /** By id or unique prefix of it. Throws REPO_POINT_NOT_FOUND, REPO_POINT_AMBIGUOUS, REPO_MANIFEST_INVALID. */
  point(id: string, options?: CallOptions): Promise<RestorePoint>;
  begin(spec: RestorePointSpec, options?: CallOptions): Promise<RestorePointWriter>;
  openDisk(point: RestorePoint, diskKey: string, options?: CallOptions): Promise<DiskReader>;
  readMetadata(point: RestorePoint, name: string, options?: CallOptions): Promise<Uint8Array>;
  /** Checks what the mode says, by default everything a restore could need; yields damage as it is found and leaves a record of it at the end. */
  verify(options?: VerifyOptions): AsyncGenerator<Damage, VerifyReport>;
  /** Makes everything that can still be read reachable again, losing nothing that is whole; run `verify` first, which learns what is damaged. Throws REPO_LOCKED. */
  repair(options?: RepairOptions): Promise<RepairReport>;
  /** What earlier verifies and repairs found, oldest first: the last ones, and the last of each mode. */
  verifyRecords(options?: CallOptions): Promise<readonly VerifyRecord[]>;
  /** Group and id of the point that an id or unique prefix means; reads no manifest. Throws REPO_POINT_NOT_FOUND, REPO_POINT_AMBIGUOUS. */
  resolvePoint(id: string, options?: CallOptions): Promise<{ readonly group: string; readonly id: string }>;
  /** Refuses a held point (REPO_POINT_HELD) and, without `evenLast`, the last good one of its group (REPO_POINT_LAST_GOOD). The space is given back by the garbage collection. */
  forgetPoint(id: string, options?: CallOptions & { readonly evenLast?: boolean }): Promise<void>;
  /** Gives back the space that no restore point needs, in two runs with a grace in between, beside running backups (docs/concurrency.md). Throws REPO_LOCKED, REPO_LOCK_LOST. */
  collectGarbage(options?: GcOptions): Promise<GcReport>;
  /**
   * Keeps what the disks of `point` are made of until the lease is disposed, also when the point is forgotten and garbage is collected meanwhile; for whoever reads
   * for longer than the grace of gc. `purpose` is for people who look at the leases. Throws REPO_POINT_NOT_FOUND, and REPO_NOT_WRITABLE or REPO_ACCESS_DENIED
   * where nothing can be written.
   */
  leaseForReading(point: RestorePoint, purpose: string, options?: CallOptions): Promise<ReadingLease>;
  /** Who is at work in this repository, as far as its leases say. */
  leases(options?: CallOptions): Promise<readonly LeaseInfo[]>;
  /** Removes leases that ended or are stale, and by force those named: their holders will not commit. */
  unlock(options?: UnlockOptions): Promise<UnlockReport>;
  /**
   * Ends the leases of a run that writes a restore point and is known to be dead or given to somebody else. It commits nothing after that; a manifest that it writes at
   * this very moment it takes back itself. Answers how many there were.
   */
  endRun(group: string, runId: string, options?: CallOptions): Promise<number>;
  /** Holds and tags of restore points. */
  readonly marks: RepositoryMarks;
  /** Records of restores that were tried. */
  readonly drills: RepositoryDrills;
  /** Ids of restore points that the newest record of a verify calls damaged. Empty when none ever ran. */
  damagedPoints(options?: CallOptions): Promise<ReadonlySet<string>>;
  /** Counts what there is: lists everything, reads manifests and a little of each index table, no data. */
  stats(options?: CallOptions): Promise<RepositoryStats>;
  /** Bytes of all objects: lists everything and reads nothing. */
  storedBytes(options?: CallOptions): Promise<number>;
  /** Copies restore points into another open repository of the same block size, oldest first; yields what became of each. Throws REPO_COPY_INCOMPATIBLE, REPO_POINT_NOT_FOUND. */
  copyTo(target: Repository, options?: CopyOptions): AsyncGenerator<CopyOutcome, CopyReport>;
}

export interface PointFilter {
  readonly group?: string;
  /** Asked of every manifest that is listed, before any is read: those of which it answers true are passed over. Manifests never change. */
  readonly unless?: (place: { readonly group: string; readonly id: string }) => boolean;
}

export type ListedPoint = { readonly kind: 'point'; readonly point: RestorePoint } | { readonly kind: 'damaged'; readonly key: string; readonly error: Error };

/** Plain JSON that the caller keeps in the manifest and gets back; the repository does not look inside. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface RestorePointSpec {
  /** All restore points of one VM: `[a-z0-9-]{1,64}`. */
  readonly group: string;
  readonly runId: string;
  /** When the state was captured (RFC 3339, UTC). */
  readonly capturedAt: string;
  readonly mode: 'full' | 'incremental';
  /** The point whose digests were trusted, if any: a note, never a dependency. */
  readonly parentId?: string;
}

/** A restore point as its manifest says. */
export interface RestorePoint extends RestorePointSpec {
  readonly id: string;
  readonly committedAt: string;
  readonly disks: readonly StoredDisk[];
  readonly metadata: readonly StoredMetadata[];
  /** What the product says of the VM: name, ids, skipped disks, methods, reasons. */
  readonly annotations: { readonly [key: string]: Json };
  readonly stats: PointStats;
  /** In a copy: id of the repository that first committed the point, where it has or had the same id. */
  readonly origin?: string;
}

export interface StoredDisk {
  readonly key: string;
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** Hex digest of the root of its disk index; all zeros for a disk that reads as zeros. */
  readonly root: string;
  readonly annotations: { readonly [key: string]: Json };
  readonly stats: DiskStats;
}

export interface StoredMetadata {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

export interface DiskStats {
  readonly changedBlocks: number;
  readonly unchangedBlocks: number;
  readonly zeroBlocks: number;
  /** Chunks that the repository did not have. */
  readonly newChunks: number;
  /** Their size before and after compression. */
  readonly newBytes: number;
  readonly storedBytes: number;
  /** Changed blocks whose chunk was already there. */
  readonly dedupBlocks: number;
}

export interface PointStats extends DiskStats {
  readonly sizeBytes: number;
}

/** What the scan found, in disk order, covering the disk exactly once; matches block-cbt's ScannedRun structurally. */
export type WritableRun =
  | { readonly kind: 'unchanged'; readonly index: number; readonly count: number }
  | { readonly kind: 'zero'; readonly index: number; readonly count: number }
  /** The writer calls `release` exactly once, as soon as it needs `data` no more, also when it fails. */
  | { readonly kind: 'changed'; readonly index: number; readonly digest: Uint8Array; readonly data: Uint8Array; release?(): void };

export interface DiskWriteSpec {
  readonly key: string;
  readonly sizeBytes: number;
  /** Where `unchanged` runs take their digests from: a disk of an earlier point. */
  readonly parent?: DiskReader;
  readonly annotations?: { readonly [key: string]: Json };
  /** A full trusts no index entry: the trailer of the pack must confirm it. */
  readonly confirmDedup?: boolean;
}

/** Leaving the scope without `commit()` means nothing happened: no restore point appears. */
export interface RestorePointWriter extends AsyncDisposable {
  readonly id: string;
  /** Disks may be written concurrently. */
  writeDisk(
    disk: DiskWriteSpec,
    runs: AsyncIterable<WritableRun>,
    options?: CallOptions & { readonly onProgress?: (stats: DiskStats) => void },
  ): Promise<StoredDisk>;
  writeMetadata(name: string, data: Uint8Array, options?: CallOptions): Promise<void>;
  /** Packs and index durable first, then the manifest. */
  commit(facts: { readonly annotations: { readonly [key: string]: Json } }, options?: CallOptions): Promise<RestorePoint>;
}

/** One disk of one restore point. Also the DigestSource for the next incremental. */
export interface DiskReader extends DigestSource, AsyncDisposable {
  readonly grid: BlockGrid;
  readonly disk: StoredDisk;
  /** Blocks `from` up to, without, `to` (indexes on the grid; by default all), in disk order, zeros included as runs; every block is checked against its digest. Throws REPO_CHUNK_* naming the byte range. `data` may be reused after the next step. */
  blocks(options?: CallOptions & { readonly from?: number; readonly to?: number }): AsyncGenerator<RestoredRun, void>;
  /**
   * What the scan of the next incremental compares with: the same digests, but a block whose chunk is known to be damaged (from a verify, or met by this
   * process) has one that nothing matches. The scan then brings the block, and the writer stores it again.
   */
  readonly baseline: DigestSource;
  /** Reads a random sample of stored blocks (at most `count`) from the packs and checks them; the indexes that are damaged. */
  sample(count: number, random: () => number, options?: CallOptions): Promise<{ readonly checked: number; readonly damaged: readonly number[] }>;
}

export type RestoredRun =
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number }
  | { readonly kind: 'data'; readonly offset: number; readonly data: Uint8Array };

/**
 * `structure`: config, manifests, index tables, headers, trailers and sizes of packs, disk indexes, and that every chunk that is needed is in a trailer.
 * A sample also reads that share of all chunks: what was read longest ago first, or from `seed` (8 hex digits, in the report of every sample) on. `all` reads everything.
 */
export type VerifyMode = 'structure' | 'all' | { readonly samplePercent: number; readonly seed?: string };

export interface VerifyOptions extends CallOptions {
  readonly mode?: VerifyMode;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** False leaves no record. */
  readonly record?: boolean;
}

export interface Damage {
  readonly error: Error;
  /** The object of the repository that is damaged or missing. */
  readonly key: string;
  /** What it touches: which restore points, disks and byte ranges of them. */
  readonly affects: readonly {
    readonly pointId: string;
    readonly group: string;
    readonly diskKey?: string;
    readonly metadata?: string;
    readonly ranges?: readonly { readonly offset: number; readonly length: number }[];
  }[];
  /** No restore point needs it: debris, or a copy of what lies elsewhere, or a note that is made anew. */
  readonly harmless: boolean;
}

export interface VerifyProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface VerifyReport {
  readonly mode: 'structure' | 'sample' | 'all';
  readonly sample?: { readonly seed: string; readonly percent: number };
  readonly points: number;
  readonly packs: number;
  readonly chunks: number;
  /** Chunks whose data was read. */
  readonly checkedChunks: number;
  readonly readBytes: number;
  /** Damaged objects: the number of `Damage` yielded; of these `harmless` touch no restore point. */
  readonly damaged: number;
  readonly harmless: number;
  /** Damaged copies of chunks that a later run has stored again. */
  readonly healed: number;
  /** Key of the record, if one was left. */
  readonly record?: string;
  /** Packs that no index table leads to, left by runs that did not end: no damage, only space. */
  readonly orphanPacks: number;
  /** Packs that a repair has given up; what they had is elsewhere, or reported as damage. */
  readonly quarantinedPacks: number;
}
