import { type Vm, type VmId, vmId } from '@onevault/one-client';
import { type BackupPlan, type PlanRequest, planBackup, type Reason, type ReasonCode, readSurroundings } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskId, makeWorld, type World } from '../support/world.ts';

/** features.md, section 8, item 9, and its neighbours: one VM of every bad kind in one cloud, planned together. */
describe('a cloud with a VM of every bad kind', () => {
  let world: World;
  const vms = new Map<string, VmId>();

  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] });
    const { control } = world.sim;
    const make = async (name: string, spec: Omit<Parameters<typeof control.createVm>[0], 'name'>): Promise<VmId> => {
      const id = vmId((await control.createVm({ name, ...spec })).vmId);
      vms.set(name, id);
      return id;
    };
    const disk = { sizeMiB: 1 };
    await make('raw file', { disks: [{ ...disk, datastore: 102, format: 'raw' }] });
    await world.must('one.vm.updateconf', await make('native incremental', { disks: [{ ...disk, datastore: 104 }] }), 'BACKUP_CONFIG=[MODE="INCREMENT"]', 1);
    await world.must('one.vm.lock', await make('locked', { disks: [disk] }), 2, false);
    await make('no method', { disks: [{ ...disk, datastore: 106 }] });
    await make('no agent', { disks: [{ ...disk, datastore: 114 }] });
    await make('too large', { disks: [{ ...disk, sizeMiB: 40, datastore: 108 }] });
    await make('container', { disks: [disk], hypervisor: 'lxc' });
    await branch(await make('branched', { disks: [disk] }));
    await control.setDatastoreFree(108, 20);
    // Last: the snapshot it holds up would hold up the others' as well.
    const busy = await make('stuck', { disks: [disk] });
    await control.hold(['saveas']);
    await world.cloud.saveDiskAs(busy, diskId(0), 'held', undefined);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Two snapshots, back to the first, and so a third would make a tree. */
  async function branch(id: VmId): Promise<void> {
    for (const name of ['one', 'two']) {
      await world.must('one.vm.disksnapshotcreate', id, 0, name);
      await world.sim.control.idle();
    }
    await world.cloud.vmAction(id, 'poweroff-hard');
    await world.sim.control.idle();
    await world.must('one.vm.disksnapshotrevert', id, 0, 0);
    await world.sim.control.idle();
    await world.cloud.vmAction(id, 'resume');
    await world.sim.control.idle();
  }

  async function plans(request: Partial<PlanRequest> = {}): Promise<Map<string, BackupPlan>> {
    const surroundings = await readSurroundings(world.cloud, world.proxyVm);
    const made = new Map<string, BackupPlan>();
    for await (const vm of world.cloud.fullVms()) made.set(vm.name, planOf(vm));
    return made;
    function planOf(vm: Vm): BackupPlan {
      return planBackup(vm, { capture: 'auto', excludeDisks: [], proxyVm: world.proxyVm, ...request }, surroundings);
    }
  }

  const problems = (plan: BackupPlan | undefined): Reason[] => [
    ...(plan?.reasons ?? []),
    ...(plan?.notes ?? []),
    ...(plan?.disks.flatMap((disk) => disk.reasons) ?? []),
  ];

  it.each<[string, BackupPlan['verdict'], ReasonCode]>([
    ['native incremental', 'impossible', 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL'],
    ['locked', 'impossible', 'REFUSE_VM_LOCKED'],
    ['no method', 'impossible', 'REFUSE_DRIVER_NO_CONSISTENT_METHOD'],
    ['no agent', 'impossible', 'SNAPSHOT_NEEDS_GUEST_AGENT'],
    ['too large', 'impossible', 'REFUSE_NO_SPACE'],
    ['container', 'impossible', 'REFUSE_VM_NOT_KVM'],
    ['stuck', 'degraded', 'VM_BUSY'],
  ])('%s is %s: %s, with the remedy', async (name, verdict, code) => {
    const plan = (await plans()).get(name);
    expect(plan?.verdict).toBe(verdict);
    expect(problems(plan).find((reason) => reason.code === code)?.remedy, JSON.stringify(problems(plan))).toBeTruthy();
  });

  it('goes round what it can: a raw file and a tree that branches are copied live', async () => {
    const all = await plans();
    expect(all.get('raw file')).toMatchObject({ verdict: 'ok', disks: [{ method: 'live-copy', pause: 'none' }] });
    expect(all.get('branched')).toMatchObject({ verdict: 'ok', disks: [{ method: 'live-copy' }] });
    expect(problems(all.get('branched')).map((reason) => reason.code)).toContain('SNAPSHOT_TREE_BRANCHES');
  });

  it('refuses a raw file whose snapshot would stop its guest, unless that is wanted', async () => {
    expect(problems((await plans({ capture: 'snapshot' })).get('raw file')).find((reason) => reason.code === 'REFUSE_LONG_FREEZE')?.remedy).toContain(
      '--allow-long-freeze',
    );
    expect((await plans({ capture: 'snapshot', allowLongFreeze: true })).get('raw file')).toMatchObject({
      verdict: 'degraded',
      disks: [{ pause: 'whole-copy' }],
    });
  });

  it('takes nothing for granted where oneadmin looks but what only the host knows', async () => {
    for (const plan of (await plans()).values()) for (const assumed of plan.assumptions) expect(assumed.code).toBe('ASSUMED_BLOCKCOPY');
  });
});
