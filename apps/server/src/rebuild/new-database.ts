import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, errorCode, Scope, Secret } from '@onevault/base';
import { type Database, openDatabase, QueueError } from '@onevault/run-queue';
import { sql } from 'kysely';
import { ServerError } from '../errors.ts';
import type { StateDirectory } from '../start/state-directory.ts';
import { HALF_MADE } from './bring-back.ts';

/**
 * Opened first, so that the database of a server that runs is not taken from under it. One that cannot be opened for another reason is why we are here; of one that a rebuild
 * before had begun there is nothing to keep.
 */
async function moveAway({ database }: StateDirectory, clock: Clock): Promise<string | undefined> {
  const found = await readdir(database);
  if (found.length === 0) return undefined;
  try {
    await using _database = await openDatabase({ kind: 'embedded', directory: database }, { clock });
  } catch (error) {
    if (errorCode(error) === 'QUEUE_DATABASE_IN_USE') throw error;
  }
  const aside = found.includes(HALF_MADE) ? undefined : nameAside(database, clock);
  const moved = aside === undefined ? rm(database, { recursive: true }) : rename(database, aside);
  await moved.catch((error: unknown) => {
    throw cannotMove(database, error);
  });
  return aside;
}

function nameAside(database: string, clock: Clock): string {
  const time = clock
    .now()
    .toISOString()
    .replace(/[-:]|\.\d+/g, '');
  return `${database}.before-${time}-${randomBytes(2).toString('hex')}`;
}

function cannotMove(directory: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `the database ${directory} cannot be set aside: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Let the user of the server write the state directory',
    cause,
  });
}

/** A new embedded one; `setAside` is where the one of before lies now. Throws QUEUE_DATABASE_IN_USE while a server runs. */
export async function newEmbedded(state: StateDirectory, clock: Clock): Promise<{ readonly database: Database; readonly setAside: string | undefined }> {
  const { database: directory } = state;
  const setAside = await moveAway(state, clock);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, HALF_MADE), '', { mode: 0o600 });
  return { database: await openDatabase({ kind: 'embedded', directory }, { clock }), setAside };
}

/** Servers call themselves so to PostgreSQL, and a rebuild calls itself otherwise. */
const APPLICATION = 'onevault';

/** One in PostgreSQL, without what is brought in anew; a queue that is there stays as it is. Throws QUEUE_DATABASE_IN_USE while a server or a worker is connected. */
export async function emptyPostgresql(url: Secret, clock: Clock): Promise<Database> {
  await using scope = new Scope();
  const database = scope.use(await openDatabase({ kind: 'postgresql', url: asRebuild(url) }, { clock }));
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name = ${APPLICATION}`.execute(database.db);
  if ((rows[0]?.count ?? 0) > 0) throw inUse(rows[0]?.count ?? 0);
  await sql`drop schema if exists onevault_catalog cascade`.execute(database.db);
  scope.move();
  return database;
}

/** What is no URL is refused by whoever connects. */
function asRebuild(url: Secret): Secret {
  if (!URL.canParse(url.reveal())) return url;
  const named = new URL(url.reveal());
  named.searchParams.set('application_name', `${APPLICATION} rebuild`);
  return new Secret(named.href);
}

function inUse(connections: number): QueueError {
  return new QueueError({
    code: 'QUEUE_DATABASE_IN_USE',
    message: `servers or workers have the database open (${connections} connections)`,
    hint: 'stop all of them, the api process and every worker, then do this again',
  });
}
