import { availableParallelism } from 'node:os';
import { type BlockGrid, blockGrid, blockRange, type CallOptions, DIGEST_BYTES } from '@onevault/base';
import { type EncodedChunk, isLent } from '../codec/chunk-codec.ts';
import { RepositoryError } from '../errors.ts';
import { isZero } from '../format/bytes.ts';
import { MAX_DISK_PAGES, pageCount, pageDigests } from '../format/disk-index-layout.ts';
import { NAME } from '../format/ids.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';
import type { PackPool } from '../pack/pack-pool.ts';
import { StoredDiskReader } from '../read/disk-reader.ts';
import type { DiskReader, DiskStats, DiskWriteSpec, StoredDisk } from '../repository-api.ts';
import type { ChunkSink } from './chunk-sink.ts';
import { DiskIndexWriter } from './disk-index-writer.ts';
import type { ChangedRun, DiskRun } from './disk-run.ts';
import { OrderedPipeline } from './ordered-pipeline.ts';
import { RunLoans } from './run-loans.ts';
import { countRun, type MutableDiskStats, newDiskStats } from './stats.ts';

/** Blocks of one disk being compressed or waiting to be appended: each holds its plain and its compressed bytes. */
const ENCODES_AHEAD = availableParallelism() + 2;

export interface DiskWriterDeps {
  readonly repositoryId: string;
  readonly blockSizeBytes: number;
  readonly sink: ChunkSink;
  readonly packs: PackPool;
}

/** Fails with TypeError or REPO_TOO_LARGE for a disk that the format cannot hold. */
export function checkDiskSpec(spec: DiskWriteSpec, deps: DiskWriterDeps): BlockGrid {
  if (!NAME.test(spec.key)) throw new TypeError(`"${spec.key}" cannot be the key of a disk`);
  const grid = blockGrid(spec.sizeBytes, deps.blockSizeBytes);
  if (pageCount(grid) > MAX_DISK_PAGES) {
    throw new RepositoryError({
      code: 'REPO_TOO_LARGE',
      message: `a disk of ${spec.sizeBytes} bytes needs more than ${MAX_DISK_PAGES} index pages at blocks of ${deps.blockSizeBytes}`,
      details: { diskKey: spec.key },
      hint: 'a repository with larger blocks holds larger disks',
    });
  }
  if (spec.parent && spec.parent.grid.blockSizeBytes !== deps.blockSizeBytes) throw new TypeError('the parent disk has another block size');
  if (spec.parent instanceof StoredDiskReader && spec.parent.repositoryId !== deps.repositoryId)
    throw new TypeError('the parent disk lies in another repository');
  return grid;
}

/** Writes one disk from its runs; see `RestorePointWriter.writeDisk`. */
export class DiskWriter {
  readonly #spec: DiskWriteSpec;
  readonly #deps: DiskWriterDeps;
  readonly #grid: BlockGrid;
  readonly #options: CallOptions;
  readonly #stats: MutableDiskStats = newDiskStats();
  readonly #index: DiskIndexWriter;
  readonly #dataLane;
  readonly #indexLane;

  constructor(spec: DiskWriteSpec, grid: BlockGrid, deps: DiskWriterDeps, options: CallOptions) {
    this.#spec = spec;
    this.#grid = grid;
    this.#deps = deps;
    this.#options = options.signal ? { signal: options.signal } : {};
    this.#dataLane = deps.packs.lane('data');
    this.#indexLane = deps.packs.lane('index');
    this.#index = new DiskIndexWriter(grid, (type, bytes) => deps.sink.storeChecked(type, Buffer.from(bytes), this.#indexLane, this.#options));
  }

  /**
   * A source that fails leaves the run usable: what came before it is written out first. `spoil` is called when that is not so.
   */
  async write(runs: AsyncIterable<DiskRun>, onProgress: (stats: DiskStats) => void, spoil: (error: unknown) => void): Promise<StoredDisk> {
    const loans = new RunLoans();
    const pipeline = new OrderedPipeline(ENCODES_AHEAD, () => loans.releaseAll());
    try {
      try {
        await this.#consume(loans.track(runs), loans, pipeline, onProgress);
      } finally {
        await pipeline.drain().catch((error: unknown) => {
          spoil(error);
          throw error;
        });
      }
      const root = await this.#index.finish().catch((error: unknown) => {
        spoil(error); // others may count on the root, or the page before it, that was claimed and is not stored
        throw error;
      });
      return {
        key: this.#spec.key,
        sizeBytes: this.#grid.sizeBytes,
        blockSizeBytes: this.#grid.blockSizeBytes,
        root,
        annotations: this.#spec.annotations ?? {},
        stats: { ...this.#stats },
      };
    } finally {
      loans.releaseAll();
      this.#dataLane.close();
      this.#indexLane.close();
    }
  }

  async #consume(runs: AsyncIterable<DiskRun>, loans: RunLoans, pipeline: OrderedPipeline, onProgress: (stats: DiskStats) => void): Promise<void> {
    let next = 0;
    for await (const run of runs) {
      this.#options.signal?.throwIfAborted();
      next = this.#checkPlace(run, next);
      const done = (): void => {
        countRun(this.#stats, run);
        onProgress({ ...this.#stats });
      };
      if (run.kind === 'changed') {
        const digest = Buffer.from(run.digest); // lent like the data
        await pipeline.push(
          () => this.#prepare(run, digest, loans),
          (encoded) => this.#apply(run, digest, encoded, loans).then(done),
          this.#options,
        );
      } else {
        await pipeline.push(
          async () => undefined,
          () => this.#copyRun(run).then(done),
          this.#options,
        );
      }
    }
    if (next !== this.#grid.blockCount) throw this.#runsInvalid(`end at block ${next} of ${this.#grid.blockCount}`);
  }

  /** Runs come in disk order and cover the disk exactly once. */
  #checkPlace(run: DiskRun, next: number): number {
    const count = run.kind === 'changed' || run.kind === 'held' ? 1 : run.count;
    const fits = run.index === next && Number.isSafeInteger(count) && count >= 1 && next + count <= this.#grid.blockCount;
    if (!fits) throw this.#runsInvalid(`go from block ${next} to ${count} blocks at ${run.index}`);
    if (run.kind === 'changed') {
      const { length } = blockRange(this.#grid, run.index);
      if (run.data.length !== length || run.digest.length !== DIGEST_BYTES)
        throw this.#runsInvalid(`bring ${run.data.length} bytes for block ${run.index} of ${length}`);
      if (isZero(run.digest)) throw this.#runsInvalid(`call block ${run.index} changed to zeros instead of zero`);
    }
    if (run.kind === 'unchanged' && next + count > (this.#spec.parent?.grid.blockCount ?? 0))
      throw this.#runsInvalid(`call block ${run.index} unchanged where there is no parent`);
    return next + count;
  }

  /** Undefined when the repository has the chunk already. A block is given back at once, unless it is stored as it is: then when it is written. */
  async #prepare(run: ChangedRun, digest: Uint8Array, loans: RunLoans): Promise<EncodedChunk | undefined> {
    const mustStore = await this.#deps.sink.claim(digest, this.#spec.confirmDedup ?? false, this.#options);
    const encoded = mustStore ? (run.encoded ?? (await this.#encode(run, digest, loans))) : undefined;
    if (!encoded || !isLent(encoded)) loans.release(run);
    return encoded;
  }

  /** The encoder reads the block's memory on another thread: whatever happens meanwhile, it is not given back before. */
  async #encode(run: ChangedRun, digest: Uint8Array, loans: RunLoans): Promise<EncodedChunk> {
    const hold = loans.hold(run);
    try {
      return await this.#deps.sink.codecs.encode(run.data, { type: 'data', digest });
    } finally {
      hold[Symbol.dispose]();
    }
  }

  async #apply(run: ChangedRun, digest: Buffer, encoded: EncodedChunk | undefined, loans: RunLoans): Promise<void> {
    if (encoded) {
      const hold = loans.hold(run);
      try {
        await this.#dataLane.append({ type: 'data', digest, plainBytes: run.data.length, encoded }, this.#options);
      } finally {
        hold[Symbol.dispose]();
      }
      this.#stats.newChunks += 1;
      this.#stats.newBytes += run.data.length;
      this.#stats.storedBytes += encoded.storedBytes;
    } else this.#stats.dedupBlocks += 1;
    loans.release(run);
    await this.#index.add(digest);
  }

  async #copyRun(run: Exclude<DiskRun, ChangedRun>): Promise<void> {
    if (run.kind === 'zero') return this.#index.addZeros(run.count);
    if (run.kind === 'held') {
      this.#stats.dedupBlocks += 1;
      return this.#index.add(run.digest);
    }
    const parent = this.#spec.parent;
    for (let left = run.count; parent && left > 0; ) {
      this.#options.signal?.throwIfAborted();
      left -= (await this.#copyWholePage(parent, left)) || (await this.#copyDigests(parent, left));
    }
  }

  /** Blocks taken over: a page that has the same blocks in both disks goes by its digest, unread. */
  async #copyWholePage(parent: DiskReader, left: number): Promise<number> {
    const page = this.#index.wholePage(left);
    if (page === undefined || !(parent instanceof StoredDiskReader)) return 0;
    const blocks = pageDigests(this.#grid, page);
    const lastSize = (grid: BlockGrid): number => Math.min(grid.sizeBytes, (page + 1) * PAGE_DIGESTS * grid.blockSizeBytes);
    if (lastSize(this.#grid) !== lastSize(parent.grid)) return 0;
    this.#index.addPage(await parent.index.pageDigest(page, this.#options));
    return blocks;
  }

  async #copyDigests(parent: DiskReader, left: number): Promise<number> {
    const first = this.#index.next;
    const count = Math.min(left, PAGE_DIGESTS - (first % PAGE_DIGESTS));
    const digests = await parent.digests(first, count, this.#options);
    if (!digests) throw this.#runsInvalid(`call blocks ${first} to ${first + count} unchanged, but the parent's digests are lost`);
    for (let i = 0; i < count; i++) this.#checkSameLength(parent, first + i, digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES));
    await this.#index.add(digests);
    return count;
  }

  /** The short last block of a disk that grew or shrank cannot be the same block, unless both are zero. */
  #checkSameLength(parent: DiskReader, index: number, digest: Uint8Array): void {
    if (index + 1 < Math.min(this.#grid.blockCount, parent.grid.blockCount)) return;
    if (blockRange(this.#grid, index).length === blockRange(parent.grid, index).length || isZero(digest)) return;
    throw this.#runsInvalid(`call block ${index} unchanged, but its length is not that of the parent's`);
  }

  #runsInvalid(what: string): RepositoryError {
    return new RepositoryError({ code: 'REPO_RUNS_INVALID', message: `the runs of disk ${this.#spec.key} ${what}`, details: { diskKey: this.#spec.key } });
  }
}
