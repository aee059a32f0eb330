import { Secret, systemClock } from '@onevault/base';
import { createOneClient, diskId, type OneApi, vmId } from '@onevault/one-client';
import { type DoctorDeps, type Finding, planBackup, readSurroundings, runDoctor } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

const [CEPH, FS_LVM, SSH] = [104, 106, 108];
const NOW = new Date('2026-11-27T20:00:00Z');

/** features.md section 8, item 9, and what else the doctor is asked for. */
describe('the doctor, on a cloud with one VM of every bad kind', () => {
  let world: World;
  const vms = new Map<string, number>();
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] });
    const { control } = world.sim;
    const add = async (name: string, disk: object, more: object = {}): Promise<number> => {
      const { vmId: id } = await control.createVm({ name, disks: [{ sizeMiB: 1, ...disk }], ...more });
      vms.set(name, id);
      return id;
    };
    await add('raw', { datastore: 102, format: 'raw' });
    await add('native', { datastore: CEPH }, { extra: 'BACKUP_CONFIG=[MODE="INCREMENT"]' });
    await world.must('one.vm.lock', await add('locked', {}), 2);
    await branch(await add('branched', {}));
    await add('no-method', { datastore: FS_LVM });
    await add('container', {}, { hypervisor: 'lxc' });
    await add('no-space', { datastore: SSH });
    await control.setDatastoreFree(SSH, 0);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Two snapshots with the same parent. */
  async function branch(vm: number): Promise<void> {
    const { control } = world.sim;
    const snapshot = async (name: string): Promise<number> => {
      const id = await world.cloud.createDiskSnapshot(vmId(vm), diskId(0), name);
      await control.idle();
      return id;
    };
    const first = await snapshot('first');
    await snapshot('second');
    await world.cloud.vmAction(vmId(vm), 'poweroff-hard');
    await control.idle();
    await world.must('one.vm.disksnapshotrevert', vm, 0, first);
    await control.idle();
    await world.cloud.vmAction(vmId(vm), 'resume');
    await control.idle();
    await snapshot('third');
  }

  function deps(overrides: Partial<DoctorDeps> = {}): DoctorDeps {
    return {
      openCloud: async () => world.cloud,
      frontEndTime: () => ({ theirs: NOW, ours: NOW }),
      findProxy: async () => world.proxyVm,
      identification: () => 'by serial',
      storage: async () => [],
      journals: world.journals,
      openRepository: () => world.reopen(),
      volumes: async () => [{ use: 'state directory', path: '/state', freeBytes: 2 ** 30, totalBytes: 2 ** 31, neededBytes: 1 }],
      clock: { now: () => NOW, monotonicMs: () => 0, sleep: async () => undefined },
      ...overrides,
    };
  }

  async function examine(overrides: Partial<DoctorDeps> = {}): Promise<Finding[]> {
    const findings: Finding[] = [];
    for await (const finding of runDoctor(deps(overrides))) findings.push(finding);
    return findings;
  }

  it('names each problem of a VM once, with the VM and a remedy', async () => {
    const found = (await examine()).filter(({ area, verdict }) => area === 'vms' && verdict !== 'ok');
    const about = (name: string): string[] => found.filter(({ subject }) => subject.includes(`VM ${vms.get(name)} ${name}`)).map(({ code }) => code);
    expect(about('native')).toContain('SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL');
    expect(about('locked')).toContain('REFUSE_VM_LOCKED');
    expect(about('no-method')).toContain('REFUSE_DRIVER_NO_CONSISTENT_METHOD');
    expect(about('container')).toContain('REFUSE_VM_NOT_KVM');
    expect(about('no-space')).toContain('REFUSE_NO_SPACE');
    for (const { remedy, text } of found) expect(remedy, text).toBeTruthy();
    expect(about('web'), 'the good VM').toEqual([]);
  });

  it('and the plan of each says the same, down to the disk; what it can do another way it does and says why', async () => {
    const surroundings = await readSurroundings(world.cloud, world.proxyVm);
    const planOf = async (name: string, capture: 'auto' | 'snapshot' = 'auto') =>
      planBackup(await world.cloud.vm(vmId(vms.get(name) ?? -1)), { capture, excludeDisks: [], proxyVm: world.proxyVm }, surroundings);
    const codes = (plan: Awaited<ReturnType<typeof planOf>>): string[] =>
      [...plan.reasons, ...plan.disks.flatMap((disk) => disk.reasons)].map(({ code }) => code);
    for (const name of ['native', 'locked', 'no-method', 'container', 'no-space']) expect((await planOf(name)).verdict, name).toBe('impossible');
    const raw = await planOf('raw');
    expect(raw.disks[0]).toMatchObject({ verdict: 'capture', method: 'live-copy' });
    expect(codes(raw)).toContain('SNAPSHOT_PAUSES_GUEST');
    expect(codes(await planOf('raw', 'snapshot'))).toContain('REFUSE_LONG_FREEZE');
    const branched = await planOf('branched');
    expect(branched.disks[0]).toMatchObject({ verdict: 'capture', method: 'live-copy' });
    expect(codes(branched)).toContain('SNAPSHOT_TREE_BRANCHES');
  });

  it('shows how each datastore is captured, and which is full', async () => {
    const found = (await examine()).filter(({ area }) => area === 'datastores');
    const of = (id: number): Finding[] => found.filter(({ subject }) => subject.startsWith(`datastore ${id} `));
    expect(of(100)).toMatchObject([{ code: 'DATASTORE_CAPTURE', verdict: 'ok' }]);
    expect(of(FS_LVM)).toMatchObject([{ code: 'DATASTORE_CAPTURE', verdict: 'warning' }]);
    expect(of(SSH).map(({ code }) => code)).toContain('DATASTORE_FULL');
  });

  it('says what is wrong with clock, proxy machine, space and repository, each with its remedy', async () => {
    const found = await examine({
      frontEndTime: () => ({ theirs: new Date(NOW.getTime() + 120_000), ours: NOW }),
      storage: async () => [
        {
          subsystem: 'lvm',
          severity: 'danger',
          code: 'LVM_SEES_ATTACHED_DISKS',
          seen: '/etc/lvm/lvm.conf',
          why: 'it activates',
          fix: 'set a filter',
          fixable: true,
        },
      ],
      volumes: async () => [{ use: 'state directory', path: '/state', freeBytes: 0, totalBytes: 100, neededBytes: 1 }],
      openRepository: () => Promise.reject(new Error('no such repository')),
    });
    const of = (area: string) => found.filter((finding) => finding.area === area && finding.verdict !== 'ok');
    expect(of('clock')).toMatchObject([{ code: 'CLOCK_OFF', verdict: 'warning' }]);
    expect(of('storage')).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS', verdict: 'problem', remedy: expect.stringContaining('--fix') }]);
    expect(of('space')).toMatchObject([{ code: 'SPACE_OUT', verdict: 'problem' }]);
    expect(of('repository')).toMatchObject([{ verdict: 'problem', text: 'no such repository' }]);
  });

  it('looks at the rest when OpenNebula does not answer, and says what it did not see', async () => {
    const refuses = { ...world.cloud, endpoint: world.cloud.endpoint, version: () => Promise.reject(new Error('nobody there')) } as OneApi;
    const found = await examine({ openCloud: async () => refuses });
    expect(found.filter(({ area }) => area === 'cloud')).toMatchObject([{ verdict: 'problem' }, { code: 'CLOUD_NOT_EXAMINED', verdict: 'unknown' }]);
    expect(found.map(({ area }) => area)).toContain('space');
  });

  it('says which quota is in the way of a user that has one, as OpenNebula does', async () => {
    const { vmId: id } = await world.sim.control.createVm({ name: 'hers', owner: 'alice', disks: [{ sizeMiB: 2 }] });
    await world.must('one.user.quota', 2, 'DATASTORE=[ID="100",SIZE="3"]');
    await using alice = createOneClient({ endpoint: world.sim.endpoint, session: new Secret('alice:alice-password'), clock: systemClock });
    const found = await examine({ openCloud: async () => alice });
    expect(found.filter(({ code }) => code === 'REFUSE_QUOTA')).toMatchObject([
      { area: 'vms', verdict: 'problem', subject: `VM ${id} hers disk 0`, remedy: expect.stringContaining('quota') },
    ]);
    await expect(alice.saveDiskAs(vmId(id), diskId(0), 'copy', undefined)).rejects.toMatchObject({ code: 'ONE_AUTHORIZATION' });
  });

  it('touches nothing', async () => {
    const before = JSON.stringify(await world.sim.control.state());
    await examine();
    expect(JSON.stringify(await world.sim.control.state())).toBe(before);
    expect(await world.unfinishedRuns()).toEqual([]);
  });
});
