import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, type DiskReader, fileStore, type Repository } from '@onevault/backup-format';
import { scanBytes } from '@onevault/backup-format/testing';
import { errorCode, Scope, systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlockSet } from '../../src/delta/block-set.ts';
import { type DeltaDevice, deltaRestore } from '../../src/delta/delta-restore.ts';

const KIB = 1024;
const BLOCK = 64 * KIB;
/** No multiple of a block, nor of a MiB: an image of it is larger. */
const SIZE = 20 * BLOCK + 1000;
const IMAGE = 2 * 1024 * KIB;

describe('a delta restore', () => {
  const scope = new Scope();
  let path: string;
  let repository: Repository;
  let reader: DiskReader;
  const saved = Buffer.from(seededRandom(7).bytes(SIZE)).fill(0, 3 * BLOCK, 6 * BLOCK);
  const expected = Buffer.concat([saved, Buffer.alloc(IMAGE - SIZE)]);

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'onevault-delta-'));
    scope.defer(() => rm(directory, { recursive: true, force: true }));
    path = join(directory, 'disk.img');
    repository = scope.use(await createRepository(fileStore(join(directory, 'repository')), { blockSizeBytes: BLOCK }, { clock: systemClock }));
    const { digest } = repository;
    await using writer = await repository.begin({ group: 'vm-1', runId: 'run-1', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
    await writer.writeDisk({ key: 'disk-0', sizeBytes: SIZE }, scanBytes(saved, { blockSizeBytes: BLOCK, digest }));
    reader = scope.use(await repository.openDisk(await writer.commit({ annotations: {} }), 'disk-0'));
  });
  afterAll(() => scope[Symbol.asyncDispose]());

  const device: DeltaDevice = { read: () => openBlockDevice(path, {}), write: () => openWritableBlockDevice(path, { exclusive: true }) };
  const restore = (target = device, verify = true) => deltaRestore({ devices: { scan }, repository }, target, reader, { verify, scanWorkers: 1 });

  it('of any disk gives the saved one, zeros and the rounding to whole MiB included, and writes only blocks that differ', async () => {
    const harm = fc.array(fc.record({ at: fc.nat(IMAGE - 1), length: fc.integer({ min: 1, max: 3 * BLOCK }), byte: fc.integer({ min: 0, max: 255 }) }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(harm, async (harms) => {
        const before = Buffer.from(expected);
        for (const { at, length, byte } of harms) before.fill(byte, at, Math.min(at + length, IMAGE));
        await writeFile(path, before);
        const report = await restore();
        expect((await readFile(path)).equals(expected)).toBe(true);
        expect(report.scannedBytes).toBe(IMAGE);
        let differing = 0;
        for (let at = 0; at < IMAGE; at += BLOCK) if (!before.subarray(at, at + BLOCK).equals(expected.subarray(at, at + BLOCK))) differing++;
        expect(report.writtenBytes).toBe(differing * BLOCK);
      }),
      { numRuns: 15 },
    );
  });

  it('of a disk that is as it was opens nothing for writing', async () => {
    await writeFile(path, expected);
    const write = (): never => expect.fail('nothing differs');
    expect(await restore({ ...device, write })).toEqual({ scannedBytes: IMAGE, writtenBytes: 0, verified: true });
  });

  it('says so when the device loses what was written', async () => {
    await writeFile(path, Buffer.alloc(IMAGE, 1));
    const forgetful: DeltaDevice = {
      ...device,
      async write() {
        const real = await openWritableBlockDevice(path, { exclusive: true });
        return new Proxy(real, {
          get: (target, property) => {
            const value: unknown = Reflect.get(target, property, target);
            if (property === 'writeFrom')
              return async (offset: number, data: Uint8Array) => (offset === 2 * BLOCK ? undefined : target.writeFrom(offset, data));
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
    expect(errorCode(await restore(forgetful).catch((error: unknown) => error))).toBe('JOB_RESTORE_MISMATCH');
    await restore(forgetful, false);
  });

  it('that was cut short is finished by the next one', async () => {
    await writeFile(path, Buffer.alloc(IMAGE, 1));
    const abort = new AbortController();
    const dying = deltaRestore({ devices: { scan }, repository }, device, reader, {
      verify: true,
      scanWorkers: 1,
      signal: abort.signal,
      onProgress: (phase, done) => phase === 'write' && done > 5 * BLOCK && abort.abort(new Error('killed')),
    });
    await expect(dying).rejects.toThrow('killed');
    expect((await readFile(path)).equals(expected)).toBe(false);
    const { writtenBytes } = await restore();
    expect(writtenBytes).toBeLessThan(IMAGE);
    expect((await readFile(path)).equals(expected)).toBe(true);
  });
});

describe('a set of blocks', () => {
  it('has what was added, once, and gives neighbours together', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(199)), fc.integer({ min: 1, max: 9 }), (indexes, longest) => {
        const set = new BlockSet(200);
        for (const index of indexes) set.add(index);
        const wanted = [...new Set(indexes)].sort((a, b) => a - b);
        const ranges = [...set.ranges(longest)];
        expect(ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))).toEqual(wanted);
        expect(ranges.every(({ from, to }) => to - from <= longest)).toBe(true);
        expect(set.size).toBe(wanted.length);
        expect(set.first).toBe(wanted[0]);
        for (const index of wanted) set.delete(index);
        expect([set.size, set.first]).toEqual([0, undefined]);
      }),
    );
  });
});
