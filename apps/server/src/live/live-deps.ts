import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock, Logger } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { DoctorDeps, JournalStore } from '@onevault/orchestrator';
import type { Inventory } from '../ports/inventory.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import type { WorkerRegistry } from '../ports/worker-registry.ts';

/** What the handlers ask, each in its own lane. */
export interface LiveDeps {
  /** As the cloud administrator that the server is: who sees what is looked at before and after. */
  readonly cloud: OneApi;
  readonly settings: Pick<SettingsStore, 'current'>;
  /** Opens a repository of the settings; whoever asked closes it. */
  readonly openRepository: (name: string, options: CallOptions) => Promise<Repository>;
  readonly inventory: Pick<Inventory, 'vm'>;
  readonly workers: WorkerRegistry;

  /** Of this process: runs of other workers are known by their marks in the cloud. */
  readonly journals: JournalStore;
  /** What the doctor of this process looks at beside cloud and repositories. */
  readonly doctor: Pick<DoctorDeps, 'frontEndTime' | 'findProxy' | 'identification' | 'storage' | 'volumes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** PATH and LIBGUESTFS_*: for the micro-VM that reads files. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}
