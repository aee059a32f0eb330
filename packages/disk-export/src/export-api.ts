import type { Writable } from 'node:stream';
import type { CallOptions } from '@onevault/base';
import type { DamagedRange, ReadRangeOptions } from './read-range.ts';
import type { ByteRange } from './source.ts';

export type Compression = 'zlib' | 'zstd';

export type ExportFormat =
  | { readonly kind: 'raw' }
  /** Version 3. Clusters of 64 KiB unless a power of two from 4 KiB to 2 MiB is given; uncompressed unless a compression is. */
  | { readonly kind: 'qcow2'; readonly compression?: Compression; readonly clusterBytes?: number };

/** An open block device; what `openWritableBlockDevice` of @onevault/block-cbt gives is one. */
export interface ExportDevice {
  readonly path: string;
  readonly sizeBytes: number;
  readInto(offset: number, target: Uint8Array, options?: CallOptions): Promise<void>;
  writeFrom(offset: number, data: Uint8Array, options?: CallOptions): Promise<void>;
  /** Resolves when everything written is on the device. */
  flush(options?: CallOptions): Promise<void>;
}

export type ExportTarget =
  /** A new file; with `replace` one that exists is replaced, once the new one is whole. `preallocate` (raw) writes the zeros too. */
  | { readonly kind: 'file'; readonly path: string; readonly replace?: boolean; readonly preallocate?: boolean }
  /** A pipe: zeros and all, in order. It is not ended. */
  | { readonly kind: 'stream'; readonly stream: Writable }
  /** What was on it is lost, also when the export fails in the middle. */
  | { readonly kind: 'device'; readonly device: ExportDevice };

export interface ExportProgress {
  readonly phase: 'write' | 'verify';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ExportOptions extends Pick<ReadRangeOptions, 'signal' | 'damageOf'> {
  readonly format?: ExportFormat;
  /** In bytes of the disk, on no grid; by default all of it. */
  readonly range?: Partial<ByteRange>;
  /** Reads back what was written and compares it with the source once more. Not for streams. */
  readonly verify?: boolean;
  readonly onProgress?: (progress: ExportProgress) => void;
}

export interface ExportReport {
  readonly format: ExportFormat['kind'];
  /** Size of the exported disk. A qcow2 image rounds it up to whole sectors of 512 bytes, with zeros. */
  readonly sizeBytes: number;
  /** Written to the target; holes and zeros that were left out are not in it. */
  readonly writtenBytes: number;
  /** With `damageOf`: what could not be read and reads as zeros. Offsets on the disk, in order; what adjoins is one. */
  readonly damaged: readonly DamagedRange[];
  readonly verified: boolean;
}
