import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PointMarks, Repository, RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type Kysely, sql } from 'kysely';
import type { CatalogTables } from './catalog-tables.ts';
import { notesOf, type PointNotes, rowOfPoint } from './point-row.ts';

/** So many rows go in at once, and so many are read. The embedded database works in the thread that answers everybody: between two of them the others have it. */
const BATCH = 200;
const PAGE = 2000;

export interface ReadScope extends CallOptions {
  readonly group?: string;
  readonly now: Date;
}

/** Groups of which anything is another than before. */
export type Touched = ReadonlySet<string>;

export interface Found {
  readonly touched: Touched;
  /** What the points that were not known before have stored. */
  readonly broughtBytes: number;
}

/**
 * Brings the rows of a repository (or of one group in it) to what is there: manifests never change, so only new ones are read; marks and damage are compared. What
 * cannot be listed whole is thrown before anything is taken away. Memory: an id for every point.
 */
export async function readRepository(db: Kysely<CatalogTables>, name: string, repository: Repository, scope: ReadScope): Promise<Found> {
  const known = await knownPoints(db, name, scope.group);
  const marks = await readMarks(repository, scope);
  const damaged = await repository.damagedPoints(callOf(scope));
  const touched = new Set<string>();
  const seen = new Set<string>();
  const unless = ({ group, id }: { readonly group: string; readonly id: string }): boolean => {
    seen.add(`${group}/${id}`);
    return known.has(`${group}/${id}`);
  };
  const unreadable: { readonly key: string; readonly grp: string }[] = [];
  let fresh: RestorePoint[] = [];
  let broughtBytes = 0;
  const store = async (): Promise<void> => {
    await insertPoints(db, name, fresh, (point) => notesOf(marks.get(point.id), damaged.has(point.id), scope.now));
    for (const { group, stats } of fresh) {
      touched.add(group);
      broughtBytes += stats.storedBytes;
    }
    fresh = [];
    await nextTurn();
  };
  for await (const listed of repository.points({ ...(scope.group !== undefined && { group: scope.group }), unless }, callOf(scope))) {
    if (listed.kind === 'damaged') unreadable.push({ key: listed.key, grp: listed.key.split('/')[1] ?? '' });
    else if (fresh.push(listed.point) >= BATCH) await store();
  }
  await store();
  const gone = await goneFrom(known, seen);
  await forgetPoints(db, name, gone, touched);
  await compareNotes(db, name, known, gone, (id) => notesOf(marks.get(id), damaged.has(id), scope.now), touched);
  await replaceUnreadable(db, name, scope.group, unreadable, touched);
  return { touched, broughtBytes };
}

/** By `group/id`. */
async function knownPoints(db: Kysely<CatalogTables>, name: string, group: string | undefined): Promise<Map<string, PointNotes | undefined>> {
  const known = new Map<string, PointNotes | undefined>();
  for (let last = ''; ; ) {
    const rows = await db
      .selectFrom('point')
      .select(['grp', 'id'])
      .select((row) =>
        sql<PointNotes | null>`case when ${row.ref('damaged')} or ${row.ref('tags')} <> '[]' or ${row.ref('holds')} <> '[]'
          then jsonb_build_object('tags', ${row.ref('tags')}, 'holds', ${row.ref('holds')}, 'damaged', ${row.ref('damaged')}) end`.as('notes'),
      )
      .where('repository', '=', name)
      .where('id', '>', last)
      .$if(group !== undefined, (query) => query.where('grp', '=', group ?? ''))
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const { grp, id, notes } of rows) known.set(`${grp}/${id}`, notes ?? undefined);
    const end = rows.at(-1);
    if (end === undefined || rows.length < PAGE) return known;
    last = end.id;
    await nextTurn();
  }
}

async function goneFrom(known: ReadonlyMap<string, unknown>, seen: ReadonlySet<string>): Promise<string[]> {
  const gone: string[] = [];
  let looked = 0;
  for (const key of known.keys()) {
    if (!seen.has(key)) gone.push(key);
    if (++looked % PAGE === 0) await nextTurn();
  }
  return gone;
}

async function readMarks(repository: Repository, scope: ReadScope): Promise<Map<string, PointMarks>> {
  const marks = new Map<string, PointMarks>();
  for await (const one of repository.marks.list(scope.group === undefined ? {} : { group: scope.group }, callOf(scope))) marks.set(one.pointId, one);
  return marks;
}

async function insertPoints(
  db: Kysely<CatalogTables>,
  name: string,
  points: readonly RestorePoint[],
  notes: (point: RestorePoint) => PointNotes,
): Promise<void> {
  if (points.length === 0) return;
  await db
    .insertInto('point')
    .values(points.map((point) => rowOfPoint(name, point, notes(point))))
    .onConflict((conflict) => conflict.doNothing()) // another server was faster
    .execute();
}

async function forgetPoints(db: Kysely<CatalogTables>, name: string, keys: readonly string[], touched: Set<string>): Promise<void> {
  for (let at = 0; at < keys.length; at += BATCH) {
    const batch = keys.slice(at, at + BATCH);
    await db
      .deleteFrom('point')
      .where('repository', '=', name)
      .where(
        'id',
        'in',
        batch.map((key) => key.slice(key.indexOf('/') + 1)),
      )
      .execute();
    await nextTurn();
  }
  for (const key of keys) touched.add(key.slice(0, key.indexOf('/')));
}

const NONE: PointNotes = { tags: [], holds: [], damaged: false };

async function compareNotes(
  db: Kysely<CatalogTables>,
  name: string,
  known: ReadonlyMap<string, PointNotes | undefined>,
  gone: readonly string[],
  notes: (id: string) => PointNotes,
  touched: Set<string>,
): Promise<void> {
  const away = new Set(gone);
  let looked = 0;
  for (const [key, before] of known) {
    if (away.has(key)) continue;
    if (++looked % PAGE === 0) await nextTurn();
    const [group = '', id = ''] = key.split('/');
    const now = notes(id);
    if (before === undefined && isPlain(now)) continue;
    if (textOf(now) === textOf(before ?? NONE)) continue;
    const change = { tags: JSON.stringify(now.tags), holds: JSON.stringify(now.holds), damaged: now.damaged };
    await db.updateTable('point').set(change).where('repository', '=', name).where('id', '=', id).execute();
    touched.add(group);
  }
}

function isPlain({ tags, holds, damaged }: PointNotes): boolean {
  return !damaged && tags.length === 0 && holds.length === 0;
}

/** jsonb has an order of keys of its own. */
function textOf({ tags, holds, damaged }: PointNotes): string {
  return JSON.stringify([tags, holds.map((hold) => [hold.name, hold.until ?? null]), damaged]);
}

async function replaceUnreadable(
  db: Kysely<CatalogTables>,
  name: string,
  group: string | undefined,
  now: readonly { readonly key: string; readonly grp: string }[],
  touched: Set<string>,
): Promise<void> {
  const before = await db
    .selectFrom('unreadable')
    .select(['key', 'grp'])
    .where('repository', '=', name)
    .$if(group !== undefined, (query) => query.where('grp', '=', group ?? ''))
    .execute();
  const keys = new Set(now.map(({ key }) => key));
  const healed = before.filter(({ key }) => !keys.has(key));
  for (const { key } of healed) await db.deleteFrom('unreadable').where('repository', '=', name).where('key', '=', key).execute();
  for (let at = 0; at < now.length; at += BATCH) {
    const values = now.slice(at, at + BATCH).map((one) => ({ repository: name, ...one }));
    await db
      .insertInto('unreadable')
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const { grp } of [...healed, ...now]) touched.add(grp);
}

function callOf({ signal }: ReadScope): CallOptions {
  return signal === undefined ? {} : { signal };
}
