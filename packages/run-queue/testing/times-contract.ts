import { expect, it } from 'vitest';
import { DONE, type QueueWorld, quickClock } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

/** Runs that may not begin before, or after, a moment. */
export function timesContract(the: () => QueueWorld): void {
  it('are begun in their time or not at all', async () => {
    const world = the();
    const late = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: new Date(0) }));
    const early = await world.runs.queue(runSpec({ vmId: world.nextVm(), startAfter: new Date('2100-01-01T00:00:00Z') }));
    world.work(async () => DONE);
    const reason = { code: 'NOT_BEGUN_IN_TIME', text: 'it could not be begun before 1970-01-01T00:00:00.000Z' };
    expect(await world.ended(late.run.id)).toMatchObject({ state: 'skipped', attempt: 0, report: { reason } });
    expect((await world.runs.events({ runId: late.run.id, afterSeq: 0, limit: 10 })).at(-1)).toMatchObject({
      type: 'run.ended',
      data: { state: 'skipped', reason },
    });
    expect(await world.runs.get(early.run.id)).toMatchObject({ state: 'queued', waitsFor: { code: 'time' } });
  });

  it('are judged by the clock of the database, also by a worker whose own is ten minutes ahead or behind', async () => {
    const world = the();
    for (const aheadMs of [600_000, -600_000]) {
      const clock = { ...quickClock, now: () => new Date(Date.now() + aheadMs), monotonicMs: quickClock.monotonicMs, sleep: quickClock.sleep };
      const soon = new Date(Date.now() + 300_000);
      const late = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: new Date(Date.now() - 300_000) }));
      const early = await world.runs.queue(runSpec({ vmId: world.nextVm(), startAfter: soon }));
      const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: soon }));
      let told = 0;
      const stop = world.work(
        async ({ now }) => {
          told = now().getTime();
          return DONE;
        },
        { clock },
      );
      expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded' });
      expect(Math.abs(told - Date.now())).toBeLessThan(60_000);
      expect(await world.ended(late.run.id)).toMatchObject({ state: 'skipped' });
      expect(await world.runs.get(early.run.id)).toMatchObject({ state: 'queued', waitsFor: { code: 'time' } });
      stop.abort();
    }
  });

  it('are ended when their time is over, also where there is no worker at all', async () => {
    const world = the();
    const late = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: new Date(0), reach: ['what-nobody-reaches'] }));
    await world.runs.endMissed();
    expect(await world.runs.get(late.run.id)).toMatchObject({ state: 'skipped', report: { reason: { code: 'NOT_BEGUN_IN_TIME' } } });
  });

  it('are not tried again where the next attempt would come too late', async () => {
    const world = the();
    const soon = new Date(Date.now() + 3_600_000);
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm(), startBefore: soon, retry: { times: 5, afterMs: 7_200_000 } }));
    world.work(async () => ({ state: 'failed', failure: { message: 'no' }, retry: true }));
    expect(await world.ended(run.id)).toMatchObject({ state: 'failed', attempt: 1, failure: { message: 'no' } });
  });
}
