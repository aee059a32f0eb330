import { blockRange, type CallOptions, DIGEST_BYTES } from '@onevault/base';
import { isZero } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import { type ChunkReader, isDamage } from './chunk-reader.ts';
import type { DiskIndexReader } from './disk-index-reader.ts';

/** One read from a pack brings at most this much, stored or plain: large enough for object stores, small enough for bounded memory. */
export const GROUP_BYTES = 4 * 1024 * 1024;
/** Chunks no further apart than this come with one read; skipping less would cost more than reading it. */
const MAX_GAP_BYTES = 512 * 1024;

export interface PlannedBlock {
  readonly index: number;
  readonly digest: Uint8Array;
  readonly plainBytes: number;
  readonly location: ChunkLocation;
}

export type PlannedRead =
  | { readonly kind: 'zero'; readonly index: number; readonly count: number }
  | { readonly kind: 'group'; readonly packId: string; readonly offset: number; readonly length: number; readonly blocks: readonly PlannedBlock[] }
  | { readonly kind: 'damaged'; readonly index: number; readonly error: unknown };

/** Turns blocks `from .. to - 1` of a disk into reads, in disk order: zeros as runs, neighbours in a pack together. Reads index pages only, none of zeros. */
export async function* planReads(
  disk: DiskIndexReader,
  chunks: ChunkReader,
  from: number,
  to: number,
  options: CallOptions = {},
): AsyncGenerator<PlannedRead, void> {
  const gathering = new Gathering();
  for (let first = from; first < to; ) {
    const page = Math.floor(first / PAGE_DIGESTS);
    const last = Math.min(to, (page + 1) * PAGE_DIGESTS);
    if (isZero(await disk.pageDigest(page, options))) yield* gathering.zeros(first, last - first);
    else {
      const digests = await disk.digests(first, last - first, options);
      for (let index = first; index < last; index++) {
        const digest = digests.subarray((index - first) * DIGEST_BYTES, (index - first + 1) * DIGEST_BYTES);
        if (isZero(digest)) yield* gathering.zeros(index, 1);
        else yield* gathering.block(await planBlock(disk, chunks, index, digest, options));
      }
    }
    first = last;
  }
  yield* gathering.end();
}

/** What was planned last and may still grow: a run of zeros or a group of chunks, never both. */
class Gathering {
  #group: GroupBuilder | undefined;
  #zero: { readonly index: number; count: number } | undefined;

  *zeros(index: number, count: number): Generator<PlannedRead, void> {
    if (!this.#zero) {
      yield* this.end();
      this.#zero = { index, count: 0 };
    }
    this.#zero.count += count;
  }

  *block(planned: BlockPlan): Generator<PlannedRead, void> {
    if (planned.kind === 'block' && this.#group?.add(planned.block)) return;
    yield* this.end();
    if (planned.kind === 'damaged') yield planned;
    else this.#group = new GroupBuilder(planned.block);
  }

  *end(): Generator<PlannedRead, void> {
    if (this.#group) yield this.#group.end();
    if (this.#zero) yield { kind: 'zero', ...this.#zero };
    this.#group = undefined;
    this.#zero = undefined;
  }
}

type BlockPlan = { readonly kind: 'block'; readonly block: PlannedBlock } | { readonly kind: 'damaged'; readonly index: number; readonly error: unknown };

async function planBlock(disk: DiskIndexReader, chunks: ChunkReader, index: number, digest: Uint8Array, options: CallOptions): Promise<BlockPlan> {
  try {
    const location = await chunks.locate(digest, options);
    return { kind: 'block', block: { index, digest, plainBytes: blockRange(disk.grid, index).length, location } };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { kind: 'damaged', index, error };
  }
}

/** Chunks of one pack that come with one read. */
export class GroupBuilder {
  readonly #blocks: PlannedBlock[];
  readonly #first: ChunkLocation;
  #last: ChunkLocation;
  #plainBytes: number;

  constructor(block: PlannedBlock) {
    this.#blocks = [block];
    this.#first = block.location;
    this.#last = block.location;
    this.#plainBytes = block.plainBytes;
  }

  /** False when the block belongs into a read of its own. A block like the one before it costs nothing. */
  add(block: PlannedBlock): boolean {
    const { location, plainBytes } = block;
    if (location.packId !== this.#first.packId || this.#plainBytes + plainBytes > GROUP_BYTES) return false;
    const repeated = location.offset === this.#last.offset;
    const gap = location.offset - endOf(this.#last);
    if (!repeated && (gap < 0 || gap > MAX_GAP_BYTES || endOf(location) - this.#first.offset > GROUP_BYTES)) return false;
    this.#blocks.push(block);
    this.#last = location;
    this.#plainBytes += plainBytes;
    return true;
  }

  end(): Extract<PlannedRead, { kind: 'group' }> {
    const { packId, offset } = this.#first;
    return { kind: 'group', packId, offset, length: endOf(this.#last) - offset, blocks: this.#blocks };
  }
}

function endOf(location: ChunkLocation): number {
  return location.offset + CHUNK_HEADER_BYTES + location.storedBytes;
}
