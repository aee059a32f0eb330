import { type DiskSnapshots, type SnapshotId, snapshotId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { whyNotDeletable } from '../src/cloud/why-not-removable.ts';
import { compareStates } from '../src/guest-state.ts';
import { buildDisk, buildSnapshots, buildVm } from '../testing/index.ts';

describe('the state of a guest, before and after', () => {
  const running = buildVm();
  const poweroff = buildVm({ state: 8, lcmState: 0 });
  const suspended = buildVm({ state: 5, lcmState: 0 });

  it('is nothing to speak of when it is the same, or the VM is gone', () => {
    expect(compareStates(running, running)).toBeUndefined();
    expect(compareStates(poweroff, poweroff)).toBeUndefined();
    expect(compareStates(running, buildVm({ state: 6 }))).toBeUndefined();
  });

  it.each([
    ['RUNNING', running, 'SUSPENDED', suspended, 'onevm resume 6'],
    ['RUNNING', running, 'POWEROFF', poweroff, 'onevm resume 6'],
    ['POWEROFF', poweroff, 'RUNNING', running, 'onevm poweroff 6'],
    ['SUSPENDED', suspended, 'POWEROFF', poweroff, 'onevm resume 6, then onevm suspend 6'],
  ])('from %s (%#) to %s names the way back', (_was, before, _is, now, remedy) => {
    const verdict = compareStates(before, now);
    expect(verdict?.code).toBe('GUEST_STATE_CHANGED');
    expect(verdict?.message.endsWith(`: ${remedy}`)).toBe(true);
  });

  it('that does not come to rest is another warning, with what OpenNebula says of it', () => {
    const verdict = compareStates(running, buildVm({ lcmState: 57, error: 'Sun Nov 22: freeze failed' }));
    expect(verdict).toMatchObject({ code: 'GUEST_STATE_STUCK', message: expect.stringContaining('freeze failed') });
  });
});

describe('whether OpenNebula would delete a snapshot', () => {
  const disk = buildDisk();
  const chain = buildSnapshots(disk, [1, 2, 3]);
  const linked = {
    ...chain,
    snapshots: chain.snapshots.map((one, at) => ({
      ...one,
      children: chain.snapshots[at + 1] === undefined ? [] : [chain.snapshots[at + 1]?.id as SnapshotId],
    })),
  };
  const why = (id: number, tree: DiskSnapshots = linked, facts = disk): string | undefined => {
    const snapshot = tree.snapshots.find((one) => one.id === id);
    return snapshot && whyNotDeletable(tree, snapshot, facts);
  };

  it('follows its own rules (Snapshots.cc, test_delete)', () => {
    expect(why(3)).toBeUndefined(); // the newest, also when it is active
    expect(why(2)).toBeUndefined(); // one child, which has none
    expect(why(1)).toBeUndefined(); // its child has one child, which is not active itself but 3 is: 2 is not active
    const activeMiddle = { ...linked, snapshots: linked.snapshots.map((one) => ({ ...one, active: one.id === 2 })) };
    expect(why(2, activeMiddle)).toBeDefined();
    expect(why(1, activeMiddle)).toBeDefined();
    const branched = { ...linked, snapshots: linked.snapshots.map((one) => (one.id === 1 ? { ...one, children: [snapshotId(2), snapshotId(3)] } : one)) };
    expect(why(1, branched)).toBeDefined();
    expect(why(0, buildSnapshots(disk, [0]), { ...disk, persistent: true })).toBeDefined();
    expect(why(0, buildSnapshots(disk, [0]))).toBeUndefined();
    expect(why(3, { ...linked, allowOrphans: 'MIXED' })).toBeDefined(); // active after a revert
    expect(why(1, { ...linked, allowOrphans: 'MIXED' })).toBeDefined(); // has children
    expect(why(1, { ...linked, allowOrphans: 'YES' })).toBeUndefined();
  });
});
