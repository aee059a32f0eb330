import type { OneApi } from './api.ts';
import type { CallDeps } from './caller.ts';
import { methods } from './methods.ts';
import { parseDatastore, parseHost, parseUser } from './parse-infrastructure.ts';
import { wholePool } from './pool.ts';

type InfrastructureCalls = Pick<OneApi, 'version' | 'whoAmI' | 'datastores' | 'hosts' | 'rawInfo'>;

const CALLER = -1;
const DATASTORES = { pool: 'DATASTORE_POOL', child: 'DATASTORE', parse: parseDatastore } as const;
const HOSTS = { pool: 'HOST_POOL', child: 'HOST', parse: parseHost } as const;

const RAW = {
  vn: methods.vnetInfo,
  secgroup: methods.securityGroupInfo,
  group: methods.groupInfo,
  cluster: methods.clusterInfo,
  user: methods.userInfo,
  host: methods.hostInfo,
  datastore: methods.datastoreInfo,
} as const;

export function infrastructureCalls(deps: CallDeps): InfrastructureCalls {
  const { call } = deps;
  return {
    version: (options) => call(methods.systemVersion, [], options),
    whoAmI: async (options) => parseUser(await call(methods.userInfo, [CALLER], options)),
    datastores: async (options) => wholePool(await call(methods.datastorePoolInfo, [], options), DATASTORES, deps),
    hosts: async (options) => wholePool(await call(methods.hostPoolInfo, [], options), HOSTS, deps),
    rawInfo: (kind, id, options) => call(RAW[kind], [id], options),
  };
}
