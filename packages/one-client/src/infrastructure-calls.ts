import { Secret } from '@onevault/base';
import { parseAclRule } from './acl.ts';
import type { OneApi } from './api.ts';
import type { CallDeps } from './caller.ts';
import { methods } from './methods.ts';
import { imageId, vmId } from './model.ts';
import { parseConfiguration, parseDatastore, parseGroup, parseHost, parseNames, parseUser } from './parse-infrastructure.ts';
import { parseNetwork } from './parse-network.ts';
import { wholePool } from './pool.ts';

type InfrastructureCalls = Pick<
  OneApi,
  | 'version'
  | 'whoAmI'
  | 'user'
  | 'group'
  | 'users'
  | 'groups'
  | 'aclRules'
  | 'configuration'
  | 'datastores'
  | 'datastore'
  | 'hosts'
  | 'host'
  | 'networks'
  | 'network'
  | 'rawInfo'
  | 'decryptedInfo'
>;

const CALLER = -1;
const DATASTORES = { pool: 'DATASTORE_POOL', child: 'DATASTORE', parse: parseDatastore } as const;
const HOSTS = { pool: 'HOST_POOL', child: 'HOST', parse: parseHost } as const;
const NETWORKS = { pool: 'VNET_POOL', child: 'VNET', parse: parseNetwork } as const;
const ACLS = { pool: 'ACL_POOL', child: 'ACL', parse: parseAclRule } as const;

const RAW = {
  vn: methods.vnetInfo,
  secgroup: methods.securityGroupInfo,
  group: methods.groupInfo,
  cluster: methods.clusterInfo,
  user: methods.userInfo,
  host: methods.hostInfo,
  datastore: methods.datastoreInfo,
  vmgroup: methods.vmGroupInfo,
} as const;

export function infrastructureCalls(deps: CallDeps): InfrastructureCalls {
  const { call } = deps;
  return {
    version: (options) => call(methods.systemVersion, [], options),
    whoAmI: async (options) => parseUser(await call(methods.userInfo, [CALLER], options)),
    user: async (id, options) => parseUser(await call(methods.userInfo, [id], options)),
    group: async (id, options) => parseGroup(await call(methods.groupInfo, [id], options)),
    users: async (options) => parseNames(await call(methods.userPoolInfo, [], options), 'USER'),
    groups: async (options) => parseNames(await call(methods.groupPoolInfo, [], options), 'GROUP'),
    aclRules: async (options) => wholePool(await call(methods.aclInfo, [], options), ACLS, deps),
    configuration: async (options) => parseConfiguration(await call(methods.systemConfig, [], options)),
    datastores: async (options) => wholePool(await call(methods.datastorePoolInfo, [], options), DATASTORES, deps),
    datastore: async (id, options) => parseDatastore(await call(methods.datastoreInfo, [id], options)),
    hosts: async (options) => wholePool(await call(methods.hostPoolInfo, [], options), HOSTS, deps),
    host: async (id, options) => parseHost(await call(methods.hostInfo, [id], options)),
    networks: async (options) => wholePool(await call(methods.vnetPoolInfo, [], options), NETWORKS, deps),
    network: async (id, options) => parseNetwork(await call(methods.vnetInfo, [id], options)),
    rawInfo: (kind, id, options) => call(RAW[kind], [id], options),
    decryptedInfo: async (kind, id, options) =>
      new Secret(await (kind === 'vm' ? call(methods.vmInfoDecrypted, [vmId(id)], options) : call(methods.imageInfoDecrypted, [imageId(id)], options))),
  };
}
