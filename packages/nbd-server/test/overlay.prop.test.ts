import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@onevault/base/testing';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NbdExport, openOverlay } from '../src/index.ts';
import { GRAIN_BYTES } from '../src/overlay/overlay-layout.ts';
import { memoryExport } from '../testing/index.ts';

const SIZE = 5 * GRAIN_BYTES + 777;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'overlay-'));
  path = join(directory, 'overlay');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

function below(): { readonly disk: NbdExport; readonly bytes: Buffer } {
  const bytes = Buffer.from(seededRandom(3).bytes(SIZE));
  bytes.fill(0, GRAIN_BYTES, 2 * GRAIN_BYTES);
  return { disk: memoryExport(bytes), bytes };
}

async function readAll(disk: NbdExport, offset = 0, length = SIZE): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await disk.read(offset, target, {});
  return target;
}

const range = fc.tuple(fc.nat(SIZE - 1), fc.nat(3 * GRAIN_BYTES)).map(([offset, length]) => ({ offset, length: Math.max(1, Math.min(length, SIZE - offset)) }));
const edge = fc
  .tuple(fc.nat(5), fc.integer({ min: -1, max: 1 }), fc.integer({ min: 1, max: 2 }))
  .map(([grain, shift, count]) => ({ offset: Math.max(0, grain * GRAIN_BYTES + shift), length: count * GRAIN_BYTES }))
  .map(({ offset, length }) => ({ offset, length: Math.min(length, SIZE - offset) }));
const toTheEnd = fc.nat(SIZE - 1).map((offset) => ({ offset, length: SIZE - offset }));
const step = fc.record({
  kind: fc.constantFrom('write' as const, 'zero' as const, 'reopen' as const),
  at: fc.oneof(range, edge, toTheEnd),
  value: fc.integer({ min: 1, max: 255 }),
});

interface Step {
  readonly kind: 'write' | 'zero' | 'reopen';
  readonly at: { readonly offset: number; readonly length: number };
  readonly value: number;
}

async function play(path: string, steps: readonly Step[]): Promise<void> {
  const { disk, bytes } = below();
  await rm(path, { force: true });
  let overlay = await openOverlay(disk, { path, identity: 'a disk' });
  for (const { kind, at, value } of steps) {
    if (kind === 'reopen') {
      await overlay[Symbol.asyncDispose]();
      overlay = await openOverlay(below().disk, { path, identity: 'a disk' });
      continue;
    }
    if (kind === 'write') await overlay.writer.write(at.offset, Buffer.alloc(at.length, value), {});
    else await overlay.writer.zero(at.offset, at.length, {});
    bytes.fill(kind === 'write' ? value : 0, at.offset, at.offset + at.length);
  }
  const last = steps.at(-1)?.at ?? { offset: 0, length: SIZE };
  expect((await readAll(overlay)).equals(bytes)).toBe(true);
  expect((await readAll(overlay, last.offset, last.length)).equals(bytes.subarray(last.offset, last.offset + last.length))).toBe(true);
  await expectTrueExtents(overlay, bytes);
  await overlay[Symbol.asyncDispose]();
}

async function expectTrueExtents(disk: NbdExport, bytes: Buffer): Promise<void> {
  let at = 0;
  for (const { kind, length } of await disk.extents(0, SIZE, {})) {
    if (kind !== 'data') expect(bytes.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
    at += length;
  }
  expect(at).toBe(SIZE);
}

describe('an overlay', () => {
  it('is the disk below with everything that was written, however often it is opened again, and tells no data to be zero', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) => play(path, steps)),
      { numRuns: 60 },
    );
  });

  it('keeps what was flushed when its process dies', async () => {
    const { disk, bytes } = below();
    const overlay = await openOverlay(disk, { path, identity: 'a disk' });
    await overlay.writer.write(1000, Buffer.from('durable'), {});
    await overlay.writer.flush({});
    const copy = join(directory, 'copy'); // what is in the file at this moment
    await copyFile(path, copy);
    bytes.write('durable', 1000);
    const again = await openOverlay(below().disk, { path: copy, identity: 'a disk' });
    expect((await readAll(again)).equals(bytes)).toBe(true);
    await again[Symbol.asyncDispose]();
    await overlay[Symbol.asyncDispose]();
  });

  it('is refused over another disk, by another size, when it is no overlay, and while somebody writes to it', async () => {
    const { disk } = below();
    const first = await openOverlay(disk, { path, identity: 'one' });
    await expect(openOverlay(disk, { path, identity: 'one' })).rejects.toMatchObject({ code: 'NBD_OVERLAY_IN_USE' });
    await first[Symbol.asyncDispose]();
    await expect(openOverlay(disk, { path, identity: 'two' })).rejects.toMatchObject({ code: 'NBD_OVERLAY_MISMATCH' });
    await expect(openOverlay(memoryExport(Buffer.alloc(512)), { path, identity: 'one' })).rejects.toMatchObject({ code: 'NBD_OVERLAY_MISMATCH' });
    const other = join(directory, 'other');
    await writeFile(other, 'precious');
    await expect(openOverlay(disk, { path: other, identity: 'one' })).rejects.toMatchObject({ code: 'NBD_OVERLAY_INVALID' });
    await (await openOverlay(disk, { path, identity: 'one' }))[Symbol.asyncDispose]();
  });

  it('takes space for what was written, and is gone in the end when it is temporary', async () => {
    const { disk } = below();
    const overlay = await openOverlay(disk, { path, identity: 'a disk', temporary: true });
    await overlay.writer.write(5, Buffer.from('x'), {});
    await overlay.writer.flush({});
    expect((await stat(path)).blocks * 512).toBeLessThan(4 * GRAIN_BYTES);
    await overlay[Symbol.asyncDispose]();
    await expect(stat(path)).rejects.toThrow();
  });
});
