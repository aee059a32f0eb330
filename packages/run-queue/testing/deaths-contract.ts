import { expect, it } from 'vitest';
import type { RunRecord, Worker } from '../src/index.ts';
import { dies } from './dies.ts';
import { forgetWorker } from './forget-worker.ts';
import { DONE, type QueueWorld, quickClock, StoppableClock, untilStopped } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

/** What becomes of runs whose worker is not heard of again. */
export function deathsContract(the: () => QueueWorld): void {
  it('of a worker that died are cleaned up after and then done by another one; what the dead one still says counts for nothing', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    const dead = await dies(world, run.id, 'dead');
    const cleaned: RunRecord[] = [];
    world.work(async () => ({ state: 'degraded', report: { by: 'heir' } }), { name: 'heir', cleanUp: remember(cleaned) });
    expect(await world.ended(run.id)).toMatchObject({ state: 'degraded', worker: 'heir', attempt: 2, report: { by: 'heir' } });
    expect(cleaned).toMatchObject([{ worker: 'dead', attempt: 1, notes: { journal: ['j-dead'] } }]);
    dead.end();
    await expect.poll(dead.said, { timeout: 10_000 }).toMatchObject([{ code: 'QUEUE_CLAIM_LOST' }, { code: 'QUEUE_CLAIM_LOST' }]);
    expect(await world.runs.get(run.id)).toMatchObject({ state: 'degraded', worker: 'heir', report: { by: 'heir' } });
  });

  it('whose heir dies too leave what both of them left to the next one', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'first');
    const clock = new StoppableClock();
    world.atEnd(() => clock.goOn());
    world.work(async () => DONE, {
      name: 'second',
      concurrency: 1,
      clock,
      cleanUp: (_, { signal }) => untilStopped(signal ?? AbortSignal.abort()),
    });
    await world.until(run.id, ({ worker }) => worker === 'second');
    clock.stop();
    await quickClock.sleep(5000);
    await forgetWorker(world.database, 'second');
    const cleaned: RunRecord[] = [];
    world.work(async () => DONE, { name: 'third', cleanUp: remember(cleaned) });
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', worker: 'third', attempt: 3 });
    expect(cleaned.map(({ worker, notes }) => [worker, notes])).toEqual([
      ['first', { journal: ['j-first'] }],
      ['second', {}],
    ]);
  });

  it('that cannot be cleaned up after yet are tried again later, and not begun before that, nor when their time is over', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: new Date(Date.now() + 60_000) }));
    await dies(world, run.id, 'gone');
    const cleaned: RunRecord[] = [];
    let isCloudAway = true;
    const cleanUp: Worker['cleanUp'] = async (dead, options) => {
      if (isCloudAway) throw new Error('the cloud is away');
      return remember(cleaned)(dead, options);
    };
    world.work(async () => DONE, { cleanUp });
    const waiting = await world.until(run.id, ({ state }) => state === 'queued');
    expect(waiting).toMatchObject({ attempt: 1, waitsFor: { code: 'clean-up' } });
    isCloudAway = false;
    // The minute is over; so is the time to begin, but what is left has to be taken away first.
    const past = new Date(0);
    await world.database.db.updateTable('onevault.run').set({ start_after: past, start_before: past }).where('id', '=', run.id).execute();
    const reason = { code: 'NOT_BEGUN_IN_TIME', text: 'it could not be begun before 1970-01-01T00:00:00.000Z' };
    expect(await world.ended(run.id)).toMatchObject({ state: 'skipped', attempt: 1, report: { reason } });
    expect(cleaned).toMatchObject([{ worker: 'gone' }]);
  });

  it('that the dead one had finished are not done twice', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'committed');
    world.work(
      async () => {
        throw new Error('done twice');
      },
      { cleanUp: async () => ({ state: 'succeeded', report: { found: true } }) },
    );
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', report: { found: true } });
  });

  it('that are cancelled after their worker died are cleaned up after, and not begun again', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    await dies(world, run.id, 'left');
    expect(await world.runs.cancel(run.id)).toMatchObject({ state: 'running' });
    const cleaned: RunRecord[] = [];
    world.work(
      async () => {
        throw new Error('begun again');
      },
      { cleanUp: remember(cleaned) },
    );
    expect(await world.ended(run.id)).toMatchObject({ state: 'cancelled' });
    expect(cleaned).toHaveLength(1);
  });

  it('that three workers died of are not tried again', async () => {
    const world = the();
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm(), retry: { times: 5, afterMs: 0 } }));
    for (const name of ['a', 'b', 'c']) await dies(world, run.id, name);
    const cleaned: RunRecord[] = [];
    world.work(async () => DONE, { cleanUp: remember(cleaned) });
    expect(await world.ended(run.id)).toMatchObject({ state: 'failed', failure: { code: 'QUEUE_RUN_DEADLY' } });
    expect(cleaned.map(({ worker }) => worker)).toEqual(['c']);
  });
}

function remember(into: RunRecord[]): Worker['cleanUp'] {
  return async (dead) => {
    into.push(dead);
    return undefined;
  };
}
