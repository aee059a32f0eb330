import type { VersionGate } from '../model/version.ts';
import type { Vm } from '../model/world-schema.ts';
import { type Attributes, isYes, setText, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import { allocate } from '../wire/refusal.ts';

const refused = (why: string): Error => allocate('virtual machine', why);

export function isPinned(template: Attributes): boolean {
  const policy = vectorsOf(template, 'TOPOLOGY')[0]?.['PIN_POLICY']?.toUpperCase();
  return policy !== undefined && policy !== 'NONE';
}

/** VirtualMachine::parse_topology, before anything is allocated: checks the layout, and makes NUMA_NODEs, whose MEMORY it takes in MiB and stores in KiB. */
export function parseTopology(template: Attributes): void {
  const [given] = vectorsOf(template, 'TOPOLOGY');
  const nodes = vectorsOf(template, 'NUMA_NODE');
  if (given === undefined && nodes.length === 0) return;
  const topology = given ?? {};
  template['TOPOLOGY'] = [topology];
  const memory = Number(textOf(template, 'MEMORY') ?? 0);
  const vcpu = Number(textOf(template, 'VCPU') ?? 1);
  setText(template, 'VCPU', String(vcpu));
  if (textOf(template, 'VCPU_MAX') !== undefined) throw refused('VM with TOPOLOGY does not support CPU hotplug (VCPU_MAX)');
  const [sockets, cores, threads] = ['SOCKETS', 'CORES', 'THREADS'].map((name) => Number(topology[name] ?? 0));
  if (isPinned(template)) {
    setText(template, 'CPU', String(vcpu));
    pinned(template, topology, nodes, { memory, vcpu, sockets: sockets ?? 0 });
  } else unpinned(template, topology, { memory, vcpu, sockets: sockets ?? 0, cores: cores ?? 0, threads: threads ?? 0 });
}

interface Capacity {
  readonly memory: number;
  readonly vcpu: number;
  readonly sockets: number;
}

function unpinned(
  template: Attributes,
  topology: Vector,
  { memory, vcpu, sockets, cores, threads }: Capacity & { readonly cores: number; readonly threads: number },
): void {
  if (sockets === 0 && cores === 0 && threads === 0) Object.assign(topology, { SOCKETS: '1', CORES: String(vcpu), THREADS: '1' });
  else if (sockets === 0 || cores === 0 || threads === 0)
    throw refused('Non-pinned VMs with a virtual topology needs to set  SOCKETS, CORES and THREADS numbers.');
  else if (sockets * cores * threads !== vcpu) throw refused('Total threads per core and socket needs to match VCPU');
  topology['PIN_POLICY'] = 'NONE';
  delete template['NUMA_NODE'];
  if (topology['NODE_AFFINITY'] !== undefined || topology['HUGEPAGE_SIZE'] !== undefined) template['NUMA_NODE'] = [nodeOf(vcpu, memory)];
}

function pinned(template: Attributes, topology: Vector, nodes: readonly Vector[], { memory, vcpu, sockets }: Capacity): void {
  if (topology['NODE_AFFINITY'] !== undefined) throw refused('NUMA node affinity cannot be set for pinned VMs');
  const count = sockets === 0 ? Math.max(1, nodes.length) : sockets;
  topology['SOCKETS'] = String(count);
  if (nodes.length === 0) {
    if (vcpu % count !== 0) throw refused('VCPU is not multiple of the number of NUMA nodes');
    if (memory % count !== 0) throw refused('MEMORY is not multiple of the number of NUMA nodes');
    template['NUMA_NODE'] = Array.from({ length: count }, () => nodeOf(vcpu / count, memory / count));
    return;
  }
  const made = nodes.map((node) => ({ cpus: Number(node['TOTAL_CPUS'] ?? 0), memory: Number(node['MEMORY'] ?? 0), distance: node['DISTANCE'] }));
  if (made.some((node) => (node.cpus === 0) !== (node.memory === 0))) throw refused('NUMA_NODE capacity cannot be MEMORY or CPU only');
  if (made.reduce((sum, node) => sum + node.cpus, 0) !== vcpu) throw refused('Total CPUS of NUMA nodes is different from VM VCPU');
  if (made.reduce((sum, node) => sum + node.memory, 0) !== memory) throw refused('Total MEMORY of NUMA nodes is different from VM MEMORY');
  template['NUMA_NODE'] = made.map((node) => ({ ...nodeOf(node.cpus, node.memory), ...(node.distance === undefined ? {} : { DISTANCE: node.distance }) }));
}

const nodeOf = (cpus: number, memoryMiB: number): Vector => ({ TOTAL_CPUS: String(cpus), MEMORY: String(memoryMiB * 1024) });

/** What a host writes when it assigns a device, which 7.0.2 and later take out of a template again. */
const ASSIGNED = ['DOMAIN', 'BUS', 'SLOT', 'FUNCTION', 'ADDRESS', 'PREV_ADDRESS', 'NUMA_NODE', 'UUID', 'MDEV_MODE'];

/** VirtualMachine::parse_pci and check_pci_attributes. */
export function parsePci(version: VersionGate, vm: Vm): void {
  for (const [id, device] of vectorsOf(vm.template, 'PCI').entries()) {
    device['PCI_ID'] = String(id);
    const kinds = ['VENDOR', 'DEVICE', 'CLASS'].filter((name) => (device[name] ?? '') !== '');
    const wrong = kinds.find((name) => !/^(0x)?[0-9a-f]+$/i.test(device[name] ?? ''));
    if (wrong !== undefined) throw refused(`Wrong Hex value for PCI attribute ${wrong}`);
    const byAddress = (device['SHORT_ADDRESS'] ?? '') !== '';
    if (!byAddress && kinds.length === 0) throw refused('SHORT_ADDRESS, DEVICE, VENDOR or CLASS must be defined for PCI.');
    if (byAddress && kinds.length > 0) throw refused('SHORT_ADDRESS cannot be set with DEVICE, VENDOR or CLASS');
    if (!version.atLeast(7, 0, 2)) continue;
    device['VM_BUS'] ??= '0x01'; // PCI_PASSTHROUGH_BUS
    for (const name of ASSIGNED) delete device[name];
  }
}

/** generate_network_context and generate_pci_context, for NETWORK=YES: addresses of the cards, and where the guest finds its devices. */
export function generateContext(vm: Vm): void {
  const [context] = vectorsOf(vm.template, 'CONTEXT');
  if (context === undefined) return;
  for (const device of vectorsOf(vm.template, 'PCI')) {
    if (device['TYPE'] === 'NIC' && device['VM_ADDRESS'] !== undefined) context[`PCI${device['PCI_ID']}_ADDRESS`] = device['VM_ADDRESS'];
  }
  if (!isYes(context['NETWORK'])) return;
  for (const card of vectorsOf(vm.template, 'NIC')) addressed(context, `ETH${card['NIC_ID']}`, card);
  for (const card of vectorsOf(vm.template, 'NIC_ALIAS')) addressed(context, `ETH${card['PARENT_ID']}_ALIAS${card['ALIAS_ID']}`, card);
}

function addressed(context: Vector, prefix: string, card: Vector): void {
  for (const name of ['IP', 'MAC', 'DNS', 'GATEWAY', 'MTU']) context[`${prefix}_${name}`] = card[name] ?? '';
}
