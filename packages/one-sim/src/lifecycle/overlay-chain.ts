import { rename } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskIdOf, disksOf, snapshotsOf } from '../model/disk-vector.ts';
import { noteHarm } from '../model/vm-history.ts';
import type { Snapshot, SnapshotTree, Vm } from '../model/world-schema.ts';
import { DriverFailure } from './operation-handler.ts';

/**
 * The qcow2 files behind a chain of snapshots, as far as they can disagree with what oned believes (opennebula.md e.4): snapshot N is the file that was
 * live before, so it is sound only when the guest wrote to file N, and from then on it writes to file N+1 (TM/qcow2/snap_create, TM/local/snap_create).
 */
export function beginOverlay(tree: SnapshotTree, snapshot: Snapshot, at: 'running' | 'suspended' | 'off'): void {
  if ((tree.overlay ?? 0) !== snapshot.id) snapshot.file = 'missing';
  tree.overlay = snapshot.id + 1;
  // The checkpoint of a suspended domain keeps the path that was active when it was saved: kvm/restore rewrites the datastore's part only.
  if (at === 'suspended' && tree.direct === true) tree.stray = snapshot.id;
  if (at === 'running') tree.direct = true;
}

/** `/VM/SNAPSHOTS/SNAPSHOT[ID=n]/ACTIVE` asks every disk of the VM (TM/qcow2/snap_delete, TM/lib/tm_action.rb snapshot_active). */
function looksActive(vm: Vm, snapshotId: number): boolean {
  return vm.snapshots.some((tree) => tree.snapshots.some((snapshot) => snapshot.id === snapshotId && snapshot.active));
}

interface OverlayDelete {
  readonly vm: Vm;
  readonly tree: SnapshotTree;
  readonly snapshot: Snapshot;
  readonly live: boolean;
  readonly relative: boolean;
  /** What the script prints when it fails. */
  readonly refusal: string;
}

/** The three branches of delete_snapshot (TM/qcow2/snap_delete, TM/lib/shell.rb): what else breaks. The file itself is removed by the caller. */
export function deleteOverlay({ vm, tree, snapshot, live, relative, refusal }: OverlayDelete): void {
  if (snapshot.file === 'missing') throw new DriverFailure(refusal);
  if (looksActive(vm, snapshot.id)) {
    // blockpull --keep-relative takes no chain without a base. A child of a deleted base still names it (Snapshots.cc, delete_snapshot).
    const hasBase = tree.snapshots.some((candidate) => candidate.id === snapshot.parent);
    if (relative && live && !hasBase) throw new DriverFailure(refusal);
    if (!snapshot.active) breakDescendants(vm, tree, snapshot, snapshot.id);
    return;
  }
  const [child] = tree.snapshots.filter((candidate) => candidate.parent === snapshot.id);
  if (child && live) child.file = 'moved'; // blockcommit into the parent's file, and a .current pointer
}

function breakDescendants(vm: Vm, tree: SnapshotTree, snapshot: Snapshot, deleted: number): void {
  for (const child of tree.snapshots.filter((candidate) => candidate.parent === snapshot.id)) {
    child.file = 'missing';
    noteHarm(vm, `snapshot ${child.id} of disk ${tree.diskId ?? -1} lost its backing file with the deletion of snapshot ${deleted}`);
    breakDescendants(vm, tree, child, deleted);
  }
}

/** The guest ended (power off, save): what it wrote to a file that was deleted under it is gone. */
export async function endGuest(cloud: Cloud, vm: Vm): Promise<void> {
  for (const { tree, path } of overlays(cloud, vm)) {
    if (tree.lost !== true) continue;
    await rename(`${path}.linked`, path).catch(() => undefined);
    delete tree.lost;
    noteHarm(vm, `what the guest wrote to disk ${tree.diskId ?? -1} since snapshot ${tree.stray ?? -1} was deleted under it is lost`);
    delete tree.stray;
  }
}

/** A boot follows the disk.N links again; a restore from memory goes on with the paths it was saved with. */
export function beginGuest(vm: Vm, fromMemory: boolean): void {
  for (const tree of vm.snapshots) {
    if (fromMemory) {
      if (tree.stray !== undefined) noteHarm(vm, `the guest goes on writing into the frozen file of snapshot ${tree.stray} of disk ${tree.diskId ?? -1}`);
      continue;
    }
    delete tree.direct;
    delete tree.stray;
  }
}

/** Keeps what the disk.N link will lead to once the guest is gone. */
export async function keepLinkedBytes(tree: SnapshotTree, path: string): Promise<void> {
  await copySparse(path, `${path}.linked`);
  tree.lost = true;
}

function overlays(cloud: Cloud, vm: Vm): { readonly tree: SnapshotTree; readonly path: string }[] {
  return disksOf(vm).flatMap((disk) => {
    const tree = snapshotsOf(vm, diskIdOf(disk));
    return tree ? [{ tree, path: cloud.layout.disk(cloud.world, vm, disk) }] : [];
  });
}
