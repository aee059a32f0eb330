import { FakeClock, seededRandom } from '@onevault/base/testing';
import { describe, it } from 'vitest';
import { createAttacher, newSerial, parseSerial } from '../src/index.ts';
import { type AttacherSubject, attacherContract, FakeProxy } from '../testing/index.ts';

function subject(bus: 'vd' | 'sd'): AttacherSubject {
  const clock = new FakeClock({ auto: true });
  const proxy = new FakeProxy({ clock });
  const random = seededRandom(1);
  let imageId = 10;
  return {
    attacher: createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, bus }),
    newSerial: () => newSerial((length) => random.bytes(length)),
    async newImage(sizeMiB) {
      proxy.addImage(++imageId, sizeMiB);
      return { imageId, sizeBytes: sizeMiB * 1024 ** 2 };
    },
    listedSerials: async () => proxy.listed.flatMap((disk) => parseSerial(disk.serial) ?? []),
    devices: () => proxy.sysfs(),
  };
}

describe.each(['vd', 'sd'] as const)('attacher contract, proxy in memory, bus %s', (bus) => {
  for (const { title, run } of attacherContract) it(title, () => run(subject(bus)));
});
