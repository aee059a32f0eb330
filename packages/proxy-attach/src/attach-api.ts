import type { CallOptions } from '@onevault/base';
import type { ScsiAddress } from './scsi-address.ts';

/** One disk of /sys/block, as read. */
export interface SysfsDisk {
  /** vdb, sda … as the guest names it: never used to decide. */
  readonly name: string;
  readonly devicePath: string;
  readonly serial: string | undefined;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** dm, md, bcache, mount points, swap, btrfs, of the disk and its partitions: somebody uses it. */
  readonly holders: readonly string[];
  /** Undefined for what is not on a SCSI bus. */
  readonly scsi: ScsiAddress | undefined;
  /** diskseq: a number that no other disk gets before the next boot (Linux 5.15 and later). */
  readonly sequence: number | undefined;
  /** Written or discarded through this kernel since the disk came, in sectors of 512 bytes; undefined when /sys does not say. */
  readonly writtenSectors: number | undefined;
}

/** The slice of OpenNebula that attaching needs; one-client satisfies it structurally. Numbers are OpenNebula's ids. */
export interface ProxyVmView {
  readonly state: number;
  readonly lcmState: number;
  readonly error: string | undefined;
  readonly disks: readonly {
    readonly diskId: number;
    readonly imageId: number | undefined;
    readonly target: string;
    readonly serial: string | undefined;
    readonly sizeMiB: number;
  }[];
  readonly contextDisk: { readonly target: string | undefined } | undefined;
}
export interface HotplugApi {
  /** The proxy VM as OpenNebula sees it. */
  view(options?: CallOptions): Promise<ProxyVmView>;
  attachDisk(disk: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  detachDisk(diskId: number, options?: CallOptions): Promise<void>;
  /** Polls the view until `done` (which may throw); throws on timeout. */
  waitFor(done: (view: ProxyVmView) => boolean, options: CallOptions & { readonly timeoutMs: number; readonly what: string }): Promise<ProxyVmView>;
}

export interface AttachRequest {
  readonly imageId: number;
  /** The device must have exactly this size (an image of S MiB has S * 1048576 bytes). */
  readonly sizeBytes: number;
  /** The device may be this much smaller, never larger; 1 MiB for an image whose SIZE OpenNebula rounded up. Default 0. */
  readonly sizeToleranceBytes?: number;
  /** At most 20 characters of [0-9A-Za-z-._]; from `newSerial()`. The caller journals it before the call. */
  readonly serial: string;
  readonly readOnly: boolean;
}

/**
 * How a device was told from all others. serial: our serial, of 80 random bits. scsi: the SCSI address that the TARGET stands for, vacant before. Both:
 * they name the same device. difference: the one disk that came while nobody else could plug any, of the exact size, never written to.
 */
export type IdentifiedBy = 'serial' | 'serial+scsi' | 'scsi' | 'difference';

export interface AttachedDisk {
  readonly diskId: number;
  readonly imageId: number;
  readonly serial: string;
  readonly target: string;
  readonly devicePath: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly identifiedBy: IdentifiedBy;
  /** As the kernel knows it, to recognise it later by: its name comes to mean another disk once this one is gone. */
  readonly device: Pick<SysfsDisk, 'name' | 'serial' | 'scsi' | 'sequence'>;
}

export interface DiskAttacher {
  /** Attaches, waits, identifies, checks. On failure nothing of this call stays attached (or the error says what does). Hot-plugs run one at a time. */
  attach(request: AttachRequest, options?: CallOptions): Promise<AttachedDisk>;
  /**
   * The device is still the one that was attached, of its size, read-only as asked, and used by nobody; throws ATTACH_DEVICE_CHANGED or
   * ATTACH_DEVICE_IN_USE otherwise. To be asked after each open: what an open descriptor means cannot change any more.
   */
  confirm(disk: AttachedDisk, options?: CallOptions): Promise<void>;
  /** Detaches and checks that it is gone from the VM body and from /sys. Idempotent: what is not there is detached. Everything on it must be closed. */
  detach(disk: { readonly serial: string; readonly imageId: number }, options?: CallOptions): Promise<void>;
  /** Nothing is plugged or unplugged while this runs, here or in other processes: for work that OpenNebula does nothing else with the proxy VM beside. */
  exclusively<T>(work: () => Promise<T>, options?: CallOptions): Promise<T>;
  /** What of a journalled attachment is still there, by serial. */
  find(serial: string, options?: CallOptions): Promise<{ readonly diskId: number } | undefined>;
}
