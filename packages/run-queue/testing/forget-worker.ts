import { sql } from 'kysely';
import type { Database } from '../src/index.ts';

/** As if a worker had been silent for an hour: the engine gives its jobs to others at once. */
export async function forgetWorker({ db, boss }: Database, worker: string): Promise<void> {
  await db.updateTable('onevault.run').set({ beat_at: sql<Date>`now() - interval '1 hour'` }).where('worker', '=', worker).execute();
  await sql`update onevault_jobs.job set heartbeat_on = now() - interval '1 hour' where state = 'active'
    and data->>'runId' in (select id from onevault.run where worker = ${worker})`.execute(db);
  for (const { name } of await boss.getQueues()) await boss.supervise(name);
}
