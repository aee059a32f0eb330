import type { DiskReader } from '@onevault/backup-format';
import { type CallOptions, errorCode, isBaseError, Semaphore } from '@onevault/base';
import type { BlockRun } from './read-streams.ts';
import { SlotCache } from './slot-cache.ts';

/** Blocks being read and decoded at once, over all disks; what is stored of them is held beside it. */
const READING_BYTES = 48 * 1024 * 1024;
/** What one call for many blocks holds at most: three groups of 4 MiB, see DiskReader. */
const RUN_BYTES = 12 * 1024 * 1024;

/** Damaged blocks that are told of: clients ask again and again for what they do not get. */
const MAX_REPORTED = 10_000;

export interface BlockReadingOptions {
  readonly cacheBytes: number;
  readonly blockSizeBytes: number;
  /** Ends reads under way. */
  readonly signal: AbortSignal;
  /** Hears of each damaged block once, with the export that somebody read. */
  readonly onDamage?: (name: string, error: unknown) => void;
}

/** What the disks of one server share: the cache of blocks, and how much is read at once. Each block is read once, however many wait for it. */
export class BlockReading {
  readonly cache: SlotCache;
  readonly #reading = new Semaphore(READING_BYTES);
  readonly #pending = new Map<string, Promise<void>>();
  readonly #options: BlockReadingOptions;
  readonly #reported = new Set<string>();

  constructor(options: BlockReadingOptions) {
    this.#options = options;
    this.cache = new SlotCache(options.cacheBytes, options.blockSizeBytes);
  }

  get #call(): CallOptions {
    return { signal: this.#options.signal };
  }

  /** Resolves when the block is in the cache, where it may be gone again by the time somebody looks; rejects when it cannot be read. */
  load(disk: DiskReader, name: string, index: number): Promise<void> {
    const pending = this.#pending.get(keyOf(name, index));
    if (pending !== undefined) return pending;
    this.prefetch(disk, name, { from: index, to: index + 1 });
    return this.#pending.get(keyOf(name, index)) ?? Promise.resolve();
  }

  /** Begins to read those of the blocks that are neither there nor under way. Never rejects: who needs a block that fails learns it from `load`. */
  prefetch(disk: DiskReader, name: string, run: BlockRun): void {
    const to = Math.min(run.to, disk.grid.blockCount);
    for (let from = run.from; from < to; ) {
      if (this.#isKnown(name, from)) {
        from += 1;
        continue;
      }
      let end = from + 1;
      while (end < to && !this.#isKnown(name, end)) end += 1;
      this.#begin(disk, name, { from, to: end });
      from = end;
    }
  }

  #isKnown(name: string, index: number): boolean {
    const key = keyOf(name, index);
    return this.cache.has(key) || this.#pending.has(key);
  }

  #begin(disk: DiskReader, name: string, run: BlockRun): void {
    const waiting = new Map<number, Waiting>();
    for (let index = run.from; index < run.to; index++) {
      const waits = waitingFor();
      waits.promise.catch(() => undefined); // nobody may be waiting
      waiting.set(index, waits);
      this.#pending.set(keyOf(name, index), waits.promise);
    }
    const settle = (index: number, error?: unknown): void => {
      this.#pending.delete(keyOf(name, index));
      const waits = waiting.get(index);
      waiting.delete(index);
      if (error === undefined) waits?.resolve();
      else waits?.reject(error);
    };
    void this.#read(disk, name, run, settle).catch((error: unknown) => {
      for (const index of [...waiting.keys()]) settle(index, error);
    });
  }

  #report(name: string, index: number, error: unknown): void {
    const key = keyOf(name, index);
    if (this.#reported.has(key) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(key);
    this.#options.onDamage?.(name, error);
  }

  /** A damaged block fails alone: reading goes on behind it. */
  async #read(disk: DiskReader, name: string, run: BlockRun, settle: (index: number, error?: unknown) => void): Promise<void> {
    const { blockSizeBytes } = disk.grid;
    using _held = await this.#reading.take(Math.min(RUN_BYTES, (run.to - run.from) * blockSizeBytes), this.#call);
    for (let from = run.from; from < run.to; ) {
      try {
        for await (const part of disk.blocks({ ...this.#call, from, to: run.to })) {
          const index = part.offset / blockSizeBytes;
          if (part.kind === 'data') {
            this.cache.put(keyOf(name, index), part.data);
            settle(index);
            from = index + 1;
          } else {
            const end = Math.ceil((part.offset + part.length) / blockSizeBytes);
            for (; from < end; from++) settle(from);
          }
        }
        return;
      } catch (error) {
        if (damagedOffset(error) === undefined) throw error;
        this.#report(name, from, error);
        settle(from, error);
        from += 1;
      }
    }
  }
}

interface Waiting {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

/** Node 20 has no Promise.withResolvers. */
function waitingFor(): Waiting {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Where a disk is damaged, if that is what the error says. */
function damagedOffset(error: unknown): number | undefined {
  if (!isBaseError(error) || !errorCode(error)?.startsWith('REPO_')) return undefined;
  const { offset, diskKey } = error.details as { readonly offset?: unknown; readonly diskKey?: unknown };
  return typeof offset === 'number' && diskKey !== undefined ? offset : undefined;
}

function keyOf(name: string, index: number): string {
  return `${index}@${name}`;
}
