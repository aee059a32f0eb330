import { type Disk, datastoreId, type Snapshot, type Vm, vmId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { planRevert } from '../../src/snapshots/plan-revert.ts';
import { selectSnapshots } from '../../src/snapshots/select-snapshots.ts';
import { readSnapshots } from '../../src/snapshots/snapshot-set.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';
import { chain, setName, snapshot, treesOf, twoDisks } from './trees.ts';

const LIMITS = { allowBranch: false, dropYounger: false };
const both = [0, 1];

function codes(
  vm: Vm,
  reference = 'latest',
  limits: Partial<typeof LIMITS> = {},
  facts: { version?: string; disks?: number[]; ownVm?: number; foreign?: boolean } = {},
) {
  const choice = { reference, foreign: facts.foreign ?? false, ...(facts.disks && { disks: facts.disks }) };
  const selected = selectSnapshots(readSnapshots(vm), choice);
  const { refusals } = planRevert(vm, facts.version ?? '7.0.2', selected, { ...LIMITS, ...limits }, facts.ownVm);
  return refusals.map(({ code, diskId }) => (diskId === undefined ? code : `${code} ${diskId}`));
}

function oneDisk(disk: Partial<Disk>, snapshots: readonly Snapshot[], mode = 'NO', vm: Partial<Vm> = {}): Vm {
  const made = buildDisk(disk);
  return buildVm({ disks: [made], snapshots: [treesOf(made, snapshots, { allowOrphans: mode })], ...vm });
}

const young = chain([0, 1], [setName(1, 0, [0]), setName(2, 0, [0])]);

describe('a revert', () => {
  it('takes every disk of a set back', () => {
    const vm = twoDisks(chain([3], [setName(1, 0, both)]), chain([5], [setName(1, 1, both)]));
    const selected = selectSnapshots(readSnapshots(vm), { reference: 'latest', foreign: false });
    const { targets, refusals } = planRevert(vm, '7.0.2', selected, LIMITS, undefined);
    expect(refusals).toEqual([]);
    expect(targets.map(({ disk, snapshot: to }) => [disk.diskId, to.id])).toEqual([
      [0, 3],
      [1, 5],
    ]);
  });

  it('of a set that lacks a disk is refused, unless only the others are wanted', () => {
    const vm = twoDisks(chain([3], [setName(1, 0, both)]), []);
    expect(codes(vm)).toEqual(['SNAPSHOT_MISSING 1']);
    expect(codes(vm, 'latest', {}, { disks: [0] })).toEqual([]);
    const detached = { ...vm, disks: vm.disks.slice(0, 1) };
    expect(codes(detached)).toEqual(['SNAPSHOT_MISSING 1']);
  });

  it('of a disk that was resized since is refused', () => {
    expect(codes(oneDisk({ sizeMiB: 128 }, chain([0], [setName(1, 0, [0])])))).toEqual(['SNAPSHOT_DISK_RESIZED 0']);
  });

  it('below a younger snapshot makes a branch, and wants to be told so', () => {
    expect(codes(oneDisk({}, young), 'latest')).toEqual([]);
    expect(codes(oneDisk({}, young), '0:0')).toEqual(['SNAPSHOT_BRANCH 0']);
    expect(codes(oneDisk({}, young), '0:0', { allowBranch: true })).toEqual([]);
    const flat = [snapshot(0, { name: setName(1, 0, [0]) }), snapshot(1, { active: true })];
    expect(codes(oneDisk({ tmMad: 'ssh' }, flat, 'YES'), 'latest')).toEqual([]);
  });

  it('on a driver that drops what is younger wants to be told so, and never drops what is not ours', () => {
    const flat = [snapshot(0, { name: setName(1, 0, [0]) }), snapshot(1, { name: setName(2, 0, [0]), active: true })];
    const vm = oneDisk({ tmMad: 'netapp', format: 'raw' }, flat, 'LINEAR');
    expect(codes(vm, '0:0')).toEqual(['SNAPSHOT_DROPS_YOUNGER 0']);
    expect(codes(vm, '0:0', { dropYounger: true })).toEqual([]);
    const foreign = oneDisk({ tmMad: 'netapp', format: 'raw' }, [...flat, snapshot(2, { name: 'by hand' })], 'LINEAR');
    expect(codes(foreign, '0:0', { dropYounger: true })).toEqual(['SNAPSHOT_DROPS_YOUNGER 0']);
  });

  it('that would cut a persistent raw disk off from its image is refused', () => {
    const flat = [snapshot(0, { name: setName(1, 0, [0]) })];
    expect(codes(oneDisk({ tmMad: 'shared', format: 'raw', persistent: true }, flat, 'YES'))).toEqual(['SNAPSHOT_UNLINKS_IMAGE 0']);
    expect(codes(oneDisk({ tmMad: 'shared', format: 'raw' }, flat, 'YES'))).toEqual([]);
    expect(codes(oneDisk({ tmMad: 'local', format: 'raw', persistent: true }, flat, 'YES'))).toEqual([]);
  });

  it.each<[string, Partial<Vm>, string]>([
    ['is SUSPENDED', { state: 5, lcmState: 0 }, 'SNAPSHOT_VM_SUSPENDED'],
    ['is STOPPED', { state: 4, lcmState: 0 }, 'SNAPSHOT_VM_STATE'],
    ['is locked', { lockLevel: 2 }, 'SNAPSHOT_VM_LOCKED'],
  ])('of a VM that %s is refused', (_, facts, code) => {
    expect(codes(oneDisk({}, young, 'NO', facts))).toEqual([code]);
  });

  it('where OpenNebula wants a SUSPENDED VM for it is refused', () => {
    expect(codes(oneDisk({}, young), 'latest', {}, { version: '6.6.0' })).toEqual(['SNAPSHOT_VERSION']);
  });

  it('of the VM it runs in is refused', () => {
    expect(codes(oneDisk({}, young), 'latest', {}, { ownVm: vmId(6) })).toEqual(['SNAPSHOT_VM_IS_PROXY']);
  });

  it('on a driver without snapshots is refused', () => {
    expect(codes(oneDisk({ tmMad: 'fs_lvm', format: 'raw', datastoreId: datastoreId(106) }, young))).toEqual(['SNAPSHOT_DRIVER_NONE 0']);
  });
});
