import type { Attributes, DatastoreId, DiskId, VmId } from '@onevault/one-client';
import type { Answers } from './definition/attribute-rule.ts';
import type { CaptureChoice } from './plan/plan-model.ts';

export interface BackupRequest {
  readonly vmId: VmId;
  /** auto: incremental when a parent can be trusted. full: trusts nothing, reads and looks up everything. */
  readonly mode: 'auto' | 'full';
  /** auto, or a method demanded: a snapshot also where it leaves something behind that OpenNebula cannot remove; the plan names it. */
  readonly capture: CaptureChoice;
  /** Captures also what makes the guest stand still while a whole disk is copied. */
  readonly allowLongFreeze?: boolean;
  readonly excludeDisks: readonly DiskId[];
  /** Disks read at the same time; each has its own scan workers. */
  readonly parallelDisks: number;
  /** Threads per disk. Default: as many as there are CPUs, at most 4. */
  readonly scanWorkers?: number;
  /** Name of the policy that wants it, which the manifest says for good: its retention decides on what was taken for it, and on nothing else. */
  readonly policy?: string;
}

export type NicChoice = 'keep' | 'new-addresses' | 'none';

/** A network of the saved VM, by its id or name there, and the network that takes its place. */
export interface NetworkChange {
  readonly from: string;
  readonly to: number;
}

/**
 * How a disk comes into its image. direct: written into the persistent image itself. saveas: written into an empty one that is then saved as the image
 * (disksaveas of the proxy's disk). auto: direct, but where its datastore cannot do it (ADR 51).
 */
export type RestoreMethod = 'auto' | 'direct' | 'saveas';

/** Whose the restored objects become once they are whole. Without any of it: the API user's, as OpenNebula made them. */
export interface OwnershipWish {
  /** Owner, group and permissions as they were saved, where they still exist and OpenNebula lets us; the fields below win. */
  readonly asSaved?: boolean;
  readonly userId?: number;
  readonly groupId?: number;
  /** As `onevm chmod` takes it: three octal digits, owner group other, 4 use 2 manage 1 admin. */
  readonly permissions?: string;
}

/** What every restore that makes images can be told. */
export interface RestoreWishes {
  readonly pointId: string;
  /** Default: the datastore each disk came from. */
  readonly imageDatastore?: DatastoreId;
  /** Default: auto. */
  readonly method?: RestoreMethod;
  readonly ownership?: OwnershipWish;
  /** Default: as each disk was. */
  readonly persistent?: boolean;
  /** Reads every restored disk back and compares it with the restore point's digests. */
  readonly verify: boolean;
  /** What was made stays when the run fails (not when it dies), marked so that nobody takes it for rubbish. */
  readonly keepOnFailure?: boolean;
  readonly scanWorkers?: number;
}

export interface RestoreRequest extends RestoreWishes {
  /** Name of the new VM; its images are called by it too. */
  readonly name: string;
  /** By DISK_ID of the saved VM; wins over `imageDatastore`. */
  readonly imageDatastores?: ReadonlyMap<number, DatastoreId>;
  readonly systemDatastore?: DatastoreId;
  /** Default: keep while the original VM is gone, new addresses while it lives. */
  readonly nics?: NicChoice;
  /** Networks that are replaced; all others stay what they were. */
  readonly networks?: readonly NetworkChange[];
  /** Attributes that the template gets in addition, replacing those of the same name. */
  readonly attributes?: Attributes;
  /** Answers to the questions of the definition (docs/restored-definition.md), where not the default. */
  readonly answers?: Partial<Answers>;
  /** Leaves the VM in HOLD instead of waiting for RUNNING. */
  readonly hold: boolean;
  /** Disks written at the same time; default 2. Each has a device, a reader of its own and scan workers. */
  readonly parallelDisks?: number;
}

/** One disk of a restore point, to a new image. */
export interface RestoreDiskRequest extends RestoreWishes {
  /** DISK_ID in the saved VM. */
  readonly diskId: number;
  /** Of the new image. */
  readonly name: string;
  readonly attachTo?: AttachWish;
}

/** The VM that gets the image as a disk of its own; RUNNING or POWEROFF. */
export interface AttachWish {
  readonly vmId: VmId;
  /** sdX, vdX, hdX; default: what OpenNebula picks. */
  readonly target?: string;
}
