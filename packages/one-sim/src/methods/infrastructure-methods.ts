import { clusterBody, datastoreBody, hostBody } from '../bodies/infrastructure-body.ts';
import { networkBody, securityGroupBody } from '../bodies/network-body.ts';
import { pciHolders } from '../lifecycle/host-devices.ts';
import { hostUsage } from '../lifecycle/placement.ts';
import { DATASTORE_TYPE, VM_STATE } from '../model/states.ts';
import type { Cluster, Datastore, Host, Network } from '../model/world-schema.ts';
import { mayDo, ownedObject, plainObject } from '../rights/authorization.ts';
import { textOf, vectorsOf } from '../template/attributes.ts';
import { noExists } from '../wire/refusal.ts';
import { authorize, type Call, datastoreOf, type Method, onDatastore } from './call.ts';
import { selectPool, visiblePool } from './pool-filter.ts';

function datastore(call: Call, object: Datastore): string {
  const unshared = object.type === DATASTORE_TYPE.SYSTEM && textOf(object.template, 'SHARED') === 'NO';
  return datastoreBody(call.cloud.world, object, call.cloud.layout.datastore(object.id), unshared ? { usedMiB: 0, freeMiB: 0 } : call.cloud.usage(object));
}

const datastorePool: Method = (call) => {
  const visible = visiblePool(call, 'DATASTORE', call.cloud.world.datastores.values());
  return `<DATASTORE_POOL>${visible.map((object) => datastore(call, object)).join('')}</DATASTORE_POOL>`;
};

const datastoreInfo: Method = (call) => {
  const object = datastoreOf(call, call.params.int(1));
  authorize(call, 'USE', onDatastore(object), { ignoreLock: true });
  return datastore(call, object);
};

function host(call: Call, object: Host): string {
  const system = [...call.cloud.world.datastores.values()].find((candidate) => candidate.id === 1);
  const space = system ? call.cloud.usage(system) : { usedMiB: 0, freeMiB: 0 };
  return hostBody(call.cloud.world, object, {
    ...hostUsage(call.cloud, object),
    ...space,
    totalMiB: system?.totalMiB ?? 0,
    pciHolders: pciHolders(call.cloud, object),
  });
}

const onHost = (object: Host) => plainObject('HOST', object.id, [object.clusterId]);
const onCluster = (object: Cluster) => plainObject('CLUSTER', object.id, []);

/** HOST and CLUSTER belong to nobody: whoever is no admin sees those that a rule lets it USE, and a stock rule gives only MANAGE on hosts. */
const hostPool: Method = (call) => {
  const hosts = [...call.cloud.world.hosts.values()].filter((object) => mayDo(call.subject, { operation: 'USE', object: onHost(object) }));
  return `<HOST_POOL>${newestFirst(hosts)
    .map((object) => host(call, object))
    .join('')}</HOST_POOL>`;
};

const hostInfo: Method = (call) => {
  const id = call.params.int(1);
  const object = call.cloud.world.hosts.get(id);
  if (!object) throw noExists('host', id);
  authorize(call, 'USE', onHost(object));
  return host(call, object);
};

const clusterPool: Method = (call) => {
  const clusters = [...call.cloud.world.clusters.values()].filter((object) => mayDo(call.subject, { operation: 'USE', object: onCluster(object) }));
  return `<CLUSTER_POOL>${newestFirst(clusters)
    .map((object) => clusterBody(call.cloud.world, object))
    .join('')}</CLUSTER_POOL>`;
};

const clusterInfo: Method = (call) => {
  const id = call.params.int(1);
  const object = call.cloud.world.clusters.get(id);
  if (!object) throw noExists('cluster', id);
  authorize(call, 'USE', onCluster(object));
  return clusterBody(call.cloud.world, object);
};

const newestFirst = <T extends { readonly id: number }>(objects: readonly T[]): T[] => [...objects].sort((a, b) => b.id - a.id);

const onNetwork = (network: Network) => ownedObject('NET', network);

const networkPool: Method = (call) => {
  const networks = selectPool(call, 'NET', call.cloud.world.networks.values());
  return `<VNET_POOL>${networks.map((network) => networkBody(call.cloud.world, network, { leases: false })).join('')}</VNET_POOL>`;
};

const networkInfo: Method = (call) => {
  const id = call.params.int(1);
  const network = call.cloud.world.networks.get(id);
  if (!network) throw noExists('virtual network', id);
  authorize(call, 'USE', onNetwork(network), { ignoreLock: true });
  return networkBody(call.cloud.world, network, { leases: true });
};

const securityGroupPool: Method = (call) => {
  const groups = selectPool(call, 'SECGROUP', call.cloud.world.securityGroups.values());
  const bodies = groups.map((group) => securityGroupBody(call.cloud.world, group, vmsOfSecurityGroup(call, group.id)));
  return `<SECURITY_GROUP_POOL>${bodies.join('')}</SECURITY_GROUP_POOL>`;
};

const securityGroupInfo: Method = (call) => {
  const id = call.params.int(1);
  const group = call.cloud.world.securityGroups.get(id);
  if (!group) throw noExists('security group', id);
  authorize(call, 'USE', ownedObject('SECGROUP', group), { ignoreLock: true });
  return securityGroupBody(call.cloud.world, group, vmsOfSecurityGroup(call, group.id));
};

function vmsOfSecurityGroup(call: Call, id: number): number[] {
  const uses = [...call.cloud.world.vms.values()].filter(
    (vm) => vm.state !== VM_STATE.DONE && vectorsOf(vm.template, 'NIC').some((nic) => (nic['SECURITY_GROUPS'] ?? '').split(',').includes(String(id))),
  );
  return uses.map((vm) => vm.id);
}

export const infrastructureMethods: Readonly<Record<string, Method>> = {
  'one.datastorepool.info': datastorePool,
  'one.datastore.info': datastoreInfo,
  'one.hostpool.info': hostPool,
  'one.host.info': hostInfo,
  'one.clusterpool.info': clusterPool,
  'one.cluster.info': clusterInfo,
  'one.vnpool.info': networkPool,
  'one.vn.info': networkInfo,
  'one.secgroup.info': securityGroupInfo,
  'one.secgrouppool.info': securityGroupPool,
};
