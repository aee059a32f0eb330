import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, serializeError } from '@onevault/base';
import { databaseSlots, type HandledSlots } from '../scheduler/handled-slots.ts';
import { keptSlots, readKeptSlots } from '../scheduler/kept-slots.ts';
import type { StateDirectory } from '../start/state-directory.ts';
import { type FillDeps, fillDatabase } from './fill-database.ts';
import { readFilled } from './filled.ts';

/** In the directory of an embedded database that `onevault server rebuild` has begun and not filled yet: nothing of before is in it. */
export const HALF_MADE = 'rebuilding';

const AGAIN_MS = 30_000;
/** So long people are told that the database is a new one. */
const TOLD_MS = 24 * 3_600_000;

/** A database that was made anew, for those who look at the server. */
export interface MadeAnew {
  readonly since: Date;
  /** False: restore points are being read, and schedules wait for that. */
  readonly isDone: boolean;
}

/**
 * What a server does whose database is new and whose state directory is not: a disk was lost, somebody deleted `database/`, PostgreSQL was made anew. It says so, and brings
 * back what is elsewhere; until then nothing scheduled begins. Nothing is asked for that: the same would have to be done by hand, and nothing is taken from what is there.
 */
export class BringBack {
  readonly #deps: FillDeps;
  readonly #state: Pick<StateDirectory, 'database'>;
  #since: Date;
  #isFilled: boolean;
  #isLoss: boolean;
  /** With a copy in the state directory. */
  readonly slots: HandledSlots;

  private constructor(deps: FillDeps, state: StateDirectory, filled: Awaited<ReturnType<typeof readFilled>>) {
    this.#deps = deps;
    this.#state = state;
    this.#since = filled?.at ?? deps.clock.now();
    this.#isFilled = filled !== undefined;
    this.#isLoss = filled?.isLoss ?? deps.isLoss;
    this.slots = keptSlots(deps.slots, state.schedules, deps.logger);
  }

  static async open(deps: Omit<FillDeps, 'kept' | 'isLoss' | 'slots'>, state: StateDirectory): Promise<BringBack> {
    const kept = await readKeptSlots(state.schedules, deps.logger);
    const isLoss = kept !== undefined || (await hasAudit(state.audit));
    const slots = databaseSlots(deps.catalog.db);
    return new BringBack({ ...deps, slots, kept: kept ?? new Map(), isLoss }, state, await readFilled(deps.catalog.db));
  }

  /** Undefined when there is nothing to say (any more). */
  madeAnew(): MadeAnew | undefined {
    const isOld = this.#isFilled && this.#deps.clock.now().getTime() - this.#since.getTime() > TOLD_MS;
    return this.#isLoss && !isOld ? { since: this.#since, isDone: this.#isFilled } : undefined;
  }

  /** Resolves when the database is filled; one that cannot be written to is tried again until the signal. */
  async run(call: CallOptions = {}): Promise<void> {
    const { clock, logger, catalog } = this.#deps;
    if (!this.#isFilled && this.#isLoss)
      logger.warn(
        {},
        'the database is new and the state directory is not: restore points, schedules and the last good run of each VM are brought back; older runs are lost',
      );
    for (; !this.#isFilled; ) {
      try {
        await fillDatabase(this.#deps, call);
        this.#since = (await readFilled(catalog.db))?.at ?? this.#since;
        this.#isFilled = true;
        if (this.#isLoss)
          logger.warn({ repositories: catalog.repositories().map(({ name, points, reachable }) => ({ name, points, reachable })) }, 'the database is filled');
      } catch (error) {
        call.signal?.throwIfAborted();
        logger.error({ error: serializeError(error) }, 'the new database cannot be filled; it is tried again, and nothing scheduled begins before');
        await clock.sleep(AGAIN_MS, call);
      }
    }
    await rm(join(this.#state.database, HALF_MADE), { force: true });
  }
}

/** Whether anybody ever did anything with this server. */
async function hasAudit(directory: string): Promise<boolean> {
  for (const name of await readdir(directory)) if (/\.jsonl$/.test(name) && (await stat(join(directory, name))).size > 0) return true;
  return false;
}
