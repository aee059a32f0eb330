import { rename } from 'node:fs/promises';
import { vmId } from '@onevault/one-client';
import type { JsonObject, RunRecord } from '@onevault/run-queue';
import { dies, QueueWorld } from '@onevault/run-queue/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorkWorld, type WorkWorld } from '../../testing/work-world.ts';

let world: WorkWorld;
beforeAll(async () => {
  world = await makeWorkWorld({ disks: [{ sizeMiB: 1 }] });
}, 180_000);
afterAll(() => world[Symbol.asyncDispose](), 60_000);

const backup = () => ({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto' }) as const;

/** Changes what stands in the row of a run that waits, as another version or a restored database would have it. */
async function rewrite(id: string, row: { readonly kind?: string; readonly request: JsonObject }): Promise<void> {
  await world.database.db
    .updateTable('onevault.run')
    .set({ ...(row.kind !== undefined && { kind: row.kind }), request: JSON.stringify(row.request) })
    .where('id', '=', id)
    .execute();
}

/** A snapshot that a dead attempt has made and noted, as its journal says. */
async function leftSnapshot(runId: string): Promise<JsonObject> {
  const name = `onevault-${runId}`;
  await world.simulator.must('one.vm.disksnapshotcreate', world.vm, 0, name);
  await expect.poll(async () => snapshots().then((all) => all.length), { timeout: 10_000 }).toBe(1);
  const [snapshot] = await snapshots();
  const object = { kind: 'snapshot', vmId: world.vm, diskId: 0, name };
  const run = { type: 'run', time: '2026-11-28T00:00:00.000Z', runId, kind: 'backup', about: 'VM web', endpoint: 'http://x', owner: 'gone 1 1 x' };
  const records = [run, { type: 'intent', time: run.time, step: 1, object }, { type: 'done', time: run.time, step: 1, id: snapshot?.id ?? -1 }];
  return { journals: [{ runId, records, finished: false }] };
}

async function snapshots() {
  const { snapshots: trees } = await world.cloud.vm(vmId(world.vm));
  return trees.flatMap((tree) => tree.snapshots);
}

describe('an order that a worker cannot carry out', { timeout: 60_000 }, () => {
  it('ends its run by name, whatever stands in it', async () => {
    await using _worker = await world.worker('reader');
    const rubbish: { readonly kind?: string; readonly request: JsonObject }[] = [
      { request: {} },
      { request: { request: 'backup' } },
      { request: { request: { kind: 'teleport' } }, kind: 'teleport' },
      { request: { request: { kind: 'backup', vmId: 'seven', repository: 'main' } } },
      { request: { request: { ...backup() }, policy: { kind: 'backup', name: '../..' } } },
    ];
    for (const row of rubbish) {
      const { run } = await world.queue.queue({
        kind: row.kind ?? 'backup',
        request: row.request,
        origin: { kind: 'system', name: 'test' },
        priority: 50,
        holds: [],
        reach: [],
        retry: { times: 5, afterMs: 0 },
      });
      const ended = await world.ended(run.id);
      expect(ended, JSON.stringify(row)).toMatchObject({ state: 'failed', attempt: 1, failure: { code: 'SERVER_ORDER_INVALID' } });
    }
  });

  it('does not keep what a dead worker left of it in OpenNebula, nor the run from ending', async () => {
    const runId = '20261128T000000Z-aaaaaaaaaa';
    const id = await world.start(backup());
    await using queue = new DyingQueue();
    await queue.die(id, await leftSnapshot(runId));
    await rewrite(id, { kind: 'teleport', request: { request: { kind: 'teleport', vmId: world.vm } } });
    await using _worker = await world.worker('heir-of-teleport');
    expect(await world.ended(id)).toMatchObject({ state: 'failed', failure: { code: 'SERVER_ORDER_INVALID' } });
    expect(await snapshots()).toEqual([]);
  });

  it('of a repository that is gone ends when its worker dies, and can be cancelled', async () => {
    const away = `${world.repositoryPath}-away`;
    for (const isCancelled of [false, true]) {
      const id = await world.start(backup());
      await using queue = new DyingQueue();
      await queue.die(id, { journals: [{ runId: `20261128T000000Z-bbbbbbbbb${isCancelled ? 1 : 0}`, records: [], finished: true }] });
      if (isCancelled) await world.runs.cancel(id);
      await rename(world.repositoryPath, away);
      try {
        await using _worker = await world.worker(`heir-of-nothing-${isCancelled}`);
        const ended: RunRecord = await world.ended(id);
        if (isCancelled) expect(ended).toMatchObject({ state: 'cancelled' });
        else expect(ended).toMatchObject({ state: 'failed', failure: { code: expect.stringMatching(/^REPO_/), hint: expect.any(String) } });
      } finally {
        await rename(away, world.repositoryPath);
      }
    }
  });
});

describe('an order of somebody who is no administrator', { timeout: 60_000 }, () => {
  it('is refused when the VM is given away while it waits, whatever it is', async () => {
    const owner = await world.simulator.sim.control.createUser({ name: 'bob', password: 'secret', group: 'bobs' });
    await world.simulator.must('one.vm.chown', world.vm, owner.userId, owner.groupId);
    const ids = [await world.start(backup(), { owner }), await world.start({ kind: 'snapshot-create', vmId: world.vm }, { owner })];
    await world.simulator.must('one.vm.chown', world.vm, 0, 0);
    await using _worker = await world.worker('asks-first');
    for (const id of ids) expect(await world.ended(id)).toMatchObject({ state: 'failed', failure: { code: 'SERVER_FORBIDDEN' } });
    await world.simulator.must('one.vm.chown', world.vm, owner.userId, owner.groupId);
    expect(await world.do(backup(), { owner })).toMatchObject({ state: 'succeeded' });
  });

  it('puts no card of a restored VM into a network that they may not USE', async () => {
    const { sim, must } = world.simulator;
    const owner = await sim.control.createUser({ name: 'carol', password: 'secret', group: 'carols' });
    const { vmId: carded } = await sim.control.createVm({ name: 'carded', disks: [{ sizeMiB: 1 }], volatileMiB: [], nics: ['lan'] });
    await must('one.vm.chown', carded, owner.userId, owner.groupId);
    const lan = Number((await must('one.vm.info', carded)).match(/<NETWORK_ID><!\[CDATA\[(\d+)/)?.[1]);
    await world.look();
    await using _worker = await world.worker('asks-for-networks');
    expect(await world.do({ ...backup(), vmId: carded }, { owner })).toMatchObject({ state: 'succeeded' });
    const pointId = world.points().find((point) => point.vmId === carded)?.id ?? '';
    const restore = (name: string) => ({ kind: 'restore', repository: 'main', pointId, name, method: 'auto', hold: false, nics: 'new-addresses' }) as const;
    const may = (use: 0 | 1) => must('one.vn.chmod', lan, 1, 1, 0, 1, 0, 0, use, 0, 0);
    await may(0);
    expect(await world.do(restore('no-card'), { owner })).toMatchObject({ state: 'failed', failure: { code: 'JOB_RESTORE_REFUSED' } });
    expect(await world.do({ ...restore('none'), nics: 'none' }, { owner })).toMatchObject({ state: 'succeeded' });
    await may(1);
    expect(await world.do(restore('card'), { owner })).toMatchObject({ state: 'succeeded' });
  });
});

/** Workers of the queue alone, which die when they have noted something. */
class DyingQueue implements AsyncDisposable {
  readonly #queue = new QueueWorld(world.database);

  async die(id: string, notes: JsonObject): Promise<void> {
    await dies(this.#queue, id, `dead-of-${id}`, { notes, reach: new Set(['proxy', 'datastore-1', 'datastore-100']) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.stop();
  }
}
