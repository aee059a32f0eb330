import { rm } from 'node:fs/promises';
import type { CallOptions } from '@onevault/base';
import { rawClient } from '@onevault/one-sim/testing';
import { backupVm, fileJournals, findOrphans, type JobDeps, type Orphan, recoverRuns, removeOrphans, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { type CloudState, cloudState } from '../support/cloud-state.ts';
import { Processes } from '../support/crash-matrix.ts';
import { Mortal } from '../support/mortal.ts';
import { makeWorld, type World } from '../support/world.ts';

/** The state directory is lost after kills: only what the objects say themselves tells what is ours, among others that look alike on purpose. */
describe('without any journal', () => {
  let world: World;
  const processes = new Processes();
  let foreign: CloudState;
  let foreignCount = 0;
  let runId = '';

  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] });
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    // A real run id to tease with: of the run that will be killed first.
    await killed('before deleteDiskSnapshot', (deps, options) => backupVm(deps, world.backupRequest(), options));
    runId = (await world.unfinishedRuns())[0] ?? '';
    await recoverRuns(world.deps({ journals: fileJournals({ directory: world.journalPath, identity: processes.start() }) }));
    await restoreVm(world.deps(), world.restoreRequest(pointId, { name: 'product' }));
    foreignCount = await tease();
    foreign = await state();
    await killed('before deleteDiskSnapshot', (deps, options) => backupVm(deps, world.backupRequest(), options));
    await killed('before deleteTemplate', (deps, options) => restoreVm(deps, world.restoreRequest(pointId, { name: 'half-1' }), options));
    await rm(world.journalPath, { recursive: true });
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  async function state(): Promise<CloudState> {
    await world.sim.control.idle();
    return cloudState(await world.sim.control.state());
  }

  /** Dies at the first moment of that name. */
  async function killed(moment: string, act: (deps: JobDeps, options: CallOptions) => Promise<unknown>): Promise<void> {
    const victim = processes.start();
    const mortal = new Mortal((name) => name === moment);
    const deps = world.deps({ cloud: mortal.cloud(world.cloud), journals: mortal.journals(fileJournals({ directory: world.journalPath, identity: victim })) });
    await failureOf(act(deps, { signal: mortal.signal }));
    expect(mortal.died?.name).toBe(moment);
    processes.end(victim);
  }

  /** Objects of others with teasing names and marks; answers how many. */
  async function tease(): Promise<number> {
    const { must, vm, proxyVm } = world;
    const alice = rawClient(world.sim.endpoint, 'alice:alice-password');
    const ours = `onevault-${runId}-vm${vm}-disk0`;
    const marks = (name: string): string => `ONEVAULT_RUN="${runId}"\nONEVAULT_STATE="RESTORING"\nONEVAULT_NAME="${name}"\n`;
    let made = 0;
    const image = async (name: string, extra = ''): Promise<number> => {
      made++;
      return Number(await must('one.image.allocate', `NAME="${name}"\nSIZE="1"\nTYPE="DATABLOCK"\n${extra}`, 100));
    };
    const template = async (name: string, extra = ''): Promise<number> => {
      made++;
      return Number(await must('one.template.allocate', `NAME="${name}"\nCPU="1"\nMEMORY="64"\n${extra}`));
    };
    const snapshot = async (name: string): Promise<void> => {
      made++;
      await must('one.vm.disksnapshotcreate', vm, 0, name);
      await world.sim.control.idle();
    };
    await image(ours); // the very name, but nothing that disksaveas writes
    await image(`${ours}-copy`);
    await image(`${ours.toUpperCase()}`);
    await image(`my-${ours}`);
    await image(`onevault-${runId}-vm${vm}-disk`);
    await image('onevault-proxy-data');
    await image('web-disk-0-gold', `ONEVAULT_RUN="${runId}"\n`);
    await image('golden', marks('half-1-disk-0')); // a clone of a half-restored image
    await image('finished-disk-0', marks('finished-disk-0').replace('RESTORING', 'RESTORED'));
    await image('no-run-disk-0', marks('no-run-disk-0').replace(runId, 'yesterday'));
    await image('old-run-disk-0', marks('old-run-disk-0').replace(runId, '20200101t000000-abcdef'));
    made++; // saved by hand under a name of ours, from another disk than the name says
    await must('one.vm.disksaveas', vm, 0, `onevault-${runId}-vm${vm}-disk7`, '', -1);
    await world.sim.control.idle();
    made++; // saved by hand under the name of a run long ago
    await must('one.vm.disksaveas', vm, 0, `onevault-20200101t000000-abcdef-vm${vm}-disk0`, '', -1);
    await world.sim.control.idle();
    made++; // all the signs, but somebody else's
    const forged = await alice('one.image.allocate', `NAME="${ours}"\nSIZE="1"\nTYPE="DATABLOCK"\nSAVED_VM_ID="${vm}"\nSAVED_DISK_ID="0"\n`, 100);
    if (!forged.ok) await must('one.image.chown', Number(await must('one.image.allocate', `NAME="${ours}-a"\nSIZE="1"\nTYPE="DATABLOCK"\n`, 100)), 2, -1);
    await template(`onevault-${runId}-templates`);
    await template(`onevault-${runId}-template`); // without the mark
    await template('web-of-ours', marks('web-of-ours'));
    await template('onevault-template', `ONEVAULT_RUN="${runId}"\n`);
    await snapshot('onevault-before-upgrade');
    await snapshot(`onevault-${runId}-vm99-disk0`);
    await snapshot(`onevault-${runId}-vm${vm}-disk1`);
    await snapshot(`onevault-20200101t000000-abcdef-vm${vm}-disk0`);
    made++; // a VM started from somebody's copy of a template of ours
    const copied = await template('copy-of-ours', marks('half-1'));
    await must('one.template.instantiate', copied, 'onevault-test', true, '', false);
    const typed = await image('typed');
    await world.sim.control.idle();
    made++; // a disk with a serial like ours, whose image is not
    await must('one.vm.attach', proxyVm, `DISK=[IMAGE_ID="${typed}",TARGET="vdy",SERIAL="ov-0123456789abcdef"]`);
    await world.sim.control.idle();
    return made;
  }

  const keysOf = (orphans: readonly Orphan[]): string[] =>
    orphans.map(({ object, id }) => `${object.kind} ${object.kind === 'attachment' ? object.serial : object.name} ${id}`).sort();

  it('names every orphan of ours and nothing else, with the signs by which it is ours', async () => {
    expect(foreignCount).toBeGreaterThanOrEqual(20);
    const { orphans, spared } = await findOrphans(world.deps());
    const now = await state();
    const newImages = Object.keys(now.images).filter((id) => !(id in foreign.images));
    const newVms = Object.keys(now.vms).filter((id) => !(id in foreign.vms));
    const newTemplates = Object.keys(now.templates).filter((id) => !(id in foreign.templates));
    const ids = (kind: Orphan['object']['kind']): string[] => orphans.filter(({ object }) => object.kind === kind).map(({ id }) => String(id));
    expect(ids('image').sort()).toEqual(newImages.sort());
    expect(ids('vm')).toEqual(newVms);
    expect(ids('template')).toEqual(newTemplates);
    expect([ids('snapshot').length, ids('attachment').length]).toEqual([1, 1]);
    expect(spared).toEqual([]);
    for (const { proof, where, label, object } of orphans) {
      expect(proof.length, label).toBeGreaterThan(1);
      if (object.kind !== 'template') expect(where, label).not.toBe('');
    }
    expect([...new Set(orphans.map(({ object }) => object.kind))]).toEqual(['attachment', 'vm', 'template', 'image', 'snapshot']);
  });

  it('leaves alone what has a living run, what another proxy has attached, and what somebody uses', async () => {
    const all = (await findOrphans(world.deps())).orphans;
    const attached = all.find(({ object }) => object.kind === 'attachment');
    const elsewhere = await findOrphans(world.deps({ proxyVm: world.vm }));
    expect(keysOf(elsewhere.orphans)).toEqual(keysOf(all.filter((orphan) => orphan.runId !== attached?.runId)));
    expect(new Set(elsewhere.spared.map(({ why }) => why.code))).toEqual(new Set(['OTHER_PROXY']));
    expect(keysOf((await findOrphans(world.deps({ proxyVm: world.vm }), { otherProxies: true })).orphans)).toEqual(keysOf(all));

    const journal = await world.journals.create({
      type: 'run',
      time: new Date(0).toISOString(),
      runId: attached?.runId ?? '',
      kind: 'backup',
      endpoint: world.sim.endpoint.href,
      owner: world.journals.owner,
      about: 'a run that lives',
    });
    const beside = await findOrphans(world.deps());
    await journal.finish();
    expect(beside.orphans.some((orphan) => orphan.runId === attached?.runId)).toBe(false);
    expect(new Set(beside.spared.map(({ why }) => why.code))).toEqual(new Set(['RUN_ALIVE']));
  });

  it('removes them, and everything else is as it was', async () => {
    const { orphans } = await findOrphans(world.deps());
    const [changed] = orphans.filter(({ object }) => object.kind === 'template');
    await world
      .must('one.template.rename', changed?.id ?? -1, 'mine now')
      .catch(() => world.must('one.template.update', changed?.id ?? -1, 'ONEVAULT_RUN="none"', 1));
    const outcomes = await removeOrphans(world.deps(), orphans);
    expect(outcomes.filter(({ outcome }) => outcome !== 'removed').map(({ id, outcome }) => [id, outcome])).toEqual([[changed?.id, 'changed']]);
    await world.must('one.template.delete', changed?.id ?? -1, false);
    expect(await state()).toEqual(foreign);
    expect((await findOrphans(world.deps())).orphans).toEqual([]);
    expect((await removeOrphans(world.deps(), orphans)).map(({ outcome }) => outcome)).toEqual(orphans.map(() => 'gone'));
  });
});
