import type { CallOptions } from '@onevault/base';

/** `hole`: reads as zeros and takes no space. `zero`: reads as zeros, of its space nothing is said. */
export type ExtentKind = 'data' | 'zero' | 'hole';

export interface Extent {
  readonly kind: ExtentKind;
  readonly length: number;
}

/**
 * What is served: a disk of bytes. Calls come from all connections at once and in any order, always within `sizeBytes` and with a length above 0.
 * What a call throws becomes EIO for the request that touched it (ENOSPC, EDQUOT and EFBIG become ENOSPC); an error of ours whose details have an `offset`
 * within the range tells the client where.
 */
export interface NbdExport {
  readonly sizeBytes: number;
  /** For people, in lists. */
  readonly description?: string;
  /** Size from which requests are cheap: a power of two from 512 to 4 MiB. Default 4096. */
  readonly preferredBytes?: number;
  /** Absent on a read-only export. */
  readonly writer?: NbdWriter;
  /** Fills `target` completely from `offset` on, or throws. */
  read(offset: number, target: Uint8Array, options: CallOptions): Promise<void>;
  /**
   * Consecutive extents from `offset` on, at least one, each longer than 0. They may end before `offset + length` where knowing more is expensive, and after it, but
   * not after the end of the disk.
   */
  extents(offset: number, length: number, options: CallOptions): Promise<readonly Extent[]>;
  /** Hint that the range is read soon. Resolves without waiting for it. */
  prefetch?(offset: number, length: number): void;
}

/** After `flush`, everything that was answered before is durable. Overlapping writes under way at once may take effect in any order, but each whole per block. */
export interface NbdWriter {
  write(offset: number, data: Uint8Array, options: CallOptions): Promise<void>;
  /** The range reads as zeros afterwards. */
  zero(offset: number, length: number, options: CallOptions): Promise<void>;
  flush(options: CallOptions): Promise<void>;
}

/** The exports of a server by name. The protocol's empty name means `defaultName`, where there is one. */
export interface ExportDirectory {
  readonly exports: ReadonlyMap<string, NbdExport>;
  readonly defaultName?: string;
}

export function findExport(directory: ExportDirectory, name: string): { readonly name: string; readonly found: NbdExport } | undefined {
  const canonical = name === '' && !directory.exports.has('') ? directory.defaultName : name;
  if (canonical === undefined) return undefined;
  const found = directory.exports.get(canonical);
  return found && { name: canonical, found };
}
