import type { Disk, Vm } from '@onevault/one-client';
import type { OrphanMode } from '../plan/capture-facts.ts';
import { orphanMode } from './orphan-mode.ts';
import type { SnapshotRefusal } from './refusal.ts';

export interface TreeNode {
  readonly id: number;
  readonly parent: number;
  readonly children: readonly number[];
  readonly active: boolean;
}

/** The snapshots of one disk as OpenNebula keeps them; a value: what a deletion leaves is another one. */
export interface SnapshotTree {
  readonly diskId: number;
  readonly mode: OrphanMode;
  readonly persistent: boolean;
  readonly nodes: ReadonlyMap<number, TreeNode>;
}

export function treeOf(vm: Vm, disk: Disk): SnapshotTree {
  const snapshots = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.snapshots ?? [];
  const nodes = new Map(snapshots.map(({ id, parent, children, active }) => [Number(id), { id, parent, children, active }]));
  return { diskId: disk.diskId, mode: orphanMode(vm, disk), persistent: disk.persistent, nodes };
}

type Why = Pick<SnapshotRefusal, 'code' | 'text' | 'remedy'>;

/** Snapshots::test_delete of src/vm/Snapshots.cc (opennebula.md e.2): why OpenNebula would refuse to delete it now, or undefined. */
export function whyNotDeletable(tree: SnapshotTree, id: number): Why | undefined {
  const node = tree.nodes.get(id);
  if (node === undefined) return { code: 'SNAPSHOT_MISSING', text: 'it does not exist (any more)', remedy: 'onevault snapshot list shows what there is' };
  switch (tree.mode) {
    case 'YES':
      return undefined;
    case 'MIXED':
      return whyNotMixed(node);
    case 'NO':
    case 'LINEAR':
      return tree.persistent && id === 0 ? FIRST_OF_PERSISTENT : whyChainBreaks(tree, node);
  }
}

const FIRST_OF_PERSISTENT: Why = {
  code: 'SNAPSHOT_FIRST_OF_PERSISTENT',
  text: 'the first snapshot of a persistent disk can never be deleted',
  remedy: 'nothing removes it: only a copy of the disk into a new image (onevault backup and restore) is rid of it',
};

function whyNotMixed(node: TreeNode): Why | undefined {
  if (node.active) return { code: 'SNAPSHOT_ACTIVE', text: 'it is the one the disk was last reverted to', remedy: 'revert to another snapshot first' };
  if (node.children.length === 0) return undefined;
  return { code: 'SNAPSHOT_HAS_CHILDREN', text: `${list(node.children)} was taken on top of it`, remedy: `delete ${list(node.children)} first` };
}

function whyChainBreaks({ nodes }: SnapshotTree, node: TreeNode): Why | undefined {
  const { children } = node;
  if (children.length > 1)
    return { code: 'SNAPSHOT_HAS_CHILDREN', text: `the disk branches here, into ${list(children)}`, remedy: 'delete all but one of those branches first' };
  const [only] = children;
  if (only === undefined) return undefined;
  if (node.active) {
    const remedy = `delete ${list(children)} first, or revert to another snapshot`;
    return { code: 'SNAPSHOT_ACTIVE_WITH_CHILDREN', text: `the disk was reverted to it, and ${list(children)} stands on it too`, remedy };
  }
  const child = nodes.get(only);
  if (child !== undefined && (child.children.length > 1 || (child.children.length === 1 && child.active))) {
    const remedy = `delete ${list(child.children)} first`;
    return { code: 'SNAPSHOT_CHILD_HAS_CHILDREN', text: `the disk branches at snapshot ${only}, right after it`, remedy };
  }
  const parent = nodes.get(node.parent);
  if (parent === undefined || parent.children.length < 2) return undefined;
  const others = parent.children.filter((id) => id !== node.id);
  return { code: 'SNAPSHOT_PARENT_HAS_CHILDREN', text: `the disk branches at snapshot ${parent.id}, right before it`, remedy: `delete ${list(others)} first` };
}

function list(ids: readonly number[]): string {
  return `${ids.length === 1 ? 'snapshot' : 'snapshots'} ${ids.join(', ')}`;
}

/** Snapshots::delete_snapshot: an only child moves up to the parent, and so does ACTIVE. A child of the root keeps pointing at what is gone. */
export function withoutSnapshot(tree: SnapshotTree, id: number): SnapshotTree {
  const nodes = new Map(tree.nodes);
  const node = nodes.get(id);
  if (node === undefined) return tree;
  nodes.delete(id);
  const parent = tree.mode === 'NO' || tree.mode === 'MIXED' ? nodes.get(node.parent) : undefined;
  if (parent !== undefined) {
    const moved = node.children.length === 1 ? node.children : [];
    const children = [...new Set([...parent.children.filter((child) => child !== id), ...moved])].sort((a, b) => a - b);
    nodes.set(parent.id, { ...parent, children, active: parent.active || node.active });
    for (const child of moved) {
      const below = nodes.get(child);
      if (below !== undefined) nodes.set(child, { ...below, parent: parent.id });
    }
  }
  return { ...tree, nodes };
}

/** Far from the root first: so is nothing deleted from under another that goes too. */
export function depth({ nodes }: SnapshotTree, id: number): number {
  let steps = 0;
  for (let node = nodes.get(id); node !== undefined && steps <= nodes.size; node = nodes.get(node.parent)) steps++;
  return steps;
}
