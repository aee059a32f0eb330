import type { Vm } from '@onevault/one-client';
import type { DiskTarget } from '../cloud/revert-disk.ts';
import { orphanMode } from './orphan-mode.ts';
import { unknownDisks } from './plan-create.ts';
import type { SnapshotNote, SnapshotRefusal } from './refusal.ts';
import type { SelectedSnapshots } from './select-snapshots.ts';
import { snapshotDriver } from './snapshot-driver.ts';
import type { DiskSnapshot, SnapshotOrigin } from './snapshot-set.ts';
import { readSnapshots } from './snapshot-set.ts';
import { vmRefusals } from './vm-checks.ts';

export interface RevertLimits {
  /** Also when younger snapshots then stand beside the disk's line. */
  readonly allowBranch: boolean;
  /** Also where the driver drops the younger snapshots; never when one of them is not ours. */
  readonly dropYounger: boolean;
}

export interface RevertPlan {
  readonly targets: readonly DiskTarget[];
  readonly notes: readonly SnapshotNote[];
  readonly refusals: readonly SnapshotRefusal[];
}

/** What goes where, and what stands against it. Pure. `ownVm`: the VM we run in, which cannot stop itself. */
export function planRevert(vm: Vm, version: string, selected: SelectedSnapshots, limits: RevertLimits, ownVm: number | undefined): RevertPlan {
  const refusals = vmRefusals(vm, version);
  if (vm.id === ownVm)
    refusals.push({
      code: 'SNAPSHOT_VM_IS_PROXY',
      text: 'it is the VM this runs in: it would be stopped and could not start itself',
      remedy: 'do it from elsewhere',
    });
  for (const diskId of selected.missing) refusals.push(...missing(vm, selected, diskId));
  const notes: SnapshotNote[] = [];
  for (const member of selected.members) {
    const place = { diskId: member.disk.diskId, snapshotId: member.snapshot.id };
    refusals.push(...memberRefusals(vm, version, member, limits).map((refusal) => ({ ...refusal, ...place })));
    notes.push(...branchNote(vm, member));
  }
  if (selected.members.length === 0 && refusals.length === 0)
    refusals.push({ code: 'SNAPSHOT_NO_DISK', text: 'no disk is left to revert', remedy: 'choose other disks with --disk' });
  return { targets: selected.members.map(({ disk, snapshot }) => ({ vmId: vm.id, disk, snapshot })), notes, refusals };
}

function missing(vm: Vm, selected: SelectedSnapshots, diskId: number): SnapshotRefusal[] {
  const [unknown] = unknownDisks(vm, [diskId]);
  const others = selected.members.map(({ disk }) => `--disk ${disk.diskId}`).join(' ');
  const remedy = others === '' ? 'choose another set' : `choose another set, or only the disks that it still has: ${others}`;
  const text = unknown === undefined ? 'the set has no snapshot of it any more' : 'it was in the set and has been detached since';
  return [{ code: 'SNAPSHOT_MISSING', diskId, text, remedy }];
}

type MemberRefusal = Omit<SnapshotRefusal, 'diskId' | 'snapshotId'>;

function memberRefusals(vm: Vm, version: string, member: DiskSnapshot, limits: RevertLimits): MemberRefusal[] {
  const { disk, snapshot } = member;
  const refusals: MemberRefusal[] = [];
  if (snapshotDriver(disk, version)?.offline === false)
    refusals.push({ code: 'SNAPSHOT_DRIVER_NONE', text: `storage driver ${disk.tmMad} has no snapshots here`, remedy: 'leave the disk out with --disk' });
  if (disk.sizeMiB !== snapshot.sizeMiB) {
    const text = `the disk has ${disk.sizeMiB} MiB now and had ${snapshot.sizeMiB} MiB then; what was added since would be cut off`;
    refusals.push({ code: 'SNAPSHOT_DISK_RESIZED', text, remedy: 'leave the disk out with --disk, or restore a backup as a new VM' });
  }
  // TM/qcow2/snap_revert and TM/shared: `rm disk.N; cp snapshot disk.N`, where disk.N of a persistent disk is a link to the image (TM/*/ln).
  if (disk.persistent && disk.format === 'raw' && (disk.tmMad === 'qcow2' || disk.tmMad === 'shared')) {
    const text = `on ${disk.tmMad} a revert of a persistent raw disk puts a copy in the place of the link to its image: nothing the guest writes afterwards reaches the image`;
    refusals.push({ code: 'SNAPSHOT_UNLINKS_IMAGE', text, remedy: 'restore a backup as a new VM instead' });
  }
  return [...refusals, ...youngerRefusals(vm, member, limits)];
}

/** Reverting below younger snapshots makes a branch, whose fork can no longer be deleted (e.2), or drops them (LINEAR). */
function youngerRefusals(vm: Vm, { disk, snapshot }: DiskSnapshot, limits: RevertLimits): MemberRefusal[] {
  const mode = orphanMode(vm, disk);
  const all = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.snapshots ?? [];
  if (mode === 'LINEAR') {
    const younger = all.filter((other) => other.id > snapshot.id);
    const foreign = younger.filter((other) => originOf(vm, disk.diskId, other.id) !== 'set');
    if (foreign.length > 0) {
      const text = `storage driver ${disk.tmMad} would drop the younger snapshots, and ${ids(foreign)} is not ours`;
      return [{ code: 'SNAPSHOT_DROPS_YOUNGER', text, remedy: `delete ${ids(foreign)} by hand first` }];
    }
    if (younger.length === 0 || limits.dropYounger) return [];
    return [{ code: 'SNAPSHOT_DROPS_YOUNGER', text: `storage driver ${disk.tmMad} would drop ${ids(younger)}`, remedy: 'say --drop-younger' }];
  }
  if (mode !== 'NO' || snapshot.children.length === 0 || limits.allowBranch) return [];
  const text = `${ids(all.filter((other) => snapshot.children.includes(other.id)))} stands on it: the disk would branch, and a fork cannot be deleted while it has two branches`;
  return [{ code: 'SNAPSHOT_BRANCH', text, remedy: 'delete the younger ones first, or say --allow-branch' }];
}

function originOf(vm: Vm, diskId: number, snapshotId: number): SnapshotOrigin {
  const { sets, others } = readSnapshots(vm);
  const all = [...sets.flatMap(({ members }) => members), ...others];
  return all.find(({ disk, snapshot }) => disk.diskId === diskId && snapshot.id === snapshotId)?.origin ?? 'foreign';
}

function branchNote(vm: Vm, { disk, snapshot }: DiskSnapshot): SnapshotNote[] {
  if (orphanMode(vm, disk) !== 'NO' || snapshot.children.length === 0) return [];
  const message = `disk ${disk.diskId}: snapshot ${snapshot.children.join(', ')} stays as a branch, and snapshot ${snapshot.id} cannot be deleted before it`;
  return [{ code: 'SNAPSHOT_BRANCHES', diskId: disk.diskId, message }];
}

function ids(snapshots: readonly { readonly id: number }[]): string {
  return `snapshot ${snapshots.map(({ id }) => id).join(', ')}`;
}
