import { type CallOptions, mapOrdered } from '@onevault/base';
import type { ChunkCodecs } from '../codec/chunk-codec.ts';
import { isRepositoryError, RepositoryError, withPlace } from '../errors.ts';
import { toHex } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, type PackEntry } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { MAX_PACK_CHUNKS } from '../format/limits.ts';
import { PACK_FOOTER_BYTES, PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import { readPackEntries, type SizedPack } from '../pack/pack-reader.ts';
import { GROUP_BYTES } from '../read/read-plan.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Packs whose trailers are read ahead; each holds its entries. */
const PACKS_AHEAD = 4;
/** Slices of packs being read and decoded, across packs, so that neither the store nor a core waits for the other; each holds at most GROUP_BYTES stored and plain. */
const SLICES_AHEAD = 6;

export interface CheckedPack {
  readonly packId: string;
  readonly packBytes: number;
  /** Bytes of it that were read. */
  readonly readBytes: number;
  /** Chunks that are there and, as far as they were read, whole; in the order they lie. */
  readonly sound: readonly PackEntry[];
  readonly checked: number;
  readonly bad: readonly { readonly entry: PackEntry; readonly error: RepositoryError }[];
  /** What is wrong with the pack as a whole: then chunks were found by walking from header to header. */
  readonly structure: RepositoryError | undefined;
}

export interface PackCheckDeps {
  readonly store: ObjectStore;
  readonly codecs: ChunkCodecs;
  readonly owner: StructureOwner;
  /** Whether the data of a chunk is read; by default of every one. */
  readonly reads: (entry: PackEntry) => boolean;
  readonly onBytes: (bytes: number) => void;
}

/**
 * Reads packs, each from end to end, and checks chunks against their digests. In the order of `packIds`; several packs are under way at once.
 * One that is gone is left out: whoever refers to it is told by the walk.
 */
export async function* checkPacks(deps: PackCheckDeps, packIds: Iterable<string>, options: CallOptions): AsyncGenerator<CheckedPack, void> {
  let bad: CheckedPack['bad'][number][] = [];
  const check = async (task: Task): Promise<CheckedTask> => ({ ...task, verdicts: await checkSlice(deps, task, options) });
  for await (const { pack, verdicts, last } of mapOrdered(tasks(deps, packIds, options), check, { ...options, concurrency: SLICES_AHEAD })) {
    for (const { entry, error } of verdicts) {
      deps.onBytes(CHUNK_HEADER_BYTES + entry.storedBytes);
      if (error) bad.push({ entry, error });
    }
    if (!last) continue;
    yield conclude(pack, bad);
    bad = [];
  }
}

function conclude(pack: FoundPack, bad: CheckedPack['bad']): CheckedPack {
  const { packId, packBytes, structure, entries, chosen } = pack;
  const lost = new Set(bad.map(({ entry }) => entry));
  const sound = lost.size === 0 ? entries : entries.filter((entry) => !lost.has(entry));
  const dataBytes = chosen.reduce((sum, entry) => sum + CHUNK_HEADER_BYTES + entry.storedBytes, 0);
  const structureBytes = PACK_HEADER_BYTES + entries.length * CHUNK_HEADER_BYTES + PACK_FOOTER_BYTES;
  return { packId, packBytes, structure, sound, bad, checked: chosen.length, readBytes: Math.min(packBytes, structureBytes + dataBytes) };
}

interface FoundPack {
  readonly packId: string;
  readonly packBytes: number;
  readonly entries: readonly PackEntry[];
  readonly chosen: readonly PackEntry[];
  readonly structure: RepositoryError | undefined;
}

interface Task {
  readonly pack: FoundPack;
  readonly slice: readonly PackEntry[];
  /** Nothing of this pack comes after it. */
  readonly last: boolean;
}

interface CheckedTask extends Task {
  readonly verdicts: readonly Verdict[];
}

async function* tasks(deps: PackCheckDeps, packIds: Iterable<string>, options: CallOptions): AsyncGenerator<Task, void> {
  for await (const pack of mapOrdered(packIds, (packId) => findPack(deps, packId, options), { ...options, concurrency: PACKS_AHEAD })) {
    if (!pack) continue;
    let slice: readonly PackEntry[] | undefined;
    for (const next of slices(pack.chosen)) {
      if (slice) yield { pack, slice, last: false };
      slice = next;
    }
    yield { pack, slice: slice ?? [], last: true };
  }
}

async function findPack(deps: PackCheckDeps, packId: string, options: CallOptions): Promise<FoundPack | undefined> {
  const found = await deps.store.stat(packKey(packId), options);
  if (!found) return undefined;
  const pack = { ...deps.owner, packId, packBytes: found.sizeBytes };
  try {
    const { entries, structure } = await findEntries(deps.store, pack, options);
    return { ...pack, entries, structure, chosen: entries.filter(deps.reads) };
  } catch (error) {
    if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
    throw error;
  }
}

async function findEntries(
  store: ObjectStore,
  pack: SizedPack,
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
async function walkHeaders(store: ObjectStore, pack: SizedPack, options: CallOptions): Promise<PackEntry[]> {
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
  let end = -1;
  for (const entry of entries) {
    if (slice.length > 0 && (entry.offset !== end || plainBytes + entry.plainBytes > GROUP_BYTES)) {
      yield slice;
      slice = [];
      plainBytes = 0;
    }
    slice.push(entry);
    plainBytes += entry.plainBytes;
    end = entry.offset + CHUNK_HEADER_BYTES + entry.storedBytes;
  }
  if (slice.length > 0) yield slice;
}

interface Verdict {
  readonly entry: PackEntry;
  readonly error: RepositoryError | undefined;
}

async function checkSlice(deps: PackCheckDeps, { pack, slice }: Task, options: CallOptions): Promise<Verdict[]> {
  const first = slice[0];
  const last = slice.at(-1);
  if (!first || !last) return [];
  const key = packKey(pack.packId);
  const range = { offset: first.offset, length: last.offset + CHUNK_HEADER_BYTES + last.storedBytes - first.offset };
  let bytes: Uint8Array;
  try {
    bytes = await deps.store.get(key, { ...options, range });
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) throw error;
    return slice.map((entry) => ({ entry, error: gone(key, entry, error) }));
  }
  return Promise.all(
    slice.map(async (entry) => {
      const at = entry.offset - first.offset;
      const length = CHUNK_HEADER_BYTES + entry.storedBytes;
      try {
        await deps.codecs.decode(bytes.subarray(at, at + length), entry);
        return { entry, error: undefined };
      } catch (error) {
        const placed = withPlace(error, { key, offset: entry.offset, length, digest: toHex(entry.digest) });
        if (isRepositoryError(placed, 'REPO_CHUNK_CORRUPT')) return { entry, error: placed };
        throw error;
      }
    }),
  );
}

/** The pack went, or got shorter, while it was being read. */
function gone(key: string, entry: PackEntry, cause: RepositoryError): RepositoryError {
  const digest = toHex(entry.digest);
  return new RepositoryError({ code: 'REPO_CHUNK_MISSING', message: `the chunk ${digest} is gone: ${cause.message}`, details: { key, digest }, cause });
}
