import { type CallOptions, type Logger, Semaphore, serializeError } from '@onevault/base';
import { newHexId, type RandomBytes } from '../format/ids.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import type { IndexedPack } from '../index/table-writer.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type NewChunk, PackWriter } from './pack-writer.ts';

/** Packs being made durable while the next ones grow: one is synced while another closes, and no more dirty memory piles up. */
const MAX_BACKGROUND_COMMITS = 2;

/** Disk data and disk indexes go to packs of their own: a scan of the next backup reads the indexes only. */
export type PackKind = 'data' | 'index';

export interface PackPoolDeps extends StructureOwner {
  readonly store: ObjectStore;
  readonly randomBytes: RandomBytes;
  readonly logger: Logger;
  /** Called when a pack is durable; what it throws fails the run. */
  readonly onDurable: (pack: IndexedPack) => Promise<void>;
}

/**
 * The packs of one run. A lane has one open pack to itself while it writes, so that the blocks of a disk lie in disk order;
 * an unfinished pack goes to the next lane. Full packs become durable in the background; the first failure surfaces on the next call.
 */
export class PackPool implements AsyncDisposable {
  readonly #deps: PackPoolDeps;
  readonly #idle: Readonly<Record<PackKind, PackWriter[]>> = { data: [], index: [] };
  readonly #open = new Set<PackWriter>();
  readonly #commits = new Set<Promise<void>>();
  readonly #commitSlots = new Semaphore(MAX_BACKGROUND_COMMITS);
  #failure: { readonly error: unknown } | undefined;

  constructor(deps: PackPoolDeps) {
    this.#deps = deps;
  }

  lane(kind: PackKind): PackLane {
    return new PackLane(this, kind);
  }

  /** An open pack for one lane alone. */
  async take(kind: PackKind, options: CallOptions): Promise<PackWriter> {
    this.#throwFailure();
    const idle = this.#idle[kind].pop();
    if (idle) return idle;
    const { store, repositoryId, sum, randomBytes } = this.#deps;
    const pack = await PackWriter.open(store, { repositoryId, sum, packId: newHexId(randomBytes) }, options);
    this.#open.add(pack);
    return pack;
  }

  giveBack(kind: PackKind, pack: PackWriter): void {
    this.#idle[kind].push(pack);
  }

  /** Starts to make a pack durable; waits only while too many others are at it. */
  async finish(pack: PackWriter, options: CallOptions): Promise<void> {
    this.#throwFailure();
    const slot = await this.#commitSlots.take(1, options);
    const commit = this.#finish(pack, options)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        slot[Symbol.dispose]();
        this.#commits.delete(commit);
      });
    this.#commits.add(commit);
  }

  async #finish(pack: PackWriter, options: CallOptions): Promise<void> {
    const durable = await pack.finish(options);
    this.#open.delete(pack);
    await this.#deps.onDurable(durable);
  }

  /** Every pack durable. No lane may be writing. */
  async finishAll(options: CallOptions): Promise<void> {
    for (const kind of ['data', 'index'] as const) {
      for (let pack = this.#idle[kind].pop(); pack; pack = this.#idle[kind].pop()) await this.finish(pack, options);
    }
    await Promise.all(this.#commits);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Gives up what is not durable; a no-op after `finishAll`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#commits);
    for (const pack of this.#open) {
      this.#open.delete(pack);
      // Debris of a failed run must not hide why it failed.
      await pack
        .abort()
        .catch((error: unknown) => this.#deps.logger.warn({ packId: pack.packId, error: serializeError(error) }, 'could not remove an unfinished pack'));
    }
  }
}

/** One writer's way into the pool; its chunks lie in the order of its calls. */
export class PackLane {
  readonly #pool: PackPool;
  readonly #kind: PackKind;
  #pack: PackWriter | undefined;

  constructor(pool: PackPool, kind: PackKind) {
    this.#pool = pool;
    this.#kind = kind;
  }

  async append(chunk: NewChunk, options: CallOptions): Promise<void> {
    if (this.#pack && !this.#pack.fits(chunk.encoded.storedBytes)) await this.#finishPack(options);
    this.#pack ??= await this.#pool.take(this.#kind, options);
    await this.#pack.append(chunk, options);
    if (this.#pack.full) await this.#finishPack(options);
  }

  async #finishPack(options: CallOptions): Promise<void> {
    const pack = this.#pack;
    this.#pack = undefined;
    if (pack) await this.#pool.finish(pack, options);
  }

  /** Hands the unfinished pack on. After a failure it is not handed on: what was written last is not known. */
  close(): void {
    if (this.#pack) this.#pool.giveBack(this.#kind, this.#pack);
    this.#pack = undefined;
  }
}
