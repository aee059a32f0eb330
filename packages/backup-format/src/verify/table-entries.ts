import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { ENTRY_BYTES } from '../format/table-layout.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { IndexTable } from '../index/table-reader.ts';

interface LedTo {
  readonly digest: Uint8Array;
  readonly packId: string;
}

/** The chunks that the index looks for in one of these packs: what a pack beyond help has taken with it. */
export async function* chunksLedTo(index: ChunkIndex, packIds: ReadonlySet<string>, options: CallOptions): AsyncGenerator<LedTo, void> {
  if (packIds.size === 0) return;
  await index.reload();
  for (const table of [...index.tables]) {
    try {
      if (await names(table, packIds, options)) yield* ledTo(table, index, packIds, options);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_INDEX_INVALID', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) throw error;
    }
  }
}

async function names(table: IndexTable, packIds: ReadonlySet<string>, options: CallOptions): Promise<boolean> {
  for await (const { packId } of table.packs(options)) if (packIds.has(packId)) return true;
  return false;
}

async function* ledTo(table: IndexTable, index: ChunkIndex, packIds: ReadonlySet<string>, options: CallOptions): AsyncGenerator<LedTo, void> {
  for (let number = 0; number < table.footer.entryPages; number++) {
    const { count, items } = await table.page('entries', number, options);
    for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
      const digest = items.subarray(at, at + 32);
      const location = await index.find(digest, options);
      if (location && packIds.has(location.packId)) yield { digest: Buffer.from(digest), packId: location.packId };
    }
  }
}
