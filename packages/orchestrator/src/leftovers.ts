import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { CloudObject, JournalStore } from './journal.ts';

/** Something of a run that is dead and that is still in the cloud. */
export interface Leftover {
  readonly runId: string;
  readonly object: CloudObject;
  /** For a person: `snapshot onevault-… (id 3) of disk 0 of VM 6`. */
  readonly label: string;
}

export declare function findLeftovers(cloud: OneApi, journals: JournalStore, options?: CallOptions): Promise<readonly Leftover[]>;
