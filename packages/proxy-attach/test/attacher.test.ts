import { type CallOptions, isBaseError } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { type AttacherDeps, type AttachRequest, chooseIdentification, createAttacher, type DiskAttacher } from '../src/index.ts';
import { type AttachFault, FakeProxy, noAnswer } from '../testing/index.ts';
import { abortingAttacher } from './aborting-attacher.ts';

const MIB = 1024 ** 2;
const identification = chooseIdentification('7.0.2');
const REQUEST: AttachRequest = { imageId: 8, sizeBytes: 33 * MIB, serial: 'ov-1234567890abcdef', readOnly: true };

interface Rig {
  readonly proxy: FakeProxy;
  readonly clock: FakeClock;
  readonly attacher: DiskAttacher;
}

function rig(deps: Partial<AttacherDeps> = {}): Rig {
  const clock = new FakeClock({ auto: true });
  const proxy = new FakeProxy({ clock });
  proxy.addImage(8, 33);
  proxy.addImage(9, 1);
  return { proxy, clock, attacher: createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, identification, ...deps }) };
}

/** Nothing that carries our serial or our image, in the body or in the guest. */
async function assertNothingLeft(proxy: FakeProxy): Promise<void> {
  expect(proxy.listed.filter((disk) => disk.serial === REQUEST.serial || disk.imageId === REQUEST.imageId)).toEqual([]);
  expect((await proxy.sysfs()).filter((disk) => disk.serial === REQUEST.serial)).toEqual([]);
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => expect.unreachable('it succeeded'),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
}

describe('attach', () => {
  it('gives OpenNebula the image, a free TARGET, our SERIAL and how to open it', async () => {
    const { proxy, attacher } = rig();
    const disk = await attacher.attach(REQUEST);
    expect(proxy.attachCalls).toEqual([
      { IMAGE_ID: '8', DEV_PREFIX: 'vd', TARGET: 'vdb', SERIAL: REQUEST.serial, READONLY: 'YES', CACHE: 'none', DISCARD: 'unmap' },
    ]);
    const facts = { serial: REQUEST.serial, target: 'vdb', devicePath: '/dev/vdb', sizeBytes: 33 * MIB, readOnly: true, identifiedBy: 'serial' };
    expect(disk).toEqual({ diskId: 2, imageId: 8, ...facts, device: { name: 'vdb', serial: REQUEST.serial, scsi: undefined, sequence: 2 } });
  });

  it('uses the SCSI bus and a writable disk when asked', async () => {
    const { proxy, attacher } = rig({ identification: chooseIdentification('7.0.2', { bus: 'sd' }) });
    const disk = await attacher.attach({ ...REQUEST, readOnly: false });
    expect(proxy.attachCalls).toMatchObject([{ DEV_PREFIX: 'sd', TARGET: 'sdz', READONLY: 'NO' }]);
    expect(disk).toMatchObject({ target: 'sdz', devicePath: '/dev/sda', identifiedBy: 'serial+scsi' });
  });

  it('finds its device by serial when the guest shows other new disks too', async () => {
    const { proxy, attacher } = rig();
    proxy.plug({ target: 'vdb', sizeMiB: 33 });
    proxy.plug({ target: 'vdc', sizeMiB: 33, serial: 'drive-scsi0-0-10-0' });
    expect(await attacher.attach(REQUEST)).toMatchObject({ target: 'vdd', devicePath: '/dev/vdd' });
  });

  it('accepts a device that is smaller by the tolerance, and says its true size', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ guest: { sizeBytes: 33 * MIB - 512 } });
    expect(await attacher.attach({ ...REQUEST, sizeToleranceBytes: MIB })).toMatchObject({ sizeBytes: 33 * MIB - 512 });
  });

  it('waits for a device that comes late, and for one that has no size yet, looking at most once a second', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ guest: { delayMs: 10_000, sizelessMs: 5_000 } });
    await attacher.attach(REQUEST);
    const gaps = proxy.sysfsReads.slice(1).map((atMs, index) => atMs - (proxy.sysfsReads[index] ?? 0));
    expect(proxy.sysfsReads.length).toBeGreaterThanOrEqual(15);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
  });

  it('takes a disk as attached by TARGET and image when the VM body does not repeat the SERIAL', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ bodyWithoutSerial: true });
    expect(await attacher.attach(REQUEST)).toMatchObject({ diskId: 2, target: 'vdb' });
  });

  it('moves on to the next TARGET when somebody took it in between', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ refuse: '[one.vm.attach] Target vdb is already in use.' }, { refuse: '[one.vm.attach] Target vdc is already in use.' });
    expect(await attacher.attach(REQUEST)).toMatchObject({ target: 'vdd' });
  });

  it('gives up on a proxy where every TARGET is taken in between', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches(...Array.from({ length: 30 }, () => ({ refuse: '[one.vm.attach] Target vdq is already in use.' })));
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ATTACH_REFUSED' });
    await assertNothingLeft(proxy);
  });

  it('waits for a busy proxy VM, and tries again when it became busy in between', async () => {
    const { proxy, attacher, clock } = rig();
    proxy.busyFor(120_000);
    proxy.nextAttaches({ refuse: '[one.vm.attach] Could not attach a new disk to VM 7, wrong state HOTPLUG.' });
    await attacher.attach(REQUEST);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(120_000);
  });

  it('runs one hot-plug at a time', async () => {
    const { proxy, attacher } = rig();
    const other = { ...REQUEST, imageId: 9, sizeBytes: MIB, serial: 'ov-0000000000000009' };
    const disks = await Promise.all([attacher.attach(REQUEST), attacher.attach(other)]);
    expect(disks.map((disk) => disk.target)).toEqual(['vdb', 'vdc']);
    await Promise.all([attacher.detach(REQUEST), attacher.detach(other)]);
    await assertNothingLeft(proxy);
  });

  it('lets the next one go when one fails', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ failWith: 'x' });
    const [first, second] = await Promise.allSettled([attacher.attach(REQUEST), attacher.attach({ ...REQUEST, serial: 'ov-0000000000000009' })]);
    expect(first.status).toBe('rejected');
    expect(second.status).toBe('fulfilled');
  });
});

const OLD_ERROR = 'Sat Nov 21 10:00:00 2026: ATTACHDISK: an old story';
const NEW_ERROR = 'Sun Nov 22 10:00:00 2026: ATTACHDISK: Could not attach vdb';

const FAILURES: readonly { readonly title: string; readonly fault: AttachFault; readonly code: string; readonly details: object }[] = [
  {
    title: 'OpenNebula refuses',
    fault: { refuse: '[one.vm.attach] Cannot acquire image 8, it is locked' },
    code: 'ATTACH_REFUSED',
    details: { oneMessage: expect.stringContaining('locked') },
  },
  {
    title: 'the driver fails after OpenNebula accepted',
    fault: { failWith: NEW_ERROR },
    code: 'ATTACH_FAILED',
    details: { target: 'vdb', oneMessage: NEW_ERROR },
  },
  { title: 'the device never comes', fault: { guest: { delayMs: Infinity } }, code: 'ATTACH_DEVICE_ABSENT', details: { timeoutMs: 60_000 } },
  { title: 'the serial does not reach the guest', fault: { guest: { serial: 'dropped' } }, code: 'ATTACH_DEVICE_ABSENT', details: {} },
  {
    title: 'neither body nor guest repeats the serial',
    fault: { bodyWithoutSerial: true, guest: { serial: 'dropped' } },
    code: 'ATTACH_DEVICE_ABSENT',
    details: {},
  },
  {
    title: 'two devices carry the serial',
    fault: { guest: { serial: 'twice' } },
    code: 'ATTACH_DEVICE_AMBIGUOUS',
    details: { devicePaths: ['/dev/vdb', '/dev/vdbx'] },
  },
  {
    title: 'the device has another size',
    fault: { guest: { sizeBytes: 512 } },
    code: 'ATTACH_DEVICE_SIZE',
    details: { expectedBytes: 33 * MIB, actualBytes: 512 },
  },
  { title: 'the device stays without size', fault: { guest: { sizelessMs: Infinity } }, code: 'ATTACH_DEVICE_ABSENT', details: {} },
  { title: 'LVM grabs the device', fault: { guest: { holders: ['dm-3'] } }, code: 'ATTACH_DEVICE_IN_USE', details: { holders: ['dm-3'] } },
  { title: 'READONLY had no effect', fault: { guest: { readOnly: false } }, code: 'ATTACH_DEVICE_WRITABLE', details: { devicePath: '/dev/vdb' } },
  { title: 'the proxy VM is powered off meanwhile', fault: { stateAfter: 8 }, code: 'ATTACH_PROXY_STATE', details: { state: 8, lcmState: 0 } },
  { title: 'the connection breaks before oned sees the call', fault: { unanswered: 'lost' }, code: 'ONE_UNREACHABLE', details: {} },
  { title: 'the connection breaks after oned carried the call out', fault: { unanswered: 'carried-out' }, code: 'ONE_UNREACHABLE', details: {} },
];

describe('a failing attach leaves nothing attached', () => {
  it.each(FAILURES)('when $title: $code', async ({ fault, code, details }) => {
    const { proxy, attacher } = rig();
    proxy.setError(OLD_ERROR);
    proxy.nextAttaches(fault);
    const error = await failure(attacher.attach(REQUEST));
    expect(error).toMatchObject({ code, details });
    if (code.startsWith('ATTACH_')) expect(error).toMatchObject({ hint: expect.any(String) });
    await assertNothingLeft(proxy);
  });

  it('when it should be writable but is not', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ guest: { readOnly: true } });
    expect(await failure(attacher.attach({ ...REQUEST, readOnly: false }))).toMatchObject({ code: 'ATTACH_DEVICE_READ_ONLY' });
    await assertNothingLeft(proxy);
  });

  it('when the driver fails silently: the sticky text of an earlier failure is not blamed', async () => {
    const { proxy, attacher } = rig();
    proxy.setError(OLD_ERROR);
    proxy.nextAttaches({ failWith: OLD_ERROR });
    const error = await failure(attacher.attach(REQUEST));
    expect(error).toMatchObject({ code: 'ATTACH_FAILED' });
    expect(isBaseError(error) && error.details).not.toHaveProperty('oneMessage');
  });

  it.each([1, 4_000, 8_000])('when aborted after %d ms: it rejects with the reason itself', async (abortAtMs) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const { proxy, attacher, clock } = rig();
    const aborting = abortingAttacher(proxy, clock, controller, abortAtMs, reason);
    proxy.nextAttaches({ guest: { delayMs: 20_000 } });
    expect(await failure(aborting.attach(REQUEST, { signal: controller.signal }))).toBe(reason);
    await assertNothingLeft(proxy);
    expect(await attacher.find(REQUEST.serial)).toBeUndefined();
  });

  it('when aborted in the call itself, after oned carried it out', async () => {
    const { proxy, clock } = rig();
    const controller = new AbortController();
    const reason = new Error('stop');
    const attacher = createAttacher({
      clock,
      identification,
      sysfs: (options) => proxy.sysfs(options),
      api: {
        ...proxy.api,
        async attachDisk(disk, options) {
          await proxy.api.attachDisk(disk, options);
          controller.abort(reason);
          throw reason;
        },
      },
    });
    expect(await failure(attacher.attach(REQUEST, { signal: controller.signal }))).toBe(reason);
    await assertNothingLeft(proxy);
  });

  it('when aborted while the call is on its way: it is waited for, for oned may carry it out whenever it arrives', async () => {
    const { proxy, clock } = rig();
    const controller = new AbortController();
    const reason = new Error('stop');
    let arrives = async (): Promise<void> => undefined;
    const attacher = createAttacher({
      clock,
      identification,
      sysfs: (options) => proxy.sysfs(options),
      api: {
        ...proxy.api,
        async attachDisk(disk, options) {
          controller.abort(reason);
          if (options?.signal?.aborted !== true) return proxy.api.attachDisk(disk);
          arrives = () => proxy.api.attachDisk(disk);
          throw reason;
        },
      },
    });
    expect(await failure(attacher.attach(REQUEST, { signal: controller.signal }))).toBe(reason);
    await arrives();
    await assertNothingLeft(proxy);
  });

  it.each([
    {
      title: 'no TARGET is free',
      code: 'ATTACH_NO_FREE_TARGET',
      prepare: (proxy: FakeProxy) => {
        for (const letter of 'bcdefghijklmnopqrstuvwxyz') proxy.plug({ target: `vd${letter}` });
      },
    },
    { title: 'the proxy VM is powered off', code: 'ATTACH_PROXY_STATE', prepare: (proxy: FakeProxy) => proxy.setState(8) },
    { title: 'the proxy VM is in a failure state', code: 'ATTACH_PROXY_STATE', prepare: (proxy: FakeProxy) => proxy.setState(3, 36) },
    { title: 'the proxy VM is busy for good', code: 'ATTACH_TIMEOUT', prepare: (proxy: FakeProxy) => proxy.busyFor(Infinity) },
    { title: 'OpenNebula cannot be reached', code: 'ONE_UNREACHABLE', prepare: (proxy: FakeProxy) => proxy.disconnect() },
  ])('when $title, without asking: $code', async ({ code, prepare }) => {
    const { proxy, attacher } = rig();
    prepare(proxy);
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code });
    expect(proxy.attachCalls).toEqual([]);
  });

  it('when every try finds the proxy VM busy: ATTACH_TIMEOUT at the deadline', async () => {
    const { proxy, attacher, clock } = rig({ timeouts: { busyMs: 20_000 } });
    proxy.nextAttaches(...Array.from({ length: 100 }, () => ({ refuse: '[one.vm.attach] Could not attach a new disk to VM 7, wrong state HOTPLUG.' })));
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ATTACH_TIMEOUT', retryable: true });
    expect(clock.monotonicMs()).toBeLessThan(30_000);
  });

  it('when oned gets to the call only after we gave up on it', async () => {
    const { proxy, attacher, clock } = rig();
    proxy.nextAttaches({ unanswered: 'late', lateMs: 14_000 });
    expect(await failure(attacher.attach(REQUEST))).toMatchObject({ code: 'ONE_UNREACHABLE' });
    expect(proxy.attachCalls).toHaveLength(1);
    await clock.sleep(60_000);
    await assertNothingLeft(proxy);
  });

  it('when the call could not even be sent: the error of the client as it is, nothing to take back', async () => {
    const { proxy, clock } = rig();
    const cause = noAnswer('connect ECONNREFUSED', 'no');
    const api = { ...proxy.api, attachDisk: () => Promise.reject(cause) };
    const attacher = createAttacher({ api, sysfs: (options) => proxy.sysfs(options), clock, identification });
    expect(await failure(attacher.attach(REQUEST))).toBe(cause);
    expect(proxy.sysfsReads).toEqual([]);
  });

  it('refuses a request for nothing', async () => {
    const { attacher } = rig();
    for (const sizeBytes of [0, -1, 0.5, Number.NaN]) await expect(attacher.attach({ ...REQUEST, sizeBytes })).rejects.toBeInstanceOf(RangeError);
  });
});

describe('a failing attach that cannot be taken back says what stays', () => {
  it('names the disk, its serial and the first failure, and keeps both causes', async () => {
    const { proxy, attacher } = rig();
    proxy.nextAttaches({ guest: { sizeBytes: 512 } });
    proxy.nextDetaches(...Array.from({ length: 20 }, () => ({ failWith: 'DETACHDISK: busy' })));
    const error = await failure(attacher.attach(REQUEST));
    expect(error).toMatchObject({
      code: 'ATTACH_DETACH_FAILED',
      details: { diskId: 2, serial: REQUEST.serial, imageId: 8, after: 'ATTACH_DEVICE_SIZE', oneMessage: 'DETACHDISK: busy' },
      cause: { errors: [{ code: 'ATTACH_DEVICE_SIZE' }, { code: 'ATTACH_DETACH_FAILED' }] },
    });
    expect(proxy.listed).toContainEqual(expect.objectContaining({ diskId: 2, serial: REQUEST.serial }));
    expect(await attacher.find(REQUEST.serial)).toEqual({ diskId: 2 });
  });

  it('leaves the DISK_ID open when OpenNebula went away', async () => {
    const { proxy, attacher } = rig({ sysfs: disconnectingSysfs });
    function disconnectingSysfs(options?: CallOptions): ReturnType<FakeProxy['sysfs']> {
      proxy.disconnect();
      return proxy.sysfs(options);
    }
    proxy.nextAttaches({ guest: { sizeBytes: 512 } });
    const error = await failure(attacher.attach(REQUEST));
    expect(error).toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { serial: REQUEST.serial, after: 'ATTACH_DEVICE_SIZE' } });
    expect(isBaseError(error) && error.details).not.toHaveProperty('diskId');
  });

  it('does so after an abort as well, the reason among the causes', async () => {
    const { proxy, clock } = rig();
    const controller = new AbortController();
    const reason = new Error('stop');
    proxy.nextAttaches({ guest: { delayMs: 20_000 } });
    proxy.nextDetaches({ refuse: '[one.vm.detach] User [2] : Not authorized to perform MANAGE VM [7].' });
    const error = await failure(abortingAttacher(proxy, clock, controller, 8_000, reason).attach(REQUEST, { signal: controller.signal }));
    expect(error).toMatchObject({
      code: 'ATTACH_DETACH_FAILED',
      details: { diskId: 2, after: 'Error' },
      cause: { errors: [reason, { code: 'ATTACH_DETACH_FAILED' }] },
    });
  });
});
