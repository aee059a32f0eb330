import type { CallOptions } from '@onevault/base';
import type { ChunkCodecs } from '../codec/chunk-codec.ts';
import { isRepositoryError } from '../errors.ts';
import { asBuffer } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, decodeTrailerEntry, encodeChunkHeader, type PackEntry } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { MAX_CHUNK_BYTES, MAX_PACK_BYTES } from '../format/limits.ts';
import { decodePackFooter, PACK_FOOTER_BYTES, PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import type { ObjectStore } from '../store/object-store.ts';

const MAGIC = Buffer.from('ovck', 'ascii');
/** Read at once: the largest chunk fits, and most packs need two. */
const WINDOW_BYTES = 32 * 1024 * 1024;
/** Bytes that may be decoded in vain, as a multiple of the object: what looks like a header everywhere must not take for ever. */
const MAX_WASTE = 16;

export interface WholeChunk {
  readonly entry: PackEntry;
  readonly plain: Uint8Array;
}

/**
 * Every chunk of an object that is still whole, wherever it lies: headers are looked for byte by byte, and where a header is gone the trailer may still know
 * what lies there. Whole is what decodes to its digest. Memory: one window and one chunk.
 */
export async function* salvageChunks(
  deps: { readonly store: ObjectStore; readonly codecs: ChunkCodecs },
  pack: { readonly packId: string; readonly packBytes: number },
  options: CallOptions,
): AsyncGenerator<WholeChunk, void> {
  const end = Math.min(pack.packBytes, MAX_PACK_BYTES);
  const bytes = new Window(deps.store, packKey(pack.packId), end, options);
  const seen = new Set<number>();
  for (let at = PACK_HEADER_BYTES; at < end && bytes.handedOut < MAX_WASTE * end; ) {
    const offset = await bytes.indexOfMagic(at);
    if (offset < 0) break;
    const whole = await tryChunk(deps.codecs, await bytes.at(offset, CHUNK_HEADER_BYTES), offset, (length) => bytes.at(offset, length));
    if (whole) {
      seen.add(offset);
      yield whole;
      at = offset + CHUNK_HEADER_BYTES + whole.entry.storedBytes;
    } else at = offset + 1;
  }
  const hints = (await trailerHints(bytes, pack.packBytes)).filter(({ offset }) => !seen.has(offset));
  yield* byTrailer(deps.codecs, bytes, hints);
}

/** Chunks whose header is gone, by what the trailer says of them. */
export function salvageByTrailer(
  deps: { readonly store: ObjectStore; readonly codecs: ChunkCodecs },
  pack: { readonly packId: string; readonly packBytes: number },
  entries: readonly PackEntry[],
  options: CallOptions,
): AsyncGenerator<WholeChunk, void> {
  return byTrailer(deps.codecs, new Window(deps.store, packKey(pack.packId), pack.packBytes, options), entries);
}

async function* byTrailer(codecs: ChunkCodecs, bytes: Window, entries: readonly PackEntry[]): AsyncGenerator<WholeChunk, void> {
  for (const entry of entries) {
    const whole = await tryChunk(codecs, encodeChunkHeader(entry), entry.offset, (length) => bytes.at(entry.offset, length));
    if (whole) yield whole;
  }
}

async function tryChunk(
  codecs: ChunkCodecs,
  header: Uint8Array,
  offset: number,
  read: (length: number) => Promise<Uint8Array>,
): Promise<WholeChunk | undefined> {
  try {
    const entry = { offset, ...decodeChunkHeader(Buffer.from(header)) };
    const length = CHUNK_HEADER_BYTES + entry.storedBytes;
    const found = await read(length);
    if (found.length < length) return undefined;
    const stored = Buffer.from(found);
    stored.set(header.subarray(0, CHUNK_HEADER_BYTES));
    return { entry, plain: await codecs.decode(stored, entry) };
  } catch (error) {
    if (isRepositoryError(error, 'REPO_CHUNK_CORRUPT')) return undefined;
    throw error;
  }
}

/** What the trailer says, as far as it can be parsed: every word of it is proven by a digest before it is believed. */
async function trailerHints(bytes: Window, packBytes: number): Promise<PackEntry[]> {
  const hints: PackEntry[] = [];
  try {
    const footer = decodePackFooter(await bytes.at(packBytes - PACK_FOOTER_BYTES, PACK_FOOTER_BYTES), packBytes);
    const trailer = await bytes.at(footer.trailerOffset, footer.trailerBytes);
    for (let at = 0; at < trailer.length; at += CHUNK_HEADER_BYTES) hints.push(...hint(trailer.subarray(at, at + CHUNK_HEADER_BYTES)));
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_PACK_INVALID')) throw error;
  }
  return hints;
}

function hint(record: Uint8Array): PackEntry[] {
  try {
    return [decodeTrailerEntry(Buffer.from(record))];
  } catch (error) {
    if (isRepositoryError(error, 'REPO_PACK_INVALID')) return [];
    throw error;
  }
}

/** An object read in large pieces. */
class Window {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #end: number;
  readonly #options: CallOptions;
  /** Bytes asked for so far. */
  handedOut = 0;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(store: ObjectStore, key: string, end: number, options: CallOptions) {
    this.#store = store;
    this.#key = key;
    this.#end = end;
    this.#options = options;
  }

  /** Fewer bytes where the object ends. */
  async at(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || offset >= this.#end || length > CHUNK_HEADER_BYTES + MAX_CHUNK_BYTES) return Buffer.alloc(0);
    const wanted = Math.min(length, this.#end - offset);
    this.handedOut += wanted;
    if (offset < this.#start || offset + wanted > this.#start + this.#bytes.length) await this.#load(offset);
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + wanted);
  }

  async indexOfMagic(from: number): Promise<number> {
    for (let at = from; at + CHUNK_HEADER_BYTES < this.#end; ) {
      if (at < this.#start || at + CHUNK_HEADER_BYTES > this.#start + this.#bytes.length) await this.#load(at);
      const found = this.#bytes.indexOf(MAGIC, at - this.#start);
      if (found >= 0) return this.#start + found;
      at = Math.max(at + 1, this.#start + this.#bytes.length - MAGIC.length + 1);
    }
    return -1;
  }

  async #load(offset: number): Promise<void> {
    const length = Math.min(WINDOW_BYTES, this.#end - offset);
    this.#bytes = asBuffer(await this.#store.get(this.#key, { ...this.#options, range: { offset, length } }));
    this.#start = offset;
  }
}
