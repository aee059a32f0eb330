import type { Cloud } from '../cloud.ts';
import { isPinned } from '../methods/vm-devices.ts';
import { disksOf, imageIdOf, numberOf } from '../model/disk-vector.ts';
import { DATASTORE_TYPE, VM_STATE } from '../model/states.ts';
import type { Datastore, Host, Vm } from '../model/world-schema.ts';
import { type Attributes, textOf } from '../template/attributes.ts';
import { choosePci } from './host-devices.ts';

export type Placement = { readonly host: Host; readonly datastore: Datastore } | { readonly message: string };

const IN_USE: readonly number[] = [VM_STATE.ACTIVE, VM_STATE.SUSPENDED, VM_STATE.POWEROFF];

/** CPU in hundredths and memory in KiB that a host's VMs reserve. */
export function hostUsage(cloud: Cloud, host: Host): { readonly vmIds: number[]; readonly cpu: number; readonly memoryKiB: number } {
  const vms = [...cloud.world.vms.values()].filter((vm) => vm.history.at(-1)?.hostId === host.id && IN_USE.includes(vm.state));
  return {
    vmIds: vms.map((vm) => vm.id),
    cpu: vms.reduce((sum, vm) => sum + Math.round(numberOf(vm, 'CPU') * 100), 0),
    memoryKiB: vms.reduce((sum, vm) => sum + numberOf(vm, 'MEMORY') * 1024, 0),
  };
}

/** The scheduler's choice, or the text that becomes SCHED_MESSAGE. */
export function placeVm(cloud: Cloud, vm: Vm): Placement {
  const hypervisor = textOf(vm.userTemplate, 'HYPERVISOR') ?? 'kvm';
  const hosts = [...cloud.world.hosts.values()].filter((host) => host.vmMad === hypervisor);
  const wanted = hosts.filter(
    (host) =>
      isPinned(vm.template) === (textOf(host.template, 'PIN_POLICY') === 'PINNED') && // AUTOMATIC_REQUIREMENTS
      meets(textOf(vm.userTemplate, 'SCHED_REQUIREMENTS'), { ID: host.id, NAME: host.name, CLUSTER_ID: host.clusterId }, host.template),
  );
  if (wanted.length === 0) return { message: `[HOST] Requirements not met on hosts: ${hosts.map((host) => host.id).join(', ')}` };
  const fitting = wanted.find((host) => fits(cloud, vm, host));
  if (!fitting) return { message: `Cannot allocate VM. Not enough capacity in hosts ${wanted.map((host) => host.id).join(', ')}` };
  const reachable = [...cloud.world.datastores.values()].filter(
    (datastore) => datastore.type === DATASTORE_TYPE.SYSTEM && datastore.clusterIds.includes(fitting.clusterId) && carriesDisks(cloud, vm, datastore),
  );
  const requirement = textOf(vm.userTemplate, 'SCHED_DS_REQUIREMENTS');
  const met = reachable.filter((candidate) => meets(requirement, { ID: candidate.id, NAME: candidate.name }, candidate.template));
  const datastore = met.find((candidate) => imageDrivers(cloud, vm).every((tmMad) => tmMad === candidate.tmMad)) ?? met[0];
  return datastore ? { host: fitting, datastore } : { message: '[DS] No datastores matched the VM requirements' };
}

/** TM_MAD of the datastores of the VM's images. */
function imageDrivers(cloud: Cloud, vm: Vm): (string | undefined)[] {
  return imageDatastores(cloud, vm).map((datastore) => datastore?.tmMad);
}

function imageDatastores(cloud: Cloud, vm: Vm): (Datastore | undefined)[] {
  return disksOf(vm)
    .filter((disk) => imageIdOf(disk) !== undefined)
    .map((disk) => cloud.world.datastores.get(Number(disk['DATASTORE_ID'])));
}

function fits(cloud: Cloud, vm: Vm, host: Host): boolean {
  const usage = hostUsage(cloud, host);
  return (
    usage.cpu + Math.round(numberOf(vm, 'CPU') * 100) <= host.maxCpu &&
    usage.memoryKiB + numberOf(vm, 'MEMORY') * 1024 <= host.maxMemoryKiB &&
    choosePci(cloud, vm, host) !== undefined
  );
}

/** Every image's TM must equal the system datastore's, or list it in TM_MAD_SYSTEM. */
function carriesDisks(cloud: Cloud, vm: Vm, system: Datastore): boolean {
  return imageDatastores(cloud, vm).every((datastore) => {
    if (!datastore || datastore.tmMad === system.tmMad) return true;
    const others = (textOf(datastore.template, 'TM_MAD_SYSTEM') ?? '').split(',');
    return others.some((tmMad) => tmMad.trim() === system.tmMad);
  });
}

const COMPARISON = /^\(?\s*"?([A-Z_/]+)"?\s*(=|!=)\s*"?([^"&|)]*?)"?\s*\)?$/;

/** The comparisons people write: `ID=1`, `NAME != "x"`, joined by `&` or `|` (`&` binds first). Anything else is not met. */
function meets(requirement: string | undefined, facts: Readonly<Record<string, string | number>>, template: Attributes): boolean {
  if (requirement === undefined || requirement.trim() === '') return true;
  return requirement.split('|').some((alternative) =>
    alternative.split('&').every((comparison) => {
      const match = COMPARISON.exec(comparison.trim());
      if (!match) return false;
      const [, name = '', operator, value] = match;
      const actual = String(facts[name] ?? textOf(template, name) ?? '');
      return (operator === '=') === (actual === value);
    }),
  );
}
