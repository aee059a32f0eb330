import { isBaseError } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttachedDisk, chooseIdentification, createAttacher, machineHotplugLock } from '../src/index.ts';
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
    writtenSectors: fc.constantFrom(0, 8),
    scsiTarget: fc.constantFrom(0, 1, 2),
    scsiDriver: fc.constantFrom('virtio_scsi', 'ahci'),
    companion: fc.constantFrom({}, { sizeBytes: 512 }),
    delayMs: fc.constantFrom(100, 5_000, Infinity),
  },
  { requiredKeys: [] },
);
const attachFault: fc.Arbitrary<AttachFault> = fc.record(
  {
    refuse: fc.constantFrom('[x] wrong state HOTPLUG.', '[x] Target vdb is already in use.', '[x] Not authorized'),
    unanswered: fc.constantFrom('lost' as const, 'carried-out' as const, 'late' as const),
    lateMs: fc.constantFrom(0, 3_000, 14_000),
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
    unanswered: fc.constantFrom('lost' as const, 'carried-out' as const, 'late' as const),
    lateMs: fc.constantFrom(0, 3_000, 14_000),
    failWith: fc.constantFrom('DETACHDISK: a', 'DETACHDISK: b'),
    goes: fc.constantFrom('device' as const, 'both' as const),
    lingerMs: fc.constantFrom(0, 5_000, Infinity),
  },
  { requiredKeys: [] },
);

const strategy = fc.constantFrom(
  chooseIdentification('7.0.2', { bus: 'vd' }),
  chooseIdentification('7.0.2', { bus: 'sd' }),
  chooseIdentification('6.10.5', { bus: 'sd' }),
  chooseIdentification('6.10.5', { bus: 'vd', byDifference: true }),
);

describe('attach and detach (properties)', () => {
  it('whatever goes wrong: attached as asked, or nothing of ours left, or the error says so; foreign disks stay', async () => {
    await fc.assert(
      fc.asyncProperty(
        strategy,
        fc.array(attachFault, { maxLength: 3 }),
        fc.array(detachFault, { maxLength: 4 }),
        async (identification, attaches, detaches) => {
          const clock = new FakeClock({ auto: true });
          const { bus, serialReachesGuest } = identification;
          const proxy = new FakeProxy({ clock, serialReachesGuest });
          proxy.addImage(REQUEST.imageId, 4);
          proxy.plug({ target: `${bus}b`, imageId: REQUEST.imageId });
          proxy.nextAttaches(...attaches);
          proxy.nextDetaches(...detaches);
          const lock = machineHotplugLock({ clock, proxyRoot: `in memory, ${process.pid}, property` });
          const attacher = createAttacher({
            api: proxy.api,
            sysfs: (options) => proxy.sysfs(options),
            clock,
            identification,
            lock,
            timeouts: { busyMs: 60_000 },
          });
          const outcome: AttachedDisk | { readonly error: unknown } = await attacher.attach(REQUEST).catch((error: unknown) => ({ error }));
          const ours = proxy.listed.filter((disk) => disk.imageId === REQUEST.imageId && disk.target !== `${bus}b`);
          if ('error' in outcome) {
            const saysSo = isBaseError(outcome.error) && outcome.error.code === 'ATTACH_DETACH_FAILED';
            if (!saysSo) expect([ours, await proxy.devicesOf(ours), await devicesWithSerial(proxy)]).toEqual([[], [], []]);
          } else {
            expect(ours.map((disk) => [disk.diskId, disk.target])).toEqual([[outcome.diskId, outcome.target]]);
            const { devicePath } = outcome;
            expect(await proxy.devicesOf(ours)).toEqual([expect.objectContaining({ devicePath, sizeBytes: REQUEST.sizeBytes, readOnly: true, holders: [] })]);
          }
          expect(proxy.listed.map((disk) => disk.target)).toEqual(expect.arrayContaining(['vda', `${bus}b`]));
        },
      ),
      { numRuns: 600 },
    );
  });
});

async function devicesWithSerial(proxy: FakeProxy): Promise<string[]> {
  return (await proxy.sysfs()).flatMap((device) => (device.serial === REQUEST.serial ? [device.devicePath] : []));
}
