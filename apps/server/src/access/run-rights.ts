import type { RunFilter } from '@onevault/run-queue';
import type { Caller } from '../ports/call.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory, InventoryVm } from '../ports/inventory.ts';

export type VmRight = 'use' | 'manage';

/** Of a run, as far as rights go. */
export interface RunFacts {
  readonly vmId?: number | undefined;
  readonly request: Readonly<Record<string, unknown>>;
}

export interface RunRightsDeps {
  readonly inventory: Pick<Inventory, 'vm'>;
  readonly catalog: Pick<Catalog, 'get'>;
}

export function mayDoTo(caller: Caller, right: VmRight, vm: InventoryVm): boolean {
  return right === 'use' ? caller.mayUse(vm) : caller.mayManage(vm);
}

/** A run's rights are those of the VM that it is of; one of a whole repository is an administrator's. */
export async function mayOfRun(caller: Caller, right: VmRight, run: RunFacts, deps: RunRightsDeps): Promise<boolean> {
  const vmId = run.vmId ?? (await vmOfPoint(run.request, deps));
  return vmId === undefined ? caller.role === 'admin' : mayDoTo(caller, right, vmOrUnknown(vmId, deps));
}

async function vmOfPoint(request: RunFacts['request'], { catalog }: RunRightsDeps): Promise<number | undefined> {
  const { repository, pointId } = request;
  if (typeof repository !== 'string' || typeof pointId !== 'string') return undefined;
  return (await catalog.get(repository, pointId))?.vmId;
}

/** Whose VMs' runs somebody may see, for the database to choose by; undefined: of all VMs, also of those that nobody knows any more. */
export function visibleRuns(caller: Caller, { inventory }: { readonly inventory: Pick<Inventory, 'vm' | 'vms'> }): RunFilter['among'] {
  if (caller.mayUse(vmOrUnknown(-1, { inventory }))) return undefined;
  const vmIds = inventory.vms().flatMap((vm) => (caller.mayUse(vm) ? [vm.facts.id] : []));
  return { vmIds, ofNone: caller.role === 'admin' };
}

const NONE = { use: false, manage: false, admin: false };

/** A VM that the inventory does not (yet) know of has nobody for an owner: only who may do everything to every VM may do something to it. */
export function vmOrUnknown(vmId: number, { inventory }: Pick<RunRightsDeps, 'inventory'>): InventoryVm {
  return (
    inventory.vm(vmId) ?? {
      facts: { id: vmId, name: '', owner: '', group: '', labels: [], state: '', datastores: [], attributes: {} },
      owned: { uid: -1, gid: -1, permissions: { owner: NONE, group: NONE, other: NONE }, lock: undefined },
      clusterId: undefined,
      hostId: undefined,
      datastoreIds: [],
      diskCount: 0,
      exists: false,
    }
  );
}
