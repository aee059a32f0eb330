import { describe, expect, it } from 'vitest';
import { captureName } from '../../src/names.ts';
import { selectSnapshots } from '../../src/snapshots/select-snapshots.ts';
import { readSnapshots } from '../../src/snapshots/snapshot-set.ts';
import { chain, setId, setName, snapshot, twoDisks } from './trees.ts';

const both = [0, 1];
const vm = twoDisks(
  chain([0, 1, 2, 3], [setName(1, 0, both, 'monday'), 'by hand', setName(2, 0, both, 'tuesday'), captureName(setId(9), 6, 0)]),
  chain([0, 1, 2], [setName(1, 1, both, 'monday'), setName(2, 1, both, 'tuesday'), 'by hand']),
);
const all = readSnapshots(vm);
const select = (reference: string, facts: { disks?: readonly number[]; foreign?: boolean } = {}) => {
  const { members, missing, set } = selectSnapshots(all, { reference, foreign: false, ...facts });
  return { places: members.map(({ disk, snapshot: found }) => `${disk.diskId}:${found.id}`), missing, setId: set?.setId };
};

describe('snapshots of a VM', () => {
  it('are put together as sets, newest first; the rest is a backup’s or foreign', () => {
    expect(all.sets.map((set) => [set.name, set.members.length, set.missing])).toEqual([
      ['tuesday', 2, []],
      ['monday', 2, []],
    ]);
    expect(all.others.map(({ disk, snapshot: found, origin }) => [disk.diskId, found.id, origin])).toEqual([
      [0, 1, 'foreign'],
      [0, 3, 'backup'],
      [1, 2, 'foreign'],
    ]);
  });

  it('of a set that came with an image from another VM, or to another disk, are foreign', () => {
    const other = twoDisks([snapshot(0, { name: setName(1, 0, both).replace('-vm6-', '-vm7-') })], [snapshot(0, { name: setName(1, 0, both) })]);
    expect(readSnapshots(other).sets).toEqual([]);
    expect(readSnapshots(other).others.map(({ origin }) => origin)).toEqual(['foreign', 'foreign']);
  });

  it('are nobody’s set when two of a disk have the name of one', () => {
    const copied = twoDisks(chain([0, 1], [setName(1, 0, [0]), setName(1, 0, [0])]), []);
    expect(readSnapshots(copied).sets).toEqual([]);
  });

  it('say which disks of the set are missing', () => {
    expect(readSnapshots(twoDisks([], chain([0], [setName(1, 1, both)]))).sets[0]).toMatchObject({ missing: [0], members: [{ disk: { diskId: 1 } }] });
  });
});

describe('a reference', () => {
  it.each([
    ['latest', 2],
    ['tuesday', 2],
    [setId(1), 1],
    [`onevault-${setId(1)}`, 1],
    [setId(1).slice(0, 16), 1],
    [setName(1, 0, both, 'monday'), 1],
  ])('%s means a set', (reference, n) => {
    expect(select(reference)).toMatchObject({ setId: setId(n), missing: [] });
    expect(select(reference).places).toHaveLength(2);
  });

  it('with disks means only these, and names those the set does not have', () => {
    expect(select('monday', { disks: [1, 7] })).toEqual({ places: ['1:0'], missing: [7], setId: setId(1) });
  });

  it('DISK:SNAPSHOT means one snapshot', () => {
    expect(select('0:2')).toEqual({ places: ['0:2'], missing: [], setId: setId(2) });
    expect(() => select('0:7')).toThrow(expect.objectContaining({ code: 'JOB_SNAPSHOT_UNKNOWN' }));
  });

  it('to other people’s snapshots wants their exact name and --foreign', () => {
    expect(select('by hand', { foreign: true })).toEqual({ places: ['0:1', '1:2'], missing: [], setId: undefined });
    expect(select('by hand', { foreign: true, disks: [1] }).places).toEqual(['1:2']);
    for (const reference of ['by hand', '0:1'])
      expect(() => select(reference)).toThrow(
        expect.objectContaining({
          code: 'JOB_SNAPSHOT_REFUSED',
          details: expect.objectContaining({ reasons: [expect.objectContaining({ code: 'SNAPSHOT_FOREIGN' })] }),
        }),
      );
    for (const reference of ['by', 'by hand ', 'BY HAND', 'onevault-'])
      expect(() => select(reference, { foreign: true })).toThrow(expect.objectContaining({ code: 'JOB_SNAPSHOT_UNKNOWN' }));
  });

  it('never means a snapshot of a backup, not even with --foreign', () => {
    for (const reference of ['0:3', captureName(setId(9), 6, 0)])
      expect(() => select(reference, { foreign: true })).toThrow(
        expect.objectContaining({ details: expect.objectContaining({ reasons: [expect.objectContaining({ code: 'SNAPSHOT_OF_BACKUP' })] }) }),
      );
  });

  it('to several sets of one name wants the id', () => {
    const twice = readSnapshots(twoDisks(chain([0, 1], [setName(1, 0, [0], 'x'), setName(2, 0, [0], 'x')]), []));
    const choose = () => selectSnapshots(twice, { reference: 'x', foreign: false });
    expect(choose).toThrow(expect.objectContaining({ code: 'JOB_SNAPSHOT_AMBIGUOUS', details: expect.objectContaining({ sets: [setId(2), setId(1)] }) }));
  });

  it('to two foreign snapshots of one name on one disk wants DISK:SNAPSHOT', () => {
    const twice = readSnapshots(twoDisks(chain([0, 1], ['x', 'x']), []));
    expect(() => selectSnapshots(twice, { reference: 'x', foreign: true })).toThrow(expect.objectContaining({ code: 'JOB_SNAPSHOT_AMBIGUOUS' }));
  });
});
