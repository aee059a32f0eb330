import { isPoweredOff, type Vm, type VmId } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { effectMissing } from './disk-snapshot.ts';
import { settled, whenFree } from './when-free.ts';

/**
 * OS/BOOT names disks by DISK_ID (`disk0,nic0`), and one that is detached and attached again gets another: set_boot_order (VirtualMachine.cc) would then
 * refuse every later updateconf, and the disk would lose its place. So it is kept by TARGET. Undefined: there is none, or it names what is not there.
 */
export function bootByTarget(vm: Vm): string | undefined {
  return rename(bootOf(vm), (device) => {
    const id = /^disk(\d+)$/i.exec(device)?.[1];
    return id === undefined ? device : vm.disks.find(({ diskId }) => diskId === Number(id))?.target;
  });
}

/** The other way round, for the disks as they are now. A NIC's name is no target. */
function bootOfTargets(vm: Vm, byTarget: string | undefined): string | undefined {
  return rename(byTarget, (device) => {
    if (/^nic\d+$/i.test(device)) return device;
    const disk = vm.disks.find(({ target }) => target === device);
    return disk && `disk${disk.diskId}`;
  });
}

/** Writes the boot order for the disks as they are now, if it is another one. Idempotent. */
export async function settleBootOrder(deps: CloudDeps, vmId: VmId, byTarget: string | undefined): Promise<void> {
  if (byTarget === undefined) return;
  const what = `boot order of VM ${vmId}`;
  const before = await whenFree(deps, vmId, what, async (vm) => {
    const wanted = bootOfTargets(vm, byTarget);
    if (isPoweredOff(vm) && wanted !== undefined && wanted !== bootOf(vm)) await deps.cloud.updateVmConfiguration(vm.id, { OS: { BOOT: wanted } });
    return vm;
  });
  const after = await settled(deps, vmId, what);
  const wanted = bootOfTargets(after, byTarget);
  if (isPoweredOff(after) && wanted !== undefined && wanted !== bootOf(after)) throw effectMissing(before, after, `${what} was set, and is not what was set`);
}

function bootOf(vm: Vm): string | undefined {
  return text(vectors(vm.template['OS'])[0]?.['BOOT']);
}

function rename(boot: string | undefined, name: (device: string) => string | undefined): string | undefined {
  if (boot === undefined || boot === '') return undefined;
  const names = boot.split(',').map((device) => name(device.trim()));
  return names.includes(undefined) ? undefined : names.join(',');
}
