import type { OperationId, OperationOf } from '@onevault/api';
import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock } from '@onevault/base';
import type { QueueTally } from '@onevault/run-queue';
import type { z } from 'zod';
import type { DatabaseCatalog } from '../catalog/database-catalog.ts';
import type { Call } from '../ports/call.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { RunService } from '../ports/run-service.ts';
import type { RepositorySetting, SettingsStore } from '../ports/settings-store.ts';
import type { VmDetails } from '../ports/vm-detail.ts';
import type { ProtectionBoard } from '../protection/protection-board.ts';
import type { MadeAnew } from '../rebuild/bring-back.ts';
import type { PlaceCheck } from './check-place.ts';

/** What answers from settings, inventory and catalog. */
export interface StateDeps {
  readonly settings: SettingsStore;
  readonly inventory: Inventory & {
    /** Of when the view is: also of one from before the server was started. */
    readonly seenAt: Date | undefined;
  };
  readonly catalog: DatabaseCatalog;
  readonly board: ProtectionBoard;
  readonly runs: Pick<RunService, 'list'>;
  readonly queue: () => Promise<QueueTally>;
  readonly details: VmDetails;
  /** What dead runs left in OpenNebula; undefined while nobody has looked. */
  readonly orphans: () => number | undefined;
  /** That the database is a new one, while it is news. */
  readonly madeAnew: () => MadeAnew | undefined;
  /** Opens a repository that is not in the settings yet, or makes it. */
  readonly openPlace: (setting: RepositorySetting, options: CallOptions & { readonly create: boolean }) => Promise<Repository>;
  /** What is at a place, and what is in the way. */
  readonly checkPlace: (setting: Pick<RepositorySetting, 'place' | 'secretFile'>, options: CallOptions) => Promise<PlaceCheck>;
  readonly clock: Clock;
}

type Part<Id extends OperationId, Name extends string> =
  OperationOf<Id> extends { readonly [key in Name]: infer Schema extends z.ZodType } ? z.output<Schema> : unknown;
export type CallOf<Id extends OperationId> = Call<Part<Id, 'params'>, Part<Id, 'query'>, Part<Id, 'body'>>;
