import { clusterBody, datastoreBody, hostBody } from '../bodies/infrastructure-body.ts';
import { networkBody, securityGroupBody } from '../bodies/network-body.ts';
import { groupBody, userBody } from '../bodies/people-body.ts';
import type { Cloud } from '../cloud.ts';
import { hostUsage } from '../lifecycle/placement.ts';
import { DATASTORE_TYPE, VM_STATE } from '../model/states.ts';
import type { Datastore, Host } from '../model/world-schema.ts';
import { textOf, vectorsOf } from '../template/attributes.ts';
import { noExists } from '../wire/refusal.ts';
import type { Call, Method } from './call.ts';
import { selectPool } from './pool-filter.ts';

/** DatastorePool, HostPool, ClusterPool: the whole pool, newest first, no paging. */
function pool<T extends { readonly id: number }>(name: string, objects: (cloud: Cloud) => Iterable<T>, body: (call: Call, object: T) => string): Method {
  return (call) =>
    `<${name}>${[...objects(call.cloud)]
      .sort((a, b) => b.id - a.id)
      .map((object) => body(call, object))
      .join('')}</${name}>`;
}

function info<T>(objectName: string, objects: (cloud: Cloud) => ReadonlyMap<number, T>, body: (call: Call, object: T) => string): Method {
  return (call) => {
    const id = call.params.int(1);
    const object = objects(call.cloud).get(id);
    if (!object) throw noExists(objectName, id);
    return body(call, object);
  };
}

function datastore(call: Call, object: Datastore): string {
  const unshared = object.type === DATASTORE_TYPE.SYSTEM && textOf(object.template, 'SHARED') === 'NO';
  return datastoreBody(call.cloud.world, object, call.cloud.layout.datastore(object.id), unshared ? { usedMiB: 0, freeMiB: 0 } : call.cloud.usage(object));
}

function host(call: Call, object: Host): string {
  const system = [...call.cloud.world.datastores.values()].find((candidate) => candidate.id === 1);
  const space = system ? call.cloud.usage(system) : { usedMiB: 0, freeMiB: 0 };
  return hostBody(call.cloud.world, object, { ...hostUsage(call.cloud, object), ...space, totalMiB: system?.totalMiB ?? 0 });
}

const callerOr = (call: Call, id: number): number => (id === -1 ? call.caller.id : id);

const userInfo: Method = (call) => {
  const id = callerOr(call, call.params.int(1));
  const user = call.cloud.world.users.get(id);
  if (!user) throw noExists('user', id);
  return userBody(call.cloud.world, user, { quotas: true, secrets: call.isAdmin });
};

const groupInfo: Method = (call) => {
  const asked = call.params.int(1);
  const id = asked === -1 ? call.caller.gid : asked;
  const group = call.cloud.world.groups.get(id);
  if (!group) throw noExists('group', id);
  return groupBody(call.cloud.world, group, { quotas: true });
};

/** A caller outside the admins' group sees itself only. */
const userPool: Method = (call) => {
  const users = [...call.cloud.world.users.values()].filter((user) => call.isAdmin || user.id === call.caller.id).sort((a, b) => b.id - a.id);
  return `<USER_POOL>${users.map((user) => userBody(call.cloud.world, user, { quotas: false, secrets: call.isAdmin })).join('')}</USER_POOL>`;
};

function vmsOfSecurityGroup(call: Call, id: number): number[] {
  const uses = [...call.cloud.world.vms.values()].filter(
    (vm) => vm.state !== VM_STATE.DONE && vectorsOf(vm.template, 'NIC').some((nic) => (nic['SECURITY_GROUPS'] ?? '').split(',').includes(String(id))),
  );
  return uses.map((vm) => vm.id);
}

export const infrastructureMethods: Readonly<Record<string, Method>> = {
  'one.datastorepool.info': pool('DATASTORE_POOL', (cloud) => cloud.world.datastores.values(), datastore),
  'one.datastore.info': info('datastore', (cloud) => cloud.world.datastores, datastore),
  'one.hostpool.info': pool('HOST_POOL', (cloud) => cloud.world.hosts.values(), host),
  'one.host.info': info('host', (cloud) => cloud.world.hosts, host),
  'one.clusterpool.info': pool(
    'CLUSTER_POOL',
    (cloud) => cloud.world.clusters.values(),
    (call, cluster) => clusterBody(call.cloud.world, cluster),
  ),
  'one.cluster.info': info(
    'cluster',
    (cloud) => cloud.world.clusters,
    (call, cluster) => clusterBody(call.cloud.world, cluster),
  ),
  'one.vnpool.info': (call) => {
    const networks = selectPool(call, call.cloud.world.networks.values());
    return `<VNET_POOL>${networks.map((network) => networkBody(call.cloud.world, network, { leases: false })).join('')}</VNET_POOL>`;
  },
  'one.vn.info': info(
    'virtual network',
    (cloud) => cloud.world.networks,
    (call, network) => networkBody(call.cloud.world, network, { leases: true }),
  ),
  'one.secgroup.info': info(
    'security group',
    (cloud) => cloud.world.securityGroups,
    (call, group) => securityGroupBody(call.cloud.world, group, vmsOfSecurityGroup(call, group.id)),
  ),
  'one.secgrouppool.info': (call) => {
    const groups = selectPool(call, call.cloud.world.securityGroups.values());
    return `<SECURITY_GROUP_POOL>${groups.map((group) => securityGroupBody(call.cloud.world, group, vmsOfSecurityGroup(call, group.id))).join('')}</SECURITY_GROUP_POOL>`;
  },
  'one.userpool.info': userPool,
  'one.user.info': userInfo,
  'one.grouppool.info': pool(
    'GROUP_POOL',
    (cloud) => cloud.world.groups.values(),
    (call, group) => groupBody(call.cloud.world, group, { quotas: false }),
  ),
  'one.group.info': groupInfo,
};
