import type { Kysely } from 'kysely';
import type { CatalogTables } from './catalog-tables.ts';
import type { JudgedPoint } from './judge-points.ts';

/** Everything of a group that retention must know, newest first. */
export async function pointsOfGroup(db: Kysely<CatalogTables>, group: string): Promise<JudgedPoint[]> {
  const rows = await db
    .selectFrom('point')
    .select(['repository', 'id', 'captured_at', 'tags', 'holds', 'damaged', 'policy'])
    .where('grp', '=', group)
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map(({ captured_at, policy, ...row }) => ({ ...row, group, capturedAt: captured_at, policy: policy ?? undefined }));
}

/** VMs that have points of a policy, behind one of them. */
export async function groupsOfPolicy(
  db: Kysely<CatalogTables>,
  { policy, repository, from, vmId }: { readonly policy: string; readonly repository: string; readonly from: number; readonly vmId?: number | undefined },
): Promise<{ readonly vmId: number; readonly group: string }[]> {
  const rows = await db
    .selectFrom('point')
    .select(['vm_id', 'grp'])
    .distinct()
    .where('policy', '=', policy)
    .where('repository', '=', repository)
    .where('vm_id', '>=', Math.max(0, from))
    .$if(vmId !== undefined, (query) => query.where('vm_id', '=', vmId ?? -1))
    .orderBy('vm_id')
    .orderBy('grp')
    .execute();
  return rows.map(({ vm_id, grp }) => ({ vmId: vm_id, group: grp }));
}

/** Repositories in which a manifest of the group cannot be read. */
export async function unreadableIn(db: Kysely<CatalogTables>, group: string): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('unreadable').select('repository').where('grp', '=', group).execute();
  return new Set(rows.map(({ repository }) => repository));
}
