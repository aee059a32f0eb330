import { isRunning, type Vm } from '@onevault/one-client';
import type { SnapshotRefusal } from './refusal.ts';
import { isQcow2Chain } from './snapshot-driver.ts';
import type { DiskSnapshot, SnapshotSet } from './snapshot-set.ts';
import { depth, type SnapshotTree, treeOf, whyNotDeletable, withoutSnapshot } from './tree.ts';

export interface DeletePlan {
  /** In the order in which they can go. */
  readonly steps: readonly DiskSnapshot[];
  /** What cannot go, also not after the steps. */
  readonly refusals: readonly SnapshotRefusal[];
}

type Trees = ReadonlyMap<number, SnapshotTree>;

/** The order in which snapshots can be deleted, and those that cannot. Pure: each deletion is played on the trees before the next is judged. */
export function planDelete(vm: Vm, wanted: readonly DiskSnapshot[]): DeletePlan {
  return play(vm, wanted, startTrees(vm)).plan;
}

export interface SetDeletion {
  /** Whole sets, in the order in which they can go. */
  readonly order: readonly { readonly set: SnapshotSet; readonly steps: readonly DiskSnapshot[] }[];
  readonly refused: readonly { readonly set: SnapshotSet; readonly refusals: readonly SnapshotRefusal[] }[];
}

/** The same for sets, each whole or not at all; one that must wait for another comes after it. */
export function planSetDeletion(vm: Vm, sets: readonly SnapshotSet[]): SetDeletion {
  let trees = startTrees(vm);
  const order: { set: SnapshotSet; steps: readonly DiskSnapshot[] }[] = [];
  let open = [...sets];
  for (let progress = true; progress; ) {
    progress = false;
    for (const set of open) {
      const { plan, trees: after } = play(vm, set.members, trees);
      if (plan.refusals.length > 0) continue;
      order.push({ set, steps: plan.steps });
      trees = after;
      progress = true;
    }
    open = open.filter((set) => !order.some((done) => done.set === set));
  }
  return { order, refused: open.map((set) => ({ set, refusals: play(vm, set.members, trees).plan.refusals })) };
}

function startTrees(vm: Vm): Trees {
  return new Map(vm.disks.map((disk) => [Number(disk.diskId), treeOf(vm, disk)]));
}

function play(vm: Vm, wanted: readonly DiskSnapshot[], start: Trees): { readonly plan: DeletePlan; readonly trees: Trees } {
  let trees = start;
  const steps: DiskSnapshot[] = [];
  let open = [...wanted];
  for (;;) {
    const next = childFirst(open, trees).find((one) => whyNot(vm, one, trees) === undefined);
    if (next === undefined) break;
    steps.push(next);
    open = open.filter((one) => one !== next);
    trees = new Map(trees).set(next.disk.diskId, withoutSnapshot(treeFor(trees, next), next.snapshot.id));
  }
  const refusals = open.map((one) => ({ ...(whyNot(vm, one, trees) ?? UNSEEN), diskId: one.disk.diskId, snapshotId: one.snapshot.id }));
  return { plan: { steps, refusals }, trees };
}

const UNSEEN: SnapshotRefusal = { code: 'SNAPSHOT_MISSING', text: 'it cannot be seen', remedy: 'look again' };

function childFirst(open: readonly DiskSnapshot[], trees: Trees): DiskSnapshot[] {
  const rank = (one: DiskSnapshot): number => depth(treeFor(trees, one), one.snapshot.id);
  return [...open].sort((a, b) => a.disk.diskId - b.disk.diskId || rank(b) - rank(a) || b.snapshot.id - a.snapshot.id);
}

function treeFor(trees: Trees, { disk }: OneSnapshot): SnapshotTree {
  const tree = trees.get(disk.diskId);
  if (tree === undefined) throw new TypeError(`disk ${disk.diskId} is not a disk of this VM`);
  return tree;
}

/** What stands in the way of deleting one snapshot now; undefined when nothing does. */
export function whyNotDeletedNow(vm: Vm, one: OneSnapshot): SnapshotRefusal | undefined {
  return whyNot(vm, one, startTrees(vm));
}

type OneSnapshot = Pick<DiskSnapshot, 'disk' | 'snapshot'>;

function whyNot(vm: Vm, one: OneSnapshot, trees: Trees): SnapshotRefusal | undefined {
  const tree = treeFor(trees, one);
  return whyNotDeletable(tree, one.snapshot.id) ?? whyMistaken(vm, one, trees) ?? whyLocalBase(vm, one, tree);
}

/**
 * snap_delete asks for /VM/SNAPSHOTS/SNAPSHOT[ID=n]/ACTIVE without saying of which disk (TM/qcow2/snap_delete, TM/lib/tm_action.rb, up to 7.4): with a
 * snapshot of that number active on another disk it takes this one for active, and breaks the snapshots that stand on it.
 */
function whyMistaken(vm: Vm, { disk, snapshot }: OneSnapshot, trees: Trees): SnapshotRefusal | undefined {
  if (!isQcow2Chain(disk) || trees.get(disk.diskId)?.nodes.get(snapshot.id)?.active === true) return undefined;
  const other = vm.disks.find((entry) => entry.diskId !== disk.diskId && trees.get(entry.diskId)?.nodes.get(snapshot.id)?.active === true);
  if (other === undefined) return undefined;
  return {
    code: 'SNAPSHOT_SAME_ID_ACTIVE',
    text: `snapshot ${snapshot.id} is the active one of disk ${other.diskId}, for which the storage driver would take this one and break what stands on it`,
    remedy: `delete snapshot ${snapshot.id} of disk ${other.diskId} first, or take a new set, which makes others the active ones`,
  };
}

/** Measured on 7.0.2 and 7.4.0 (M.1): `virsh blockpull --keep-relative` wants a base, and the lowest snapshot has none; accepted, then it fails. */
function whyLocalBase(vm: Vm, { disk, snapshot }: OneSnapshot, tree: SnapshotTree): SnapshotRefusal | undefined {
  const node = tree.nodes.get(snapshot.id);
  const isBase = node?.active === true && !tree.nodes.has(node.parent);
  if (disk.tmMad !== 'local' || !isQcow2Chain(disk) || !isRunning(vm) || !isBase) return undefined;
  return {
    code: 'SNAPSHOT_LOCAL_BASE',
    text: 'on local the lowest snapshot, which the running guest writes on top of, is not deleted though OpenNebula says yes',
    remedy: `power VM ${vm.id} off first, or keep it until a younger one is taken`,
  };
}
