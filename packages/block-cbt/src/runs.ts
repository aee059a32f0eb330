import { DIGEST_BYTES } from '@onevault/base';
import { compareDigests, type Fate } from './compare.ts';
import type { Work } from './read-ahead.ts';
import type { ScannedRun, ScanOptions } from './scan-api.ts';
import type { Slot } from './slots.ts';

type QuietRun = Exclude<ScannedRun, { readonly kind: 'changed' }>;

/** The digests of a hole, whatever part of it; sliced to the length needed. */
let zeroDigests = new Uint8Array(0);

/** The blocks of a finished work in runs of equal fate. A hole whose past is unknown is one run, however long. */
export function* fatesOf(work: Work, before: Uint8Array | undefined): Generator<Fate, void> {
  if (work.slot) yield* compareDigests(work.slot.digests.subarray(0, work.blockCount * DIGEST_BYTES), before, work.firstBlock);
  else if (before) yield* compareDigests(holeDigests(work.blockCount), before, work.firstBlock);
  else yield { kind: 'zero', index: work.firstBlock, count: work.blockCount };
}

function holeDigests(count: number): Uint8Array {
  if (zeroDigests.byteLength < count * DIGEST_BYTES) zeroDigests = new Uint8Array(count * DIGEST_BYTES);
  return zeroDigests.subarray(0, count * DIGEST_BYTES);
}

/** Joins unchanged and zero runs that touch, across extents: an unchanged disk comes out as one run. */
export class RunJoiner {
  #open: QuietRun | undefined;

  /** Takes the next run in; yields what is complete before it. Changed runs are the caller's to yield, after this. */
  *join(fate: Fate): Generator<QuietRun, void> {
    const open = this.#open;
    if (open && fate.kind === open.kind) {
      this.#open = { ...open, count: open.count + fate.count };
      return;
    }
    this.#open = fate.kind === 'changed' ? undefined : { kind: fate.kind, index: fate.index, count: fate.count };
    if (open) yield open;
  }

  *end(): Generator<QuietRun, void> {
    if (this.#open) yield this.#open;
    this.#open = undefined;
  }
}

/** The blocks of a changed run, one by one, each holding the slot until it is released; none after an abort. */
export function* changedBlocks(work: Work, slot: Slot, fate: Fate, { blockSizeBytes, signal }: ScanOptions): Generator<ScannedRun, void> {
  const from = fate.index - work.firstBlock;
  // A copy: the consumer keeps digests for longer than it keeps the slot.
  const digests = slot.digests.slice(from * DIGEST_BYTES, (from + fate.count) * DIGEST_BYTES);
  for (let i = 0; i < fate.count; i++) {
    signal?.throwIfAborted();
    const at = (from + i) * blockSizeBytes;
    slot.hold();
    yield {
      kind: 'changed',
      index: fate.index + i,
      digest: digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES),
      data: slot.extent.subarray(at, Math.min(at + blockSizeBytes, work.span.length)),
      release: once(slot.letGo),
    };
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
