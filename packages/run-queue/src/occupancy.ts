import { type Kysely, sql } from 'kysely';
import type { Tables } from './database/tables.ts';
import { QueueError } from './errors.ts';

/** By kind of resource, how many runs may occupy one of it at once. A kind that is not named has one place: what nobody thought of is never shared. */
export type Caps = Readonly<Record<string, number | 'unlimited'>>;

/** Replaces all of them, for everybody who shares the database, from the next claim on. Throws QUEUE_REQUEST_INVALID. */
export async function setCaps(db: Kysely<Tables>, caps: Caps): Promise<void> {
  for (const [kind, places] of Object.entries(caps)) {
    if (places === 'unlimited' || (Number.isInteger(places) && places >= 1)) continue;
    throw new QueueError({
      code: 'QUEUE_REQUEST_INVALID',
      message: `${places} places of ${kind}: at least one, a whole number, or unlimited`,
      details: { kind, places },
    });
  }
  const rows = Object.entries(caps).map(([kind, places]) => ({ kind, places: places === 'unlimited' ? null : places }));
  await db.transaction().execute(async (trx) => {
    await trx.deleteFrom('onevault.run_cap').execute();
    if (rows.length > 0) await trx.insertInto('onevault.run_cap').values(rows).execute();
  });
}

/** What is in use by runs at work, also those whose worker is dead: what it left is still there. */
export class Occupancy {
  readonly #taken: ReadonlyMap<string, number>;
  readonly #caps: ReadonlyMap<string, number | null>;

  private constructor(taken: ReadonlyMap<string, number>, caps: ReadonlyMap<string, number | null>) {
    this.#taken = taken;
    this.#caps = caps;
  }

  /** `except`: a run that is about to be taken over, and its places with it. */
  static async read(db: Kysely<Tables>, except = ''): Promise<Occupancy> {
    const taken = await sql<{ resource: string; count: number }>`
      select resource, count(*) as count from onevault.run, jsonb_array_elements_text(occupies) resource
      where state = 'running' and id <> ${except} group by resource`.execute(db);
    const caps = await db.selectFrom('onevault.run_cap').selectAll().execute();
    return new Occupancy(new Map(taken.rows.map(({ resource, count }) => [resource, count])), new Map(caps.map(({ kind, places }) => [kind, places])));
  }

  isFull(resource: string): boolean {
    const places = this.#caps.get(resource.split(':', 1)[0] ?? resource);
    return places !== null && (this.#taken.get(resource) ?? 0) >= (places ?? 1);
  }

  full(): string[] {
    return [...this.#taken.keys()].filter((resource) => this.isFull(resource));
  }
}
