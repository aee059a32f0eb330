import { randomBytes } from 'node:crypto';
import { hashPassword } from './methods/password-hash.ts';
import { DATASTORE_TYPE } from './model/states.ts';
import { transferDriver } from './model/transfer-driver.ts';
import { type VersionGate, versionGate } from './model/version.ts';
import type { WorldData } from './model/world-schema.ts';
import { noQuotas } from './quotas/quota-limits.ts';
import { stockRules } from './rights/acl-rule.ts';
import type { Attributes } from './template/attributes.ts';

/** The people a fresh simulator knows, with their passwords: it listens on the loopback only. */
export const SEED_USERS = { admin: { name: 'oneadmin', password: 'onevault' }, regular: { name: 'alice', password: 'alice-password' } } as const;

const ADMIN_OWNED = { uid: 0, gid: 0, permissions: [1, 1, 0, 1, 0, 0, 0, 0, 0] };
const TOTAL_MIB = 4 * 1024 * 1024;
const FIRST_USER_ID = 100;

/** What an empty directory gets: one cluster, a KVM and an LXC host, datastores of several drivers, a network, oneadmin and a regular user. */
export function seedWorld(version: string, dir: string): WorldData {
  const gate = versionGate(version);
  const defaultTm = gate.atLeast(7, 0) ? 'local' : 'ssh'; // DatastorePool.cc
  return {
    format: 1,
    version,
    next: { vm: 0, image: 0, template: 0, datastore: 130, host: 3, user: 3, operation: 1, network: 1, group: FIRST_USER_ID, cluster: FIRST_USER_ID, acl: 5 },
    vms: [],
    images: [],
    templates: [],
    operations: [],
    datastores: datastores(gate, defaultTm),
    hosts: [host(0, 'node1', 'kvm', version), host(1, 'node2-lxc', 'lxc', version), host(2, 'node3', 'kvm', version)],
    clusters: [{ id: 0, name: 'default', template: { RESERVED_CPU: [''], RESERVED_MEM: [''] } }],
    users: [
      user(0, SEED_USERS.admin.name, SEED_USERS.admin.password, 0),
      user(1, 'serveradmin', `${dir}:serveradmin`, 0),
      user(2, SEED_USERS.regular.name, SEED_USERS.regular.password, 1),
    ],
    groups: [
      { id: 0, name: 'oneadmin', template: {}, quotas: noQuotas() },
      { id: 1, name: 'users', template: {}, quotas: noQuotas() },
    ],
    acls: stockRules(),
    zoneKey: randomBytes(32).toString('hex'),
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

/** Drivers with a pair of datastores of their own: image and system, and since when there are any. */
const PAIRS: readonly {
  readonly id: number;
  readonly name: string;
  readonly tmMad: string;
  readonly since?: readonly [number, number];
  readonly thin?: true;
}[] = [
  { id: 100, name: 'qcow2', tmMad: 'qcow2' },
  { id: 102, name: 'shared', tmMad: 'shared' },
  { id: 104, name: 'ceph', tmMad: 'ceph' },
  { id: 106, name: 'lvm', tmMad: 'fs_lvm' },
  { id: 108, name: 'ssh', tmMad: 'ssh' },
  { id: 110, name: 'local', tmMad: 'local', since: [7, 0] },
  { id: 112, name: 'lvm-ssh', tmMad: 'fs_lvm_ssh' },
  { id: 114, name: 'lvm-thin', tmMad: 'fs_lvm_ssh', since: [7, 0], thin: true },
  { id: 116, name: 'lvm-direct', tmMad: 'lvm', since: [7, 4] },
];

/** Drivers whose disks lie on the shared system datastore. */
const IMAGES_ONLY: readonly { readonly id: number; readonly name: string; readonly tmMad: string; readonly since?: readonly [number, number] }[] = [
  { id: 118, name: 'dev', tmMad: 'dev' },
  { id: 120, name: 'iscsi', tmMad: 'iscsi_libvirt' },
  { id: 122, name: 'virtiofs', tmMad: 'virtiofs', since: [7, 2] },
];

/** The three of every installation, and one or two of each driver that this version has. */
function datastores(gate: VersionGate, defaultTm: string): WorldData['datastores'] {
  const there = ({ since = [6, 0] }: { readonly since?: readonly [number, number] }): boolean => gate.atLeast(since[0], since[1]);
  return [
    systemDatastore(gate, { id: 0, name: 'system', tmMad: defaultTm }),
    imageDatastore(gate, { id: 1, name: 'default', tmMad: defaultTm }),
    { ...imageDatastore(gate, { id: 2, name: 'files', tmMad: defaultTm }), type: DATASTORE_TYPE.FILE },
    ...PAIRS.filter(there).flatMap((pair) => [
      imageDatastore(gate, { ...pair, name: `images-${pair.name}` }),
      systemDatastore(gate, { ...pair, id: pair.id + 1, name: `system-${pair.name}` }),
    ]),
    ...IMAGES_ONLY.filter(there).map((one) => imageDatastore(gate, { ...one, name: `images-${one.name}` })),
    BACKUPS,
  ].sort((a, b) => a.id - b.id);
}

/** For native backups, which others take. */
const BACKUPS: WorldData['datastores'][number] = {
  id: 124,
  name: 'backups',
  ...ADMIN_OWNED,
  dsMad: 'rsync',
  tmMad: '-',
  type: DATASTORE_TYPE.BACKUP,
  diskType: 0,
  state: 0,
  clusterIds: [0],
  totalMiB: TOTAL_MIB,
  foreignMiB: 0,
  template: {
    DS_MAD: ['rsync'],
    RESTRICTED_DIRS: ['/'],
    RSYNC_HOST: ['backup'],
    RSYNC_USER: ['oneadmin'],
    SAFE_DIRS: ['/var/tmp'],
    TM_MAD: ['-'],
    TYPE: ['BACKUP_DS'],
  },
};

interface DatastoreSpec {
  readonly id: number;
  readonly name: string;
  readonly tmMad: string;
  readonly thin?: true;
}

/** How images behave on a system datastore of driver ssh (TM_MAD_CONF, *_SSH). */
const ON_SSH: Attributes = { CLONE_TARGET_SSH: ['SYSTEM'], DISK_TYPE_SSH: ['FILE'], LN_TARGET_SSH: ['SYSTEM'], TM_MAD_SYSTEM: ['ssh'] };
/** What an administrator adds so that the disks of dev, iscsi and virtiofs may lie on the shared system datastore; the stock file has no system driver for them. */
const ON_SHARED = (target: string, diskType: string): Attributes => ({
  CLONE_TARGET_SHARED: [target],
  DISK_TYPE_SHARED: [diskType],
  LN_TARGET_SHARED: ['NONE'],
  TM_MAD_SYSTEM: ['shared'],
});

const DS_MADS: Readonly<Record<string, string>> = { ceph: 'ceph', lvm: 'lvm', dev: 'dev', iscsi_libvirt: 'iscsi_libvirt', virtiofs: 'virtiofs' };
const dsMadOf = (tmMad: string): string => DS_MADS[tmMad] ?? 'fs';

function carriedBy(tmMad: string, driver: ReturnType<typeof transferDriver>): Attributes {
  if (tmMad === 'qcow2' || tmMad === 'shared' || tmMad === 'ceph') return ON_SSH;
  return IMAGES_ONLY.some((one) => one.tmMad === tmMad) ? ON_SHARED(driver.cloneTarget, driver.diskType) : {};
}

/** An attribute of 7.0 and later. */
const persistentSnapshots = (gate: VersionGate, driver: { readonly persistentSnapshots: boolean }): Attributes =>
  gate.atLeast(7, 0) ? { PERSISTENT_SNAPSHOTS: [driver.persistentSnapshots ? 'YES' : 'NO'] } : {};

function imageDatastore(gate: VersionGate, { id, name, tmMad, thin }: DatastoreSpec): WorldData['datastores'][number] {
  const driver = transferDriver(gate, tmMad);
  const dsMad = dsMadOf(tmMad);
  const template: Attributes = {
    CLONE_TARGET: [driver.cloneTarget],
    DISK_TYPE: [driver.diskType],
    DS_MAD: [dsMad],
    LN_TARGET: [driver.lnTarget],
    ...persistentSnapshots(gate, driver),
    RESTRICTED_DIRS: ['/'],
    SAFE_DIRS: ['/var/tmp'],
    TM_MAD: [tmMad],
    TYPE: [id === 2 ? 'FILE_DS' : 'IMAGE_DS'],
    ...(driver.allowOrphans === undefined ? {} : { ALLOW_ORPHANS: [tmMad === 'ceph' ? 'mixed' : driver.allowOrphans] }),
    ...(driver.driver === undefined ? {} : { DRIVER: [driver.driver] }),
    ...(tmMad === 'ceph' ? { POOL_NAME: ['one'] } : {}),
    ...(thin ? { LVM_THIN_ENABLE: ['YES'] } : {}),
    ...carriedBy(tmMad, driver),
  };
  if (id === 2) delete template['DISK_TYPE'];
  return { ...datastoreHead(gate, { id, name, tmMad }), dsMad, type: DATASTORE_TYPE.IMAGE, totalMiB: TOTAL_MIB, template };
}

function systemDatastore(gate: VersionGate, { id, name, tmMad, thin }: DatastoreSpec): WorldData['datastores'][number] {
  const driver = transferDriver(gate, tmMad);
  const movable = tmMad === 'ceph' ? 'NO' : 'YES';
  const template: Attributes = {
    DISK_TYPE: [driver.diskType],
    DS_MIGRATE: [movable],
    ...persistentSnapshots(gate, driver),
    RESTRICTED_DIRS: ['/'],
    SAFE_DIRS: ['/var/tmp'],
    SHARED: [driver.shared ? 'YES' : 'NO'],
    TM_MAD: [tmMad],
    TYPE: ['SYSTEM_DS'],
    ...(driver.allowOrphans === undefined ? {} : { ALLOW_ORPHANS: [driver.allowOrphans] }),
    ...(thin ? { LVM_THIN_ENABLE: ['YES'] } : {}),
    ...(gate.atLeast(7, 2) ? { DS_LIVE_MIGRATE: ['YES'], DS_MIGRATE_SNAP: ['YES'] } : {}),
  };
  return { ...datastoreHead(gate, { id, name, tmMad }), dsMad: '-', type: DATASTORE_TYPE.SYSTEM, totalMiB: driver.shared ? TOTAL_MIB : 0, template };
}

const DISK_TYPE_NUMBER = { FILE: 0, BLOCK: 2, RBD: 3, FILESYSTEM: 10 } as const;

function datastoreHead(gate: VersionGate, { id, name, tmMad }: DatastoreSpec) {
  const diskType = DISK_TYPE_NUMBER[transferDriver(gate, tmMad).diskType];
  return { id, name, ...ADMIN_OWNED, tmMad, diskType, state: 0, clusterIds: [0], foreignMiB: 0 };
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
    ...(/^7\.[4-9]/.test(version) && mad === 'kvm' ? { MEMORY_ENCRYPTION: ['NONE'] } : {}),
    MODELNAME: ['Simulated Processor'],
    RESERVED_CPU: [''],
    RESERVED_MEM: [''],
    TOTALCPU: [String(maxCpu)],
    TOTALMEMORY: [String(maxMemoryKiB)],
    VERSION: [version],
    VM_MAD: [mad],
  };
  return { id, name, state: 2, imMad: mad, vmMad: mad, clusterId: 0, maxCpu, maxMemoryKiB, pciDevices: [], template };
}

function user(id: number, name: string, password: string, gid: number): WorldData['users'][number] {
  return { id, name, gid, groupIds: [gid], passwordSha256: hashPassword(password), enabled: true, template: {}, tokens: [], quotas: noQuotas() };
}
