import { type CallOptions, errorCode } from '@onevault/base';
import { backupVm, fileJournals, type JobDeps, type ProcessIdentity, type RecoverReport, type Residue, recoverRuns, restoreVm } from '@onevault/orchestrator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { type CloudState, cloudState } from '../support/cloud-state.ts';
import { Processes } from '../support/crash-matrix.ts';
import { interposed } from '../support/interposed.ts';
import { Mortal } from '../support/mortal.ts';
import { makeWorld, type World, type WorldOptions } from '../support/world.ts';

type Act = (deps: JobDeps, options: CallOptions) => Promise<unknown>;

describe('recovering', () => {
  let world: World;
  let processes: Processes;
  async function open(options: WorldOptions = { disks: [{ sizeMiB: 1 }], volatileMiB: [] }): Promise<void> {
    await world?.[Symbol.asyncDispose]();
    world = await makeWorld(options);
    processes = new Processes();
  }
  beforeEach(() => open());
  afterEach(() => world[Symbol.asyncDispose]());

  const state = async (): Promise<CloudState> => {
    await world.sim.control.idle();
    return cloudState(await world.sim.control.state());
  };
  const journals = (identity: ProcessIdentity) => fileJournals({ directory: world.journalPath, identity });
  const depsOf = (identity: ProcessIdentity, mortal?: Mortal): JobDeps =>
    world.deps(mortal === undefined ? { journals: journals(identity) } : { cloud: mortal.cloud(world.cloud), journals: mortal.journals(journals(identity)) });
  const recover = async (deps = depsOf(processes.start())): Promise<RecoverReport> => recoverRuns(deps);
  const residue = (): Promise<readonly Residue[]> => world.residue();

  /** A backup that dies at the first moment of that name. */
  async function killedBackup(moment: string, act: Act = (deps, options) => backupVm(deps, world.backupRequest(), options)): Promise<ProcessIdentity> {
    const victim = processes.start();
    const mortal = new Mortal((name) => name === moment);
    await failureOf(act(depsOf(victim, mortal), { signal: mortal.signal }));
    expect(mortal.died?.name).toBe(moment);
    processes.end(victim);
    return victim;
  }

  it('may be killed itself at any moment: the next one goes on', { timeout: 180_000 }, async () => {
    const before = await state();
    const counted = new Mortal();
    await killedBackup('before deleteDiskSnapshot');
    await recoverRuns(depsOf(processes.start(), counted));
    expect(await state()).toEqual(before);
    expect(counted.moments.length).toBeGreaterThan(12);
    for (const at of counted.moments.keys()) {
      await killedBackup('before deleteDiskSnapshot');
      expect(await state()).not.toEqual(before);
      const victim = processes.start();
      await recoverRuns(depsOf(victim, new Mortal(at))).catch(() => undefined);
      processes.end(victim);
      await recover();
      expect(await state(), `killed ${counted.moments[at]?.name}`).toEqual(before);
      expect(await world.unfinishedRuns()).toEqual([]);
    }
  });

  it('by two at once ends as by one, and each object is claimed by one of them', async () => {
    const before = await state();
    for (let n = 0; n < 3; n++) await killedBackup('before deleteDiskSnapshot');
    const reports = await Promise.all([recover(), recover(), recover()]);
    expect(reports.flatMap(({ runs }) => runs.map(({ outcome }) => outcome))).toEqual(['recovered', 'recovered', 'recovered']);
    expect(await state()).toEqual(before);
    expect(await world.unfinishedRuns()).toEqual([]);
  });

  it('leaves a run that lives alone, whatever it has in the cloud', async () => {
    const living = processes.start();
    let during: RecoverReport | undefined;
    const cloud = interposed(world.cloud, 'deleteDiskSnapshot', 1, async () => {
      during = await recover();
    });
    const report = await backupVm(world.deps({ cloud, journals: journals(living) }), world.backupRequest());
    expect(during?.runs).toEqual([]);
    expect(report.residue).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
  });

  it('that loses OpenNebula half-way says so and leaves the journal; the next one ends it', async () => {
    const before = await state();
    await killedBackup('before deleteDiskSnapshot');
    const cloud = interposed(world.connect({ callTimeoutMs: 5_000, outageMs: 10_000 }), 'deleteImage', 1, () =>
      world.sim.control.inject({ fault: 'drop-before', method: '*', count: 100_000 }),
    );
    const report = await recover(world.deps({ cloud, journals: journals(processes.start()) }));
    await world.sim.control.clearFaults();
    expect(report.cloudLost).toMatchObject({ code: 'ONE_UNREACHABLE' });
    expect(report.runs).toMatchObject([{ outcome: 'incomplete', removed: [{ object: { kind: 'attachment' } }] }]);
    expect(await world.unfinishedRuns()).toHaveLength(1);
    expect((await recover()).runs).toMatchObject([{ outcome: 'recovered' }]);
    expect(await state()).toEqual(before);
  });

  it('detaches from a proxy VM that is not the one it runs in', async () => {
    const before = await state();
    await killedBackup('before deleteDiskSnapshot');
    const elsewhere = world.deps({ journals: journals(processes.start()), proxyVm: world.vm });
    expect((await recover(elsewhere)).runs).toMatchObject([{ outcome: 'recovered' }]);
    expect(await state()).toEqual(before);
  });

  it('leaves what somebody renamed alone, names it once, and takes it when it has its name again', async () => {
    const before = await state();
    const [disk] = (await world.cloud.vm(world.vm)).disks;
    await killedBackup('before saveDiskAs');
    const snapshot = (await world.cloud.vm(world.vm)).snapshots[0]?.snapshots[0];
    const rename = (name: string): Promise<string> => world.must('one.vm.disksnapshotrename', world.vm, disk?.diskId ?? -1, snapshot?.id ?? -1, name);
    await rename('mine now');
    const first = await recover();
    expect(first.runs).toMatchObject([{ outcome: 'residue', left: [{ error: { code: 'JOB_OBJECT_CHANGED' } }] }]);
    expect(await world.unfinishedRuns()).toEqual([]);
    const second = await recover();
    expect(second.runs).toEqual([]);
    expect(second.residue).toMatchObject([{ outcome: 'stays', why: { code: 'JOB_OBJECT_CHANGED' } }]);
    await rename(snapshot?.name ?? '');
    expect((await recover()).residue).toMatchObject([{ outcome: 'removed' }]);
    expect(await state()).toEqual(before);
    expect(await residue()).toEqual([]);
  });

  it('does not believe a journal with words it does not know: it undoes what it understands, and leaves the journal', async () => {
    const { appendFile, readdir } = await import('node:fs/promises');
    await killedBackup('before saveDiskAs');
    const [name] = (await readdir(world.journalPath)).filter((entry) => entry.endsWith('.jsonl'));
    await appendFile(`${world.journalPath}/${name}`, '{"type":"from-the-future"}\n');
    expect((await recover()).runs).toMatchObject([{ outcome: 'incomplete', removed: [{ object: { kind: 'snapshot' } }], left: [] }]);
    expect(await world.unfinishedRuns()).toHaveLength(1);
  });

  it('tells that a restore had been finished, and keeps it', async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    await killedBackup('after append kept', (deps, options) => restoreVm(deps, world.restoreRequest(pointId, { name: 'restored' }), options));
    const { runs } = await recover();
    expect(runs).toMatchObject([{ outcome: 'recovered', removed: [], kept: [{ object: { kind: 'image' } }, { object: { kind: 'vm', name: 'restored' } }] }]);
    const restored = (await world.sim.control.state()).vms.find((vm) => vm.name === 'restored');
    expect((await world.cloud.vm(restored?.id as typeof world.vm)).userTemplate).toMatchObject({ ONEVAULT_STATE: 'RESTORED' });
  });

  describe('what OpenNebula cannot remove', () => {
    it('the first snapshot of a persistent disk: the run says so, later ones do not, and nobody forgets it', async () => {
      await open({ disks: [{ sizeMiB: 1, persistent: true }], volatileMiB: [] });
      const first = await backupVm(world.deps(), world.backupRequest({ capture: 'snapshot' }));
      expect(first.residue).toHaveLength(1);
      expect(await world.unfinishedRuns()).toEqual([]);
      expect(await residue()).toMatchObject([{ object: { kind: 'snapshot' }, why: { code: 'ONE_ACTION' } }]);
      const second = await backupVm(world.deps(), world.backupRequest());
      expect(second.residue).toEqual([]);
      const { runs, residue: retried } = await recover();
      expect(runs).toEqual([]);
      expect(retried).toMatchObject([{ outcome: 'stays', why: { code: 'SNAPSHOT_NOT_DELETABLE' } }]);
    });

    it('the only snapshot on local: goes when the VM is powered off, and the VM is not bothered before', async () => {
      await open({ disks: [{ sizeMiB: 1, datastore: 1, format: 'qcow2' }], volatileMiB: [] });
      const before = await state();
      const { residue: left } = await backupVm(world.deps(), world.backupRequest({ capture: 'snapshot' }));
      expect(left).toHaveLength(1);
      const error = (await world.cloud.vm(world.vm)).error;
      expect((await recover()).residue).toMatchObject([{ outcome: 'stays', why: { code: 'SNAPSHOT_NOT_DELETABLE' } }]);
      expect((await world.cloud.vm(world.vm)).error).toBe(error);
      await world.must('one.vm.action', 'poweroff-hard', world.vm);
      await world.sim.control.idle();
      expect((await recover()).residue).toMatchObject([{ outcome: 'removed' }]);
      await world.must('one.vm.action', 'resume', world.vm);
      expect(await state()).toEqual(before);
      expect(await residue()).toEqual([]);
    });

    it('an image that somebody attached: goes when it is free', async () => {
      const before = await state();
      await killedBackup('after waitForImage');
      const image = (await world.sim.control.state()).images.find(({ name }) => name.startsWith('onevault-2'));
      await world.must('one.vm.attach', world.proxyVm, `DISK=[IMAGE_ID="${image?.id}",TARGET="vdz"]`);
      await world.sim.control.idle();
      expect((await recover()).runs).toMatchObject([{ outcome: 'residue', left: [{ object: { kind: 'image' } }] }]);
      expect((await recover()).residue).toMatchObject([{ outcome: 'stays', why: { code: 'IMAGE_IN_USE' } }]);
      const disk = (await world.cloud.vm(world.proxyVm)).disks.find(({ target }) => target === 'vdz');
      await world.must('one.vm.detach', world.proxyVm, disk?.diskId ?? -1);
      await world.sim.control.idle();
      expect((await recover()).residue).toMatchObject([{ outcome: 'removed' }]);
      expect(await state()).toEqual(before);
    });

    it('is gone when somebody else removed it', async () => {
      await open({ disks: [{ sizeMiB: 1, persistent: true }], volatileMiB: [] });
      await backupVm(world.deps(), world.backupRequest({ capture: 'snapshot' }));
      await world.must('one.vm.action', 'terminate-hard', world.vm);
      await world.sim.control.idle();
      const [image] = (await world.sim.control.state()).images.filter(({ name }) => name.startsWith('web'));
      expect((await recover()).residue).toMatchObject([{ outcome: 'stays', why: { code: 'SNAPSHOT_ON_IMAGE' } }]);
      await world.must('one.image.delete', image?.id ?? -1, true);
      await world.sim.control.idle();
      expect((await recover()).residue).toMatchObject([{ outcome: 'gone' }]);
      expect(await residue()).toEqual([]);
    });
  });

  describe('the watchdog', () => {
    const warnings = (): string[] => world.events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));

    it('has nothing to say of a guest that is as it was', async () => {
      await backupVm(world.deps(), world.backupRequest());
      expect(warnings()).toEqual([]);
    });

    it('warns of one that is not, with the command that brings it back', async () => {
      const suspend = async (): Promise<void> => {
        await world.must('one.vm.action', 'suspend', world.vm);
        await world.sim.control.idle();
      };
      const cloud = interposed(world.cloud, 'detachDisk', 1, suspend);
      const report = await backupVm(world.deps({ cloud }), world.backupRequest());
      expect(report.warnings).toMatchObject([{ code: 'GUEST_STATE_CHANGED', message: expect.stringContaining(`onevm resume ${world.vm}`) }]);
    });

    it('warns also when the run failed', async () => {
      const cloud = interposed(world.cloud, 'attachDisk', 1, async () => {
        await world.must('one.vm.action', 'poweroff-hard', world.vm);
        await world.sim.control.idle();
        throw new Error('and the proxy is out of order');
      });
      expect(errorCode(await failureOf(backupVm(world.deps({ cloud }), world.backupRequest())))).toBeUndefined();
      expect(warnings()).toEqual(['GUEST_STATE_CHANGED']);
    });
  });
});
