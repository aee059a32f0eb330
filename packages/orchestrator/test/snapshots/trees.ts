import { type Disk, type DiskSnapshots, type Snapshot, snapshotId } from '@onevault/one-client';
import { formatSetName } from '../../src/snapshots/set-name.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';

const VM = 6;

export function setId(n: number): string {
  return `20261127t19${String(n).padStart(4, '0')}-abcde${n % 10}`;
}

/** The name that snapshot of set `n` has on a disk. */
export function setName(n: number, diskId: number, disks: readonly number[], label?: string): string {
  return formatSetName({ label, setId: setId(n), vmId: VM, diskId, disks });
}

export function snapshot(id: number, facts: Partial<Snapshot> = {}): Snapshot {
  return { id: snapshotId(id), name: `s${id}`, active: false, parent: -1, children: [], date: 1_790_000_000 + id, sizeMiB: 64, ...facts };
}

/** A straight chain of these ids, the last one active. */
export function chain(ids: readonly number[], names: readonly (string | undefined)[] = []): Snapshot[] {
  return ids.map((id, at) => {
    const below = ids[at - 1];
    const above = ids[at + 1];
    return snapshot(id, {
      ...(at < names.length && { name: names[at] }),
      parent: below ?? -1,
      children: above === undefined ? [] : [snapshotId(above)],
      active: above === undefined,
    });
  });
}

export function treesOf(disk: Disk, snapshots: readonly Snapshot[], facts: Partial<DiskSnapshots> = {}): DiskSnapshots {
  return { diskId: disk.diskId, allowOrphans: 'NO', nextSnapshot: Math.max(-1, ...snapshots.map(({ id }) => id)) + 1, snapshots, ...facts };
}

/** A RUNNING VM with disks 0 and 1 (qcow2, not persistent) and these snapshots of each. */
export function twoDisks(first: readonly Snapshot[], second: readonly Snapshot[], facts: Partial<Disk> = {}) {
  const disks = [buildDisk({ ...facts }), buildDisk({ ...facts, diskId: 1 as Disk['diskId'], imageId: 11 as NonNullable<Disk['imageId']>, target: 'vdb' })];
  const [one, two] = disks as [Disk, Disk];
  return buildVm({ disks, snapshots: [treesOf(one, first), treesOf(two, second)].filter(({ snapshots }) => snapshots.length > 0) });
}
