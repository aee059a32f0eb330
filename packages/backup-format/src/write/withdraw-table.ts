import { packKey, tableKey } from '../format/ids.ts';
import { condemnedBy } from '../gc/condemned.ts';
import { type GcRecordParts, readGcRecord } from '../gc/gc-record.ts';
import { newTableId } from '../index/table-id.ts';
import { type IndexedPack, writeTable } from '../index/table-writer.ts';
import type { RepositoryParts } from '../repository-parts.ts';

export type WithdrawDeps = Pick<RepositoryParts, 'owner' | 'index' | 'clock' | 'randomBytes'> & GcRecordParts;

/**
 * For a table that became visible when the lease of its writer was over already: it must not name packs that gc has deleted, or is about to. What it says of
 * the others stays, because a run that began meanwhile may count on it, and they are safe like any pack that a table names. The record is read before the
 * packs are looked for: gc takes a pack from the record only when it is gone.
 */
export async function withdrawTable(deps: WithdrawDeps, tableId: string, packs: readonly IndexedPack[]): Promise<void> {
  const { store, owner, index, clock, randomBytes } = deps;
  const condemned = condemnedBy(await readGcRecord(deps));
  const standing: IndexedPack[] = [];
  for (const pack of packs) if (!condemned.has(pack.packId) && (await store.stat(packKey(pack.packId)))) standing.push(pack);
  if (standing.length === packs.length) return;
  if (standing.length > 0) {
    await index.reload();
    await writeTable(store, { ...owner, tableId: newTableId(clock.now(), index.newestId, randomBytes), packs: standing }, { randomBytes });
  }
  await store.delete(tableKey(tableId));
}
