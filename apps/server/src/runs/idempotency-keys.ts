import { createHash } from 'node:crypto';
import type { Database, Migrations } from '@onevault/run-queue';
import { type Generated, type Kysely, sql } from 'kysely';
import { ServerError } from '../errors.ts';

interface KeyTables {
  readonly key: { readonly caller: string; readonly key: string; readonly body: string; readonly run_id: string | null; readonly at: Generated<Date> };
}

const MIGRATIONS: Migrations = {
  '0001-keys': {
    async up(db: Kysely<unknown>) {
      await sql`create table onevault_idempotency.key (
        caller text not null, key text not null, body text not null, run_id text, at timestamptz not null default now(), primary key (caller, key))`.execute(
        db,
      );
      await sql`create index key_at on onevault_idempotency.key (at)`.execute(db);
    },
  },
};

/** So long a key is remembered. */
const KEPT = sql<Date>`now() - interval '24 hours'`;

/** Runs by the Idempotency-Key that they were asked for with, also across a restart. */
export class IdempotencyKeys {
  readonly #db: Kysely<KeyTables>;

  private constructor(db: Kysely<KeyTables>) {
    this.#db = db;
  }

  static async open(database: Database): Promise<IdempotencyKeys> {
    return new IdempotencyKeys(await database.schema<KeyTables>('idempotency', MIGRATIONS));
  }

  /** The id of the run that `start` begins, or of the one that was begun for the key before. Throws SERVER_IDEMPOTENCY_CONFLICT for another body. */
  async once(caller: string, key: string, body: unknown, start: () => Promise<string>): Promise<string> {
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    await this.#db.deleteFrom('key').where('at', '<', KEPT).execute();
    await this.#db
      .insertInto('key')
      .values({ caller, key, body: hash, run_id: null })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const known = await this.#db.selectFrom('key').select(['body', 'run_id']).where('caller', '=', caller).where('key', '=', key).executeTakeFirstOrThrow();
    if (known.body !== hash) throw conflict();
    if (known.run_id !== null) return known.run_id;
    // Ours to begin; or of somebody who died before the run was known. The same that waits already is not queued twice.
    const id = await start().catch(async (error: unknown) => {
      await this.#db.deleteFrom('key').where('caller', '=', caller).where('key', '=', key).where('run_id', 'is', null).execute();
      throw error;
    });
    await this.#db.updateTable('key').set({ run_id: id }).where('caller', '=', caller).where('key', '=', key).execute();
    return id;
  }
}

function conflict(): ServerError {
  return new ServerError({
    code: 'SERVER_IDEMPOTENCY_CONFLICT',
    message: 'this Idempotency-Key was used for another request',
    hint: 'Use a new key for each thing that is to be done once',
  });
}
