import type { RestorePoint } from '@onevault/backup-format';
import { isAbort } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import {
  backupVm,
  checkPlan,
  fileJournals,
  type JobDeps,
  type PlanDeps,
  type PlanFile,
  planFileSchema,
  type ResolvedPlan,
  recoverRuns,
  resolvePlan,
  runPlan,
} from '@onevault/orchestrator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { Processes } from '../support/crash-matrix.ts';
import { Mortal } from '../support/mortal.ts';
import { type Census, makeWorld, type World } from '../support/world.ts';

/** A shop of three VMs, each backed up: db, app and web. */
describe('a restore plan', () => {
  let world: World;
  let points: Map<string, RestorePoint>;
  let census: Census;
  let turn = 0;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] });
    points = new Map();
    const names = ['db', 'app', 'web'];
    for (const name of names) {
      const id = name === 'web' ? world.vm : vmId((await world.sim.control.createVm({ name, disks: [{ sizeMiB: 1 }] })).vmId);
      const { pointId } = await backupVm(world.deps(), world.backupRequest({ vmId: id }));
      points.set(name, await world.repository.point(pointId));
    }
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    turn += 1;
    await world.sim.control.clearFaults();
    census = await world.census();
  });

  const depsOf = (overrides: Partial<JobDeps> = {}): PlanDeps => ({
    ...world.deps(overrides),
    async choosePoint(vm) {
      return points.get(vm) ?? world.repository.point('20200101T000000000Z-0000000000000000');
    },
  });
  const fileOf = (overrides: object = {}): PlanFile =>
    planFileSchema.parse({
      version: 1,
      name: `shop ${turn}`,
      defaults: { prefix: `${turn}-` },
      vms: [{ vm: 'web', after: ['app'] }, { vm: 'app', after: ['db'] }, { vm: 'db' }],
      ...overrides,
    });
  const resolved = (overrides: object = {}): Promise<ResolvedPlan> => resolvePlan(depsOf(), fileOf(overrides));
  const made = async (): Promise<string[]> => {
    const { vms } = await world.census();
    return vms.filter((name) => !census.vms.includes(name)).map((name) => name.replace(`${turn}-`, ''));
  };

  it('brings its VMs back in order, under their names, each marked as its own', async () => {
    const report = await runPlan(depsOf(), await resolved());
    expect(report).toMatchObject({ outcome: 'complete', residue: [] });
    expect(report.vms.map(({ key, vmName, status }) => `${key} ${vmName} ${status}`)).toEqual([
      `db ${turn}-db restored`,
      `app ${turn}-app restored`,
      `web ${turn}-web restored`,
    ]);
    const web = await world.cloud.vm(vmId(report.vms[2]?.vmId ?? -1));
    expect(web.userTemplate).toMatchObject({ ONEVAULT_PLAN: `shop ${turn}`, ONEVAULT_PLAN_VM: 'web', ONEVAULT_STATE: 'RESTORED' });
    expect((await world.diskBytes(web.id, 0)).equals(await world.diskBytes(world.vm, 0))).toBe(true);
  });

  it('run again makes nothing twice', async () => {
    await runPlan(depsOf(), await resolved());
    const after = await world.census();
    const again = await runPlan(depsOf(), await resolved());
    expect(again.vms.map(({ status }) => status)).toEqual(['present', 'present', 'present']);
    expect(await world.census()).toEqual(after);
    const { vms, findings } = await checkPlan(depsOf(), await resolved());
    expect(vms.map(({ presentAs }) => presentAs !== undefined)).toEqual([true, true, true]);
    expect(findings).toEqual([]);
  });

  it.each([
    ['stop', ['restored', 'failed', 'not-reached'], ['db'], 'incomplete'],
    ['continue', ['restored', 'failed', 'blocked'], ['db'], 'incomplete'],
    ['undo', ['undone', 'failed', 'not-reached'], [], 'undone'],
  ] as const)('in which one fails, with %s, leaves what that says', async (onFailure, statuses, left, outcome) => {
    await world.sim.control.inject({ fault: 'driver', operation: 'deploy', text: 'no space on host', phase: 'before', skip: 1 });
    const report = await runPlan(depsOf(), await resolved({ onFailure }));
    expect(report.vms.map(({ status }) => status)).toEqual(statuses);
    expect(report).toMatchObject({ outcome, residue: [] });
    expect(report.vms[1]?.error).toMatchObject({ code: 'JOB_VM_NOT_STARTED' });
    expect(await made()).toEqual(left);
    expect(await world.unfinishedRuns()).toEqual([]);
    if (left.length === 0) expect(await world.census()).toEqual(census);
    await world.sim.control.clearFaults();
    expect((await runPlan(depsOf(), await resolved({ onFailure }))).outcome).toBe('complete');
  });

  it('waits for signs of life, and what comes after a silent VM is not begun', async () => {
    await world.sim.control.expectGuest({ namePrefix: `${turn}-db` });
    const silent = { vm: 'db', wait: { for: ['ready'], limit: '5s' } };
    const report = await runPlan(depsOf(), await resolved({ vms: [silent, { vm: 'app', after: ['db'] }, { vm: 'web' }], onFailure: 'continue' }));
    expect(report.vms.map(({ key, status }) => `${key} ${status}`)).toEqual(['db silent', 'app blocked', 'web restored']);
    expect(report.vms[0]).toMatchObject({ error: { code: 'JOB_NO_SIGN_OF_LIFE' }, signs: [{ kind: 'onegate-ready', seen: false }] });
    expect(await made()).toEqual(['db', 'web']);
  });

  it('that is killed at any moment goes on where it was when it is run again', { timeout: 120_000 }, async () => {
    const vms = [{ vm: 'db' }, { vm: 'app' }];
    const processes = new Processes();
    const counted = new Mortal();
    await runPlan(
      depsOf({ cloud: counted.cloud(world.cloud), journals: counted.journals(world.journals) }),
      await resolved({ vms, name: 'count', defaults: { prefix: 'c-' } }),
    );
    const changing = counted.moments.flatMap(({ name }, at) => (/^after (instantiateTemplate|append kept|updateVm)/.test(name) ? [at] : []));
    expect(changing.length).toBeGreaterThan(4);
    for (const at of changing) {
      const before = await world.census();
      const mortal = new Mortal(at);
      const victim = processes.start();
      const plan = await resolved({ vms, name: `at ${at}`, defaults: { prefix: `m${at}-` } });
      const dead = { cloud: mortal.cloud(world.cloud), journals: mortal.journals(fileJournals({ directory: world.journalPath, identity: victim })) };
      await runPlan(depsOf(dead), plan, { signal: mortal.signal }).catch(() => undefined);
      expect(mortal.died, `moment ${at}`).toBeDefined();
      processes.end(victim);
      await recoverRuns(world.deps({ journals: fileJournals({ directory: world.journalPath, identity: processes.start() }) }));
      const report = await runPlan(depsOf(), plan);
      expect(report.outcome, `moment ${at}, ${mortal.died?.name}`).toBe('complete');
      const after = await world.census();
      expect(after.vms.length - before.vms.length).toBe(2);
      expect(after.images.length - before.images.length).toBe(2);
      expect(after.templates).toEqual(before.templates);
    }
  });

  it('is told when its images fit one by one and not together', async () => {
    const plan = await resolved();
    await world.sim.control.setDatastoreFree(100, 2);
    const { vms, findings } = await checkPlan(depsOf(), plan);
    await world.sim.control.setDatastoreFree(100, 100_000);
    expect(vms.map(({ checks }) => checks?.findings.some(({ severity }) => severity === 'error'))).toEqual([false, false, false]);
    expect(findings).toMatchObject([{ severity: 'error', code: 'PLAN_SPACE', why: expect.stringContaining('3 MiB for 3 images; 2 MiB are left') }]);
  });

  it('that is cancelled leaves whole VMs, and says nothing of the others', async () => {
    const abort = new AbortController();
    const run = runPlan(depsOf(), await resolved(), { signal: abort.signal, onOutcome: () => abort.abort() });
    expect(isAbort(await failureOf(run))).toBe(true);
    expect(await made()).toEqual(['db']);
    expect(await world.unfinishedRuns()).toEqual([]);
  });

  it('touches no VM of its names that is somebody else’s', async () => {
    await world.sim.control.createVm({ name: `${turn}-app`, disks: [{ sizeMiB: 1 }] });
    const before = await world.census();
    expect(await failureOf(runPlan(depsOf(), await resolved({ onFailure: 'undo' })))).toMatchObject({ code: 'JOB_NAME_TAKEN' });
    expect(await world.census()).toEqual(before);
  });

  it('names all that is wrong with it, and where', async () => {
    const wrong = fileOf({
      vms: [
        { vm: 'db', imageDatastore: 'nowhere', networks: { lan: 'moon' } },
        { vm: 'ghost' },
        { vm: 'app', name: 'same' },
        { vm: 'web', name: 'same', hold: true, wait: { for: ['agent'] } },
      ],
    });
    const error = await failureOf(resolvePlan(depsOf(), wrong));
    expect(error).toMatchObject({ code: 'JOB_PLAN_FILE_INVALID' });
    expect((error as { details: { problems: { path: unknown[] }[] } }).details.problems.map(({ path }) => path.join('.'))).toEqual([
      'vms.0.imageDatastore',
      'vms.0.networks.lan',
      'vms.1.vm',
      'vms.3.hold',
      'vms.3.name',
    ]);
  });
});
