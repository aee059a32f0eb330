import { isBaseError } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttachedDisk, createAttacher } from '../src/index.ts';
import { type AttachFault, type DetachFault, FakeProxy } from '../testing/index.ts';

const MIB = 1024 ** 2;
const REQUEST = { imageId: 8, sizeBytes: 4 * MIB, serial: 'ov-1234567890abcdef', readOnly: true };

const guestFault = fc.record(
  {
    serial: fc.constantFrom('dropped' as const, 'twice' as const),
    sizeBytes: fc.constantFrom(512, 4 * MIB, 5 * MIB),
    sizelessMs: fc.constantFrom(500, 3_000, 100_000),
    holders: fc.constantFrom(['dm-0'], []),
    readOnly: fc.boolean(),
    delayMs: fc.constantFrom(100, 5_000, Infinity),
  },
  { requiredKeys: [] },
);
const attachFault: fc.Arbitrary<AttachFault> = fc.record(
  {
    refuse: fc.constantFrom('[x] wrong state HOTPLUG.', '[x] Target vdb is already in use.', '[x] Not authorized'),
    unanswered: fc.constantFrom('lost' as const, 'carried-out' as const),
    failWith: fc.constantFrom('ATTACHDISK: a', 'ATTACHDISK: b'),
    bodyWithoutSerial: fc.boolean(),
    stateAfter: fc.constantFrom(3, 5, 8),
    guest: guestFault,
  },
  { requiredKeys: [] },
);
const detachFault: fc.Arbitrary<DetachFault> = fc.record(
  {
    refuse: fc.constantFrom('[x] wrong state HOTPLUG.', '[x] VM disk does not exist', '[x] Not authorized'),
    unanswered: fc.constantFrom('lost' as const, 'carried-out' as const),
    failWith: fc.constantFrom('DETACHDISK: a', 'DETACHDISK: b'),
    goes: fc.constantFrom('device' as const, 'both' as const),
    lingerMs: fc.constantFrom(0, 5_000, Infinity),
  },
  { requiredKeys: [] },
);

describe('attach and detach (properties)', () => {
  it('whatever goes wrong: attached as asked, or nothing of ours left, or the error says so; foreign disks stay', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(attachFault, { maxLength: 3 }), fc.array(detachFault, { maxLength: 4 }), async (attaches, detaches) => {
        const clock = new FakeClock({ auto: true });
        const proxy = new FakeProxy({ clock });
        proxy.addImage(REQUEST.imageId, 4);
        proxy.plug({ target: 'vdb', imageId: REQUEST.imageId });
        proxy.nextAttaches(...attaches);
        proxy.nextDetaches(...detaches);
        const attacher = createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, timeouts: { busyMs: 60_000 } });
        const outcome: AttachedDisk | { readonly error: unknown } = await attacher.attach(REQUEST).catch((error: unknown) => ({ error }));
        const ours = proxy.listed.filter((disk) => disk.imageId === REQUEST.imageId && disk.target !== 'vdb');
        const devices = (await proxy.sysfs()).filter((device) => device.serial === REQUEST.serial);
        if ('error' in outcome) {
          const saysSo = isBaseError(outcome.error) && outcome.error.code === 'ATTACH_DETACH_FAILED';
          if (!saysSo) expect([ours, devices]).toEqual([[], []]);
        } else {
          expect(ours.map((disk) => [disk.diskId, disk.target])).toEqual([[outcome.diskId, outcome.target]]);
          expect(devices).toEqual([expect.objectContaining({ devicePath: outcome.devicePath, sizeBytes: REQUEST.sizeBytes, readOnly: true, holders: [] })]);
        }
        expect(proxy.listed.map((disk) => disk.target)).toEqual(expect.arrayContaining(['vda', 'vdb']));
      }),
      { numRuns: 300 },
    );
  });
});
