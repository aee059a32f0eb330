import { type CallOptions, type Clock, forEachConcurrent, type Logger, serializeError } from '@onevault/base';
import type { PastRun, RunRecord, Runs } from '@onevault/run-queue';
import type { DatabaseCatalog } from '../catalog/database-catalog.ts';
import { pointOfRow } from '../catalog/point-row.ts';
import { ServerError } from '../errors.ts';
import type { CatalogPoint } from '../ports/catalog.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { type HandledSlots, slotKeyText } from '../scheduler/handled-slots.ts';
import { type TimetableEntry, timetableOf } from '../scheduler/timetable.ts';
import { markFilled } from './filled.ts';
import { NO_POINT, type ResumedSlot, resumeSlot, runOfPoint } from './resume-slots.ts';

export interface FillDeps {
  readonly catalog: DatabaseCatalog;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly queue: Pick<Runs, 'list' | 'remember'>;
  readonly slots: HandledSlots;
  /** What was dealt with, as the file beside the database says. */
  readonly kept: ReadonlyMap<string, number>;
  /** The database of before is lost, not one that never was. */
  readonly isLoss: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A repository that takes longer to be read counts as away: what it has comes later, and schedules must not wait for it for ever. */
const LONGEST_MS = 30 * 60_000;
const AT_ONCE = 2;

/**
 * Brings into a new database what it is not the truth about, and then says in it that it is filled: restore points from the repositories, where schedules go on, the last
 * good run of each VM. Every step may be done again, so that one that was ended half-way is begun from the beginning and makes the same.
 */
export async function fillDatabase(deps: FillDeps, call: CallOptions = {}): Promise<void> {
  const read = await readRepositories(deps, call);
  const resumed: ResumedSlot[] = [];
  for (const entry of timetableOf(deps.settings.current())) {
    const slot = resumeSlot(entry, deps.kept.get(slotKeyText(entry.key)), await newestMsOf(deps, entry, read));
    if (slot !== undefined) resumed.push(slot);
  }
  const ofSlots = await runsOfSlots(deps, resumed);
  await deps.queue.remember([...ofSlots, ...(await lastRuns(deps, ofSlots))]);
  for (const { entry, handledMs } of resumed) await deps.slots.remember(entry.key, handledMs, undefined);
  await markFilled(deps.catalog.db, deps.isLoss);
}

/** Names of those that could be read. */
async function readRepositories({ catalog, settings, clock, logger }: FillDeps, call: CallOptions): Promise<ReadonlySet<string>> {
  const read = new Set<string>();
  const readOne = async ({ name }: { readonly name: string }): Promise<void> => {
    const over = new AbortController();
    const signal = call.signal === undefined ? over.signal : AbortSignal.any([call.signal, over.signal]);
    const tooLong = clock.sleep(LONGEST_MS, { signal }).then(
      () => {
        throw takesTooLong(name);
      },
      () => undefined,
    );
    try {
      await Promise.race([catalog.refresh(name, { signal }), tooLong]);
      read.add(name);
    } catch (error) {
      call.signal?.throwIfAborted();
      logger.warn({ repository: name, error: serializeError(error) }, 'repository cannot be read');
    } finally {
      over.abort();
    }
  };
  await forEachConcurrent(settings.current().repositories, readOne, { ...call, concurrency: AT_ONCE });
  return read;
}

function takesTooLong(name: string): ServerError {
  return new ServerError({
    code: 'SERVER_TIMEOUT',
    message: `repository ${name} was not read within ${LONGEST_MS / 60_000} minutes`,
    hint: 'the server goes on reading it',
  });
}

/** Undefined when nobody can tell: the repository is away, or what the schedule runs leaves no restore point. */
async function newestMsOf({ catalog }: FillDeps, { what, schedule }: TimetableEntry, read: ReadonlySet<string>): Promise<number | undefined> {
  if (what.kind !== 'policy' || what.policy.kind !== 'backup' || !read.has(what.policy.repository)) return undefined;
  const { name, repository } = what.policy;
  const row = await pointsOf(catalog, { policy: name, repository, mode: schedule.mode })
    .select(({ fn }) => fn.max('captured_at').as('newest'))
    .executeTakeFirst();
  return row?.newest?.getTime() ?? NO_POINT;
}

interface PointsWanted {
  readonly policy: string;
  readonly repository: string;
  /** full: what the schedule wants is one of these. */
  readonly mode: 'auto' | 'full';
}

function pointsOf({ db }: DatabaseCatalog, { policy, repository, mode }: PointsWanted) {
  return db
    .selectFrom('point')
    .where('policy', '=', policy)
    .where('repository', '=', repository)
    .where('vm_id', '>=', 0)
    .where('damaged', '=', false)
    .$if(mode === 'full', (query) => query.where('mode', '=', 'full'));
}

/** Of each VM that was backed up since its slot began. */
async function runsOfSlots({ catalog, clock }: FillDeps, resumed: readonly ResumedSlot[]): Promise<PastRun[]> {
  const runs: PastRun[] = [];
  for (const { entry, againMs } of resumed) {
    if (againMs === undefined || entry.what.kind !== 'policy' || entry.what.policy.kind !== 'backup') continue;
    const { name: policy, repository } = entry.what.policy;
    const rows = await pointsOf(catalog, { policy, repository, mode: entry.schedule.mode })
      .selectAll()
      .distinctOn('vm_id')
      .where('captured_at', '>=', new Date(againMs))
      .orderBy('vm_id')
      .orderBy('captured_at', 'desc')
      .orderBy('id', 'desc')
      .execute();
    runs.push(...rows.map((row) => runOfPoint(pointOfRow(row, clock.now()), againMs)));
  }
  return runs;
}

/** Of each other VM the newest, unless the queue knows of one itself. */
async function lastRuns({ catalog, queue }: FillDeps, ofSlots: readonly PastRun[]): Promise<PastRun[]> {
  const known = new Set(ofSlots.map(({ vmId }) => vmId));
  for (const state of ['succeeded', 'degraded'] as const) {
    for await (const { vmId } of allRuns(queue, state)) known.add(vmId);
  }
  return catalog
    .groups()
    .flatMap(({ vmId, newest }: { readonly vmId: number; readonly newest: CatalogPoint }) => (known.has(vmId) ? [] : [runOfPoint(newest)]));
}

async function* allRuns(queue: Pick<Runs, 'list'>, state: 'succeeded' | 'degraded'): AsyncGenerator<RunRecord> {
  const limit = 500;
  let after: RunRecord | undefined;
  for (;;) {
    const page = await queue.list({ kind: 'backup', state, limit, ...(after && { after }) });
    yield* page;
    after = page.at(-1);
    if (page.length < limit) return;
  }
}
