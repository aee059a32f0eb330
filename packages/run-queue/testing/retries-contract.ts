import { expect, it } from 'vitest';
import type { RunContext } from '../src/index.ts';
import { type QueueWorld, quickClock } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

/** What becomes of runs that fail and may be tried again. */
export function retriesContract(the: () => QueueWorld): void {
  it('that fail are tried again as often as they may, and no more', async () => {
    const { runs, ended, work, nextVm } = parts(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm(), retry: { times: 2, afterMs: 0 } }));
    const hopeless = await runs.queue(runSpec({ vmId: nextVm(), retry: { times: 2, afterMs: 0 } }));
    work(async (context: RunContext) => {
      if (context.run.id === hopeless.run.id) return { state: 'failed', failure: { code: 'NO_WAY' }, retry: false };
      throw new Error(`attempt ${context.run.attempt}`);
    });
    expect(await ended(run.id)).toMatchObject({ state: 'failed', attempt: 3, failure: { message: 'attempt 3' } });
    expect(await ended(hopeless.run.id)).toMatchObject({ state: 'failed', attempt: 1, failure: { code: 'NO_WAY' } });
  });

  it('may wait for their next try longer than a column of PostgreSQL counts milliseconds', async () => {
    const { runs, until, work, nextVm } = parts(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm(), retry: { times: 2, afterMs: 60 * 86_400_000 } }));
    work(async () => ({ state: 'failed', failure: { code: 'BUSY' }, retry: true }));
    const { startAfter } = await until(run.id, ({ state, attempt }) => state === 'queued' && attempt === 1);
    expect((startAfter?.getTime() ?? 0) - Date.now()).toBeGreaterThan(20 * 86_400_000);
  });

  it('wait for their next try as long as the cause asks for, with the reason of the last one', async () => {
    const { runs, until, work, nextVm } = parts(the());
    const { run } = await runs.queue(runSpec({ vmId: nextVm(), retry: { times: 2, afterMs: 0 } }));
    work(async () => ({ state: 'failed', failure: { code: 'BUSY' }, retry: true, retryAfterMs: 3_600_000 }));
    const waiting = await until(run.id, ({ state, attempt }) => state === 'queued' && attempt === 1);
    expect(waiting).toMatchObject({ failure: { code: 'BUSY' }, waitsFor: { code: 'time' }, worker: undefined });
    expect(await runs.cancel(run.id)).toMatchObject({ state: 'cancelled' });
  });

  it('that all fail at once, as when a proxy is broken, are tried once each and wait then: no worker goes round in circles', async () => {
    const { runs, until, work, nextVm } = parts(the());
    const before = await runs.lastSeq();
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) ids.push((await runs.queue(runSpec({ vmId: nextVm(), retry: { times: 5, afterMs: 600_000 } }))).run.id);
    let tries = 0;
    const execute = async (): Promise<never> => {
      tries++;
      throw new Error('the proxy is broken');
    };
    for (let n = 0; n < 2; n++) work(execute, { concurrency: 8 });
    for (const id of ids) await until(id, ({ state, attempt }) => state === 'queued' && attempt === 1);
    await quickClock.sleep(20_000); // twenty looks of each worker
    expect(tries).toBe(ids.length);
    expect((await runs.lastSeq()) - before).toBe(3 * ids.length); // queued, taken, waits
  });
}

function parts(world: QueueWorld) {
  return {
    runs: world.runs,
    nextVm: () => world.nextVm(),
    ended: world.ended.bind(world),
    until: world.until.bind(world),
    work: world.work.bind(world),
  };
}
