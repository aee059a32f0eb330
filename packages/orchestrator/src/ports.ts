import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock, Logger } from '@onevault/base';
import type { BlockDevice, ScannedRun, ScanOptions, ScanSummary, WritableBlockDevice } from '@onevault/block-cbt';
import type { OneApi, VmId } from '@onevault/one-client';
import type { DiskAttacher } from '@onevault/proxy-attach';
import type { JobEvent } from './events.ts';
import type { JournalStore } from './journal.ts';

/** Where disks are read and written: block-cbt in the proxy, anything that keeps its promises in a test. */
export interface DevicePort {
  /** `exclusive`: as for writing, so that nobody mounts or holds a device that is being read. */
  open(path: string, options?: CallOptions & { readonly exclusive?: boolean }): Promise<BlockDevice>;
  /** Exclusive: refuses a device that is mounted or held. */
  openWritable(path: string, options?: CallOptions): Promise<WritableBlockDevice>;
  scan(device: BlockDevice, options: ScanOptions): AsyncGenerator<ScannedRun, ScanSummary>;
}

/** How long an asynchronous action of OpenNebula may take before we give up on it, in ms. Copies grow with the disk. */
export interface Patience {
  /** Snapshot, attach, detach, delete, allocate. */
  readonly actionMs: number;
  /** disksaveas: `copyMs + copyMsPerGiB * size`. */
  readonly copyMs: number;
  readonly copyMsPerGiB: number;
  /** A VM to reach RUNNING. */
  readonly startMs: number;
  /** A VM somebody else is working on to become free. */
  readonly busyMs: number;
}

export const DEFAULT_PATIENCE: Patience = {
  actionMs: 10 * 60_000,
  copyMs: 30 * 60_000,
  copyMsPerGiB: 2 * 60_000,
  startMs: 15 * 60_000,
  busyMs: 15 * 60_000,
};

/** Everything a workflow touches. Composition roots fill it; workflows see nothing else of the world. */
export interface JobDeps {
  readonly cloud: OneApi;
  readonly attacher: DiskAttacher;
  /** The VM this process runs in, to which disks are attached. */
  readonly proxyVm: VmId;
  /** Detaches from another proxy VM, by its body alone: for what was left by runs that died there. */
  readonly attacherOf?: (proxyVm: VmId) => DiskAttacher;
  readonly devices: DevicePort;
  readonly repository: Repository;
  readonly journals: JournalStore;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly logger: Logger;
  /** Synchronous, must not throw; never slows data. */
  readonly emit: (event: JobEvent) => void;
  readonly patience?: Patience;
  /**
   * Awaited when a restore point is about to be committed, with the lease that it is written under held: throws when the run was given to somebody else. Whoever has it
   * since then ends that lease before doing the run again (docs/adr/0093), so that an answer which comes late does no harm.
   */
  readonly beforeCommit?: (options: CallOptions) => Promise<void>;
}

/** What is enough to think a workflow through: nothing that acts. Without a proxy VM what depends on it is unknown. */
export type LookDeps = Pick<JobDeps, 'cloud' | 'repository' | 'clock' | 'patience'> & { readonly proxyVm: VmId | undefined };

/** What a workflow needs that only speaks with OpenNebula: no proxy, no repository, no data. */
export type ControlDeps = Pick<JobDeps, 'cloud' | 'journals' | 'clock' | 'randomBytes' | 'logger' | 'emit' | 'patience'>;
