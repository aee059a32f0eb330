import { describe, expect, it } from 'vitest';
import { bootByTarget } from '../../src/cloud/boot-order.ts';
import type { SwappedDisk } from '../../src/cloud-object.ts';
import { judgeSnapshots, snapshotFates, vmRefusals } from '../../src/in-place/check-vm.ts';
import { keptAttributes, restrictedAttributes } from '../../src/in-place/kept-attributes.ts';
import { parseUndo } from '../../src/in-place/undo-marks.ts';
import { hasOldBytes, whereItStands } from '../../src/in-place/where-it-stands.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';

describe('a disk of an exchange', () => {
  const disk: SwappedDisk = { target: 'vda', diskId: 0, imageId: 5, back: { imageId: 9, attributes: {} }, next: { imageId: 7, attributes: {} } };
  const at = (diskId: number, imageId: number) => buildVm({ disks: [buildDisk({ diskId: diskId as never, imageId: imageId as never, target: 'vda' })] });

  it.each([
    ['old', at(0, 5), true],
    ['back', at(3, 9), true],
    ['next', at(0, 7), false],
    ['foreign', at(3, 5), false],
    ['empty', buildVm({ disks: [] }), false],
  ] as const)('stands %s by its TARGET, whatever its DISK_ID', (standing, vm, old) => {
    expect(whereItStands(vm, disk).standing).toBe(standing);
    expect(hasOldBytes(vm, disk)).toBe(old);
  });

  it('keeps what is the VM’s and leaves what image and datastore give', () => {
    const attributes = { CACHE: 'none', SERIAL: 'auto', CLONE_TARGET: 'SYSTEM', SIZE: '12', CEPH_USER: 'x', TOTAL_IOPS_SEC: '100', MINE: 'too' };
    const kept = keptAttributes(6 as never, buildDisk({ attributes, target: 'vda' }));
    expect(kept).toMatchObject({ CACHE: 'none', SERIAL: '6-0', TOTAL_IOPS_SEC: '100', MINE: 'too', TARGET: 'vda' });
    expect(Object.keys(kept)).not.toEqual(expect.arrayContaining(['SIZE']));
    expect(kept).not.toHaveProperty('CLONE_TARGET');
    expect(kept).not.toHaveProperty('CEPH_USER');
    expect(restrictedAttributes(kept)).toEqual(['TOTAL_IOPS_SEC']);
  });
});

describe('the marks of a way back', () => {
  it('say nothing of what the image is: its owner may have written them', () => {
    const attributes = {
      CACHE: 'none',
      TARGET: 'vda',
      READONLY: 'YES',
      SOURCE: '/etc/shadow',
      TM_MAD: 'forged',
      Clone: 'NO',
      DATASTORE_ID: '1',
      CEPH_USER: 'x',
    };
    const template = {
      ONEVAULT_STATE: 'UNDO',
      ONEVAULT_RUN: '20261128t070000-abcdef',
      ONEVAULT_NAME: 'old',
      ONEVAULT_UNDO_VM: '6',
      ONEVAULT_UNDO_TARGET: 'vda',
      ONEVAULT_UNDO_DISK: JSON.stringify(attributes),
      ONEVAULT_UNDO_SINCE: '2026-11-28T07:00:00Z',
      ONEVAULT_UNDO_UNTIL: '2026-12-05T07:00:00Z',
      ONEVAULT_UNDO_SET_SIZE: '1',
      ONEVAULT_UNDO_REPLACED_BY: '7',
    };
    expect(parseUndo({ name: 'old', template } as never)?.attributes).toEqual({ CACHE: 'none', TARGET: 'vda', READONLY: 'YES' });
  });
});

describe('the boot order', () => {
  it.each([
    ['disk0,nic0', 'vda,nic0'],
    ['nic0', 'nic0'],
    ['disk7', undefined],
    ['', undefined],
  ])('%s is kept by TARGET as %s', (boot, byTarget) => {
    expect(bootByTarget(buildVm({ disks: [buildDisk({ target: 'vda' })], template: { OS: { BOOT: boot } } }))).toBe(byTarget);
  });
});

describe('snapshots of a disk that is exchanged', () => {
  it.each([
    [{ persistent: true }, 'with-undo', 'SNAPSHOTS_PARKED'],
    [{ persistent: false }, 'lost', 'SNAPSHOTS_LOST'],
    [{ persistent: true, attributes: { PERSISTENT_SNAPSHOTS: 'NO' } }, 'lost', 'SNAPSHOTS_LOST'],
  ] as const)('of %o are %s, and refused unless allowed', (facts, fate, note) => {
    const disk = buildDisk(facts);
    const snapshot = { id: 0 as never, name: 'precious', active: true, parent: -1, children: [], date: 0, sizeMiB: 1 };
    const vm = buildVm({ disks: [disk], snapshots: [{ diskId: disk.diskId, allowOrphans: 'NO', nextSnapshot: 1, snapshots: [snapshot] }] });
    const fates = snapshotFates(vm, disk);
    expect(fates).toEqual([{ id: 0, name: 'precious', fate }]);
    expect(judgeSnapshots(disk, fates, false).refusals.map(({ code }) => code)).toEqual(['RESTORE_SNAPSHOTS_LOST']);
    expect(judgeSnapshots(disk, fates, true)).toMatchObject({ refusals: [], notes: [{ code: note }] });
  });
});

it('system snapshots stand in the way', () => {
  const vm = buildVm({ template: { SNAPSHOT: { SNAPSHOT_ID: '0' } } });
  expect(vmRefusals(vm, undefined).map(({ code }) => code)).toContain('RESTORE_SYSTEM_SNAPSHOTS');
});
