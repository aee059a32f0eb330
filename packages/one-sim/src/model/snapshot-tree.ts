import type { Snapshot, SnapshotTree } from './world-schema.ts';

/** The rules of src/vm/Snapshots.cc, on plain data. */
export function emptySnapshotTree(diskId: number | undefined, allowOrphans: SnapshotTree['allowOrphans']): SnapshotTree {
  return { ...(diskId === undefined ? {} : { diskId }), allowOrphans, currentBase: -1, nextSnapshot: 0, snapshots: [] };
}

/** ALLOW_ORPHANS of the image datastore, FORMAT resolved by the disk's format; missing means NO (VirtualMachineDisk.cc:50). */
export function resolveOrphans(attribute: string | undefined, format: string): SnapshotTree['allowOrphans'] {
  switch (attribute?.toUpperCase()) {
    case 'YES':
      return 'YES';
    case 'MIXED':
      return 'MIXED';
    case 'LINEAR':
      return 'LINEAR';
    case 'FORMAT':
      return format === 'raw' ? 'YES' : 'NO';
    default:
      return 'NO';
  }
}

export function findSnapshot(tree: SnapshotTree | undefined, id: number): Snapshot | undefined {
  return tree?.snapshots.find((snapshot) => snapshot.id === id);
}

function activeId(tree: SnapshotTree): number {
  return tree.snapshots.find((snapshot) => snapshot.active)?.id ?? -1;
}

/** Adds a snapshot, not yet ACTIVE, and consumes its id for ever. */
export function createSnapshot(tree: SnapshotTree, name: string, sizeMiB: number, date: number): Snapshot {
  const parent = tree.allowOrphans === 'NO' ? activeId(tree) : tree.allowOrphans === 'MIXED' ? tree.currentBase : -1;
  const snapshot: Snapshot = { id: tree.nextSnapshot, name, date, parent, children: [], active: false, sizeMiB };
  tree.nextSnapshot++;
  findSnapshot(tree, parent)?.children.push(snapshot.id);
  tree.snapshots.push(snapshot);
  return snapshot;
}

/** `revert` tells a revert from a fresh snapshot: MIXED moves ACTIVE only then. */
export function activateSnapshot(tree: SnapshotTree, id: number, revert: boolean): void {
  if (tree.allowOrphans === 'MIXED' && !revert) return;
  if (!findSnapshot(tree, id)) return;
  if (tree.allowOrphans === 'MIXED') tree.currentBase = id;
  for (const snapshot of tree.snapshots) snapshot.active = snapshot.id === id;
}

/** Takes a snapshot out: an only child moves up to its parent, and so does ACTIVE. */
export function removeSnapshot(tree: SnapshotTree, id: number): void {
  const snapshot = findSnapshot(tree, id);
  if (!snapshot) return;
  const parent = findSnapshot(tree, snapshot.parent);
  if (parent && (tree.allowOrphans === 'NO' || tree.allowOrphans === 'MIXED')) {
    const inherited = snapshot.children.length === 1 ? snapshot.children : [];
    for (const child of inherited) {
      const moved = findSnapshot(tree, child);
      if (moved) moved.parent = parent.id;
    }
    parent.children = [...new Set([...parent.children.filter((child) => child !== id), ...inherited])].sort((a, b) => a - b);
    if (snapshot.active) parent.active = true;
  }
  tree.snapshots = tree.snapshots.filter((other) => other.id !== id);
}

/** Snapshots::test_delete: why the snapshot of a VM's disk may not be deleted, or undefined when it may. */
export function whyNotDeletable(tree: SnapshotTree, id: number, persistent: boolean): string | undefined {
  const snapshot = findSnapshot(tree, id);
  if (!snapshot) return 'Snapshot does not exist';
  switch (tree.allowOrphans) {
    case 'YES':
      return undefined;
    case 'MIXED':
      if (snapshot.active) return 'Cannot delete the active snapshot';
      return snapshot.children.length > 0 ? 'Cannot delete snapshot with children' : undefined;
    case 'NO':
    case 'LINEAR':
      return persistent && id === 0 ? 'Cannot delete snapshot 0 for persistent disk images' : whyChainBreaks(tree, snapshot);
  }
}

function whyChainBreaks(tree: SnapshotTree, snapshot: Snapshot): string | undefined {
  if (snapshot.children.length > 1) return 'Cannot delete snapshot with more than one children';
  if (snapshot.children.length === 0) return undefined;
  if (snapshot.active) return 'Cannot delete the active snapshot with children';
  const child = findSnapshot(tree, snapshot.children[0] ?? -1);
  if (child && (child.children.length > 1 || (child.children.length === 1 && child.active))) return 'Cannot delete snapshot if child has children';
  const parent = findSnapshot(tree, snapshot.parent);
  return parent && parent.children.length > 1 ? 'Cannot delete snapshot if parent has more than one child' : undefined;
}

/** DISK_SNAPSHOT_TOTAL_SIZE. */
export function totalSizeMiB(tree: SnapshotTree | undefined): number {
  return (tree?.snapshots ?? []).reduce((sum, snapshot) => sum + snapshot.sizeMiB, 0);
}
