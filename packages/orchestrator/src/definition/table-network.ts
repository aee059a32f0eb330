import { text } from '../attributes.ts';
import type { AttributeRule, Subject } from './attribute-rule.ts';
import { networkKey } from './network-map.ts';
import { each } from './rules.ts';

const NIC_ATTRIBUTE = 'src/vnm/VirtualNetwork.cc, nic_attribute';
const ADDRESSES = ['IP', 'IP6', 'MAC'] as const;

/** OpenNebula takes one of the three, and computes the others of it from the address range. */
function addressOf({ vector }: Subject): string | undefined {
  return ADDRESSES.find((name) => text(vector[name]) !== undefined);
}

/** The network had the same value when the VM was saved, so the card has it from there; of a network that was not saved, as well. */
function isInherited({ name, value, vector, moved, plan }: Subject): boolean {
  const network = plan.facts.savedNetworks.get(networkKey(vector) ?? '');
  if (network === undefined) return true;
  return moved !== undefined ? text(network[name]) !== undefined : text(network[name]) === value;
}

const isAuto = ({ vector }: Subject): boolean => text(vector['NETWORK_MODE'])?.toUpperCase() === 'AUTO' && networkKey(vector) !== undefined;

const NETWORK: readonly AttributeRule[] = [
  {
    path: 'NIC/NETWORK_ID',
    action: 'replace',
    code: 'NETWORK_MAPPED',
    why: 'the card goes to the network that was chosen for it',
    source: 'src/vnm/VirtualNetworkPool.cc, nic_attribute',
    when: 'its network is mapped',
    applies: ({ moved }) => moved !== undefined,
    value: ({ moved }) => (moved === undefined ? undefined : String(moved.id)),
  },
  ...each('NIC', 'NETWORK NETWORK_UNAME NETWORK_UID', {
    action: 'regenerate',
    code: 'NETWORK_MAPPED',
    why: 'the new network has its own name and owner',
    source: 'src/vnm/VirtualNetworkPool.cc, nic_attribute',
    when: 'its network is mapped',
    applies: ({ moved }) => moved !== undefined,
  }),
  ...each('NIC', 'NETWORK NETWORK_ID NETWORK_UNAME NETWORK_UID', {
    action: 'keep',
    code: 'NETWORK_SAME',
    why: 'the card stays in its network',
    source: 'src/vnm/VirtualNetworkPool.cc, nic_attribute',
  }),
  ...each('NIC', 'NETWORK_MODE SCHED_REQUIREMENTS SCHED_RANK', {
    action: 'strip',
    code: 'NETWORK_CHOSEN',
    why: 'the network was chosen by the scheduler once, and stays',
    source: 'src/vm/VirtualMachineNic.cc, get_network_leases',
    when: 'NETWORK_MODE is auto',
    applies: isAuto,
  }),
];

const ADDRESS: readonly AttributeRule[] = [
  ...each('NIC', 'IP IP6 MAC', {
    action: 'regenerate',
    code: 'ADDRESS_NEW',
    why: 'the card gets a new address: the old one belongs to another network, is still in use by the original VM, or was not wanted',
    source: NIC_ATTRIBUTE,
    when: 'new addresses, or its network is mapped',
    applies: ({ plan, moved }) => plan.nics !== 'keep' || moved !== undefined,
  }),
  ...each('NIC', 'IP IP6 MAC', {
    action: 'regenerate',
    code: 'ADDRESS_FOLLOWS',
    why: 'of IP, IP6 and MAC only one may be asked for; this one follows from it in the same address range',
    source: NIC_ATTRIBUTE,
    when: 'another of them is kept',
    applies: (subject) => addressOf(subject) !== subject.name,
  }),
  ...each('NIC', 'IP IP6 MAC', { action: 'keep', code: 'ADDRESS_SAME', why: 'the card asks for the address it had', source: NIC_ATTRIBUTE }),
  ...each('NIC', 'IP6_LINK IP6_GLOBAL IP6_ULA', {
    action: 'regenerate',
    code: 'ADDRESS_FOLLOWS',
    why: 'it follows from MAC and network',
    source: 'src/vnm/AddressRange.cc, set_ip6',
  }),
];

/** INHERIT_VNET_ATTR of a stock oned.conf, and what address ranges add. */
const INHERITABLE =
  'VLAN_TAGGED_ID FILTER FILTER_IP_SPOOFING FILTER_MAC_SPOOFING MTU GUEST_MTU METRIC IP6_METRIC METHOD IP6_METHOD INBOUND_AVG_BW INBOUND_PEAK_BW ' +
  'INBOUND_PEAK_KB OUTBOUND_AVG_BW OUTBOUND_PEAK_BW OUTBOUND_PEAK_KB CONF BRIDGE_CONF OVS_BRIDGE_CONF IP_LINK_CONF EXTERNAL_IP GATEWAY GATEWAY6 ' +
  'DNS SEARCH_DOMAIN NETWORK_ADDRESS NETWORK_MASK VXLAN_MODE VXLAN_TEP VXLAN_MC CVLANS QINQ_TYPE TRUST SPOOFCHK AWS_ALLOCATION_ID VULTR_IP_ID';

/** Written by the network. The first are always its own; the others may have been given to the card itself (INHERIT_VNET_ATTR). */
const FROM_NETWORK: readonly AttributeRule[] = [
  ...each('NIC', 'AR_ID BRIDGE BRIDGE_TYPE CLUSTER_ID VLAN_ID VN_MAD OUTER_VLAN_ID PHYDEV PARENT_NETWORK_ID TARGET', {
    action: 'regenerate',
    code: 'NIC_FROM_NETWORK',
    why: 'the network says it',
    source: NIC_ATTRIBUTE,
  }),
  ...each('NIC', INHERITABLE, {
    action: 'regenerate',
    code: 'NIC_FROM_NETWORK',
    why: 'the network says it',
    source: `${NIC_ATTRIBUTE}; INHERIT_VNET_ATTR of oned.conf`,
    when: 'the saved network says the same, or was not saved',
    applies: isInherited,
  }),
  ...each('NIC', INHERITABLE, { action: 'keep', code: 'NIC_OWN', why: 'the card was given it itself', source: NIC_ATTRIBUTE }),
];

const IDENTITY: readonly AttributeRule[] = [
  ...each('NIC', 'NIC_ID ALIAS_ID ALIAS_IDS PARENT_ID', {
    action: 'regenerate',
    code: 'NIC_RENUMBERED',
    why: 'cards are numbered from 0: NICs, then PCI NICs, then aliases, each in their old order',
    source: 'src/vm/VirtualMachineNic.cc, get_network_leases',
  }),
  {
    path: 'NIC/ORDER',
    action: 'regenerate',
    code: 'BOOT_ORDER',
    why: 'it is computed from OS/BOOT',
    source: 'src/vm/VirtualMachine.cc, set_boot_order',
  },
  {
    path: 'NIC/NAME',
    action: 'regenerate',
    code: 'NIC_RENUMBERED',
    why: 'a card that was given no name is called after its number',
    source: 'include/VirtualMachineNic.h, set_nic_name',
    when: 'a name of OpenNebula',
    applies: ({ value }) => /^NIC\d+(_ALIAS\d+)?$/.test(value),
  },
  { path: 'NIC/NAME', action: 'keep', code: 'NIC_NAMED', why: 'somebody gave the card this name', source: 'include/VirtualMachineNic.h, set_nic_name' },
  {
    path: 'NIC/PARENT',
    action: 'replace',
    code: 'NIC_RENUMBERED',
    why: 'an alias names the card it stands on, which has another number now',
    source: 'src/vm/VirtualMachineNic.cc, get_network_leases',
    when: 'its name changes',
    applies: ({ value, plan }) => (plan.nicNames.get(value) ?? value) !== value,
    value: ({ value, plan }) => plan.nicNames.get(value),
  },
  {
    path: 'NIC/PARENT',
    action: 'keep',
    code: 'NIC_NAMED',
    why: 'the card it stands on keeps its name',
    source: 'src/vm/VirtualMachineNic.cc, get_network_leases',
  },
  {
    path: 'NIC/SECURITY_GROUPS',
    action: 'replace',
    code: 'SECURITY_GROUP_GONE',
    why: 'security groups that do not exist any more, or that we may not use, are left out; those of the network are added by OpenNebula',
    source: 'src/vm/VirtualMachineNic.cc, authorize',
    when: 'one of them is gone',
    applies: ({ value, plan }) => value.split(',').some((id) => plan.facts.goneSecurityGroups.has(id)),
    value: ({ value, plan }) =>
      value
        .split(',')
        .filter((id) => !plan.facts.goneSecurityGroups.has(id))
        .join(',') || undefined,
  },
  ...each('NIC', 'ATTACH EXTERNAL OPENNEBULA_MANAGED VROUTER_IP VROUTER_MANAGEMENT FLOATING_IP FLOATING_ONLY', {
    action: 'strip',
    code: 'NIC_OLD_LIFE',
    why: 'it speaks of an operation under way, or of a virtual router the new VM is no part of',
    source: 'src/vm/VirtualMachineNic.cc',
  }),
  ...each('NIC', 'MODEL SECURITY_GROUPS VIRTIO_QUEUES NETWORK_MODE SCHED_REQUIREMENTS SCHED_RANK RDP* SSH* SCRIPT TYPE', {
    action: 'keep',
    code: 'NIC_OPTION',
    why: 'an option of the card',
    source: 'src/vmm/LibVirtDriverKVM.cc',
  }),
];

export const NIC_RULES: readonly AttributeRule[] = [...NETWORK, ...ADDRESS, ...FROM_NETWORK, ...IDENTITY];
