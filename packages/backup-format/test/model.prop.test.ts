import { FakeClock, seededRandom } from '@onevault/base/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRepository, type DiskReader, memoryStore, type ObjectStore, openRepository, type Repository } from '../src/index.ts';
import { Crash, crashAtWrite, faultyStore, readDisk, scanBytes } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';

const BLOCK = 64 * 1024;
const BLOCKS = 12;

/** What must be readable: every committed point, byte for byte. Nothing else is promised. */
interface Model {
  disk: Uint8Array;
  readonly points: Map<string, Uint8Array>;
  newest: string | undefined;
}

interface Real {
  readonly store: ObjectStore;
  readonly clock: FakeClock;
  repository: Repository;
}

type Command = fc.AsyncCommand<Model, Real>;

/** The guest writes: noise, a pattern or zeros over a range; sometimes the disk grows or shrinks. */
function guestWrites(seed: number, kind: 'noise' | 'pattern' | 'zeros' | 'resize'): Command {
  return {
    check: () => true,
    toString: () => `write(${kind}, ${seed})`,
    async run(model) {
      const random = seededRandom(seed);
      if (kind === 'resize') {
        const next = new Uint8Array(random.int(BLOCKS * BLOCK));
        next.set(model.disk.subarray(0, next.length));
        model.disk = next;
        return;
      }
      const start = random.int(model.disk.length + 1);
      const range = model.disk.subarray(start, start + random.int(3 * BLOCK));
      if (kind === 'noise') range.set(random.bytes(range.length));
      else range.fill(kind === 'zeros' ? 0 : 1 + (seed % 3));
    },
  };
}

interface BackupChoice {
  readonly mode: 'full' | 'incremental';
  readonly confirmDedup: boolean;
  /** Undefined: the run lives. */
  readonly crash: { readonly at: number; readonly when: 'before' | 'after' } | undefined;
}

function backup(choice: BackupChoice): Command {
  const { mode, confirmDedup, crash } = choice;
  return {
    check: () => true,
    toString: () => `backup(${mode}${confirmDedup ? ', confirmed' : ''}${crash ? `, crash ${crash.when} write ${crash.at}` : ''})`,
    async run(model, real) {
      const disk = model.disk.slice();
      real.clock.advance(1000);
      if (!crash) {
        const id = await writePoint(choice, model, real.repository, disk);
        model.points.set(id, disk);
        model.newest = id;
        return;
      }
      const dying = await openRepository(faultyStore(real.store, crashAtWrite(crash.at, crash.when)), { clock: real.clock });
      await writePoint(choice, model, dying, disk).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
      });
      real.repository = await openRepository(real.store, { clock: real.clock });
      for await (const listed of real.repository.points()) {
        if (listed.kind === 'damaged') throw listed.error;
        if (model.points.has(listed.point.id)) continue;
        model.points.set(listed.point.id, disk); // it came to its manifest: then it must be whole
        model.newest = listed.point.id;
      }
    },
  };
}

async function writePoint({ mode, confirmDedup }: BackupChoice, model: Model, repository: Repository, disk: Uint8Array): Promise<string> {
  let parent: DiskReader | undefined;
  if (mode === 'incremental' && model.newest) parent = await repository.openDisk(await repository.point(model.newest), 'd');
  await using writer = await repository.begin({ group: 'g', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode });
  const runs = scanBytes(disk, { blockSizeBytes: BLOCK, digest: 'blake3', parent });
  await writer.writeDisk({ key: 'd', sizeBytes: disk.length, confirmDedup, ...(parent ? { parent } : {}) }, runs);
  await writer.commit({ annotations: {} });
  return writer.id;
}

function forget(choice: number): Command {
  return {
    check: (model) => model.points.size > 0,
    toString: () => `forget(${choice})`,
    async run(model, real) {
      const id = [...model.points.keys()][choice % model.points.size] ?? '';
      await real.repository.forgetPoint(id, { evenLast: true });
      model.points.delete(id);
      if (model.newest === id) model.newest = [...model.points.keys()].at(-1);
    },
  };
}

const reopen: Command = {
  check: () => true,
  toString: () => 'reopen',
  async run(_model, real) {
    real.repository = await openRepository(real.store, { clock: real.clock });
  },
};

const restoreAndVerify: Command = {
  check: () => true,
  toString: () => 'restore and verify',
  async run(model, real) {
    for (const [id, disk] of model.points) {
      const restored = await readDisk(await real.repository.openDisk(await real.repository.point(id), 'd'));
      expect(Buffer.compare(restored, disk)).toBe(0);
    }
    const { damage, report } = await runVerify(real.repository);
    expect(damage).toEqual([]);
    expect(report.points).toBe(model.points.size);
  },
};

const crash = fc.option(fc.record({ at: fc.integer({ min: 1, max: 14 }), when: fc.constantFrom('before' as const, 'after' as const) }), { nil: undefined });
const commands = [
  fc
    .tuple(fc.nat(), fc.constantFrom('noise' as const, 'noise' as const, 'pattern' as const, 'zeros' as const, 'resize' as const))
    .map(([seed, kind]) => guestWrites(seed, kind)),
  fc.record({ mode: fc.constantFrom('full' as const, 'incremental' as const, 'incremental' as const), confirmDedup: fc.boolean(), crash }).map(backup),
  fc.nat().map((choice) => forget(choice)),
  fc.constant(reopen),
  fc.constant(restoreAndVerify),
];

describe('I1, I2, I3: any sequence of writes, backups, crashes and forgetting', () => {
  it(
    'leaves every committed point restorable byte for byte, and a repository that verifies',
    () =>
      fc.assert(
        fc.asyncProperty(fc.commands(commands, { maxCommands: 14 }), async (sequence) => {
          await fc.asyncModelRun(async () => {
            const store = memoryStore();
            const clock = new FakeClock();
            const repository = await createRepository(store, { blockSizeBytes: BLOCK }, { clock });
            const model: Model = { disk: new Uint8Array(8 * BLOCK + 77), points: new Map(), newest: undefined };
            return { model, real: { store, clock, repository } };
          }, [...sequence, restoreAndVerify]);
        }),
        { numRuns: Number(process.env['MODEL_RUNS'] ?? 25) },
      ),
    120_000,
  );
});
