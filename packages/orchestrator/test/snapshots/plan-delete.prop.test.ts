import { diskId, imageId, snapshotId, type Vm } from '@onevault/one-client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planDelete, planSetDeletion } from '../../src/snapshots/plan-delete.ts';
import { readSnapshots } from '../../src/snapshots/snapshot-set.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';
import { type Mode, type RefTree, refAccepts, refCreate, refDelete, refRevert, refTree } from './reference-tree.ts';
import { setName } from './trees.ts';

type Op = { readonly kind: 'create' | 'set' | 'revert' | 'delete'; readonly disk: number; readonly pick: number };

const op: fc.Arbitrary<Op> = fc.record({ kind: fc.constantFrom('create', 'set', 'revert', 'delete'), disk: fc.nat(1), pick: fc.nat(20) });
const DRIVERS: readonly { readonly tmMad: string; readonly format: string; readonly mode: Mode }[] = [
  { tmMad: 'qcow2', format: 'qcow2', mode: 'NO' },
  { tmMad: 'local', format: 'qcow2', mode: 'NO' },
  { tmMad: 'ssh', format: 'qcow2', mode: 'YES' },
  { tmMad: 'ceph', format: 'raw', mode: 'MIXED' },
  { tmMad: 'netapp', format: 'raw', mode: 'LINEAR' },
];
const cloud = fc.record({
  driver: fc.constantFrom(...DRIVERS),
  persistent: fc.boolean(),
  running: fc.boolean(),
  ops: fc.array(op, { maxLength: 24 }),
  wanted: fc.array(fc.nat(20), { maxLength: 8 }),
});

/** Two disks with whatever a history of snapshots, sets, reverts and deletions leaves. */
function grow(ops: readonly Op[], mode: Mode, persistent: boolean): RefTree[] {
  const trees = [refTree(mode, persistent), refTree(mode, persistent)];
  for (const [at, { kind, disk, pick }] of ops.entries()) {
    if (kind === 'set') for (const [each, tree] of trees.entries()) refCreate(tree, setName(at, each, [0, 1]));
    else changeOne(trees[disk] as RefTree, kind, pick);
  }
  return trees;
}

function changeOne(tree: RefTree, kind: Exclude<Op['kind'], 'set'>, pick: number): void {
  const id = tree.all[pick % Math.max(1, tree.all.length)]?.id;
  if (kind === 'create') refCreate(tree, `foreign-${pick}`);
  if (id === undefined) return;
  if (kind === 'revert') refRevert(tree, id);
  if (kind === 'delete' && refAccepts(tree, id)) refDelete(tree, id);
}

function vmOf(trees: readonly RefTree[], driver: (typeof DRIVERS)[number], persistent: boolean, running: boolean): Vm {
  const { tmMad, format, mode } = driver;
  const disks = trees.map((_, at) => buildDisk({ diskId: diskId(at), imageId: imageId(10 + at), tmMad, format, persistent }));
  const snapshots = trees.map((tree, at) => ({
    diskId: diskId(at),
    allowOrphans: mode,
    nextSnapshot: tree.next,
    snapshots: tree.all.map(({ id, name, parent, active }) => ({
      id: snapshotId(id),
      name,
      parent,
      active,
      // OpenNebula keeps children only where there is a chain.
      children: tree.all.filter((one) => one.parent === id).map((one) => snapshotId(one.id)),
      date: 1_790_000_000,
      sizeMiB: 64,
    })),
  }));
  return buildVm({ disks, snapshots, ...(running ? {} : { state: 8, lcmState: 0 }) });
}

/** What goes wrong although OpenNebula says yes (M.1, e.4). */
function breaks(trees: readonly RefTree[], disk: number, id: number, { tmMad }: { tmMad: string }, running: boolean): boolean {
  const tree = trees[disk];
  const one = tree?.all.find((entry) => entry.id === id);
  if (tree === undefined || one === undefined || (tmMad !== 'qcow2' && tmMad !== 'local')) return false;
  const mistaken = !one.active && trees.some((other, at) => at !== disk && other.all.some((entry) => entry.id === id && entry.active));
  const base = tmMad === 'local' && running && one.active && !tree.all.some((entry) => entry.id === one.parent);
  return mistaken || base;
}

describe('a plan to delete', () => {
  it('has every step accepted by OpenNebula and harmless, deletes nothing else, and refuses only what cannot go', () => {
    fc.assert(
      fc.property(cloud, ({ driver, persistent, running, ops, wanted }) => {
        const trees = grow(ops, driver.mode, persistent);
        const vm = vmOf(trees, driver, persistent, running);
        const { sets, others } = readSnapshots(vm);
        const all = [...sets.flatMap(({ members }) => members), ...others];
        const chosen = [...new Set(wanted.flatMap((n) => all[n % Math.max(1, all.length)] ?? []))];
        const { steps, refusals } = planDelete(vm, chosen);
        for (const { disk, snapshot } of steps) {
          const tree = trees[disk.diskId] as RefTree;
          expect(refAccepts(tree, snapshot.id), `deletion of ${disk.diskId}:${snapshot.id}`).toBe(true);
          expect(breaks(trees, disk.diskId, snapshot.id, driver, running)).toBe(false);
          refDelete(tree, snapshot.id);
        }
        for (const { diskId: disk = -1, snapshotId: id = -1 } of refusals)
          expect(!refAccepts(trees[disk] as RefTree, id) || breaks(trees, disk, id, driver, running), `refusal of ${disk}:${id}`).toBe(true);
        expect(
          new Set([...steps.map(({ disk, snapshot }) => `${disk.diskId}:${snapshot.id}`), ...refusals.map((one) => `${one.diskId}:${one.snapshotId}`)]),
        ).toEqual(new Set(chosen.map(({ disk, snapshot }) => `${disk.diskId}:${snapshot.id}`)));
      }),
    );
  });

  it('of sets takes each whole, in an order that works, and touches no snapshot outside them', () => {
    fc.assert(
      fc.property(cloud, ({ driver, persistent, running, ops, wanted }) => {
        const trees = grow(ops, driver.mode, persistent);
        const vm = vmOf(trees, driver, persistent, running);
        const { sets } = readSnapshots(vm);
        const chosen = [...new Set(wanted.flatMap((n) => sets[n % Math.max(1, sets.length)] ?? []))];
        const foreign = trees.map((tree) => tree.all.filter(({ name }) => name.startsWith('foreign')).map(({ id }) => id));
        const { order, refused } = planSetDeletion(vm, chosen);
        for (const { set, steps } of order) {
          expect(steps).toHaveLength(set.members.length);
          for (const { disk, snapshot } of steps) {
            const tree = trees[disk.diskId] as RefTree;
            expect(refAccepts(tree, snapshot.id) && !breaks(trees, disk.diskId, snapshot.id, driver, running)).toBe(true);
            refDelete(tree, snapshot.id);
          }
        }
        expect(trees.map((tree) => tree.all.filter(({ name }) => name.startsWith('foreign')).map(({ id }) => id))).toEqual(foreign);
        expect([...order, ...refused].map(({ set }) => set.setId).sort()).toEqual(chosen.map(({ setId }) => setId).sort());
        for (const { refusals } of refused) expect(refusals.length).toBeGreaterThan(0);
      }),
    );
  });
});
