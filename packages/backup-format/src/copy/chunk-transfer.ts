import { blockRange, type CallOptions, mapOrdered } from '@onevault/base';
import type { EncodedChunk } from '../codec/chunk-codec.ts';
import { isRepositoryError } from '../errors.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { isDamage } from '../read/chunk-reader.ts';
import type { StoredDiskReader } from '../read/disk-reader.ts';
import { GroupBuilder, type PlannedBlock, type PlannedRead } from '../read/read-plan.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { DiskRun } from '../write/disk-run.ts';
import type { Difference } from './disk-difference.ts';

/** Reads under way ahead of the writer; with GROUP_BYTES stored and plain each, at most 32 MiB are held. */
const READ_AHEAD = 3;
/** Keeps a batch small where nothing has to be read. */
const BATCH_ENTRIES = 1024;

export type TransferSource = Pick<RepositoryParts, 'store' | 'codecs' | 'chunks'>;

export interface TransferTarget {
  readonly codecs: Pick<RepositoryParts['codecs'], 'digest'>;
  /** The repositories give equal bytes equal digests: what the target has need not be read. */
  readonly sameDigests: boolean;
  /** Payloads may be taken over as they are, once checked. */
  readonly samePayloads: boolean;
  /** Whether the target has a chunk that a restore point may refer to. */
  holds(digest: Uint8Array, call: CallOptions): Promise<boolean>;
}

type Entry = { readonly kind: 'run'; readonly run: DiskRun } | { readonly kind: 'block'; readonly block: PlannedBlock };

interface Batch {
  readonly entries: readonly Entry[];
  readonly read: Extract<PlannedRead, { kind: 'group' }> | undefined;
}

/** Brings the blocks that differ from one repository to the writer of the other; neighbours in a pack come with one read. Every chunk is checked against its digest in the source. */
export class ChunkTransfer {
  readonly #source: TransferSource;
  readonly #target: TransferTarget;
  #readBytes = 0;

  constructor(source: TransferSource, target: TransferTarget) {
    this.#source = source;
    this.#target = target;
  }

  /** Stored bytes of the source read so far. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** Throws REPO_CHUNK_* naming disk and byte range for a block that cannot be read. */
  async *runs(disk: StoredDiskReader, differences: AsyncIterable<Difference>, call: CallOptions): AsyncGenerator<DiskRun, void> {
    const batches = this.#plan(disk, differences, call);
    for await (const runs of mapOrdered(batches, (batch) => this.#execute(disk, batch, call), { ...call, concurrency: READ_AHEAD })) yield* runs;
  }

  async *#plan(disk: StoredDiskReader, differences: AsyncIterable<Difference>, call: CallOptions): AsyncGenerator<Batch, void> {
    let entries: Entry[] = [];
    let group: GroupBuilder | undefined;
    for await (const difference of differences) {
      const entry = await this.#entry(disk, difference, call);
      const fits = entries.length < BATCH_ENTRIES && (entry.kind === 'run' || !group || group.add(entry.block));
      if (!fits) {
        yield { entries, read: group?.end() };
        entries = [];
        group = undefined;
      }
      if (entry.kind === 'block') group ??= new GroupBuilder(entry.block);
      entries.push(entry);
    }
    if (entries.length > 0) yield { entries, read: group?.end() };
  }

  async #entry(disk: StoredDiskReader, difference: Difference, call: CallOptions): Promise<Entry> {
    if (difference.kind !== 'block') return { kind: 'run', run: { ...difference } };
    const { index, digest } = difference;
    if (this.#target.sameDigests && (await this.#target.holds(digest, call))) return { kind: 'run', run: { kind: 'held', index, digest } };
    try {
      const location = await this.#source.chunks.locate(digest, call);
      return { kind: 'block', block: { index, digest, plainBytes: blockRange(disk.grid, index).length, location } };
    } catch (error) {
      throw isDamage(error) ? disk.rangeError(index, 1, error) : error;
    }
  }

  async #execute(disk: StoredDiskReader, { entries, read }: Batch, call: CallOptions): Promise<DiskRun[]> {
    const bytes = read && (await this.#getGroup(read, call));
    return Promise.all(entries.map((entry) => (entry.kind === 'run' ? entry.run : this.#transfer(disk, entry.block, read?.offset ?? 0, bytes, call))));
  }

  /** Undefined when the pack is shorter than it should be or gone: then each chunk is tried alone. */
  async #getGroup(read: NonNullable<Batch['read']>, call: CallOptions): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#source.store.get(packKey(read.packId), { ...call, range: { offset: read.offset, length: read.length } });
      this.#readBytes += bytes.length;
      return bytes;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return undefined;
      throw error;
    }
  }

  async #transfer(disk: StoredDiskReader, block: PlannedBlock, groupOffset: number, group: Uint8Array | undefined, call: CallOptions): Promise<DiskRun> {
    const { index, location } = block;
    const at = location.offset - groupOffset;
    const stored = group?.subarray(at, at + CHUNK_HEADER_BYTES + location.storedBytes);
    try {
      const data = stored ? await this.#source.chunks.decode(block, location, stored) : await this.#source.chunks.loadAt(block, location, call);
      const digest = this.#target.sameDigests ? block.digest : this.#target.codecs.digest(data);
      const run = { kind: 'changed', index, digest, data } as const;
      return stored && this.#target.samePayloads ? { ...run, encoded: payloadOf(stored, data) } : run;
    } catch (error) {
      throw isDamage(error) ? disk.rangeError(index, 1, error) : error;
    }
  }
}

/** A compressed payload is copied out: the pack writer keeps it until it has gathered enough, and must not keep the whole group with it. */
function payloadOf(stored: Uint8Array, data: Uint8Array): EncodedChunk {
  const { codec, storedBytes } = decodeChunkHeader(stored);
  return { codec, storedBytes, parts: [codec === 'raw' ? data : new Uint8Array(stored.subarray(CHUNK_HEADER_BYTES))] };
}
