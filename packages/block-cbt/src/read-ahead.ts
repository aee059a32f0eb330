import { setImmediate } from 'node:timers/promises';
import { type BlockGrid, DIGEST_BYTES, type DigestSource } from '@onevault/base';
import type { ScanWorkers } from './scan-workers.ts';
import type { Slot, Slots } from './slots.ts';
import type { Span } from './spans.ts';

/** Digests of a hole are asked for, and compared, in steps of this many blocks (128 KiB of digests). */
const HOLE_STEP_BLOCKS = 4096;

/** A part of the disk on its way: its read and its parent's digests are under way at the same time. */
export interface Work extends Disposable {
  readonly span: Span;
  readonly firstBlock: number;
  readonly blockCount: number;
  /** Where its data and digests are once `ready`; a hole has none. */
  readonly slot: Slot | undefined;
  readonly ready: Promise<void>;
  /** What the parent says, as far as it reaches; undefined: nothing. */
  readonly before: Promise<Uint8Array | undefined>;
}

export interface ReadAheadSource {
  readonly grid: BlockGrid;
  readonly spans: AsyncIterable<Span>;
  readonly slots: Slots;
  readonly workers: ScanWorkers;
  readonly parent: DigestSource | undefined;
}

/**
 * Starts work in disk order as slots become free, whether or not anyone is pulling at that moment: this is what lets reading overlap with the consumer.
 * Bounded by the slots, and for holes by as many works again.
 */
export class ReadAhead {
  readonly #source: ReadAheadSource;
  readonly #queue: Work[] = [];
  readonly #fetches = new Set<Promise<unknown>>();
  readonly #stopFetches = new AbortController();
  readonly #feeder: Promise<void>;
  #failure: { readonly reason: unknown } | undefined;
  #ended = false;
  readonly #waiting: (() => void)[] = [];

  constructor(source: ReadAheadSource) {
    this.#source = source;
    this.#feeder = this.#feed().then(
      () => this.#end(),
      (error: unknown) => this.fail(error),
    );
  }

  /** The next work in disk order, under way but perhaps not ready; undefined after the last. The caller disposes it. */
  async next(): Promise<Work | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure.reason;
      const work = this.#queue.shift();
      if (work || this.#ended) {
        this.#changed();
        return work;
      }
      await this.#change();
    }
  }

  /** Ends it: the next call of `next` throws `reason`, slots and reads under way reject with it, digests are no longer fetched. */
  fail(reason: unknown): void {
    if (this.#failure) return;
    this.#failure = { reason };
    this.#source.slots.fail(reason);
    this.#source.workers.fail(reason);
    this.#stopFetches.abort(reason);
    this.#changed();
  }

  /** Waits until nothing is under way any more, then frees what was read ahead. */
  async close(): Promise<void> {
    const reason = new DOMException('the scan has ended', 'AbortError');
    this.fail(reason);
    await this.#source.workers.stop(reason);
    await this.#feeder;
    await Promise.allSettled(this.#fetches);
    for (const work of this.#queue.splice(0)) work[Symbol.dispose]();
    this.#source.slots.end();
  }

  async #feed(): Promise<void> {
    for await (const span of this.#source.spans) {
      if (this.#failure) return;
      if (span.kind === 'data') await this.#feedExtent(span);
      else await this.#feedHole(span);
    }
  }

  async #feedExtent(span: Span): Promise<void> {
    const { slots, workers } = this.#source;
    const slot = await slots.take();
    this.#push(span, workers.read({ slot: slot.index, offset: span.offset, length: span.length }), slot);
  }

  /** In steps as far as the parent reaches, to keep its digests few at a time; the rest at once. */
  async #feedHole(span: Span): Promise<void> {
    const { blockSizeBytes } = this.#source.grid;
    const end = span.offset + span.length;
    for (let offset = span.offset; offset < end; ) {
      const known = this.#parentReach(offset / blockSizeBytes, HOLE_STEP_BLOCKS);
      const length = known > 0 ? Math.min(known * blockSizeBytes, end - offset) : end - offset;
      await this.#roomForHole();
      if (this.#failure) return;
      this.#push({ kind: 'hole', offset, length }, Promise.resolve(), undefined);
      offset += length;
      await setImmediate(); // a parent in memory answers at once: without this, a long hole would hold up the event loop
    }
  }

  #push(span: Span, ready: Promise<void>, slot: Slot | undefined): void {
    const { blockSizeBytes } = this.#source.grid;
    const firstBlock = span.offset / blockSizeBytes;
    const blockCount = Math.ceil(span.length / blockSizeBytes);
    ready.catch(() => undefined); // reported when its turn comes
    this.#queue.push({
      span,
      firstBlock,
      blockCount,
      slot,
      ready,
      before: this.#fetch(firstBlock, blockCount),
      [Symbol.dispose]: () => slot?.letGo(),
    });
    this.#changed();
  }

  #fetch(first: number, count: number): Promise<Uint8Array | undefined> {
    const { parent } = this.#source;
    const known = this.#parentReach(first, count);
    if (!parent || known === 0) return Promise.resolve(undefined);
    const fetch = parent.digests(first, known, { signal: this.#stopFetches.signal }).then((digests) => {
      if (digests && digests.byteLength !== known * DIGEST_BYTES) throw new RangeError(`asked for ${known} digests and got ${digests.byteLength} bytes`);
      return digests;
    });
    this.#fetches.add(fetch);
    fetch.catch(() => undefined).finally(() => this.#fetches.delete(fetch)); // reported when its turn comes
    return fetch;
  }

  /** How many of `count` blocks from `first` the parent has. */
  #parentReach(first: number, count: number): number {
    return Math.max(0, Math.min(count, (this.#source.parent?.grid.blockCount ?? 0) - first));
  }

  async #roomForHole(): Promise<void> {
    const bound = this.#source.slots.layout.slotCount + 2;
    while (this.#queue.length >= bound && !this.#failure) await this.#change();
  }

  #end(): void {
    this.#ended = true;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
