import { backupVm, findLeftovers, type JobDeps, JobError, type Journal, type JournalStore, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countPoints, expectRestores } from '../support/aftermath.ts';
import { makeWorld, type World } from '../support/world.ts';

interface Faults {
  readonly store: JournalStore;
  readonly appends: number;
}

/** A journal whose disk is full from the nth record on, or for that record only. */
function fullJournals(inner: JournalStore, failAt: number, lasting: boolean): Faults {
  let appends = 0;
  const wrap = (journal: Journal): Journal => ({
    append: async (record) => {
      const turn = ++appends;
      if (turn === failAt || (lasting && turn > failAt)) throw new JobError({ code: 'JOB_JOURNAL_FAILED', message: 'no space left on purpose' });
      await journal.append(record);
    },
    finish: () => journal.finish(),
    [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
  });
  const store: JournalStore = {
    ...inner,
    create: async (run) => {
      if (++appends === failAt) throw new JobError({ code: 'JOB_JOURNAL_FAILED', message: 'no space left on purpose' });
      return wrap(await inner.create(run));
    },
  };
  return {
    store,
    get appends() {
      return appends;
    },
  };
}

describe.each([
  ['for one record', false],
  ['from one record on', true],
])('a journal that cannot be written %s', (_, lasting) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Runs `work` once for each record it writes, that one failing. */
  async function everyRecord(work: (deps: JobDeps) => Promise<unknown>, check: (failed: unknown) => Promise<void>): Promise<void> {
    for (let n = 1; ; n++) {
      world.events.length = 0;
      const faults = fullJournals(world.journals, n, lasting);
      const outcome = await work(world.deps({ journals: faults.store })).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (faults.appends < n) {
        expect(n).toBeGreaterThan(8);
        return;
      }
      const where = `record ${n} was not written`;
      // What could not be noted as a wish was not done; what could not be noted as gone is gone all the same, and said.
      if (outcome === undefined) expect(world.events, where).toContainEqual(expect.objectContaining({ type: 'warning', code: 'JOURNAL_NOT_WRITTEN' }));
      else expect(outcome, where).toMatchObject({ code: 'JOB_JOURNAL_FAILED' });
      expect(await world.leftovers(), where).toEqual([]);
      expect(await world.unfinishedRuns(), where).toEqual([]);
      expect(world.events.filter((event) => event.type === 'cleanup.failed')).toEqual([]);
      await check(outcome);
    }
  }

  it('makes no backup that cannot be cleaned up after', { timeout: 120_000 }, async () => {
    const census = await world.census();
    let points = await countPoints(world);
    await everyRecord(
      (deps) => backupVm(deps, world.backupRequest()),
      async (failed) => {
        if (failed === undefined) points++;
        expect(await countPoints(world)).toBe(points);
        expect(await world.census()).toEqual(census);
      },
    );
    expect((await world.verify()).damaged).toBe(0);
  });

  it('makes no half of a restore: the VM and its images are kept together or not at all', { timeout: 120_000 }, async () => {
    const bytes = await world.diskBytes(world.vm, 0);
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    let census = await world.census();
    let n = 0;
    await everyRecord(
      (deps) => restoreVm(deps, world.restoreRequest(pointId, { name: `unnoted-${n++}` })),
      async (failed) => {
        const now = await world.census();
        const added = failed === undefined ? 1 : 0;
        expect([now.vms.length, now.images.length, now.templates]).toEqual([census.vms.length + added, census.images.length + added, census.templates]);
        census = now;
      },
    );
    expect(await findLeftovers(world.cloud, world.journals)).toEqual([]);
    await expectRestores(world, { pointId, disks: [{ diskId: 0, bytes }] });
  });
});
