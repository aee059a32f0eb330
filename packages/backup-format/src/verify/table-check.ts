import type { CallOptions } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { packKey, parseTableKey, TABLES_PREFIX } from '../format/ids.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import { ENTRY_BYTES, TABLE_PAGE_BYTES, type TablePage } from '../format/table-layout.ts';
import { IndexTable } from '../index/table-reader.ts';
import { LruCache } from '../lru-cache.ts';
import type { PackIds } from '../pack/pack-ids.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { DamageLog } from './damage-log.ts';

/** Reads every page of every index table once: checksums, order, and that the packs it names are there (I8). */
export async function checkTables(store: ObjectStore, owner: StructureOwner, packs: PackIds, log: DamageLog, options: CallOptions): Promise<number> {
  let readBytes = 0;
  for await (const { key, sizeBytes } of store.list(TABLES_PREFIX, options)) {
    const id = parseTableKey(key);
    if (id === undefined) continue;
    readBytes += sizeBytes;
    try {
      // A cache of its own and of one page: what the repository has in memory must not hide what the store has.
      const cache = new LruCache<TablePage>(TABLE_PAGE_BYTES, () => TABLE_PAGE_BYTES);
      await checkTable(store, await IndexTable.open(store, cache, owner, id, options), packs, log, options);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_INDEX_INVALID', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) throw error;
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING') && !(await store.stat(key, options))) continue; // merged into another since it was listed
      log.note(key, error);
    }
  }
  return readBytes;
}

async function checkTable(store: ObjectStore, table: IndexTable, packs: PackIds, log: DamageLog, options: CallOptions): Promise<void> {
  let last: Buffer | undefined;
  let entries = 0;
  for (let number = 0; number < table.footer.entryPages; number++) {
    const { count, items } = await table.page('entries', number, options);
    for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
      const digest = items.subarray(at, at + 32);
      if (last && last.compare(digest) >= 0) throw unsorted(table, number);
      if (items.readUInt32LE(at + 32) >= table.footer.packs) throw unsorted(table, number);
      last = digest;
    }
    entries += count;
  }
  if (entries !== table.footer.entries) throw unsorted(table, table.footer.entryPages - 1);
  for await (const { packId } of table.packs(options)) {
    const key = packKey(packId);
    // Listed first, the packs may have grown by one since, or a garbage collection removed both: only the store can say.
    if (!packs.has(packId) && !(await store.stat(key, options)) && (await store.stat(table.key, options)))
      log.note(key, new RepositoryError({ code: 'REPO_OBJECT_MISSING', message: `the pack ${key}, which ${table.key} names, is gone`, details: { key } }));
  }
}

function unsorted(table: IndexTable, page: number): RepositoryError {
  return new RepositoryError({
    code: 'REPO_INDEX_INVALID',
    message: `the index table ${table.key} is out of order in page ${page}`,
    details: { key: table.key },
  });
}
