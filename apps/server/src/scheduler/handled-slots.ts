import { type Kysely, sql } from 'kysely';
import type { CatalogTables } from '../catalog/catalog-tables.ts';

/** The last slot of each schedule that was dealt with. */
export interface HandledSlots {
  all(): Promise<ReadonlyMap<string, number>>;
  /** `unless`: only while it still is what was read; somebody else may have been faster. */
  remember(key: SlotKey, handledMs: number, unless: number | undefined): Promise<void>;
  /** Those of other policies, or of schedules that are written otherwise now, go. */
  keepOnly(keys: ReadonlySet<string>): Promise<void>;
}

/** A schedule is known by its text: one that is changed begins anew. */
export interface SlotKey {
  readonly policy: string;
  readonly schedule: string;
}

export function slotKeyText({ policy, schedule }: SlotKey): string {
  return `${policy}\n${schedule}`;
}

export function databaseSlots(db: Kysely<CatalogTables>): HandledSlots {
  return {
    async all() {
      const rows = await db.selectFrom('schedule').selectAll().execute();
      return new Map(rows.map((row) => [slotKeyText(row), row.handled.getTime()]));
    },
    async remember({ policy, schedule }, handledMs, unless) {
      const handled = new Date(handledMs);
      await db
        .insertInto('schedule')
        .values({ policy, schedule, handled })
        .onConflict((conflict) =>
          conflict
            .columns(['policy', 'schedule'])
            .doUpdateSet({ handled })
            .where(sql.ref('schedule.handled'), '=', unless === undefined ? null : new Date(unless)),
        )
        .execute();
    },
    async keepOnly(keys) {
      for (const row of await db.selectFrom('schedule').select(['policy', 'schedule']).execute())
        if (!keys.has(slotKeyText(row))) await db.deleteFrom('schedule').where('policy', '=', row.policy).where('schedule', '=', row.schedule).execute();
    },
  };
}
