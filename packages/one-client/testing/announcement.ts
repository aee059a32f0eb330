import { createOneClient, type Vm, vmStateName } from '../src/index.ts';
import { connectionOf, imageDisks } from './lab.ts';
import type { OneCloud } from './one-cloud.ts';
import { tracePrefix } from './traces.ts';

/** What the contract would do to a cloud, for a person to read before it starts, and why it cannot. */
export interface Announcement {
  readonly lines: readonly string[];
  readonly objections: readonly string[];
}

/** Reads only. */
export async function announce(cloud: OneCloud): Promise<Announcement> {
  await using api = createOneClient(connectionOf(cloud));
  const [version, me] = [await api.version(), await api.whoAmI()];
  const [vm, proxy] = [await api.vm(cloud.vm), await api.vm(cloud.proxyVm)];
  return {
    lines: [
      `OpenNebula ${version} at ${api.endpoint.href}, as user ${me.id} ${me.name}`,
      `VM ${describe(vm)}: it is powered off, suspended, stopped, undeployed and started again`,
      ...imageDisks(vm).map(
        ({ diskId, sizeMiB, tmMad, format, datastoreId }) =>
          `  disk ${diskId} (${tmMad} ${format}): snapshots are taken, reverted to and deleted; copies of ${sizeMiB} MiB are made in datastore ${datastoreId}`,
      ),
      `VM ${describe(proxy)}: disks of 1 MiB are attached as vdx and sdx, and detached`,
      `made and deleted: images, templates, and VMs that never run, all named ${tracePrefix(cloud.vm)}…`,
      'deleted first: what an earlier run on this VM left behind, found by that name; nothing else is touched',
    ],
    objections: [
      ...(cloud.vm === cloud.proxyVm ? ['the VM and the proxy are the same'] : []),
      ...[vm, proxy].filter((one) => vmStateName(one) !== 'RUNNING').map((one) => `VM ${one.id} is ${vmStateName(one)}, not RUNNING`),
      ...[vm, proxy].filter((one) => one.lock !== undefined).map((one) => `VM ${one.id} is locked`),
      ...(imageDisks(vm).length === 0 ? [`VM ${vm.id} has no disk with an image`] : []),
    ],
  };
}

const describe = (vm: Vm): string => `${vm.id} '${vm.name}' (${vmStateName(vm)} on ${vm.hostName ?? 'no host'})`;
