import type { Cloud } from '../cloud.ts';
import { VM_STATE } from '../model/states.ts';
import type { Host, Vm } from '../model/world-schema.ts';
import { type Vector, vectorsOf } from '../template/attributes.ts';

type PciDevice = Host['pciDevices'][number];

/** States in which a VM has its host's devices. */
const HOLDS: readonly number[] = [VM_STATE.ACTIVE, VM_STATE.SUSPENDED, VM_STATE.POWEROFF];

/** Who has each device of the host, by SHORT_ADDRESS. */
export function pciHolders(cloud: Cloud, host: Host): ReadonlyMap<string, number> {
  const holders = new Map<string, number>();
  if (host.pciDevices.length === 0) return holders;
  for (const vm of cloud.world.vms.values()) {
    if (!HOLDS.includes(vm.state) || vm.history.at(-1)?.hostId !== host.id) continue;
    for (const device of vectorsOf(vm.template, 'PCI')) if (device['ADDRESS'] !== undefined) holders.set(device['SHORT_ADDRESS'] ?? '', vm.id);
  }
  return holders;
}

/** HostSharePCI::add: a device for each PCI of the VM, those by address first; undefined when one is missing. */
export function choosePci(cloud: Cloud, vm: Vm, host: Host): ReadonlyMap<Vector, PciDevice> | undefined {
  const taken = new Set(pciHolders(cloud, host).keys());
  const chosen = new Map<Vector, PciDevice>();
  const wanted = vectorsOf(vm.template, 'PCI');
  const byAddress = (device: Vector): boolean => device['SHORT_ADDRESS'] !== undefined && !KINDS.some((name) => (device[name] ?? '') !== '');
  for (const device of [...wanted.filter(byAddress), ...wanted.filter((one) => !byAddress(one))]) {
    const found = host.pciDevices.find((one) => !taken.has(one.shortAddress) && fits(device, one, byAddress(device)));
    if (found === undefined) return undefined;
    taken.add(found.shortAddress);
    chosen.set(device, found);
  }
  return chosen;
}

const KINDS = ['VENDOR', 'DEVICE', 'CLASS'] as const;

function fits(wanted: Vector, device: PciDevice, byAddress: boolean): boolean {
  if (byAddress) return device.shortAddress === wanted['SHORT_ADDRESS'];
  const has = { VENDOR: device.vendor, DEVICE: device.device, CLASS: device.class };
  return KINDS.every((name) => (wanted[name] ?? '') === '' || Number.parseInt(wanted[name] ?? '', 16) === Number.parseInt(has[name], 16));
}

/** HostSharePCI::pci_attribute and set_pci_address; HostShareNUMA for a pinned VM: what is written into the VM when it is placed. */
export function assignDevices(cloud: Cloud, vm: Vm, host: Host): void {
  for (const [device, { shortAddress, vendor, device: kind, class: deviceClass }] of choosePci(cloud, vm, host) ?? []) {
    const [bus = '', slot = '', fn = ''] = shortAddress.split(/[:.]/);
    const at = (Number(device['PCI_ID']) + 1).toString(16).padStart(2, '0');
    Object.assign(device, { DOMAIN: '0000', BUS: bus, SLOT: slot, FUNCTION: fn, ADDRESS: `0000:${bus}:${slot}:${fn}`, SHORT_ADDRESS: shortAddress });
    Object.assign(device, { VENDOR: vendor, DEVICE: kind, CLASS: deviceClass, NUMA_NODE: '0', VM_BUS: '0x01', VM_DOMAIN: '0x0000', VM_FUNCTION: '0x00' });
    Object.assign(device, { VM_SLOT: `0x${at}`, VM_ADDRESS: `01:${at}.0` });
  }
  let cpu = vm.id; // another place for every VM
  for (const node of vectorsOf(vm.template, 'NUMA_NODE')) {
    const cpus = Array.from({ length: Number(node['TOTAL_CPUS'] ?? 0) }, () => cpu++);
    Object.assign(node, { CPUS: cpus.join(','), NODE_ID: '0', MEMORY_NODE_ID: '0' });
  }
}
