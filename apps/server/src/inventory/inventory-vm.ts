import { type Attributes, type Host, VM_STATE, type Vm, vmStateName } from '@onevault/one-client';
import { groupOf, passingVm } from '@onevault/orchestrator';
import type { InventoryVm } from '../ports/inventory.ts';

/** Why no policy is for a VM that serves backups itself. */
const SERVES_AS = { proxy: 'proxy VM of onevault', drill: 'VM of a drill', restore: 'VM that a restore is making' } as const;

/** A VM as its body says, with the names of what it is on. `group` is which restore points are its own. */
export function inventoryVm(
  vm: Vm,
  hosts: ReadonlyMap<number, Host>,
  proxies: ReadonlySet<number> = NO_PROXIES,
): { readonly vm: InventoryVm; readonly group: string } {
  const place = isPlaced(vm) ? vm.history.at(-1) : undefined;
  const host = place && hosts.get(place.hostId);
  const cluster = host?.clusterName;
  const serves = proxies.has(vm.id) ? 'proxy' : passingVm(vm);
  return {
    group: groupOf(vm),
    vm: {
      facts: {
        id: vm.id,
        name: vm.name,
        owner: vm.userName,
        group: vm.groupName,
        labels: labelsOf(vm.userTemplate),
        state: vmStateName(vm),
        ...(place && { host: host?.name ?? place.hostName }),
        ...(cluster !== undefined && { cluster }),
        datastores: unique(vm.disks.flatMap(({ datastoreName }) => datastoreName ?? [])),
        attributes: attributesOf(vm.userTemplate),
        ...(serves !== undefined && { servesAs: SERVES_AS[serves] }),
      },
      owned: { uid: vm.uid, gid: vm.gid, permissions: vm.permissions, lock: vm.lock },
      clusterId: place?.clusterId,
      hostId: place?.hostId,
      datastoreIds: unique(vm.disks.flatMap(({ datastoreId }) => datastoreId ?? [])).sort((a, b) => a - b),
      diskCount: vm.disks.length,
      exists: true,
    },
  };
}

const NO_PROXIES: ReadonlySet<number> = new Set();

/** Its disks are on a host, or would be started there again; a VM that was undeployed or stopped is on none (include/VirtualMachine.h). */
function isPlaced({ state }: Vm): boolean {
  return state === VM_STATE.ACTIVE || state === VM_STATE.POWEROFF || state === VM_STATE.SUSPENDED;
}

/** LABELS is a list with commas in USER_TEMPLATE (src/fireedge and Sunstone write it so). */
function labelsOf(userTemplate: Attributes): string[] {
  const labels = userTemplate['LABELS'];
  return typeof labels === 'string' ? unique(labels.split(',').map((label) => label.trim())).filter((label) => label !== '') : [];
}

/** Names in capitals, as oned writes them; vectors are left out. Null prototype: names are what users wrote. */
function attributesOf(userTemplate: Attributes): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(userTemplate)) if (typeof value === 'string') attributes[name.toUpperCase()] = value;
  return attributes;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
