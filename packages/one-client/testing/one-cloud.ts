import type { Secret } from '@onevault/base';
import type { OneClientOptions, VmId } from '../src/index.ts';

/** What the contract needs of an OpenNebula, real or simulated. Nothing else in it is touched, and everything the suite creates it deletes. */
export interface OneCloud extends AsyncDisposable {
  readonly endpoint: URL;
  /** `user:password` of somebody who may do everything with the two VMs and make images and templates. */
  readonly session: Secret;
  /** Of its clients: TLS trust; a clock that hurries, for a simulator. */
  readonly client?: Pick<OneClientOptions, 'http' | 'clock' | 'callTimeoutMs'>;
  /** RUNNING on KVM, disposable: snapshots of its disks are taken, it is suspended, stopped and started. */
  readonly vm: VmId;
  /** RUNNING, with access to the image datastore of the VM's first disk; free for attaching disks. */
  readonly proxyVm: VmId;
  /** How long one operation may take: seconds for a simulator, minutes for a real cloud. Taking a snapshot must take 0.2 s or more, so that a second call meets the first. */
  readonly operationTimeoutMs: number;
  /** Everything any case needs is there: one that cannot run fails, instead of being skipped. */
  readonly complete: boolean;
  /** The VM may be left with a snapshot that nobody can delete (the first one of a persistent disk). */
  readonly maySpoilVm: boolean;
}
