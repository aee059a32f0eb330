import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { CatalogTables } from '../catalog/catalog-tables.ts';
import type { InventoryVm } from '../ports/inventory.ts';

/** A VM, and which restore points are its own; no group: it is gone and has restore points. */
export interface ViewedVm {
  readonly vm: InventoryVm;
  readonly group: string | undefined;
}

/** What there was in OpenNebula when it was last read: a server that starts shows that until it has read it again. Rebuildable as all of the database. */
export interface LastView {
  /** Undefined before the first one was kept. */
  load(): Promise<{ readonly at: Date; readonly vms: readonly ViewedVm[] } | undefined>;
  /** Writes what is another than what was loaded or kept last. */
  keep(vms: readonly ViewedVm[], at: Date): Promise<void>;
}

/** So many rows go in at once, and come out. */
const BATCH = 200;
const PAGE = 1000;

export function databaseView(db: Kysely<CatalogTables>): LastView {
  let kept = new Map<number, InventoryVm>();
  return {
    async load() {
      const seen = await db.selectFrom('seen').select('at').executeTakeFirst();
      if (seen === undefined) return undefined;
      const vms = await readAll(db);
      kept = new Map(vms.map(({ vm }) => [vm.facts.id, vm]));
      return { at: seen.at, vms };
    },
    async keep(vms, at) {
      const changed = vms.filter(({ vm }) => kept.get(vm.facts.id) !== vm);
      const now = new Map(vms.map(({ vm }) => [vm.facts.id, vm]));
      const gone = [...kept.keys()].filter((id) => !now.has(id));
      for (const batch of batchesOf(changed)) await write(db, batch);
      for (const batch of batchesOf(gone)) await db.deleteFrom('seen_vm').where('vm_id', 'in', batch).execute();
      await db
        .insertInto('seen')
        .values({ id: 1, at })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ at }))
        .execute();
      kept = now;
    },
  };
}

async function readAll(db: Kysely<CatalogTables>): Promise<ViewedVm[]> {
  const vms: ViewedVm[] = [];
  for (let last = -1; ; ) {
    const rows = await db.selectFrom('seen_vm').selectAll().where('vm_id', '>', last).orderBy('vm_id').limit(PAGE).execute();
    for (const { grp, vm } of rows) vms.push({ vm: asRead(JSON.parse(vm)), group: grp ?? undefined });
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE) return vms;
    last = end.vm_id;
    await nextTurn();
  }
}

async function write(db: Kysely<CatalogTables>, batch: readonly ViewedVm[]): Promise<void> {
  const rows = batch.map(({ vm, group }) => ({ vm_id: vm.facts.id, grp: group ?? null, vm: JSON.stringify(vm) }));
  await db
    .insertInto('seen_vm')
    .values(rows)
    .onConflict((conflict) => conflict.column('vm_id').doUpdateSet((row) => ({ grp: row.ref('excluded.grp'), vm: row.ref('excluded.vm') })))
    .execute();
  await nextTurn();
}

function* batchesOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += BATCH) yield all.slice(at, at + BATCH);
}

/** As `inventoryVm` makes it, so that one that has not changed is seen to be the same: what was undefined is not in the JSON, and names of attributes are what users wrote. */
function asRead(vm: InventoryVm): InventoryVm {
  const attributes: Record<string, string> = Object.assign(Object.create(null), vm.facts.attributes);
  const owned = { uid: vm.owned.uid, gid: vm.owned.gid, permissions: vm.owned.permissions, lock: vm.owned.lock };
  return {
    facts: { ...vm.facts, attributes },
    owned,
    clusterId: vm.clusterId,
    hostId: vm.hostId,
    datastoreIds: vm.datastoreIds,
    diskCount: vm.diskCount,
    exists: vm.exists,
  };
}
