import { type Kysely, sql } from 'kysely';
import { ServerError } from '../errors.ts';
import type { PointPage } from '../ports/catalog.ts';
import type { CatalogTables } from './catalog-tables.ts';
import { pointOfRow } from './point-row.ts';

/** Restore points of a group, newest first, behind a cursor: nothing is counted through to find it. */
export async function readPage(
  db: Kysely<CatalogTables>,
  group: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
  now: Date,
): Promise<PointPage> {
  const behind = cursor === undefined ? undefined : parseCursor(cursor);
  const rows = await db
    .selectFrom('point')
    .selectAll()
    .where('grp', '=', group)
    .$if(behind !== undefined, (query) => query.where(sql<boolean>`(captured_at, id, repository) < (${behind?.at}, ${behind?.id}, ${behind?.repository})`))
    .orderBy('captured_at', 'desc')
    .orderBy('id', 'desc')
    .orderBy('repository', 'desc')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit).map((row) => pointOfRow(row, now));
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? `${last.capturedAt.toISOString()}~${last.id}~${last.repository}` : undefined };
}

function parseCursor(cursor: string): { readonly at: Date; readonly id: string; readonly repository: string } {
  const [, time = '', id = '', repository = ''] = /^([0-9TZ:.-]{1,30})~([0-9A-Za-z-]{1,80})~([a-z0-9-]{1,63})$/.exec(cursor) ?? [];
  const at = new Date(time);
  if (!Number.isNaN(at.getTime())) return { at, id, repository };
  throw new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: 'the cursor is none that this server gave',
    hint: 'Take it from `next` of the page before',
  });
}
