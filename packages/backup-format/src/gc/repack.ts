import { type CallOptions, serializeError } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { CHUNK_HEADER_BYTES, type PackEntry } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import { ownedPackIds } from '../lease/pack-owner.ts';
import { PackPool } from '../pack/pack-pool.ts';
import { readPackEntries } from '../pack/pack-reader.ts';
import { isDamage } from '../read/chunk-reader.ts';
import { GROUP_BYTES } from '../read/read-plan.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { TableFlusher } from '../write/table-flusher.ts';
import type { PackSum } from './gc-api.ts';
import type { PackTable } from './pack-table.ts';
import type { NeededOffsets } from './pack-use.ts';

export type RepackParts = Pick<RepositoryParts, 'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'index' | 'clock' | 'randomBytes' | 'logger'>;

export interface Repacked {
  /** Packs of which everything that is needed lies in new packs and tables now. */
  readonly packs: readonly number[];
  readonly rewritten: PackSum;
}

/**
 * Copies what is needed of sparse packs into new ones and lists it in new tables, durable when this resolves. Every chunk is checked on the way; a pack of
 * which a needed chunk cannot be read is left alone. Memory: GROUP_BYTES read and decoded at a time, an open pack for data and one for indexes.
 */
export async function repack(
  parts: RepackParts,
  lease: HeldLease,
  sparse: { readonly packs: readonly number[]; readonly table: PackTable; readonly offsets: NeededOffsets },
  onPack: () => void,
  call: CallOptions,
): Promise<Repacked> {
  const { store, owner, randomBytes, logger } = parts;
  const tables = new TableFlusher({ ...parts, lease }, { arrived: () => undefined });
  let bytes = 0;
  let written = 0;
  const pool = new PackPool({
    store,
    ...owner,
    logger,
    randomBytes: ownedPackIds(lease.id, randomBytes),
    onDurable: async (pack) => {
      bytes += pack.packBytes;
      written += 1;
      await tables.add(pack, call);
    },
  });
  const packs: number[] = [];
  try {
    for (const pack of sparse.packs) {
      if (await copyPack(parts, pool, sparse.table.id(pack), sparse.table.sizeOf(pack), sparse.offsets.of(pack), call)) packs.push(pack);
      onPack();
    }
    await pool.finishAll(call);
    await tables.flush(call);
    return { packs, rewritten: { packs: written, bytes } };
  } finally {
    await pool[Symbol.asyncDispose]();
  }
}

async function copyPack(
  parts: RepackParts,
  pool: PackPool,
  packId: string,
  packBytes: number,
  needed: ReadonlySet<number>,
  call: CallOptions,
): Promise<boolean> {
  const lanes = { data: pool.lane('data'), index: pool.lane('index') };
  try {
    const entries = (await readPackEntries(parts.store, { ...parts.owner, packId, packBytes }, call)).filter(({ offset }) => needed.has(offset));
    if (entries.length !== needed.size) return false; // the table says what the trailer does not: verify names it
    for (const group of groups(entries)) {
      const first = group[0]?.offset ?? 0;
      const last = group.at(-1);
      const length = (last?.offset ?? first) + CHUNK_HEADER_BYTES + (last?.storedBytes ?? 0) - first;
      const bytes = await parts.store.get(packKey(packId), { ...call, range: { offset: first, length } });
      for (const entry of group) {
        const at = entry.offset - first;
        const { type, digest, plainBytes } = entry;
        const plain = await parts.codecs.decode(bytes.subarray(at, at + CHUNK_HEADER_BYTES + entry.storedBytes), entry);
        const encoded = await parts.codecs.encode(plain, { type, digest });
        await lanes[type === 'data' ? 'data' : 'index'].append({ type, digest, plainBytes, encoded }, call);
      }
    }
    return true;
  } catch (error) {
    if (!isDamage(error) && !isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_TRUNCATED', 'REPO_OBJECT_MISSING')) throw error;
    parts.logger.warn({ packId, error: serializeError(error) }, 'a sparse pack is damaged and was not rewritten');
    return false;
  } finally {
    lanes.data.close();
    lanes.index.close();
  }
}

/** Chunks that come with one read, or near enough. */
function* groups(entries: readonly PackEntry[]): Generator<PackEntry[], void> {
  let group: PackEntry[] = [];
  let plainBytes = 0;
  for (const entry of entries) {
    const first = group[0];
    const last = group.at(-1);
    const gap = last ? entry.offset - last.offset - last.storedBytes : 0;
    const span = first ? entry.offset + entry.storedBytes - first.offset : 0;
    if (first && (gap > MAX_GAP_BYTES || span > GROUP_BYTES || plainBytes + entry.plainBytes > GROUP_BYTES)) {
      yield group;
      group = [];
      plainBytes = 0;
    }
    group.push(entry);
    plainBytes += entry.plainBytes;
  }
  if (group.length > 0) yield group;
}

/** Reading so much that is not needed costs less than another read. */
const MAX_GAP_BYTES = 512 * 1024;
