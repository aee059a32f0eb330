import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database, RunOutcome, Worker } from '../src/index.ts';
import { deathsContract } from './deaths-contract.ts';
import { eventsContract } from './events-contract.ts';
import { leftBehindContract } from './left-behind-contract.ts';
import { DONE, QueueWorld, quickClock, untilStopped } from './queue-world.ts';
import { retriesContract } from './retries-contract.ts';
import { runSpec } from './run-spec.ts';
import { timesContract } from './times-contract.ts';
import { transactionsContract } from './transactions-contract.ts';

export interface QueueUnderTest extends AsyncDisposable {
  readonly database: Database;
}

/** What any database under the queue must do. `open` gives a new, empty one. */
export function runQueueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`runs ${name}`, () => {
    let under: QueueUnderTest;
    let world: QueueWorld;
    beforeAll(async () => {
      under = await open();
      world = new QueueWorld(under.database);
    }, 60_000);
    afterEach(async () => {
      await world.stop();
      // What a test left waiting is not the next one's.
      for (const { id } of await world.runs.list({ state: 'queued', limit: 1000 })) await world.runs.cancel(id);
    }, 30_000);
    afterAll(() => under[Symbol.asyncDispose](), 60_000);

    oneRun(() => world);
    order(() => world);
    timesContract(() => world);
    tally(() => world);
    endings(() => world);
    retriesContract(() => world);
    deathsContract(() => world);
    leftBehindContract(() => world);
    eventsContract(() => world);
    transactionsContract(() => world);
  });
}

function oneRun(the: () => QueueWorld): void {
  it('are done once, and tell how it went', async () => {
    const world = the();
    const vmId = world.nextVm();
    const { run } = await world.runs.queue(runSpec({ vmId, vmName: 'web' }));
    expect(run).toMatchObject({ state: 'queued', attempt: 0, vmName: 'web', request: { repository: 'main' }, waitsFor: { code: 'worker', reach: [] } });
    let times = 0;
    world.work(async (context) => {
      times++;
      await context.note({ journal: ['j-1'] });
      context.progress({ doneBytes: 5 });
      context.event('step.started', { step: 'scan' });
      return DONE;
    });
    expect(await world.ended(run.id)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      report: { points: 1 },
      notes: { journal: ['j-1'] },
      progress: { doneBytes: 5 },
      waitsFor: undefined,
    });
    expect(await world.runs.events({ runId: run.id, afterSeq: 0, limit: 10 })).toMatchObject([
      { type: 'run.queued', data: { kind: 'backup', vmId } },
      { type: 'run.taken', data: { attempt: 1 } },
      { type: 'step.started', data: { step: 'scan' } },
      { type: 'run.ended', data: { state: 'succeeded' } },
    ]);
    expect(times).toBe(1);
  });

  it('that are the same wait once, and may be asked for again when it has begun', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    const spec = runSpec({ vmId: nextVm() });
    const first = await runs.queue(spec);
    expect(await runs.queue({ ...spec, request: { ...spec.request } })).toMatchObject({ isNew: false, run: { id: first.run.id } });
    expect(await runs.queue({ ...spec, request: { repository: 'other' } })).toMatchObject({ isNew: true });
    work(async () => DONE);
    await ended(first.run.id);
    expect(await runs.queue(spec)).toMatchObject({ isNew: true });
  });

  it('that are given back wait beside the same that was asked for meanwhile', async () => {
    const { runs, ended, until, work, nextVm } = bound(the());
    const spec = runSpec({ vmId: nextVm() });
    const first = await runs.queue(spec);
    const stop = work(async ({ signal }) => untilStopped(signal));
    await until(first.run.id, ({ state }) => state === 'running');
    const second = await runs.queue(spec);
    expect(second.isNew).toBe(true);
    stop.abort();
    await until(first.run.id, ({ state }) => state === 'queued');
    work(async () => DONE);
    for (const { run } of [first, second]) expect(await ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('of a schedule come once for each of its times, also when it has long ended', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    const spec = runSpec({ vmId: nextVm(), schedule: { policy: 'nightly', slot: new Date('2026-11-27T22:00:00Z') } });
    const all = await Promise.all(Array.from({ length: 4 }, () => runs.queue(spec)));
    expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
    work(async () => DONE);
    await ended(all[0]?.run.id ?? '');
    expect(await runs.queue(spec)).toMatchObject({ isNew: false, run: { state: 'succeeded' } });
    expect(await runs.queue({ ...spec, vmId: nextVm() })).toMatchObject({ isNew: true });
  });

  it('are listed newest first, page by page', async () => {
    const { runs, nextVm } = bound(the());
    for (let i = 0; i < 6; i++) await runs.queue(runSpec({ vmId: nextVm(), kind: 'verify' }));
    const page = await runs.list({ limit: 3, kind: 'verify' });
    const last = page.at(-1);
    const next = await runs.list({ limit: 3, kind: 'verify', after: { queuedAt: last?.queuedAt ?? new Date(0), id: last?.id ?? '' } });
    const all = await runs.list({ limit: 6, state: 'queued' });
    expect([...page, ...next].map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    expect(await runs.list({ limit: 5, vmId: page[0]?.vmId ?? 0 })).toHaveLength(1);
  });
}

function order(the: () => QueueWorld): void {
  it('never hold more places than there are, whoever works', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    const queued = await Promise.all(Array.from({ length: 8 }, () => nextVm()).map((vmId) => runs.queue(runSpec({ vmId, holds: [`vm:${vmId}`, 'host:a'] }))));
    await runs.setCaps({ host: 2 });
    let now = 0;
    let most = 0;
    let first: (() => void) | undefined;
    const execute = async (): Promise<RunOutcome> => {
      most = Math.max(most, ++now);
      // Two by two: each waits for one that is at work at the same time.
      await new Promise<void>((resolve) => {
        if (first === undefined) first = resolve;
        else {
          first();
          first = undefined;
          resolve();
        }
      });
      await quickClock.sleep(500);
      now--;
      return DONE;
    };
    for (let i = 0; i < 3; i++) work(execute);
    for (const { run } of queued) expect(await ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(most).toBe(2);
  });

  it('that find no place say what they wait for, and let others pass', async () => {
    const { runs, ended, until, work, nextVm } = bound(the());
    await runs.setCaps({ vm: 1, host: 'unlimited' });
    const [first, second, third] = await Promise.all(
      [1, 1, 2].map((vm, index) => runs.queue(runSpec({ vmId: nextVm(), priority: 90 - index, holds: [`vm:x${vm}`, 'host:a'] }))),
    );
    const stop = work(async ({ run, signal }) => (run.id === third?.run.id ? DONE : untilStopped(signal)), { concurrency: 4 });
    await ended(third?.run.id ?? '');
    expect(await runs.get(second?.run.id ?? '')).toMatchObject({ state: 'queued', waitsFor: { code: 'place', resource: 'vm:x1' } });
    expect(await runs.workers()).toMatchObject([{ slots: 4, running: 1, alive: true, reach: [] }]);
    stop.abort();
    await until(first?.run.id ?? '', ({ state }) => state === 'queued');
    await expect.poll(() => runs.workers()).toEqual([]);
    await expect(runs.setCaps({ host: 0 })).rejects.toMatchObject({ code: 'QUEUE_REQUEST_INVALID' });
  });

  it('hold what their worker has one of, too', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    await runs.setCaps({ proxy: 1 });
    const queued = [await runs.queue(runSpec({ vmId: nextVm() })), await runs.queue(runSpec({ vmId: nextVm() }))];
    let now = 0;
    const execute = async (): Promise<RunOutcome> => {
      expect(++now).toBe(1);
      await quickClock.sleep(3000);
      now--;
      return DONE;
    };
    work(execute, { holds: ['proxy:a'], concurrency: 4 });
    for (const { run } of queued) expect(await ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('go by priority, ten minutes of waiting to a point', async () => {
    const { runs, ended, work, nextVm, database } = bound(the());
    const old = await runs.queue(runSpec({ vmId: nextVm(), priority: 10 }));
    await database.db
      .updateTable('onevault.run')
      .set({ turn: new Date(Date.now() - 100 * 600_000) })
      .where('id', '=', old.run.id)
      .execute();
    const low = await runs.queue(runSpec({ vmId: nextVm(), priority: 10 }));
    const high = await runs.queue(runSpec({ vmId: nextVm(), priority: 90 }));
    const done: string[] = [];
    const execute: Worker['execute'] = async ({ run }) => {
      done.push(run.id);
      return DONE;
    };
    work(execute, { concurrency: 1 });
    await ended(low.run.id);
    expect(done).toEqual([old.run.id, high.run.id, low.run.id]);
  });

  it('wait for a worker that reaches what they need', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm(), reach: ['datastore-100', 'datastore-1'] }));
    const near = await runs.queue(runSpec({ vmId: nextVm(), reach: ['datastore-1'] }));
    work(async () => DONE, { name: 'near', reach: new Set(['datastore-1']) });
    await ended(near.run.id);
    expect(await runs.get(run.id)).toMatchObject({ state: 'queued', waitsFor: { code: 'worker', reach: ['datastore-100', 'datastore-1'] } });
    work(async () => DONE, { name: 'far', reach: new Set(['datastore-1', 'datastore-100', 'datastore-7']) });
    expect(await ended(run.id)).toMatchObject({ worker: 'far' });
  });
}

function tally(the: () => QueueWorld): void {
  it('are counted: what waits, since when, and what runs; those that may not begin yet do not count as waiting long', async () => {
    const { runs, nextVm } = bound(the());
    expect(await runs.tally()).toEqual({ queued: 0, running: 0, waitingSince: undefined });
    const { run } = await runs.queue(runSpec({ vmId: nextVm() }));
    await runs.queue(runSpec({ vmId: nextVm(), startAfter: new Date(run.queuedAt.getTime() + 3_600_000) }));
    expect(await runs.tally()).toEqual({ queued: 2, running: 0, waitingSince: run.startAfter });
  });
}

function endings(the: () => QueueWorld): void {
  it('can be cancelled: at once while they wait, in order while they run', async () => {
    const { runs, ended, until, work, nextVm } = bound(the());
    const waiting = await runs.queue(runSpec({ vmId: nextVm() }));
    expect(await runs.cancel(waiting.run.id)).toMatchObject({ state: 'cancelled' });
    const { run } = await runs.queue(runSpec({ vmId: nextVm() }));
    let executed = 0;
    work(async ({ signal }) => {
      executed++;
      return untilStopped(signal);
    });
    await until(run.id, ({ state }) => state === 'running');
    await runs.cancel(run.id);
    expect(await ended(run.id)).toMatchObject({ state: 'cancelled' });
    expect(executed).toBe(1);
    await expect(runs.cancel(run.id)).rejects.toMatchObject({ code: 'QUEUE_RUN_ENDED' });
    await expect(runs.cancel('run-x')).rejects.toMatchObject({ code: 'QUEUE_RUN_NOT_FOUND' });
  });

  it('of a worker that ends in order are done by another one, as if for the first time', async () => {
    const { runs, ended, until, work, nextVm } = bound(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm() }));
    const stop = work(async ({ signal }) => untilStopped(signal), { name: 'leaving' });
    await until(run.id, ({ state }) => state === 'running');
    stop.abort();
    work(async () => DONE, { name: 'staying' });
    expect(await ended(run.id)).toMatchObject({ state: 'succeeded', worker: 'staying', attempt: 1 });
  });

  it('are forgotten when they ended long ago, with their events, and those that wait are not', async () => {
    const { runs, ended, work, nextVm } = bound(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm() }));
    const scheduled = await runs.queue(runSpec({ vmId: nextVm(), schedule: { policy: 'daily', slot: new Date('2026-11-27T01:00:00Z') } }));
    work(async () => DONE);
    await ended(run.id);
    await ended(scheduled.run.id);
    await the().stop();
    const waiting = await runs.queue(runSpec({ vmId: nextVm() }));
    const future = new Date('2100-01-01T00:00:00Z');
    expect((await runs.prune({ endedBefore: future, eventsBefore: future })).runs).toBeGreaterThan(0);
    await expect(runs.get(run.id)).rejects.toMatchObject({ code: 'QUEUE_RUN_NOT_FOUND' });
    expect(await runs.get(scheduled.run.id)).toMatchObject({ state: 'succeeded' });
    expect(await runs.events({ runId: scheduled.run.id, afterSeq: 0, limit: 10 })).toEqual([]);
    expect(await runs.events({ runId: waiting.run.id, afterSeq: 0, limit: 10 })).toHaveLength(1);
  });
}

function bound(world: QueueWorld) {
  return {
    runs: world.runs,
    database: world.database,
    nextVm: () => world.nextVm(),
    ended: (id: string) => world.ended(id),
    until: world.until.bind(world),
    work: world.work.bind(world),
  };
}
