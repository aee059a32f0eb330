import { sql } from 'kysely';
import type { Database } from '../src/index.ts';

/** As if a worker had been silent for an hour: whoever asks next is given its runs. */
export async function forgetWorker({ db }: Database, worker: string): Promise<void> {
  await db
    .updateTable('onevault.run')
    .set({ beat_at: sql<Date>`now() - interval '1 hour'` })
    .where('worker', '=', worker)
    .where('state', '=', 'running')
    .execute();
}
