import { type Kysely, type RawBuilder, sql } from 'kysely';
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

/**
 * What is in use by runs at work, also those whose worker is dead: what it left is still there. Of a run that is given back before that could be taken away the VM stays
 * in use: it may be stopped, or have the half of somebody's disks. All else is let go: one that nobody can clean up after for a day does not cost others their places.
 */
export class Occupancy {
  readonly #taken: ReadonlyMap<string, number>;
  readonly #caps: ReadonlyMap<string, number | null>;

  private constructor(taken: ReadonlyMap<string, number>, caps: ReadonlyMap<string, number | null>) {
    this.#taken = taken;
    this.#caps = caps;
  }

  static async read(db: Kysely<Tables>): Promise<Occupancy> {
    return Occupancy.#of(
      db,
      sql`${atWork('')} union all
      select 'vm:' || vm_id from onevault.run where state = 'queued' and dead <> '[]' and holds ? ('vm:' || vm_id)`,
    );
  }

  /** For whoever takes over a run that a worker died of, and its places with it. */
  static async readFor(db: Kysely<Tables>, dead: string): Promise<Occupancy> {
    return Occupancy.#of(db, atWork(dead));
  }

  static async #of(db: Kysely<Tables>, resources: RawBuilder<unknown>): Promise<Occupancy> {
    const taken = await sql<{ resource: string; count: number }>`select resource, count(*) as count from (${resources}) taken group by resource`.execute(db);
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

function atWork(except: string): RawBuilder<unknown> {
  return sql`select jsonb_array_elements_text(occupies) as resource from onevault.run where state = 'running' and id <> ${except}`;
}
