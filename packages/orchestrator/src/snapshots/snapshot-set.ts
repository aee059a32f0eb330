import type { Disk, Snapshot, Vm } from '@onevault/one-client';
import { displayName, isCaptureName, parseSetName, type SetName } from './set-name.ts';

/** `set`: of a set of ours. `backup`: a backup's own, which it or `recover` takes away. `foreign`: everybody else's. */
export type SnapshotOrigin = 'set' | 'backup' | 'foreign';

export interface DiskSnapshot {
  readonly disk: Disk;
  readonly snapshot: Snapshot;
  readonly origin: SnapshotOrigin;
}

/** Snapshots of several disks that were taken together. */
export interface SnapshotSet {
  readonly setId: string;
  readonly label: string | undefined;
  /** The label, or `onevault-<set id>`. */
  readonly name: string;
  /** By oned's clock, of the last one. */
  readonly createdAt: Date;
  /** In the order of the disks. */
  readonly members: readonly DiskSnapshot[];
  /** Disks that were in the set and of which it has no snapshot any more. */
  readonly missing: readonly number[];
}

export interface VmSnapshots {
  readonly vm: Vm;
  /** Newest first. */
  readonly sets: readonly SnapshotSet[];
  /** What is not in a set of ours: a backup's, and other people's. */
  readonly others: readonly DiskSnapshot[];
}

type Member = DiskSnapshot & { readonly mark: SetName };

/** All disk snapshots of a VM, ours put together as sets. Pure. */
export function readSnapshots(vm: Vm): VmSnapshots {
  const members: Member[] = [];
  const others: DiskSnapshot[] = [];
  for (const { diskId, snapshots } of vm.snapshots) {
    const disk = vm.disks.find((entry) => entry.diskId === diskId);
    if (disk === undefined) continue;
    for (const snapshot of snapshots) {
      const mark = ownMark(vm, disk, snapshot, snapshots);
      if (mark !== undefined) members.push({ disk, snapshot, origin: 'set', mark });
      else others.push({ disk, snapshot, origin: isCaptureName(snapshot.name) ? 'backup' : 'foreign' });
    }
  }
  const sets = [...groupBySet(members).values()].map(setOf).sort(newestFirst);
  return { vm, sets, others };
}

/** Ours only where it was taken: a name that came along with an image from another VM or disk, or that somebody gave to a second snapshot, proves nothing. */
function ownMark(vm: Vm, disk: Disk, snapshot: Snapshot, all: readonly Snapshot[]): SetName | undefined {
  const mark = parseSetName(snapshot.name);
  if (mark === undefined || mark.vmId !== vm.id || mark.diskId !== disk.diskId) return undefined;
  const sameSet = all.filter((other) => parseSetName(other.name)?.setId === mark.setId);
  return sameSet.length === 1 ? mark : undefined;
}

function groupBySet(members: readonly Member[]): Map<string, Member[]> {
  const sets = new Map<string, Member[]>();
  for (const member of members) sets.set(member.mark.setId, [...(sets.get(member.mark.setId) ?? []), member]);
  return sets;
}

function setOf(members: readonly Member[]): SnapshotSet {
  const sorted = [...members].sort((a, b) => a.disk.diskId - b.disk.diskId);
  const [first] = sorted;
  if (first === undefined) throw new TypeError('a set without snapshots');
  const { mark } = first;
  const there = new Set<number>(sorted.map(({ disk }) => disk.diskId));
  return {
    setId: mark.setId,
    label: mark.label,
    name: displayName(mark),
    createdAt: new Date(Math.max(...sorted.map(({ snapshot }) => snapshot.date)) * 1000),
    members: sorted.map(({ disk, snapshot, origin }) => ({ disk, snapshot, origin })),
    missing: mark.disks.filter((disk) => !there.has(disk)),
  };
}

/**
 * Newest first. What oned's clock calls the same second is ordered by the ids of snapshots of one disk, which only grow (NEXT_SNAPSHOT, src/vm/Snapshots.cc); sets without a
 * common disk by their own ids, which begin with the time of our clock.
 */
export function newestFirst(a: SnapshotSet, b: SnapshotSet): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || laterOnOneDisk(a, b) || (a.setId < b.setId ? 1 : -1);
}

function laterOnOneDisk(a: SnapshotSet, b: SnapshotSet): number {
  for (const { disk, snapshot } of a.members) {
    const other = b.members.find((member) => member.disk.diskId === disk.diskId);
    if (other !== undefined) return other.snapshot.id - snapshot.id;
  }
  return 0;
}
