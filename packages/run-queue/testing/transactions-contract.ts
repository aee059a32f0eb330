import { expect, it } from 'vitest';
import type { QueueWorld } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

interface ThingTable {
  thing: { id: number; made: Date };
}

/** What those may rely on who keep tables of their own in the database. */
export function transactionsContract(the: () => QueueWorld): void {
  it('share the database with tables of others, whose transactions are their own', async () => {
    const { database, runs } = the();
    const things = await database.schema<ThingTable>('things', {
      '1-thing': {
        up: async (db) => {
          await db.schema.createTable('thing').addColumn('id', 'bigint').addColumn('made', 'timestamptz').execute();
        },
      },
    });
    const made = new Date('2026-11-28T01:02:03.456Z');
    const failing = things.transaction().execute(async (trx) => {
      await trx.insertInto('thing').values({ id: 1, made }).execute();
      throw new Error('thought better of it');
    });
    const [, queued] = await Promise.all([
      expect(failing).rejects.toThrow('thought better of it'),
      runs.queue(runSpec({ vmId: the().nextVm() })),
      things.insertInto('thing').values({ id: 5_000_000_000, made }).execute(),
      things.transaction().execute((trx) => trx.insertInto('thing').values({ id: 3, made }).execute()),
    ]);
    expect(await runs.get(queued.run.id)).toMatchObject({ state: 'queued' });
    expect(await things.selectFrom('thing').selectAll().orderBy('id').execute()).toEqual([
      { id: 3, made },
      { id: 5_000_000_000, made },
    ]);
    const { total } = await things
      .selectFrom('thing')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    expect(total).toBe(2);
  });
}
