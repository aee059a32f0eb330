import assert from 'node:assert/strict';
import { errorCode } from '@onevault/base';
import type { BlockDevice, WritableBlockDevice } from '../src/index.ts';

/** A device and what it reads as: at least 3 MiB, and better of a size that is no multiple of 4096. */
export interface DeviceSubject<Device extends BlockDevice = BlockDevice> {
  readonly device: Device;
  readonly contents: Uint8Array;
}

export interface DeviceContractCase<Device extends BlockDevice = BlockDevice> {
  readonly title: string;
  run(subject: DeviceSubject<Device>): Promise<void>;
}

/**
 * What every BlockDevice must do. Independent of any test runner:
 * `for (const { title, run } of blockDeviceContract) it(title, async () => run(await newSubject()))`.
 */
export const blockDeviceContract: readonly DeviceContractCase[] = [
  {
    title: 'knows its size',
    async run({ device, contents }) {
      assert.equal(device.sizeBytes, contents.byteLength);
    },
  },
  {
    title: 'reads any range, aligned or not, up to the last byte',
    async run({ device, contents }) {
      const size = contents.byteLength;
      const ranges = [
        [0, 4096],
        [1, 1],
        [511, 4098],
        [4095, 2],
        [4096, 1024 ** 2],
        [12_345, 2 * 1024 ** 2 + 7],
        [size - 1, 1],
        [size - 5000, 5000],
        [0, size],
      ] as const;
      for (const [offset, length] of ranges) await expectRead(device, contents, offset, length);
    },
  },
  {
    title: 'reads nothing, also at its end',
    async run({ device, contents }) {
      await expectRead(device, contents, 0, 0);
      await expectRead(device, contents, contents.byteLength, 0);
    },
  },
  {
    title: 'reads into the middle of a larger buffer and touches nothing beside it',
    async run({ device, contents }) {
      const around = new Uint8Array(3000).fill(0xee);
      await device.readInto(777, around.subarray(1000, 2000));
      assert.ok(Buffer.from(around.subarray(0, 1000)).equals(Buffer.alloc(1000, 0xee)));
      assert.ok(Buffer.from(around.subarray(1000, 2000)).equals(contents.subarray(777, 1777)));
      assert.ok(Buffer.from(around.subarray(2000)).equals(Buffer.alloc(1000, 0xee)));
    },
  },
  {
    title: 'refuses a range that is not inside',
    async run({ device, contents }) {
      for (const [offset, length] of [
        [contents.byteLength, 1],
        [contents.byteLength - 10, 11],
        [-1, 1],
        [0.5, 1],
      ] as const) {
        await expectCode(device.readInto(offset, new Uint8Array(length)), 'CBT_OUT_OF_RANGE');
      }
    },
  },
  {
    title: 'reads concurrently',
    async run({ device, contents }) {
      const offsets = Array.from({ length: 24 }, (_, i) => i * 100_003);
      await Promise.all(offsets.map((offset) => expectRead(device, contents, offset, 77_777)));
    },
  },
  {
    title: 'throws the reason of an abort, untouched',
    async run({ device }) {
      const reason = new Error('stop');
      await assert.rejects(device.readInto(0, new Uint8Array(8), { signal: AbortSignal.abort(reason) }), (error) => error === reason);
    },
  },
  {
    title: 'closes once, however often it is asked, and does not read afterwards',
    async run({ device }) {
      await Promise.all([device[Symbol.asyncDispose](), device[Symbol.asyncDispose]()]);
      await device[Symbol.asyncDispose]();
      await expectCode(device.readInto(0, new Uint8Array(8)), 'CBT_READ_FAILED');
    },
  },
];

/** What a WritableBlockDevice must do on top of `blockDeviceContract`. */
export const writableBlockDeviceContract: readonly DeviceContractCase<WritableBlockDevice>[] = [
  {
    title: 'reads what was written, and nothing else has changed',
    async run({ device, contents }) {
      const expected = Uint8Array.from(contents);
      for (const [offset, length] of [
        [0, 1],
        [4095, 4098],
        [100_000, 1024 ** 2 + 1],
        [98_304, 1024 ** 2 + 4097], // whole pages over what may still be in the cache, and a rest
        [contents.byteLength - 3, 3],
      ] as const) {
        const data = new Uint8Array(length).fill(offset % 251);
        expected.set(data, offset);
        await device.writeFrom(offset, data);
      }
      await device.flush();
      await expectRead(device, expected, 0, expected.byteLength);
    },
  },
  {
    title: 'never writes beyond its end',
    async run({ device, contents }) {
      await expectCode(device.writeFrom(contents.byteLength - 1, new Uint8Array(2)), 'CBT_OUT_OF_RANGE');
      await expectCode(device.writeFrom(-1, new Uint8Array(2)), 'CBT_OUT_OF_RANGE');
      await expectRead(device, contents, 0, contents.byteLength);
    },
  },
  {
    title: 'writes nothing once aborted',
    async run({ device, contents }) {
      const reason = new Error('stop');
      const options = { signal: AbortSignal.abort(reason) };
      await assert.rejects(device.writeFrom(0, new Uint8Array(8), options), (error) => error === reason);
      await assert.rejects(device.flush(options), (error) => error === reason);
      await expectRead(device, contents, 0, 4096);
    },
  },
];

async function expectRead(device: BlockDevice, contents: Uint8Array, offset: number, length: number): Promise<void> {
  const target = new Uint8Array(length);
  await device.readInto(offset, target);
  assert.ok(Buffer.from(target).equals(contents.subarray(offset, offset + length)), `bytes ${offset}..${offset + length} differ`);
}

async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => errorCode(error) === code);
}
