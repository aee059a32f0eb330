import { type Image, imageId, parseImage, type Template, templateId, vmId } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { captureName, PRODUCT_MARKS, templateName, unfinishedMarks } from '../src/names.ts';
import { claimImage, claimSnapshots, claimTemplate, claimVm } from '../src/orphans/ownership.ts';
import { buildDisk, buildSnapshots, buildVm } from '../testing/index.ts';

const SELF = 4;
const RUN = '20261122t184334-k3f9ab';
const BEGUN = Date.UTC(2026, 10, 22, 18, 43, 34) / 1000;
const DAY = 86_400;

const image: Image = {
  ...parseImage(
    '<IMAGE><ID>9</ID><NAME>x</NAME><UID>4</UID><GID>0</GID><UNAME>backup</UNAME><GNAME>g</GNAME><TYPE>0</TYPE><STATE>1</STATE><PERSISTENT>0</PERSISTENT><SIZE>1</SIZE><DATASTORE_ID>1</DATASTORE_ID><DATASTORE>default</DATASTORE><RUNNING_VMS>0</RUNNING_VMS><VMS/><REGTIME>0</REGTIME><SNAPSHOTS/><TEMPLATE/></IMAGE>',
  ),
  id: imageId(9),
};
const saved: Image = { ...image, name: captureName(RUN, 6, 2), registeredAt: BEGUN + 60, template: { SAVED_VM_ID: '6', SAVED_DISK_ID: '2' } };
const restoring: Image = { ...image, name: 'web-disk-0', registeredAt: BEGUN + 60, template: unfinishedMarks(RUN, 'web-disk-0') };
const template: Pick<Template, 'id' | 'name' | 'uid' | 'registeredAt' | 'template'> = {
  id: templateId(3),
  name: templateName(RUN),
  uid: SELF,
  registeredAt: BEGUN,
  template: { ONEVAULT_RUN: RUN },
};

describe('an object is ours only when all its signs agree:', () => {
  it('a temporary image', () => expect(claimImage(saved, SELF)).toMatchObject({ runId: RUN, id: 9, object: { kind: 'image', name: saved.name } }));
  it.each<[string, Partial<Image>]>([
    ['its name says more', { name: `${saved.name}0x` }],
    ['its name is of another disk than the one it was saved from', { name: captureName(RUN, 6, 1) }],
    ['its name is of another VM', { name: captureName(RUN, 7, 2) }],
    ['nobody saved it from a disk', { template: {} }],
    ['somebody typed only half of the signs', { template: { SAVED_VM_ID: '6' } }],
    ['it belongs to somebody else', { uid: 0 }],
    ['it was registered long before the run', { registeredAt: BEGUN - 2 * DAY }],
    ['it was registered long after the run', { registeredAt: BEGUN + 30 * DAY }],
  ])('not a temporary image when %s', (_, change) => expect(claimImage({ ...saved, ...change }, SELF)).toBeUndefined());

  it('an image that a restore has begun', () => expect(claimImage(restoring, SELF)).toMatchObject({ runId: RUN, object: { name: 'web-disk-0' } }));
  it.each<[string, Partial<Image>]>([
    ['it was renamed, or is a copy', { name: 'web-disk-0-copy' }],
    ['the restore has kept it', { template: { ...restoring.template, ...PRODUCT_MARKS } }],
    ['it says no run', { template: { ...restoring.template, ONEVAULT_RUN: 'yesterday' } }],
    ['it has the mark of the run alone', { template: { ONEVAULT_RUN: RUN } }],
    ['it belongs to somebody else', { uid: 0 }],
    ['it does not fit the time of the run', { registeredAt: BEGUN + 30 * DAY }],
  ])('not an image that a restore has begun when %s', (_, change) => expect(claimImage({ ...restoring, ...change }, SELF)).toBeUndefined());

  it('a template', () => expect(claimTemplate(template, SELF)).toMatchObject({ runId: RUN, object: { kind: 'template' } }));
  it.each<[string, Partial<Template>]>([
    ['it lacks the mark', { template: {} }],
    ['its mark is of another run', { template: { ONEVAULT_RUN: '20261122t184334-aaaaaa' } }],
    ['it was renamed', { name: 'web' }],
    ['it belongs to somebody else', { uid: 0 }],
  ])('not a template when %s', (_, change) => expect(claimTemplate({ ...template, ...change }, SELF)).toBeUndefined());

  it('a VM that a restore has begun, until it is kept or gone', () => {
    const vm = buildVm({ name: 'new', uid: SELF, startTime: BEGUN, userTemplate: unfinishedMarks(RUN, 'new') });
    expect(claimVm(vm, SELF)).toMatchObject({ runId: RUN, object: { kind: 'vm', name: 'new' } });
    expect(claimVm({ ...vm, userTemplate: { ...vm.userTemplate, ...PRODUCT_MARKS } }, SELF)).toBeUndefined();
    expect(claimVm({ ...vm, name: 'mine' }, SELF)).toBeUndefined();
    expect(claimVm({ ...vm, state: 6 }, SELF)).toBeUndefined();
    expect(claimVm(vm, 0)).toBeUndefined();
  });

  it('a snapshot of the VM and disk that its name says, in the time of the run', () => {
    const disk = buildDisk();
    const named = (name: string, date = BEGUN + 5) => {
      const tree = buildSnapshots(disk, [0]);
      return buildVm({ id: vmId(6), disks: [disk], snapshots: [{ ...tree, snapshots: tree.snapshots.map((one) => ({ ...one, name, date })) }] });
    };
    expect(claimSnapshots(named(captureName(RUN, 6, 0)))).toMatchObject([{ runId: RUN, object: { kind: 'snapshot', vmId: 6, diskId: 0 } }]);
    for (const vm of [named(captureName(RUN, 7, 0)), named(captureName(RUN, 6, 1)), named('before-upgrade'), named(captureName(RUN, 6, 0), BEGUN - 30 * DAY)])
      expect(claimSnapshots(vm)).toEqual([]);
  });
});
