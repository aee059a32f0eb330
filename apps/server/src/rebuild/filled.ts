import { type Kysely, sql } from 'kysely';
import type { CatalogTables } from '../catalog/catalog-tables.ts';

export interface Filled {
  readonly at: Date;
  /** There was another database before, which is lost. */
  readonly isLoss: boolean;
}

/** When this database was brought everything that is elsewhere too; undefined: it is new, or that was ended half-way. */
export async function readFilled(db: Kysely<CatalogTables>): Promise<Filled | undefined> {
  const row = await db.selectFrom('filled').selectAll().executeTakeFirst();
  return row && { at: row.at, isLoss: row.is_loss };
}

/** The first time counts. */
export async function markFilled(db: Kysely<CatalogTables>, isLoss: boolean): Promise<void> {
  await sql`insert into onevault_catalog.filled select now(), ${isLoss} where not exists (select from onevault_catalog.filled)`.execute(db);
}
