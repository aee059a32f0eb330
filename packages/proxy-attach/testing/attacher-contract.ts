import assert from 'node:assert/strict';
import { errorCode } from '@onevault/base';
import type { AttachedDisk, AttachRequest, DiskAttacher, IdentifiedBy, SysfsDisk } from '../src/index.ts';

/** A DiskAttacher with the proxy VM behind it, as the contract needs to see it. */
export interface AttacherSubject {
  readonly attacher: DiskAttacher;
  readonly newSerial: () => string;
  /** A READY image that nobody uses. */
  newImage(sizeMiB: number): Promise<{ readonly imageId: number; readonly sizeBytes: number }>;
  /** The serials in the proxy's VM body. */
  listedSerials(): Promise<readonly string[]>;
  /** The guest's disks. */
  devices(): Promise<readonly SysfsDisk[]>;
  /** How this attacher tells a device from others. */
  readonly identifiedBy: IdentifiedBy;
}

export interface AttacherContractCase {
  readonly title: string;
  run(subject: AttacherSubject): Promise<void>;
}

/**
 * What every DiskAttacher with a proxy VM behind it must do, whether the proxy is in memory, simulated or real. Independent of any test runner:
 * `for (const { title, run } of attacherContract) it(title, async () => run(await newSubject()))`.
 */
export const attacherContract: readonly AttacherContractCase[] = [
  {
    title: 'attaches read-only: the device has the exact size and refuses writes, and the result says how it was identified',
    async run(subject) {
      const { request, disk } = await attachOne(subject, { readOnly: true });
      const device = await deviceOf(subject, disk);
      assert.equal(device?.sizeBytes, request.sizeBytes);
      assert.equal(device?.readOnly, true);
      if (subject.identifiedBy.startsWith('serial')) assert.equal(device?.serial, request.serial);
      const { name, serial, scsi, sequence, devicePath } = device;
      const { diskId, target } = disk;
      const { imageId, sizeBytes } = request;
      const identity = { identifiedBy: subject.identifiedBy, device: { name, serial, scsi, sequence } };
      assert.deepEqual(disk, { diskId, imageId, serial: request.serial, target, devicePath, sizeBytes, readOnly: true, ...identity });
      await subject.attacher.detach(request);
    },
  },
  {
    title: 'attaches for writing: the device accepts writes',
    async run(subject) {
      const { request, disk } = await attachOne(subject, { readOnly: false });
      assert.equal((await deviceOf(subject, disk))?.readOnly, false);
      await subject.attacher.detach(request);
    },
  },
  {
    title: 'detaches: gone from the VM body and from the guest',
    async run(subject) {
      const { request, disk } = await attachOne(subject);
      await subject.attacher.detach(request);
      await assertGone(subject, request, disk);
    },
  },
  {
    title: 'confirms a device that is what it was, and no longer when it is gone',
    async run(subject) {
      const { request, disk } = await attachOne(subject);
      await subject.attacher.confirm(disk);
      await assertRejects(subject.attacher.confirm({ ...disk, readOnly: !disk.readOnly }), 'ATTACH_DEVICE_CHANGED');
      await subject.attacher.detach(request);
      await assertRejects(subject.attacher.confirm(disk), 'ATTACH_DEVICE_CHANGED');
    },
  },
  {
    title: 'detaching what is not there, or no longer there, succeeds',
    async run(subject) {
      const { request } = await attachOne(subject);
      await subject.attacher.detach(request);
      await subject.attacher.detach(request);
      await subject.attacher.detach({ serial: subject.newSerial(), imageId: request.imageId });
    },
  },
  {
    title: 'attaches asked for at once get a TARGET and a device each',
    async run(subject) {
      const attached = await Promise.all([1, 2, 3].map(() => attachOne(subject)));
      for (const key of ['diskId', 'target', 'devicePath'] as const) assert.equal(new Set(attached.map(({ disk }) => disk[key])).size, 3);
      await Promise.all(attached.map(({ request }) => subject.attacher.detach(request)));
      for (const { request, disk } of attached) await assertGone(subject, request, disk);
    },
  },
  {
    title: 'finds an attachment by serial, and none after the detach',
    async run(subject) {
      const { request, disk } = await attachOne(subject);
      assert.deepEqual(await subject.attacher.find(request.serial), { diskId: disk.diskId });
      await subject.attacher.detach(request);
      assert.equal(await subject.attacher.find(request.serial), undefined);
    },
  },
  {
    title: 'a detached image can be attached again with a new serial',
    async run(subject) {
      const { request } = await attachOne(subject);
      await subject.attacher.detach(request);
      const again = { ...request, serial: subject.newSerial() };
      const disk = await subject.attacher.attach(again);
      await subject.attacher.detach(again);
      await assertGone(subject, again, disk);
    },
  },
  {
    title: 'refuses to detach a disk with our serial but another image, and leaves it',
    async run(subject) {
      const { request } = await attachOne(subject);
      await assertRejects(subject.attacher.detach({ serial: request.serial, imageId: request.imageId + 1_000 }), 'ATTACH_IMAGE_MISMATCH');
      assert.ok((await subject.listedSerials()).includes(request.serial));
      await subject.attacher.detach(request);
    },
  },
  {
    title: 'refuses a serial that is attached already, and leaves that disk',
    async run(subject) {
      const { request, disk } = await attachOne(subject);
      const other = await subject.newImage(1);
      await assertRejects(subject.attacher.attach({ ...other, serial: request.serial, readOnly: true }), 'ATTACH_SERIAL_IN_USE');
      assert.ok(await deviceOf(subject, disk));
      await subject.attacher.detach(request);
    },
  },
  {
    title: 'an image that does not exist is refused, nothing stays attached',
    async run(subject) {
      const request = { imageId: 999_999, sizeBytes: 1024 ** 2, serial: subject.newSerial(), readOnly: true };
      await assertNothingNew(subject, request, () => assertRejects(subject.attacher.attach(request), 'ATTACH_REFUSED'));
    },
  },
  {
    title: 'a device of another size is an error, nothing stays attached',
    async run(subject) {
      const image = await subject.newImage(2);
      const request = { ...image, sizeBytes: image.sizeBytes + 512, serial: subject.newSerial(), readOnly: true };
      await assertNothingNew(subject, request, () => assertRejects(subject.attacher.attach(request), 'ATTACH_DEVICE_SIZE'));
    },
  },
  {
    title: 'an aborted attach rejects with the reason itself, nothing stays attached',
    async run(subject) {
      const image = await subject.newImage(1);
      const request = { ...image, serial: subject.newSerial(), readOnly: true };
      const reason = new Error('stop');
      const aborted = (): Promise<void> => assert.rejects(subject.attacher.attach(request, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      await assertNothingNew(subject, request, aborted);
    },
  },
  {
    title: 'serials that newSerial did not make are never acted upon',
    async run(subject) {
      const image = await subject.newImage(1);
      for (const serial of ['', 'drive-scsi0-0-10-0', 'ov8abc']) {
        await assert.rejects(subject.attacher.attach({ ...image, serial, readOnly: true }), TypeError);
        await assert.rejects(subject.attacher.detach({ imageId: image.imageId, serial }), TypeError);
        await assert.rejects(subject.attacher.find(serial), TypeError);
      }
    },
  },
];

async function attachOne(
  subject: AttacherSubject,
  options: { readonly readOnly?: boolean } = {},
): Promise<{ request: AttachRequest; disk: Awaited<ReturnType<DiskAttacher['attach']>> }> {
  const image = await subject.newImage(2);
  const request = { ...image, serial: subject.newSerial(), readOnly: options.readOnly ?? true };
  return { request, disk: await subject.attacher.attach(request) };
}

async function deviceOf(subject: AttacherSubject, disk: AttachedDisk): Promise<SysfsDisk> {
  const device = (await subject.devices()).find(({ devicePath }) => devicePath === disk.devicePath);
  assert.ok(device, `${disk.devicePath} is not in the guest`);
  return device;
}

async function assertGone(subject: AttacherSubject, request: AttachRequest, disk: AttachedDisk): Promise<void> {
  assert.ok(!(await subject.listedSerials()).includes(request.serial), 'still in the VM body');
  assert.ok(!(await subject.devices()).some(({ devicePath }) => devicePath === disk.devicePath), 'still in the guest');
}

/** The guest has the same disks before and after, and the VM body none with that serial. */
async function assertNothingNew(subject: AttacherSubject, request: AttachRequest, act: () => Promise<void>): Promise<void> {
  const before = await subject.devices();
  await act();
  assert.deepEqual(await subject.devices(), before);
  assert.ok(!(await subject.listedSerials()).includes(request.serial), 'still in the VM body');
}

async function assertRejects(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.equal(errorCode(error), code);
    return true;
  });
}
