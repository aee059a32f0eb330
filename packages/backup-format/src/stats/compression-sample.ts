import { type CallOptions, forEachConcurrent } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { PackIds } from '../pack/pack-ids.ts';
import { readPackEntries } from '../pack/pack-reader.ts';
import type { RepositoryParts } from '../repository-parts.ts';

/** Trailers read: three small reads each. */
const MAX_TRAILERS = 64;
const READS = 8;

/** What the chunks of some packs are, before and after compression, as the packs themselves say. */
export interface CompressionSample {
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** So many packs were looked at, spread evenly; all there are when they are few. */
  readonly packs: number;
  readonly ofPacks: number;
}

/** Reads trailers, no data. Packs that are damaged, or gone since they were listed, are left out. */
export async function sampleCompression(
  { store, owner }: Pick<RepositoryParts, 'store' | 'owner'>,
  ids: PackIds,
  options: CallOptions = {},
): Promise<CompressionSample> {
  const sample = { plainBytes: 0, storedBytes: 0, packs: 0, ofPacks: ids.count };
  const count = Math.min(MAX_TRAILERS, ids.count);
  const places = Array.from({ length: count }, (_, n) => Math.floor(((n + 0.5) * ids.count) / count));
  const add = async (place: number): Promise<void> => {
    const pack = { ...owner, packId: ids.at(place), packBytes: ids.sizeOf(place) };
    try {
      for (const { plainBytes, storedBytes } of await readPackEntries(store, pack, options)) {
        sample.plainBytes += plainBytes;
        sample.storedBytes += storedBytes;
      }
      sample.packs += 1;
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) throw error;
    }
  };
  await forEachConcurrent(places, add, { ...options, concurrency: READS });
  return sample;
}
