import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DiskFile } from '../src/disk/disk-file.ts';
import { randomWrites } from '../src/index.ts';
import { startTestSimulator } from '../testing/index.ts';

/** A capture of a disk that its guest keeps writing to holds the bytes of one instant, exactly. */
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onevault-capture-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const MIB = 2 ** 20;
const SIZE = 4 * MIB + 4096; // the last chunk is short

const write = fc.record({
  offset: fc.integer({ min: 0, max: SIZE - 1 }),
  length: fc.integer({ min: 1, max: 300_000 }),
  fill: fc.integer({ min: 0, max: 255 }),
});
const scenario = fc.record({
  before: fc.array(write, { maxLength: 4 }),
  during: fc.array(write, { minLength: 1, maxLength: 12 }),
  instant: fc.constantFrom('start' as const, 'end' as const),
});

test('for any writes before and during it', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ before, during, instant }) => {
      const [source, target] = [join(dir, 'source'), join(dir, 'target')];
      const model = Buffer.alloc(SIZE);
      await writeFile(source, model);
      const disk = new DiskFile(source);
      const guestWrites = async (one: (typeof before)[number]): Promise<void> => {
        const bytes = Buffer.alloc(Math.min(one.length, SIZE - one.offset), one.fill);
        bytes.copy(model, one.offset);
        await disk.write([{ offset: one.offset, bytes }]);
      };
      for (const one of before) await guestWrites(one);
      const atStart = Buffer.from(model);
      const capture = disk.capture(target, instant);
      await Promise.all(during.slice(0, -1).map(guestWrites));
      await capture.copied();
      const last = during.at(-1);
      if (last) await guestWrites(last); // after everything was copied once
      await capture.finish();
      const atEnd = Buffer.from(model);
      await guestWrites({ offset: 0, length: 100, fill: 7 }); // after the end: in neither
      const captured = await readFile(target);
      expect(captured.equals(instant === 'start' ? atStart : atEnd)).toBe(true);
      expect((await readFile(source)).equals(model)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('holes stay holes', async () => {
  const [source, target] = [join(dir, 'sparse'), join(dir, 'sparse-copy')];
  const file = await open(source, 'w');
  await file.truncate(256 * MIB);
  await file.write(Buffer.alloc(4096, 1), 0, 4096, 200 * MIB);
  await file.close();
  const capture = new DiskFile(source).capture(target, 'start');
  await capture.finish();
  const copy = await open(target, 'r');
  const { size, blocks } = await copy.stat();
  await copy.close();
  expect(size).toBe(256 * MIB);
  expect(blocks * 512).toBeLessThan(MIB);
});

test('a write that does not fit is refused and changes nothing', async () => {
  const source = join(dir, 'small');
  await writeFile(source, Buffer.alloc(100, 5));
  await expect(new DiskFile(source).write([{ offset: 99, bytes: Buffer.alloc(2) }])).rejects.toThrow(RangeError);
  expect(await readFile(source)).toEqual(Buffer.alloc(100, 5));
});

test('through the API: a snapshot holds the instant of the call, a live copy the end of it, whatever is written meanwhile', async () => {
  await using one = await startTestSimulator({ proxy: false });
  const { control } = one.sim;
  const { vmId } = await control.createVm({ name: 'vm', disks: [{ sizeMiB: 4 }] });
  const model = Buffer.alloc(4 * MIB);
  const guestWrites = async (seed: number): Promise<void> => {
    const pattern = { seed, count: 40, blockBytes: 4096 };
    for (const { offset, bytes } of randomWrites(pattern, model.length)) model.set(bytes, offset);
    await control.writeRandom(vmId, 0, pattern);
  };
  await guestWrites(1);
  const atSnapshot = Buffer.from(model);
  const snapshotId = Number(await one.must('one.vm.disksnapshotcreate', vmId, 0, 's'));
  await Promise.all([guestWrites(2), control.idle()]);
  await control.hold(['saveas']);
  const live = Number(await one.must('one.vm.disksaveas', vmId, 0, 'live', '', -1));
  await guestWrites(3);
  const atEnd = Buffer.from(model);
  await control.release();
  await control.idle();
  await guestWrites(4);
  const saved = Number(await one.must('one.vm.disksaveas', vmId, 0, 'saved', '', snapshotId));
  await control.idle();
  expect((await readFile(await control.imagePath(saved))).equals(atSnapshot)).toBe(true);
  expect((await readFile(await control.imagePath(live))).equals(atEnd)).toBe(true);
  expect((await control.read(vmId, 0, 0, model.length)).length).toBe(model.length);
  expect(Buffer.from(await control.read(vmId, 0, 0, model.length)).equals(model)).toBe(true);
  expect(await control.unexpectedErrors()).toEqual([]);
});
