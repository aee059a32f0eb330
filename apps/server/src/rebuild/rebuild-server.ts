import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyAuditLog } from '@onevault/audit-log';
import type { Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, type Logger, Scope, type Secret } from '@onevault/base';
import type { Settings } from '@onevault/composition';
import { type Database, Runs } from '@onevault/run-queue';
import { DatabaseCatalog } from '../catalog/database-catalog.ts';
import { openByName } from '../catalog/open-by-name.ts';
import { OpenRepositories } from '../catalog/open-repositories.ts';
import type { RepositoryStanding } from '../ports/catalog.ts';
import { databaseSlots } from '../scheduler/handled-slots.ts';
import { readKeptSlots } from '../scheduler/kept-slots.ts';
import { openSettings } from '../settings/settings-store.ts';
import { openStateDirectory } from '../start/state-directory.ts';
import { HALF_MADE } from './bring-back.ts';
import { fillDatabase } from './fill-database.ts';
import { emptyPostgresql, newEmbedded } from './new-database.ts';

export interface RebuildOptions {
  readonly settings: Settings;
  /** Default: the embedded database in the state directory. */
  readonly databaseUrl: Secret | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: as the settings of each repository say. */
  readonly openRepository?: (name: string, options: CallOptions) => Promise<Repository>;
}

export interface RebuildReport {
  readonly policies: readonly string[];
  readonly repositories: readonly RepositoryStanding[];
  readonly audit: { readonly records: number; readonly intact: boolean };
  /** Last good runs that are listed again. */
  readonly runs: number;
  /** False: where schedules were is known from restore points alone, as there is no file of it in the state directory. */
  readonly hasSchedules: boolean;
  /** Where the database of before lies now, for its list of runs. */
  readonly setAside: string | undefined;
}

/**
 * Makes the database anew from what it is not the truth about: settings and audit are files, restore points are in the repositories, where schedules go on is in a file and
 * in restore points. A repository that is away is told; the server fills in its points when it is back. One that was ended half-way is begun again in the same way.
 * Throws QUEUE_DATABASE_IN_USE while a server runs, SERVER_SETTINGS_INVALID.
 */
export async function rebuildServer(options: RebuildOptions, call: CallOptions = {}): Promise<RebuildReport> {
  const { clock, logger, databaseUrl } = options;
  const state = await openStateDirectory(options.settings.stateDir);
  const settings = await openSettings({ directory: state.settings, clock, logger });
  await using scope = new Scope();
  const { database, setAside } = databaseUrl === undefined ? await newEmbedded(state, clock) : { database: await emptyPostgresql(databaseUrl, clock) };
  scope.use(database);
  const kept = await readKeptSlots(state.schedules, logger);
  const openRepository = options.openRepository ?? openByName({ own: options.settings, secretsDirectory: state.secrets, settings, clock, logger });
  const repositories = scope.use(new OpenRepositories({ openRepository, clock }));
  const catalog = await DatabaseCatalog.open({ database, settings, repositories, clock, logger });
  const queue = new Runs(database, () => '');
  await fillDatabase({ catalog, settings, queue, slots: databaseSlots(catalog.db), kept: kept ?? new Map(), isLoss: true, clock, logger }, call);
  await rm(join(state.database, HALF_MADE), { force: true });
  const verdict = await verifyAuditLog(state.audit, call);
  return {
    policies: settings.current().policies.map(({ policy }) => policy.name),
    repositories: catalog.repositories(),
    audit: { records: verdict.records, intact: verdict.firstBreak === undefined },
    runs: await countRuns(database),
    hasSchedules: kept !== undefined,
    setAside,
  };
}

async function countRuns({ db }: Database): Promise<number> {
  const row = await db
    .selectFrom('onevault.run')
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
