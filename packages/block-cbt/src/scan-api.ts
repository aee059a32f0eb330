import type { BlockGrid, CallOptions, DigestSource, Secret } from '@onevault/base';

/** A block device or file opened for reading. Offsets and sizes in bytes. */
export interface BlockDevice extends AsyncDisposable {
  readonly path: string;
  readonly sizeBytes: number;
  /** The process-wide descriptor: scan workers read through it, so they read what was checked, whatever the path means by then. */
  readonly fd: number;
  /** True when the descriptor bypasses the page cache (O_DIRECT). */
  readonly direct: boolean;
  /** Fills target completely or throws CBT_SHORT_READ / CBT_READ_FAILED naming the byte range. */
  readInto(offset: number, target: Uint8Array, options?: CallOptions): Promise<void>;
}

/** A block device or file opened for writing; a block device is opened O_EXCL, so never one that is mounted or held. */
export interface WritableBlockDevice extends BlockDevice {
  writeFrom(offset: number, data: Uint8Array, options?: CallOptions): Promise<void>;
  /** fsync: after it the bytes are on the device. */
  flush(options?: CallOptions): Promise<void>;
}

export type DigestAlgorithm = 'blake3' | 'sha256';

/** What identifies a digest function. With a key it is keyed BLAKE3 or HMAC-SHA-256: then digests reveal nothing to those without it. */
export interface DigestSpec {
  readonly algorithm: DigestAlgorithm;
  /** 32 bytes as 64 hex characters. */
  readonly key?: Secret;
}

/** Runs of equal fate, in disk order, covering the disk exactly once. */
export type ScannedRun =
  /** Same as in the parent (zeros included). */
  | { readonly kind: 'unchanged'; readonly index: number; readonly count: number }
  /** Reads as zeros, and did not (or was not known to) before. */
  | { readonly kind: 'zero'; readonly index: number; readonly count: number }
  /**
   * One changed block. `data` lies in memory shared with the scan workers and is valid until `release()`, which the consumer calls exactly once
   * for every block (in any order, also when it fails); memory for the next extent is waited for otherwise.
   */
  | { readonly kind: 'changed'; readonly index: number; readonly digest: Uint8Array; readonly data: Uint8Array; release(): void };

export interface ScanSummary {
  readonly grid: BlockGrid;
  readonly readBytes: number;
  /** Ranges never read because the file system said they are holes. */
  readonly holeBytes: number;
  readonly changedBlocks: number;
  readonly unchangedBlocks: number;
  readonly zeroBlocks: number;
}

export interface ScanOptions extends CallOptions {
  readonly blockSizeBytes: number;
  /** As the map to compare with has it; an algorithm alone means without a key. */
  readonly digest: DigestAlgorithm | DigestSpec;
  /** The map to compare with; absent: every block that is not zero is `changed`. Grids of different sizes are compared block by block as far as both go. */
  readonly parent?: DigestSource;
  /** Worker threads, each reading and digesting its own extents. Default: the number of CPUs, at most 4. */
  readonly workers?: number;
  /** Called after every extent, in disk order. */
  readonly onProgress?: (doneBytes: number) => void;
}
