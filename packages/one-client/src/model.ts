/**
 * OpenNebula's objects as this product reads them. Names and units are OpenNebula's: sizes of disks and images in MiB (it knows no finer unit),
 * times in seconds since the epoch. `xml` keeps the body as it came: what is not modelled here is never lost.
 */
declare const brand: unique symbol;
type Id<Name extends string> = number & { readonly [brand]: Name };

export type VmId = Id<'VmId'>;
export type DiskId = Id<'DiskId'>;
export type SnapshotId = Id<'SnapshotId'>;
export type ImageId = Id<'ImageId'>;
export type DatastoreId = Id<'DatastoreId'>;
export type HostId = Id<'HostId'>;
export type TemplateId = Id<'TemplateId'>;

export const vmId = (id: number): VmId => id as VmId;
export const diskId = (id: number): DiskId => id as DiskId;
export const snapshotId = (id: number): SnapshotId => id as SnapshotId;
export const imageId = (id: number): ImageId => id as ImageId;
export const datastoreId = (id: number): DatastoreId => id as DatastoreId;
export const hostId = (id: number): HostId => id as HostId;
export const templateId = (id: number): TemplateId => id as TemplateId;

/** A template vector or value as it stands in a body: text, nested vectors, or several of the same name. */
export type Attribute = string | Attributes | readonly Attribute[];
export interface Attributes {
  readonly [name: string]: Attribute;
}

/** What one of the three parties may do with an object. */
export interface Grant {
  readonly use: boolean;
  readonly manage: boolean;
  readonly admin: boolean;
}

/** PERMISSIONS of an object: what its owner, its group and everybody else may do with it. */
export interface Permissions {
  readonly owner: Grant;
  readonly group: Grant;
  readonly other: Grant;
}

/** LOCK of an object. Level 1 refuses USE, MANAGE and ADMIN, 2 MANAGE and ADMIN, 3 ADMIN; to everybody (src/rm/RequestManagerLock.cc, "all" is 1). */
export interface Lock {
  readonly level: number;
  readonly ownerId: number;
  /** Seconds since the epoch. */
  readonly since: number;
}

/** What every object that belongs to somebody has, and all that decides who may do what with it; `mayDo` reads it. */
export interface Owned {
  readonly uid: number;
  readonly gid: number;
  readonly permissions: Permissions;
  readonly lock: Lock | undefined;
}

/** VM/TEMPLATE/DISK. A volatile disk (`TYPE` fs or swap) has no `imageId`. */
export interface Disk {
  readonly diskId: DiskId;
  readonly imageId: ImageId | undefined;
  readonly imageName: string | undefined;
  /** Of the image; for a volatile disk, of the system datastore. */
  readonly datastoreId: DatastoreId | undefined;
  readonly datastoreName: string | undefined;
  /** FILE, BLOCK, RBD, CDROM, fs, swap, … as OpenNebula wrote it. */
  readonly type: string;
  readonly format: string | undefined;
  readonly sizeMiB: number;
  readonly target: string;
  readonly devPrefix: string | undefined;
  readonly serial: string | undefined;
  readonly persistent: boolean;
  readonly clone: boolean;
  readonly readonly: boolean;
  readonly tmMad: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Snapshot {
  readonly id: SnapshotId;
  readonly name: string | undefined;
  readonly active: boolean;
  readonly parent: number;
  readonly children: readonly SnapshotId[];
  readonly date: number;
  readonly sizeMiB: number;
}

/** VM/SNAPSHOTS: stays, empty, after a disk's last snapshot is deleted. */
export interface DiskSnapshots {
  readonly diskId: DiskId;
  /** Resolved mode: NO, YES, MIXED or LINEAR. */
  readonly allowOrphans: string;
  readonly nextSnapshot: number;
  readonly snapshots: readonly Snapshot[];
}

export interface HistoryRecord {
  readonly seq: number;
  /** When it began, in seconds: the VM was placed, started, or an action on it was begun. */
  readonly startTime: number;
  readonly hostName: string;
  readonly hostId: HostId;
  readonly clusterId: number;
  readonly datastoreId: DatastoreId;
  readonly vmMad: string;
  readonly tmMad: string;
  /** What ended the record, a number of include/VMActions.h: 0 none, 41 a revert of a disk snapshot. */
  readonly action: number;
}

/** What a pool listing (one.vmpool.info) is sure to carry. */
export interface VmSummary {
  readonly id: VmId;
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Numbers of `states.ts`; print with `vmStateName`. LCM_STATE means something only while STATE is ACTIVE. */
  readonly state: number;
  readonly lcmState: number;
  readonly startTime: number;
  /** Its name at the hypervisor; for KVM the domain's uuid. Empty until it is deployed. */
  readonly deployId: string;
  readonly hostName: string | undefined;
  readonly diskCount: number;
  readonly diskSizeMiB: number;
  readonly memoryMiB: number | undefined;
  readonly cpu: number | undefined;
}

/** The full body (one.vm.info). */
export interface Vm extends VmSummary, Owned {
  readonly prevState: number;
  /** TEMPLATE/OS/UUID: what the guest sees as /sys/class/dmi/id/product_uuid. */
  readonly uuid: string | undefined;
  readonly disks: readonly Disk[];
  /** TEMPLATE/CONTEXT/{DISK_ID,TARGET}: the generated ISO; its TARGET is taken. */
  readonly contextDisk: { readonly diskId: DiskId; readonly target: string | undefined } | undefined;
  readonly snapshots: readonly DiskSnapshots[];
  readonly history: readonly HistoryRecord[];
  readonly template: Attributes;
  readonly userTemplate: Attributes;
  /** What its host measured last; empty until the first poll. Custom values of the guest agent's are in it (im_mad/remotes/lib/kvm.rb). */
  readonly monitoring: Attributes;
  /** BACKUPS/BACKUP_CONFIG, OpenNebula's own backup. */
  readonly backupConfig: Readonly<Record<string, string>>;
  /** BACKUPS/BACKUP_IDS: images of OpenNebula's own backups of it. */
  readonly backupIds: readonly ImageId[];
  /** The level of `lock`. */
  readonly lockLevel: number | undefined;
  /** TEMPLATE/FEATURES/GUEST_AGENT: it has a channel for a guest agent; whether one answers is not known. */
  readonly guestAgent: boolean;
  /** TEMPLATE/OS/MACHINE; 7.2 and later write one at creation. */
  readonly machine: string | undefined;
  /** USER_TEMPLATE/ERROR: sticky, never cleared by OpenNebula; compare with what it was before a call. */
  readonly error: string | undefined;
  /** USER_TEMPLATE/SCHED_MESSAGE: why it stays PENDING. */
  readonly schedMessage: string | undefined;
  readonly xml: string;
}

export interface Image extends Owned {
  readonly id: ImageId;
  readonly name: string;
  readonly userName: string;
  readonly groupName: string;
  readonly type: number;
  readonly state: number;
  readonly persistent: boolean;
  readonly format: string;
  /** FS: what OpenNebula made on it when it was created empty; '' for most. */
  readonly fileSystem: string;
  /** Where it lies: a path, or the name of a volume; undefined until it is made. */
  readonly source: string | undefined;
  readonly sizeMiB: number;
  readonly datastoreId: DatastoreId;
  readonly datastoreName: string;
  readonly runningVms: number;
  readonly vmIds: readonly VmId[];
  readonly registeredAt: number;
  readonly snapshotCount: number;
  /** Those that stayed with a persistent image when its disk went. */
  readonly snapshots: readonly Snapshot[];
  readonly error: string | undefined;
  readonly template: Attributes;
  readonly xml: string;
}

export interface Datastore extends Owned {
  readonly id: DatastoreId;
  readonly name: string;
  /** 0 IMAGE, 1 SYSTEM, 2 FILE, 3 BACKUP. */
  readonly type: number;
  readonly state: number;
  readonly dsMad: string;
  readonly tmMad: string;
  readonly totalMiB: number;
  readonly freeMiB: number;
  readonly usedMiB: number;
  /** What oned compares a new image's virtual size with: free space, cut by LIMIT_MB (src/datastore/Datastore.cc, get_avail_mb). As old as the last monitoring. */
  readonly availableMiB: number;
  /** DATASTORE_CAPACITY_CHECK of this datastore; undefined where oned.conf decides (stock: yes). */
  readonly capacityCheck: boolean | undefined;
  readonly clusterIds: readonly number[];
  readonly template: Attributes;
  readonly xml: string;
}

export interface Host {
  readonly id: HostId;
  readonly name: string;
  readonly state: number;
  readonly vmMad: string;
  readonly clusterId: number;
  readonly clusterName: string;
  /** HOST_SHARE: CPU in hundredths of a core, after overcommitment. */
  readonly capacity: { readonly maxCpu: number; readonly usedCpu: number; readonly maxMemoryKiB: number; readonly usedMemoryKiB: number };
  /** Space of system datastores that are not shared, as this host sees it. */
  readonly datastores: readonly { readonly id: DatastoreId; readonly totalMiB: number; readonly freeMiB: number; readonly usedMiB: number }[];
  /** HOST_SHARE/PCI_DEVICES: what it can pass through to guests. */
  readonly pciDevices: readonly HostPciDevice[];
  readonly template: Attributes;
  readonly xml: string;
}

/** A PCI device of a host; ids in hexadecimal as OpenNebula writes them, `vmId` undefined while nobody has it. */
export interface HostPciDevice {
  readonly shortAddress: string;
  readonly vendor: string;
  readonly device: string;
  readonly class: string;
  readonly vmId: number | undefined;
}

/** A virtual network. The addresses in use are known of a single network only: pools leave them out. */
export interface Network extends Owned {
  readonly id: number;
  readonly name: string;
  readonly userName: string;
  readonly clusterIds: readonly number[];
  readonly vnMad: string;
  readonly usedLeases: number;
  readonly ranges: readonly AddressRange[];
  readonly template: Attributes;
  readonly xml: string;
}

export interface AddressRange {
  readonly id: number;
  /** IP4, IP6, IP6_STATIC, IP4_6, IP4_6_STATIC or ETHER. */
  readonly type: string;
  readonly firstIp: string | undefined;
  readonly firstIp6: string | undefined;
  readonly firstMac: string | undefined;
  readonly size: number;
  readonly used: number;
  readonly leases: readonly Lease[];
}

/** An address that is taken: by a VM, a reservation, a virtual router, or held by an administrator. */
export interface Lease {
  readonly ip: string | undefined;
  readonly ip6: string | undefined;
  readonly mac: string | undefined;
  readonly vmId: number | undefined;
}

export interface Template extends Owned {
  readonly id: TemplateId;
  readonly name: string;
  readonly registeredAt: number;
  readonly template: Attributes;
  readonly xml: string;
}

export interface User {
  readonly id: number;
  readonly name: string;
  /** Primary group: the one its new objects and their quota belong to. */
  readonly gid: number;
  readonly groupIds: readonly number[];
  readonly template: Attributes;
  /** Absent in pools. OpenNebula does not enforce them for uid 0. */
  readonly quotas: Quotas;
  readonly xml: string;
}

export interface Group {
  readonly id: number;
  readonly name: string;
  readonly userIds: readonly number[];
  readonly adminIds: readonly number[];
  readonly template: Attributes;
  /** OpenNebula does not enforce them for gid 0. */
  readonly quotas: Quotas;
  readonly xml: string;
}

/** One row of a quota: numbers by metric (`SIZE`, `IMAGES`, `VMS`, `SYSTEM_DISK_SIZE`, …) as OpenNebula names them. */
export interface QuotaRow {
  /** The datastore, image or network; undefined for VMs. */
  readonly id: number | undefined;
  /** Of VM quotas that count only in some clusters (7.2 and later). */
  readonly clusterIds: readonly number[];
  /** -1: the default's; -2: unlimited. */
  readonly limits: Readonly<Record<string, number>>;
  readonly used: Readonly<Record<string, number>>;
}

export type QuotaKind = 'datastore' | 'network' | 'vm' | 'image';
export type QuotaTable = Readonly<Record<QuotaKind, readonly QuotaRow[]>>;

/** What a user or group may use; read with `datastoreQuota`, `vmQuota`, `imageQuota`. */
export interface Quotas {
  readonly own: QuotaTable;
  /** Of the cloud, for users or for groups: what a limit of -1 means. */
  readonly defaults: QuotaTable;
}
