import { type Disk, diskId, type Vm } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { planCreate } from '../../src/snapshots/plan-create.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';
import { chain, treesOf } from './trees.ts';

const LIMITS = { maxChain: 3, allowLongFreeze: false, acceptPermanent: false };
const RAW = { format: 'raw' };
const POWEROFF = { state: 8, lcmState: 0 };
const RBD = { tmMad: 'ceph', format: 'raw', type: 'RBD', attributes: { ALLOW_ORPHANS: 'MIXED' } };
const THIN = { tmMad: 'fs_lvm_ssh', format: 'raw', attributes: { LVM_THIN_ENABLE: 'YES', ALLOW_ORPHANS: 'YES' } };

function planned(disk: Partial<Disk>, vm: Partial<Vm> = {}, version = '7.0.2', limits = {}) {
  return planCreate(buildVm({ disks: [buildDisk(disk)], ...vm }), version, { ...LIMITS, ...limits }, undefined);
}
const codes = (disk: Partial<Disk>, vm: Partial<Vm> = {}, version = '7.0.2', limits = {}): string[] =>
  planned(disk, vm, version, limits).refusals.map(({ code }) => code);

describe('a snapshot of a disk', () => {
  it.each<[string, Partial<Disk>, string, string[]]>([
    ['qcow2', {}, '6.10.5', []],
    ['shared', { tmMad: 'shared' }, '7.4.0', []],
    ['local', { tmMad: 'local' }, '7.0.2', []],
    ['local before 7.0', { tmMad: 'local' }, '6.10.5', ['SNAPSHOT_DRIVER_NONE']],
    ['ssh', { tmMad: 'ssh' }, '6.10.5', []],
    ['raw on qcow2', RAW, '7.0.2', ['SNAPSHOT_LONG_FREEZE']],
    ['raw on shared', { ...RAW, tmMad: 'shared' }, '7.0.2', ['SNAPSHOT_LONG_FREEZE']],
    ['raw on local', { ...RAW, tmMad: 'local' }, '7.0.2', []],
    ['ceph', RBD, '6.10.5', []],
    ['ceph on an ssh system datastore', { ...RBD, type: 'FILE' }, '7.0.2', ['SNAPSHOT_DRIVER_NONE']],
    ['fs_lvm', { ...RAW, tmMad: 'fs_lvm' }, '7.0.2', ['SNAPSHOT_DRIVER_NONE']],
    ['fs_lvm_ssh', { ...RAW, tmMad: 'fs_lvm_ssh' }, '7.0.2', ['SNAPSHOT_DRIVER_NONE']],
    ['thin fs_lvm_ssh', THIN, '7.0.2', []],
    ['thin fs_lvm_ssh before 7.0', THIN, '6.10.5', ['SNAPSHOT_DRIVER_NONE']],
    ['lvm', { ...RAW, tmMad: 'lvm' }, '7.4.0', []],
    ['lvm before 7.2', { ...RAW, tmMad: 'lvm' }, '7.0.2', ['SNAPSHOT_DRIVER_NONE']],
    ['dev', { ...RAW, tmMad: 'dev' }, '7.0.2', ['SNAPSHOT_DRIVER_NONE']],
    ['one that is not known', { tmMad: 'weka' }, '7.0.2', ['SNAPSHOT_DRIVER_UNKNOWN']],
  ])('of a running VM on %s', (_, disk, version, refused) => {
    expect(codes(disk, {}, version)).toEqual(refused);
  });

  it('of a stopped VM freezes nobody and needs no live driver', () => {
    expect(codes(RAW, POWEROFF)).toEqual([]);
    expect(codes({ tmMad: 'local' }, POWEROFF, '6.10.5')).toEqual([]);
  });

  it('that freezes the guest, or that stays for ever, is taken when that is said', () => {
    expect(codes(RAW, {}, '7.0.2', { allowLongFreeze: true })).toEqual([]);
    expect(codes({ persistent: true })).toEqual(['SNAPSHOT_PERMANENT']);
    expect(codes({ persistent: true }, {}, '7.0.2', { acceptPermanent: true })).toEqual([]);
    expect(planned({ persistent: true }, {}, '7.0.2', { acceptPermanent: true }).notes).toMatchObject([{ code: 'SNAPSHOT_STAYS' }]);
  });

  it.each<[string, Partial<Disk>]>([
    ['ssh, where each stands by itself', { persistent: true, tmMad: 'ssh', attributes: { ALLOW_ORPHANS: 'YES' } }],
    ['a raw file, where each is a copy', { persistent: true, tmMad: 'local', format: 'raw', attributes: { ALLOW_ORPHANS: 'FORMAT' } }],
    ['Ceph', { ...RBD, persistent: true }],
  ])('of a persistent disk does not stay on %s', (_, disk) => {
    expect(codes(disk)).toEqual([]);
  });

  it('of a persistent disk that had one before is not the first', () => {
    const disk = buildDisk({ persistent: true });
    expect(codes(disk, { snapshots: [treesOf(disk, [], { nextSnapshot: 1 })] })).toEqual([]);
  });

  it('is refused above the limit of the chain, foreign ones counted', () => {
    const disk = buildDisk();
    const snapshots = [treesOf(disk, chain([0, 1, 2]))];
    expect(codes(disk, { snapshots })).toEqual(['SNAPSHOT_CHAIN_FULL']);
    expect(codes(disk, { snapshots }, '7.0.2', { maxChain: 4 })).toEqual([]);
  });
});

describe('a snapshot of a VM', () => {
  it.each<[string, Partial<Vm>, string]>([
    ['is SUSPENDED', { state: 5, lcmState: 0 }, 'SNAPSHOT_VM_SUSPENDED'],
    ['is UNDEPLOYED', { state: 9, lcmState: 0 }, 'SNAPSHOT_VM_STATE'],
    ['is locked', { lockLevel: 1 }, 'SNAPSHOT_VM_LOCKED'],
    ['runs on LXC', { history: buildVm().history.map((record) => ({ ...record, vmMad: 'lxc' })) }, 'SNAPSHOT_VM_NOT_KVM'],
    ['is backed up incrementally by OpenNebula', { backupConfig: { MODE: 'INCREMENT' } }, 'SNAPSHOT_NATIVE_INCREMENTAL'],
  ])('that %s is refused', (_, vm, code) => {
    expect(codes({}, vm)).toEqual([code]);
  });

  it('of a version with other rules is refused', () => {
    expect(codes({}, {}, '6.6.3')).toEqual(['SNAPSHOT_VERSION']);
    expect(codes({}, {}, '6.8.0')).toEqual([]);
  });

  it('leaves out what has none, unless it is asked for by name', () => {
    const volatile = buildDisk({ diskId: diskId(1), imageId: undefined, type: 'fs' });
    const cdrom = buildDisk({ diskId: diskId(2), type: 'CDROM', readonly: true });
    const vm = buildVm({ disks: [buildDisk(), volatile, cdrom] });
    const all = planCreate(vm, '7.0.2', LIMITS, undefined);
    expect(all).toMatchObject({ disks: [{ diskId: 0 }], refusals: [], notes: [{ code: 'SNAPSHOT_SKIPPED' }, { code: 'SNAPSHOT_SKIPPED' }] });
    expect(planCreate(vm, '7.0.2', LIMITS, [0, 1, 2, 9]).refusals.map(({ code, diskId: disk }) => [code, disk])).toEqual([
      ['SNAPSHOT_DISK_UNKNOWN', 9],
      ['SNAPSHOT_DISK_VOLATILE', 1],
      ['SNAPSHOT_DISK_READONLY', 2],
    ]);
    expect(planCreate(buildVm({ disks: [volatile] }), '7.0.2', LIMITS, undefined).refusals).toMatchObject([{ code: 'SNAPSHOT_NO_DISK' }]);
  });

  it('says of every refusal what would make it possible', () => {
    const vm = buildVm({ disks: [buildDisk({ persistent: true }), buildDisk({ diskId: diskId(1), format: 'raw' })], lockLevel: 4, state: 5, lcmState: 0 });
    for (const { remedy, text } of planCreate(vm, '6.0.0', LIMITS, [0, 1, 2]).refusals) expect([remedy, text].every((words) => words.length > 10)).toBe(true);
  });

  it('says beforehand that on local the lowest one cannot be deleted while the VM runs', () => {
    expect(planned({ tmMad: 'local' }).notes).toMatchObject([{ code: 'SNAPSHOT_STAYS_WHILE_RUNNING' }]);
    expect(planned({ tmMad: 'local' }, POWEROFF).notes).toEqual([]);
  });
});
