import type { DiskReader } from '@onevault/backup-format';
import { type CallOptions, DIGEST_BYTES } from '@onevault/base';
import type { Extent, NbdExport } from '@onevault/nbd-server';
import type { BlockReading } from './block-reading.ts';
import { ReadStreams } from './read-streams.ts';

/** Read ahead of who reads in sequence; with a small cache less, so that many may. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** Digests looked at for one answer about extents: 32 pages of the index. */
const MAX_STATUS_BLOCKS = 32 * 1024;
const ZERO = Buffer.alloc(DIGEST_BYTES);

export interface PointExportFacts {
  /** Unique among the exports that share `reading`. */
  readonly name: string;
  readonly description: string;
}

/**
 * A disk of a restore point as an export. What is a hole the disk's index says, without reading data; blocks come through the cache that all exports share, and who
 * reads in sequence finds them there. A damaged block fails those requests that touch it, with the error of the repository, which names its bytes.
 */
export function pointExport(disk: DiskReader, reading: BlockReading, facts: PointExportFacts): NbdExport {
  const { sizeBytes, blockSizeBytes, blockCount } = disk.grid;
  const streams = new ReadStreams(Math.min(WINDOW_BYTES, reading.cache.capacityBytes / 16) / blockSizeBytes);
  const lastOf = (offset: number, length: number): number => Math.ceil((offset + length) / blockSizeBytes);

  async function isZero(index: number, options: CallOptions): Promise<boolean> {
    const digest = await disk.digests(index, 1, options);
    return digest !== undefined && ZERO.equals(digest);
  }

  /** The part of block `index` from `skip` bytes on. It may have been pushed out of the cache before its reader's turn comes: then it is read again. */
  async function copyBlock(index: number, skip: number, target: Uint8Array, options: CallOptions): Promise<void> {
    const ahead = streams.touch(index);
    if (ahead) reading.prefetch(disk, facts.name, ahead);
    for (;;) {
      options.signal?.throwIfAborted();
      const block = reading.cache.get(`${index}@${facts.name}`);
      if (block) return void target.set(block.subarray(skip, skip + target.length));
      if (await isZero(index, options)) return void target.fill(0);
      await reading.load(disk, facts.name, index);
    }
  }

  return {
    sizeBytes,
    description: facts.description,
    async read(offset, target, options) {
      const end = offset + target.length;
      for (let at = offset; at < end; ) {
        const index = Math.floor(at / blockSizeBytes);
        const next = Math.min(end, (index + 1) * blockSizeBytes);
        await copyBlock(index, at - index * blockSizeBytes, target.subarray(at - offset, next - offset), options);
        at = next;
      }
    },
    async extents(offset, length, options) {
      const first = Math.floor(offset / blockSizeBytes);
      const count = Math.min(MAX_STATUS_BLOCKS, lastOf(offset, length) - first);
      const digests = await disk.digests(first, count, options);
      const end = Math.min(sizeBytes, (first + count) * blockSizeBytes);
      return digests === undefined ? [{ kind: 'data', length: end - offset }] : extentsOf(digests, { offset, end, blockSizeBytes });
    },
    prefetch(offset, length) {
      const from = Math.floor(offset / blockSizeBytes);
      const most = Math.max(1, Math.floor(WINDOW_BYTES / blockSizeBytes));
      reading.prefetch(disk, facts.name, { from, to: Math.min(blockCount, lastOf(offset, length), from + most) });
    },
  };
}

/** Blocks without digest are holes; neighbours of a kind are one extent. */
function extentsOf(digests: Uint8Array, range: { readonly offset: number; readonly end: number; readonly blockSizeBytes: number }): Extent[] {
  const { offset, end, blockSizeBytes } = range;
  const view = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength);
  const first = Math.floor(offset / blockSizeBytes);
  const extents: { kind: Extent['kind']; length: number }[] = [];
  for (let n = 0; n < digests.length / DIGEST_BYTES; n++) {
    const kind = view.compare(ZERO, 0, DIGEST_BYTES, n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES) === 0 ? 'hole' : 'data';
    const length = Math.min(end, (first + n + 1) * blockSizeBytes) - Math.max(offset, (first + n) * blockSizeBytes);
    const last = extents.at(-1);
    if (last?.kind === kind) last.length += length;
    else extents.push({ kind, length });
  }
  return extents;
}
