import { type CallOptions, mapOrdered } from '@onevault/base';
import type { ChunkCodecs } from '../codec/chunk-codec.ts';
import { isRepositoryError, type RepositoryError, withPlace } from '../errors.ts';
import { toHex } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, type PackEntry } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { MAX_PACK_CHUNKS } from '../format/limits.ts';
import { PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import { readPackEntries } from '../pack/pack-reader.ts';
import { GROUP_BYTES } from '../read/read-plan.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Slices of a pack being read and decoded; each holds at most GROUP_BYTES stored and plain. */
const SLICES_AHEAD = 3;

export interface CheckedPack {
  readonly good: readonly PackEntry[];
  readonly bad: readonly { readonly entry: PackEntry; readonly error: RepositoryError }[];
  /** What is wrong with the pack as a whole: then chunks were found by walking from header to header. */
  readonly structure: RepositoryError | undefined;
}

export interface PackToCheck {
  readonly repositoryId: string;
  readonly packId: string;
  readonly packBytes: number;
}

/** Reads a pack once from end to end and checks every chunk in it against its digest. */
export async function checkPack(
  store: ObjectStore,
  codecs: ChunkCodecs,
  pack: PackToCheck,
  onBytes: (bytes: number) => void,
  options: CallOptions,
): Promise<CheckedPack> {
  const { entries, structure } = await findEntries(store, pack, options);
  const good: PackEntry[] = [];
  const bad: { entry: PackEntry; error: RepositoryError }[] = [];
  const check = (slice: readonly PackEntry[]): Promise<Verdict[]> => checkSlice(store, codecs, packKey(pack.packId), slice, options);
  for await (const verdicts of mapOrdered(slices(entries), check, { ...options, concurrency: SLICES_AHEAD })) {
    for (const { entry, error } of verdicts) {
      onBytes(CHUNK_HEADER_BYTES + entry.storedBytes);
      if (error) bad.push({ entry, error });
      else good.push(entry);
    }
  }
  return { good, bad, structure };
}

async function findEntries(
  store: ObjectStore,
  pack: PackToCheck,
  options: CallOptions,
): Promise<{ readonly entries: PackEntry[]; readonly structure: RepositoryError | undefined }> {
  try {
    return { entries: await readPackEntries(store, pack, options), structure: undefined };
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_TRUNCATED')) throw error;
    return { entries: await walkHeaders(store, pack, options), structure: error };
  }
}

/** Chunks of a pack whose trailer cannot be trusted: as far as one header leads to the next. What the digests confirm is still good data. */
async function walkHeaders(store: ObjectStore, pack: PackToCheck, options: CallOptions): Promise<PackEntry[]> {
  const entries: PackEntry[] = [];
  for (let offset = PACK_HEADER_BYTES; offset + CHUNK_HEADER_BYTES < pack.packBytes && entries.length < MAX_PACK_CHUNKS; ) {
    try {
      const header = decodeChunkHeader(await store.get(packKey(pack.packId), { ...options, range: { offset, length: CHUNK_HEADER_BYTES } }));
      const end = offset + CHUNK_HEADER_BYTES + header.storedBytes;
      if (end > pack.packBytes) break;
      entries.push({ offset, ...header });
      offset = end;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_OBJECT_TRUNCATED')) break;
      throw error;
    }
  }
  return entries;
}

/** Neighbouring chunks up to GROUP_BYTES stored or plain: what compresses a thousandfold must not fill the memory when it is decoded. */
function* slices(entries: readonly PackEntry[]): Generator<readonly PackEntry[], void> {
  let slice: PackEntry[] = [];
  let plainBytes = 0;
  for (const entry of entries) {
    if (slice.length > 0 && plainBytes + entry.plainBytes > GROUP_BYTES) {
      yield slice;
      slice = [];
      plainBytes = 0;
    }
    slice.push(entry);
    plainBytes += entry.plainBytes;
  }
  if (slice.length > 0) yield slice;
}

interface Verdict {
  readonly entry: PackEntry;
  readonly error: RepositoryError | undefined;
}

async function checkSlice(store: ObjectStore, codecs: ChunkCodecs, key: string, slice: readonly PackEntry[], options: CallOptions): Promise<Verdict[]> {
  const first = slice[0];
  const last = slice.at(-1);
  if (!first || !last) return [];
  const range = { offset: first.offset, length: last.offset + CHUNK_HEADER_BYTES + last.storedBytes - first.offset };
  const bytes = await store.get(key, { ...options, range });
  return Promise.all(
    slice.map(async (entry) => {
      const at = entry.offset - first.offset;
      const length = CHUNK_HEADER_BYTES + entry.storedBytes;
      try {
        await codecs.decode(bytes.subarray(at, at + length), entry);
        return { entry, error: undefined };
      } catch (error) {
        const placed = withPlace(error, { key, offset: entry.offset, length, digest: toHex(entry.digest) });
        if (isRepositoryError(placed, 'REPO_CHUNK_CORRUPT')) return { entry, error: placed };
        throw error;
      }
    }),
  );
}
