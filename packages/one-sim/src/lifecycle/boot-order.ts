import { disksOf } from '../model/disk-vector.ts';
import type { Vm } from '../model/world-schema.ts';
import { vectorsOf } from '../template/attributes.ts';

/**
 * set_boot_order of VirtualMachine.cc: OS/BOOT names devices by DISK_ID and NIC_ID, and becomes their ORDER. Done when the VM is made and whenever its
 * configuration is updated; attaching and detaching look at neither. A text is the refusal; what was done until then stays.
 */
export function setBootOrder(vm: Vm): string | undefined {
  const disks = disksOf(vm);
  const nics = vectorsOf(vm.template, 'NIC');
  for (const device of [...disks, ...nics]) delete device['ORDER'];
  const boot = vectorsOf(vm.template, 'OS')[0]?.['BOOT'] ?? '';
  if (boot === '') return undefined;
  for (const [at, name] of boot.split(',').entries()) {
    const [, kind, id] = /^(DISK|NIC)(\d+)$/.exec(name.toUpperCase()) ?? [];
    if (kind === undefined || id === undefined) return `Wrong OS/BOOT value: "${boot}" should be a comma-separated list of disk# or nic#`;
    const idName = `${kind}_ID`;
    const device = (kind === 'DISK' ? disks : nics).find((candidate) => Number(candidate[idName]) === Number(id));
    if (!device) return `Wrong OS/BOOT value. Device with ${idName} ${Number(id)} not found`;
    device['ORDER'] = String(at + 1);
  }
  return undefined;
}
