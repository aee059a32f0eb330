import { createHash } from 'node:crypto';
import { errorCode } from '@onevault/base';
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

/** How a run is begun, and whether one is. */
export interface KeyedRun {
  isBegun(id: string): Promise<boolean>;
  /** Under that id, or answers another one that is the same and waits already. */
  begin(id: string): Promise<string>;
}

/**
 * Runs by the Idempotency-Key that they were asked for with, also across a restart. The id that the run is to have is written down with the key before it is begun: whoever
 * repeats the request after a crash, a lost answer or at the same moment finds the run under it, or begins it there.
 */
export class IdempotencyKeys {
  readonly #db: Kysely<KeyTables>;
  readonly #newId: () => string;

  private constructor(db: Kysely<KeyTables>, newId: () => string) {
    this.#db = db;
    this.#newId = newId;
  }

  /** `newId`: ids as runs have them. */
  static async open(database: Database, newId: () => string): Promise<IdempotencyKeys> {
    return new IdempotencyKeys(await database.schema<KeyTables>('idempotency', MIGRATIONS), newId);
  }

  /** The id of the run that was begun for the key, now or before. Throws SERVER_IDEMPOTENCY_CONFLICT for another body. */
  async once(caller: string, key: string, body: unknown, { isBegun, begin }: KeyedRun): Promise<string> {
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    await this.#db.deleteFrom('key').where('at', '<', KEPT).execute();
    await this.#db
      .insertInto('key')
      .values({ caller, key, body: hash, run_id: this.#newId() })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const known = await this.#db.selectFrom('key').select(['body', 'run_id']).where('caller', '=', caller).where('key', '=', key).executeTakeFirstOrThrow();
    if (known.body !== hash) throw conflict();
    const planned = known.run_id ?? this.#newId();
    if (await isBegun(planned)) return planned;
    const id = await begin(planned).catch(async (error: unknown) => {
      // Refused before it was queued: the key is free. Of anything else nobody knows whether it was.
      if (errorCode(error)?.startsWith('SERVER_') === true) await this.#db.deleteFrom('key').where('caller', '=', caller).where('key', '=', key).execute();
      throw error;
    });
    if (id !== known.run_id) await this.#db.updateTable('key').set({ run_id: id }).where('caller', '=', caller).where('key', '=', key).execute();
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
