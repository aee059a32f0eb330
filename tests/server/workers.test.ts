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
const THIRDS = ['a', 'b', 'c'];
const EVERYTHING = 'everything';

describeWith([...postgresRequirements, ...radosgwRequirements], `three workers on one PostgreSQL and one bucket, ${VMS} VMs`, () => {
  let fleet: Fleet;
  const workers: FleetWorker[] = [];
  beforeAll(async () => {
    fleet = await makeFleet({ vms: VMS, heartbeatSeconds: HEARTBEAT_SECONDS });
  }, 300_000);
  afterAll(() => fleet?.[Symbol.asyncDispose](), 60_000);

  /** A database that is away has none. */
  async function runsOf(policy: string): Promise<readonly RunRecord[]> {
    return fleet.runs.list({ policy, kind: 'backup', limit: 1000 }).catch(() => []);
  }
  /** Until so many runs of a policy have ended. */
  async function ended(policy: string, count: number): Promise<void> {
    const done = async () => (await runsOf(policy)).filter(({ endedAt }) => endedAt !== undefined).length;
    await expect.poll(done, { timeout: PATIENCE_MS, interval: 100 }).toBeGreaterThanOrEqual(count);
  }
  /** One run of each VM, all of the policy's one slot, that succeeded, and one restore point of each. */
  async function backedUpOnce(policy: string, vms: number): Promise<void> {
    const runs = await runsOf(policy);
    expect(runs.filter(({ state }) => state !== 'succeeded').map(({ id, state, failure, report }) => ({ id, state, failure, report }))).toEqual([]);
    expect(new Set(runs.map(({ schedule }) => schedule?.slot.getTime())).size).toBe(1);
    expect(runs).toHaveLength(vms);
    const backedUp = runs.map(({ vmId }) => vmId).sort();
    expect(new Set(backedUp).size).toBe(vms);
    const points: number[] = [];
    await using repository = await fleet.openRepository();
    for await (const listed of repository.points()) {
      if (listed.kind !== 'point') throw new Error(`a restore point that cannot be read: ${JSON.stringify(listed)}`);
      const { vm, policy: own } = listed.point.annotations;
      if (own === policy) points.push((vm as { readonly id: number }).id);
    }
    expect(points.sort()).toEqual(backedUp);
  }
  function tellLogs(): void {
    onTestFailed(() => void process.stderr.write(fleet.logs().slice(-8000) || 'the servers said nothing'));
  }

  it('back up every VM once when its time comes, and more of them together than one alone', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    for (const [index, third] of THIRDS.entries()) {
      workers.push(await fleet.startWorker(`worker-${index + 1}`));
      const vms = Math.ceil((VMS - index) / THIRDS.length);
      await fleet.schedule(`third-${third}`, `vm-*-${third}`);
      await ended(`third-${third}`, vms);
      const runs = await runsOf(`third-${third}`);
      const times = runs.flatMap(({ startedAt, endedAt }) => [startedAt?.getTime() ?? 0, endedAt?.getTime() ?? 0]);
      const seconds = (Math.max(...times) - Math.min(...times)) / 1000;
      const perMinute = ((runs.length / seconds) * 60).toFixed(0);
      process.stdout.write(`${index + 1} worker${index > 0 ? 's' : ''}: ${runs.length} VMs in ${seconds.toFixed(1)} s, ${perMinute} a minute\n`);
      await backedUpOnce(`third-${third}`, vms);
      expect(new Set(runs.map(({ worker }) => worker)).size).toBe(index + 1);
    }
  });

  it('lose and double nothing when one is killed, one cut off and PostgreSQL crashes', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    const [killed, lost] = workers;
    if (killed === undefined || lost === undefined) throw new Error('there are no workers');
    const untilAtWork = ({ name }: FleetWorker) =>
      expect
        .poll(async () => (await runsOf(EVERYTHING)).some(({ state, worker }) => state === 'running' && worker === name), { timeout: 30_000, interval: 10 })
        .toBe(true);
    await fleet.schedule(EVERYTHING, 'vm-*');
    await ended(EVERYTHING, Math.floor(VMS / 6));
    await untilAtWork(killed);
    await killed.kill();
    await ended(EVERYTHING, Math.floor(VMS / 4));
    await untilAtWork(lost);
    lost.line.cut();
    await ended(EVERYTHING, Math.floor(VMS / 2));
    await fleet.postgres.stop('immediate');
    await fleet.postgres.start();
    await ended(EVERYTHING, Math.floor((VMS * 3) / 4));
    lost.line.mend();
    await ended(EVERYTHING, VMS);
    await killed.start();
    const again = (await runsOf(EVERYTHING)).filter(({ attempt }) => attempt > 1).length;
    process.stdout.write(`with one killed, one cut off and a crash of PostgreSQL: ${VMS} VMs, ${again} runs begun again\n`);
    expect(again).toBeGreaterThan(0);
    await backedUpOnce(EVERYTHING, VMS);
    for (const [index, third] of THIRDS.entries()) await backedUpOnce(`third-${third}`, Math.ceil((VMS - index) / THIRDS.length));
  });

  it('leave nothing behind, in the cloud, on their machines or in the bucket, and restore points that all verify', { timeout: PATIENCE_MS }, async () => {
    tellLogs();
    expect(await left()).toEqual([]);
    await expect.poll(async () => (await Promise.all(workers.map((worker) => worker.journals()))).flat(), { timeout: 30_000 }).toEqual([]);
    {
      await using repository = await fleet.openRepository();
      expect(await repository.leases()).toEqual([]);
    }
    const { id } = await fleet.api.call('startRun', { body: { kind: 'verify', repository: 'main', mode: 'all' } });
    await expect.poll(async () => (await fleet.api.call('getRun', { params: { runId: id } })).state, { timeout: PATIENCE_MS, interval: 200 }).toBe('succeeded');
    expect((await fleet.api.call('getRun', { params: { runId: id } })).report).toMatchObject({ damaged: 0, points: 2 * VMS });
  });

  /** Images, snapshots and attached disks of ours. */
  async function left(): Promise<readonly string[]> {
    const found = [...(await fleet.control.leftovers('onevault-')), ...(await fleet.control.leftovers('ov-'))];
    return found.filter(({ name }) => !name.startsWith('onevault-proxy')).map(({ kind, name }) => `${kind} ${name}`);
  }
});
