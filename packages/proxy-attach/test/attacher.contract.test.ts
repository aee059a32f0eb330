import { FakeClock, seededRandom } from '@onevault/base/testing';
import { describe, it } from 'vitest';
import {
  chooseIdentification,
  createAttacher,
  type IdentifiedBy,
  machineHotplugLock,
  newSerial,
  parseSerial,
  type WantedIdentification,
} from '../src/index.ts';
import { type AttacherSubject, attacherContract, FakeProxy } from '../testing/index.ts';

interface Strategy extends WantedIdentification {
  readonly version: string;
  readonly identifiedBy: IdentifiedBy;
}

const STRATEGIES: readonly Strategy[] = [
  { version: '7.0.2', bus: 'vd', identifiedBy: 'serial' },
  { version: '7.0.2', bus: 'sd', identifiedBy: 'serial+scsi' },
  { version: '6.10.5', bus: 'sd', identifiedBy: 'scsi' },
  { version: '6.10.5', bus: 'vd', byDifference: true, identifiedBy: 'difference' },
];

function subject({ version, identifiedBy, ...wanted }: Strategy): AttacherSubject {
  const clock = new FakeClock({ auto: true });
  const identification = chooseIdentification(version, wanted);
  const proxy = new FakeProxy({ clock, serialReachesGuest: identification.serialReachesGuest });
  const random = seededRandom(1);
  let imageId = 10;
  const lock = machineHotplugLock({ clock, proxyRoot: `in memory, ${process.pid}, ${identifiedBy}` });
  return {
    attacher: createAttacher({ api: proxy.api, sysfs: (options) => proxy.sysfs(options), clock, identification, lock }),
    identifiedBy,
    newSerial: () => newSerial((length) => random.bytes(length)),
    async newImage(sizeMiB) {
      proxy.addImage(++imageId, sizeMiB);
      return { imageId, sizeBytes: sizeMiB * 1024 ** 2 };
    },
    listedSerials: async () => proxy.listed.flatMap((disk) => parseSerial(disk.serial) ?? []),
    devices: () => proxy.sysfs(),
  };
}

describe.each(STRATEGIES)('attacher contract, proxy in memory, bus $bus of OpenNebula $version: by $identifiedBy', (strategy) => {
  for (const { title, run } of attacherContract) it(title, () => run(subject(strategy)));
});
