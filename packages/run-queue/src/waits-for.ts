import { sql } from 'kysely';
import type { Database } from './database/open-database.ts';
import { Occupancy } from './occupancy.ts';
import type { RunRow } from './row.ts';
import type { WaitsFor } from './run-record.ts';
import { listWorkers } from './workers.ts';

/** Why those of the rows that are queued are not begun. Nothing is stored of it: it is what a claim would find now. */
export async function waitingReasons(database: Database, rows: readonly RunRow[]): Promise<(row: RunRow) => WaitsFor | undefined> {
  if (!rows.some(({ state }) => state === 'queued')) return () => undefined;
  const now = await sql<{ now: Date }>`select now() as now`.execute(database.db);
  const occupancy = await Occupancy.read(database.db);
  const workers = (await listWorkers(database)).filter(({ alive }) => alive);
  const nowMs = now.rows[0]?.now.getTime() ?? 0;
  return (row) => {
    if (row.state !== 'queued') return undefined;
    if (row.dead.length > 0) return { code: 'clean-up', until: row.start_after };
    if (row.start_after.getTime() > nowMs) return { code: 'time', until: row.start_after };
    const able = workers.some(({ reach }) => row.reach.every((needed) => reach.includes(needed)));
    if (!able) return { code: 'worker', reach: row.reach };
    const resource = row.holds.find((held) => occupancy.isFull(held));
    return resource === undefined ? { code: 'turn' } : { code: 'place', resource };
  };
}
