import { type BlockGrid, blockGrid, blockRange, type CallOptions, DIGEST_BYTES, type DigestSource, isRetryable, mapOrdered } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { isZero } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { pageCount } from '../format/disk-index-layout.ts';
import { packKey, pointKey } from '../format/ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { DiskReader, RestoredRun, RestorePoint, StoredDisk } from '../repository-api.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { KnownDamage } from '../verify/known-damage.ts';
import { Baseline } from './baseline.ts';
import { type ChunkReader, isDamage } from './chunk-reader.ts';
import { DiskIndexReader } from './disk-index-reader.ts';
import { type PlannedBlock, type PlannedRead, planReads } from './read-plan.ts';

/** Reads under way ahead of the consumer; with GROUP_BYTES stored and plain each, at most 32 MiB are held. */
const READ_AHEAD = 3;

export interface DiskReaderDeps {
  readonly store: ObjectStore;
  readonly chunks: ChunkReader;
  readonly repositoryId: string;
  readonly index: ChunkIndex;
  readonly damage: KnownDamage;
}

/** A disk of a restore point, read from the repository. */
export class StoredDiskReader implements DiskReader {
  readonly grid: BlockGrid;
  readonly disk: StoredDisk;
  readonly repositoryId: string;
  /** Key of the manifest. */
  readonly pointKey: string;
  /** For the writer of the next point, which copies whole pages by digest. */
  readonly index: DiskIndexReader;
  readonly baseline: DigestSource;
  readonly #point: RestorePoint;
  readonly #store: ObjectStore;
  readonly #chunks: ChunkReader;

  constructor(point: RestorePoint, disk: StoredDisk, deps: DiskReaderDeps) {
    this.grid = blockGrid(disk.sizeBytes, disk.blockSizeBytes);
    this.disk = disk;
    this.repositoryId = deps.repositoryId;
    this.pointKey = pointKey(point.group, point.id);
    this.index = new DiskIndexReader(this.grid, disk, deps.chunks);
    this.#point = point;
    this.#store = deps.store;
    this.#chunks = deps.chunks;
    this.baseline = new Baseline(this, deps);
  }

  async digests(first: number, count: number, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    try {
      return await this.index.digests(first, count, options);
    } catch (error) {
      // What cannot be read for good counts as changed; what may come back is worth failing for.
      if (isRepositoryError(error) && !isRetryable(error)) return undefined;
      throw error;
    }
  }

  async *blocks(options: CallOptions & { readonly from?: number; readonly to?: number } = {}): AsyncGenerator<RestoredRun, void> {
    const { signal, from = 0, to = this.grid.blockCount } = options;
    const call = signal ? { signal } : {};
    if (!(from >= 0 && from <= to && to <= this.grid.blockCount)) throw new RangeError(`blocks ${from} to ${to} are outside a disk of ${this.grid.blockCount}`);
    const plan = this.#plan(from, to, call);
    for await (const runs of mapOrdered(plan, (read) => this.#execute(read, call), { ...call, concurrency: READ_AHEAD })) {
      for (const run of runs) {
        signal?.throwIfAborted();
        if (run.kind === 'damaged') throw this.rangeError(run.index, 1, run.error);
        yield run;
      }
    }
  }

  /** A damaged page or root takes all blocks behind it with it: the error names their range. */
  async *#plan(from: number, to: number, call: CallOptions): AsyncGenerator<PlannedRead, void> {
    let next = from;
    try {
      for await (const read of planReads(this.index, this.#chunks, from, to, call)) {
        next = read.kind === 'group' ? (read.blocks.at(-1)?.index ?? next) + 1 : read.index + (read.kind === 'zero' ? read.count : 1);
        yield read;
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      yield { kind: 'damaged', index: next, error };
    }
  }

  async #execute(read: PlannedRead, call: CallOptions): Promise<ReadRun[]> {
    if (read.kind === 'damaged') return [read];
    if (read.kind === 'zero') {
      const offset = read.index * this.grid.blockSizeBytes;
      const end = Math.min(this.grid.sizeBytes, offset + read.count * this.grid.blockSizeBytes);
      return [{ kind: 'zero', offset, length: end - offset }];
    }
    const bytes = await this.#getGroup(read, call);
    let last: { readonly offset: number; readonly run: Promise<ReadRun> } | undefined;
    const runs = read.blocks.map((block) => {
      // Blocks of equal content share one chunk: decoded once, handed out again.
      if (last?.offset === block.location.offset) return last.run.then((run) => this.#moved(run, block.index));
      last = { offset: block.location.offset, run: this.#decode(read.offset, bytes, block, call) };
      return last.run;
    });
    return Promise.all(runs);
  }

  #moved(run: ReadRun, index: number): ReadRun {
    if (run.kind === 'damaged') return { ...run, index };
    return { ...run, offset: index * this.grid.blockSizeBytes };
  }

  /** Undefined when the pack is shorter than it should be or gone: then each chunk is tried alone. */
  async #getGroup(read: Extract<PlannedRead, { kind: 'group' }>, call: CallOptions): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.get(packKey(read.packId), { ...call, range: { offset: read.offset, length: read.length } });
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return undefined;
      throw error;
    }
  }

  async #decode(groupOffset: number, group: Uint8Array | undefined, block: PlannedBlock, call: CallOptions): Promise<ReadRun> {
    const at = block.location.offset - groupOffset;
    try {
      const data = group
        ? await this.#chunks.decode(block, block.location, group.subarray(at, at + CHUNK_HEADER_BYTES + block.location.storedBytes))
        : await this.#chunks.loadAt(block, block.location, call);
      return { kind: 'data', offset: block.index * this.grid.blockSizeBytes, data };
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { kind: 'damaged', index: block.index, error };
    }
  }

  /** An error as what it means for `count` blocks of this disk. */
  rangeError(index: number, count: number, error: unknown): unknown {
    if (!isRepositoryError(error)) return error;
    const { offset } = blockRange(this.grid, index);
    const length = Math.min(this.grid.sizeBytes, offset + count * this.grid.blockSizeBytes) - offset;
    return new RepositoryError({
      code: error.code,
      message: `bytes ${offset} to ${offset + length} of disk ${this.disk.key} in ${this.#point.id} cannot be read: ${error.message}`,
      details: { ...error.details, pointId: this.#point.id, diskKey: this.disk.key, offset, length },
      hint: 'run verify to learn what else is touched; other blocks and restore points are not',
      cause: error,
    });
  }

  async sample(count: number, random: () => number, options: CallOptions = {}): Promise<{ readonly checked: number; readonly damaged: readonly number[] }> {
    const chosen = await this.#choose(count, random, options);
    const damaged: number[] = [];
    for await (const index of mapOrdered(chosen, (block) => this.#check(block, options), { ...options, concurrency: READ_AHEAD })) {
      if (index !== undefined) damaged.push(index);
    }
    return { checked: chosen.length, damaged };
  }

  /** Random pages that are stored, a random stored block in each: never a walk over the whole index. */
  async #choose(count: number, random: () => number, options: CallOptions): Promise<{ readonly index: number; readonly digest: Uint8Array }[]> {
    const root = await this.index.root(options);
    if (!root) return [];
    const pages = [...Array(pageCount(this.grid)).keys()].filter((page) => !isZero(root.subarray(page * DIGEST_BYTES, (page + 1) * DIGEST_BYTES)));
    const chosen = new Map<number, Uint8Array>();
    // Twice as many draws as wanted: on small disks the same block comes up again.
    for (let draw = 0; draw < 2 * count && chosen.size < count && pages.length > 0; draw++) {
      const page = pages[Math.floor(random() * pages.length)] ?? 0;
      const digests = await this.index.page(page, options);
      const stored = [...Array(digests.length / DIGEST_BYTES).keys()].filter(
        (slot) => !isZero(digests.subarray(slot * DIGEST_BYTES, (slot + 1) * DIGEST_BYTES)),
      );
      const slot = stored[Math.floor(random() * stored.length)] ?? 0;
      chosen.set(page * 1024 + slot, digests.subarray(slot * DIGEST_BYTES, (slot + 1) * DIGEST_BYTES));
    }
    return [...chosen].sort(([a], [b]) => a - b).map(([index, digest]) => ({ index, digest }));
  }

  async #check(block: { readonly index: number; readonly digest: Uint8Array }, options: CallOptions): Promise<number | undefined> {
    try {
      await this.#chunks.load({ digest: block.digest, plainBytes: blockRange(this.grid, block.index).length }, options);
      return undefined;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return block.index;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // holds nothing between calls
  }
}

type ReadRun = RestoredRun | { readonly kind: 'damaged'; readonly index: number; readonly error: unknown };
