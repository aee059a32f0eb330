import { sql } from 'kysely';
import { fromKysely } from 'pg-boss';
import type { HeldJob } from './claim.ts';
import type { Database } from './database/open-database.ts';
import { QueueError } from './errors.ts';
import { laneOf } from './lanes.ts';
import type { JsonObject, RunOutcome, RunRecord } from './run-record.ts';

/** A run that a worker has claimed. Everything it writes counts only while the claim is the run's newest. */
export class HeldRun {
  readonly run: RunRecord;
  readonly #database: Database;
  readonly #job: HeldJob;

  constructor(database: Database, job: HeldJob, run: RunRecord) {
    this.#database = database;
    this.#job = job;
    this.run = run;
  }

  /** Says that the worker lives; answers whether it has been asked to stop. Throws QUEUE_CLAIM_LOST when the run is not ours any more. */
  async beat(): Promise<{ readonly cancelRequested: boolean }> {
    const row = await this.#mine().set({ beat_at: sql<Date>`now()` }).returning('cancel_requested').executeTakeFirst();
    if (row === undefined) throw this.#lost();
    // The engine's own heartbeat. It lets go of a job after a day; then ours is what counts.
    await this.#database.boss.touch(this.#job.lane, this.#job);
    return { cancelRequested: row.cancel_requested };
  }

  /** Written before anything is done in the cloud, for whoever cleans up after this worker. */
  async note(notes: JsonObject): Promise<void> {
    await this.#must(
      this.#mine()
        .set({ notes: JSON.stringify({ ...this.run.notes, ...notes }) })
        .returning('id')
        .executeTakeFirst(),
    );
  }

  async progress(progress: JsonObject): Promise<void> {
    await this.#must(
      this.#mine()
        .set({ progress: JSON.stringify(progress) })
        .returning('id')
        .executeTakeFirst(),
    );
  }

  async events(events: readonly { readonly type: string; readonly data: JsonObject }[]): Promise<void> {
    if (events.length === 0) return;
    await this.#database.db
      .insertInto('onevault.run_event')
      .values(events.map(({ type, data }) => ({ run_id: this.run.id, type, data: JSON.stringify(data) })))
      .execute();
  }

  /** Ends the run, or queues it again when it failed, has a chance and may be tried again. */
  async finish(outcome: RunOutcome): Promise<'ended' | 'queued-again'> {
    const { run } = this;
    const again = outcome.state === 'failed' && outcome.retry && run.attempt <= run.retry.times;
    const { transaction, boss } = this.#database;
    await transaction(async (trx) => {
      const engine = { db: fromKysely(trx) };
      const row = await trx
        .updateTable('onevault.run')
        .set({
          state: again ? 'queued' : outcome.state,
          ended_at: again ? null : sql<Date>`now()`,
          beat_at: null,
          waits_for: again ? 'another try' : null,
          report: 'report' in outcome ? JSON.stringify(outcome.report) : null,
          failure: 'failure' in outcome ? JSON.stringify(outcome.failure) : null,
        })
        .where('id', '=', run.id)
        .where('state', '=', 'running')
        .where('attempt', '=', run.attempt)
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) throw this.#lost();
      await trx.deleteFrom('onevault.run_place').where('run_id', '=', run.id).execute();
      await boss.complete(this.#job.lane, this.#job, null, engine);
      if (again) await boss.send(laneOf(run.reach), { runId: run.id }, { priority: run.priority, startAfter: Math.ceil(run.retry.afterMs / 1000), ...engine });
    });
    return again ? 'queued-again' : 'ended';
  }

  /** Gives it back as if it had never been begun: to whoever is free. */
  async release(): Promise<void> {
    const { run } = this;
    const { transaction, boss } = this.#database;
    await transaction(async (trx) => {
      const engine = { db: fromKysely(trx) };
      const row = await trx
        .updateTable('onevault.run')
        .set({ state: 'queued', attempt: run.attempt - 1, worker: null, beat_at: null, waits_for: 'a worker' })
        .where('id', '=', run.id)
        .where('state', '=', 'running')
        .where('attempt', '=', run.attempt)
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) throw this.#lost();
      await trx.deleteFrom('onevault.run_place').where('run_id', '=', run.id).execute();
      await boss.complete(this.#job.lane, this.#job, null, engine);
      await boss.send(laneOf(run.reach), { runId: run.id }, { priority: run.priority, ...engine });
    });
  }

  #mine() {
    return this.#database.db.updateTable('onevault.run').where('id', '=', this.run.id).where('state', '=', 'running').where('attempt', '=', this.run.attempt);
  }

  async #must(row: Promise<object | undefined>): Promise<void> {
    if ((await row) === undefined) throw this.#lost();
  }

  #lost(): QueueError {
    return new QueueError({
      code: 'QUEUE_CLAIM_LOST',
      message: `run ${this.run.id} was given to another worker: this one was not heard of for too long`,
      details: { runId: this.run.id, attempt: this.run.attempt },
    });
  }
}
