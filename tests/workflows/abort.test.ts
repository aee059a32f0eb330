import { backupVm, type JobDeps, type JobEvent, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countPoints, expectRestores } from '../support/aftermath.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Ctrl-C at every event of a run: each is a place between two lines where the process may be told to stop. */
describe('a run that is told to stop at any event', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  type Work = (deps: JobDeps, options: { readonly signal: AbortSignal }) => Promise<unknown>;
  interface Stopped {
    /** The event at which the run was told to stop; undefined when it had no more events than that. */
    readonly at: JobEvent | undefined;
    readonly outcome: 'finished' | 'stopped';
    readonly events: readonly JobEvent[];
  }

  async function stopAt(n: number, work: Work): Promise<Stopped> {
    const abort = new AbortController();
    const events: JobEvent[] = [];
    const emit = (event: JobEvent): void => {
      if (events.push(event) === n + 1) abort.abort();
    };
    const run = work(world.deps({ emit }), { signal: abort.signal });
    const outcome = await run.then(
      () => 'finished' as const,
      (error: unknown) => {
        expect(error, `stopped at ${describeEvent(events[n])}`).toBe(abort.signal.reason);
        return 'stopped' as const;
      },
    );
    return { at: events[n], outcome, events };
  }

  async function atEveryEvent(work: Work, check: (stopped: Stopped) => Promise<void>): Promise<Stopped['outcome'][]> {
    const outcomes: Stopped['outcome'][] = [];
    for (let n = 0; ; n++) {
      const stopped = await stopAt(n, work);
      if (stopped.at === undefined) return outcomes;
      outcomes.push(stopped.outcome);
      const where = `stopped at ${describeEvent(stopped.at)}`;
      expect(await world.leftovers(), where).toEqual([]);
      expect(await world.unfinishedRuns(), where).toEqual([]);
      expect(stopped.events.at(-1), where).toMatchObject({
        type: 'run.finished',
        outcome: stopped.outcome === 'stopped' ? 'cancelled' : 'complete',
        residue: [],
      });
      expect(openSteps(stopped.events), where).toEqual([]);
      await check(stopped);
    }
  }

  it('a backup leaves nothing, and a restore point only when it was committed', { timeout: 300_000 }, async () => {
    const census = await world.census();
    let points = await countPoints(world);
    const outcomes = await atEveryEvent(
      (deps, options) => backupVm(deps, world.backupRequest(), options),
      async ({ at, outcome, events }) => {
        const committed = events.some((event) => event.type === 'restore-point.committed');
        expect(committed).toBe(outcome === 'finished');
        if (committed) points++;
        expect(await countPoints(world), `points after a stop at ${describeEvent(at)}`).toBe(points);
        expect(await world.census()).toEqual(census);
      },
    );
    // Once it finishes in spite of the wish it does so for every later event: there is one moment at which a backup becomes one.
    expect(outcomes.join(' ')).toMatch(/^(stopped ){30,}(finished ?){2,}$/);
    expect((await world.verify()).damaged).toBe(0);
  });

  it('a restore leaves a whole VM or nothing', { timeout: 300_000 }, async () => {
    const disks = await Promise.all([0, 1].map(async (diskId) => ({ diskId, bytes: await world.diskBytes(world.vm, diskId) })));
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    let census = await world.census();
    let n = 0;
    const outcomes = await atEveryEvent(
      (deps, options) => restoreVm(deps, world.restoreRequest(pointId, { name: `stopped-${n++}` }), options),
      async ({ at, outcome }) => {
        const now = await world.census();
        const added = outcome === 'finished' ? { vms: 1, images: 2 } : { vms: 0, images: 0 };
        expect(now.vms.length, `VMs after a stop at ${describeEvent(at)}`).toBe(census.vms.length + added.vms);
        expect(now.images.length).toBe(census.images.length + added.images);
        expect(now.templates).toEqual(census.templates);
        census = now;
      },
    );
    expect(outcomes.join(' ')).toMatch(/^(stopped ){20,}(finished ?){2,}$/);
    await expectRestores(world, { pointId, disks });
  });

  it('nothing at all is done when it is told so before it begins', async () => {
    const signal = AbortSignal.abort();
    await expect(backupVm(world.deps(), world.backupRequest(), { signal })).rejects.toBe(signal.reason);
    expect(await world.unfinishedRuns()).toEqual([]);
  });
});

function describeEvent(event: JobEvent | undefined): string {
  if (event === undefined) return 'no event';
  return 'step' in event ? `${event.type} ${event.step}` : event.type;
}

/** Steps that were started and of which nobody said how they ended. */
function openSteps(events: readonly JobEvent[]): string[] {
  const open = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'step.started' && event.type !== 'step.finished' && event.type !== 'step.failed') continue;
    const key = `${event.step} ${event.diskId} ${event.object}`;
    open.set(key, (open.get(key) ?? 0) + (event.type === 'step.started' ? 1 : -1));
  }
  return [...open].filter(([, count]) => count !== 0).map(([key]) => key);
}
