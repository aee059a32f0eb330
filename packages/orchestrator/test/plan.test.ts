import { type Disk, diskId, type Vm, vmId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { type DiskCapture, type DiskPlan, planBackup } from '../src/index.ts';
import { buildDisk, buildSnapshots, buildVm } from '../testing/index.ts';

const AUTO = { capture: 'auto', excludeDisks: [] } as const;
const FORCED = { capture: 'snapshot', excludeDisks: [] } as const;

function planOne(disk: Disk, facts: Partial<Vm> = {}, request: { capture: 'auto' | 'snapshot'; excludeDisks: readonly Disk['diskId'][] } = AUTO): DiskPlan {
  const [planned] = planBackup(buildVm({ disks: [disk], ...facts }), request).disks;
  if (planned === undefined) throw new Error('no disk was planned');
  return planned;
}

const codes = (plan: { readonly reasons: readonly { readonly code: string }[] }): string[] => plan.reasons.map((reason) => reason.code);
const method = (plan: DiskPlan): string => (plan.verdict === 'capture' ? plan.method : plan.verdict);

describe('capture method of a running disk (opennebula.md sections 0 and M.1)', () => {
  const persistent = { persistent: true, clone: false };
  it.each<[string, Partial<Disk>, string]>([
    ['qcow2, qcow2', {}, 'snapshot'],
    ['shared, qcow2', { tmMad: 'shared' }, 'snapshot'],
    ['qcow2, qcow2, persistent, no snapshot ever: id 0 would stay for ever', persistent, 'live-copy'],
    ['qcow2, raw: a snapshot would pause the guest', { format: 'raw' }, 'live-copy'],
    ['local, qcow2: the base snapshot cannot be deleted', { tmMad: 'local' }, 'live-copy'],
    ['local, raw', { tmMad: 'local', format: 'raw' }, 'live-copy'],
    ['ssh: two full copies', { tmMad: 'ssh' }, 'live-copy'],
    ['ceph', { tmMad: 'ceph', format: 'raw' }, 'snapshot'],
    ['lvm (7.4)', { tmMad: 'lvm', format: 'raw' }, 'snapshot'],
    ['fs_lvm_ssh thin', { tmMad: 'fs_lvm_ssh', format: 'raw', attributes: { LVM_THIN_ENABLE: 'YES' } }, 'snapshot'],
    ['fs_lvm_ssh', { tmMad: 'fs_lvm_ssh', format: 'raw' }, 'refuse'],
    ['fs_lvm', { tmMad: 'fs_lvm', format: 'raw' }, 'refuse'],
    ['dev', { tmMad: 'dev', format: 'raw' }, 'refuse'],
    ['iscsi_libvirt', { tmMad: 'iscsi_libvirt', format: 'raw' }, 'refuse'],
    ['a driver nobody has measured', { tmMad: 'netapp', format: 'raw' }, 'refuse'],
  ])('%s -> %s', (_name, facts, expected) => {
    expect(method(planOne(buildDisk(facts)))).toBe(expected);
  });

  it('takes a snapshot of a persistent qcow2 disk once id 0 is spent', () => {
    const disk = buildDisk(persistent);
    expect(method(planOne(disk, { snapshots: [buildSnapshots(disk, [], 2)] }))).toBe('snapshot');
  });

  it('does not snapshot a local disk that has snapshots: the copy of a child cannot be read', () => {
    const disk = buildDisk({ tmMad: 'local' });
    expect(method(planOne(disk, { snapshots: [buildSnapshots(disk, [3])] }))).toBe('live-copy');
  });

  it('goes round native incremental backup where a live copy is consistent, and refuses where it is not', () => {
    const backupConfig = { MODE: 'INCREMENT' };
    expect(method(planOne(buildDisk(), { backupConfig }))).toBe('live-copy');
    expect(codes(planOne(buildDisk({ tmMad: 'ceph' }), { backupConfig }))).toEqual(['REFUSE_NATIVE_INCREMENTAL']);
  });
});

describe('a snapshot that is demanded', () => {
  it('names what will stay', () => {
    const plan = planOne(buildDisk({ persistent: true }), {}, FORCED) as DiskCapture;
    expect(plan).toMatchObject({ method: 'snapshot', degraded: true });
    expect(plan.residue).toHaveLength(1);
    expect(codes(plan)).toContain('RESIDUE_SNAPSHOT_STAYS');
  });

  it('names the pause of a raw disk, and changes nothing where a snapshot is right anyway', () => {
    expect(codes(planOne(buildDisk({ format: 'raw' }), {}, FORCED))).toContain('GUEST_PAUSED_FOR_COPY');
    expect(codes(planOne(buildDisk(), {}, FORCED))).toEqual(['CAPTURE_SNAPSHOT_CLEAN']);
  });

  it('is still refused where the driver cannot export at all', () => {
    expect(planOne(buildDisk({ tmMad: 'dev' }), {}, FORCED).verdict).toBe('refuse');
    expect(planOne(buildDisk({ tmMad: 'netapp' }), {}, FORCED).verdict).toBe('capture');
  });
});

describe('disks that are not captured', () => {
  it.each<[string, Partial<Disk>, string]>([
    ['volatile fs', { imageId: undefined, type: 'fs' }, 'SKIP_VOLATILE'],
    ['volatile swap', { imageId: undefined, type: 'swap' }, 'SKIP_VOLATILE'],
    ['CD-ROM', { type: 'CDROM', readonly: true }, 'SKIP_CDROM'],
    ['RBD CD-ROM', { type: 'RBD_CDROM', readonly: true }, 'SKIP_CDROM'],
  ])('%s: %s is never silent', (_name, facts, code) => {
    const plan = planOne(buildDisk(facts));
    expect(plan.verdict).toBe('skip');
    expect(codes(plan)).toEqual([code]);
  });

  it('an excluded disk says so', () => {
    expect(codes(planOne(buildDisk(), {}, { capture: 'auto', excludeDisks: [diskId(0)] }))).toEqual(['SKIP_EXCLUDED']);
  });
});

describe('the VM', () => {
  const disk = buildDisk();
  it('is saved offline in POWEROFF', () => {
    expect(method(planOne(disk, { state: 8, lcmState: 0 }))).toBe('offline');
  });

  it.each<[string, Partial<Vm>, string]>([
    ['is SUSPENDED', { state: 5, lcmState: 0 }, 'REFUSE_VM_STATE'],
    ['is in HOTPLUG', { lcmState: 17 }, 'REFUSE_VM_STATE'],
    ['runs on LXC', { history: buildVm().history.map((record) => ({ ...record, vmMad: 'lxc' })) }, 'REFUSE_VM_NOT_KVM'],
    ['is locked against MANAGE', { lockLevel: 2 }, 'REFUSE_VM_LOCKED'],
  ])('is refused when it %s', (_name, facts, code) => {
    const plan = planBackup(buildVm({ disks: [disk], ...facts }), AUTO);
    expect(plan.verdict).toBe('impossible');
    expect(codes(plan)).toEqual([code]);
  });

  it('is refused when it is the proxy itself', () => {
    expect(codes(planBackup(buildVm({ disks: [disk] }), { ...AUTO, proxyVm: vmId(6) }))).toEqual(['REFUSE_VM_IS_PROXY']);
  });

  it('is impossible with nothing to capture or a disk that must be refused, degraded when one is', () => {
    const volatile = buildDisk({ imageId: undefined, type: 'fs' });
    const verdict = (disks: Disk[], request: { capture: 'auto' | 'snapshot'; excludeDisks: [] } = { capture: 'auto', excludeDisks: [] }): string =>
      planBackup(buildVm({ disks }), request).verdict;
    expect(verdict([disk, volatile])).toBe('ok');
    expect(verdict([volatile])).toBe('impossible');
    expect(verdict([disk, buildDisk({ diskId: diskId(1), tmMad: 'fs_lvm' })])).toBe('impossible');
    expect(verdict([buildDisk({ persistent: true })], { capture: 'snapshot', excludeDisks: [] })).toBe('degraded');
  });
});
