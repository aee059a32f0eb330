import type { CallOptions } from '@onevault/base';
import { digestKey } from '../format/bytes.ts';
import { newHexId } from '../format/ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { IndexedPack } from '../index/table-writer.ts';
import { PackWriter } from '../pack/pack-writer.ts';
import { ChunkReader } from '../read/chunk-reader.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { WholeChunk } from './salvage.ts';

export type RescueDeps = Pick<RepositoryParts, 'store' | 'owner' | 'codecs' | 'damage' | 'randomBytes'> & {
  readonly index: ChunkIndex;
  readonly dryRun: boolean;
};

export interface Rescued {
  readonly packId: string;
  readonly savedChunks: number;
  /** New packs, durable. Empty when nothing had to be saved, and in a dry run. */
  readonly packs: readonly IndexedPack[];
}

/** Stores chunks that were found whole in a pack again, unless they lie whole elsewhere. */
export async function rescueChunks(deps: RescueDeps, packId: string, found: AsyncIterable<WholeChunk>, options: CallOptions): Promise<Rescued> {
  const chunks = new ChunkReader(deps.store, deps.index, deps.codecs);
  const saved = new Set<string>();
  const packs: IndexedPack[] = [];
  let writer: PackWriter | undefined;
  try {
    for await (const chunk of found) {
      const key = digestKey(chunk.entry.digest);
      if (saved.has(key) || (await liesWholeElsewhere(deps.index, chunks, packId, chunk, options))) continue;
      saved.add(key);
      if (deps.dryRun) continue;
      writer ??= await PackWriter.open(deps.store, { ...deps.owner, packId: newHexId(deps.randomBytes) }, options);
      await append(deps, writer, chunk, options);
      if (!writer.full) continue;
      packs.push(await writer.finish(options));
      writer = undefined;
    }
    if (writer) packs.push(await writer.finish(options));
    return { packId, savedChunks: saved.size, packs };
  } catch (error) {
    await writer?.abort();
    throw error;
  }
}

async function append(deps: RescueDeps, writer: PackWriter, { entry, plain }: WholeChunk, options: CallOptions): Promise<void> {
  const { type, digest, plainBytes } = entry;
  const encoded = await deps.codecs.encode(plain, { type, digest });
  await writer.append({ type, digest, plainBytes, encoded }, options);
}

async function liesWholeElsewhere(index: ChunkIndex, chunks: ChunkReader, packId: string, { entry }: WholeChunk, options: CallOptions): Promise<boolean> {
  const location = await index.find(entry.digest, options);
  return location !== undefined && location.packId !== packId && chunks.isWholeAt(entry, location, options);
}
