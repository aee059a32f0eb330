import { type Disk, type DiskSnapshots, datastoreId, diskId, hostId, imageId, snapshotId, type Vm, vmId } from '@onevault/one-client';

const ALL = { use: true, manage: true, admin: true };
const NONE = { use: false, manage: false, admin: false };

/** A RUNNING KVM VM as one.vm.info would give it, with only what a test cares about spelled out. */
export function buildVm(facts: Partial<Vm> = {}): Vm {
  return {
    id: vmId(6),
    name: 'web',
    uid: 0,
    gid: 0,
    userName: 'oneadmin',
    groupName: 'oneadmin',
    state: 3,
    lcmState: 3,
    prevState: 3,
    startTime: 1_760_000_000,
    hostName: 'host-1',
    diskCount: facts.disks?.length ?? 0,
    diskSizeMiB: 0,
    memoryMiB: 512,
    cpu: 1,
    deployId: 'one-6',
    uuid: '72625bab-7e45-4d62-b98e-267d63680bcf',
    disks: [],
    contextDisk: undefined,
    snapshots: [],
    history: [
      {
        seq: 0,
        startTime: 1_760_000_000,
        hostName: 'host-1',
        hostId: hostId(0),
        clusterId: 0,
        datastoreId: datastoreId(0),
        vmMad: 'kvm',
        tmMad: 'qcow2',
        action: 0,
      },
    ],
    template: {},
    userTemplate: {},
    backupConfig: {},
    backupIds: [],
    permissions: { owner: ALL, group: NONE, other: NONE },
    lock: facts.lockLevel === undefined ? undefined : { level: facts.lockLevel, ownerId: 0, since: 0 },
    lockLevel: undefined,
    guestAgent: false,
    machine: undefined,
    error: undefined,
    monitoring: {},
    schedMessage: undefined,
    xml: '<VM/>',
    ...facts,
  };
}

/** A qcow2 disk of a qcow2 datastore, not persistent. */
export function buildDisk(facts: Partial<Disk> = {}): Disk {
  return {
    diskId: diskId(0),
    imageId: imageId(10),
    imageName: 'os',
    datastoreId: datastoreId(1),
    datastoreName: 'default',
    type: 'FILE',
    format: 'qcow2',
    sizeMiB: 64,
    target: 'vda',
    devPrefix: 'vd',
    serial: undefined,
    persistent: false,
    clone: true,
    readonly: false,
    tmMad: 'qcow2',
    attributes: {},
    ...facts,
  };
}

export function buildSnapshots(disk: Disk, ids: readonly number[], nextSnapshot = (ids.at(-1) ?? -1) + 1): DiskSnapshots {
  return {
    diskId: disk.diskId,
    allowOrphans: 'NO',
    nextSnapshot,
    snapshots: ids.map((id, i) => ({
      id: snapshotId(id),
      name: `s${id}`,
      active: i === ids.length - 1,
      parent: ids[i - 1] ?? -1,
      children: [],
      date: 0,
      sizeMiB: 64,
    })),
  };
}
