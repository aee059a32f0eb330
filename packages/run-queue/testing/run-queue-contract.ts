import { type Clock, silentLogger, systemClock } from '@onevault/base';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Database, type RunContext, type RunOutcome, type RunRecord, Runs, serveRuns, type Worker } from '../src/index.ts';
import { forgetWorker } from './forget-worker.ts';
import { runSpec } from './run-spec.ts';

export interface QueueUnderTest extends AsyncDisposable {
  readonly database: Database;
}

/** Polls in milliseconds; deadlines are the engine's. */
const quick: Clock = {
  ...systemClock,
  now: systemClock.now,
  monotonicMs: systemClock.monotonicMs,
  sleep: (ms, options) => systemClock.sleep(ms / 100, options),
};

/** What any database under the queue must do. `open` gives a new, empty one. */
export function runQueueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`runs ${name}`, () => {
    let under: QueueUnderTest;
    let runs: Runs;
    let ids = 0;
    let vms = 100;
    const stops: AbortController[] = [];
    const serving: Promise<void>[] = [];

    beforeAll(async () => {
      under = await open();
      runs = new Runs(under.database, () => `run-${String(++ids).padStart(6, '0')}`);
    }, 60_000);
    afterEach(async () => {
      for (const stop of stops.splice(0)) stop.abort();
      await Promise.all(serving.splice(0));
    });
    afterAll(() => under[Symbol.asyncDispose](), 60_000);

    function work(execute: Worker['execute'], overrides: Partial<Worker> = {}): AbortController {
      const stop = new AbortController();
      const worker: Worker = {
        name: `worker-${stops.length}-${ids}`,
        reach: new Set(),
        concurrency: 2,
        cleanUp: async () => undefined,
        execute,
        ...overrides,
      };
      stops.push(stop);
      serving.push(serveRuns({ database: under.database, clock: quick, logger: silentLogger }, worker, { signal: stop.signal }));
      return stop;
    }
    async function ended(id: string): Promise<RunRecord> {
      return settled(id, (run) => run.endedAt !== undefined);
    }
    async function settled(id: string, is: (run: RunRecord) => boolean): Promise<RunRecord> {
      return expect
        .poll(async () => runs.get(id), { timeout: 20_000, interval: 20 })
        .toSatisfy(is)
        .then(() => runs.get(id));
    }
    const done: RunOutcome = { state: 'succeeded', report: { points: 1 } };
    const remember =
      (into: RunRecord[]): Worker['cleanUp'] =>
      async (dead) => {
        into.push(dead);
        return undefined;
      };
    const untilStopped = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

    it('are done once, and tell how it went', async () => {
      const { run } = await runs.queue(runSpec({ vmId: ++vms, vmName: 'web' }));
      expect(run).toMatchObject({ state: 'queued', attempt: 0, vmName: 'web', request: { repository: 'main' } });
      let times = 0;
      work(async (context) => {
        times++;
        await context.note({ journal: ['j-1'] });
        context.progress({ doneBytes: 5 });
        context.event('step.started', { step: 'scan' });
        return done;
      });
      expect(await ended(run.id)).toMatchObject({
        state: 'succeeded',
        attempt: 1,
        report: { points: 1 },
        notes: { journal: ['j-1'] },
        progress: { doneBytes: 5 },
      });
      expect((await runs.events({ runId: run.id, afterSeq: 0, limit: 10 })).map(({ type, data }) => [type, data])).toMatchObject([
        ['run.queued', { kind: 'backup', vmId: vms }],
        ['run.started', { attempt: 1 }],
        ['step.started', { step: 'scan' }],
        ['run.ended', { state: 'succeeded' }],
      ]);
      expect(times).toBe(1);
    });

    it('that are the same wait once, and may be asked for again when it has begun', async () => {
      const spec = runSpec({ vmId: ++vms });
      const first = await runs.queue(spec);
      expect(await runs.queue({ ...spec, request: { ...spec.request } })).toMatchObject({ isNew: false, run: { id: first.run.id } });
      expect(await runs.queue({ ...spec, request: { repository: 'other' } })).toMatchObject({ isNew: true });
      work(async () => done);
      await ended(first.run.id);
      expect(await runs.queue(spec)).toMatchObject({ isNew: true });
    });

    it('of a schedule come once for each of its times, also when it has long ended', async () => {
      const spec = runSpec({ vmId: ++vms, schedule: { policy: 'nightly', slot: new Date('2026-11-27T22:00:00Z') } });
      const all = await Promise.all(Array.from({ length: 4 }, () => runs.queue(spec)));
      expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
      work(async () => done);
      await ended(all[0]?.run.id ?? '');
      expect(await runs.queue(spec)).toMatchObject({ isNew: false, run: { state: 'succeeded' } });
      expect(await runs.queue({ ...spec, vmId: ++vms })).toMatchObject({ isNew: true });
    });

    it('never hold more places than there are, whoever works', async () => {
      const queued = await Promise.all(Array.from({ length: 8 }, () => runs.queue(runSpec({ vmId: ++vms, holds: [`vm:${vms}`, 'host:a'] }))));
      await runs.setCaps({ host: 2 });
      let now = 0;
      let most = 0;
      const execute = async ({ run }: RunContext): Promise<RunOutcome> => {
        if (!run.holds.includes('host:a')) return done;
        most = Math.max(most, ++now);
        await quick.sleep(2000);
        now--;
        return done;
      };
      for (let i = 0; i < 3; i++) work(execute, { name: `crowd-${i}` });
      for (const { run } of queued) expect(await ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(most).toBe(2);
    });

    it('go by priority', async () => {
      const low = await runs.queue(runSpec({ vmId: ++vms, priority: 10 }));
      const high = await runs.queue(runSpec({ vmId: ++vms, priority: 90 }));
      const order: string[] = [];
      work(
        async ({ run }) => {
          order.push(run.id);
          return done;
        },
        { concurrency: 1 },
      );
      await ended(low.run.id);
      expect(order.filter((id) => id === low.run.id || id === high.run.id)).toEqual([high.run.id, low.run.id]);
    });

    it('wait for a worker that reaches what they need', async () => {
      const { run } = await runs.queue(runSpec({ vmId: ++vms, reach: ['datastore-100', 'datastore-1'] }));
      const near = await runs.queue(runSpec({ vmId: ++vms, reach: ['datastore-1'] }));
      const by: Record<string, string> = {};
      const execute =
        (worker: string): Worker['execute'] =>
        async (context) => {
          by[context.run.id] = worker;
          return done;
        };
      work(execute('near'), { reach: new Set(['datastore-1']) });
      await ended(near.run.id);
      expect((await runs.get(run.id)).state).toBe('queued');
      work(execute('far'), { reach: new Set(['datastore-1', 'datastore-100', 'datastore-7']) });
      await ended(run.id);
      expect(by[run.id]).toBe('far');
    });

    it('that fail are tried again as often as they may, and no more', async () => {
      const { run } = await runs.queue(runSpec({ vmId: ++vms, retry: { times: 2, afterMs: 0 } }));
      const hopeless = await runs.queue(runSpec({ vmId: ++vms, retry: { times: 2, afterMs: 0 } }));
      work(async (context) => {
        if (context.run.id === hopeless.run.id) return { state: 'failed', failure: { code: 'NO_WAY' }, retry: false };
        throw new Error(`attempt ${context.run.attempt}`);
      });
      expect(await ended(run.id)).toMatchObject({ state: 'failed', attempt: 3, failure: { message: 'attempt 3' } });
      expect(await ended(hopeless.run.id)).toMatchObject({ state: 'failed', attempt: 1, failure: { code: 'NO_WAY' } });
    });

    it('can be cancelled: at once while they wait, in order while they run', async () => {
      const waiting = await runs.queue(runSpec({ vmId: ++vms }));
      expect(await runs.cancel(waiting.run.id)).toMatchObject({ state: 'cancelled' });
      const { run } = await runs.queue(runSpec({ vmId: ++vms }));
      let executed = 0;
      work(async ({ signal }) => {
        executed++;
        return untilStopped(signal);
      });
      await settled(run.id, ({ state }) => state === 'running');
      await runs.cancel(run.id);
      expect(await ended(run.id)).toMatchObject({ state: 'cancelled' });
      expect(executed).toBe(1);
      await expect(runs.cancel(run.id)).rejects.toMatchObject({ code: 'QUEUE_RUN_ENDED' });
      await expect(runs.cancel('run-x')).rejects.toMatchObject({ code: 'QUEUE_RUN_NOT_FOUND' });
    });

    it('of a worker that ends in order are done by another one, as if for the first time', async () => {
      const { run } = await runs.queue(runSpec({ vmId: ++vms }));
      const stop = work(async ({ signal }) => untilStopped(signal), { name: 'leaving' });
      await settled(run.id, ({ state }) => state === 'running');
      stop.abort();
      work(async () => done, { name: 'staying' });
      expect(await ended(run.id)).toMatchObject({ state: 'succeeded', worker: 'staying', attempt: 1 });
    });

    it('of a worker that died are cleaned up after and then done by another one; what the dead one still says counts for nothing', async () => {
      const { run } = await runs.queue(runSpec({ vmId: ++vms }));
      let revive: () => void = () => undefined;
      const revived = new Promise<void>((resolve) => {
        revive = resolve;
      });
      let said: unknown;
      work(
        async (context) => {
          await context.note({ journal: ['j-dead'] });
          await revived;
          said = await context.note({ late: true }).catch((error: unknown) => error);
          return done;
        },
        { name: 'dead', concurrency: 1 },
      );
      await settled(run.id, ({ notes }) => notes['journal'] !== undefined);
      await forgetWorker(under.database, 'dead');
      const cleaned: RunRecord[] = [];
      work(async () => ({ state: 'degraded', report: { by: 'heir' } }), { name: 'heir', cleanUp: remember(cleaned) });
      expect(await ended(run.id)).toMatchObject({ state: 'degraded', worker: 'heir', attempt: 2, report: { by: 'heir' } });
      expect(cleaned).toMatchObject([{ worker: 'dead', attempt: 1, notes: { journal: ['j-dead'] } }]);
      revive();
      await expect.poll(() => said, { timeout: 10_000 }).toMatchObject({ code: 'QUEUE_CLAIM_LOST' });
      expect(await runs.get(run.id)).toMatchObject({ state: 'degraded', worker: 'heir' });
    });

    it('are counted: what waits, since when, and what runs; those that may not begin yet do not count as waiting long', async () => {
      const before = await runs.tally();
      const { run } = await runs.queue(runSpec({ vmId: ++vms, reach: ['nowhere'] }));
      await runs.queue(runSpec({ vmId: ++vms, reach: ['nowhere'], startAfter: new Date(run.queuedAt.getTime() + 3_600_000) }));
      const after = await runs.tally();
      expect({ queued: after.queued - before.queued, running: after.running - before.running }).toEqual({ queued: 2, running: 0 });
      expect(after.waitingSince?.getTime()).toBeLessThanOrEqual(run.queuedAt.getTime());
    });

    it('are listed newest first, page by page', async () => {
      const page = await runs.list({ limit: 3 });
      const last = page.at(-1);
      const next = await runs.list({ limit: 3, after: { queuedAt: last?.queuedAt ?? new Date(0), id: last?.id ?? '' } });
      const all = await runs.list({ limit: 6 });
      expect([...page, ...next].map(({ id }) => id)).toEqual(all.map(({ id }) => id));
      expect(await runs.list({ limit: 5, vmId: vms })).toHaveLength(1);
    });
  });
}
