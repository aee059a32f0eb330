import type { CallOptions } from '@onevault/base';
import type { ObservedLease } from '../lease/lease-watch.ts';
import { type CountParts, countUse, type HomeSink } from './count-use.ts';
import { type DigestRange, DigestSet } from './digest-set.ts';
import type { GcProgress } from './gc-api.ts';
import { type MarkParts, markAll } from './mark.ts';
import type { PackTable } from './pack-table.ts';

/** Digests held at once: 128 MiB, 192 MiB while it grows to that. Beyond it the repository is gone through a share of all digests at a time. */
export const MAX_DIGESTS = 12_000_000;

export interface Stock {
  readonly points: number;
  readonly chunks: number;
  readonly leases: readonly ObservedLease[];
}

/** Where needed chunks are told to; `keep` when one share of the digests is through. */
export interface StockSink extends HomeSink {
  keep(): void;
}

/** What restore points need and where it lies, gone through in as many shares of the digests as memory asks for. */
export class StockTaking {
  readonly #parts: MarkParts & CountParts;
  readonly #packs: PackTable;
  readonly #maxDigests: number;
  readonly #onProgress: (progress: GcProgress) => void;
  readonly #call: CallOptions;
  /** Kept when one share is all there is: then the second time nothing is marked anew. */
  #all: { readonly chunks: DigestSet; readonly stock: Stock } | undefined;

  constructor(parts: MarkParts & CountParts, packs: PackTable, maxDigests: number, onProgress: (progress: GcProgress) => void, call: CallOptions) {
    this.#parts = parts;
    this.#packs = packs;
    this.#maxDigests = maxDigests;
    this.#onProgress = onProgress;
    this.#call = call;
  }

  /** Finds the place of every needed chunk. Throws what `markAll` and `countUse` throw. */
  async run(sink: StockSink): Promise<Stock> {
    if (this.#all) {
      await this.#count(this.#all.chunks, WHOLE, sink);
      return this.#all.stock;
    }
    await this.#parts.index.reload();
    const listed = this.#parts.index.tables.reduce((sum, { footer }) => sum + footer.entries, 0);
    const parts = Math.max(1, Math.ceil(listed / this.#maxDigests));
    let points = 0;
    let chunks = 0;
    const leases = new Map<string, ObservedLease>();
    for (let part = 0; part < parts; part++) {
      const digests = new DigestSet(8);
      const marked = await this.#mark(digests, { part, parts });
      await this.#count(digests, { part, parts }, sink);
      points = marked.points;
      chunks += digests.size;
      // What is alive in any of the shares counts as alive; the newest heartbeat says how.
      for (const lease of marked.leases) leases.set(lease.id, lease);
      if (parts === 1) this.#all = { chunks: digests, stock: { points, chunks, leases: marked.leases } };
    }
    return { points, chunks, leases: [...leases.values()] };
  }

  async #mark(digests: DigestSet, range: DigestRange): Promise<{ readonly points: number; readonly leases: readonly ObservedLease[] }> {
    const total = (await this.#parts.points.places({}, this.#call)).length;
    let done = 0;
    const onPoint = (): void => this.#onProgress({ phase: 'mark', done: range.part * total + ++done, total: range.parts * total });
    return markAll(this.#parts, digests, range, onPoint, this.#call);
  }

  async #count(digests: DigestSet, range: DigestRange, sink: StockSink): Promise<void> {
    this.#onProgress({ phase: 'count', done: range.part, total: range.parts });
    await countUse(this.#parts, this.#packs, digests, range, sink, this.#call);
    sink.keep();
    this.#onProgress({ phase: 'count', done: range.part + 1, total: range.parts });
  }
}

const WHOLE: DigestRange = { part: 0, parts: 1 };
