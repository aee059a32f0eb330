import { type Kysely, sql } from 'kysely';
import type { CatalogPoint } from '../ports/catalog.ts';
import type { CatalogTables } from './catalog-tables.ts';
import { pointOfRow } from './point-row.ts';

/** What a group of restore points comes to. */
export interface GroupSum {
  readonly group: string;
  readonly vmId: number;
  readonly count: number;
  readonly storedBytes: number;
  readonly newest: CatalogPoint;
  /** Newest one that is not damaged, by repository. */
  readonly newestGood: ReadonlyMap<string, { readonly capturedMs: number; readonly pointId: string }>;
}

/** So many groups are asked for at once. */
const BATCH = 500;

/** Of these groups, or of all; groups without a point are not in the answer. */
export async function readGroupSums(db: Kysely<CatalogTables>, groups: ReadonlySet<string> | undefined, now: Date): Promise<GroupSum[]> {
  if (groups === undefined) return readBatch(db, undefined, now);
  const sums: GroupSum[] = [];
  const all = [...groups];
  for (let at = 0; at < all.length; at += BATCH) sums.push(...(await readBatch(db, all.slice(at, at + BATCH), now)));
  return sums;
}

async function readBatch(db: Kysely<CatalogTables>, groups: readonly string[] | undefined, now: Date): Promise<GroupSum[]> {
  const counts = await db
    .selectFrom('point')
    .select(['grp', sql<number>`count(*)::int`.as('count'), sql<number>`sum(stored_bytes)::bigint`.as('storedBytes')])
    .$if(groups !== undefined, (query) => query.where('grp', 'in', groups ?? []))
    .groupBy('grp')
    .execute();
  const newest = await db
    .selectFrom('point')
    .selectAll()
    .distinctOn('grp')
    .$if(groups !== undefined, (query) => query.where('grp', 'in', groups ?? []))
    .orderBy('grp')
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const good = await db
    .selectFrom('point')
    .select(['grp', 'repository', 'id', 'captured_at'])
    .distinctOn(['grp', 'repository'])
    .where('damaged', '=', false)
    .$if(groups !== undefined, (query) => query.where('grp', 'in', groups ?? []))
    .orderBy('grp')
    .orderBy('repository')
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const countOf = new Map(counts.map(({ grp, count, storedBytes }) => [grp, { count, storedBytes }]));
  const goodOf = new Map<string, Map<string, { capturedMs: number; pointId: string }>>();
  for (const { grp, repository, id, captured_at } of good) {
    const ofGroup = goodOf.get(grp) ?? new Map();
    goodOf.set(grp, ofGroup.set(repository, { capturedMs: captured_at.getTime(), pointId: id }));
  }
  return newest.map((row) => ({
    group: row.grp,
    vmId: row.vm_id,
    count: countOf.get(row.grp)?.count ?? 1,
    storedBytes: Number(countOf.get(row.grp)?.storedBytes ?? row.stored_bytes),
    newest: pointOfRow(row, now),
    newestGood: goodOf.get(row.grp) ?? new Map(),
  }));
}
