import type { World } from '../model/world.ts';
import type { Cluster, Datastore, Host, VmTemplate } from '../model/world-schema.ts';
import { attributeElements, cdata, element, idCollection, vectorFields } from './element.ts';
import { identity, lock, permissions } from './ownership.ts';

/** Datastore::to_xml. A system datastore that is not shared reports no sizes of its own: the hosts do. */
export function datastoreBody(world: World, datastore: Datastore, basePath: string, usage: { readonly usedMiB: number; readonly freeMiB: number }): string {
  const images = [...world.images.values()].filter((image) => image.datastoreId === datastore.id);
  return element(
    'DATASTORE',
    identity(world, datastore) +
      permissions(datastore) +
      cdata('DS_MAD', datastore.dsMad) +
      cdata('TM_MAD', datastore.tmMad) +
      cdata('BASE_PATH', basePath) +
      element('TYPE', datastore.type) +
      element('DISK_TYPE', datastore.diskType) +
      element('STATE', datastore.state) +
      idCollection('CLUSTERS', datastore.clusterIds) +
      element('TOTAL_MB', datastore.totalMiB) +
      element('FREE_MB', usage.freeMiB) +
      element('USED_MB', usage.usedMiB) +
      idCollection(
        'IMAGES',
        images.map((image) => image.id),
      ) +
      element('TEMPLATE', attributeElements(datastore.template)),
  );
}

export interface HostUsage {
  readonly vmIds: readonly number[];
  readonly cpu: number;
  readonly memoryKiB: number;
  readonly totalMiB: number;
  readonly freeMiB: number;
  readonly usedMiB: number;
  /** VM that has a PCI device, by SHORT_ADDRESS. */
  readonly pciHolders: ReadonlyMap<string, number>;
}

/** Host::to_xml. */
export function hostBody(world: World, host: Host, usage: HostUsage): string {
  const disk = { FREE_MB: String(usage.freeMiB), ID: '0', TOTAL_MB: String(usage.totalMiB), USED_MB: String(usage.usedMiB) };
  const share =
    element('MEM_USAGE', usage.memoryKiB) +
    element('CPU_USAGE', usage.cpu) +
    element('TOTAL_MEM', host.maxMemoryKiB) +
    element('TOTAL_CPU', host.maxCpu) +
    element('MAX_MEM', host.maxMemoryKiB) +
    element('MAX_CPU', host.maxCpu) +
    element('RUNNING_VMS', usage.vmIds.length) +
    element('VMS_THREAD', 1) +
    element(
      'DATASTORES',
      cdata('DISK_USAGE', '0') +
        element('DS', vectorFields(disk)) +
        cdata('FREE_DISK', disk.FREE_MB) +
        cdata('MAX_DISK', disk.TOTAL_MB) +
        cdata('USED_DISK', disk.USED_MB),
    ) +
    element('PCI_DEVICES', host.pciDevices.map((device) => pciDevice(device, usage.pciHolders.get(device.shortAddress) ?? -1)).join('')) +
    element('NUMA_NODES', numaNode(host));
  return element(
    'HOST',
    element('ID', host.id) +
      element('NAME', host.name) +
      element('STATE', host.state) +
      element('PREV_STATE', host.state) +
      cdata('IM_MAD', host.imMad) +
      cdata('VM_MAD', host.vmMad) +
      element('CLUSTER_ID', host.clusterId) +
      element('CLUSTER', world.clusters.get(host.clusterId)?.name ?? '') +
      element('HOST_SHARE', share) +
      idCollection('VMS', usage.vmIds) +
      element('TEMPLATE', attributeElements(host.template)) +
      '<MONITORING/>',
  );
}

function pciDevice({ shortAddress, vendor, device, class: kind }: Host['pciDevices'][number], vmId: number): string {
  const [bus = '', slot = '', fn = ''] = shortAddress.split(/[:.]/);
  const place = { DOMAIN: '0000', BUS: bus, SLOT: slot, FUNCTION: fn, ADDRESS: `0000:${bus}:${slot}:${fn}`, SHORT_ADDRESS: shortAddress };
  return element('PCI', vectorFields({ ...place, VENDOR: vendor, DEVICE: device, CLASS: kind, TYPE: `${vendor}:${device}:${kind}`, VMID: String(vmId) }));
}

function numaNode(host: Host): string {
  const core = (id: number): string => element('CORE', vectorFields({ CPUS: `${id}:-1`, DEDICATED: 'NO', FREE: '1', ID: String(id) }));
  const page = (size: number): string => element('HUGEPAGE', vectorFields({ PAGES: '0', SIZE: String(size), USAGE: '0' }));
  const memory = element('MEMORY', vectorFields({ DISTANCE: '0', TOTAL: String(host.maxMemoryKiB), USAGE: '0' }));
  return element('NODE', core(1) + core(0) + page(2048) + page(1048576) + memory + cdata('NODE_ID', '0'));
}

export function clusterBody(world: World, cluster: Cluster): string {
  const members = (objects: Iterable<{ readonly id: number; readonly clusterIds: readonly number[] }>): number[] =>
    [...objects].filter((object) => object.clusterIds.includes(cluster.id)).map((object) => object.id);
  const hosts = [...world.hosts.values()].filter((host) => host.clusterId === cluster.id).map((host) => host.id);
  return element(
    'CLUSTER',
    element('ID', cluster.id) +
      element('NAME', cluster.name) +
      idCollection('HOSTS', hosts) +
      idCollection('DATASTORES', members(world.datastores.values())) +
      idCollection('VNETS', members(world.networks.values())) +
      element('TEMPLATE', attributeElements(cluster.template)),
  );
}

/** VMTemplate::to_xml. */
export function templateBody(world: World, template: VmTemplate): string {
  return element(
    'VMTEMPLATE',
    identity(world, template) +
      lock(template) +
      permissions(template) +
      element('REGTIME', template.regtime) +
      element('TEMPLATE', attributeElements(template.template)),
  );
}
