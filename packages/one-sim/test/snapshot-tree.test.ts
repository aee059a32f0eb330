import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { activateSnapshot, createSnapshot, emptySnapshotTree, removeSnapshot, resolveOrphans, whyNotDeletable } from '../src/model/snapshot-tree.ts';
import type { SnapshotTree } from '../src/model/world-schema.ts';

function take(tree: SnapshotTree): number {
  const { id } = createSnapshot(tree, '', 1, 0);
  activateSnapshot(tree, id, false);
  return id;
}

const shape = (tree: SnapshotTree) => tree.snapshots.map(({ id, parent, children, active }) => [id, parent, children, active]);

describe('DENY', () => {
  test('snapshots form a chain; the active leaf is deleted and its parent becomes ACTIVE', () => {
    const tree = emptySnapshotTree(0, 'NO');
    for (let n = 0; n < 3; n++) take(tree);
    removeSnapshot(tree, 2);
    expect(shape(tree)).toEqual([
      [0, -1, [1], false],
      [1, 0, [], true],
    ]);
    expect(take(tree)).toBe(3);
    expect(shape(tree).at(-1)).toEqual([3, 1, [], true]);
  });

  test('a middle one hands its child to its parent', () => {
    const tree = emptySnapshotTree(0, 'NO');
    for (let n = 0; n < 3; n++) take(tree);
    removeSnapshot(tree, 1);
    expect(shape(tree)).toEqual([
      [0, -1, [2], false],
      [2, 0, [], true],
    ]);
  });

  test('when the last one is gone nothing is active, and the next has no parent', () => {
    const tree = emptySnapshotTree(0, 'NO');
    removeSnapshot(tree, take(tree));
    expect(tree).toMatchObject({ snapshots: [], nextSnapshot: 1 });
    take(tree);
    expect(shape(tree)).toEqual([[1, -1, [], true]]);
  });

  test.each<readonly [string, (tree: SnapshotTree) => void, number, boolean, string | undefined]>([
    ['the active leaf', () => undefined, 2, false, undefined],
    ['number 0 of a persistent disk', () => undefined, 0, true, 'Cannot delete snapshot 0 for persistent disk images'],
    ['one that is not there', () => undefined, 9, false, 'Snapshot does not exist'],
    ['one whose child is active and has none', () => undefined, 1, false, undefined],
    ['the active one with a child', (tree) => activateSnapshot(tree, 1, true), 1, false, 'Cannot delete the active snapshot with children'],
    ['one with two children', (tree) => branch(tree, 1), 1, false, 'Cannot delete snapshot with more than one children'],
    ['one whose child has two', (tree) => branch(tree, 1), 0, false, 'Cannot delete snapshot if child has children'],
    ['one whose child is active and has a child', (tree) => activateSnapshot(tree, 1, true), 0, false, 'Cannot delete snapshot if child has children'],
    ['one whose parent has two children', (tree) => deepBranch(tree), 1, false, 'Cannot delete snapshot if parent has more than one child'],
  ])('%s', (_what, prepare, id, persistent, expected) => {
    const tree = emptySnapshotTree(0, 'NO');
    for (let n = 0; n < 3; n++) take(tree);
    prepare(tree);
    expect(whyNotDeletable(tree, id, persistent)).toBe(expected);
  });

  function branch(tree: SnapshotTree, at: number): void {
    activateSnapshot(tree, at, true);
    take(tree);
  }

  function deepBranch(tree: SnapshotTree): void {
    activateSnapshot(tree, 0, true);
    take(tree);
  }
});

test('MIXED: children of the last reverted one; ACTIVE moves with a revert only', () => {
  const tree = emptySnapshotTree(0, 'MIXED');
  take(tree);
  activateSnapshot(tree, 0, true);
  take(tree);
  expect(shape(tree)).toEqual([
    [0, -1, [1], true],
    [1, 0, [], false],
  ]);
  expect(whyNotDeletable(tree, 0, false)).toBe('Cannot delete the active snapshot');
  expect(whyNotDeletable(tree, 1, false)).toBeUndefined();
});

test('ALLOW: flat, the newest is ACTIVE, anything may go', () => {
  const tree = emptySnapshotTree(0, 'YES');
  take(tree);
  take(tree);
  expect(shape(tree)).toEqual([
    [0, -1, [], false],
    [1, -1, [], true],
  ]);
  expect([whyNotDeletable(tree, 0, true), whyNotDeletable(tree, 1, true)]).toEqual([undefined, undefined]);
});

test.each([
  ['FORMAT', 'raw', 'YES'],
  ['FORMAT', 'qcow2', 'NO'],
  ['mixed', 'raw', 'MIXED'],
  ['YES', 'qcow2', 'YES'],
  [undefined, 'raw', 'NO'],
])('ALLOW_ORPHANS %s of a %s disk is %s', (attribute, format, expected) => {
  expect(resolveOrphans(attribute, format)).toBe(expected);
});

test('whatever is taken, reverted and deleted as allowed, links stay mutual, ids grow and at most one is ACTIVE', () => {
  const action = fc.record({ kind: fc.constantFrom('take' as const, 'revert' as const, 'delete' as const), at: fc.nat(8) });
  fc.assert(
    fc.property(fc.constantFrom('NO' as const, 'YES' as const, 'MIXED' as const), fc.array(action, { maxLength: 30 }), (mode, actions) => {
      const tree = emptySnapshotTree(0, mode);
      for (const { kind, at } of actions) apply(tree, kind, tree.snapshots[at]?.id ?? -1);
      const broken = tree.snapshots.filter(({ id, children }) => children.some((child) => tree.snapshots.find((one) => one.id === child)?.parent !== id));
      expect(broken).toEqual([]);
      expect(tree.snapshots.filter((one) => one.active).length).toBeLessThanOrEqual(1);
    }),
  );
});

function apply(tree: SnapshotTree, kind: 'take' | 'revert' | 'delete', id: number): void {
  if (kind === 'take') expect(take(tree)).toBe(tree.nextSnapshot - 1);
  else if (kind === 'revert') activateSnapshot(tree, id, true);
  else if (whyNotDeletable(tree, id, false) === undefined) removeSnapshot(tree, id);
}
