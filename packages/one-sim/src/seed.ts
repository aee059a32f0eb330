import { hashPassword } from './methods/dispatch.ts';
import { DATASTORE_TYPE } from './model/states.ts';
import { transferDriver } from './model/transfer-driver.ts';
import type { WorldData } from './model/world-schema.ts';
import type { Attributes } from './template/attributes.ts';

/** The people a fresh simulator knows, with their passwords: it listens on the loopback only. */
export const SEED_USERS = { admin: { name: 'oneadmin', password: 'onevault' }, regular: { name: 'alice', password: 'alice-password' } } as const;

const ADMIN_OWNED = { uid: 0, gid: 0, permissions: [1, 1, 0, 1, 0, 0, 0, 0, 0] };
const TOTAL_MIB = 4 * 1024 * 1024;
const FIRST_USER_ID = 100;

/** What an empty directory gets: one cluster, a KVM and an LXC host, datastores of several drivers, a network, oneadmin and a regular user. */
export function seedWorld(version: string, dir: string): WorldData {
  const modern = !version.startsWith('6.');
  const defaultTm = modern ? 'local' : 'ssh';
  return {
    format: 1,
    version,
    next: { vm: 0, image: 0, template: 0, datastore: 110, host: 2, user: 3, operation: 1, network: 1, group: FIRST_USER_ID, cluster: FIRST_USER_ID },
    vms: [],
    images: [],
    templates: [],
    operations: [],
    datastores: [
      systemDatastore(0, 'system', defaultTm, version),
      imageDatastore(1, 'default', defaultTm),
      { ...imageDatastore(2, 'files', defaultTm), type: DATASTORE_TYPE.FILE },
      imageDatastore(100, 'images-qcow2', 'qcow2'),
      systemDatastore(101, 'system-qcow2', 'qcow2', version),
      imageDatastore(102, 'images-shared', 'shared'),
      systemDatastore(103, 'system-shared', 'shared', version),
      imageDatastore(104, 'images-ceph', 'ceph'),
      systemDatastore(105, 'system-ceph', 'ceph', version),
      imageDatastore(106, 'images-lvm', 'fs_lvm'),
      systemDatastore(107, 'system-lvm', 'fs_lvm', version),
      imageDatastore(108, 'images-ssh', 'ssh'),
      systemDatastore(109, 'system-ssh', 'ssh', version),
    ],
    hosts: [host(0, 'node1', 'kvm', version), host(1, 'node2-lxc', 'lxc', version)],
    clusters: [{ id: 0, name: 'default', template: { RESERVED_CPU: [''], RESERVED_MEM: [''] } }],
    users: [
      user(0, SEED_USERS.admin.name, SEED_USERS.admin.password, 0),
      user(1, 'serveradmin', `${dir}:serveradmin`, 0),
      user(2, SEED_USERS.regular.name, SEED_USERS.regular.password, 1),
    ],
    groups: [
      { id: 0, name: 'oneadmin', template: {} },
      { id: 1, name: 'users', template: {} },
    ],
    networks: [
      {
        id: 0,
        name: 'lan',
        ...ADMIN_OWNED,
        permissions: [1, 1, 0, 1, 0, 0, 1, 0, 0],
        bridge: 'br0',
        vnMad: 'bridge',
        clusterIds: [0],
        template: { BRIDGE: ['br0'], OUTER_VLAN_ID: [''], PHYDEV: [''], SECURITY_GROUPS: ['0'], VLAN_ID: [''], VN_MAD: ['bridge'] },
        firstIp: '192.168.150.10',
        size: 200,
        leases: {},
      },
    ],
    securityGroups: [
      {
        id: 0,
        name: 'default',
        ...ADMIN_OWNED,
        permissions: [1, 1, 0, 1, 0, 0, 1, 0, 0],
        template: {
          DESCRIPTION: ['The default security group is added to every network.'],
          RULE: [
            { PROTOCOL: 'ALL', RULE_TYPE: 'OUTBOUND' },
            { PROTOCOL: 'ALL', RULE_TYPE: 'INBOUND' },
          ],
        },
      },
    ],
  };
}

/** How images behave on a system datastore of driver ssh. */
const ON_SSH: Attributes = { CLONE_TARGET_SSH: ['SYSTEM'], DISK_TYPE_SSH: ['FILE'], LN_TARGET_SSH: ['SYSTEM'] };

function imageDatastore(id: number, name: string, tmMad: string): WorldData['datastores'][number] {
  const driver = transferDriver(tmMad);
  const template: Attributes = {
    CLONE_TARGET: [driver.cloneTarget],
    DISK_TYPE: [driver.diskType],
    DS_MAD: [tmMad === 'ceph' ? 'ceph' : 'fs'],
    LN_TARGET: [driver.lnTarget],
    PERSISTENT_SNAPSHOTS: ['YES'],
    RESTRICTED_DIRS: ['/'],
    SAFE_DIRS: ['/var/tmp'],
    TM_MAD: [tmMad],
    TYPE: [id === 2 ? 'FILE_DS' : 'IMAGE_DS'],
    ...(driver.allowOrphans === undefined ? {} : { ALLOW_ORPHANS: [tmMad === 'ceph' ? 'mixed' : driver.allowOrphans] }),
    ...(driver.driver === undefined ? {} : { DRIVER: [driver.driver] }),
    ...(tmMad === 'qcow2' || tmMad === 'shared' ? { TM_MAD_SYSTEM: ['ssh'], ...ON_SSH } : {}),
    ...(tmMad === 'ceph' ? { POOL_NAME: ['one'], TM_MAD_SYSTEM: ['ssh'], ...ON_SSH } : {}),
  };
  if (id === 2) delete template['DISK_TYPE'];
  return { ...datastoreHead(id, name, tmMad), dsMad: tmMad === 'ceph' ? 'ceph' : 'fs', type: DATASTORE_TYPE.IMAGE, totalMiB: TOTAL_MIB, template };
}

function systemDatastore(id: number, name: string, tmMad: string, version: string): WorldData['datastores'][number] {
  const driver = transferDriver(tmMad);
  const since72 = /^7\.[2-9]/.test(version) ? { DS_LIVE_MIGRATE: ['YES'], DS_MIGRATE_SNAP: ['YES'] } : {};
  const template: Attributes = {
    DISK_TYPE: [driver.diskType],
    DS_MIGRATE: [tmMad === 'ceph' ? 'NO' : 'YES'],
    PERSISTENT_SNAPSHOTS: ['YES'],
    RESTRICTED_DIRS: ['/'],
    SAFE_DIRS: ['/var/tmp'],
    SHARED: [driver.shared ? 'YES' : 'NO'],
    TM_MAD: [tmMad],
    TYPE: ['SYSTEM_DS'],
    ...(driver.allowOrphans === undefined ? {} : { ALLOW_ORPHANS: [driver.allowOrphans] }),
    ...since72,
  };
  const totalMiB = driver.shared ? TOTAL_MIB : 0;
  return { ...datastoreHead(id, name, tmMad), dsMad: '-', type: DATASTORE_TYPE.SYSTEM, totalMiB, template };
}

const DISK_TYPE_NUMBER = { FILE: 0, BLOCK: 2, RBD: 3 } as const;

function datastoreHead(id: number, name: string, tmMad: string) {
  return { id, name, ...ADMIN_OWNED, tmMad, diskType: DISK_TYPE_NUMBER[transferDriver(tmMad).diskType], state: 0, clusterIds: [0], foreignMiB: 0 };
}

function host(id: number, name: string, mad: string, version: string): WorldData['hosts'][number] {
  const maxCpu = 6400;
  const maxMemoryKiB = 256 * 1024 * 1024;
  const template: Attributes = {
    ARCH: ['x86_64'],
    CGROUPS_VERSION: ['2'],
    CPUSPEED: ['0'],
    HOSTNAME: [name],
    HYPERVISOR: [mad],
    IM_MAD: [mad],
    ...(mad === 'kvm' ? { KVM_CPU_FEATURES: ['avx,avx2,sse4.2'], KVM_CPU_MODEL: ['Broadwell'], KVM_CPU_MODELS: ['Broadwell'], KVM_MACHINES: ['pc q35'] } : {}),
    MODELNAME: ['Simulated Processor'],
    RESERVED_CPU: [''],
    RESERVED_MEM: [''],
    TOTALCPU: [String(maxCpu)],
    TOTALMEMORY: [String(maxMemoryKiB)],
    VERSION: [version],
    VM_MAD: [mad],
  };
  return { id, name, state: 2, imMad: mad, vmMad: mad, clusterId: 0, maxCpu, maxMemoryKiB, template };
}

function user(id: number, name: string, password: string, gid: number): WorldData['users'][number] {
  return { id, name, gid, groupIds: [gid], passwordSha256: hashPassword(password), enabled: true, template: {} };
}
