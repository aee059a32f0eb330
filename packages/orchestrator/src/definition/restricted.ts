import type { Attributes } from '@onevault/one-client';

const IO = ['TOTAL', 'READ', 'WRITE'].flatMap((kind) =>
  ['BYTES', 'IOPS'].flatMap((unit) => ['', '_MAX', '_MAX_LENGTH'].map((end) => `${kind}_${unit}_SEC${end}`)),
);
const BANDWIDTH = ['INBOUND_AVG_BW', 'INBOUND_PEAK_BW', 'INBOUND_PEAK_KB', 'OUTBOUND_AVG_BW', 'OUTBOUND_PEAK_BW', 'OUTBOUND_PEAK_KB'];
const NIC = [...'MAC VLAN_ID BRIDGE FILTER FILTER_IP_SPOOFING FILTER_MAC_SPOOFING OPENNEBULA_MANAGED EXTERNAL VLAN_TAGGED_ID'.split(' '), ...BANDWIDTH];

const STOCK_VECTORS: Readonly<Record<string, readonly string[]>> = {
  CONTEXT: ['FILES'],
  DISK: [...IO, 'SIZE_IOPS_SEC', 'OPENNEBULA_MANAGED', 'ORIGINAL_SIZE', 'SIZE_PREV'],
  NIC,
  NIC_ALIAS: ['MAC', 'VLAN_ID', 'BRIDGE', ...BANDWIDTH, 'OPENNEBULA_MANAGED'],
  NIC_DEFAULT: ['MAC', 'VLAN_ID', 'BRIDGE', 'FILTER', 'EXTERNAL'],
  RAW: ['DATA'],
  TOPOLOGY: ['PIN_POLICY', 'HUGEPAGE_SIZE'],
  USER_INPUTS: ['CPU', 'MEMORY', 'VCPU'],
};
const STOCK_SINGLE = ['CPU_COST', 'MEMORY_COST', 'DISK_COST', 'DEPLOY_ID', 'EMULATOR', 'PCI', 'USER_PRIORITY'];

/** VM_RESTRICTED_ATTR of a stock oned.conf (6.10 to 7.4), which users outside the group oneadmin are refused. */
export const STOCK_RESTRICTED: ReadonlySet<string> = new Set([
  ...STOCK_SINGLE,
  ...Object.entries(STOCK_VECTORS).flatMap(([vector, names]) => names.map((name) => `${vector}/${name}`)),
]);

/** The same of this OpenNebula, when its configuration says; oned leaves the list out for users, and then it is the stock one. */
export function restrictedIn(configuration: Attributes | undefined): ReadonlySet<string> {
  const value = configuration?.['VM_RESTRICTED_ATTR'];
  const names = Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : typeof value === 'string' && value !== '' ? [value] : [];
  return names.length === 0 ? STOCK_RESTRICTED : new Set(names.map((name) => name.toUpperCase()));
}
