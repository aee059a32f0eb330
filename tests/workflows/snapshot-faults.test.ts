import { type OneApi, OneError } from '@onevault/one-client';
import { type DiskStanding, deleteSnapshots, type JobDeps, revertSnapshots } from '@onevault/orchestrator';
import { type CloudFault, faultyCloud } from '@onevault/orchestrator/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { contentOf, goBack, guestWrites, revertRequest, snapshotLines, takeByHand, takeSet, vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

const DISKS = [0, 1];

function standing(world: World): readonly DiskStanding[] {
  return world.events.flatMap((event) => (event.type === 'snapshot.standing' ? [event.disks] : [])).at(-1) ?? [];
}

describe.each([
  { driver: 'qcow2', datastore: 100 },
  { driver: 'ceph', datastore: 104 },
])('when something goes wrong on $driver', ({ datastore }) => {
  let world: World;
  /** What the snapshots of the set hold. */
  let taken: string[];
  beforeAll(async () => {
    world = await makeWorld({
      disks: [
        { sizeMiB: 1, datastore },
        { sizeMiB: 1, datastore },
      ],
      volatileMiB: [],
    });
    await takeByHand(world, 'by hand', DISKS);
    await takeSet(world, 'target');
    taken = await contentOf(world, DISKS);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  afterEach(() => world.sim.control.clearFaults());

  /** Each changing call of `act` fails once, in turn; `check` sees how that ended. */
  async function everyCall(
    fault: CloudFault,
    act: (deps: JobDeps) => Promise<unknown>,
    check: (error: unknown, call: string) => Promise<void>,
  ): Promise<string[]> {
    const calls: string[] = [];
    for (let n = 0; ; n++) {
      const cloud = faultyCloud(world.cloud, n, fault);
      world.events.length = 0;
      const error = await act(world.deps({ cloud: cloud.api })).then(
        () => undefined,
        (thrown: unknown) => thrown ?? 'failed',
      );
      const call = cloud.calls[n];
      if (call === undefined) {
        expect(error, 'the run without a fault').toBeUndefined();
        return calls;
      }
      calls.push(call);
      await check(error, call);
    }
  }

  describe.each<CloudFault>(['unreachable', 'lost-answer', 'refused'])('a call that is %s', (fault) => {
    it('in a revert: the VM runs again, foreign snapshots stay, and it is said which disk is where', { timeout: 60_000 }, async () => {
      let written = taken;
      const snapshots = await snapshotLines(world);
      const act = async (deps: JobDeps): Promise<unknown> => {
        await guestWrites(world, DISKS);
        written = await contentOf(world, DISKS);
        return goBack(world, 'target', {}, deps);
      };
      const calls = await everyCall(fault, act, async (error, call) => {
        expect(await vmState(world), `after ${call} was ${fault}`).toMatchObject({ stateText: 'RUNNING' });
        expect((await snapshotLines(world)).map((line) => line.replace(' active', ''))).toEqual(snapshots.map((line) => line.replace(' active', '')));
        const now = await contentOf(world, DISKS);
        const isBack = now.map((bytes, at) => bytes === taken[at]);
        const told = standing(world).map(({ state }) => state);
        if (error === undefined) expect(isBack).toEqual([true, true]);
        else if (told.length === 0) expect(now).toEqual(written);
        else expect(told.map((state, at) => (state === 'unknown' ? isBack[at] : state === 'done'))).toEqual(isBack);
        expect(await world.unfinishedRuns()).toEqual([]);
      });
      expect(calls).toEqual(expect.arrayContaining(['vmAction', 'revertDiskSnapshot']));
    });

    it('in a create: all of the set, or nothing of it', { timeout: 60_000 }, async () => {
      const before = await snapshotLines(world);
      await everyCall(
        fault,
        async (deps) => {
          await takeSet(world, 'made', { maxChain: 9 }, deps);
          await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'made', foreign: false }] });
        },
        async (_, call) => {
          expect(await snapshotLines(world), `after ${call} was ${fault}`).toEqual(before);
          expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
          expect(await world.unfinishedRuns()).toEqual([]);
        },
      );
    });

    it('in a deletion: what is said to be gone is gone, the rest is there, and once more ends it', { timeout: 60_000 }, async () => {
      const before = await snapshotLines(world);
      const remove = (deps: JobDeps) => deleteSnapshots(deps, { vmId: world.vm, snapshots: [{ reference: 'made', foreign: false }] });
      await everyCall(
        fault,
        async (deps) => {
          await takeSet(world, 'made', { maxChain: 9 });
          await remove(deps);
        },
        async (error, call) => {
          const left = (await snapshotLines(world)).filter((line) => !before.some((line2) => line2.split(' ')[0] === line.split(' ')[0]));
          if (error === undefined) expect(left, `after ${call} was ${fault}`).toEqual([]);
          else if (left.length > 0) await remove(world.deps());
          expect((await snapshotLines(world)).map((line) => line.split(' ')[0])).toEqual(before.map((line) => line.split(' ')[0]));
        },
      );
    });
  });

  it.each([1, 2])('a driver that fails at revert %i: the VM runs again and the commands for either way out are named', { timeout: 30_000 }, async (nth) => {
    await guestWrites(world, DISKS);
    const written = await contentOf(world, DISKS);
    world.events.length = 0;
    const fail = () => world.sim.control.inject({ fault: 'driver', operation: 'snapshot-revert', text: `Command failed: qemu-img ${nth}` });
    const error = await failureOf(goBack(world, 'target', {}, world.deps({ cloud: interposed(world.cloud, 'revertDiskSnapshot', nth, fail) })));
    expect(error).toMatchObject({
      code: 'JOB_REVERT_INCOMPLETE',
      message: expect.stringContaining(`qemu-img ${nth}`),
      hint: expect.stringContaining('onevault snapshot revert'),
    });
    expect(standing(world).map(({ state }) => state)).toEqual(nth === 1 ? ['unknown', 'not-done'] : ['done', 'unknown']);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
    expect(await contentOf(world, DISKS)).toEqual(nth === 1 ? written : [taken[0], written[1]]);
    // The command that finishes it does.
    await goBack(world, 'target', nth === 1 ? {} : { disks: [1 as never] });
    expect(await contentOf(world, DISKS)).toEqual(taken);
  });

  it('somebody who starts the VM between two disks: nothing that the guest writes from then on is thrown away', async () => {
    await guestWrites(world, DISKS);
    const resumed = async (): Promise<void> => {
      await world.must('one.vm.action', 'resume', world.vm);
      await world.sim.control.idle();
    };
    const error = await failureOf(goBack(world, 'target', {}, world.deps({ cloud: interposed(world.cloud, 'revertDiskSnapshot', 2, resumed) })));
    expect(error).toMatchObject({ code: 'JOB_REVERT_INCOMPLETE' });
    expect(standing(world).map(({ state }) => state)).toEqual(['done', 'not-done']);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
    await goBack(world, 'target');
  });

  it('a guest that does not shut down: nothing is reverted, and with --hard it is', async () => {
    await guestWrites(world, DISKS);
    const written = await contentOf(world, DISKS);
    await world.sim.control.inject({ fault: 'driver', operation: 'action', text: 'guest ignores ACPI' });
    await expect(goBack(world, 'target')).rejects.toMatchObject({ code: 'JOB_VM_NOT_STOPPED', message: expect.stringContaining('ignores ACPI') });
    expect(await contentOf(world, DISKS)).toEqual(written);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
    await world.sim.control.inject({ fault: 'driver', operation: 'action', text: 'guest ignores ACPI' });
    expect(await goBack(world, 'target', { stop: { gracefulMs: 60_000, hard: true } })).toMatchObject({ residue: [] });
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
  });

  it('a VM that does not come up again is named as what it was, in the report and in the journal', async () => {
    const fail = () => world.sim.control.inject({ fault: 'driver', operation: 'action', count: 3, text: 'no memory' });
    const report = await goBack(world, 'target', {}, world.deps({ cloud: interposed(world.cloud, 'vmAction', 2, fail) }));
    expect(report.residue).toEqual([expect.stringContaining('which was RUNNING')]);
    expect(await world.unfinishedRuns()).toEqual([report.runId]);
    expect(await vmState(world)).toMatchObject({ stateText: 'POWEROFF' });
    await world.sim.control.clearFaults();
    await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
  });

  it('Ctrl-C before the first disk: the VM runs again as it was', async () => {
    await guestWrites(world, DISKS);
    const written = await contentOf(world, DISKS);
    const unfinished = await world.unfinishedRuns();
    const controller = new AbortController();
    const cancel = async (): Promise<void> => controller.abort(new DOMException('cancelled', 'AbortError'));
    const deps = world.deps({ cloud: interposed(world.cloud, 'vmAction', 1, cancel) });
    await expect(revertSnapshots(deps, revertRequest(world, 'target'), { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await contentOf(world, DISKS)).toEqual(written);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
    expect(await world.unfinishedRuns()).toEqual(unfinished);
  });

  it('Ctrl-C after the first disk: the rest follows, since half of it would be worse', async () => {
    await guestWrites(world, DISKS);
    const controller = new AbortController();
    const cancel = async (): Promise<void> => controller.abort(new DOMException('cancelled', 'AbortError'));
    const deps = world.deps({ cloud: interposed(world.cloud, 'revertDiskSnapshot', 2, cancel) });
    const report = await revertSnapshots(deps, revertRequest(world, 'target'), { signal: controller.signal });
    expect(report.disks).toHaveLength(2);
    expect(report.warnings).toMatchObject([{ code: 'REVERT_NOT_INTERRUPTED' }]);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
  });

  it('a call that timed out, whether it was carried out or not, is made once more', async () => {
    for (const carriedOut of [true, false]) {
      await guestWrites(world, DISKS);
      let calls = 0;
      const revertDiskSnapshot: OneApi['revertDiskSnapshot'] = async (...args) => {
        const lost = ++calls === 1;
        if (!lost || carriedOut) await world.cloud.revertDiskSnapshot(...args);
        if (lost) throw new OneError('ONE_TIMEOUT', 'no answer', { details: { executed: 'unknown' } });
      };
      const cloud: OneApi = new Proxy(world.cloud, {
        get: (target, property, receiver) => (property === 'revertDiskSnapshot' ? revertDiskSnapshot : Reflect.get(target, property, receiver)),
      });
      await goBack(world, 'target', {}, world.deps({ cloud }));
      expect(calls).toBe(3);
      expect(await contentOf(world, DISKS)).toEqual(taken);
    }
  });
});
