import { createCipheriv } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import type { DiskPiece } from '../testing/index.ts';

export const KIB = 1024;
export const MIB = 2 ** 20;

/** Bytes that nothing compresses, or text-like ones that everything does. */
export function noise(seed: number, length: number): Uint8Array {
  const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16, `noise ${seed}`), Buffer.alloc(16)).update(Buffer.alloc(length));
  bytes[0] = 1;
  return bytes;
}

export function prose(seed: number, length: number): Uint8Array {
  const words = ['backup', 'disk', 'cluster', 'of', 'the', 'restore', `vm-${seed}`];
  const random = noise(seed, length);
  const text = Array.from({ length: Math.ceil(length / 3) }, (_, at) => words[(random[at] ?? 0) % words.length]).join(' ');
  return Buffer.from(text.slice(0, length));
}

/** A disk that is no multiple of anything, with data at odd places, and a range of it. */
export interface RandomDisk {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly pieces: readonly DiskPiece[];
  readonly range: { readonly offset: number; readonly length: number };
}

export const randomDisk: fc.Arbitrary<RandomDisk> = fc
  .record({
    sizeBytes: fc.integer({ min: 1, max: 600 * KIB }),
    blockSizeBytes: fc.constantFrom(4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB),
    pieces: fc.array(
      fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), length: fc.integer({ min: 1, max: 90 * KIB }), seed: fc.nat(1000), text: fc.boolean() }),
      { maxLength: 7 },
    ),
    from: fc.double({ min: 0, max: 0.999, noNaN: true }),
    share: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
    aligned: fc.boolean(),
  })
  .map(({ sizeBytes, blockSizeBytes, pieces, from, share, aligned }) => {
    const offset = aligned ? 0 : Math.floor(from * sizeBytes);
    const length = aligned ? sizeBytes : Math.max(1, Math.floor((sizeBytes - offset) * share));
    return {
      sizeBytes,
      blockSizeBytes,
      range: { offset, length },
      pieces: pieces.map(({ at, length: wanted, seed, text }) => {
        const start = Math.floor(at * sizeBytes);
        const size = Math.min(wanted, sizeBytes - start);
        return { offset: start, data: text ? prose(seed, size) : noise(seed, size) };
      }),
    };
  });

export interface Directory extends AsyncDisposable {
  readonly path: string;
  file(name: string): string;
  /** All that is in it, hidden or not. */
  list(): Promise<readonly string[]>;
  /** Bytes that a file takes on the disk. */
  allocated(name: string): Promise<number>;
  bytes(name: string): Promise<Buffer>;
}

export async function temporaryDirectory(): Promise<Directory> {
  const path = await mkdtemp(join(tmpdir(), 'onevault-disk-export-'));
  return {
    path,
    file: (name) => join(path, name),
    list: async () => (await readdir(path)).sort(),
    allocated: async (name) => (await stat(join(path, name))).blocks * 512,
    bytes: (name) => readFile(join(path, name)),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A stream that keeps what it takes, in copies. */
export function collector(): Writable & { readonly bytes: () => Buffer } {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(Buffer.from(chunk));
      setImmediate(done);
    },
  });
  return Object.assign(stream, { bytes: () => Buffer.concat(parts) });
}
