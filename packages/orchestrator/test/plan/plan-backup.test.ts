import { type Disk, datastoreId, diskId, snapshotId, type Vm, vmId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { type BackupPlan, type DiskCapture, type DiskPlan, type PlanRequest, planBackup, type Reason, type Surroundings } from '../../src/index.ts';
import { fellBack } from '../../src/plan/choose-capture.ts';
import { buildDatastore, buildDisk, buildSnapshots, buildSurroundings, buildUser, buildVm, NO_QUOTAS } from '../../testing/index.ts';

const AUTO: PlanRequest = { capture: 'auto', excludeDisks: [] };
const GIB = 1024;
const MIB = 1024 * 1024;

function plan(vm: Partial<Vm>, request: Partial<PlanRequest> = {}, surroundings: Partial<Surroundings> = {}): BackupPlan {
  return planBackup(buildVm(vm), { ...AUTO, ...request }, buildSurroundings(surroundings));
}

function planOne(disk: Disk, facts: Partial<Vm> = {}, request: Partial<PlanRequest> = {}, surroundings: Partial<Surroundings> = {}): DiskPlan {
  const [planned] = plan({ disks: [disk], ...facts }, request, surroundings).disks;
  if (planned === undefined) throw new Error('no disk was planned');
  return planned;
}

const codes = (entry: { readonly reasons: readonly Reason[] }): string[] => entry.reasons.map((reason) => reason.code);
const codesOf = (reasons: readonly Reason[]): string[] => reasons.map((reason) => reason.code);
const method = (entry: DiskPlan): string => (entry.verdict === 'capture' ? entry.method : entry.verdict);
const persistent = { persistent: true, clone: false };

describe('snapshots that a disk already has', () => {
  const disk = buildDisk();
  const other = buildDisk({ diskId: diskId(1) });
  const two = { disks: [disk, other] };

  it('are no obstacle in a line; ours goes on top and away again', () => {
    expect(method(planOne(disk, { snapshots: [buildSnapshots(disk, [0, 1])] }))).toBe('snapshot');
  });

  it('that branch are left alone: the disk is copied live', () => {
    const tree = buildSnapshots(disk, [0, 1, 2]);
    const branched = { ...tree, snapshots: tree.snapshots.map((entry) => ({ ...entry, parent: entry.id === 0 ? -1 : 0 })) };
    expect(codes(planOne(disk, { snapshots: [branched] }))).toContain('SNAPSHOT_TREE_BRANCHES');
    expect(method(planOne(disk, { snapshots: [branched] }))).toBe('live-copy');
  });

  it('that were reverted to in the middle would branch with ours', () => {
    const tree = buildSnapshots(disk, [0, 1]);
    const reverted = { ...tree, snapshots: tree.snapshots.map((entry) => ({ ...entry, active: entry.id === 0 })) };
    expect(method(planOne(disk, { snapshots: [reverted] }))).toBe('live-copy');
  });

  it('of another disk, with the id that ours would get, could be taken for ours by the driver that deletes it', () => {
    const [first, second] = plan({ ...two, snapshots: [buildSnapshots(other, [0, 1])] }).disks;
    expect(first && method(first)).toBe('live-copy');
    expect(first && codes(first)).toContain('SNAPSHOT_ID_SHARED');
    expect(second && method(second)).toBe('snapshot');
  });

  it('of which one failed before may have left the files numbered otherwise', () => {
    const error = 'Sun Nov 22 07:47:34 2026 : DISKSNAPSHOTCREATE: Cannot perform a live DISKSNAPSHOTCREATE operation';
    expect(codes(planOne(disk, { error, snapshots: [buildSnapshots(disk, [], 1)] }))).toContain('SNAPSHOT_NUMBERING_DRIFT');
    expect(method(planOne(disk, { error, snapshots: [buildSnapshots(disk, [0], 1)] }))).toBe('snapshot');
    expect(method(planOne(disk, { error: 'Sun Nov 22 07:47:34 2026 : ATTACHDISK: no', snapshots: [buildSnapshots(disk, [], 1)] }))).toBe('snapshot');
  });

  it('hang together in a way nobody has measured when a qcow2 file may have orphans', () => {
    expect(codes(planOne(buildDisk({ attributes: { ALLOW_ORPHANS: 'YES' } })))).toContain('SNAPSHOT_ORPHAN_MODE');
  });
});

describe('consistency', () => {
  const agent = { guestAgent: true };
  const graded = (disk: Partial<Disk>, facts: Partial<Vm> = {}): string | undefined => {
    const planned = planOne(buildDisk(disk), facts);
    return planned.verdict === 'capture' ? planned.consistency : undefined;
  };

  it('is that of a crash, unless an agent may freeze the file systems', () => {
    expect(graded({})).toBe('crash-consistent');
    expect(graded({}, agent)).toBe('filesystem-consistent-if-agent');
    expect(graded({ tmMad: 'ceph', format: 'raw', attributes: { ALLOW_ORPHANS: 'mixed' } }, agent)).toBe('filesystem-consistent-if-agent');
    expect(graded({ tmMad: 'local' }, agent), 'local never freezes').toBe('crash-consistent');
    const thin = { tmMad: 'fs_lvm_ssh', format: 'raw', attributes: { LVM_THIN_ENABLE: 'YES', ALLOW_ORPHANS: 'YES' } };
    expect(graded(thin, agent), 'without the freeze there is no snapshot').toBe('filesystem-consistent');
  });

  it('is that of a VM that was shut down, unless it sleeps with something still in memory', () => {
    expect(graded({}, { state: 8, lcmState: 0 })).toBe('offline');
    expect(graded({}, { state: 9, lcmState: 0 })).toBe('offline');
    expect(graded({}, { state: 5, lcmState: 0 })).toBe('crash-consistent');
    expect(graded({}, { state: 4, lcmState: 0 })).toBe('crash-consistent');
  });
});

describe('a method that is demanded', () => {
  it('is used where it can be, with all that speaks against it', () => {
    const planned = planOne(buildDisk(persistent), {}, { capture: 'snapshot' }) as DiskCapture;
    expect(planned).toMatchObject({ method: 'snapshot', degraded: true, fallback: undefined });
    expect(planned.residue).toHaveLength(1);
    expect(codes(planned)).toEqual(['CAPTURE_DEMANDED', 'SNAPSHOT_STAYS', 'NATIVE_INCREMENTAL_BLOCKED']);
  });

  it('offline, of a VM that runs, is refused: a backup stops no VM', () => {
    const planned = planOne(buildDisk(), {}, { capture: 'offline' });
    expect(codes(planned)).toEqual(['REFUSE_VM_RUNS']);
    expect(method(planOne(buildDisk(), { state: 8, lcmState: 0 }, { capture: 'offline' }))).toBe('offline');
  });

  it('changes nothing for a VM that does not run', () => {
    for (const capture of ['snapshot', 'live-copy'] as const) expect(method(planOne(buildDisk(), { state: 8, lcmState: 0 }, { capture }))).toBe('offline');
  });
});

describe('a snapshot that fails after it was accepted', () => {
  it('is followed by a live copy where that is as good', () => {
    const planned = planOne(buildDisk()) as DiskCapture;
    if (planned.fallback === undefined) throw new Error('no fallback');
    expect(fellBack(planned, planned.fallback, 'the driver said no')).toMatchObject({ method: 'live-copy', moment: 'end', pause: 'none', degraded: true });
    expect(codes(fellBack(planned, planned.fallback, 'no'))[0]).toBe('CAPTURE_FELL_BACK');
  });

  it('ends the backup where a live copy would be torn', () => {
    expect(planOne(buildDisk({ tmMad: 'ceph', format: 'raw', attributes: { ALLOW_ORPHANS: 'mixed' } }))).toMatchObject({
      method: 'snapshot',
      fallback: undefined,
    });
  });
});

describe('disks that are not captured', () => {
  it.each<[string, Partial<Disk>, string]>([
    ['volatile fs', { imageId: undefined, type: 'fs' }, 'SKIP_VOLATILE'],
    ['volatile swap', { imageId: undefined, type: 'swap' }, 'SKIP_VOLATILE'],
    ['CD-ROM', { type: 'CDROM', readonly: true }, 'SKIP_CDROM'],
    ['RBD CD-ROM', { type: 'RBD_CDROM', readonly: true }, 'SKIP_CDROM'],
    ['file system of the host', { type: 'FILESYSTEM', tmMad: 'virtiofs' }, 'SKIP_FILESYSTEM'],
  ])('%s: %s is never silent', (_name, facts, code) => {
    const planned = planOne(buildDisk(facts));
    expect(planned.verdict).toBe('skip');
    expect(codes(planned)).toEqual([code]);
  });

  it('an excluded disk says so', () => {
    expect(codes(planOne(buildDisk(), {}, { excludeDisks: [diskId(0)] }))).toEqual(['SKIP_EXCLUDED']);
  });
});

describe('the VM', () => {
  const disk = buildDisk();

  it.each<[string, Partial<Vm>, string, RegExp]>([
    ['UNKNOWN', { lcmState: 16 }, 'REFUSE_VM_STATE', /onehost list/],
    ['PENDING', { state: 1, lcmState: 0, schedMessage: 'Not enough capacity' }, 'REFUSE_VM_STATE', /Not enough capacity/],
    ['HOLD', { state: 2, lcmState: 0 }, 'REFUSE_VM_STATE', /onevm release 6/],
    ['CLONING', { state: 10, lcmState: 0 }, 'REFUSE_VM_STATE', /copied/],
    ['CLONING_FAILURE', { state: 11, lcmState: 0 }, 'REFUSE_VM_FAILED', /instantiate it again/],
    ['DONE', { state: 6, lcmState: 0 }, 'REFUSE_VM_STATE', /terminated/],
    ['BOOT_FAILURE', { lcmState: 36 }, 'REFUSE_VM_FAILED', /onevm recover --retry 6/],
    ['PROLOG_FAILURE', { lcmState: 39 }, 'REFUSE_VM_FAILED', /onevm recover --retry 6/],
    ['on its way out (EPILOG)', { lcmState: 11 }, 'REFUSE_VM_STATE', /at rest/],
    ['in a state nobody knows', { lcmState: 99 }, 'REFUSE_VM_STATE', /at rest/],
    ['on LXC', { history: buildVm().history.map((record) => ({ ...record, vmMad: 'lxc' })) }, 'REFUSE_VM_NOT_KVM', /onevm backup/],
    ['locked against MANAGE', { lockLevel: 2 }, 'REFUSE_VM_LOCKED', /onevm unlock 6/],
  ])('is refused when it is %s, with the remedy', (_name, facts, code, remedy) => {
    const planned = plan({ disks: [disk], ...facts });
    expect(planned.verdict).toBe('impossible');
    expect(codes(planned)).toEqual([code]);
    expect(planned.reasons[0]?.remedy).toMatch(remedy);
  });

  it('is planned for where it will be when somebody is at work on it, and says so', () => {
    const running = plan({ disks: [disk], lcmState: 17 });
    expect(running).toMatchObject({ verdict: 'degraded', state: 'RUNNING', reasons: [] });
    expect(codesOf(running.notes)).toEqual(['VM_BUSY']);
    expect(running.notes[0]?.remedy).toContain('onevm recover --failure 6');
    expect(plan({ disks: [disk], lcmState: 27 })).toMatchObject({ state: 'POWEROFF' });
    expect(plan({ disks: [disk], lcmState: 68 })).toMatchObject({ state: 'STOPPED' });
  });

  it('is refused when it is the proxy itself', () => {
    expect(codes(plan({ disks: [disk] }, { proxyVm: vmId(6) }))).toEqual(['REFUSE_VM_IS_PROXY']);
  });

  it('is impossible with nothing to capture or a disk that must be refused, degraded when one is', () => {
    const volatile = buildDisk({ imageId: undefined, type: 'fs' });
    expect(plan({ disks: [disk, volatile] }).verdict).toBe('ok');
    expect(plan({ disks: [volatile] }).verdict).toBe('impossible');
    expect(plan({ disks: [disk, buildDisk({ diskId: diskId(1), tmMad: 'fs_lvm' })] }).verdict).toBe('impossible');
    expect(plan({ disks: [buildDisk(persistent)] }, { capture: 'snapshot' }).verdict).toBe('degraded');
  });
});

describe('what OpenNebula would refuse whatever the driver', () => {
  const disk = buildDisk({ sizeMiB: 10 * GIB });
  const two = [disk, buildDisk({ diskId: diskId(1), sizeMiB: 10 * GIB })];

  it('a datastore without room, if only on paper; none where nobody counts', () => {
    const full = { datastores: [buildDatastore({ availableMiB: 9 * GIB })] };
    expect(codes(planOne(disk, {}, {}, full))).toEqual(['REFUSE_NO_SPACE']);
    const uncounted = { datastores: [buildDatastore({ availableMiB: 9 * GIB, capacityCheck: false })] };
    expect(method(planOne(disk, {}, {}, uncounted))).toBe('snapshot');
  });

  it('room for one copy, and not for as many as are made at a time, is said', () => {
    const tight = { datastores: [buildDatastore({ availableMiB: 15 * GIB })] };
    expect(codesOf(plan({ disks: two }, { parallelDisks: 2 }, tight).notes)).toEqual(['SPACE_TIGHT']);
    expect(plan({ disks: two }, { parallelDisks: 1 }, tight).notes).toEqual([]);
  });

  it('a datastore that is not in the cluster of the proxy', () => {
    expect(codes(planOne(disk, {}, {}, { proxyClusterId: 100 }))).toEqual(['REFUSE_PROXY_CLUSTER']);
  });

  it('a quota of the user without room for the copy; those of uid 0 count for nothing', () => {
    const row = { id: datastoreId(1), clusterIds: [], limits: { SIZE: 20 * GIB, IMAGES: -2 }, used: { SIZE: 15 * GIB, IMAGES: 3 } };
    const quotas = { ...NO_QUOTAS, own: { ...NO_QUOTAS.own, datastore: [row] } };
    const caller = (id: number): Surroundings['caller'] => ({ user: buildUser({ id, name: 'backup', quotas }), rules: [], groupQuotas: undefined });
    expect(codes(planOne(disk, {}, {}, { caller: caller(5) }))).toEqual(['REFUSE_QUOTA']);
    expect(method(planOne(disk, {}, {}, { caller: caller(0) }))).toBe('snapshot');
  });

  it('a user who may neither manage the VM nor make images', () => {
    const caller = { user: buildUser({ id: 5, name: 'backup', gid: 100, groupIds: [100] }), rules: [], groupQuotas: NO_QUOTAS };
    const planned = plan({ disks: [disk] }, {}, { caller });
    expect(codes(planned)).toEqual(['REFUSE_RIGHTS', 'REFUSE_RIGHTS']);
    expect(planned.verdict).toBe('impossible');
  });
});

describe('what could not be read', () => {
  it('is taken for granted out loud', () => {
    const blind = plan({ disks: [buildDisk()] }, {}, { datastores: undefined, caller: undefined, proxyClusterId: undefined });
    expect(blind.verdict).toBe('ok');
    expect(codesOf(blind.assumptions)).toEqual(['ASSUMED_RIGHTS', 'ASSUMED_RIGHTS', 'ASSUMED_SPACE']);
    const rules = { user: buildUser({ id: 5, gid: 100, groupIds: [100] }), rules: undefined, groupQuotas: undefined };
    const half = plan({ disks: [buildDisk()] }, {}, { caller: rules });
    expect(codesOf(half.assumptions)).toEqual(expect.arrayContaining(['ASSUMED_RIGHTS', 'ASSUMED_QUOTA']));
  });

  it('is nothing when oneadmin asks and all can be read', () => {
    expect(plan({ disks: [buildDisk()] }).assumptions).toEqual([]);
  });

  it('of what the host can do nobody tells', () => {
    expect(codesOf(plan({ disks: [buildDisk({ tmMad: 'local' })] }).assumptions)).toEqual(['ASSUMED_BLOCKCOPY']);
  });
});

describe('what it will cost', () => {
  const cost = (disk: Partial<Disk>, request: Partial<PlanRequest> = {}, facts: Partial<Vm> = {}): Pick<DiskCapture, 'estimate'>['estimate'] => {
    const planned = planOne(buildDisk({ sizeMiB: 10 * GIB, ...disk }), facts, request);
    if (planned.verdict !== 'capture') throw new Error(codes(planned).join(' '));
    return planned.estimate;
  };
  const size = 10 * GIB * MIB;

  it('a snapshot on shared storage is saved once', () => {
    expect(cost({})).toEqual({ readBytes: size, copyBytes: size, busyMs: 12_000 + 102_400, pauseMs: 60_000 });
  });

  it('over ssh a live copy goes to a file, through the network, and once more to the proxy', () => {
    expect(cost({ tmMad: 'local' })).toEqual({ readBytes: size, copyBytes: 3 * size, busyMs: 4_000 + 204_800, pauseMs: 0 });
  });

  it('a demanded snapshot of a raw file holds the guest for a whole copy', () => {
    expect(cost({ format: 'raw' }, { capture: 'snapshot', allowLongFreeze: true })).toMatchObject({ pauseMs: 102_400, copyBytes: 3 * size });
  });

  it('all disks together are one after another', () => {
    const { estimate } = plan({ disks: [buildDisk({ sizeMiB: GIB }), buildDisk({ diskId: diskId(1), sizeMiB: GIB })] });
    expect(estimate).toMatchObject({ readBytes: 2 * GIB * MIB, pauseMs: 120_000 });
  });
});

it('a snapshot id that is spent counts, whether or not the snapshot is still there', () => {
  const disk = buildDisk(persistent);
  const [first] = buildSnapshots(disk, [3]).snapshots;
  expect(first?.id).toBe(snapshotId(3));
  expect(method(planOne(disk, { snapshots: [buildSnapshots(disk, [], 2)] }))).toBe('snapshot');
});
