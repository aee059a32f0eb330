import { type FileHandle, open } from 'node:fs/promises';
import { seededRandom } from '@onevault/base/testing';

/** A stretch of an image. `zero` is written as zeros, `hole` is left out; both read as zeros. */
export type Piece =
  | { readonly kind: 'data'; readonly length: number; readonly seed: number }
  | { readonly kind: 'zero'; readonly length: number }
  | { readonly kind: 'hole'; readonly length: number };

/** Contents of `length` bytes that depend on the seed, never zero in any 4 KiB, and differ from one 4 KiB to the next. */
export function patternBytes(seed: number, length: number): Uint8Array {
  const tile = seededRandom(seed).bytes(4093); // a prime: tiles never line up with blocks
  tile[0] = 1;
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += tile.length) out.set(tile.subarray(0, Math.min(tile.length, length - at)), at);
  return out;
}

/** What an image made of these pieces reads as. */
export function imageBytes(pieces: readonly Piece[]): Uint8Array {
  const out = new Uint8Array(imageSize(pieces));
  forEachPiece(pieces, (piece, offset) => {
    if (piece.kind === 'data') out.set(patternBytes(piece.seed, piece.length), offset);
  });
  return out;
}

export function imageSize(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** Writes an image of these pieces to a new file; its holes are holes where the file system has such a thing. */
export async function writeImage(path: string, pieces: readonly Piece[]): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(imageSize(pieces));
    let offset = 0;
    for (const piece of pieces) {
      await writePiece(file, piece, offset);
      offset += piece.length;
    }
  } finally {
    await file.close();
  }
}

/** Pieces of random kind and length, multiples of `unitBytes` but for the last. */
export function randomPieces(seed: number, sizeBytes: number, unitBytes: number): Piece[] {
  const random = seededRandom(seed);
  const pieces: Piece[] = [];
  for (let left = sizeBytes; left > 0; ) {
    const length = Math.min(left, unitBytes * (1 + random.int(8)));
    const kind = (['data', 'data', 'zero', 'hole'] as const)[random.int(4)] ?? 'data';
    pieces.push(kind === 'data' ? { kind, length, seed: random.int(2 ** 30) } : { kind, length });
    left -= length;
  }
  return pieces;
}

async function writePiece(file: FileHandle, piece: Piece, offset: number): Promise<void> {
  if (piece.kind === 'hole') return;
  const data = piece.kind === 'data' ? patternBytes(piece.seed, piece.length) : new Uint8Array(piece.length);
  for (let done = 0; done < data.byteLength; ) done += (await file.write(data, done, data.byteLength - done, offset + done)).bytesWritten;
}

function forEachPiece(pieces: readonly Piece[], visit: (piece: Piece, offset: number) => void): void {
  let offset = 0;
  for (const piece of pieces) {
    visit(piece, offset);
    offset += piece.length;
  }
}
