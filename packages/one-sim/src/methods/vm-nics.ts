import { leaseAddress, leaseMac, leaseOffset, takeLease } from '../model/network-lease.ts';
import type { Network, Vm } from '../model/world-schema.ts';
import { type Attributes, addVector, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import { allocate } from '../wire/refusal.ts';
import type { Call } from './call.ts';

/** VirtualMachine::get_network_leases: numbers and addresses for NIC, then PCI devices of TYPE NIC, then NIC_ALIAS, which name their parent by its NAME. */
export function acquireNics(call: Call, vm: Vm, wanted: Attributes): void {
  const parents = new Map<string, { readonly card: Vector; readonly id: number; readonly aliases: string[] }>();
  let nicId = 0;
  const parent = (card: Vector): void => {
    parents.set(card['NAME'] ?? '', { card, id: nicId, aliases: [] });
    nicId += 1;
  };
  for (const nic of vectorsOf(wanted, 'NIC')) {
    const card = lease(call, vm, { ...nic, NAME: nameOf(nic, `NIC${nicId}`) }, nicId);
    addVector(vm.template, 'NIC', card);
    parent(card);
  }
  for (const device of vectorsOf(vm.template, 'PCI').filter((one) => one['TYPE'] === 'NIC')) {
    Object.assign(device, lease(call, vm, { ...device, NAME: nameOf(device, `NIC${nicId}`) }, nicId));
    parent(device);
  }
  for (const alias of vectorsOf(wanted, 'NIC_ALIAS')) {
    const on = parents.get(alias['PARENT'] ?? '');
    if (on === undefined) throw allocate('virtual machine', `NIC named ${alias['PARENT'] ?? ''} not found for alias`);
    const aliasId = String(on.aliases.length);
    const named = { ...alias, PARENT_ID: String(on.id), ALIAS_ID: aliasId, NAME: nameOf(alias, `NIC${on.id}_ALIAS${aliasId}`) };
    addVector(vm.template, 'NIC_ALIAS', lease(call, vm, named, nicId));
    on.aliases.push(String(nicId));
    on.card['ALIAS_IDS'] = on.aliases.join(',');
    nicId += 1;
  }
}

/** set_nic_name: a name that looks like one of OpenNebula's own gets a `_` in front. */
function nameOf(card: Vector, own: string): string {
  const name = card['NAME'] ?? '';
  if (name === '') return own;
  return /^NIC\d+(_ALIAS\d+)?$/.test(name) ? `_${name}` : name;
}

/** VirtualNetwork::nic_attribute. */
function lease(call: Call, vm: Vm, card: Vector, nicId: number): Vector {
  const network = networkOf(call, card);
  if (typeof network === 'string') throw allocate('virtual machine', network);
  const addresses = ['IP', 'IP6', 'MAC'].filter((name) => card[name] !== undefined);
  const failure = allocate('virtual machine', `Cannot get IP/MAC lease from virtual network ${network.id}.`);
  if (addresses.length > 1) throw failure;
  const offset = takeLease(network, vm.id, card['IP'] ?? ipOfMac(network, card['MAC']));
  if (offset === undefined) throw failure;
  return {
    ...inherited(network, card),
    ...card,
    AR_ID: '0',
    BRIDGE: network.bridge,
    BRIDGE_TYPE: 'linux',
    CLUSTER_ID: network.clusterIds.join(','),
    IP: leaseAddress(network, offset),
    MAC: leaseMac(network, offset),
    NETWORK: network.name,
    NETWORK_ID: String(network.id),
    NIC_ID: String(nicId),
    SECURITY_GROUPS: joined(card['SECURITY_GROUPS'], textOf(network.template, 'SECURITY_GROUPS') ?? '0'),
    TARGET: card['TARGET'] ?? `one-${vm.id}-${nicId}`,
    VN_MAD: network.vnMad,
  };
}

/** INHERIT_VNET_ATTR of a stock oned.conf, as far as anybody here uses it: what the card says itself wins. */
const INHERITED = [
  'VLAN_TAGGED_ID',
  'FILTER',
  'FILTER_IP_SPOOFING',
  'FILTER_MAC_SPOOFING',
  'MTU',
  'METRIC',
  'GATEWAY',
  'DNS',
  'INBOUND_AVG_BW',
  'OUTBOUND_AVG_BW',
];

function inherited(network: Network, card: Vector): Vector {
  const found = INHERITED.flatMap((name) => {
    const value = textOf(network.template, name);
    return value === undefined || value === '' || card[name] !== undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

/** Those of the card and of the network, in order of number. */
function joined(own: string | undefined, networks: string): string {
  const ids = new Set([...(own ?? '').split(','), ...networks.split(',')].filter((id) => id !== '').map(Number));
  return [...ids].sort((a, b) => a - b).join(',');
}

function networkOf(call: Call, card: Vector): Network | string {
  const { networks } = call.cloud.world;
  if (card['NETWORK_ID'] !== undefined) return networks.get(Number(card['NETWORK_ID'])) ?? `Virtual network with ID: ${card['NETWORK_ID']} does not exist`;
  const found = [...networks.values()].find((network) => network.name === card['NETWORK']);
  return found ?? `User ${call.caller.id} does not own a network with name: ${card['NETWORK'] ?? ''} . Set NETWORK_UNAME or NETWORK_UID of owner in NIC.`;
}

/** An address that is in no range stays unmatched: the lease is refused. */
function ipOfMac(network: Network, mac: string | undefined): string | undefined {
  if (mac === undefined) return undefined;
  const ip = mac
    .split(':')
    .slice(2)
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
  return leaseOffset(network, ip) === undefined ? '0.0.0.0' : ip;
}
