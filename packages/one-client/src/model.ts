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
  readonly hostName: string;
  readonly hostId: HostId;
  readonly clusterId: number;
  readonly datastoreId: DatastoreId;
  readonly vmMad: string;
  readonly tmMad: string;
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
  readonly hostName: string | undefined;
  readonly diskCount: number;
  readonly diskSizeMiB: number;
  readonly memoryMiB: number | undefined;
  readonly cpu: number | undefined;
}

/** The full body (one.vm.info). */
export interface Vm extends VmSummary {
  readonly prevState: number;
  readonly deployId: string;
  /** TEMPLATE/OS/UUID: what the guest sees as /sys/class/dmi/id/product_uuid. */
  readonly uuid: string | undefined;
  readonly disks: readonly Disk[];
  /** TEMPLATE/CONTEXT/{DISK_ID,TARGET}: the generated ISO; its TARGET is taken. */
  readonly contextDisk: { readonly diskId: DiskId; readonly target: string | undefined } | undefined;
  readonly snapshots: readonly DiskSnapshots[];
  readonly history: readonly HistoryRecord[];
  readonly template: Attributes;
  readonly userTemplate: Attributes;
  /** BACKUPS/BACKUP_CONFIG, OpenNebula's own backup. */
  readonly backupConfig: Readonly<Record<string, string>>;
  /** LOCK/LOCKED, 1 USE .. 4 ALL. */
  readonly lockLevel: number | undefined;
  /** USER_TEMPLATE/ERROR: sticky, never cleared by OpenNebula; compare with what it was before a call. */
  readonly error: string | undefined;
  /** USER_TEMPLATE/SCHED_MESSAGE: why it stays PENDING. */
  readonly schedMessage: string | undefined;
  readonly xml: string;
}

export interface Image {
  readonly id: ImageId;
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly type: number;
  readonly state: number;
  readonly persistent: boolean;
  readonly format: string;
  readonly sizeMiB: number;
  readonly datastoreId: DatastoreId;
  readonly datastoreName: string;
  readonly runningVms: number;
  readonly vmIds: readonly VmId[];
  readonly registeredAt: number;
  readonly snapshotCount: number;
  readonly error: string | undefined;
  readonly template: Attributes;
  readonly xml: string;
}

export interface Datastore {
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
  readonly xml: string;
}

export interface Template {
  readonly id: TemplateId;
  readonly name: string;
  readonly xml: string;
}

export interface User {
  readonly id: number;
  readonly name: string;
  readonly groupIds: readonly number[];
  readonly xml: string;
}
