import { type CallOptions, Mutex } from '@onevault/base';
import type { Extent, NbdExport, NbdWriter } from '../export.ts';
import type { GrainRun } from './grain-map.ts';
import { OverlayFile } from './overlay-file.ts';
import { GRAIN, GRAIN_BYTES } from './overlay-layout.ts';

/** An export that can be written, and the file that takes what is written. */
export interface OverlayExport extends NbdExport, AsyncDisposable {
  readonly writer: NbdWriter;
}

export interface OverlayOptions {
  readonly path: string;
  /** Tells the disk below from every other one, in at most some 3000 bytes; an overlay is only ever opened again over the same. */
  readonly identity: string;
  /** Removes the file in the end. */
  readonly temporary?: boolean;
}

/**
 * A copy-on-write overlay over a read-only export: what is written goes to a sparse file, what is not comes from below. One writer a file; several connections of one
 * server share it, and what `flush` has answered is durable. Disposing flushes. Memory: two bits for each 64 KiB of the disk. Throws NBD_OVERLAY_*.
 */
export async function openOverlay(below: NbdExport, options: OverlayOptions): Promise<OverlayExport> {
  const { path, identity, temporary = false } = options;
  const file = await OverlayFile.open(path, { sizeBytes: below.sizeBytes, identity }, { temporary });
  const writer = new OverlayWriter(below, file);
  return {
    sizeBytes: below.sizeBytes,
    ...(below.description !== undefined && { description: below.description }),
    writer,
    read: (offset, target, call) => readRange(below, file, offset, target, call),
    extents: (offset, length, call) => extentsOf(below, file, { offset, length }, call),
    prefetch: (offset, length) => below.prefetch?.(offset, length),
    [Symbol.asyncDispose]: () => writer.close(),
  };
}

/** The part of a run of grains that lies in a range of bytes. */
function clip({ first, count }: GrainRun, range: { readonly offset: number; readonly length: number }): { readonly offset: number; readonly length: number } {
  const offset = Math.max(range.offset, first * GRAIN_BYTES);
  return { offset, length: Math.min(range.offset + range.length, (first + count) * GRAIN_BYTES) - offset };
}

function runsOf(file: OverlayFile, { offset, length }: { readonly offset: number; readonly length: number }): GrainRun[] {
  return [...file.map.runs(Math.floor(offset / GRAIN_BYTES), Math.ceil((offset + length) / GRAIN_BYTES))];
}

async function readRange(below: NbdExport, file: OverlayFile, offset: number, target: Uint8Array, call: CallOptions): Promise<void> {
  const range = { offset, length: target.length };
  for (const run of runsOf(file, range)) {
    const part = clip(run, range);
    const into = target.subarray(part.offset - offset, part.offset - offset + part.length);
    if (run.grain === GRAIN.zero) into.fill(0);
    else if (run.grain === GRAIN.here) await file.read(part.offset, into);
    else await below.read(part.offset, into, call);
  }
}

/** Up to the first run of which the disk below does not tell all: an answer may end early. */
async function extentsOf(
  below: NbdExport,
  file: OverlayFile,
  range: { readonly offset: number; readonly length: number },
  call: CallOptions,
): Promise<Extent[]> {
  const extents: Extent[] = [];
  for (const run of runsOf(file, range)) {
    const part = clip(run, range);
    if (run.grain !== GRAIN.below) {
      extents.push({ kind: run.grain === GRAIN.here ? 'data' : 'zero', length: part.length });
      continue;
    }
    let left = part.length;
    for (const { kind, length } of await below.extents(part.offset, part.length, call)) {
      if (left <= 0) break;
      extents.push({ kind, length: Math.min(length, left) });
      left -= length;
    }
    if (left > 0) return extents;
  }
  return extents;
}

/** One write at a time: each is whole before the next one begins, and a grain is brought up from below once. */
class OverlayWriter implements NbdWriter {
  readonly #below: NbdExport;
  readonly #file: OverlayFile;
  readonly #turn = new Mutex();

  constructor(below: NbdExport, file: OverlayFile) {
    this.#below = below;
    this.#file = file;
  }

  write(offset: number, data: Uint8Array, options: CallOptions): Promise<void> {
    return this.#turn.run(async () => {
      const first = Math.ceil(offset / GRAIN_BYTES);
      const end = this.#wholeUntil(offset + data.length);
      if (first >= end) return this.#writeParts(offset, data, options);
      const from = first * GRAIN_BYTES;
      const to = Math.min(end * GRAIN_BYTES, this.#below.sizeBytes);
      await this.#writeParts(offset, data.subarray(0, from - offset), options);
      await this.#file.write(from, data.subarray(from - offset, to - offset));
      this.#file.map.set(first, end - first, GRAIN.here);
      await this.#writeParts(to, data.subarray(to - offset), options);
    }, options);
  }

  zero(offset: number, length: number, options: CallOptions): Promise<void> {
    return this.#turn.run(async () => {
      const first = Math.ceil(offset / GRAIN_BYTES);
      const end = this.#wholeUntil(offset + length);
      if (first >= end) return this.#writeParts(offset, Buffer.alloc(length), options);
      const to = Math.min(end * GRAIN_BYTES, offset + length);
      await this.#writeParts(offset, Buffer.alloc(first * GRAIN_BYTES - offset), options);
      this.#file.map.set(first, end - first, GRAIN.zero);
      await this.#writeParts(to, Buffer.alloc(offset + length - to), options);
    }, options);
  }

  flush(options: CallOptions): Promise<void> {
    return this.#turn.run(() => this.#file.flush(), options);
  }

  close(): Promise<void> {
    return this.#turn.run(() => this.#file[Symbol.asyncDispose]());
  }

  /** The grain at the end of the disk is whole when the disk ends in it. */
  #wholeUntil(end: number): number {
    return end === this.#below.sizeBytes ? this.#file.layout.grainCount : Math.floor(end / GRAIN_BYTES);
  }

  /** Bytes that make no whole grain. */
  async #writeParts(offset: number, data: Uint8Array, options: CallOptions): Promise<void> {
    for (let at = offset; at < offset + data.length; ) {
      const grain = Math.floor(at / GRAIN_BYTES);
      const next = Math.min(offset + data.length, (grain + 1) * GRAIN_BYTES);
      await this.#writePart(grain, at, data.subarray(at - offset, next - offset), options);
      at = next;
    }
  }

  async #writePart(grain: number, offset: number, data: Uint8Array, options: CallOptions): Promise<void> {
    const state = this.#file.map.get(grain);
    if (state === GRAIN.here) return this.#file.write(offset, data);
    const start = grain * GRAIN_BYTES;
    const whole = Buffer.alloc(Math.min(GRAIN_BYTES, this.#below.sizeBytes - start));
    if (state === GRAIN.below) await this.#below.read(start, whole, options);
    whole.set(data, offset - start);
    await this.#file.write(start, whole);
    this.#file.map.set(grain, 1, GRAIN.here);
  }
}
