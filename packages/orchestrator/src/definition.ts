import type { Attribute, Attributes, Vm } from '@onevault/one-client';
import { text, vectors } from './attributes.ts';
import type { NicChoice } from './request.ts';

/** A disk of the new VM: an image that was restored, an empty volatile one, or a CD-ROM that still exists. */
export type NewDisk = { readonly diskId: number } & (
  | { readonly imageId: number }
  | { readonly volatile: { readonly sizeMiB: number; readonly type: string; readonly format: string | undefined } }
);

export interface DefinitionRequest {
  readonly name: string;
  readonly disks: readonly NewDisk[];
  readonly nics: NicChoice;
  readonly systemDatastore: number | undefined;
  /** Added to the template as they are: the marks of the run. */
  readonly marks: Readonly<Record<string, string>>;
  /** Version of the OpenNebula the VM was saved from, and of the one it goes to. */
  readonly savedVersion: string | undefined;
  readonly targetVersion: string;
}

/** The definition of the new VM as template attributes: what was saved, less what belongs to the old VM (opennebula.md section i.1). */
export function newDefinition(saved: Vm, request: DefinitionRequest): Attributes {
  const template = { ...without(saved.userTemplate, USER_TEMPLATE_DROPPED), ...without(saved.template, TEMPLATE_DROPPED) };
  const os = newOs(saved, request);
  const nics = request.nics === 'none' ? [] : vectors(saved.template['NIC']).map((nic) => newNic(nic, request.nics));
  return {
    ...template,
    NAME: request.name,
    ...(Object.keys(os).length > 0 && { OS: os }),
    DISK: request.disks.map((disk) => newDisk(saved, disk)),
    ...(nics.length > 0 && { NIC: nics }),
    ...each('CONTEXT', saved.template['CONTEXT'], newContext),
    ...each('GRAPHICS', saved.template['GRAPHICS'], (graphics) => without(graphics, GRAPHICS_DROPPED)),
    ...each('NUMA_NODE', saved.template['NUMA_NODE'], (node) => without(node, NUMA_DROPPED)),
    ...each('PCI', saved.template['PCI'], (device) => without(device, PCI_DROPPED)),
    ...(request.systemDatastore !== undefined && { SCHED_DS_REQUIREMENTS: `ID="${request.systemDatastore}"` }),
    ...request.marks,
  };
}

/** OpenNebula writes these itself, or they speak of the old VM's life. DISK, NIC, OS and the vectors above are rebuilt one by one. */
const TEMPLATE_DROPPED: ReadonlySet<string> = new Set(
  (
    'AUTOMATIC_REQUIREMENTS AUTOMATIC_DS_REQUIREMENTS AUTOMATIC_NIC_REQUIREMENTS VMID TEMPLATE_ID TM_MAD_SYSTEM SECURITY_GROUP_RULE CLONING_TEMPLATE_ID SNAPSHOT ' +
    'SUBMIT_ON_HOLD IMPORTED DEPLOY_ID NAME DISK NIC NIC_ALIAS OS CONTEXT GRAPHICS NUMA_NODE PCI'
  ).split(' '),
);
const USER_TEMPLATE_DROPPED: ReadonlySet<string> = new Set(
  'ERROR SCHED_MESSAGE SERVICE_ID ROLE_NAME SAVED_TEMPLATE_ID ONEVAULT_RUN ONEVAULT_STATE ONEVAULT_NAME ONEVAULT_POINT NAME'.split(' '),
);

/** Inherited from image and datastore at acquire time: a stale copy would win over the new image's own (Datastore.cc, disk_attribute). */
const DISK_DROPPED = new Set(
  (
    'ALLOW_ORPHANS CLONE CLONE_TARGET CLUSTER_ID DATASTORE DATASTORE_ID DISK_ID DISK_SNAPSHOT_TOTAL_SIZE DISK_TYPE DRIVER FORMAT FS IMAGE IMAGE_ID IMAGE_STATE IMAGE_UID IMAGE_UNAME ' +
    'LN_TARGET OPENNEBULA_MANAGED ORIGINAL_SIZE PERSISTENT PERSISTENT_SNAPSHOTS READONLY SAVE SIZE SIZE_PREV SOURCE TM_MAD TM_MAD_SYSTEM TYPE LVM_THIN_ENABLE QCOW2_STANDALONE SPARSE POOL_NAME ' +
    'ATTACH RESIZE CLONING LUKS_SECRET'
  ).split(' '),
);
const DISK_DROPPED_PREFIXES = ['CEPH_', 'ISCSI_', 'HOTPLUG_', 'DISK_SNAPSHOT_', 'GLUSTER_', 'VCENTER_'];
const NIC_DROPPED = new Set(
  (
    'AR_ID BRIDGE BRIDGE_TYPE CLUSTER_ID NAME NIC_ID TARGET VLAN_ID VN_MAD VLAN_TAGGED_ID OUTER_VLAN_ID PHYDEV PARENT_NETWORK_ID IP6_LINK IP6_GLOBAL IP6_ULA MTU GATEWAY GATEWAY6 DNS ' +
    'NETWORK_ADDRESS NETWORK_MASK GUEST_MTU METRIC SEARCH_DOMAIN ALIAS_IDS ATTACH'
  ).split(' '),
);
const NIC_ADDRESSES = new Set(['IP', 'IP6', 'MAC']);
const GRAPHICS_DROPPED = new Set(['PORT']);
const NUMA_DROPPED = new Set(['CPUS', 'MEMORY_NODE_ID', 'NODE_ID']);
const PCI_DROPPED = new Set('ADDRESS BUS DOMAIN SLOT FUNCTION NUMA_NODE PCI_ID VM_ADDRESS VM_BUS VM_DOMAIN VM_FUNCTION VM_SLOT'.split(' '));

function newDisk(saved: Vm, disk: NewDisk): Attributes {
  const old = saved.disks.find((entry) => entry.diskId === disk.diskId)?.attributes ?? {};
  const kept = Object.fromEntries(
    Object.entries(old).filter(
      ([name, value]) =>
        !DISK_DROPPED.has(name) && !DISK_DROPPED_PREFIXES.some((prefix) => name.startsWith(prefix)) && !(name === 'SERIAL' && value === 'auto'),
    ),
  );
  if ('imageId' in disk) return { IMAGE_ID: String(disk.imageId), ...kept };
  const { sizeMiB, type, format } = disk.volatile;
  return { TYPE: type, SIZE: String(sizeMiB), ...(format !== undefined && { FORMAT: format }), ...(old['FS'] !== undefined && { FS: old['FS'] }), ...kept };
}

/** A NIC may carry one of IP, IP6, MAC only (VirtualNetwork.cc): the IP, from which the MAC follows. */
function newNic(nic: Attributes, choice: NicChoice): Attributes {
  const kept = without(without(nic, NIC_DROPPED), NIC_ADDRESSES);
  if (choice !== 'keep') return kept;
  const address = ['IP', 'IP6', 'MAC'].find((name) => text(nic[name]) !== undefined);
  return address === undefined ? kept : { ...kept, [address]: nic[address] ?? '' };
}

/** 7.2 and later start a VM without MACHINE as q35; it ran as i440fx before, with other device names. Two living VMs must not share a UUID. */
function newOs(saved: Vm, request: DefinitionRequest): Attributes {
  const os = without(vectors(saved.template['OS'])[0] ?? {}, new Set(['UUID']));
  const wasOlder = request.savedVersion !== undefined && compareVersions(request.savedVersion, '7.2') < 0;
  return os['MACHINE'] === undefined && wasOlder && compareVersions(request.targetVersion, '7.2') >= 0 ? { ...os, MACHINE: 'pc' } : os;
}

/** ETH* and PCI* are made anew from the NICs. */
function newContext(context: Attributes): Attributes {
  return Object.fromEntries(Object.entries(context).filter(([name]) => name !== 'DISK_ID' && name !== 'TARGET' && !/^(ETH|PCI)\d/.test(name)));
}

function each(name: string, attribute: Attribute | undefined, rebuild: (vector: Attributes) => Attributes): Attributes {
  const rebuilt = vectors(attribute).map(rebuild);
  const [only] = rebuilt;
  if (only === undefined) return {};
  return { [name]: rebuilt.length === 1 ? only : rebuilt };
}

function without(attributes: Attributes, dropped: ReadonlySet<string>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !dropped.has(name)));
}

export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
