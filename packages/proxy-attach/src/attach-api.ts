import type { CallOptions } from '@onevault/base';

/** One disk of /sys/block, as read. */
export interface SysfsDisk {
  /** vdb, sda … as the guest names it: never used to decide. */
  readonly name: string;
  readonly devicePath: string;
  readonly serial: string | undefined;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Names under holders/ (dm, md) or mounted partitions: somebody uses it. */
  readonly holders: readonly string[];
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

export interface AttachedDisk {
  readonly diskId: number;
  readonly imageId: number;
  readonly serial: string;
  readonly target: string;
  readonly devicePath: string;
  readonly sizeBytes: number;
}

export interface DiskAttacher {
  /** Attaches, waits, identifies by serial and size. On failure nothing of this call stays attached (or the error says what does). Hot-plugs run one at a time. */
  attach(request: AttachRequest, options?: CallOptions): Promise<AttachedDisk>;
  /** Detaches and checks that it is gone from the VM body and from /sys. Idempotent: what is not there is detached. */
  detach(disk: { readonly serial: string; readonly imageId: number }, options?: CallOptions): Promise<void>;
  /** What of a journalled attachment is still there, by serial. */
  find(serial: string, options?: CallOptions): Promise<{ readonly diskId: number } | undefined>;
}
