import { sql } from 'kysely';
import { expect, it } from 'vitest';
import type { RunRecord, Worker } from '../src/index.ts';
import { dies } from './dies.ts';
import { DONE, type QueueWorld, quickClock } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

/** What becomes of runs whose worker died, while what it left cannot be taken away, or not by everybody. */
export function leftBehindContract(the: () => QueueWorld): void {
  const refused: Worker['cleanUp'] = async () => {
    throw new Error('OpenNebula is away');
  };
  async function putForward(world: QueueWorld, id: string): Promise<void> {
    await world.database.db.updateTable('onevault.run').set({ start_after: sql<Date>`now() - interval '1 second'` }).where('id', '=', id).execute();
  }

  async function needs(world: QueueWorld, id: string, reached: string): Promise<void> {
    await world.database.db
      .updateTable('onevault.run')
      .set({ reach: JSON.stringify([reached]) })
      .where('id', '=', id)
      .execute();
  }

  it('that are cancelled while they are cleaned up after are cleaned up after to the end, however long that takes', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'left');
    let cleaned = 0;
    const cleanUp: Worker['cleanUp'] = async (_, { signal }) => {
      if (cleaned === 0) await world.runs.cancel(run.id).catch(() => undefined);
      await quickClock.sleep(20_000, { ...(signal && { signal }) }); // ten beats
      cleaned++;
      return undefined;
    };
    world.work(async () => DONE, { name: 'patient', cleanUp });
    expect(await world.ended(run.id)).toMatchObject({ state: 'cancelled' });
    expect(cleaned).toBe(1);
  });

  it('that were cancelled before are not given up at the first beat of whoever cleans up', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'left');
    await world.runs.cancel(run.id);
    const cleanUp: Worker['cleanUp'] = async (_, { signal }) => {
      await quickClock.sleep(20_000, { ...(signal && { signal }) });
      return undefined;
    };
    world.work(async () => DONE, { name: 'slow', cleanUp });
    expect(await world.ended(run.id)).toMatchObject({ state: 'cancelled' });
  });

  it('keep their VM from others until it is clean, say why they wait, and do not ask every minute for ever', async () => {
    const world = the();
    const vmId = world.nextVm();
    const { run } = await world.runs.queue(runSpec({ vmId }));
    const next = await world.runs.queue(runSpec({ vmId, request: { repository: 'other' } }));
    await dies(world, run.id, 'gone');
    let isAway = true;
    const begun: string[] = [];
    const execute: Worker['execute'] = async ({ run: { id } }) => {
      begun.push(id);
      return DONE;
    };
    world.work(execute, { cleanUp: async (dead, options) => (isAway ? refused(dead, options) : undefined) });
    const waits: number[] = [];
    for (let tries = 1; tries <= 7; tries++) {
      const waiting = await world.until(run.id, ({ state, waitsFor }) => state === 'queued' && waitsFor?.code === 'clean-up');
      expect(waiting.attempt).toBe(1);
      waits.push(minutesTo(waiting));
      await putForward(world, run.id);
      await world.until(run.id, (again) => minutesTo(again) > 0);
    }
    expect(waits).toEqual([1, 2, 4, 8, 15, 15, 15]);
    const told = (await world.runs.events({ runId: run.id, afterSeq: 0, limit: 100 })).findLast(({ type }) => type === 'run.waits');
    expect(told?.data).toMatchObject({ failure: { message: 'OpenNebula is away' } });
    expect(await world.runs.get(next.run.id)).toMatchObject({ state: 'queued', waitsFor: { code: 'place', resource: `vm:${vmId}` } });
    expect(begun).toEqual([]);
    isAway = false;
    await putForward(world, run.id);
    for (const { id } of [run, next.run]) expect(await world.ended(id)).toMatchObject({ state: 'succeeded' });
    expect(begun).toEqual([run.id, next.run.id]);
  });

  it('are cleaned up after by whoever is there when nobody reaches what they need; then they wait, or end if they are told to', async () => {
    const world = the();
    for (const isCancelled of [true, false]) {
      const name = `far-${isCancelled}`;
      const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
      await dies(world, run.id, name);
      await needs(world, run.id, 'datastore-far');
      if (isCancelled) await world.runs.cancel(run.id);
      const cleaned: RunRecord[] = [];
      const near = world.work(async () => DONE, {
        name: 'near',
        cleanUp: async (dead) => {
          cleaned.push(dead);
          return undefined;
        },
      });
      if (isCancelled) expect(await world.ended(run.id)).toMatchObject({ state: 'cancelled' });
      else {
        expect(await world.until(run.id, ({ state }) => state === 'queued')).toMatchObject({
          attempt: 1,
          waitsFor: { code: 'worker', reach: ['datastore-far'] },
        });
        world.work(async () => DONE, { name: 'far', reach: new Set(['datastore-far']) });
        expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', worker: 'far' });
      }
      expect(cleaned.map(({ worker }) => worker)).toEqual([name]);
      near.abort();
    }
  });

  it('are left for a while to those who reach what they need', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'lost');
    const lately = sql<Date>`now() - interval '70 seconds'`;
    await needs(world, run.id, 'datastore-far');
    await world.database.db.updateTable('onevault.run').set({ beat_at: lately }).where('id', '=', run.id).execute();
    const near = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    world.work(async () => DONE, { name: 'near' });
    await world.ended(near.run.id);
    expect(await world.runs.get(run.id)).toMatchObject({ state: 'running', worker: 'lost' });
    world.work(async () => DONE, { name: 'far', reach: new Set(['datastore-far']) });
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', worker: 'far' });
  });
}

function minutesTo({ startAfter }: RunRecord): number {
  return Math.round(((startAfter?.getTime() ?? 0) - Date.now()) / 60_000);
}
