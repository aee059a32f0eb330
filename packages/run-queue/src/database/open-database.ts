import { AsyncLocalStorage } from 'node:async_hooks';
import { type Logger, Scope, type Secret } from '@onevault/base';
import { Kysely, PGliteDialect, PostgresDialect, sql, type Transaction } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { type Db, fromKysely, fromPglite, PgBoss } from 'pg-boss';
import { QueueError } from '../errors.ts';
import { openEmbedded } from './embedded.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Tables } from './tables.ts';

export type DatabasePlace = { readonly kind: 'embedded'; readonly directory: string } | { readonly kind: 'postgresql'; readonly url: Secret };

/** The tables, and the engine that hands jobs to workers. */
export interface Database extends AsyncDisposable {
  readonly kind: DatabasePlace['kind'];
  readonly db: Kysely<Tables>;
  readonly boss: PgBoss;
  /** All or nothing. What the engine does in it is part of it, where it is given `fromKysely(trx)`. */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /** How long a run waits that found no place, s. */
  readonly putOffSeconds: number;
}

export interface DatabaseOptions {
  readonly logger: Logger;
  /** Default 3. */
  readonly putOffSeconds?: number;
}

/** How often a dead worker's jobs are looked for. */
const SUPERVISE_SECONDS = 5;
/** Connections: queries, transactions, and pg-boss's own. */
const POOL_CONNECTIONS = 8;

/** Opens the database and brings its tables to this version. Throws QUEUE_DATABASE_UNREACHABLE, QUEUE_DATABASE_IN_USE. */
export async function openDatabase(place: DatabasePlace, { logger, putOffSeconds = 3 }: DatabaseOptions): Promise<Database> {
  await using scope = new Scope();
  const { db, boss, transaction } = place.kind === 'embedded' ? await embedded(place.directory, scope) : postgresql(place.url, scope);
  boss.on('error', (error) => logger.warn({ error: error.message }, 'job engine'));
  try {
    await migrate(db);
    await boss.start();
  } catch (error) {
    throw unreachable(error);
  }
  scope.defer(() => boss.stop({ graceful: false, close: place.kind === 'postgresql' }));
  const owned = scope.move();
  return { kind: place.kind, db, boss, transaction, putOffSeconds, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

const BOSS = { schema: 'onevault_jobs', superviseIntervalSeconds: SUPERVISE_SECONDS, monitorIntervalSeconds: SUPERVISE_SECONDS, schedule: false } as const;

interface Engines extends Pick<Database, 'db' | 'boss' | 'transaction'> {}

async function embedded(directory: string, scope: Scope): Promise<Engines> {
  const { pglite } = scope.use(await openEmbedded(directory));
  const db = new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
  // There is one connection. What the engine asks for by itself in the middle of a transaction would wait for its end, which waits for the engine.
  const inTransaction = new AsyncLocalStorage<Db>();
  const alone = fromPglite(pglite);
  const routed: Db = { ...alone, executeSql: (text, values) => (inTransaction.getStore() ?? alone).executeSql(text, values) };
  return {
    db,
    boss: new PgBoss({ ...BOSS, backend: 'pglite', db: routed }),
    transaction: (work) => db.transaction().execute((trx) => inTransaction.run(fromKysely(trx), () => work(trx))),
  };
}

function postgresql(url: Secret, scope: Scope): Engines {
  const pool = new pg.Pool({ connectionString: url.reveal(), max: POOL_CONNECTIONS, connectionTimeoutMillis: 10_000, keepAlive: true });
  pool.on('error', () => undefined); // of an idle connection; whoever asks next is told
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  scope.defer(() => db.destroy());
  const boss = new PgBoss({ ...BOSS, connectionString: url.reveal(), max: 4, application_name: 'onevault' });
  return { db, boss, transaction: (work) => db.transaction().execute(work) };
}

/** Several servers may start at once: the migrator's own lock lets one of them do it. */
async function migrate(db: Kysely<Tables>): Promise<void> {
  await sql`create schema if not exists onevault`.execute(db).catch(async (error: unknown) => {
    // Two that make it at the same moment: the second one fails on a unique index of the catalog.
    if (!(await sql<{ found: boolean }>`select exists (select from pg_namespace where nspname = 'onevault') as found`.execute(db)).rows[0]?.found) throw error;
  });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) }, migrationTableSchema: 'onevault' });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

export function unreachable(error: unknown): QueueError {
  return new QueueError({
    code: 'QUEUE_DATABASE_UNREACHABLE',
    message: `the database cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    retryable: true,
    hint: 'see that PostgreSQL runs and DATABASE_URL is right; nothing is lost: restore points are in the repository, policies and audit are files',
    cause: error,
  });
}
