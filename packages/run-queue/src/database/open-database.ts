import { type Clock, Scope, type Secret } from '@onevault/base';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { QueueError } from '../errors.ts';
import { DEFAULT_HEARTBEAT_SECONDS, readHeartbeat } from '../heartbeat.ts';
import { openEmbedded } from './embedded.ts';
import { EmbeddedDialect } from './embedded-dialect.ts';
import { cannotOpen } from './embedded-errors.ts';
import { MIGRATIONS } from './migrations.ts';
import { connectPostgresql } from './postgresql.ts';
import { cannotBegin, checkVersion } from './postgresql-errors.ts';
import type { Tables } from './tables.ts';

export type DatabasePlace = { readonly kind: 'embedded'; readonly directory: string } | { readonly kind: 'postgresql'; readonly url: Secret };

/** Migrations by name, done in the order of their names. What was released is never changed: a change is one more. */
export type Migrations = Readonly<Record<string, Migration>>;

/** A database with the queue's tables. bigint comes as number, timestamptz as Date, jsonb as what it is, from either kind. */
export interface Database extends AsyncDisposable {
  readonly kind: DatabasePlace['kind'];
  readonly db: Kysely<Tables>;
  /**
   * Somebody else's tables in the schema `onevault_<name>`: made, and brought to the newest of `migrations`. The answer finds tables in that schema; raw SQL must
   * name it. In the embedded database there is one connection: a query outside a transaction waits for its end, so that a transaction that waits for one never ends.
   */
  schema<T>(name: string, migrations: Migrations): Promise<Kysely<T>>;
  /** A worker of this process that is not heard of for so long is dead, s; each run is judged by what its worker went by. */
  readonly heartbeatSeconds: number;
}

export interface DatabaseOptions {
  readonly clock: Clock;
  /** Default: what `Runs.setHeartbeat` has told the database last, and 60 before. */
  readonly heartbeatSeconds?: number;
}

const CLOSE_MS = 5000;

/** Opens the database and brings its tables to this version. Throws one of the codes QUEUE_DATABASE_…, QUEUE_REQUEST_INVALID for a URL that is none. */
export async function openDatabase(place: DatabasePlace, { clock, heartbeatSeconds: told }: DatabaseOptions): Promise<Database> {
  await using scope = new Scope();
  const { db, heartbeatSeconds } = await opened(place, clock, told, scope);
  const schema = async <T>(name: string, migrations: Migrations): Promise<Kysely<T>> => {
    await migrate(db, `onevault_${name}`, migrations);
    return db.withSchema(`onevault_${name}`) as unknown as Kysely<T>;
  };
  const owned = scope.move();
  return { kind: place.kind, db, schema, heartbeatSeconds, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** With its tables as this version has them, and the time that its workers go by. */
async function opened(place: DatabasePlace, clock: Clock, told: number | undefined, scope: Scope): Promise<Pick<Database, 'db' | 'heartbeatSeconds'>> {
  try {
    const first =
      place.kind === 'embedded' ? await embedded(place.directory, clock, scope) : postgresql(place.url, told ?? DEFAULT_HEARTBEAT_SECONDS, clock, scope);
    if (place.kind === 'postgresql') checkVersion(await versionOf(first));
    await migrate(first, 'onevault', MIGRATIONS);
    // Nobody but us has it open: no worker of before is alive.
    if (place.kind === 'embedded')
      await first
        .updateTable('onevault.run')
        .set({ beat_at: new Date(0) })
        .where('state', '=', 'running')
        .execute();
    const heartbeatSeconds = told ?? (await readHeartbeat(first));
    if (place.kind === 'embedded' || heartbeatSeconds === (told ?? DEFAULT_HEARTBEAT_SECONDS)) return { db: first, heartbeatSeconds };
    // Time limits of connections go by it.
    return { db: postgresql(place.url, heartbeatSeconds, clock, scope), heartbeatSeconds };
  } catch (error) {
    throw unusable(place, error);
  }
}

async function versionOf(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ version: number }>`select current_setting('server_version_num')::int as version`.execute(db);
  return rows[0]?.version ?? 0;
}

async function embedded(directory: string, clock: Clock, scope: Scope): Promise<Kysely<Tables>> {
  return new Kysely<Tables>({ dialect: new EmbeddedDialect(scope.use(await openEmbedded(directory, clock))) });
}

function postgresql(url: Secret, heartbeatSeconds: number, clock: Clock, scope: Scope): Kysely<Tables> {
  if (!/^postgres(ql)?:\/\//.test(url.reveal())) {
    throw new QueueError({
      code: 'QUEUE_REQUEST_INVALID',
      message: 'what was given is no URL of a PostgreSQL database',
      hint: 'DATABASE_URL=postgresql://user:password@host/database, or postgresql:///database?host=/run/postgresql for a socket',
    });
  }
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connectPostgresql(url, heartbeatSeconds * 1000) }) });
  // A server that does not answer any more must not keep us from ending.
  scope.defer(() => Promise.race([db.destroy(), clock.sleep(CLOSE_MS)]));
  return db;
}

/** Several servers may start at once: the migrator's own lock lets one of them do it. */
async function migrate(db: Kysely<Tables>, schema: string, migrations: Migrations): Promise<void> {
  await sql`create schema if not exists ${sql.id(schema)}`.execute(db).catch(async (error: unknown) => {
    // Two that make it at the same moment: the second one fails on a unique index of the catalog.
    const { rows } = await sql<{ found: boolean }>`select exists (select from pg_namespace where nspname = ${schema}) as found`.execute(db);
    if (rows[0]?.found !== true) throw error;
  });
  const migrator = new Migrator({ db: db.withSchema(schema), provider: { getMigrations: async () => ({ ...migrations }) }, migrationTableSchema: schema });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const unknown = (await doneIn(db, schema)).filter((name) => !Object.hasOwn(migrations, name));
  throw unknown.length === 0 ? error : newer(unknown, error);
}

async function doneIn(db: Kysely<Tables>, schema: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from ${sql.id(schema, 'kysely_migration')}`.execute(db);
  return rows.map(({ name }) => name);
}

function newer(unknown: readonly string[], cause: unknown): QueueError {
  return new QueueError({
    code: 'QUEUE_DATABASE_NEWER',
    message: `the database was brought further by a newer onevault: this one does not know ${unknown.join(', ')}`,
    hint: 'start that version again; to go back for good move the database away (the directory database of the state directory, or give an empty PostgreSQL database): docs/operate/upgrading.md',
    cause,
  });
}

function unusable(place: DatabasePlace, error: unknown): QueueError {
  return place.kind === 'embedded' ? cannotOpen(place.directory, error) : cannotBegin(error);
}
