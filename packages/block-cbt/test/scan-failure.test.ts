import { execFileSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { blockGrid, type DigestSource } from '@onevault/base';
import { requiresLoopDevice, testWith } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { OpenedDevice } from '../src/device.ts';
import { openBlockDevice, type ScannedRun } from '../src/index.ts';
import { scanWith } from '../src/scan.ts';
import { fileDevice, type Piece, temporaryDirectory } from '../testing/index.ts';
import { requiresDirectIo } from './direct-io.ts';
import { loopDevice } from './loop-device.ts';
import { scanToEnd } from './scan-to-end.ts';

const BLOCK = 65_536;
const SIZE = 64 * BLOCK;
const OPTIONS = { blockSizeBytes: BLOCK, digest: 'blake3', workers: 2 } as const;
const SMALL = { extentBytes: 2 * BLOCK };
const DIRECT_IO = await requiresDirectIo();
const DATA: readonly Piece[] = [{ kind: 'data', length: SIZE, seed: 7 }];

/** Takes blocks without releasing them. */
async function take(runs: AsyncGenerator<ScannedRun, unknown, void>, count: number): Promise<ScannedRun[]> {
  const taken: ScannedRun[] = [];
  while (taken.length < count) {
    const step = await runs.next();
    if (step.done) throw new Error(`the scan ended after ${taken.length} runs`);
    taken.push(step.value);
  }
  return taken;
}

describe('a scan that is left early', () => {
  it('ends, also with every slot still held, and what was handed out stays as it was', async () => {
    await using subject = await fileDevice(DATA);
    const runs = scanWith(subject.device, OPTIONS, SMALL);
    const [first] = await take(runs, 12);
    if (first?.kind !== 'changed') throw new Error('expected a changed block');
    const before = Buffer.from(first.data);
    expect(await runs.return(undefined as never)).toMatchObject({ done: true });
    // Other scans come and go meanwhile, in memory of their own.
    await using other = await fileDevice([{ kind: 'data', length: SIZE, seed: 8 }]);
    await scanToEnd(scanWith(other.device, OPTIONS, SMALL));
    expect(before.equals(first.data)).toBe(true);
    first.release();
  });

  it('ends before its first step as well', async () => {
    await using subject = await fileDevice(DATA);
    const runs = scanWith(subject.device, OPTIONS, SMALL);
    expect(await runs.return(undefined as never)).toMatchObject({ done: true });
    expect(await runs.next()).toMatchObject({ done: true });
  });

  it('cancels the digests it is waiting for', async () => {
    await using subject = await fileDevice(DATA);
    let cancelled = 0;
    const parent: DigestSource = {
      grid: blockGrid(SIZE, BLOCK),
      digests: (first, _count, options) =>
        first === 0
          ? Promise.resolve(undefined)
          : new Promise((_resolve, reject) => {
              options?.signal?.addEventListener('abort', () => {
                cancelled++;
                reject(options.signal?.reason);
              });
            }),
    };
    const runs = scanWith(subject.device, { ...OPTIONS, parent }, SMALL);
    await take(runs, 2);
    await runs.return(undefined as never);
    expect(cancelled).toBeGreaterThan(0);
  });
});

describe('an aborted scan', () => {
  it('asks for no more digests, however long the hole it is in', async () => {
    await using subject = await fileDevice([{ kind: 'hole', length: 64 * 2 ** 30 }]);
    const reason = new Error('stop');
    const controller = new AbortController();
    let asked = 0;
    const parent: DigestSource = {
      grid: blockGrid(subject.device.sizeBytes, BLOCK),
      async digests(_first, count) {
        if (++asked === 5) controller.abort(reason);
        return new Uint8Array(count * 32);
      },
    };
    const failing = scanToEnd(scanWith(subject.device, { ...OPTIONS, parent, signal: controller.signal }, {}));
    await expect(failing).rejects.toBe(reason);
    expect(asked).toBeLessThanOrEqual(6); // of 256
  });

  it('throws the reason untouched: before it starts, while it waits for memory, and at the next step', async () => {
    await using subject = await fileDevice(DATA);
    const reason = new Error('stop');
    await expect(scanWith(subject.device, { ...OPTIONS, signal: AbortSignal.abort(reason) }, SMALL).next()).rejects.toBe(reason);

    const waiting = new AbortController();
    const starved = scanWith(subject.device, { ...OPTIONS, signal: waiting.signal }, SMALL);
    await take(starved, 12); // all slots are held: the thirteenth block waits
    const thirteenth = starved.next();
    waiting.abort(reason);
    await expect(thirteenth).rejects.toBe(reason);
    expect(await starved.next()).toMatchObject({ done: true });

    const busy = new AbortController();
    const runs = scanWith(subject.device, { ...OPTIONS, signal: busy.signal }, SMALL);
    for (const run of await take(runs, 2)) if (run.kind === 'changed') run.release();
    busy.abort(reason);
    await expect(runs.next()).rejects.toBe(reason);
  });

  it('ends its threads also while the consumer is busy elsewhere', async () => {
    await using subject = await fileDevice(DATA);
    const controller = new AbortController();
    const runs = scanWith(subject.device, { ...OPTIONS, signal: controller.signal }, SMALL);
    const [threads] = await Promise.all([startedWorkers(2), take(runs, 1)]);
    const exits = threads.map((thread) => once(thread, 'exit'));
    controller.abort();
    await Promise.all(exits); // nobody calls next or return meanwhile
    await expect(runs.next()).rejects.toThrow('aborted');
  });

  it('leaves the signal without listeners, also when it was not aborted', async () => {
    await using subject = await fileDevice(DATA);
    const { signal } = new AbortController();
    await scanToEnd(scanWith(subject.device, { ...OPTIONS, signal }, SMALL));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a device that fails while it is scanned', () => {
  it.each(['off', 'auto'] as const)('by being truncated is named with the bytes that are gone (direct: %s)', async (direct) => {
    await using subject = await fileDevice(DATA, { direct });
    const runs = scanWith(subject.device, OPTIONS, SMALL);
    await runs.next();
    const left = SIZE - 3 * BLOCK + 1000;
    await subject.resize(left);
    await expect(drain(runs)).rejects.toMatchObject({
      code: 'CBT_SIZE_CHANGED',
      details: { path: subject.device.path, offset: left, length: SIZE - left, expectedBytes: SIZE, actualBytes: left },
    });
  });

  it('by being truncated is not taken for a hole at its end', async () => {
    await using subject = await fileDevice([...DATA, { kind: 'hole', length: 64 * 2 ** 20 }]);
    await subject.resize(SIZE);
    await expect(scanToEnd(scanWith(subject.device, OPTIONS, SMALL))).rejects.toMatchObject({ code: 'CBT_SIZE_CHANGED' });
  });

  it('by growing is not scanned in part and called whole', async () => {
    await using subject = await fileDevice(DATA);
    await subject.resize(SIZE + 1);
    await expect(scanToEnd(scanWith(subject.device, OPTIONS, SMALL))).rejects.toMatchObject({
      code: 'CBT_SIZE_CHANGED',
      details: { offset: SIZE, length: 1 },
    });
  });

  it('by refusing every read is named with the system error and the first block', async () => {
    await using subject = await fileDevice(DATA);
    const { path, sizeBytes } = subject.device;
    await using unreadable = new OpenedDevice(await open(path, 'a'), { path, sizeBytes, direct: false });
    await expect(scanToEnd(scanWith(unreadable, OPTIONS, SMALL))).rejects.toMatchObject({
      code: 'CBT_READ_FAILED',
      details: { path, offset: 0, length: BLOCK, errno: 'EBADF' },
      cause: { code: 'EBADF', syscall: 'read' },
    });
  });

  testWith([requiresLoopDevice(), DIRECT_IO], 'on one stretch is scanned up to there and named to the block', async () => {
    await using loop = await loopDevice(DATA);
    await using device = await openBlockDevice(loop.path, { direct: 'on' });
    loop.truncateBacking(21 * BLOCK);
    let blocks = 0;
    const runs = scanWith(device, OPTIONS, SMALL);
    const failing = (async () => {
      for await (const run of runs) {
        blocks++;
        if (run.kind === 'changed') run.release();
      }
    })();
    await expect(failing).rejects.toMatchObject({
      code: 'CBT_READ_FAILED',
      details: { path: loop.path, offset: 21 * BLOCK, length: BLOCK, errno: 'EIO' },
    });
    expect(blocks).toBe(20); // whole extents before the one that failed
  });
});

describe('a block device', () => {
  testWith([requiresLoopDevice()], 'that ends before its size says is named with the bytes that are missing', async () => {
    await using loop = await loopDevice(DATA);
    const number = execFileSync('stat', ['-c', '%Hr:%Lr', loop.path], { encoding: 'utf8' }).trim();
    await using sysfs = await temporaryDirectory();
    await mkdir(join(sysfs.path, 'dev/block', number), { recursive: true });
    await writeFile(join(sysfs.path, 'dev/block', number, 'size'), `${(SIZE + 10 * BLOCK) / 512}\n`);
    await using device = await openBlockDevice(loop.path, { sysfsRoot: sysfs.path });
    await expect(scanToEnd(scanWith(device, OPTIONS, SMALL))).rejects.toMatchObject({
      code: 'CBT_SHORT_READ',
      details: { path: loop.path, offset: SIZE, length: 2 * BLOCK },
    });
  });
});

describe('a scan thread', () => {
  const programs: readonly [string, string][] = [
    ['cannot start', 'import "./not-installed.js";'],
    ['throws', 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { throw new Error("broken"); });'],
    ['exits', 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(3));'],
    [
      'runs out of memory',
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { const hoard = []; for (;;) hoard.push(new Array(1e5).fill(hoard.length)); });',
    ],
  ];

  it.each(programs)('that %s ends the scan with CBT_SCAN_WORKER_FAILED', async (_how, program) => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'worker.mjs');
    await writeFile(file, program);
    await using subject = await fileDevice(DATA);
    await expect(scanToEnd(scanWith(subject.device, OPTIONS, { ...SMALL, workerProgram: pathToFileURL(file) }))).rejects.toMatchObject({
      code: 'CBT_SCAN_WORKER_FAILED',
      details: { path: subject.device.path },
      hint: expect.any(String),
    });
  });

  it('that is lost while the consumer holds everything does not leave it waiting', async () => {
    await using subject = await fileDevice(DATA);
    const runs = scanWith(subject.device, OPTIONS, SMALL);
    const [threads] = await Promise.all([startedWorkers(2), take(runs, 12)]);
    const thirteenth = runs.next(); // waits for memory that nobody gives back
    await threads[0]?.terminate();
    await expect(thirteenth).rejects.toMatchObject({ code: 'CBT_SCAN_WORKER_FAILED' });
    expect(await runs.next()).toMatchObject({ done: true });
  });
});

/** The next threads of this process, as soon as there are that many. */
function startedWorkers(count: number): Promise<readonly Worker[]> {
  const workers: Worker[] = [];
  return new Promise((resolve) => {
    process.on('worker', function onWorker(worker) {
      workers.push(worker);
      if (workers.length < count) return;
      process.off('worker', onWorker);
      resolve(workers);
    });
  });
}

async function drain(runs: AsyncGenerator<ScannedRun, unknown, void>): Promise<void> {
  for await (const run of runs) if (run.kind === 'changed') run.release();
}
