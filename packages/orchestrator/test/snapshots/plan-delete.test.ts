import { snapshotId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { planDelete } from '../../src/snapshots/plan-delete.ts';
import { readSnapshots } from '../../src/snapshots/snapshot-set.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';
import { chain, snapshot, treesOf, twoDisks } from './trees.ts';

type Made = ReturnType<typeof twoDisks>;

function planned(vm: Made, places: readonly string[]) {
  const { others } = readSnapshots(vm);
  const { steps, refusals } = planDelete(
    vm,
    others.filter(({ disk, snapshot: one }) => places.includes(`${disk.diskId}:${one.id}`)),
  );
  return { steps: steps.map(({ disk, snapshot: one }) => `${disk.diskId}:${one.id}`), refusals: refusals.map(({ code }) => code) };
}

function tree(snapshots: Parameters<typeof treesOf>[1], mode = 'NO', facts = {}): Made {
  const disk = buildDisk(facts);
  return buildVm({ disks: [disk], snapshots: [treesOf(disk, snapshots, { allowOrphans: mode })] });
}

/** 0 - 1 - 2, and 3 beside 2 on 1. */
const forked = [
  snapshot(0, { children: [snapshotId(1)] }),
  snapshot(1, { parent: 0, children: [snapshotId(2), snapshotId(3)] }),
  snapshot(2, { parent: 1, children: [snapshotId(4)] }),
  snapshot(3, { parent: 1 }),
  snapshot(4, { parent: 2, active: true }),
];

describe('deleting', () => {
  it('goes from the top of a chain down', () => {
    expect(planned(twoDisks(chain([0, 1, 2]), []), ['0:0', '0:1', '0:2'])).toEqual({ steps: ['0:2', '0:1', '0:0'], refusals: [] });
  });

  it.each<[string, string[], string[]]>([
    ['right before a fork', ['0:0'], ['SNAPSHOT_CHILD_HAS_CHILDREN']],
    ['a fork', ['0:1'], ['SNAPSHOT_HAS_CHILDREN']],
    ['right after a fork', ['0:2'], ['SNAPSHOT_PARENT_HAS_CHILDREN']],
  ])('%s is refused', (_, places, refusals) => {
    expect(planned(tree(forked), places)).toEqual({ steps: [], refusals });
  });

  it('the end of a branch first makes the rest possible', () => {
    expect(planned(tree(forked), ['0:0', '0:1', '0:3'])).toEqual({ steps: ['0:3', '0:1', '0:0'], refusals: [] });
  });

  it('the active end of a branch moves ACTIVE to the fork, which then stays', () => {
    const active = forked.map((one) => ({ ...one, active: one.id === 3 }));
    expect(planned(tree(active), ['0:1', '0:3'])).toEqual({ steps: ['0:3'], refusals: ['SNAPSHOT_ACTIVE_WITH_CHILDREN'] });
  });

  it('the snapshot that was reverted to and that others stand on is refused', () => {
    const reverted = [snapshot(0, { active: true, children: [snapshotId(1)] }), snapshot(1, { parent: 0 })];
    expect(planned(tree(reverted), ['0:0'])).toEqual({ steps: [], refusals: ['SNAPSHOT_ACTIVE_WITH_CHILDREN'] });
    expect(planned(tree(reverted), ['0:0', '0:1'])).toEqual({ steps: ['0:1', '0:0'], refusals: [] });
  });

  it('the first one of a persistent disk is refused for ever', () => {
    expect(planned(tree(chain([0]), 'NO', { persistent: true }), ['0:0']).refusals).toEqual(['SNAPSHOT_FIRST_OF_PERSISTENT']);
    expect(planned(tree(chain([1]), 'NO', { persistent: true }), ['0:1']).refusals).toEqual([]);
    expect(planned(tree(chain([0]), 'YES', { persistent: true, tmMad: 'ssh' }), ['0:0']).refusals).toEqual([]);
  });

  it('on Ceph neither what was reverted to nor what others stand on goes', () => {
    const ceph = { tmMad: 'ceph', format: 'raw' };
    const reverted = [
      snapshot(0, { active: true, children: [snapshotId(1)] }),
      snapshot(1, { parent: 0, children: [snapshotId(2)] }),
      snapshot(2, { parent: 1 }),
    ];
    expect(planned(tree(reverted, 'MIXED', ceph), ['0:0']).refusals).toEqual(['SNAPSHOT_ACTIVE']);
    expect(planned(tree(reverted, 'MIXED', ceph), ['0:1']).refusals).toEqual(['SNAPSHOT_HAS_CHILDREN']);
    expect(planned(tree(reverted, 'MIXED', ceph), ['0:1', '0:2'])).toEqual({ steps: ['0:2', '0:1'], refusals: [] });
  });

  it('a snapshot whose number is the active one of another disk is refused: the driver would take it for active', () => {
    const vm = twoDisks(chain([0, 1]), chain([0]));
    expect(planned(vm, ['0:0']).refusals).toEqual(['SNAPSHOT_SAME_ID_ACTIVE']);
    expect(planned(vm, ['0:0', '1:0'])).toEqual({ steps: ['1:0', '0:0'], refusals: [] });
    expect(planned(twoDisks(chain([0, 1]), chain([0]), { tmMad: 'ssh' }), ['0:0']).refusals).toEqual([]);
    expect(planned(twoDisks(chain([0, 1]), chain([0, 1])), ['0:0', '1:0'])).toEqual({ steps: ['0:0', '1:0'], refusals: [] });
  });

  it('on local the lowest one under a running guest is refused; it goes when the VM is down, and from under another', () => {
    const local = tree(chain([0]), 'NO', { tmMad: 'local' });
    expect(planned(local, ['0:0']).refusals).toEqual(['SNAPSHOT_LOCAL_BASE']);
    expect(planned({ ...local, state: 8, lcmState: 0 }, ['0:0']).refusals).toEqual([]);
    expect(planned(tree(chain([0, 1]), 'NO', { tmMad: 'local' }), ['0:0']).refusals).toEqual([]);
    expect(planned(tree(chain([0, 1]), 'NO', { tmMad: 'local' }), ['0:0', '0:1'])).toEqual({ steps: ['0:1'], refusals: ['SNAPSHOT_LOCAL_BASE'] });
  });

  it('on local the lowest one is known by what it stands on, not by its being alone: its parent may be gone', () => {
    const orphaned = [snapshot(1, { parent: 0, active: true })];
    expect(planned(tree(orphaned, 'NO', { tmMad: 'local' }), ['0:1']).refusals).toEqual(['SNAPSHOT_LOCAL_BASE']);
  });
});
