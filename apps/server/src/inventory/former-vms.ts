import { type CallOptions, forEachConcurrent, isAbort, type Logger, serializeError } from '@onevault/base';
import { type Owned, parseVm } from '@onevault/one-client';
import type { DatabaseCatalog } from '../catalog/database-catalog.ts';
import type { CatalogPoint } from '../ports/catalog.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import { inventoryVm } from './inventory-vm.ts';

const NOBODY = { use: false, manage: false, admin: false };
/** Of a VM whose body cannot be read: administrators alone see it. */
const UNKNOWN_OWNER: Owned = { uid: -1, gid: -1, permissions: { owner: NOBODY, group: NOBODY, other: NOBODY }, lock: undefined };
/** Bodies read at once. */
const AT_ONCE = 4;

/**
 * VMs that are gone and have restore points, as the body in their newest one says. A body is read once and then known in the database. One that cannot be read now is
 * tried again at the next look.
 */
export function formerVms(catalog: DatabaseCatalog, logger: Logger): (living: ReadonlySet<number>, options: CallOptions) => Promise<readonly InventoryVm[]> {
  return async (living, options) => {
    const gone = catalog.groups().filter(({ vmId }) => !living.has(vmId));
    const readable = new Set(catalog.repositories().flatMap(({ name, reachable }) => (reachable ? [name] : [])));
    const known = new Map((await catalog.db.selectFrom('saved_vm').selectAll().execute()).map((row) => [row.grp, row]));
    const vms: InventoryVm[] = [];
    await forEachConcurrent(
      gone,
      async ({ group, newest }) => {
        const row = known.get(group);
        const read = row?.point_id !== newest.id && readable.has(newest.repository) ? await readSaved(catalog, group, newest, logger, options) : undefined;
        vms.push(read ?? row?.vm ?? unknownVm(newest));
      },
      { ...options, concurrency: AT_ONCE },
    );
    return vms;
  };
}

async function readSaved(
  catalog: DatabaseCatalog,
  group: string,
  newest: CatalogPoint,
  logger: Logger,
  options: CallOptions,
): Promise<InventoryVm | undefined> {
  try {
    const body = await catalog.use(
      newest.repository,
      async (repository) => repository.readMetadata(await repository.point(newest.id, options), 'vm.xml', options),
      options,
    );
    const { hostId: _host, clusterId: _cluster, ...rest } = inventoryVm(parseVm(new TextDecoder().decode(body)), new Map()).vm;
    const { host: _name, ...facts } = rest.facts;
    // A lock went with the VM; it would hide the restore points from their owner for ever.
    const owned = { ...rest.owned, lock: undefined };
    const vm: InventoryVm = { ...rest, owned, facts: { ...facts, state: 'DONE' }, hostId: undefined, clusterId: undefined, exists: false };
    const row = { point_id: newest.id, vm: JSON.stringify(vm) };
    await catalog.db
      .insertInto('saved_vm')
      .values({ grp: group, ...row })
      .onConflict((conflict) => conflict.column('grp').doUpdateSet(row))
      .execute();
    return vm;
  } catch (error) {
    if (isAbort(error)) throw error;
    logger.warn({ vmId: newest.vmId, restorePointId: newest.id, error: serializeError(error) }, 'the body of a VM that is gone cannot be read');
    return undefined;
  }
}

function unknownVm({ vmId, vmName, disks }: CatalogPoint): InventoryVm {
  return {
    facts: { id: vmId, name: vmName, owner: '', group: '', labels: [], state: 'DONE', datastores: [], attributes: {} },
    owned: UNKNOWN_OWNER,
    clusterId: undefined,
    hostId: undefined,
    datastoreIds: [],
    diskCount: disks.length,
    exists: false,
  };
}
