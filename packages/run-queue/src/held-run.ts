import type { Clock } from '@onevault/base';
import { sql, type UpdateObject } from 'kysely';
import type { Claim } from './claim.ts';
import type { Database } from './database/open-database.ts';
import type { Tables } from './database/tables.ts';
import { QueueError } from './errors.ts';
import { type NewEvent, writeEvents } from './events.ts';
import { jsonText } from './json-text.ts';
import type { DeadAttempt, JsonObject, RunOutcome, RunRecord } from './run-record.ts';

/** Events of one attempt that are kept at most, and that wait at most for a database that is away; of more only the number is told. */
const MAX_EVENTS = 10_000;
const MAX_WAITING = 1000;
/** What cannot be cleaned up after is tried again after a minute, then after two, and at least so often. */
const CLEAN_UP_AGAIN_MS = 60_000;
const CLEAN_UP_AT_LEAST_MS = 15 * 60_000;
/** Events in one statement. */
const EVENT_BATCH = 200;

type RunChange = UpdateObject<Tables, 'onevault.run'>;

interface Settled {
  readonly state: RunRecord['state'];
  readonly attempt?: number;
  readonly afterMs?: number;
  /** What is still to be cleaned up after; absent: as it was. */
  readonly dead?: readonly DeadAttempt[];
  readonly report?: JsonObject;
  readonly failure?: JsonObject;
  /** Told, and not kept as how it went: it was not begun. */
  readonly why?: JsonObject;
}

/** A run that a worker has claimed. Everything it writes counts only while the claim is the run's newest; all of it throws QUEUE_CLAIM_LOST otherwise. */
export class HeldRun {
  readonly run: RunRecord;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #token: number;
  #notes: JsonObject = {};
  #progress: JsonObject | undefined;
  /** Events that are not known to be told; the first is number `#told` of the attempt. */
  readonly #waiting: NewEvent[] = [];
  #told = 0;
  #taken = 0;
  #lostEvents = 0;
  #heardMs: number;
  /** What the database's clock showed at `#heardMs`. */
  #databaseMs: number;

  /** `askedMs`: when the claim was asked for, by the clock's monotonic time. */
  constructor(database: Database, clock: Clock, { run, token, takenAt }: Claim, askedMs: number) {
    this.#database = database;
    this.#clock = clock;
    this.#token = token;
    this.#heardMs = askedMs;
    this.#databaseMs = takenAt.getTime();
    this.run = run;
  }

  /** How long ago the database was last known to have heard of us: it has not given the run to another one while this is less than the heartbeat. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#heardMs;
  }

  /** What the database's clock shows, to within the time that a question takes, whatever this machine's shows; one that is set is noticed at the next beat. */
  get now(): Date {
    return new Date(this.#databaseMs + this.silentMs);
  }

  /** The newest counts; written with the next beat. */
  progress(progress: JsonObject): void {
    this.#progress = progress;
  }

  /** Written with the next beat. */
  event(type: string, data: JsonObject): void {
    if (this.#taken >= MAX_EVENTS || this.#waiting.length >= MAX_WAITING) {
      this.#lostEvents++;
      return;
    }
    this.#taken++;
    this.#waiting.push({ runId: this.run.id, type, data });
  }

  /** Says that the worker lives, and what there is to say; answers whether it has been asked to stop. */
  async beat(): Promise<{ readonly cancelRequested: boolean }> {
    const progress = this.#progress;
    const cancelRequested = await this.#hear(progress === undefined ? {} : { progress: jsonText(progress) });
    if (this.#progress === progress) this.#progress = undefined;
    await this.#tell();
    return { cancelRequested };
  }

  /** Resolves only if the run was ours at a moment after the question. */
  async prove(): Promise<void> {
    await this.#hear({});
  }

  async #hear(change: RunChange): Promise<boolean> {
    const askedMs = this.#clock.monotonicMs();
    const row = await this.#mine()
      .set({ beat_at: sql<Date>`now()`, ...change })
      .returning(['cancel_requested', sql<Date>`now()`.as('now')])
      .executeTakeFirst();
    if (row === undefined) throw this.#lost();
    this.#heardMs = askedMs;
    this.#databaseMs = row.now.getTime();
    return row.cancel_requested;
  }

  /** On its disk when this resolves: to be awaited before anything is done in the cloud, for whoever cleans up after this worker. */
  async note(notes: JsonObject): Promise<void> {
    const all = { ...this.#notes, ...notes };
    const row = await this.#mine()
      .set({ notes: jsonText(all) })
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) throw this.#lost();
    this.#notes = all;
  }

  /** Nothing of earlier attempts is left; answers whether the run has been asked to stop. */
  async cleaned(): Promise<{ readonly cancelRequested: boolean }> {
    const row = await this.#mine().set({ dead: '[]' }).returning('cancel_requested').executeTakeFirst();
    if (row === undefined) throw this.#lost();
    return { cancelRequested: row.cancel_requested };
  }

  /** Ends the run, or queues it again when it failed, has a chance and may be tried again. Saying it twice is harmless. */
  async finish(outcome: RunOutcome): Promise<void> {
    if (outcome.state !== 'failed') return this.#settle(outcome);
    const { run } = this;
    const { failure, retryAfterMs: afterMs = run.retry.afterMs } = outcome;
    if (!outcome.retry || run.attempt > run.retry.times || this.#isTooLate(afterMs)) return this.#settle({ state: 'failed', failure });
    await this.#settle({ state: 'queued', failure, afterMs });
  }

  /** Nobody waits for an attempt that may not be begun any more. */
  #isTooLate(afterMs: number): boolean {
    const { startBefore } = this.run;
    return startBefore !== undefined && this.now.getTime() + afterMs > startBefore.getTime();
  }

  /** Gives it back as if it had not been begun, to whoever is free. */
  async release(): Promise<void> {
    await this.#settle({ state: 'queued', attempt: this.run.attempt - 1 });
  }

  /** Gives it back for later, because what dead attempts left cannot be taken away yet; the reason is told. */
  async putOff(dead: readonly DeadAttempt[], why: JsonObject): Promise<void> {
    const tries = Math.max(...dead.map(({ tries: before = 0 }) => before));
    const afterMs = Math.min(CLEAN_UP_AGAIN_MS * 2 ** Math.min(tries, 10), CLEAN_UP_AT_LEAST_MS);
    await this.#settle({ state: 'queued', attempt: this.run.attempt - 1, afterMs, dead: dead.map((one) => ({ ...one, tries: tries + 1 })), why });
  }

  /** What is to wait and is told to end, and leaves nothing to clean up after, ends instead of waiting again. */
  async #settle(settled: Settled): Promise<void> {
    await this.#database.db.transaction().execute(async (trx) => {
      const row = await trx
        .selectFrom('onevault.run')
        .select(['state', 'cancel_requested', 'told', sql<boolean>`dead = '[]'`.as('isClean')])
        .where('id', '=', this.run.id)
        .where('token', '=', this.#token)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw this.#lost();
      if (row.state !== 'running') return; // it is said already: only the answer was lost
      const ends = settled.state !== 'queued' || (row.cancel_requested && row.isClean);
      const state = settled.state === 'queued' && ends ? 'cancelled' : settled.state;
      await trx
        .updateTable('onevault.run')
        .set({ state, ...(ends ? this.#asEnded(settled) : asWaiting(settled)) })
        .where('id', '=', this.run.id)
        .execute();
      await writeEvents(trx, [...this.#untold(row.told), ...this.#ofLost(), this.#asEvent(settled, ends ? { state } : { afterMs: settled.afterMs ?? 0 })]);
    });
  }

  #asEnded({ report, failure }: Settled): RunChange {
    return {
      beat_at: null,
      ended_at: sql<Date>`now()`,
      report: report === undefined ? null : jsonText(report),
      failure: failure === undefined ? null : jsonText(failure),
      ...(this.#progress !== undefined && { progress: jsonText(this.#progress) }),
    };
  }

  #asEvent({ why, failure = why, report }: Settled, how: { readonly state: RunRecord['state'] } | { readonly afterMs: number }): NewEvent {
    const type = 'state' in how ? 'run.ended' : 'run.waits';
    return { runId: this.run.id, type, data: { attempt: this.run.attempt, ...how, ...(failure !== undefined && { failure }), ...reasonOf(report) } };
  }

  async #tell(): Promise<void> {
    while (this.#waiting.length > 0) {
      const told = await this.#database.db.transaction().execute(async (trx) => {
        const mine = await trx
          .selectFrom('onevault.run')
          .select('told')
          .where('id', '=', this.run.id)
          .where('state', '=', 'running')
          .where('token', '=', this.#token)
          .forUpdate()
          .executeTakeFirst();
        if (mine === undefined) throw this.#lost();
        const batch = this.#untold(mine.told).slice(0, EVENT_BATCH);
        await writeEvents(trx, batch);
        const now = mine.told + batch.length;
        await trx.updateTable('onevault.run').set({ told: now }).where('id', '=', this.run.id).execute();
        return now;
      });
      this.#waiting.splice(0, Math.max(0, told - this.#told));
      this.#told = Math.max(this.#told, told);
    }
  }

  /** What the database does not have yet, which has `told` of them: more than we know where an answer was lost or is on its way. */
  #untold(told: number): NewEvent[] {
    return this.#waiting.slice(told - this.#told);
  }

  #ofLost(): NewEvent[] {
    return this.#lostEvents === 0 ? [] : [{ runId: this.run.id, type: 'run.events-lost', data: { count: this.#lostEvents } }];
  }

  #mine() {
    return this.#database.db.updateTable('onevault.run').where('id', '=', this.run.id).where('state', '=', 'running').where('token', '=', this.#token);
  }

  #lost(): QueueError {
    return new QueueError({
      code: 'QUEUE_CLAIM_LOST',
      message: `run ${this.run.id} is not this worker's any more: it was not heard of for too long`,
      details: { runId: this.run.id, attempt: this.run.attempt },
      hint: 'whoever takes the run next cleans up after this attempt; see why the database was out of reach',
    });
  }
}

/** Why it was not done, or not to its end. */
function reasonOf({ reason }: JsonObject = {}): JsonObject {
  return reason === undefined ? {} : { reason };
}

function asWaiting({ attempt, afterMs = 0, dead, failure }: Settled): RunChange {
  return {
    beat_at: null,
    worker: null,
    start_after: sql<Date>`now() + ${afterMs} * interval '1 millisecond'`,
    ...(attempt !== undefined && { attempt }),
    ...(dead !== undefined && { dead: jsonText(dead) }),
    ...(failure !== undefined && { failure: jsonText(failure) }),
  };
}
