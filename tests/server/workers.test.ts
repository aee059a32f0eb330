import { existsSync, readFileSync } from 'node:fs';
import type { RunRecord } from '@onevault/run-queue';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { type Fleet, type FleetWorker, makeFleet } from '../support/fleet.ts';
import { postgresRequirements } from '../support/postgres.ts';
import { radosgwRequirements } from '../support/radosgw.ts';
import { describeWith } from '../support/requires.ts';

const IS_LONG = process.env['ONEVAULT_LONG'] === '1';
const VMS = IS_LONG ? 200 : 18;
/** A fifth of the default. Ending in order must not take longer than two thirds of it, also on a machine that does ten other things. */
const HEARTBEAT_SECONDS = 12;
const PATIENCE_MS = IS_LONG ? 1_200_000 : 120_000;

describeWith([...postgresRequirements, ...radosgwRequirements], `three workers on one PostgreSQL and one bucket, ${VMS} VMs`, () => {
  let fleet: Fleet;
  const workers: FleetWorker[] = [];
  beforeAll(async () => {
    fleet = await makeFleet({ vms: VMS, heartbeatSeconds: HEARTBEAT_SECONDS });
  }, 300_000);
  afterAll(() => fleet?.[Symbol.asyncDispose](), 60_000);

  async function allOf(ids: readonly string[]): Promise<RunRecord[]> {
    return Promise.all(ids.map((id) => fleet.runs.get(id)));
  }
  /** Until so many of them have ended. A database that is away is asked again. */
  async function ended(ids: readonly string[], count = ids.length): Promise<void> {
    const done = async () => (await allOf(ids)).filter(({ endedAt }) => endedAt !== undefined).length;
    await expect.poll(() => done().catch(() => -1), { timeout: PATIENCE_MS, interval: 50 }).toBeGreaterThanOrEqual(count);
  }
  /** Backed up once each: one run that succeeded, and so many restore points. */
  async function backedUp(ids: readonly string[], points: number): Promise<void> {
    const runs = await allOf(ids);
    expect(runs.filter(({ state }) => state !== 'succeeded').map(({ id, state, failure, report }) => ({ id, state, failure, report }))).toEqual([]);
    expect(new Set(runs.map(({ vmId }) => vmId))).toEqual(new Set(fleet.vms));
    const perVm = new Map<number, number>();
    await using repository = await fleet.openRepository();
    for await (const listed of repository.points()) {
      if (listed.kind !== 'point') throw new Error(`a restore point that cannot be read: ${JSON.stringify(listed)}`);
      const { id } = listed.point.annotations['vm'] as { readonly id: number };
      perVm.set(id, (perVm.get(id) ?? 0) + 1);
    }
    expect(perVm).toEqual(new Map(fleet.vms.map((id) => [id, points])));
  }
  function tellLogs(): void {
    onTestFailed(() => void process.stderr.write(existsSync(fleet.logs()) ? readFileSync(fleet.logs(), 'utf8').slice(-8000) : 'the workers said nothing'));
  }

  it('back up every VM once, and more of them together than one alone', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    const slot = new Date('2026-11-27T22:00:00Z');
    const ids: string[] = [];
    const third = Math.ceil(VMS / 3);
    for (let working = 1; working <= 3; working++) {
      workers.push(await fleet.startWorker(`worker-${working}`));
      const begun = await fleet.begin(slot, fleet.vms.slice((working - 1) * third, working * third));
      await ended(begun);
      const runs = await allOf(begun);
      const times = runs.flatMap(({ startedAt, endedAt }) => [startedAt?.getTime() ?? 0, endedAt?.getTime() ?? 0]);
      const seconds = (Math.max(...times) - Math.min(...times)) / 1000;
      process.stdout.write(
        `${working} worker${working > 1 ? 's' : ''}: ${begun.length} VMs in ${seconds.toFixed(1)} s, ${((begun.length / seconds) * 60).toFixed(0)} a minute\n`,
      );
      ids.push(...begun);
    }
    await backedUp(ids, 1);
    expect(new Set((await allOf(ids)).map(({ worker }) => worker)).size).toBe(3);
  });

  it('lose and double nothing when one is killed, one cut off and PostgreSQL crashes', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    const [killed, lost] = workers;
    if (killed === undefined || lost === undefined) throw new Error('there are no workers');
    const isAtWork = (name: string) => async () => (await fleet.runs.list({ state: 'running', limit: 100 })).some(({ worker }) => worker === name);
    const ids = await fleet.begin(new Date('2026-11-28T22:00:00Z'), fleet.vms);
    await ended(ids, Math.floor(VMS / 6));
    await expect.poll(isAtWork(killed.name), { timeout: 30_000, interval: 10 }).toBe(true);
    killed.process.kill('SIGKILL');
    await ended(ids, Math.floor(VMS / 4));
    await expect.poll(isAtWork(lost.name), { timeout: 30_000, interval: 10 }).toBe(true);
    lost.line.cut();
    await ended(ids, Math.floor(VMS / 2));
    await fleet.postgres.stop('immediate');
    await fleet.postgres.start();
    await ended(ids, Math.floor((VMS * 3) / 4));
    lost.line.mend();
    await ended(ids);
    const runs = await allOf(ids);
    const again = runs.filter(({ attempt }) => attempt > 1).length;
    process.stdout.write(`with one killed, one cut off and a crash of PostgreSQL: ${ids.length} VMs, ${again} runs begun again\n`);
    await backedUp(ids, 2);
    expect(again).toBeGreaterThan(0);
    expect(await orphans()).toEqual([]);
  });

  it('leave restore points that all verify', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    const id = await fleet.verify();
    await ended([id]);
    expect(await fleet.runs.get(id)).toMatchObject({ state: 'succeeded', report: { damaged: 0, points: 2 * VMS } });
  });

  async function orphans(): Promise<readonly string[]> {
    const found = [...(await fleet.control.leftovers('onevault-')), ...(await fleet.control.leftovers('ov-'))];
    return found.filter(({ name }) => !name.startsWith('onevault-proxy')).map(({ kind, name }) => `${kind} ${name}`);
  }
});
