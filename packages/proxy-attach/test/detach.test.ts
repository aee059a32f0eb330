import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { type AttacherDeps, chooseIdentification, createAttacher, type DiskAttacher } from '../src/index.ts';
import { FakeProxy } from '../testing/index.ts';

const MIB = 1024 ** 2;
const DISK = { imageId: 8, sizeBytes: 33 * MIB, serial: 'ov-1234567890abcdef', readOnly: true };
const Q35 = "Sun Nov 22 10:00:00 2026: DETACHDISK: Could not detach vdb: unable to execute QEMU command 'device_del': Hot-unplug failed: guest is busy";

async function attached(deps: Partial<AttacherDeps> = {}): Promise<{ proxy: FakeProxy; clock: FakeClock; attacher: DiskAttacher }> {
  const clock = new FakeClock({ auto: true });
  const proxy = new FakeProxy({ clock });
  proxy.addImage(8, 33);
  const attacher = createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, identification: chooseIdentification('7.0.2'), ...deps });
  await attacher.attach(DISK);
  return { proxy, clock, attacher };
}

async function expectGone(proxy: FakeProxy): Promise<void> {
  expect(proxy.listed.map((disk) => disk.serial)).not.toContain(DISK.serial);
  expect((await proxy.sysfs()).map((disk) => disk.serial)).not.toContain(DISK.serial);
}

describe('detach', () => {
  it('takes away that disk and no other', async () => {
    const { proxy, attacher } = await attached();
    proxy.plug({ target: 'vdc', imageId: 8, serial: 'ov-00000000000000zz' });
    proxy.plug({ target: 'vdd', imageId: 8 });
    await attacher.detach(DISK);
    expect(proxy.detachCalls).toEqual([2]);
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda', 'vdc', 'vdd']);
    await expectGone(proxy);
  });

  it('calls nothing for a disk that is not there', async () => {
    const { proxy, attacher } = await attached();
    await attacher.detach({ serial: 'ov-0000000000000000', imageId: 8 });
    expect(proxy.detachCalls).toEqual([]);
  });

  it('tries again when the guest was busy, not sooner than q35 allows', async () => {
    const { proxy, attacher, clock } = await attached();
    proxy.nextDetaches({ failWith: Q35 }, { failWith: Q35 });
    const startMs = clock.monotonicMs();
    await attacher.detach(DISK);
    expect(proxy.detachCalls).toEqual([2, 2, 2]);
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(6_000 + 12_000);
    await expectGone(proxy);
  });

  it('succeeds when the driver reports failure though the disk is gone (q35)', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ failWith: Q35, goes: 'both' });
    await attacher.detach(DISK);
    expect(proxy.detachCalls).toEqual([2]);
    await expectGone(proxy);
  });

  it('fails, with what the guest says, when OpenNebula goes on listing a disk whose device is gone (q35)', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ failWith: Q35, goes: 'device' }, ...Array.from({ length: 20 }, () => ({ failWith: `${Q35}, again` })));
    await expect(attacher.detach(DISK)).rejects.toMatchObject({
      code: 'ATTACH_DETACH_FAILED',
      details: { diskId: 2, imageId: 8, serial: DISK.serial, target: 'vdb', deviceGone: true },
      hint: expect.stringContaining('power'),
    });
  });

  it('fails after its retries when the guest never lets go, and says who holds the device', async () => {
    const { proxy, attacher, clock } = await attached({ timeouts: { detachRetryMs: 60_000 } });
    proxy.nextDetaches(...Array.from({ length: 20 }, () => ({ failWith: Q35 })));
    const startMs = clock.monotonicMs();
    await expect(attacher.detach(DISK)).rejects.toMatchObject({
      code: 'ATTACH_DETACH_FAILED',
      retryable: true,
      details: { diskId: 2, deviceGone: false, devicePath: '/dev/vdb', oneMessage: Q35 },
    });
    expect(clock.monotonicMs() - startMs).toBeLessThan(100_000);
    await attacher.detach({ serial: 'ov-0000000000000000', imageId: 1 });
  });

  it('waits for the guest to lose the device', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ lingerMs: 20_000 });
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it('fails when the guest keeps a device that OpenNebula lists no more', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ lingerMs: Infinity });
    await expect(attacher.detach(DISK)).rejects.toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { devicePath: '/dev/vdb', deviceGone: false } });
    expect(proxy.detachCalls).toEqual([2]);
  });

  it('waits for a busy proxy VM, and tries again when it became busy in between', async () => {
    const { proxy, attacher } = await attached();
    proxy.busyFor(120_000);
    proxy.nextDetaches({ refuse: '[one.vm.detach] Could not detach disk from VM 7, wrong state HOTPLUG_SAVEAS.' });
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it('has its full time for retries after a long wait for a busy proxy VM', async () => {
    const { proxy, attacher } = await attached();
    proxy.busyFor(300_000);
    proxy.nextDetaches({ failWith: Q35 });
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it('counts as done when OpenNebula says the disk does not exist, once the body agrees', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ refuse: '[one.vm.detach] VM disk does not exist' });
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it.each(['lost', 'carried-out'] as const)('judges by effect when the answer is missing (call %s)', async (unanswered) => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ unanswered });
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it('lets a call that was never answered come and go before another disk is plugged, which could get the DISK_ID it names', async () => {
    const { proxy, attacher } = await attached();
    proxy.addImage(9, 1);
    proxy.nextDetaches({ unanswered: 'late', lateMs: 14_000 });
    await attacher.detach(DISK);
    const newer = await attacher.attach({ ...DISK, imageId: 9, sizeBytes: MIB, serial: 'ov-0000000000000009' });
    expect(newer.diskId).toBe(2);
    expect(proxy.detachCalls).toEqual([2, 2]);
    expect(proxy.listed.map((disk) => disk.serial)).toContain('ov-0000000000000009');
  });

  it('waits for no straggler when the only call that was not answered has had its effect', async () => {
    const { proxy, attacher, clock } = await attached();
    proxy.nextDetaches({ unanswered: 'carried-out' });
    const startMs = clock.monotonicMs();
    await attacher.detach(DISK);
    expect(clock.monotonicMs() - startMs).toBeLessThan(6_000);
  });

  it('brings what the kernel keeps of the device to it before the unplug; a failure of that is no reason to keep the disk', async () => {
    const flushed: string[] = [];
    const { proxy, attacher } = await attached({
      flush: async (devicePath) => {
        flushed.push(`${devicePath} after ${proxy.detachCalls.length} detaches`);
        throw new Error('EIO');
      },
    });
    await attacher.detach(DISK);
    expect(flushed).toEqual(['/dev/vdb after 0 detaches']);
    await expectGone(proxy);
  });

  it('gives up at once when OpenNebula refuses for good', async () => {
    const { proxy, attacher } = await attached();
    proxy.nextDetaches({ refuse: '[one.vm.detach] User [2] : Not authorized to perform MANAGE VM [7].' });
    await expect(attacher.detach(DISK)).rejects.toMatchObject({
      code: 'ATTACH_DETACH_FAILED',
      details: { diskId: 2, serial: DISK.serial, oneMessage: expect.stringContaining('MANAGE') },
    });
    expect(proxy.detachCalls).toEqual([]);
  });

  it('refuses a disk that carries our serial but another image', async () => {
    const { proxy, attacher } = await attached();
    await expect(attacher.detach({ ...DISK, imageId: 99 })).rejects.toMatchObject({ code: 'ATTACH_IMAGE_MISMATCH', details: { diskId: 2, imageId: 99 } });
    expect(proxy.detachCalls).toEqual([]);
  });

  it('works on a proxy VM that is powered off', async () => {
    const { proxy, attacher } = await attached();
    proxy.setState(8);
    await attacher.detach(DISK);
    await expectGone(proxy);
  });

  it('takes the disks of a VM that is DONE for detached, once the guest agrees', async () => {
    let guest: FakeProxy | undefined;
    const { proxy, attacher } = await attached({
      sysfs: async () =>
        (await guest?.sysfs()) ?? [{ ...DISK, name: 'vdb', devicePath: '/dev/vdb', holders: [], scsi: undefined, sequence: 2, writtenSectors: 0 }],
    });
    proxy.setState(6);
    await expect(attacher.find(DISK.serial)).resolves.toBeUndefined();
    await expect(attacher.detach(DISK)).rejects.toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { deviceGone: false } });
    guest = new FakeProxy({ clock: new FakeClock() });
    await attacher.detach(DISK);
    expect(proxy.detachCalls).toEqual([]);
  });

  it('fails with the state of a proxy VM that can do nothing', async () => {
    const { proxy, attacher } = await attached();
    proxy.setState(5);
    await expect(attacher.detach(DISK)).rejects.toMatchObject({ code: 'ATTACH_PROXY_STATE', details: { state: 5 } });
  });

  it('stops between two tries with the reason of an aborted signal', async () => {
    const { proxy, attacher } = await attached();
    const reason = new Error('stop');
    await expect(attacher.detach(DISK, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(proxy.detachCalls).toEqual([]);
  });
});
