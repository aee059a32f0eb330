import { fstat } from 'node:fs';
import { promisify } from 'node:util';
import { revealDigest } from './digest.ts';
import { DeviceError, sizeChanged } from './errors.ts';
import { openHoleMap } from './holes.ts';
import { ReadAhead, type Work } from './read-ahead.ts';
import { changedBlocks, fatesOf, RunJoiner } from './runs.ts';
import type { BlockDevice, ScannedRun, ScanOptions, ScanSummary } from './scan-api.ts';
import { planScan, type ScanPlan, type ScanTuning } from './scan-plan.ts';
import { scanWorkerUrl } from './scan-worker-url.ts';
import { ScanWorkers } from './scan-workers.ts';
import { Slots } from './slots.ts';
import { planSpans } from './spans.ts';

/**
 * Reads the whole device in worker threads, digests its blocks where they were read, compares them with the parent's and yields what became of each, in disk
 * order, covering the disk exactly once. Holes of a sparse file are not read.
 *
 * Memory: `workers * 2 + 2` slots of 8 MiB (or of one block, when blocks are larger), whatever the size of the disk. Reading goes on while the consumer
 * works, as long as slots are free; a slot is free when all of its changed blocks have been released. A consumer may therefore hold blocks of several
 * extents, but must not wait for the next run while it holds on to blocks of all slots.
 *
 * The device must stay open until the generator has ended; it has ended when the last `next`, or `return`, resolves. Blocks not yet released then stay valid.
 * An abort ends the reading at once, also while the consumer is busy, and is thrown at the next step.
 */
export function scan(device: BlockDevice, options: ScanOptions): AsyncGenerator<ScannedRun, ScanSummary, void> {
  return scanWith(device, options, {});
}

export interface ScanInternals extends ScanTuning {
  readonly workerProgram?: URL;
}

/** `scan`, with what tests turn. Not public. */
export async function* scanWith(device: BlockDevice, options: ScanOptions, internals: ScanInternals): AsyncGenerator<ScannedRun, ScanSummary, void> {
  options.signal?.throwIfAborted();
  const plan = planScan(device, options, internals);
  const tally = new Tally();
  const joiner = new RunJoiner();
  await using session = await ScanSession.start(device, options, plan, internals);
  for (let next = await session.next(); next; next = await session.next()) {
    using work = next;
    const before = await work.before;
    await settled(device, work.ready);
    for (const fate of fatesOf(work, before)) {
      tally[fate.kind] += fate.count;
      yield* joiner.join(fate);
      if (fate.kind === 'changed' && work.slot) yield* changedBlocks(work, work.slot, fate, options);
    }
    tally.pass(work);
    options.onProgress?.(work.span.offset + work.span.length);
  }
  yield* joiner.end();
  await requireSameSize(device);
  return {
    grid: plan.grid,
    readBytes: tally.readBytes,
    holeBytes: tally.holeBytes,
    changedBlocks: tally.changed,
    unchangedBlocks: tally.unchanged,
    zeroBlocks: tally.zero,
  };
}

/** The threads, memory and read-ahead of one scan, tied to the caller's signal. */
class ScanSession implements AsyncDisposable {
  readonly #ahead: ReadAhead;
  readonly #untie: () => void;

  private constructor(ahead: ReadAhead, untie: () => void) {
    this.#ahead = ahead;
    this.#untie = untie;
  }

  static async start(device: BlockDevice, options: ScanOptions, plan: ScanPlan, internals: ScanInternals): Promise<ScanSession> {
    const { grid, layout } = plan;
    const holes = await openHoleMap(device);
    const slots = new Slots(layout);
    const workers = new ScanWorkers({
      path: device.path,
      program: internals.workerProgram ?? scanWorkerUrl,
      count: plan.workers,
      setup: { memory: slots.memory, layout, fd: device.fd, direct: device.direct, blockSizeBytes: grid.blockSizeBytes, digest: revealDigest(options.digest) },
      onLost: (error) => ahead.fail(error),
    });
    const spans = planSpans(grid, { extentBytes: layout.extentBytes, holes });
    const ahead: ReadAhead = new ReadAhead({ grid, spans, slots, workers, parent: options.parent });
    const { signal } = options;
    const onAbort = (): void => ahead.fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    return new ScanSession(ahead, () => signal?.removeEventListener('abort', onAbort));
  }

  next(): Promise<Work | undefined> {
    return this.#ahead.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#untie();
    await this.#ahead.close();
  }
}

class Tally {
  unchanged = 0;
  zero = 0;
  changed = 0;
  readBytes = 0;
  holeBytes = 0;

  pass({ span }: Work): void {
    if (span.kind === 'data') this.readBytes += span.length;
    else this.holeBytes += span.length;
  }
}

/** Waits for a read; where it ended early because the file was truncated, that is what is said. */
async function settled(device: BlockDevice, read: Promise<void>): Promise<void> {
  try {
    await read;
  } catch (error) {
    if (error instanceof DeviceError && error.code === 'CBT_SHORT_READ') await requireSameSize(device);
    throw error;
  }
}

/** A file that changed its size while it was read: what was read as a hole behind a new end was never there. (The size of a block device is not asked again.) */
async function requireSameSize(device: BlockDevice): Promise<void> {
  const stat = await promisify(fstat)(device.fd);
  if (stat.isFile() && stat.size !== device.sizeBytes) throw sizeChanged(device.path, device.sizeBytes, stat.size);
}
