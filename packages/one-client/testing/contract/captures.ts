import { expect, test } from 'vitest';
import type { ImageId, SnapshotId, Vm } from '../../src/index.ts';
import { type ImageDisk, imageDisks, type Lab, refused, snapshotsOf } from '../lab.ts';
import { behaviourOf, type StorageBehaviour } from '../storage-behaviour.ts';

interface Subject {
  readonly disk: ImageDisk;
  readonly expected: StorageBehaviour;
}

/** The disks whose driver is known and that a snapshot does not spoil for ever, as they are now. */
function subjectsOf(lab: Lab, vm: Vm): readonly Subject[] {
  return imageDisks(vm).flatMap((disk) => {
    const expected = behaviourOf(lab.version, vm, disk);
    return expected === undefined || (expected.deleteOnly === 'refused' && !lab.cloud.maySpoilVm) ? [] : [{ disk, expected }];
  });
}

const titleOf = ({ disk }: Subject): string => `disk ${disk.diskId} (${disk.tmMad} ${disk.format}${disk.persistent ? ', persistent' : ''})`;

/** Snapshots and copies of the running VM's disks, each driver as it is known to behave. Effects are looked at, never the answer alone. */
export function captureCases(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a snapshot of the running VM is taken, saved and deleted as its storage allows', slow, async (context) => {
    const vm = await lab().settle(lab().cloud.vm, 'the VM to be idle');
    const subjects = subjectsOf(lab(), vm);
    if (subjects.length === 0) return lab().lacks(context, 'disk of a known storage driver');
    for (const [at, subject] of subjects.entries()) {
      if (subject.expected.liveSnapshot === 'taken') await takenAndSaved(lab(), subject, `snapshot-${at}`);
      else await failsLater(lab(), subject, `snapshot-${at}`);
    }
  });

  test('a running disk is saved as it is', slow, async (context) => {
    const vm = await lab().settle(lab().cloud.vm, 'the VM to be idle');
    const subjects = subjectsOf(lab(), vm).filter(({ expected }) => expected.saves);
    if (subjects.length === 0) return lab().lacks(context, 'disk that can be saved');
    for (const { disk } of subjects) {
      const saved = await lab().api.saveDiskAs(vm.id, disk.diskId, lab().name(`live-${disk.diskId}`), undefined);
      const after = await lab().settle(vm.id, 'the disk to be saved');
      expect(snapshotsOf(after, disk)).toEqual(snapshotsOf(vm, disk));
      await expectSaved(lab(), disk, saved, `live-${disk.diskId}`);
    }
  });

  test('while an operation runs every other one is refused', slow, async (context) => {
    const { api, cloud } = lab();
    const vm = await lab().settle(cloud.vm, 'the VM to be idle');
    const subject = subjectsOf(lab(), vm).find(({ expected }) => expected.liveSnapshot === 'taken');
    if (!subject) return lab().lacks(context, 'disk of which a snapshot is taken while it runs');
    const snapshot = await api.createDiskSnapshot(vm.id, subject.disk.diskId, lab().name('busy'));
    const seconds = [
      await refusal(api.createDiskSnapshot(vm.id, subject.disk.diskId, lab().name('busy-2'))),
      await refusal(api.saveDiskAs(vm.id, subject.disk.diskId, lab().name('busy-2'), undefined)),
      await refusal(api.vmAction(vm.id, 'suspend')),
    ];
    const after = await lab().settle(vm.id, 'the snapshot to be taken');
    expect(seconds).toEqual(['ONE_ACTION', 'ONE_INTERNAL', 'ONE_ACTION']);
    expect(snapshotsOf(after, subject.disk).map((one) => one.id)).toContain(snapshot);
    expect(snapshotsOf(after, subject.disk).map((one) => one.name)).not.toContain(lab().name('busy-2'));
  });
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => 'accepted',
    (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error ? error.code : error),
  );
}

async function takenAndSaved(lab: Lab, subject: Subject, name: string): Promise<void> {
  const { disk, expected } = subject;
  const { api, cloud } = lab;
  const before = await lab.settle(cloud.vm, 'the VM to be idle');
  const next = before.snapshots.find((one) => one.diskId === disk.diskId)?.nextSnapshot ?? 0;
  const snapshot = await api.createDiskSnapshot(cloud.vm, disk.diskId, lab.name(name));
  const taken = await lab.settle(cloud.vm, 'the snapshot to be taken');
  expect(snapshot, titleOf(subject)).toBe(next);
  expect(
    snapshotsOf(taken, disk).find((one) => one.id === snapshot),
    titleOf(subject),
  ).toMatchObject({ name: lab.name(name), sizeMiB: disk.sizeMiB });
  expect(taken.error).toBe(before.error);

  if (expected.saves) {
    const saved = await api.saveDiskAs(cloud.vm, disk.diskId, lab.name(`${name}-saved`), snapshot);
    await lab.settle(cloud.vm, 'the disk to be saved');
    await expectSaved(lab, disk, saved, `${name}-saved`);
    await refused(api.saveDiskAs(cloud.vm, disk.diskId, lab.name(`${name}-saved`), snapshot), 'ONE_ALLOCATE');
    await lab.settle(cloud.vm, 'the refused call to be over');
  }
  await deletedAsExpected(lab, subject, snapshot, taken);
}

/** The image has what the next steps rely on: the disk's size and datastore, not persistent, used by nobody. */
async function expectSaved(lab: Lab, disk: ImageDisk, id: ImageId, name: string): Promise<void> {
  expect(await lab.untilReady(id)).toMatchObject({
    name: lab.name(name),
    sizeMiB: disk.sizeMiB,
    datastoreId: disk.datastoreId,
    uid: lab.me.id,
    persistent: false,
    runningVms: 0,
  });
}

async function deletedAsExpected(lab: Lab, subject: Subject, snapshot: SnapshotId, before: Vm): Promise<void> {
  const { disk, expected } = subject;
  const { api, cloud } = lab;
  const isOnly = snapshotsOf(before, disk).length === 1;
  const outcome = isOnly ? expected.deleteOnly : 'goes';
  const call = api.deleteDiskSnapshot(cloud.vm, disk.diskId, snapshot);
  if (outcome === 'refused') await refused(call, 'ONE_ACTION');
  else await call;
  const after = await lab.settle(cloud.vm, 'the snapshot to be deleted');
  const left = snapshotsOf(after, disk).map((one) => one.id);
  if (outcome === 'goes') {
    expect(left, titleOf(subject)).not.toContain(snapshot);
    expect(after.snapshots.find((one) => one.diskId === disk.diskId)?.nextSnapshot, titleOf(subject)).toBe(snapshot + 1);
    return;
  }
  expect(left, titleOf(subject)).toContain(snapshot);
  if (outcome === 'fails-later') await staysInError(lab, subject, snapshot, before, after);
}

/** The failure is in the VM's ERROR, and stays there when what comes next works: a snapshot on top, which does go. */
async function staysInError(lab: Lab, subject: Subject, base: SnapshotId, before: Vm, failed: Vm): Promise<void> {
  const { disk } = subject;
  const { api, cloud } = lab;
  expect(failed.error, titleOf(subject)).toBeDefined();
  expect(failed.error, titleOf(subject)).not.toBe(before.error);
  const child = await api.createDiskSnapshot(cloud.vm, disk.diskId, lab.name(`child-${disk.diskId}`));
  const taken = await lab.settle(cloud.vm, 'the snapshot to be taken');
  expect(snapshotsOf(taken, disk).find((one) => one.id === child)).toMatchObject({ parent: base });
  expect(taken.error).toBe(failed.error);
  await api.deleteDiskSnapshot(cloud.vm, disk.diskId, child);
  const after = await lab.settle(cloud.vm, 'the snapshot to be deleted');
  expect(snapshotsOf(after, disk).map((one) => one.id)).toEqual([base]);
}

/** A success answer, then nothing: neither the snapshot nor its id is there any more. */
async function failsLater(lab: Lab, subject: Subject, name: string): Promise<void> {
  const { disk } = subject;
  const { api, cloud } = lab;
  const before = await lab.settle(cloud.vm, 'the VM to be idle');
  const snapshot = await api.createDiskSnapshot(cloud.vm, disk.diskId, lab.name(name));
  const after = await lab.settle(cloud.vm, 'the snapshot to fail');
  expect(
    snapshotsOf(after, disk).map((one) => one.id),
    titleOf(subject),
  ).not.toContain(snapshot);
  expect(after.error, titleOf(subject)).not.toBe(before.error);
  expect(after.snapshots.find((one) => one.diskId === disk.diskId)?.nextSnapshot, titleOf(subject)).toBe(snapshot + 1);
}
