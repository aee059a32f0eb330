import { randomBytes } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { verifyAuditLog } from '@onevault/audit-log';
import type { Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, errorCode, type Logger, Scope, type Secret } from '@onevault/base';
import { compose, type Settings } from '@onevault/composition';
import { type Database, openDatabase } from '@onevault/run-queue';
import { sql } from 'kysely';
import { DatabaseCatalog } from '../catalog/database-catalog.ts';
import { OpenRepositories } from '../catalog/open-repositories.ts';
import { notFound, ServerError } from '../errors.ts';
import type { RepositoryStanding } from '../ports/catalog.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { databaseSlots } from '../scheduler/handled-slots.ts';
import { timetableOf } from '../scheduler/timetable.ts';
import { openSettings } from '../settings/settings-store.ts';
import { openStateDirectory, type StateDirectory } from '../start/state-directory.ts';
import { repositorySettings } from '../work/repository-settings.ts';

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
  /** Where the database of before lies now, for its list of runs. */
  readonly setAside: string | undefined;
}

/**
 * Makes the database anew from what it is not the truth about: settings and audit are files, restore points are in the repositories, and when each policy ran last is
 * in its newest restore point. A repository that is away is told; the server fills in its points when it is back. The list of runs begins anew.
 * Throws QUEUE_DATABASE_IN_USE while a server runs, SERVER_SETTINGS_INVALID.
 */
export async function rebuildServer(options: RebuildOptions, call: CallOptions = {}): Promise<RebuildReport> {
  const { clock, logger, databaseUrl } = options;
  const state = await openStateDirectory(options.settings.stateDir);
  const settings = await openSettings({ directory: state.settings, clock, logger });
  await using scope = new Scope();
  const setAside = databaseUrl === undefined ? await moveAway(state, clock) : undefined;
  const place = databaseUrl === undefined ? ({ kind: 'embedded', directory: state.database } as const) : ({ kind: 'postgresql', url: databaseUrl } as const);
  const database = scope.use(await openDatabase(place, { clock }));
  await sql`drop schema if exists onevault_catalog cascade`.execute(database.db);
  const catalog = await fill(options, state, settings, database, scope, call);
  const verdict = await verifyAuditLog(state.audit, call);
  return {
    policies: settings.current().policies.map(({ policy }) => policy.name),
    repositories: catalog.repositories(),
    audit: { records: verdict.records, intact: verdict.firstBreak === undefined },
    setAside,
  };
}

/** Opened first, so that the database of a server that runs is not taken from under it. One that cannot be opened for another reason is why we are here. */
async function moveAway(state: StateDirectory, clock: Clock): Promise<string | undefined> {
  const found = await readdir(state.database);
  if (found.length === 0) return undefined;
  try {
    await using _database = await openDatabase({ kind: 'embedded', directory: state.database }, { clock });
  } catch (error) {
    if (errorCode(error) === 'QUEUE_DATABASE_IN_USE') throw error;
  }
  const aside = `${state.database}.before-${clock
    .now()
    .toISOString()
    .replace(/[-:]|\.\d+/g, '')}-${randomBytes(2).toString('hex')}`;
  await rename(state.database, aside).catch((error: unknown) => {
    throw cannotMove(state.database, error);
  });
  return aside;
}

function cannotMove(directory: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `the database ${directory} cannot be set aside: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Let the user of the server write the state directory',
    cause,
  });
}

async function fill(
  { settings: own, clock, logger, openRepository }: RebuildOptions,
  state: StateDirectory,
  settings: SettingsStore,
  database: Database,
  scope: Scope,
  call: CallOptions,
): Promise<DatabaseCatalog> {
  const bySetting = (name: string, repositoryCall: CallOptions): Promise<Repository> => {
    const setting = settings.current().repositories.find((one) => one.name === name);
    if (setting === undefined) throw notFound('repository');
    const { place, secretFile } = setting;
    const opened = repositorySettings(own, state.secrets, { name, place, ...(secretFile !== undefined && { secretFile }) });
    return compose(opened, logger, clock).openRepository(repositoryCall);
  };
  const repositories = scope.use(new OpenRepositories({ openRepository: openRepository ?? bySetting, clock }));
  const catalog = await DatabaseCatalog.open({ database, settings, repositories, clock, logger });
  await catalog.refreshAll(call);
  await rememberSlots(catalog, settings);
  return catalog;
}

/** A policy's last run is known by its newest restore point: what was missed since is made up for, and nothing comes twice. */
async function rememberSlots(catalog: DatabaseCatalog, settings: SettingsStore): Promise<void> {
  const slots = databaseSlots(catalog.db);
  const rows = await catalog.db
    .selectFrom('point')
    .select(['policy', sql<Date>`max(captured_at)`.as('newest')])
    .where('policy', 'is not', null)
    .groupBy('policy')
    .execute();
  const newest = new Map(rows.map((row) => [row.policy, row.newest.getTime()]));
  for (const { key } of timetableOf(settings.current())) {
    const handledMs = newest.get(key.policy);
    if (handledMs !== undefined) await slots.remember(key, handledMs, undefined);
  }
}
