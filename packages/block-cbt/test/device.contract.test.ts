import { describeWith, requiresLoopDevice } from '@onevault/base/testing';
import { describe, it } from 'vitest';
import { openBlockDevice, openWritableBlockDevice } from '../src/index.ts';
import { blockDeviceContract, fileDevice, imageBytes, type Piece, temporaryDirectory, writableBlockDeviceContract, writeImage } from '../testing/index.ts';
import { requiresDirectIo } from './direct-io.ts';
import { loopDevice } from './loop-device.ts';

const ODD_SIZE: readonly Piece[] = [
  { kind: 'data', length: 2 * 2 ** 20, seed: 1 },
  { kind: 'hole', length: 2 ** 19 },
  { kind: 'zero', length: 2 ** 19 },
  { kind: 'data', length: 2 ** 20 + 1234, seed: 2 },
];
const SECTORS: readonly Piece[] = [...ODD_SIZE.slice(0, 3), { kind: 'data', length: 2 ** 20 + 3 * 512, seed: 3 }];

describe('a file read through the page cache', () => {
  for (const { title, run } of blockDeviceContract) {
    it(title, async () => {
      await using subject = await fileDevice(ODD_SIZE, { direct: 'off' });
      await run({ device: subject.device, contents: imageBytes(ODD_SIZE) });
    });
  }
});

describeWith([await requiresDirectIo()], 'a file read past the page cache', () => {
  for (const { title, run } of blockDeviceContract) {
    it(title, async () => {
      await using subject = await fileDevice(ODD_SIZE, { direct: 'on' });
      await run({ device: subject.device, contents: imageBytes(ODD_SIZE) });
    });
  }
});

describe.each(['off', 'auto'] as const)('a file open for writing, direct: %s', (direct) => {
  for (const { title, run } of [...blockDeviceContract, ...writableBlockDeviceContract]) {
    it(title, async () => {
      await using directory = await temporaryDirectory();
      await writeImage(`${directory.path}/disk.img`, ODD_SIZE);
      await using device = await openWritableBlockDevice(`${directory.path}/disk.img`, { exclusive: true, direct });
      await run({ device, contents: imageBytes(ODD_SIZE) });
    });
  }
});

describeWith([requiresLoopDevice()], 'a loop device', () => {
  describe.each(['off', 'on'] as const)('read with direct: %s', (direct) => {
    for (const { title, run } of blockDeviceContract) {
      it(title, async () => {
        await using loop = await loopDevice(SECTORS);
        await using device = await openBlockDevice(loop.path, { direct });
        await run({ device, contents: imageBytes(SECTORS) });
      });
    }
  });

  describe('open for writing', () => {
    for (const { title, run } of [...blockDeviceContract, ...writableBlockDeviceContract]) {
      it(title, async () => {
        await using loop = await loopDevice(SECTORS);
        await using device = await openWritableBlockDevice(loop.path, { exclusive: true });
        await run({ device, contents: imageBytes(SECTORS) });
      });
    }
  });
});
