import type { CallOptions, DigestSource } from '@onevault/base';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of a disk. `data` may be reused after the next step of the iteration. */
export type DiskRun =
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number }
  | { readonly kind: 'data'; readonly offset: number; readonly data: Uint8Array };

/** A disk to export; the DiskReader of @onevault/backup-format is one. */
export interface ExportSource extends DigestSource {
  /** Blocks `from` up to, without, `to`, in disk order, covering them exactly once. */
  blocks(options?: CallOptions & { readonly from?: number; readonly to?: number }): AsyncIterable<DiskRun>;
}
