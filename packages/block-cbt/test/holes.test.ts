import { requiresLoopDevice, testWith } from '@onevault/base/testing';
import { expect, it } from 'vitest';
import { openHoleMap } from '../src/holes.ts';
import { openBlockDevice } from '../src/index.ts';
import { fileDevice } from '../testing/index.ts';
import { loopDevice } from './loop-device.ts';

const MIB = 2 ** 20;

it('a sparse file says where its data is', async () => {
  await using subject = await fileDevice([
    { kind: 'hole', length: 4 * MIB },
    { kind: 'data', length: MIB, seed: 1 },
    { kind: 'hole', length: 4 * MIB },
    { kind: 'data', length: MIB, seed: 2 },
    { kind: 'hole', length: MIB },
  ]);
  const map = await openHoleMap(subject.device);
  if (!map) throw new Error('the temporary directory is on a file system without SEEK_HOLE');
  expect(await map.nextData(0)).toBe(4 * MIB);
  expect(await map.nextData(MIB)).toBe(4 * MIB);
  expect(await map.nextHole(4 * MIB)).toBe(5 * MIB);
  expect(await map.nextData(5 * MIB)).toBe(9 * MIB);
  expect(await map.nextData(9 * MIB + 1)).toBe(9 * MIB + 1);
  expect(await map.nextHole(9 * MIB + 1)).toBe(10 * MIB);
  expect(await map.nextData(10 * MIB)).toBeUndefined();
  expect(await map.nextData(4 * MIB + 7)).toBe(4 * MIB + 7); // backwards as well
});

it('a file that lost its end has no data there', async () => {
  await using subject = await fileDevice([{ kind: 'data', length: 4 * MIB, seed: 1 }]);
  const map = await openHoleMap(subject.device);
  await subject.resize(MIB);
  expect(await map?.nextData(2 * MIB)).toBeUndefined();
});

it('a descriptor that is gone is an error, not a hole', async () => {
  await using subject = await fileDevice([{ kind: 'data', length: MIB, seed: 1 }]);
  const { path, sizeBytes, fd } = subject.device;
  const map = await openHoleMap({ path, sizeBytes, fd });
  await subject.device[Symbol.asyncDispose]();
  await expect(map?.nextData(0)).rejects.toMatchObject({ code: 'CBT_READ_FAILED', details: { path, offset: 0, length: MIB } });
});

it('a file of procfs has no map: everything counts as data', async () => {
  await using device = await openBlockDevice('/proc/version');
  expect(await openHoleMap(device)).toBeUndefined();
});

testWith([requiresLoopDevice()], 'a block device has no map', async () => {
  await using loop = await loopDevice([{ kind: 'hole', length: MIB }]);
  await using device = await openBlockDevice(loop.path);
  expect(await openHoleMap(device)).toBeUndefined();
});
