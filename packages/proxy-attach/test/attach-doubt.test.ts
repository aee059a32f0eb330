import type { CallOptions } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { type AttacherDeps, type AttachRequest, chooseIdentification, createAttacher, type DiskAttacher, type SysfsDisk } from '../src/index.ts';
import { FakeProxy, type FakeProxyOptions, type GuestFault } from '../testing/index.ts';

const MIB = 1024 ** 2;
const REQUEST: AttachRequest = { imageId: 8, sizeBytes: 33 * MIB, serial: 'ov-1234567890abcdef', readOnly: true };
const identification = chooseIdentification('7.0.2');

function rig(
  deps: Partial<AttacherDeps> = {},
  guest: Omit<FakeProxyOptions, 'clock'> = {},
): { readonly proxy: FakeProxy; readonly clock: FakeClock; readonly attacher: DiskAttacher } {
  const clock = new FakeClock({ auto: true });
  const proxy = new FakeProxy({ clock, ...guest });
  proxy.addImage(8, 33);
  const attacher = createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, identification, ...deps });
  return { proxy, clock, attacher };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => expect.unreachable('it succeeded'),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
}

const OLD = { serialReachesGuest: false };
const byAddress = chooseIdentification('6.10.5');
const byDifference = chooseIdentification('6.10.5', { bus: 'vd', byDifference: true });
/** Two tests at once have a proxy VM each; this one is never contended. */
const lock = { acquire: async () => ({ [Symbol.asyncDispose]: () => Promise.resolve() }) };

describe('every doubt about the device is refused, and nothing stays attached', () => {
  it('when nothing could ever tell it: before anything is plugged', async () => {
    const { proxy, attacher } = rig({ identification: chooseIdentification('6.10.5', { bus: 'vd' }) }, OLD);
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ATTACH_UNIDENTIFIABLE', hint: expect.stringContaining('bus sd') });
    expect(proxy.attachCalls).toEqual([]);
  });

  it.each<{ readonly title: string; readonly guest: GuestFault; readonly code: string }>([
    { title: 'it came at another SCSI target', guest: { scsiTarget: 7 }, code: 'ATTACH_DEVICE_ABSENT' },
    { title: 'it came on another adapter', guest: { scsiDriver: 'ahci' }, code: 'ATTACH_DEVICE_ABSENT' },
    { title: 'a second one came at that address', guest: { companion: {} }, code: 'ATTACH_DEVICE_AMBIGUOUS' },
    { title: 'a second one came at that address with our serial', guest: { companion: { serial: REQUEST.serial } }, code: 'ATTACH_DETACH_FAILED' },
    { title: 'it has another size', guest: { sizeBytes: 512 }, code: 'ATTACH_DEVICE_SIZE' },
    { title: 'it is mounted', guest: { holders: ['/mnt'] }, code: 'ATTACH_DEVICE_IN_USE' },
  ])('by SCSI address, when $title: $code', async ({ guest, code }) => {
    const { proxy, attacher } = rig({ identification: byAddress }, OLD);
    proxy.nextAttaches({ guest });
    const error = await failure(attacher.attach(REQUEST));
    expect(error).toMatchObject({ code, hint: expect.any(String) });
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda']);
  });

  it('by serial and SCSI address, when they do not agree', async () => {
    const identification = chooseIdentification('7.0.2', { bus: 'sd' });
    for (const guest of [{ serial: 'dropped' }, { scsiTarget: 7 }, { scsiDriver: 'ahci' }] as const) {
      const { proxy, attacher } = rig({ identification });
      proxy.nextAttaches({ guest });
      expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ATTACH_DEVICE_CONFLICT', details: { devicePath: '/dev/sda' } });
      expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda']);
      expect(await proxy.sysfs()).toHaveLength(1);
    }
  });

  it.each<{ readonly title: string; readonly guest: GuestFault; readonly code: string }>([
    { title: 'two came', guest: { companion: { sizeBytes: 512 } }, code: 'ATTACH_DEVICE_AMBIGUOUS' },
    { title: 'it was written to', guest: { writtenSectors: 8 }, code: 'ATTACH_DEVICE_WRITTEN' },
    { title: 'it has another size', guest: { sizeBytes: 512 }, code: 'ATTACH_DEVICE_SIZE' },
    { title: 'it is mounted', guest: { holders: ['/mnt'] }, code: 'ATTACH_DEVICE_IN_USE' },
  ])('by difference, when $title: $code', async ({ guest, code }) => {
    const { proxy, attacher } = rig({ identification: byDifference, lock }, OLD);
    proxy.nextAttaches({ guest });
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code });
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda']);
    expect((await proxy.sysfs()).map((device) => device.name)).not.toContain('vdb');
  });

  it('by difference, when a disk of somebody else came into the body at the same time: its device may have been the first to appear', async () => {
    const { proxy, clock } = rig({}, OLD);
    let looks = 0;
    const sysfs = async (options?: CallOptions): ReturnType<FakeProxy['sysfs']> => {
      const devices = await proxy.sysfs(options);
      if (++looks === 2) proxy.plug({ target: 'vdz', sizeMiB: 33, imageId: 77 });
      return devices;
    };
    const attacher = createAttacher({ api: proxy.api, sysfs, clock, identification: byDifference, lock });
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ATTACH_DEVICE_AMBIGUOUS', retryable: true });
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda', 'vdz']);
  });

  it('never plugs to a SCSI address where the guest still has a device that OpenNebula lists no more', async () => {
    const { proxy, attacher } = rig({ identification: byAddress }, OLD);
    await attacher.attach(REQUEST);
    proxy.nextDetaches({ lingerMs: Infinity });
    await expect(attacher.detach(REQUEST)).rejects.toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { devicePath: '/dev/sda' } });
    expect(await attacher.attach({ ...REQUEST, serial: 'ov-0000000000000009' })).toMatchObject({ target: 'sdy', devicePath: '/dev/sdb', identifiedBy: 'scsi' });
  });

  it('by difference, a detach waits until one of the disks that look like ours has gone', async () => {
    const { proxy, attacher } = rig({ identification: byDifference, lock }, OLD);
    await attacher.attach(REQUEST);
    proxy.nextDetaches({ lingerMs: 20_000 });
    await attacher.detach(REQUEST);
    expect((await proxy.sysfs()).map((device) => device.name)).toEqual(['vda']);
    await attacher.attach(REQUEST);
    proxy.nextDetaches({ lingerMs: Infinity });
    await expect(attacher.detach(REQUEST)).rejects.toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { devicePath: '/dev/vdb', deviceGone: false } });
  });
});

describe('confirm', () => {
  it.each<{ readonly title: string; readonly change: Partial<SysfsDisk>; readonly code: string }>([
    { title: 'another size', change: { sizeBytes: 512 }, code: 'ATTACH_DEVICE_CHANGED' },
    { title: 'another serial', change: { serial: 'ov-0000000000000009' }, code: 'ATTACH_DEVICE_CHANGED' },
    { title: 'another number: its name has passed to a disk that came later', change: { sequence: 99 }, code: 'ATTACH_DEVICE_CHANGED' },
    { title: 'become writable', change: { readOnly: false }, code: 'ATTACH_DEVICE_CHANGED' },
    { title: 'been mounted', change: { holders: ['/mnt'] }, code: 'ATTACH_DEVICE_IN_USE' },
  ])('refuses a device that has $title', async ({ change, code }) => {
    const { proxy, attacher } = rig();
    const disk = await attacher.attach(REQUEST);
    const sysfs = async (): Promise<SysfsDisk[]> => (await proxy.sysfs()).map((device) => (device.name === 'vdb' ? { ...device, ...change } : device));
    const later = createAttacher({ api: proxy.api, sysfs, clock: new FakeClock(), identification });
    expect(await failure(later.confirm(disk))).toMatchObject({ code, details: { devicePath: '/dev/vdb', diskId: 2 }, hint: expect.any(String) });
    await attacher.confirm(disk);
  });
});
