import { setImmediate as nextTurn } from 'node:timers/promises';
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
  readonly inEach: readonly RepositorySum[];
}

/** What a repository has of it. */
export interface RepositorySum {
  readonly repository: string;
  readonly points: number;
  readonly damaged: number;
  readonly pointBytes: number;
}

/**
 * So many groups are asked for at once. The embedded database answers in the thread that answers everybody: between two questions the others have it, and no question
 * may take long.
 */
const BATCH = 100;

/** Of these groups, or of all; groups without a point are not in the answer. */
export async function readGroupSums(db: Kysely<CatalogTables>, groups: ReadonlySet<string> | undefined, now: Date): Promise<GroupSum[]> {
  const sums: GroupSum[] = [];
  for await (const batch of groups === undefined ? allGroups(db) : batchesOf([...groups])) {
    sums.push(...(await readBatch(db, batch, now)));
    await nextTurn();
  }
  return sums;
}

async function* allGroups(db: Kysely<CatalogTables>): AsyncGenerator<readonly string[], void, undefined> {
  for (let last = ''; ; ) {
    const rows = await db.selectFrom('point').select('grp').where('grp', '>', last).groupBy('grp').orderBy('grp').limit(BATCH).execute();
    const end = rows.at(-1);
    if (end === undefined) return;
    last = end.grp;
    yield rows.map(({ grp }) => grp);
  }
}

function* batchesOf(groups: readonly string[]): Generator<readonly string[], void, undefined> {
  for (let at = 0; at < groups.length; at += BATCH) yield groups.slice(at, at + BATCH);
}

async function readBatch(db: Kysely<CatalogTables>, groups: readonly string[], now: Date): Promise<GroupSum[]> {
  const counts = await db
    .selectFrom('point')
    .select(['grp', 'repository', sql<number>`count(*)::int`.as('points'), sql<number>`(count(*) filter (where damaged))::int`.as('damaged')])
    .select([sql<number>`sum(stored_bytes)::bigint`.as('storedBytes'), sql<number>`sum(size_bytes)::bigint`.as('pointBytes')])
    .where('grp', 'in', groups)
    .groupBy(['grp', 'repository'])
    .execute();
  await nextTurn();
  const newest = await db
    .selectFrom('point')
    .selectAll()
    .distinctOn('grp')
    .where('grp', 'in', groups)
    .orderBy('grp')
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  await nextTurn();
  const good = await db
    .selectFrom('point')
    .select(['grp', 'repository', 'id', 'captured_at'])
    .distinctOn(['grp', 'repository'])
    .where('damaged', '=', false)
    .where('grp', 'in', groups)
    .orderBy('grp')
    .orderBy('repository')
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const countsOf = byGroup(counts);
  const goodOf = byGroup(good);
  return newest.map((row) => {
    const inEach = (countsOf.get(row.grp) ?? []).map(({ grp: _, ...rest }) => ({
      ...rest,
      storedBytes: Number(rest.storedBytes),
      pointBytes: Number(rest.pointBytes),
    }));
    return {
      group: row.grp,
      vmId: row.vm_id,
      count: inEach.reduce((sum, { points }) => sum + points, 0),
      storedBytes: inEach.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      newest: pointOfRow(row, now),
      newestGood: new Map(
        (goodOf.get(row.grp) ?? []).map(({ repository, id, captured_at }) => [repository, { capturedMs: captured_at.getTime(), pointId: id }]),
      ),
      inEach,
    };
  });
}

function byGroup<T extends { readonly grp: string }>(rows: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.grp);
    if (group === undefined) groups.set(row.grp, [row]);
    else group.push(row);
  }
  return groups;
}
